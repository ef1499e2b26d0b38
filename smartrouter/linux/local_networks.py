# SPDX-License-Identifier: GPL-2.0-or-later
"""Which addresses live on the local interfaces, by the kernel's routes: those of the network namespace of the
thread that reads them. Standard library only.
"""

import sys
from collections.abc import Collection

_ROUTES4, _ROUTES6 = "/proc/thread-self/net/route", "/proc/thread-self/net/ipv6_route"
_LARGEST = 1 << 20  # characters that are read
_ORDER = -1 if sys.byteorder == "little" else 1
_UP, _GATEWAY = 0x1, 0x2  # RTF_UP, RTF_GATEWAY (linux/route.h)
_OWN = "lo"  # carries the routes to this host's own IPv6 addresses
_REMEMBERED = 4096  # addresses


class LocalNetworks:
    """What is on `interfaces`, the router itself included, as the routes were when this was made."""

    def __init__(self, interfaces: Collection[str], routes4: str = _ROUTES4, routes6: str = _ROUTES6):
        self._networks = [*_networks4(interfaces, routes4), *_networks6({*interfaces, _OWN}, routes6)]
        self._known: dict[bytes, bool] = {}

    def __contains__(self, address: bytes) -> bool:
        """Does this packed address live here, or nowhere: is it no single host's?"""
        known = self._known.get(address)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[address] = self._is_local(address)
        return known

    def _is_local(self, address: bytes) -> bool:
        if address[0] == 0xFF or (len(address) == 4 and (address[0] >= 224 or address[0] == 127)):
            return True  # multicast, broadcast, loopback
        number = int.from_bytes(address, "big")
        return any(number & mask == network for size, network, mask in self._networks if size == len(address))


def _networks4(interfaces: Collection[str], routes: str) -> list[tuple[int, int, int]]:
    found = []
    for fields in _lines(routes):
        match fields:
            case [interface, network, _, flags, _, _, _, mask, *_] if interface in interfaces:
                if int(flags, 16) & (_UP | _GATEWAY) == _UP and mask.strip("0"):
                    # Written as numbers in the machine's own byte order.
                    parts = [bytes.fromhex(each)[::_ORDER] for each in (network, mask)]
                    found.append((4, int.from_bytes(parts[0], "big"), int.from_bytes(parts[1], "big")))
    return found


def _networks6(interfaces: Collection[str], routes: str) -> list[tuple[int, int, int]]:
    found = []
    for fields in _lines(routes):
        match fields:
            case [network, bits, _, _, _, _, _, _, flags, interface] if interface in interfaces:
                length = int(bits, 16)
                if int(flags, 16) & (_UP | _GATEWAY) == _UP and length:
                    found.append((16, int(network, 16), (1 << 128) - (1 << 128 - length)))
    return found


def _lines(path: str) -> list[list[str]]:
    try:
        with open(path) as file:
            return [line.split() for line in file.read(_LARGEST).splitlines()]
    except OSError:
        return []
