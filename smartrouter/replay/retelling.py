# SPDX-License-Identifier: GPL-2.0-or-later
"""The second pass over a capture: tells the judge what happened, and counts what it says.

The events are those that the guard would have made of the same packets; only what the judge says is
counted as an alert, nothing is decided here.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from math import inf
from typing import TypeAlias

from smartrouter.core.detection.scans import HOLD
from smartrouter.core.effects import Effect, Evidence, Flow, Inspect, Label, Raise, Record, Withdraw
from smartrouter.core.errors import BadPacket
from smartrouter.core.events import (
    TCP,
    UDP,
    AddressClaimed,
    DeviceSeen,
    DnsAnswered,
    DnsAsked,
    Event,
    FlowOpened,
    HelloHeard,
    Moment,
    Query,
    Reply,
    Scope,
    Tick,
)
from smartrouter.core.flows import Flows
from smartrouter.core.hellos import AWAITED_FOR
from smartrouter.core.judge import Judge
from smartrouter.core.learning import Progress, Seen, State
from smartrouter.core.policy import Settings
from smartrouter.makers import Makers
from smartrouter.replay.captures import Captured
from smartrouter.replay.carriage import Carriage
from smartrouter.replay.figures import DeviceFigures, Result
from smartrouter.replay.gateways import Place, place_of
from smartrouter.replay.hearing import DNS_PORT, FLOWS, Heard, hear, is_new, is_portless, is_syn, query_in
from smartrouter.replay.options import NEVER, Options
from smartrouter.replay.portraits import Portraits
from smartrouter.wire.dns import parse_reply
from smartrouter.wire.dns_tcp import TcpStream
from smartrouter.wire.ntp import NTP_PORT, asks_time
from smartrouter.wire.packet import Packet
from smartrouter.wire.sequence import first_byte
from smartrouter.wire.server_name import FirstData, ServerName

MAX_STREAMS = 256  # DNS connections over TCP that are followed at once
MAX_HELLOS = 1024  # connections whose first data is waited for
_MAX_OWNERS = 65_536  # addresses whose MAC is remembered, for links that do not name the receiver


Observer: TypeAlias = Callable[[Event, list[Effect], Moment], None]


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
        return stream.feed(first_byte(packet), data[packet.payload : packet.end])


class _Hellos:
    """The first data of the connections that the judge wants to be inspected; bounded, the oldest goes."""

    def __init__(self) -> None:
        self._streams: OrderedDict[Flow, tuple[FirstData, float]] = OrderedDict()

    def inspect(self, flow: Flow, first: Packet, running: float) -> None:
        """The judge wants it from this packet on, for as long as it remembers."""
        self._streams[flow] = FirstData(first), running + AWAITED_FOR
        if len(self._streams) > MAX_HELLOS:
            self._streams.popitem(last=False)

    def heard(self, packet: Packet, data: bytes, running: float) -> ServerName | None:
        """The server name, if this packet is of such a connection and completes it; of what is no hello, none
        is the name."""
        flow = Flow(
            packet.source, packet.source_port, packet.destination, packet.destination_port, packet.protocol
        )
        stream, until = self._streams.get(flow, (None, 0.0))
        if stream is None:
            return None
        if running > until:
            del self._streams[flow]
            return None
        name = stream.feed(packet, data)
        if name is not None:
            del self._streams[flow]
        return name


class Retelling:
    """The second pass: tells the judge what happened, and counts. `observe` is called with every event that
    the judge was told, what it yielded, and when."""

    def __init__(
        self,
        options: Options,
        settings: Settings,
        until: Mapping[str, float],
        result: Result,
        observe: Observer | None = None,
    ):
        self._options = options
        self._observe = observe
        self._hellos = _Hellos()
        self._at_home: set[str] = set()  # MACs that were seen to use a local address
        self._until = until
        self._result = result
        self._flows = Flows(FLOWS)
        self._streams = _Streams()
        self._carriage = Carriage()
        self._owners: dict[str, str] = {}
        self._ticked = -inf
        self._moment = Moment(0.0, 0.0)
        self.judge = Judge(settings, learning_until=until, fresh_forever=True)
        makers = Makers()
        if makers.problem:
            result.warnings.append(makers.problem)
        made_by = {mac: makers.of(mac) for mac in result.devices}
        self._portraits = Portraits(made_by)
        for mac, maker in made_by.items():
            self._judged(DeviceSeen(mac, None, True, "", maker))
        self._know(options)

    def _know(self, options: Options) -> None:
        """What devices know before the capture begins, and whether they learn anything more."""
        known = dict.fromkeys(options.known, Seen(units=1, last_unit=0))
        state = State.PROTECTED if options.learn == NEVER else State.NEW
        if known or state is State.PROTECTED:
            for mac in self._result.devices:
                self.judge.restore(mac, Progress(state=state), known, (), self._moment)

    def take(self, captured: Captured, running: float) -> None:
        """One packet."""
        try:
            heard = hear(captured)
        except BadPacket:
            return
        if heard is None:
            return
        self._moment = Moment(running, captured.at)
        if running - self._ticked >= 1.0:
            self._ticked = running
            self._judged(Tick())
            if carried := self._carriage.due(running):
                self._judged(carried)
        packet = heard.packet
        if packet is None:
            if heard.claim:
                self._judged(AddressClaimed(heard.sender, heard.claim))
            return
        if packet.fragment:
            return
        sender = self._result.devices.get(heard.sender)
        if sender is not None:
            if not heard.receiver and len(self._owners) < _MAX_OWNERS:
                self._owners[packet.source] = heard.sender
            self._portraits.heard(heard, packet, running)
            self._sent(heard, packet, sender)
        if packet.source_port == DNS_PORT and packet.protocol in (TCP, UDP):
            figures = self._result.devices.get(self._receiver(heard, packet))
            if figures is not None:
                self._answered(heard, packet, figures)
        self._carriage.passed(packet, heard.data)

    def finish(self) -> None:
        """Note what only the end tells."""
        self._moment = Moment(self._moment.running + HOLD, self._moment.wall + HOLD)
        self._judged(self._carriage.all(self._moment.running))
        self._judged(Tick())  # what was held back until then
        self._result.judge, self._result.ended = self.judge, self._moment
        self._result.portraits, self._result.identities = self._portraits.by_mac, self._portraits.identities()
        for mac, figures in self._result.devices.items():
            device = self.judge.roster.devices.get(mac)
            figures.learned_destinations = len(device.learning.learned) if device is not None else 0

    def _receiver(self, heard: Heard, packet: Packet) -> str:
        return heard.receiver or self._owners.get(packet.destination, "")

    def _sent(self, heard: Heard, packet: Packet, figures: DeviceFigures) -> None:
        scope = _scope(packet.destination)
        to_dns = packet.destination_port == DNS_PORT and packet.protocol in (TCP, UDP)
        if place_of(packet.source) is Place.INSIDE:
            self._at_home.add(heard.sender)
        if scope is Scope.OUTSIDE and is_syn(packet):
            figures.syn_packets += 1
        if to_dns:
            self._asked(heard, packet, scope, figures)
        if place_of(packet.destination) is Place.NOBODY:
            return
        self._first_data(heard, packet)
        if not self._options.counts(packet):
            if self._options.judges_portless and is_portless(packet, heard.data):
                self._opened(heard, packet, scope, None)
            return
        if scope is Scope.OUTSIDE:
            if not is_new(self._flows, heard.sender, packet, self._moment.running):
                return  # nothing to a judge that remembers the flow; ours remembers fewer than this does
            figures.connections += 1
            figures.tested_connections += self._moment.running > self._until.get(heard.sender, inf)
        if not to_dns:
            self._opened(heard, packet, scope, figures)
        elif scope is Scope.OUTSIDE:
            book = self.judge.roster.device(heard.sender).book
            evidence = book.evidence(packet.destination, self._moment.running)
            figures.named_connections += evidence is Evidence.DNS

    def _opened(self, heard: Heard, packet: Packet, scope: Scope, figures: DeviceFigures | None) -> None:
        """A flow begins. `figures`: where it counts."""
        payload = heard.data[packet.payload : packet.end]
        to_time = packet.protocol == UDP and packet.destination_port == NTP_PORT
        event = FlowOpened(
            heard.sender, packet.source, packet.destination, packet.protocol, packet.source_port,
            packet.destination_port, packet.sequence, scope,
            spoofed=self._is_spoofed(heard.sender, packet), asks_time=to_time and asks_time(payload),
        )  # fmt: skip
        if scope is Scope.OUTSIDE:
            self._carriage.opened(heard.sender, packet)
        for effect in self._judged(event):
            if isinstance(effect, Record) and scope is Scope.OUTSIDE and figures is not None:
                figures.named_connections += effect.attempt.evidence is Evidence.DNS
                self._portraits.opened(effect.attempt, self._moment.running)
            elif isinstance(effect, Inspect):
                self._hellos.inspect(effect.flow, packet, self._moment.running)
                self._first_data(heard, packet)

    def _first_data(self, heard: Heard, packet: Packet) -> None:
        """Tell the judge, if this packet completes the first data of a connection that it wants to be
        inspected. The packet that opens a connection may do so already, as QUIC's does."""
        name = self._hellos.heard(packet, heard.data, self._moment.running)
        if name is not None:
            self._judged(
                HelloHeard(
                    heard.sender, packet.source, packet.source_port, packet.destination,
                    packet.destination_port, packet.protocol, name.name, name.encrypted,
                )
            )  # fmt: skip

    def _is_spoofed(self, mac: str, packet: Packet) -> bool:
        """Does a device that lives at a local address speak from elsewhere? Of IPv6 a capture does not say
        where addresses live."""
        return packet.version == 4 and place_of(packet.source) is Place.OUTSIDE and mac in self._at_home

    def _asked(self, heard: Heard, packet: Packet, scope: Scope, figures: DeviceFigures) -> None:
        queries: list[Query | None] = [query_in(message) for message in self._messages(heard, packet)] or [
            None
        ]
        for query in queries:
            if query is not None:
                self._portraits.named(heard.sender, query.question.name, self._moment.running)
                if packet.protocol == UDP:
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
            match effect:
                case Raise():
                    self._result.raised(effect.alert)
                case Withdraw():
                    self._result.withdrawn(effect)
                case Label():
                    self._result.labelled(effect)
        if self._observe is not None:
            self._observe(event, effects, self._moment)
        return effects


def _scope(address: str) -> Scope:
    return Scope.OUTSIDE if place_of(address) is Place.OUTSIDE else Scope.LAN
