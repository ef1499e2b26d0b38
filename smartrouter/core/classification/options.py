# SPDX-License-Identifier: GPL-2.0-or-later
"""What software asks for just these DHCP options, in this order (option 55), and what single ones tell.

A list that a family of clients sends is one clue. Of any other list, what it is made of is: few options, in
ascending order, options that only computers have use for. Sources: each client's own source code (BusyBox's
table of options, lwIP's dhcp.c, ISC's clparse.c and Debian's dhclient.conf, systemd's sd-dhcp-client.c,
NetworkManager's nettools client, AOSP's DhcpClient), the lists that PacketFence 6.3.1 and Google Fiber's
device taxonomy publish, and MS-DHCPE. Option numbers: IANA's registry.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

from smartrouter.core.classification.clue import Clue

MEANINGS: Mapping[str, str] = {
    "options.android": "asks as Android since 6 does (1,3,6,15,26,28,51,58,59,43)",
    "options.apple": "asks as iPhones, iPads, Apple TVs and HomePods do (1,121,3,6,15,119,252)",
    "options.busybox": "asks as BusyBox does: in ascending order, from its table (1,3,6,12,15,28,42)",
    "options.connman": "asks as TVs and hubs with ConnMan do (252,3,42,15,6,1,12)",
    "options.dhclient": "asks as ISC's dhclient does, of Linux and BSD systems (1,28,2,3,15,6 …)",
    "options.dhcpcd": "asks as dhcpcd does on Linux systems and Chrome OS (1,121,33,3,6,12 … 54,58,59)",
    "options.dhcpcd-android": "asks as dhcpcd does in Android up to 5 and Fire OS (1,33,3,6,15,28,51,58,59)",
    "options.esp": "asks as the ESP8266's lwIP does (1,3,28,6,15,44,46,47,31,33,121,43)",
    "options.lwip": "asks as lwIP does, which runs on microcontrollers (1,3,28,6)",
    "options.macos": "asks as Macs do (… 95,44,46)",
    "options.networkmanager": "asks as NetworkManager does, of Linux desktops (1,2,6,12 … 119,249,252,17)",
    "options.printer": "asks as network printers do (6,3,1,15,66,67,13,44)",
    "options.systemd": "asks as systemd does (1,3,12,15,6)",
    "options.telephone": "asks for a telephone's configuration (150, 176, 242, 160, 120 …)",
    "options.windows": "asks as Windows does (1,15,3,6,44,46,47,31,33 …)",
    "asks.ancient": "asks for servers of time, names or logs that hardly anything uses (4, 5, 7)",
    "asks.ascending": "asks in ascending order",
    "asks.boot-file": "asks where to boot from (66, 67)",
    "asks.few": "asks for five options or fewer",
    "asks.lease-times": "asks for the times of the lease (51, 58, 59)",
    "asks.netbios": "asks for NetBIOS's servers (44, 46, 47)",
    "asks.own-name": "asks for its own host name (12)",
    "asks.routes": "asks for static routes (121, 249, 33)",
    "asks.search": "asks for search domains (119)",
}

_List = tuple[int, ...]
_Fits = Callable[[_List], bool]

# What udhcpc may be told to ask for besides its usual list; it asks in ascending order.
_BUSYBOX = frozenset(
    (1, 2, 3, 4, 5, 6, 7, 12, 13, 15, 17, 26, 28, 33, 40, 41, 42, 43, 44, 57, 66, 67, 100, 101, 121, 125, 249)
)
_LWIP = frozenset((1, 3, 28, 6, 12, 26, 42, 43, 114))
_APPLE = frozenset((1, 3, 6, 15, 78, 79, 108, 114, 119, 121, 162, 252))
_WINDOWS = frozenset((31, 33, 43, 44, 46, 47, 249))
_NETBIOS, _LEASE = frozenset((44, 46, 47)), frozenset((51, 58, 59))
_PROVISIONING = frozenset((150, 160, 176, 242))  # telephones' own; with a boot file also those below
_OTHER_PROVISIONING = frozenset((120, 128, 129, 144, 149, 151, 156, 159, 191))
_LONGEST_OF_A_TELEPHONE = 20


def _begins(*beginnings: _List) -> _Fits:
    return lambda params: any(params[: len(beginning)] == beginning for beginning in beginnings)


def _is_lwip(params: _List) -> bool:
    return params[:3] == (1, 3, 28) and _LWIP.issuperset(params)


def _is_windows(params: _List) -> bool:
    return _begins_like_windows(params) or _WINDOWS.issubset(params)


def _is_macos(params: _List) -> bool:
    return 95 in params and _begins((1, 3, 6, 15), (3, 6, 15), (1, 121, 3, 6, 15))(params)


def _is_apple(params: _List) -> bool:
    return (
        119 in params
        and _APPLE.issuperset(params)
        and _begins((1, 121, 3, 6, 15), (1, 3, 6, 15, 119))(params)
    )


def _is_telephone(params: _List) -> bool:
    if 66 in params and not _OTHER_PROVISIONING.isdisjoint(params):
        return True
    return len(params) < _LONGEST_OF_A_TELEPHONE and not _PROVISIONING.isdisjoint(params)


def _is_android_dhcpcd(params: _List) -> bool:
    return _is_dhcpcd(params) and _LEASE.issubset(params) and 54 not in params and 12 not in params


def _is_busybox(params: _List) -> bool:
    return (
        len(params) >= _FEW
        and _ascends(params)
        and {1, 3, 6, 28}.issubset(params)
        and _BUSYBOX.issuperset(params)
    )


_FEW = 5
_begins_like_windows = _begins(
    (1, 15, 3, 6, 44, 46, 47), (15, 3, 6, 44, 46, 47), (1, 3, 6, 15, 31, 33, 43, 44),
    (1, 3, 6, 15, 44, 46, 47, 57), (1, 3, 15, 6, 44, 46, 47), (1, 15, 3, 44, 46, 47),
)  # fmt: skip
_is_dhcpcd = _begins((1, 121, 33, 3, 6), (1, 33, 3, 6), (1, 3, 6, 12, 15, 26, 28, 33), (1, 3, 6, 28, 33))
_is_printer = _begins(
    (6, 3, 1, 15, 66, 67), (1, 3, 44, 6, 7, 12, 15, 22), (3, 44, 6, 7, 12), (1, 3, 7, 44, 51)
)
_is_networkmanager = _begins((1, 2, 6, 12, 15, 26, 28, 121), (1, 2, 3, 6, 12, 15, 26, 28))

# The first that fits.
_FAMILIES: tuple[tuple[str, _Fits, str], ...] = (
    ("options.esp", _begins((1, 3, 28, 6, 15, 44)), "the ESP8266's lwIP does"),
    ("options.lwip", _is_lwip, "lwIP does, on microcontrollers"),
    ("options.windows", _is_windows, "Windows does"),
    ("options.macos", _is_macos, "Macs do"),
    ("options.apple", _is_apple, "iPhones, iPads, Apple TVs and HomePods do"),
    ("options.networkmanager", _is_networkmanager, "NetworkManager does, on Linux desktops"),
    (
        "options.dhclient",
        _begins((1, 28, 2), (28, 2, 3), (1, 28, 3, 15, 6, 12)),
        "ISC's dhclient does, on Linux and BSD",
    ),
    ("options.telephone", _is_telephone, "desk telephones do"),
    ("options.android", _begins((1, 3, 6, 15, 26, 28, 51, 58, 59)), "Android does"),
    ("options.dhcpcd-android", _is_android_dhcpcd, "Android up to 5 and Fire OS do"),
    ("options.dhcpcd", _is_dhcpcd, "dhcpcd does, on Linux and Chrome OS"),
    ("options.systemd", _begins((1, 3, 12, 15, 6)), "systemd does"),
    ("options.connman", _begins((252, 3, 42), (1, 3, 26, 252)), "TVs and hubs with ConnMan do"),
    ("options.printer", _is_printer, "network printers do"),
    ("options.busybox", _is_busybox, "BusyBox does, in small devices"),
)
_SINGLES: tuple[tuple[str, _Fits, str], ...] = (
    ("asks.few", lambda p: len(p) <= _FEW, "few options"),
    ("asks.netbios", lambda p: not _NETBIOS.isdisjoint(p), "NetBIOS's servers"),
    ("asks.search", lambda p: 119 in p, "search domains"),
    ("asks.routes", lambda p: not {33, 121, 249}.isdisjoint(p), "static routes"),
    ("asks.boot-file", lambda p: not {66, 67}.isdisjoint(p), "a boot file"),
    ("asks.lease-times", lambda p: not _LEASE.isdisjoint(p), "the times of its lease"),
    ("asks.own-name", lambda p: 12 in p, "its own host name"),
    ("asks.ancient", lambda p: not {4, 5, 7}.isdisjoint(p), "servers that hardly anything uses"),
)


def clues(params: tuple[int, ...]) -> Iterator[Clue]:
    """What the list tells; nothing if there is none."""
    if not params:
        return
    for feature, fits, who in _FAMILIES:
        if fits(params):
            yield Clue(feature, f"asks for DHCP options as {who}")
            return
    for feature, fits, what in _SINGLES:
        if fits(params):
            yield Clue(feature, f"asks DHCP for {what}")
    if len(params) > 1 and _ascends(params):
        yield Clue("asks.ascending", "asks for DHCP options in ascending order")


def _ascends(params: _List) -> bool:
    return all(earlier < later for earlier, later in pairwise(params))
