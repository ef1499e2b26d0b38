# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections of which the first data is looked at, for the name of the server in it.

Of a TCP connection the kernel hands over what the client sends once it was told to (`Inspect`), until it is
told that it need not (`Release`, `Cut`). Of QUIC it hands over every datagram that way until the server has
answered. Here the pieces come together until they hold a name; who said what about the packets in between is
the bench's to count. Knows no queue and no mark.
"""

import time
from collections import OrderedDict
from threading import Lock

from smartrouter.core.effects import Cut, Flow, Inspect, Release, Verdict
from smartrouter.core.events import HelloHeard
from smartrouter.guard.bench import Bench
from smartrouter.guard.exhibits import Seen
from smartrouter.wire.packet import Packet
from smartrouter.wire.server_name import FirstData

MAX_INSPECTIONS = 256  # at once: what the kernel's set of them holds
MAX_PACKETS = 2  # of its first data that are kept, in case of an alert: what the largest hellos take
PATIENCE = 29.0  # seconds for a client to say its first words: less than the kernel and the judge have


class Inspection:
    """One such connection. `verdict`: None until its first data was judged; `packets`: what that came in."""

    __slots__ = ("_data", "_heard", "flow", "held", "mac", "packets", "until", "verdict")

    def __init__(self, inspect: Inspect, mac: str, first: Packet, until: float):
        self.flow = inspect.flow
        self.held = inspect.held
        self.mac = mac
        self.until = until
        self.restart(first)

    def restart(self, first: Packet) -> None:
        """It begins with this packet: what was heard before, if anything, belonged to another one."""
        self.verdict: Verdict | None = None
        self._heard: HelloHeard | None = None
        self._data = FirstData(first)
        self.packets: tuple[Seen, ...] = ()

    def hear(self, packet: Packet, payload: bytes) -> HelloHeard | None:
        """Take a packet of it; gives what is to be judged, once there is something, and from then on. Data
        in which nobody can read a name is something, too."""
        if self._heard is None:
            if len(self.packets) < MAX_PACKETS:
                self.packets += (Seen(time.time(), payload),)
            said = self._data.feed(packet, payload)
            if said is not None:
                self._heard = HelloHeard(self.mac, *self.flow, said.name, said.encrypted)
        return self._heard


class Inspections:
    """All of them, a bounded number. Several threads may use them: who does holds `lock`."""

    def __init__(self, bench: Bench):
        self._bench = bench
        self.lock = Lock()
        self.open: OrderedDict[Flow, Inspection] = OrderedDict()  # the one that began last is last

    def of(self, packet: Packet) -> Inspection | None:
        """The one that this packet belongs to."""
        flow = Flow(
            packet.source, packet.source_port, packet.destination, packet.destination_port, packet.protocol
        )
        return self.open.get(flow)

    def begin(self, inspect: Inspect, mac: str, first: Packet, running: float) -> Inspection | None:
        """Look at this connection, from its first packet on; None if the kernel would not have it."""
        self.open.pop(inspect.flow, None)
        if len(self.open) >= MAX_INSPECTIONS:
            self._end(self.open.popitem(last=False)[1])
        if not self._bench.carry_out([inspect]):
            return None
        inspection = self.open[inspect.flow] = Inspection(inspect, mac, first, running + PATIENCE)
        return inspection

    def expire(self, running: float) -> None:
        """Look no longer at those that began too long ago."""
        while self.open:
            first = next(iter(self.open.values()))
            if first.until > running:
                return
            del self.open[first.flow]
            self._end(first)

    def _end(self, inspection: Inspection) -> None:
        """One that was judged is at its end anyway; of one that was held nothing may go on unjudged."""
        if inspection.verdict is None:
            flow = inspection.flow
            self._bench.carry_out([Cut(flow) if inspection.held else Release(flow)])
