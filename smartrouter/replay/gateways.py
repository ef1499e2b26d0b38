# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is a router and who a device, told from traffic alone.

A packet's MACs are those of one hop, its addresses those of the whole way. So a MAC that addresses from
outside stand behind belongs to a router:

* it sends packets that come *from* outside to an address of the LAN, and is handed those that go *to* the
  outside. One of the two is enough for a MAC that neither asks for an address or a name nor speaks to the
  outside itself: a device that forges a source address, or whose own access point a phone once took for
  the Internet, is no router;
* where every address is a public one (IPv6 without NAT; a campus), the router is the MAC behind which the
  most networks stand. This is asked only where the first question found nobody;
* where nothing left the LAN, the router is who hands out addresses by DHCP and asks for none;
* a MAC that sends from outside addresses only, on a LAN with private ones, is another network's, unless it
  uses this LAN's router.

A hub that routes for others is a device all the same, as is whatever asked for an address or speaks to the
outside from an address of the LAN that nobody else has. So in doubt a MAC is a device: a router among the
devices is a line too many, a device that was dropped is one that nobody watches.

An address that a MAC itself claimed by ARP, or asks for names from, is its own, wherever it comes from.
Bounded: a few addresses per MAC say as much as all of them. Knows nothing of packets or files.
"""

from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton

MAX_MACS = 8_192
_ENOUGH = 64  # addresses, and networks, that are remembered of a MAC


class Place(Enum):
    """Where an address stands, seen from a LAN."""

    OUTSIDE = "outside"
    INSIDE = "inside"  # private, link-local, unique local: another host of the LAN
    NOBODY = "nobody"  # multicast, broadcast, loopback, unspecified: no host to connect to


@lru_cache(maxsize=16_384)
def place_of(address: str) -> Place:
    """Where `address` stands, by its number alone (RFC 1112, 1918, 3927, 4193, 4291)."""
    if ":" not in address:
        return _place_of_4(inet_pton(AF_INET, address))
    packed = inet_pton(AF_INET6, address)
    if packed[:12] == _MAPPED:
        return _place_of_4(packed[12:])
    first = packed[0]
    if first == 0xFF or packed[:15] == _ZEROS:  # multicast; unspecified and loopback
        return Place.NOBODY
    inside = first in (0xFC, 0xFD) or (first == 0xFE and packed[1] >> 6 == 0b10)
    return Place.INSIDE if inside else Place.OUTSIDE


def _place_of_4(packed: bytes) -> Place:
    first, second = packed[0], packed[1]
    if first >> 4 == 0b1110 or first == 127 or packed in _NOBODY_4:
        return Place.NOBODY
    inside = first == 10 or (first, second) in _INSIDE_4 or (first == 172 and second >> 4 == 1)
    return Place.INSIDE if inside else Place.OUTSIDE


_NOBODY_4 = (bytes(4), b"\xff" * 4)  # unspecified, broadcast
_INSIDE_4 = ((192, 168), (169, 254))
_ZEROS = bytes(15)
_MAPPED = bytes(10) + b"\xff\xff"


def is_station(mac: str) -> bool:
    """Is this the MAC of one network card: not a group's, not the empty one of a loopback?"""
    return mac != "" and mac != "00:00:00:00:00:00" and mac[1] in "02468ace"


class _Seen:
    """What was seen of one MAC."""

    __slots__ = (
        "addresses",
        "asks",
        "brings",
        "capturing",
        "claims",
        "first_handed",
        "hands_to",
        "initiates",
        "inside",
        "is_leased",
        "leases",
        "networks",
        "outside",
        "sent",
        "takes",
    )  # fmt: skip

    def __init__(self) -> None:
        self.sent = False
        self.capturing = False  # a card of the host that captured
        self.addresses: set[str] = set()  # of the LAN, that it sends from
        self.claims: set[str] = set()  # outside addresses that it said by ARP to have, or asks for names from
        self.inside = False  # sends from an address of the LAN
        self.outside = False  # sends from an outside IPv4 address
        self.initiates: set[str] = set()  # IPv4 addresses of the LAN from which it sends to the outside
        self.hands_to: set[str] = set()  # MACs that it hands what it sends from outside to outside addresses
        self.asks = False  # asks for names
        self.brings: set[str] = set()  # outside IPv4 addresses whose packets it sends to the LAN's
        self.takes: set[str] = set()  # outside IPv4 addresses for which the LAN's hosts hand it packets
        self.networks: set[bytes] = set()  # outside networks behind it, whoever speaks
        self.leases = False  # hands out addresses
        self.is_leased = False  # asks for an address
        self.first_handed = 0  # when it was first handed a packet for the outside; 0: never

    def is_router(self) -> bool:
        brings, takes = bool(self.brings - self.claims), bool(self.takes - self.claims)
        return brings and takes if self.acts_as_device() else brings or takes

    def acts_as_device(self) -> bool:
        return bool(self.initiates) or self.is_leased or self.asks


class Gateways:
    """See the module. Tell it everything first, ask then."""

    def __init__(self) -> None:
        self._macs: dict[str, _Seen] = {}
        self._handed = 0

    @property
    def is_full(self) -> bool:
        """More MACs appeared than are kept apart: those that came later are left out."""
        return len(self._macs) >= MAX_MACS

    def claimed(self, mac: str, address: str) -> None:
        """`mac` said by ARP that it has `address`."""
        seen = self._seen(mac)
        if seen is None:
            return
        seen.sent = True
        place = place_of(address)
        if place is Place.INSIDE:
            seen.inside = True
            _add(seen.addresses, address)
        elif place is Place.OUTSIDE:
            _add(seen.claims, address)

    def passed(
        self, sender: str, receiver: str, source: str, destination: str, *, capturing: bool = False
    ) -> None:
        """An IP packet went from MAC `sender` to MAC `receiver` ('' if unknown). `capturing`: the sender is
        a card of the host that captured."""
        seen = self._seen(sender)
        if seen is None:
            return
        seen.sent = True
        seen.capturing |= capturing
        origin, goal = place_of(source), place_of(destination)
        four = ":" not in source
        if origin is Place.INSIDE:
            seen.inside = True
            _add(seen.addresses, source)
            if four and goal is Place.OUTSIDE:
                _add(seen.initiates, source)
        elif origin is Place.OUTSIDE and goal is not Place.NOBODY:
            seen.outside |= four
            _add_network(seen.networks, source)
            if four and goal is Place.INSIDE:
                _add(seen.brings, source)
            elif four:
                _add(seen.hands_to, receiver)
        if goal is Place.OUTSIDE:
            self._was_handed(receiver, destination, from_lan=four and origin is Place.INSIDE)

    def spoke_dhcp(self, mac: str, *, as_server: bool) -> None:
        """`mac` sent a DHCP message."""
        seen = self._seen(mac)
        if seen is not None:
            seen.sent = True
            seen.leases |= as_server
            seen.is_leased |= not as_server

    def asked(self, mac: str, address: str) -> None:
        """`mac` sent a DNS query from `address`."""
        seen = self._seen(mac)
        if seen is not None:
            seen.asks = True
            if place_of(address) is Place.OUTSIDE:
                _add(seen.claims, address)

    def _was_handed(self, receiver: str, destination: str, *, from_lan: bool) -> None:
        seen = self._seen(receiver)
        if seen is None:
            return
        if not seen.first_handed:
            self._handed += 1
            seen.first_handed = self._handed
        _add_network(seen.networks, destination)
        if from_lan:
            _add(seen.takes, destination)

    def routers(self) -> frozenset[str]:
        """The MACs behind which other networks lie."""
        found = {mac for mac, seen in self._macs.items() if seen.is_router()}
        if not found:
            return self._best_connected() or self._leasing()
        foreign = {
            mac
            for mac, seen in self._macs.items()
            if seen.outside and not seen.inside and seen.hands_to.isdisjoint(found)
        }
        if any(self._macs[mac].capturing for mac in found):
            found |= {mac for mac, seen in self._macs.items() if seen.capturing}
        return frozenset(found | foreign)

    def devices(self) -> list[str]:
        """The MACs that sent something and are no routers, or are devices as well, in the order in which
        they appeared."""
        without = self.routers()
        without -= self._own_masters(without)
        return [mac for mac, seen in self._macs.items() if seen.sent and mac not in without]

    def _own_masters(self, routers: Iterable[str]) -> frozenset[str]:
        """Those of `routers` that are devices too. Whoever only sends on what others sent does so from their
        addresses."""
        candidates = {mac: self._macs[mac] for mac in routers if not self._macs[mac].capturing}
        own = {mac: seen.initiates for mac, seen in candidates.items() if seen.initiates}
        for mac, seen in self._macs.items():
            own = {other: left if other == mac else left - seen.addresses for other, left in own.items()}
        leased = {mac for mac, seen in candidates.items() if seen.is_leased}
        return frozenset(leased | {mac for mac, left in own.items() if left})

    def addresses_of(self, macs: Iterable[str]) -> frozenset[str]:
        """Addresses of the LAN that `macs` send from; at most so many of each."""
        return frozenset(address for mac in macs for address in self._macs[mac].addresses)

    def _best_connected(self) -> frozenset[str]:
        """The MAC behind which the most networks stand; among equals, one that does not act as a device, and
        the one that was the first to be handed a packet for the outside: somebody asks before anybody
        answers."""
        ranks = {
            mac: (
                len(seen.networks - {_network_of(address) for address in seen.claims}),
                not seen.acts_as_device(),
                -seen.first_handed,
            )
            for mac, seen in self._macs.items()
            if seen.networks and seen.first_handed
        }
        return frozenset((max(ranks, key=lambda mac: ranks[mac]),)) if ranks else frozenset()

    def _leasing(self) -> frozenset[str]:
        return frozenset(mac for mac, seen in self._macs.items() if seen.leases and not seen.is_leased)

    def _seen(self, mac: str) -> _Seen | None:
        """The notes on `mac`; None if it is no single card's, or there is no room for more."""
        seen = self._macs.get(mac)
        if seen is None and not self.is_full and is_station(mac):
            seen = self._macs[mac] = _Seen()
        return seen


def _add(values: set[str], value: str) -> None:
    if len(values) < _ENOUGH:
        values.add(value)


def _add_network(networks: set[bytes], address: str) -> None:
    """Add the /24 or /64 of `address`: about what one LAN has."""
    if len(networks) < _ENOUGH:
        networks.add(_network_of(address))


def _network_of(address: str) -> bytes:
    return inet_pton(AF_INET6, address)[:8] if ":" in address else inet_pton(AF_INET, address)[:3]
