# SPDX-License-Identifier: GPL-2.0-or-later
"""What connections in a capture carry: summed as a router's kernel would count it, and told as the guard
tells it, once a minute.

Of the connections whose beginning was seen, by the lengths that packets say they have, however much of each
was captured. Bounded; decides nothing.
"""

from collections import OrderedDict
from typing import TypeAlias

from smartrouter.core.events import Carried, Transfer
from smartrouter.wire.packet import Packet

EVERY = 60.0  # seconds
MAX_FLOWS = 65_536  # connections; the oldest goes
_IPV6_HEADER = 40  # bytes, which its length leaves out

_Flow: TypeAlias = tuple[str, int, str, int, int]


class Carriage:
    """See the module. `now` is seconds of the capture's clock."""

    def __init__(self) -> None:
        self._flows: OrderedDict[_Flow, str] = OrderedDict()  # and whose they are
        self._sums: dict[tuple[str, str, int, int], list[int]] = {}
        self._told: float | None = None

    def opened(self, mac: str, packet: Packet) -> None:
        """`packet` of `mac` begins a connection to the outside."""
        flow = (
            packet.source,
            packet.source_port,
            packet.destination,
            packet.destination_port,
            packet.protocol,
        )
        if flow in self._flows:
            return
        self._flows[flow] = mac
        if len(self._flows) > MAX_FLOWS:
            self._flows.popitem(last=False)
        self._sum(mac, packet.destination, packet.protocol, packet.destination_port)[4] += 1

    def passed(self, packet: Packet, data: bytes) -> None:
        """A packet, whosever; `data`: it, from the IP header on."""
        _, source, destination, protocol, source_port, port, *_ = packet
        mac = self._flows.get((source, source_port, destination, port, protocol))
        if mac is not None:
            sums = self._sum(mac, destination, protocol, port)
            sums[0] += _size(packet.version, data)
            sums[2] += 1
            return
        mac = self._flows.get((destination, port, source, source_port, protocol))
        if mac is not None:
            sums = self._sum(mac, source, protocol, source_port)
            sums[1] += _size(packet.version, data)
            sums[3] += 1

    def due(self, now: float) -> Carried | None:
        """What is to be told now, if it is time."""
        if self._told is None:
            self._told = now
        return self.all(now) if now - self._told >= EVERY else None

    def all(self, now: float) -> Carried:
        """All that was not told yet."""
        self._told = now
        sums, self._sums = self._sums, {}
        return Carried(tuple(Transfer(*place, False, *figures) for place, figures in sums.items()))

    def _sum(self, mac: str, address: str, protocol: int, port: int) -> list[int]:
        place = mac, address, protocol, port
        sums = self._sums.get(place)
        if sums is None:
            sums = self._sums[place] = [0, 0, 0, 0, 0]
        return sums


def _size(version: int, data: bytes) -> int:
    """The bytes of a packet by its own word; of one that was put together after it came, by what is there."""
    said = int.from_bytes(data[2:4] if version == 4 else data[4:6], "big")
    return said + (_IPV6_HEADER if version == 6 else 0) if said else len(data)
