# SPDX-License-Identifier: GPL-2.0-or-later
"""The handler of DNS: what is asked, and what is answered."""

from collections import OrderedDict
from typing import TypeAlias

from smartrouter.core.effects import Effect, Verdict
from smartrouter.core.errors import BadPacket
from smartrouter.core.events import TCP, UDP, DnsAnswered, DnsAsked, PacketUnreadable, Query, Scope
from smartrouter.core.policy import Reason
from smartrouter.guard.bench import Bench
from smartrouter.guard.handlers.common import NO_MAC, RST, SYN, scope_of, verdict_in
from smartrouter.linux.queue import FORWARD, LOCAL_OUT, Marks
from smartrouter.wire.dns import parse_query, parse_reply
from smartrouter.wire.dns_tcp import TcpStream
from smartrouter.wire.packet import Packet, parse_ip
from smartrouter.wire.sequence import first_byte

MAX_STREAMS = 256  # DNS connections over TCP that are followed at once
MAX_QUERY = 512  # bytes: a longer query names nothing; none that asks for a name is half as long
MAX_PARTS, MAX_PARTED = 2, 32  # segments of a reply that come before its last one; replies that have some
MAX_MESSAGES = 8  # looked at in one packet, so that nobody's packet takes a hundred times another's
_DNS_PORT = 53
_tuple = tuple.__new__  # makes a NamedTuple in half the time
_Stream: TypeAlias = tuple[str, int, str, int]


class DnsHandler:
    """Judges DNS queries, and holds replies until their names are stored."""

    def __init__(self, bench: Bench, marks: Marks):
        self._bench = bench
        self._both = marks.passing | marks.blocking
        self._passing = marks.passing
        self._todo: list[Effect] = []
        self._streams: OrderedDict[_Stream, TcpStream] = OrderedDict()
        self._parts: OrderedDict[_Stream, list[bytes]] = OrderedDict()  # of replies that are not whole yet

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> bool | None:
        """The verdict on a packet from or to port 53; None to accept without a mark, as all replies are."""
        try:
            packet = parse_ip(payload)
        except BadPacket:
            packet = None
        if hook == LOCAL_OUT or (packet is not None and packet.destination_port != _DNS_PORT):
            if packet is None:
                self._bench.count(Reason.DNS_REPLY)
            else:
                self._hear(packet, payload)
            return None
        scope = scope_of(hook, mark & self._both, self._passing)
        if packet is None:
            effects = self._bench.handle(PacketUnreadable(mac or NO_MAC, scope))
        else:
            effects = self._asked(packet, self._messages(payload, packet), mac or NO_MAC, scope)
        if len(effects) > 1 and packet is not None:
            self._bench.exhibits.asked(effects, mac or NO_MAC, packet.source_port, payload)
        self._todo += self._bench.carry_out_first(effects)
        verdicts = [effect for effect in effects if isinstance(effect, Verdict)]
        if len(verdicts) > 1:
            self._bench.count_once(verdicts)
        return all(verdict.accept for verdict in verdicts) if hook == FORWARD else None

    def _hear(self, packet: Packet, payload: bytes) -> None:
        """A reply: it goes on once the judge knows its names."""
        verdicts: list[Verdict] = []
        _, source, client, protocol, _, client_port, _, _, start, end, _ = packet
        messages = [payload[start:end]] if protocol == UDP else self._messages(payload, packet)
        for message in messages:
            try:
                reply = parse_reply(message)
            except BadPacket:
                continue
            effects = self._bench.handle(_tuple(DnsAnswered, (client, client_port, source, protocol, reply)))
            verdicts.append(verdict_in(effects))
            if len(effects) > 1:
                self._bench.exhibits.answered(effects, [*self._parts.pop(_stream(packet), ()), payload])
                self._todo += self._bench.carry_out_first(effects)
        if not verdicts:
            self._bench.count(Reason.DNS_REPLY)
        elif len(verdicts) > 1:
            self._bench.count_once(verdicts)

    def settle(self) -> None:
        """Carry out what could wait until the verdict was given."""
        todo, self._todo = self._todo, []
        self._bench.carry_out(todo)

    def failed(self, error: BaseException) -> bool:
        """The verdict where `judge` raised."""
        return self._bench.failed(error)

    def _asked(self, packet: Packet, messages: list[bytes], mac: str, scope: Scope) -> list[Effect]:
        queries: list[Query | None] = [_query(message) for message in messages] or [None]
        return [
            effect
            for query in queries
            for effect in self._bench.handle(
                DnsAsked(
                    mac, packet.source, packet.source_port, packet.destination, packet.protocol, query, scope
                )
            )
        ]

    def _messages(self, payload: bytes, packet: Packet) -> list[bytes]:
        """The DNS messages that this packet completes."""
        if packet.protocol == UDP:
            return [payload[packet.payload : packet.end]]
        if packet.protocol != TCP:
            return []
        key = _stream(packet)
        stream = self._streams.get(key)
        if stream is None or packet.flags & SYN:
            if len(self._streams) >= MAX_STREAMS:
                self._streams.popitem(last=False)
            stream = self._streams[key] = TcpStream()
        self._streams.move_to_end(key)
        if packet.flags & RST:
            del self._streams[key]
            return []
        segment = payload[packet.payload : packet.end]
        messages = stream.feed(first_byte(packet), segment)[:MAX_MESSAGES]
        if segment and not messages and packet.source_port == _DNS_PORT:
            self._keep_part(key, payload)
        return messages

    def _keep_part(self, key: _Stream, packet: bytes) -> None:
        """Part of a reply, which may be wanted when it is whole."""
        parts = self._parts.setdefault(key, [])
        if len(parts) < MAX_PARTS:
            parts.append(packet)
        if len(self._parts) > MAX_PARTED:
            self._parts.popitem(last=False)


def _stream(packet: Packet) -> _Stream:
    return packet.source, packet.source_port, packet.destination, packet.destination_port


def _query(message: bytes) -> Query | None:
    if len(message) > MAX_QUERY:
        return None
    try:
        return parse_query(message)
    except BadPacket:
        return None
