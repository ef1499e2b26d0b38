# SPDX-License-Identifier: GPL-2.0-or-later
"""Who knocks: whether an address is of the LAN, on which of its interfaces, and whose MAC it has.

A neighbour beyond the WAN can send to a LAN address of ours, but gets no answer under an address of the LAN:
so the prefixes of the LAN's interfaces tell. Times are CLOCK_MONOTONIC seconds.
"""

import time
from collections.abc import Callable, Collection, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

from smartrouter.core.errors import Unavailable
from smartrouter.linux import local_addresses
from smartrouter.linux.local_addresses import Local

LOOK_AGAIN = 5.0  # seconds after which addresses are read again


class Visitor(NamedTuple):
    """`interface`: of the LAN, on which the address is; '' elsewhere. `mac`: '' where unknown. `is_us`: the
    router itself, or who came through it by ssh."""

    address: str
    interface: str
    mac: str
    is_us: bool

    @property
    def source(self) -> str:
        """What its failures are counted under: one device has many addresses, and one MAC."""
        return self.mac or self.address


class Neighbourhood:
    """The addresses around us, as of a few seconds ago."""

    def __init__(
        self,
        lan: Collection[str],
        allow_from: Collection[str],
        closed: Collection[str] = (),
        addresses: Callable[[], Sequence[Local]] = local_addresses.addresses,
        mac_of: Callable[[str, str], str] = local_addresses.mac_of,
    ):
        """`lan`: names of interfaces; `allow_from`: prefixes from which others may come; `closed`: those of
        the interfaces on which everything is a thing, so that nobody there is let in."""
        self._lan, self._closed = frozenset(lan), frozenset(closed)
        self._more = [ip_network(prefix) for prefix in allow_from]
        self._read, self._mac_of = addresses, mac_of
        self._local: Sequence[Local] = ()
        self._next = float("-inf")

    def local(self) -> Sequence[Local]:
        """All addresses of this host."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LOOK_AGAIN
            try:
                self._local = self._read()
            except Unavailable:
                pass  # those of before will do
        return self._local

    def visitor(self, client: str) -> Visitor:
        """Who has this address (as a socket names it: `%` and an interface follow a link-local one)."""
        text, _, scope = client.partition("%")
        try:
            address = _plain(ip_address(text))
        except ValueError:
            return Visitor(client, "", "", False)
        local = self.local()
        if address.is_loopback or any(each.prefix.ip == address for each in local):
            return Visitor(str(address), "", "", True)
        for each in local:
            if each.interface in self._lan and address in each.prefix.network:
                if each.link_local and scope != each.interface:
                    continue
                mac = self._mac_of(str(address), each.interface)
                return Visitor(str(address), each.interface, mac, False)
        return Visitor(str(address), "", "", False)

    def lets_in(self, client: str) -> bool:
        """May this address use the interface at all?"""
        visitor = self.visitor(client)
        if visitor.is_us or (visitor.interface and visitor.interface not in self._closed):
            return True
        try:
            address = ip_address(visitor.address)
        except ValueError:
            return False
        return any(address in network for network in self._more)


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4 address that an IPv6 socket shows as `::ffff:…`, as itself."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
