# SPDX-License-Identifier: GPL-2.0-or-later
"""Which packets are a new attempt, and which only repeat or go on with one.

TCP: a SYN is new once for each 5-tuple and sequence number; whatever repeats these is a retransmission
(RFC 9293 section 3.8.1: it carries the same sequence number), however late it comes. Anything else has no
such number: a 5-tuple is new again after 300 seconds of silence, as long as UDP mappings live in
well-behaved NATs (RFC 4787 section 4.3).

Memory is bounded by two generations: when the young one is full it becomes the old one, and the old one
goes. So the latest `capacity` flows are always remembered, at most twice as many are, and forgetting costs
nothing per packet. A flow that was forgotten counts as new: more is recorded, nothing is missed.

Knows nothing of names, devices or verdicts.
"""

from collections.abc import Collection

from smartrouter.core.events import TCP

SILENCE = 300.0  # seconds after which a flow without sequence numbers is a new attempt
CAPACITY = 8192  # about 1.3 MB when both generations are full; a home opens so many in half an hour
BITS = (1 << 60) - 1  # those of a hash that are kept: Python stores them in two thirds of the memory of all
_ANY = 0.0  # for TCP it does not matter when


class Flows:
    """See the module. `capacity`: flows that are remembered in any case."""

    __slots__ = ("_capacity", "_old", "_young")

    def __init__(self, capacity: int = CAPACITY):
        self._capacity = capacity
        self._young: dict[int, float] = {}  # flow -> when its last packet came
        self._old: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def is_new(
        self,
        mac: str,
        source: str,
        source_port: int,
        destination: str,
        destination_port: int,
        protocol: int,
        sequence: int,
        running: float,
    ) -> bool:
        """Is this packet, seen at `running` seconds, a new attempt?

        `sequence` is TCP's; 0 for any other protocol, as ports are where a protocol has none.
        """
        flow = (mac, source, destination, protocol, source_port, destination_port, sequence)
        return self.begins(flow, running)

    def begins(self, packet: tuple[object, ...], running: float) -> bool:
        """The same for the first seven fields of a `FlowOpened`."""
        mac, source, destination, protocol, source_port, destination_port, sequence = packet
        sort = sort_of(mac, source, destination, protocol, destination_port)
        flow = hash((sort, source_port, sequence)) & BITS
        last = self._young.get(flow)
        if last is None:
            last = self._old.pop(flow, None)
            if len(self._young) >= self._capacity:
                self._old, self._young = self._young, {}
        self._young[flow] = _ANY if protocol == TCP else running
        return last is None or (protocol != TCP and running - last >= SILENCE)

    def seen(self, flows: Collection[int], running: float) -> list[float | None]:
        """Notes packets of these flows, each hash((sort, source port, sequence)) & BITS with the sort of
        `sort_of`; gives when the packet before each was noted, None if there was none; or nothing at all, if
        there was none before any of them. Of TCP the time says nothing."""
        young, old, capacity = self._young, self._old, self._capacity
        found: list[float | None] = []
        if (
            len(young) + len(flows) <= capacity
            and young.keys().isdisjoint(flows)
            and old.keys().isdisjoint(flows)
            and len(new := dict.fromkeys(flows, running)) == len(flows)
        ):
            young.update(new)
            return found
        for flow in flows:
            last = young.get(flow)
            if last is None:
                last = old.pop(flow, None)
                if len(young) >= capacity:
                    old, young = self._old, self._young = young, {}
            young[flow] = running
            found.append(last)
        return found


def sort_of(mac: object, source: object, destination: object, protocol: object, port: object) -> int:
    """What packets have in common that differ in their source port and sequence number at most, as a number.
    It takes a quarter of what the tuple would. It is 60 bits wide, and keyed by the process through the
    texts, so that nobody can choose two that look alike."""
    return hash((mac, source, destination, protocol, port)) & BITS
