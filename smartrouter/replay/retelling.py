# SPDX-License-Identifier: GPL-2.0-or-later
"""The second pass over a capture: tells the judge what happened, and counts what it says.

The events are those that the guard would have made of the same packets; only what the judge says is
counted as an alert, nothing is decided here.
"""

from collections import OrderedDict
from collections.abc import Mapping
from math import inf

from smartrouter.core.effects import Effect, Evidence, Raise, Record
from smartrouter.core.errors import BadPacket
from smartrouter.core.events import (
    TCP,
    UDP,
    DnsAnswered,
    DnsAsked,
    Event,
    FlowOpened,
    Moment,
    Query,
    Reply,
    Scope,
    Tick,
)
from smartrouter.core.flows import Flows
from smartrouter.core.judge import Judge
from smartrouter.core.policy import Settings
from smartrouter.replay.captures import Captured
from smartrouter.replay.figures import DeviceFigures, Result
from smartrouter.replay.gateways import Place, place_of
from smartrouter.replay.hearing import DNS_PORT, FLOWS, Heard, hear, is_new, is_syn, query_in
from smartrouter.replay.options import Options
from smartrouter.wire.dns import parse_reply
from smartrouter.wire.dns_tcp import TcpStream
from smartrouter.wire.packet import Packet

MAX_STREAMS = 256  # DNS connections over TCP that are followed at once
_MAX_OWNERS = 65_536  # addresses whose MAC is remembered, for links that do not name the receiver


class _Streams:
    """The DNS messages in TCP segments; bounded, the longest unused connection goes first."""

    def __init__(self) -> None:
        self._streams: OrderedDict[tuple[str, int, str, int], TcpStream] = OrderedDict()

    def messages(self, packet: Packet, data: bytes) -> list[bytes]:
        """The messages that this segment completes."""
        key = (packet.source, packet.source_port, packet.destination, packet.destination_port)
        opens = bool(packet.flags & 0x02)  # SYN, with or without ACK
        stream = self._streams.get(key)
        if stream is None or opens:
            if len(self._streams) >= MAX_STREAMS:
                self._streams.popitem(last=False)
            stream = self._streams[key] = TcpStream()
        self._streams.move_to_end(key)
        return stream.feed((packet.sequence + opens) % 2**32, data[packet.payload : packet.end])


class Retelling:
    """The second pass: tells the judge what happened, and counts."""

    def __init__(self, options: Options, settings: Settings, until: Mapping[str, float], result: Result):
        self._options = options
        self._until = until
        self._result = result
        self._flows = Flows(FLOWS)
        self._streams = _Streams()
        self._owners: dict[str, str] = {}
        self._ticked = -inf
        self._moment = Moment(0.0, 0.0)
        self.judge = Judge(settings, learning_until=until, fresh_forever=True)

    def take(self, captured: Captured, running: float) -> None:
        """One packet."""
        try:
            heard = hear(captured)
        except BadPacket:
            return
        if heard is None or heard.packet is None:
            return
        self._moment = Moment(running, captured.at)
        if running - self._ticked >= 1.0:
            self._ticked = running
            self._judged(Tick())
        packet = heard.packet
        if packet.fragment:
            return
        sender = self._result.devices.get(heard.sender)
        if sender is not None:
            if not heard.receiver and len(self._owners) < _MAX_OWNERS:
                self._owners[packet.source] = heard.sender
            self._sent(heard, packet, sender)
        if packet.source_port == DNS_PORT and packet.protocol in (TCP, UDP):
            figures = self._result.devices.get(self._receiver(heard, packet))
            if figures is not None:
                self._answered(heard, packet, figures)

    def finish(self) -> None:
        """Note what only the end tells."""
        for mac, figures in self._result.devices.items():
            device = self.judge.roster.devices.get(mac)
            figures.learned_destinations = len(device.learning.learned) if device is not None else 0

    def _receiver(self, heard: Heard, packet: Packet) -> str:
        return heard.receiver or self._owners.get(packet.destination, "")

    def _sent(self, heard: Heard, packet: Packet, figures: DeviceFigures) -> None:
        scope = _scope(packet.destination)
        to_dns = packet.destination_port == DNS_PORT and packet.protocol in (TCP, UDP)
        if scope is Scope.OUTSIDE and is_syn(packet):
            figures.syn_packets += 1
        if to_dns:
            self._asked(heard, packet, scope, figures)
        if place_of(packet.destination) is Place.NOBODY:
            return
        if not self._options.counts(packet):
            return
        if scope is Scope.OUTSIDE:
            if not is_new(self._flows, heard.sender, packet, self._moment.running):
                return  # nothing to a judge that remembers the flow; ours remembers fewer than this does
            figures.connections += 1
            figures.tested_connections += self._moment.running > self._until.get(heard.sender, inf)
        if not to_dns:
            self._opened(heard.sender, packet, scope, figures)
        elif scope is Scope.OUTSIDE:
            book = self.judge.roster.device(heard.sender).book
            evidence = book.evidence(packet.destination, self._moment.running)
            figures.named_connections += evidence is Evidence.DNS

    def _opened(self, mac: str, packet: Packet, scope: Scope, figures: DeviceFigures) -> None:
        event = FlowOpened(
            mac, packet.source, packet.destination, packet.protocol, packet.source_port,
            packet.destination_port, packet.sequence, scope,
        )  # fmt: skip
        for effect in self._judged(event):
            if isinstance(effect, Record) and scope is Scope.OUTSIDE:
                figures.named_connections += effect.attempt.evidence is Evidence.DNS

    def _asked(self, heard: Heard, packet: Packet, scope: Scope, figures: DeviceFigures) -> None:
        queries: list[Query | None] = [query_in(message) for message in self._messages(heard, packet)] or [
            None
        ]
        for query in queries:
            if query is not None and packet.protocol == UDP:
                figures.asked_for(query.question.name)
            self._judged(
                DnsAsked(
                    heard.sender, packet.source, packet.source_port, packet.destination, packet.protocol,
                    query, scope,
                )
            )  # fmt: skip

    def _answered(self, heard: Heard, packet: Packet, figures: DeviceFigures) -> None:
        for message in self._messages(heard, packet):
            try:
                reply = parse_reply(message)
            except BadPacket:
                continue
            figures.dns_replies += packet.protocol == UDP
            if self._options.any_resolver:
                reply = self._believed(heard, packet, reply)
            self._judged(
                DnsAnswered(
                    packet.destination, packet.destination_port, packet.source, packet.protocol, reply
                )
            )

    def _believed(self, heard: Heard, packet: Packet, reply: Reply) -> Reply:
        """Where every DNS server is believed, so is every reply that reached the device: a capture may lack
        the query, or have it to another server, if the router redirects DNS; and it may lack the TCP
        connection in which the device asked again after a reply that was cut short."""
        if len(reply.questions) == 1:
            query = Query(reply.ident, reply.questions[0])
            self._judged(
                DnsAsked(
                    self._receiver(heard, packet), packet.destination, packet.destination_port, packet.source,
                    packet.protocol, query, _scope(packet.source),
                )
            )  # fmt: skip
        return reply._replace(truncated=False)

    def _messages(self, heard: Heard, packet: Packet) -> list[bytes]:
        if packet.protocol == UDP:
            return [heard.data[packet.payload : packet.end]]
        return self._streams.messages(packet, heard.data)

    def _judged(self, event: Event) -> list[Effect]:
        effects = self.judge.handle(event, self._moment)
        for effect in effects:
            if isinstance(effect, Raise):
                self._result.raised(effect.alert)
        return effects


def _scope(address: str) -> Scope:
    return Scope.OUTSIDE if place_of(address) is Place.OUTSIDE else Scope.LAN
