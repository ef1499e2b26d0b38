# SPDX-License-Identifier: GPL-2.0-or-later
"""From a queued packet to a verdict: bytes in, an event to the judge, its effects carried out.

One handler a queue, each used by one thread; they share the judge, on its bench. What must be true before
the verdict (a query's client admitted, a connection cut) is done in `judge`; all else waits in `settle`,
after the verdict went to the kernel. Knows nothing of the queue's library, of processes or of configuration
files.
"""

import time
from collections import OrderedDict
from typing import TypeAlias

from smartrouter.core.effects import Effect, Inspect, Record, Verdict
from smartrouter.core.errors import BadPacket
from smartrouter.core.events import (
    TCP,
    UDP,
    DnsAnswered,
    DnsAsked,
    FlowOpened,
    PacketUnreadable,
    Query,
    Scope,
    Shortcut,
)
from smartrouter.core.policy import Reason
from smartrouter.core.precedents import Repeat
from smartrouter.guard.bench import Bench
from smartrouter.guard.inspection import Inspection, Inspections
from smartrouter.linux.nflog import Logged
from smartrouter.linux.queue import FORWARD, LOCAL_IN, LOCAL_OUT, Marks, Ruling, Silently
from smartrouter.wire.dns import parse_query, parse_reply
from smartrouter.wire.dns_tcp import TcpStream
from smartrouter.wire.ntp import NTP_PORT, asks_time
from smartrouter.wire.packet import Packet, glance, parse_ip
from smartrouter.wire.sequence import first_byte

MAX_STREAMS = 256  # DNS connections over TCP that are followed at once
MAX_QUERY = 512  # bytes: a longer query names nothing; none that asks for a name is half as long
A_TURN = 8  # packets that were logged: for so many at most does one that waits for its verdict wait
MAX_REPEATS = 2048  # sorts of packets that were judged before; some 1 MB
MAX_LOGGED = 512  # the same of packets that the kernel settled: nobody waits for these
TOGETHER = 32  # records that are handed to the store at once
MAX_MESSAGES = 8  # looked at in one packet, so that nobody's packet takes a hundred times another's
NO_MAC = "00:00:00:00:00:00"  # stands for what came over an interface that knows no MACs
_DNS_PORT = 53


_Sort: TypeAlias = tuple[str | None, tuple[bytes, int, int]]
"""A MAC, and what `glance` says that packets have in common."""


class FlowHandler:
    """Judges the first packets of new connections, and the first data of those that are inspected.
    `inspections`: those of all workers; any of them may get the next packet of a connection."""

    def __init__(self, bench: Bench, marks: Marks, inspections: Inspections | None = None):
        self._bench = bench
        self._both = marks.passing | marks.blocking
        self._passing = marks.passing
        self._repeated: list[tuple[Repeat, int, int]] = []  # packets that have a verdict, and are to be told
        # Likewise, but their first data may be wanted, so they come whole.
        self._nameless: list[tuple[Repeat, int, int, bytes]] = []
        self._records: list[Effect] = []  # what comes of them, most of the time
        self._todo: list[Effect] = []  # all else
        self._inspections = Inspections(bench) if inspections is None else inspections
        self._repeats: dict[_Sort, Repeat] = {}

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> Ruling:
        """The verdict on a packet: accept or not; None to accept without a mark."""
        ours = mark & self._both
        sort = None
        if hook == FORWARD and not ours:
            seen = glance(payload)
            if seen is not None and seen[0][1] != NTP_PORT:  # who asks the time is judged by what he asks
                pair, port, sequence = seen
                sort = mac, pair
                repeat = self._repeats.get(sort)
                if (
                    repeat is not None
                    and repeat.holds(time.monotonic())
                    and (repeat.is_tcp or not self._inspections.open)
                ):
                    if repeat.is_nameless:
                        self._nameless.append((repeat, port, sequence, payload))
                    else:
                        self._repeated.append((repeat, port, sequence))
                    return repeat.verdict.accept
        source = mac or NO_MAC
        try:
            packet = parse_ip(payload)
        except BadPacket:
            return self._decide(PacketUnreadable(source, _scope(hook, ours, self._passing)), hook)
        # The ruleset sets both marks on first data that it was told to hand over, and on forged sources.
        if self._inspections.open and (ours == self._both or packet.protocol == UDP):
            with self._inspections.lock:
                inspection = self._inspections.of(packet)
                if inspection is not None:
                    return self._go_on(inspection, source, packet, payload, hook, ours)
        event = self._opened(source, packet, payload, hook, ours, ours == self._both)
        effects = self._bench.handle(event)
        if sort is not None:
            remember(self._repeats, sort, self._bench.repeat(event), MAX_REPEATS)
        first = effects[0]
        if type(first) is not Verdict:
            with self._inspections.lock:
                return self._begin(None, source, packet, payload, effects)
        if len(effects) > 1:
            self._todo += effects
        return None if hook == LOCAL_IN else first.accept

    def settle(self) -> None:
        """Carry out what could wait until the verdicts were given. Records wait longer, for others."""
        for repeat, port, sequence, payload in self._nameless:
            self._begin_late(repeat, port, sequence, payload)
        self._nameless.clear()
        if self._repeated:
            repeated, self._repeated = self._repeated, []
            effects = self._bench.repeated(repeated)
            for effect in effects:
                (self._records if type(effect) is Record else self._todo).append(effect)
            if len(self._records) >= TOGETHER:
                self.flush()
        if self._todo:
            todo, self._todo = self._todo, []
            self._bench.carry_out(todo)
        if self._inspections.open:
            with self._inspections.lock:
                self._inspections.expire(time.monotonic())

    def _begin_late(self, repeat: Repeat, port: int, sequence: int, payload: bytes) -> None:
        """A connection without a name, that has its verdict: its first data comes later still."""
        if not repeat.holds(time.monotonic()):
            self._repeated.append((repeat, port, sequence))
            return
        packet = parse_ip(payload)
        effects = self._bench.handle(
            self._opened(repeat.event.mac, packet, payload, FORWARD, 0, spoofed=False)
        )
        if type(effects[0]) is Verdict:
            self._todo += effects
            return
        with self._inspections.lock:
            self._begin(None, repeat.event.mac, packet, payload, effects)

    def flush(self) -> None:
        """Have stored what waits for that: called now and then, in the thread that calls `judge`."""
        if self._records:
            records, self._records = self._records, []
            self._bench.store(records)

    def failed(self, error: BaseException) -> bool:
        """The verdict where `judge` raised."""
        return self._bench.failed(error)

    def _opened(
        self, mac: str, packet: Packet, payload: bytes, hook: int, ours: int, spoofed: bool
    ) -> FlowOpened:
        _, source, destination, protocol, source_port, port, flags, sequence, start, end, _ = packet
        return _tuple(
            FlowOpened,
            (
                mac, source, destination, protocol, source_port, port, sequence,
                _OUTSIDE if hook == FORWARD and ours != self._passing else _scope(hook, ours, self._passing),
                spoofed, protocol != TCP or bool(flags & _SYN),
                port == NTP_PORT and protocol == UDP and asks_time(payload[start:end]), None,
            ),
        )  # fmt: skip

    def _decide(self, event: FlowOpened | PacketUnreadable, hook: int) -> bool | None:
        effects = self._bench.handle(event)
        self._todo += effects
        accept = _verdict(effects).accept
        return None if hook == LOCAL_IN else accept

    def _go_on(
        self, inspection: Inspection, mac: str, packet: Packet, payload: bytes, hook: int, ours: int
    ) -> Ruling:
        """The verdict on a further packet of an inspected connection, or on its first one sent again."""
        if not packet.flags & _SYN:
            return self._hear(inspection, packet, payload, None)
        effects = self._bench.handle(self._opened(mac, packet, payload, hook, ours, spoofed=False))
        inspection.restart(packet)
        return self._begin(inspection, mac, packet, payload, effects)

    def _begin(
        self, inspection: Inspection | None, mac: str, packet: Packet, payload: bytes, effects: list[Effect]
    ) -> Ruling:
        """The first packet of a connection whose first data is to be judged, or the same sent again. It may
        hold that data already: QUIC's does, and TCP's may (RFC 7413)."""
        opening = _verdict(effects)
        refused = False
        for effect in effects:
            if isinstance(effect, Inspect):
                inspection = self._inspections.begin(effect, mac, packet, time.monotonic())
                refused = inspection is None and effect.held
            else:
                self._todo.append(effect)
        if refused:
            return False
        if inspection is None or not opening.accept:
            return opening.accept
        return self._hear(inspection, packet, payload, opening)

    def _hear(
        self, inspection: Inspection, packet: Packet, payload: bytes, opening: Verdict | None
    ) -> Ruling:
        """The verdict on a packet of an inspected connection; `opening`: what it got as the first one of it,
        and is counted by so far."""
        verdict = inspection.verdict
        speaks = packet.protocol != TCP or packet.end > packet.payload
        event = inspection.hear(packet, payload) if verdict is None and speaks else None
        if event is not None:
            effects = self._bench.handle(event)
            verdict = _verdict(effects)
            self._todo += self._bench.carry_out_first(effects)
            if opening is not None:
                self._bench.count_once([opening, verdict])
            if verdict.reason is not Reason.AWAITING_HELLO:  # else it is heard, and not yet judged
                inspection.verdict = verdict
        elif opening is None:
            self._bench.count(Reason.AWAITING_HELLO if verdict is None else verdict.reason)
        if inspection.verdict is not None:
            return inspection.verdict.accept
        if inspection.held and speaks:
            self._bench.withheld += 1
            return Silently.DROPPED
        return True


class DnsHandler:
    """Judges DNS queries, and holds replies until their names are stored."""

    def __init__(self, bench: Bench, marks: Marks):
        self._bench = bench
        self._both = marks.passing | marks.blocking
        self._passing = marks.passing
        self._todo: list[Effect] = []
        self._streams: OrderedDict[tuple[str, int, str, int], TcpStream] = OrderedDict()

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
        scope = _scope(hook, mark & self._both, self._passing)
        if packet is None:
            effects = self._bench.handle(PacketUnreadable(mac or NO_MAC, scope))
        else:
            effects = self._asked(packet, self._messages(payload, packet), mac or NO_MAC, scope)
        self._todo += self._bench.carry_out_first(effects)
        verdicts = [effect for effect in effects if isinstance(effect, Verdict)]
        if len(verdicts) > 1:
            self._bench.count_once(verdicts)
        return all(verdict.accept for verdict in verdicts) if hook == FORWARD else None

    def _hear(self, packet: Packet, payload: bytes) -> None:
        """A reply: it goes on once the judge knows its names."""
        verdicts: list[Verdict] = []
        for message in self._messages(payload, packet):
            try:
                reply = parse_reply(message)
            except BadPacket:
                continue
            event = _tuple(
                DnsAnswered,
                (packet.destination, packet.destination_port, packet.source, packet.protocol, reply),
            )
            effects = self._bench.handle(event)
            verdicts.append(_verdict(effects))
            if len(effects) > 1:
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
        key = (packet.source, packet.source_port, packet.destination, packet.destination_port)
        stream = self._streams.get(key)
        if stream is None or packet.flags & _SYN:
            if len(self._streams) >= MAX_STREAMS:
                self._streams.popitem(last=False)
            stream = self._streams[key] = TcpStream()
        self._streams.move_to_end(key)
        if packet.flags & _RST:
            del self._streams[key]
            return []
        return stream.feed(first_byte(packet), payload[packet.payload : packet.end])[:MAX_MESSAGES]


class LogHandler:
    """Takes down what the kernel settled by itself, and wrote to its log."""

    def __init__(self, bench: Bench):
        self._bench = bench
        self._repeats: dict[_Sort, Repeat] = {}

    def __call__(self, records: list[Logged]) -> None:
        """All these packets were settled so."""
        for start in range(0, len(records), A_TURN):
            self._take(records[start : start + A_TURN])

    def _take(self, records: list[Logged]) -> None:
        repeated: list[tuple[Repeat, int, int]] = []
        events: list[FlowOpened] = []
        sorts: list[_Sort | None] = []
        running = time.monotonic()
        for prefix, mac, payload in records:
            shortcut = _SHORTCUTS.get(prefix)
            if shortcut is None:
                continue
            self._bench.recorded[shortcut] += 1
            seen = glance(payload) if shortcut is Shortcut.KNOWN else None
            if seen is not None:
                repeat = self._repeats.get((mac, seen[0]))
                if repeat is not None and repeat.holds(running):
                    repeated.append((repeat, seen[1], seen[2]))
                    continue
            try:
                packet = parse_ip(payload)
            except BadPacket:  # a header that the kernel could read, and we cannot
                continue
            _, source, destination, protocol, source_port, port, flags, sequence, _, _, _ = packet
            sorts.append(None if seen is None else (mac, seen[0]))
            events.append(
                _tuple(
                    FlowOpened,
                    (
                        mac or NO_MAC, source, destination, protocol, source_port, port, sequence,
                        Scope.OUTSIDE, False, protocol != TCP or bool(flags & _SYN), False, shortcut,
                    ),
                )
            )  # fmt: skip
        effects = self._bench.repeated(repeated, judged=False) if repeated else []
        if events:
            effects += self._bench.handle_all(events)
        self._bench.carry_out(effects)
        for sort, event in zip(sorts, events, strict=True):
            if sort is not None:
                remember(self._repeats, sort, self._bench.repeat(event), MAX_LOGGED)


def remember(repeats: dict[_Sort, Repeat], sort: _Sort, repeat: Repeat | None, room: int) -> None:
    """Have further packets of this sort go by `repeat`; each by itself, if it is None."""
    if repeat is None:
        repeats.pop(sort, None)
        return
    if len(repeats) >= room:
        repeats.clear()
    repeats[sort] = repeat


_OUTSIDE = Scope.OUTSIDE
_SHORTCUTS = {str(shortcut): shortcut for shortcut in Shortcut}
_SYN, _RST = 0x02, 0x04  # RFC 9293 section 3.1
_tuple = tuple.__new__  # makes a NamedTuple in half the time


def _scope(hook: int, ours: int, passing: int) -> Scope:
    """Where a packet goes. The ruleset sets the pass mark, and only that, on what stays in the LAN."""
    if hook == LOCAL_IN:
        return Scope.ROUTER
    return Scope.LAN if ours == passing else Scope.OUTSIDE


def _verdict(effects: list[Effect]) -> Verdict:
    """The one among what the judge says of a packet. It comes first, but for what must be done before."""
    first = effects[0]
    if isinstance(first, Verdict):  # as nearly always
        return first
    return next(effect for effect in effects if isinstance(effect, Verdict))


def _query(message: bytes) -> Query | None:
    if len(message) > MAX_QUERY:
        return None
    try:
        return parse_query(message)
    except BadPacket:
        return None
