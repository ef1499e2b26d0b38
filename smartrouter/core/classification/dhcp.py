# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device's DHCP client says of itself in its vendor class (option 60) and user class (option 77).

Sources: BusyBox's udhcpc sends `udhcp` and its version, dhcpcd its version, kernel, machine and processor,
Android `android-dhcp-` and its version, Windows `MSFT` and a number (MS-DHCPE 2.2.3); the rest is from the
fingerprint collections that PacketFence 6.3.1 and Satori publish.
"""

import re
from collections.abc import Iterator, Mapping

from smartrouter.core.classification.clue import Clue, shown
from smartrouter.core.classification.hostnames import by_words

MEANINGS: Mapping[str, str] = {
    "client.android": "DHCP client of Android since 6 (`android-dhcp-…`)",
    "client.appliance": "DHCP client that names an appliance or its maker",
    "client.apple": "DHCP client of a Mac that boots from the network",
    "client.boot": "DHCP client of firmware that boots from the network, as computers' does",
    "client.console": "DHCP client of a game console",
    "client.dhcpcd": "dhcpcd up to 5, as in Android up to 5 and Fire OS, or without more",
    "client.dhcpcd-board": "dhcpcd since 6, or before 3, on an embedded processor",
    "client.dhcpcd-pc": "dhcpcd on a PC's processor",
    "client.network": "DHCP client of network equipment",
    "client.other": "DHCP client that names itself something unknown",
    "client.personal": "DHCP client that names a phone or a laptop",
    "client.telephone": "DHCP client of a desk telephone",
    "client.udhcp": "udhcp, BusyBox's client, as in small devices with Linux",
    "client.windows": "Windows' client (`MSFT 5.0`, `MSFT 98`)",
    "client.windows-unlike": "says that it is Windows' client, but asks for other options than that",
    "user.windows": "a user class of Microsoft's",
}

# How a vendor class begins, the most telling first; and whose client it then is.
_BEGINNINGS = tuple(
    (feature, re.compile("|".join(beginnings), re.IGNORECASE), whose)
    for feature, whose, beginnings in (
        ("client.console", "a game console's", (r"(?:msft 5\.0 )?xbox", r"ps[345]?\b", r"nintendo", r"wii")),
        ("client.windows", "Windows'", (r"msft", r"microsoft windows", r"ms-?uc")),
        ("client.android", "Android's", (r"android-dhcp",)),
        ("client.udhcp", "BusyBox, as in small devices", (r"udhcp",)),
        (
            "client.dhcpcd-pc",
            "on a PC's processor",
            (
                r"dhcpcd[- ][^:]*:(?:linux|[a-z]*bsd|darwin)[^:]*:(?:x86_64|amd64|i[3-6]86)",
                r"linux \S+ (?:x86_64|i[3-6]86)",  # dhcpcd before 3
            ),
        ),
        (
            "client.dhcpcd-board",
            "on an embedded processor",
            (
                r"dhcpcd[- ](?:[6-9]|[1-9][0-9])[^:]*:linux[^:]*:(?:arm|aarch64|mips|riscv|ppc|sh4)",
                r"linux \S+ (?:arm|aarch64|mips|ppc|sh4)",
            ),
        ),
        ("client.dhcpcd", "as in Android up to 5, Fire OS and others", (r"dhcpcd",)),
        (
            "client.boot",
            "firmware or an installer that boots a computer",
            (r"pxeclient", r"[ig]pxe", r"etherboot", r"httpclient", r"anaconda", r"d-i\b"),
        ),
        ("client.personal", "a workstation's", (r"sunw\.", r"hp-ux", r"aix", r"irix")),
        ("client.apple", "a Mac that boots from the network", (r"aaplbsdpc", r"bsdp")),
        (
            "client.telephone",
            "a desk telephone's",
            (
                r"cisco systems, inc\. ip phone", r"ciscoip", r"(?:cisco|linksys) spa", r"polycom",
                r"yealink", r"snom", r"aastra", r"mitel", r"ccp\.", r"avaya", r"alcatel", r"3com-phone",
                r"grandstream", r"htek", r"gigaset", r"fanvil", r"sip", r"voip", r"nortel",
            ),
        ),
        (
            "client.network",
            "network equipment's",
            (
                r"cisco", r"aruba", r"airespace", r"meraki", r"ubnt", r"ubiquiti", r"unifi", r"ruckus",
                r"aerohive", r"trapeze", r"hp .*(?:switch|procurve)", r"procurve", r"docsis",
                r"dslforum", r"mikrotik", r"juniper", r"extreme", r"fortinet", r"openwrt", r"lede",
                r"zyxel", r"s24ap", r"enterasys", r"ericsson",
            ),
        ),
        (
            "client.appliance",
            "a small system's",
            (
                r"lwip", r"esp-idf", r"threadx", r"netx", r"nucleus", r"vxworks", r"freertos",
                r"zephyr", r"contiki", r"microchip", r"gainspan", r"wiced", r"ecos", r"wiznet",
            ),
        ),
        (
            "client.appliance",
            "a printer's",
            (
                r"hewlett-packard", r"hp (?:laser|office|desk|jet)", r"lexmark", r"xerox", r"kyocera",
                r"brother", r"canon", r"epson", r"ricoh", r"konica", r"mfg=",
            ),
        ),
    )
)  # fmt: skip
_BY_WORDS = {
    "name.appliance": "client.appliance",
    "name.computer": "client.personal",
    "name.console": "client.console",
    "name.module": "client.appliance",
    "name.network": "client.network",
    "name.personal": "client.personal",
    "name.product": "client.appliance",
    "name.telephone": "client.telephone",
}
_WHOSE = {
    "client.appliance": "an appliance's",
    "client.console": "a game console's",
    "client.network": "network equipment's",
    "client.personal": "a phone's or a computer's",
    "client.telephone": "a desk telephone's",
}


def clues(vendor_class: str, user_class: str) -> Iterator[Clue]:
    """What the two classes tell; either may be ''."""
    if vendor_class:
        yield _client(vendor_class)
    if re.match(r"(?i)microsoft|msft|rras\.", user_class):
        yield Clue("user.windows", f"its DHCP user class {shown(user_class)} is Microsoft's")


def _client(vendor_class: str) -> Clue:
    for feature, beginning, whose in _BEGINNINGS:
        if beginning.match(vendor_class):
            return Clue(feature, f"DHCP client {shown(vendor_class)}: {whose}")
    feature = _BY_WORDS.get(by_words(vendor_class), "client.other")
    whose = _WHOSE.get(feature, "not a known one")
    return Clue(feature, f"DHCP client {shown(vendor_class)}: {whose}")
