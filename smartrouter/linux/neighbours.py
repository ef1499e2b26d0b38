# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's neighbour table (ARP and NDP): which MAC answers for which address, on which interface, and
which addresses nobody answers for any more.

Messages in, values out; who gets them is `rtnetlink`'s business. Knows nothing of devices. States are those
of <linux/neighbour.h>, NUD_*; how they change is in the kernel's net/core/neighbour.c.
"""

import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from smartrouter.linux.links import Links

_STALE = 0x04
_VALID = 0x02 | _STALE | 0x08 | 0x10 | 0x80  # REACHABLE, DELAY, PROBE, PERMANENT: the MAC is, or was, right
_FAILED = 0x20
_MOST = 8192  # entries whose MACs are remembered
_TICK = os.sysconf("SC_CLK_TCK")


class Neighbour(NamedTuple):
    """`at`: epoch seconds at which the kernel last heard of it."""

    mac: str
    address: str
    interface: str
    at: float


class NeighbourLost(NamedTuple):
    """Nobody answers for the address (`failed`); or the kernel only forgot it, to make room or because the
    interface went down, and does not know."""

    address: str
    interface: str
    failed: bool


class Neighbours:
    """What messages on IPv4 and IPv6 neighbours say, one after the other.

    An entry becomes stale when somebody is heard who was unknown, and also when somebody known was *not*
    heard for a while: who was known before tells the two apart.
    """

    def __init__(self, links: Links):
        self._links = links
        self._known: OrderedDict[tuple[int, str], str] = OrderedDict()  # interface and address -> MAC

    def take(self, message: Mapping[str, Any], now: float) -> Neighbour | NeighbourLost | None:
        """None if it says nothing of use. `now`: epoch seconds."""
        attributes = dict(message["attrs"])
        number, state, address = message["ifindex"], message["state"], attributes.get("NDA_DST")
        interface = self._links.name(number)
        if not address or not interface:
            return None
        if message["event"] == "RTM_DELNEIGH" or state & _FAILED:
            self._known.pop((number, address), None)
            return NeighbourLost(address, interface, bool(state & _FAILED))
        mac = attributes.get("NDA_LLADDR", "").lower()
        if not state & _VALID or not _is_a_device(mac):
            self._known.pop((number, address), None)
            return None
        before = self._known.get((number, address))
        self._remember(number, address, mac)
        times = attributes.get("NDA_CACHEINFO") or {}
        idle = times.get("ndm_confirmed", 0)
        if state & _STALE and before != mac:
            idle = min(idle, times.get("ndm_updated", 0))
        return Neighbour(mac, address, interface, now - idle / _TICK)

    def take_all(
        self, messages: Iterable[Mapping[str, Any]], now: float
    ) -> Iterator[Neighbour | NeighbourLost]:
        """The same of everything that there is: what is not mentioned is forgotten."""
        there = set()
        for message in messages:
            value = self.take(message, now)
            if value is not None:
                there.add((message["ifindex"], value.address))
                yield value
        for key in self._known.keys() - there:
            del self._known[key]

    def _remember(self, number: int, address: str, mac: str) -> None:
        self._known[number, address] = mac
        self._known.move_to_end((number, address))
        if len(self._known) > _MOST:
            self._known.popitem(last=False)


def _is_a_device(mac: str) -> bool:
    """Not a group address, not the null one that NOARP interfaces show."""
    return len(mac) == 17 and not int(mac[:2], 16) & 1 and mac != "00:00:00:00:00:00"
