# SPDX-License-Identifier: GPL-2.0-or-later
"""The first pass over a capture: who is there, and when each began and ended. Judges nothing."""

from dataclasses import dataclass
from math import inf

from smartrouter.core.errors import BadPacket
from smartrouter.core.events import UDP
from smartrouter.core.flows import Flows
from smartrouter.replay.captures import Captured
from smartrouter.replay.gateways import MAX_MACS, Gateways, Place, is_station, place_of
from smartrouter.replay.hearing import (
    DHCP_PORTS,
    DHCP_SERVER_PORT,
    DNS_PORT,
    FLOWS,
    hear,
    is_attempt,
    is_new,
    query_in,
)
from smartrouter.replay.options import NEVER, Learn, Options
from smartrouter.wire.packet import Packet

_SET_BACK = 60.0  # seconds; packets out of order are closer together than this, clocks that were set are not


class Clock:
    """Capture time as a clock that never goes back: it waits where packets are a little out of order, and
    goes on from where it stood where the capturing host's clock was set back."""

    def __init__(self) -> None:
        self._running = -inf
        self._ahead = 0.0

    def at(self, wall: float) -> float:
        """The running time at which a packet of time `wall` (epoch seconds) was captured."""
        running = wall + self._ahead
        if running < self._running - _SET_BACK:
            self._ahead = self._running - wall
        self._running = max(self._running, running)
        return self._running


@dataclass(slots=True)
class _Span:
    """Running times of one MAC: of its first DNS query or connection, and of its first and its last
    connection that counts."""

    begun: float = inf
    first: float = inf
    last: float = -inf

    def learning_until(self, learn: Learn) -> float:
        if learn == NEVER:
            return -inf
        if learn.share is None:
            return self.begun + learn.seconds
        return self.first + learn.share * (self.last - self.first) if self.last >= self.first else inf


class Survey:
    """The first pass: who is there, and when each began and ended."""

    def __init__(self, options: Options):
        self._options = options
        self._flows = Flows(FLOWS)
        self.packets = 0
        self.mangled = 0
        self.gateways = Gateways()
        self.spans: dict[str, _Span] = {}

    def take(self, captured: Captured, running: float) -> None:
        """One packet."""
        self.packets += 1
        try:
            heard = hear(captured)
        except BadPacket:
            self.mangled += 1
            return
        if heard is None:
            return
        packet = heard.packet
        if packet is None:
            if heard.claim:
                self.gateways.claimed(heard.sender, heard.claim)
            return
        self.gateways.passed(
            heard.sender, heard.receiver, packet.source, packet.destination, capturing=heard.capturing
        )
        if packet.protocol == UDP and {packet.source_port, packet.destination_port} == DHCP_PORTS:
            self.gateways.spoke_dhcp(heard.sender, as_server=packet.source_port == DHCP_SERVER_PORT)
        elif packet.protocol == UDP and packet.destination_port == DNS_PORT:
            if query_in(heard.data[packet.payload : packet.end]) is not None:
                self.gateways.asked(heard.sender, packet.source)
                self._began(heard.sender, running)
        elif is_attempt(packet) and place_of(packet.destination) is Place.OUTSIDE:
            self._opened(heard.sender, packet, running)

    def end(self) -> None:
        """There are no more packets: what was needed for counting alone can go."""
        self._flows = Flows(FLOWS)

    def _opened(self, mac: str, packet: Packet, running: float) -> None:
        span = self._began(mac, running)
        if span is not None and is_new(self._flows, mac, packet, running) and self._options.counts(packet):
            span.first = min(span.first, running)
            span.last = running

    def _began(self, mac: str, running: float) -> _Span | None:
        span = self.spans.get(mac)
        if span is None:
            if len(self.spans) >= MAX_MACS or not is_station(mac):
                return None
            span = self.spans[mac] = _Span(begun=running)
        return span
