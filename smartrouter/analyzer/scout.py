# SPDX-License-Identifier: GPL-2.0-or-later
"""Looks around on the local network: the kernel's neighbour table and dnsmasq's leases, brought together.

The doing half of `discovery` and `claims`, which decide. Knows neither the store nor the guard.
"""

import time
from collections.abc import Collection, Iterable

from smartrouter.analyzer.claims import Claim, Claims
from smartrouter.analyzer.discovery import Found, Inventory, Network
from smartrouter.linux.leases import LeaseFiles
from smartrouter.linux.neighbours import Neighbour, Neighbours
from smartrouter.makers import Makers

WHOLE_TABLE_EVERY = 60.0  # seconds; events say what changes, the table what merely goes on


class Scout:
    """See the module. `look` often, and whenever `fileno` is readable."""

    def __init__(self, makers: Makers, leases: LeaseFiles):
        self._leases = leases
        self._neighbours = Neighbours()
        self._inventory = Inventory(Network(frozenset(), frozenset()), makers.of)
        self._claims = Claims()
        self._next_table = 0.0

    def fileno(self) -> int:
        """Readable when a neighbour came or changed."""
        return self._neighbours.fileno()

    def go(self, lan: Collection[str], iot: Collection[str]) -> None:
        """Look at these interfaces from now on; on those of `iot` every device is watched."""
        self._inventory.network = Network(frozenset(lan), frozenset(iot))
        self._next_table = 0.0
        self._leases.forget()

    def remember(self, hostnames: Iterable[tuple[str, str]]) -> None:
        """Host names by MAC, that an earlier run has found."""
        self._inventory.restore(hostnames)

    def look(self) -> list[Found]:
        """The devices that are new, or of which something changed. Raises Unavailable."""
        inventory, now = self._inventory, time.monotonic()
        if now >= self._next_table:
            self._next_table = now + WHOLE_TABLE_EVERY
            inventory.network = inventory.network._replace(own=self._neighbours.own_macs())
            self._heard(self._neighbours.table())
        self._heard(self._neighbours.events())
        if leases := self._leases.news():
            inventory.network = inventory.network._replace(prefixes=tuple(self._neighbours.prefixes()))
            inventory.leased(leases)
        return inventory.news()

    def claims(self) -> list[Claim]:
        """Who answers for which address, as far as `look` saw that it is new or has changed."""
        return self._claims.news()

    def status(self) -> dict[str, object]:
        """How many devices are known to be there, and which lease files are read."""
        found = [str(path) for path in self._leases.found()]
        return {"devices": len(self._inventory.everything()), "leases": found}

    def _heard(self, neighbours: Iterable[Neighbour]) -> None:
        local = [neighbour for neighbour in neighbours if self._inventory.network.holds(neighbour)]
        self._inventory.heard(local)
        self._claims.heard(local)

    def close(self) -> None:
        """Let go of the sockets."""
        self._neighbours.close()
