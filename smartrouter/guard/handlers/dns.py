# SPDX-License-Identifier: GPL-2.0-or-later
"""The handler of DNS: what is asked, and what is answered."""

from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

from smartrouter.core.effects import Effect, Verdict
from smartrouter.core.errors import BadPacket
from smartrouter.core.events import TCP, UDP, DnsAnswered, DnsAsked, PacketUnreadable, Query, Question, Scope
from smartrouter.core.naming import Answer
from smartrouter.core.policy import Reason
from smartrouter.core.told.addresses import Lesson, lesson
from smartrouter.guard.bench import Bench
from smartrouter.guard.handlers.common import NO_MAC, RST, SYN, scope_of, verdict_in
from smartrouter.linux.queue import FORWARD, LOCAL_OUT, Marks, Waiting
from smartrouter.wire.dns import parse_any, parse_any_query, parse_query, parse_reply
from smartrouter.wire.dns_tcp import TcpStream
from smartrouter.wire.inet import ipv4
from smartrouter.wire.packet import Packet, first_of_datagram, parse_ip
from smartrouter.wire.sequence import first_byte

MAX_STREAMS = 256  # DNS connections over TCP that are followed at once
MAX_QUERY = 512  # bytes: a longer query names nothing; none that asks for a name is half as long
MAX_PARTS, MAX_PARTED = 2, 32  # segments of a reply that come before its last one; replies that have some
MAX_MESSAGES = 8  # looked at in one packet, so that nobody's packet takes a hundred times another's
MAX_REMEMBERED = 512  # bytes of a message; so what is remembered takes 2 MB at most, and usually 0.5
_NO_OPTIONS = 0x45  # the first byte of an IPv4 header
_HEADERS, _IDENTIFIER, _DNS_HEADER = 28, 2, 12  # bytes: of IPv4 and UDP; at the start of a message
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
        self._answers: list[Answer] = []  # replies of which the judge has not heard yet
        self._answering: list[bytes] = []  # in which packets they came
        self._streams: OrderedDict[_Stream, TcpStream] = OrderedDict()
        self._parts: OrderedDict[_Stream, list[bytes]] = OrderedDict()  # of replies that are not whole yet

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> bool | None:
        """The verdict on a packet from or to port 53; None to accept without a mark, as all replies are."""
        if len(payload) > _HEADERS + _DNS_HEADER and payload[0] == _NO_OPTIONS and payload[9] == UDP:
            size, fragment, source, target, port, target_port, length, ident = first_of_datagram(payload)
            end = _HEADERS - 8 + length
            if (
                not fragment & 0x3FFF
                and _HEADERS + _DNS_HEADER <= end <= size == len(payload)
                and end <= _HEADERS + MAX_REMEMBERED
            ):  # as nearly all of it is
                if target_port == _DNS_PORT and hook != LOCAL_OUT:
                    sender = mac or NO_MAC, ipv4(source), port, ipv4(target), UDP
                    return self._judge_query(sender, payload, end, hook, mark)
                known = _known(payload[_HEADERS + _IDENTIFIER : end])
                if known is not None:
                    question, taught = known
                    asked = ipv4(target), target_port, ipv4(source), UDP, ident, question
                    self._answers.append((asked, taught))
                    self._answering.append(payload)
                    return None
        self.conclude()  # in the order in which they came
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
        source_mac, scope = mac or NO_MAC, scope_of(hook, mark & self._both, self._passing)
        if packet is None:
            effects = self._bench.handle(PacketUnreadable(source_mac, scope))
            return self._decided(effects, source_mac, 0, None, hook)
        effects = self._asked(packet, self._messages(payload, packet), source_mac, scope)
        return self._decided(effects, source_mac, packet.source_port, payload, hook)

    def _judge_query(
        self, sender: tuple[str, str, int, str, int], payload: bytes, end: int, hook: int, mark: int
    ) -> bool | None:
        """The verdict on a plain query; `sender`: how its event begins."""
        self.conclude()
        scope = scope_of(hook, mark & self._both, self._passing)
        effects = self._bench.handle(_tuple(DnsAsked, (*sender, _query(payload[_HEADERS:end]), scope)))
        if len(effects) == 1:  # as nearly always
            return verdict_in(effects).accept if hook == FORWARD else None
        return self._decided(effects, sender[0], sender[2], payload, hook)

    def _decided(
        self, effects: list[Effect], mac: str, port: int, payload: bytes | None, hook: int
    ) -> bool | None:
        """The verdict on a query from that port; `payload`: None if it could not be read."""
        if len(effects) > 1 and payload is not None:
            self._bench.exhibits.asked(effects, mac, port, payload)
        self._todo += self._bench.carry_out_first(effects)
        verdicts = [effect for effect in effects if isinstance(effect, Verdict)]
        if len(verdicts) > 1:
            self._bench.count_once(verdicts)
        return all(verdict.accept for verdict in verdicts) if hook == FORWARD else None

    def recall(self, packets: Sequence[Waiting]) -> None:
        """No packet is so much like another one: each holds an identifier of its own."""

    def conclude(self) -> None:
        """The replies that came together: they go on when the judge knows their names."""
        if not self._answers:
            return
        answers, self._answers = self._answers, []
        packets, self._answering = self._answering, []
        for place, effects in self._told(answers):
            self._bench.exhibits.answered(effects, [packets[place]])
            self._todo += self._bench.carry_out_first(effects)

    def _told(self, answers: list[Answer]) -> list[tuple[int, list[Effect]]]:
        """Tell the judge; gives what comes of each, as the judge does."""
        try:
            return self._bench.answered(answers)
        except Exception:
            found: list[tuple[int, list[Effect]]] = []
        # One of them is more than we can take; the others must not lose their names by that.
        for place, answer in enumerate(answers):
            try:
                found += [(place, effects) for _, effects in self._bench.answered([answer])]
            except Exception as error:
                self._bench.failed(error)
        return found

    def _hear(self, packet: Packet, payload: bytes) -> None:
        """A reply of another kind, likewise."""
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


@lru_cache(maxsize=512)
def _known(rest: bytes) -> tuple[Question, Lesson] | None:
    """What a reply is about and what it teaches, by what follows its identifier: a home's devices ask for the
    same few hundred names over and over, and often get the very same answer. None: each is to be read."""
    reply = parse_any(rest)
    if reply is None or len(reply.questions) != 1:
        return None
    return reply.questions[0], lesson(reply)


def _stream(packet: Packet) -> _Stream:
    return packet.source, packet.source_port, packet.destination, packet.destination_port


def _query(message: bytes) -> Query | None:
    if not _DNS_HEADER <= len(message) <= MAX_QUERY:
        return None
    try:
        question = _asked(message[_IDENTIFIER:])
        if question is not None:
            return _tuple(Query, (message[0] << 8 | message[1], question))
        return parse_query(message)
    except BadPacket:
        return None


_asked = lru_cache(maxsize=512)(parse_any_query)
