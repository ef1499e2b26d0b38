# SPDX-License-Identifier: GPL-2.0-or-later
"""Looks around on the local network: what the kernel knows of links and neighbours, and the DHCP servers'
leases, brought together.

The doing half of `discovery`, `claims`, `presence` and `ledger`, which decide. Knows neither the store nor
the guard. Everything is told by events; the whole tables are read at first, after a loss, after a link has
changed, and once a minute for what no event tells: that a device merely goes on.
"""

import time
from collections.abc import Collection, Iterable, Mapping

from smartrouter.analyzer.claims import Claim, Claims
from smartrouter.analyzer.discovery import Found, Inventory, Network, Remembered
from smartrouter.analyzer.gallery import Gallery
from smartrouter.analyzer.ledger import Ledger
from smartrouter.analyzer.presence import Presence
from smartrouter.analyzer.returns import Returns
from smartrouter.core.errors import Unavailable
from smartrouter.linux.bridges import Located
from smartrouter.linux.default_routes import gateways
from smartrouter.linux.leases import LeaseFiles
from smartrouter.linux.links import AddressChanged, LinkChanged
from smartrouter.linux.neighbours import Neighbour, NeighbourLost
from smartrouter.linux.odhcpd import Ubus
from smartrouter.linux.surroundings import Change, Surroundings
from smartrouter.makers import Makers

WHOLE_EVERY = 60.0  # seconds from one reading of the whole tables to the next
WHOLE_AGAIN = 0.1, 1.0  # seconds from one to the next where something asks for it, at least and at most,
WHOLE_SHARE = 10.0  # in between so many times as long as it took: a flood is not to keep us at it
WHOLE_RETRY = 1.0  # seconds until it is tried again if the kernel did not answer
UBUS = "ubus"  # the ledger's source beside the files


class Scout:
    """See the module. `look` when one of `filenos` is readable, and at `next_deadline`."""

    def __init__(self, makers: Makers, leases: LeaseFiles, gallery: Gallery):
        self._leases = leases
        self._ubus = Ubus()
        self._ledger = Ledger()
        self._around = Surroundings()
        self._inventory = Inventory(Network(frozenset(), frozenset()), makers.of, gallery.of)
        self._returns = Returns(self._inventory, gallery)
        self._claims = Claims()
        self._presence = Presence()
        self._gateways: frozenset[tuple[str, str]] = frozenset()
        self._upstream: frozenset[str] = frozenset()
        self._next_whole = self._soonest_whole = 0.0
        self._bridges: frozenset[str] = frozenset()  # that local interfaces are, or stand on
        self._again = False
        self._trouble = ""

    def filenos(self) -> list[int]:
        """Readable when there may be news; always the same ones."""
        found = (self._around.fileno(), self._leases.fileno(), self._ubus.fileno())
        return [number for number in found if number >= 0]

    def next_deadline(self) -> float:
        """When to `look`, if nothing happens before (CLOCK_MONOTONIC seconds)."""
        due = (self._leases.next_deadline(), self._ubus.next_deadline(), self._ledger.next_deadline())
        return min(self._next_whole, *(moment for moment in due if moment is not None))

    def go(self, lan: Collection[str], iot: Collection[str]) -> None:
        """Look at these interfaces from now on; on those of `iot` every device is watched."""
        self._inventory.network = self._inventory.network._replace(lan=frozenset(lan), iot=frozenset(iot))
        self._next_whole = 0.0
        self._again = True
        self._ubus.want()

    def remember(self, devices: Iterable[Remembered]) -> None:
        """What an earlier run has found out about devices."""
        self._inventory.restore(devices, time.time())

    def shown(self, macs: Collection[str]) -> None:
        """These have shown something of themselves."""
        self._inventory.shown(macs, time.time())

    def recognise(self, macs: Collection[str], needs: Mapping[str, frozenset[str]]) -> None:
        """See which of these, of which something changed, were here before under another MAC: news for
        the next `look`. `needs`: see `Returns.look`."""
        self._returns.look(macs, needs)

    @property
    def is_behind(self) -> bool:
        """Are there some of which `recognise` has yet to see that?"""
        return self._returns.is_behind

    def doubted(self, mac: str) -> None:
        """Something else seems to use this MAC."""
        self._inventory.doubted(mac)

    def spread(self) -> list[tuple[str, tuple[str, ...]]]:
        """The MACs that are in use on several interfaces at once, and these, since the last call."""
        return self._inventory.spread()

    def knows(self, mac: str) -> bool:
        """Was a device with this MAC found?"""
        found = self._inventory.of(mac)
        return found is not None and bool(found.interface)

    def there(self) -> list[Found]:
        """The devices that are there."""
        return [found for found in self._inventory.everything() if found.present]

    def look(self) -> list[Found]:
        """The devices that are new, or of which something changed."""
        now = time.monotonic()
        try:
            self._look_at_kernel(now)
            self._trouble = ""
        except Unavailable as error:
            self._trouble = str(error)
            self._next_whole = now + WHOLE_RETRY
        self._look_at_leases(now)
        if standings := self._presence.news():
            self._ubus.want()
        for standing in standings:
            self._inventory.stands(*standing)
        return self._inventory.news()

    def claims(self) -> list[Claim]:
        """Who answers for which address, as far as `look` saw that it is new or has changed."""
        return self._claims.news()

    def status(self) -> dict[str, object]:
        """How many devices are known, how many of them are there, and where leases are read."""
        sources = [str(path) for path in self._leases.found()] + [UBUS] * bool(self._ubus.answers)
        return {
            "devices": len(self._inventory.everything()),
            "present": self._presence.count(),
            "leases": sources,
        }

    def check(self) -> None:
        """Raises Unavailable where the last `look` could not see everything, or sees it late."""
        if trouble := self._trouble or self._leases.problem:
            raise Unavailable(trouble)

    def close(self) -> None:
        """Let go of sockets and watches."""
        self._around.close()
        self._ubus.close()

    # -- the kernel's tables ---------------------------------------------------------------------------

    def _look_at_kernel(self, now: float) -> None:
        changes, lost = self._around.changes()
        self._take(changes, now, live=True)
        if lost:
            self._read_soon()
        if now >= self._next_whole:
            self._read_whole(now)

    def _read_soon(self) -> None:
        self._next_whole = min(self._next_whole, self._soonest_whole)

    def _read_whole(self, now: float) -> None:
        links, neighbours, located = self._around.whole()
        self._take(links, now)
        self._gateways = gateways()
        known = {(n.interface, n.address): n.mac for n in neighbours if isinstance(n, Neighbour)}
        self._upstream = frozenset(known[gateway] for gateway in self._gateways & known.keys())
        self._know_network()
        self._take(located, now)
        self._take(neighbours, now)
        self._presence.pass_time(now)
        done = time.monotonic()
        least, most = WHOLE_AGAIN
        self._soonest_whole = done + min(most, max(least, WHOLE_SHARE * (done - now)))
        self._next_whole = done + WHOLE_EVERY

    def _take(self, changes: Iterable[Change], now: float, live: bool = False) -> None:
        """In order: a link's name counts from when it got it. `live`: told as it happens."""
        for change in changes:
            match change:
                case Neighbour():
                    self._heard(change, now, live)
                case NeighbourLost():
                    self._presence.lost(*change, now)
                case Located(mac, port, bridge, _, idle):
                    if bridge in self._bridges:
                        self._presence.located(mac, port, now - idle, now, live)
                case LinkChanged():
                    self._link_changed(change, now)
                case AddressChanged():
                    self._know_network()
                    self._again |= change.there  # leases of this network may have been no use before
                    self._read_soon()

    def _heard(self, neighbour: Neighbour, now: float, live: bool) -> None:
        if (neighbour.interface, neighbour.address) in self._gateways:
            self._upstream |= {neighbour.mac}
            self._know_network()
        if self._inventory.network.holds(neighbour):
            age = max(0.0, time.time() - neighbour.at)
            mac, address, interface, _ = neighbour
            if self._presence.heard(mac, address, interface, now - age, now, live):
                self._inventory.heard((neighbour,))
            self._claims.heard((neighbour,))

    def _link_changed(self, change: LinkChanged, now: float) -> None:
        before, after = change
        if before and before.up and (after is None or not after.up or after.name != before.name):
            self._presence.went_down(before.name, now)
        self._know_network()
        self._read_soon()

    def _know_network(self) -> None:
        links, network = self._around.links, self._inventory.network
        self._inventory.network = network._replace(
            own=links.own_macs() | self._upstream, prefixes=tuple(links.prefixes())
        )
        self._bridges = frozenset(links.bridge_below(name) for name in network.lan | network.iot)

    # -- leases ----------------------------------------------------------------------------------------

    def _look_at_leases(self, now: float) -> None:
        for path, leases in self._leases.changed(now).items():
            self._ledger.took(path, leases, now)
            self._ubus.want()
        answer = self._ubus.news(now)
        if answer is not None:
            self._ledger.took(UBUS, answer, now)
        if self._again:
            self._ledger.again()
            self._again = False
        given, remembered, ended = self._ledger.news(now)
        network = self._inventory.network
        for lease in given:
            if place := network.place_of(lease):
                self._presence.leased(lease.mac, lease.address, place, now)
        for lease in remembered:
            if place := network.place_of(lease):
                self._presence.remembered(lease.mac, place)
        for lease in ended:
            self._presence.released(lease.mac, lease.address, now)
        self._inventory.leased([*remembered, *given])
