# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's plan: which networks there are, and who has which address and MAC on them. Values only.

The Internet has the documentation ranges and the public resolvers' addresses; nobody outside the lab's
namespaces is ever sent anything.
"""

from typing import NamedTuple


class Lan(NamedTuple):
    """One of the router's bridges: its MAC and, with the prefix length, its addresses there."""

    bridge: str
    mac: str
    ipv4: str
    ipv6: str

    @property
    def router4(self) -> str:
        return self.ipv4.partition("/")[0]

    @property
    def router6(self) -> str:
        return self.ipv6.partition("/")[0]


class End(NamedTuple):
    """One end of the wire between the router and the Internet."""

    mac: str
    ipv4: str
    ipv6: str


class Way(NamedTuple):
    """Where a frame goes: MACs of the two ends of this wire, addresses of the two ends of the journey."""

    mac: str
    next_mac: str
    source: str
    destination: str

    @property
    def version(self) -> int:
        return 6 if ":" in self.destination else 4


HOME = Lan("br-lan", "02:77:00:00:01:01", "192.168.77.1/24", "fd77::1/64")
IOT = Lan("br-iot", "02:77:00:00:02:01", "192.168.78.1/24", "fd78::1/64")

# RFC 6598: the addresses that a provider gives its customers.
WAN_ROUTER = End("02:77:00:00:00:02", "100.64.77.2", "fd64::2")
WAN_INTERNET = End("02:77:00:00:00:01", "100.64.77.1", "fd64::1")
WAN_PREFIX4, WAN_PREFIX6 = 30, 64

NETWORKS4 = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")  # RFC 5737
NETWORK6 = "2001:db8::/32"  # RFC 3849
RESOLVER4, RESOLVER6 = "192.0.2.53", "2001:db8:53::53"
RESOLVERS = (
    RESOLVER4, RESOLVER6, "8.8.8.8", "1.1.1.1", "9.9.9.9", "2001:4860:4860::8888", "2606:4700:4700::1111",
)  # fmt: skip
