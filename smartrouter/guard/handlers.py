# SPDX-License-Identifier: GPL-2.0-or-later
"""From a queued packet to a verdict: bytes in, an event to the judge, its effects carried out.

One handler a queue, each used by one thread; they share the judge, behind a lock that is held for
microseconds. What must be true before the verdict (a query's client admitted) is done in `judge`; all
else waits in `settle`, after the verdict went to the kernel. Knows nothing of the queue's library, of
processes or of configuration files.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Protocol, assert_never

from smartrouter.core.effects import (
    AdmitReplies,
    DismissReplies,
    Effect,
    Enforce,
    Forget,
    Keep,
    Learn,
    Name,
    Raise,
    Record,
    Relax,
    Unwatch,
    Verdict,
    Watch,
)
from smartrouter.core.errors import BadPacket, Unavailable
from smartrouter.core.events import (
    TCP,
    UDP,
    DnsAnswered,
    DnsAsked,
    Event,
    FlowOpened,
    Moment,
    PacketUnreadable,
    Query,
    Scope,
)
from smartrouter.core.judge import Judge
from smartrouter.core.policy import Reason
from smartrouter.linux.queue import FORWARD, LOCAL_IN, LOCAL_OUT
from smartrouter.wire.dns import parse_query, parse_reply
from smartrouter.wire.dns_tcp import TcpStream
from smartrouter.wire.packet import Packet, parse_ip

log = logging.getLogger("smartrouter.guard")

MAX_STREAMS = 256  # DNS connections over TCP that are followed at once
MAX_QUERY = 512  # bytes: a longer query names nothing; none that asks for a name is half as long
MAX_MESSAGES = 8  # looked at in one packet, so that nobody's packet takes a hundred times another's
NO_MAC = "00:00:00:00:00:00"  # stands for what came over an interface that knows no MACs
_DNS_PORT = 53


def now() -> Moment:
    """This moment, by both clocks."""
    return Moment(time.monotonic(), time.time())


class Sets(Protocol):
    """The kernel's sets, as far as a handler changes them; each call returns when the kernel has done it."""

    def watch(self, mac: str) -> None: ...
    def unwatch(self, mac: str) -> None: ...
    def enforce(self, mac: str) -> None: ...
    def relax(self, mac: str) -> None: ...
    def admit(self, address: str) -> None: ...
    def dismiss(self, address: str) -> None: ...


class Bench:
    """Where judging happens: the judge, its lock, and the hands that carry its effects out.

    `put` takes what is to be stored, and never waits.
    """

    def __init__(self, judge: Judge, sets: Sets, put: Callable[[Effect], None], *, fail_open: bool):
        self.judge = judge
        self.sets = sets
        self.put = put
        self.fail_open = fail_open
        self.lock = Lock()
        self.errors = 0  # faults of ours, each of which cost one packet its proper judgement

    def handle(self, event: Event) -> list[Effect]:
        """Judge `event` now; its effects are still to be carried out."""
        with self.lock:
            return self.judge.handle(event, now())

    def carry_out(self, effects: Iterable[Effect]) -> None:
        """Do what `effects` say, verdicts apart: those belong to a packet."""
        for effect in effects:
            match effect:
                case Verdict():
                    pass
                case Record() | Raise() | Learn() | Forget() | Name() | Keep():
                    self.put(effect)
                case _:
                    self._change_set(effect)

    def _change_set(self, effect: AdmitReplies | DismissReplies | Watch | Unwatch | Enforce | Relax) -> None:
        try:
            match effect:
                case AdmitReplies():
                    self.sets.admit(effect.address)
                case DismissReplies():
                    self.sets.dismiss(effect.address)
                case Watch():
                    self.sets.watch(effect.mac)
                case Unwatch():
                    self.sets.unwatch(effect.mac)
                case Enforce():
                    self.sets.enforce(effect.mac)
                case Relax():
                    self.sets.relax(effect.mac)
                case _:
                    assert_never(effect)
        except Unavailable as error:
            log.error("%s not done: %s", type(effect).__name__, error)

    def count_once(self, verdicts: list[Verdict]) -> None:
        """Have one packet counted once: however many messages it held, and also if it held none."""
        with self.lock:
            if not verdicts:
                self.judge.counts[Reason.DNS_REPLY] += 1
            self.judge.counts.subtract(verdict.reason for verdict in verdicts[1:])

    def failed(self, error: BaseException) -> bool:
        """A fault of ours while judging; gives the verdict that `on_failure` asks for."""
        self.errors += 1
        with self.lock:
            self.judge.counts[Reason.OUR_ERROR] += 1
        if self.errors <= 10:
            log.error("fault %d while judging a packet", self.errors, exc_info=error)
        return self.fail_open


class FlowHandler:
    """Judges the first packets of new connections."""

    def __init__(self, bench: Bench, pass_mark: int):
        self._bench = bench
        self._pass_mark = pass_mark
        self._todo: list[Effect] = []

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> bool | None:
        """The verdict on a packet: accept or not; None to accept without a mark."""
        scope = _scope(hook, mark, self._pass_mark)
        source = mac or NO_MAC
        event: FlowOpened | PacketUnreadable
        try:
            packet = parse_ip(payload)
            event = FlowOpened(
                source, packet.source, packet.destination, packet.protocol, packet.source_port,
                packet.destination_port, packet.sequence, scope,
            )  # fmt: skip
        except BadPacket:
            event = PacketUnreadable(source, scope)
        self._todo = self._bench.handle(event)
        verdict = self._todo[0]
        assert isinstance(verdict, Verdict)  # noqa: S101 - the judge's promise for a packet
        return None if hook == LOCAL_IN else verdict.accept

    def settle(self) -> None:
        """Carry out what could wait until the verdict was given."""
        todo, self._todo = self._todo, []
        if len(todo) > 1:
            self._bench.carry_out(todo)

    def failed(self, error: BaseException) -> bool:
        """The verdict where `judge` raised."""
        self._todo = []
        return self._bench.failed(error)


class DnsHandler:
    """Judges DNS queries, and holds replies until their names are stored."""

    def __init__(self, bench: Bench, pass_mark: int):
        self._bench = bench
        self._pass_mark = pass_mark
        self._todo: list[Effect] = []
        self._streams: OrderedDict[tuple[str, int, str, int], TcpStream] = OrderedDict()

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> bool | None:
        """The verdict on a packet from or to port 53; None to accept without a mark, as all replies are."""
        is_query = hook != LOCAL_OUT
        try:
            packet = parse_ip(payload)
        except BadPacket:
            unreadable = PacketUnreadable(mac or NO_MAC, _scope(hook, mark, self._pass_mark))
            effects = self._bench.handle(unreadable) if hook != LOCAL_OUT else []
        else:
            is_query = is_query and packet.destination_port == _DNS_PORT
            messages = self._messages(payload, packet)
            if is_query:
                effects = self._asked(packet, messages, mac or NO_MAC, hook, mark)
            else:
                effects = self._answered(packet, messages)
        verdicts = []
        for effect in effects:
            if isinstance(effect, AdmitReplies | DismissReplies):
                self._bench.carry_out([effect])
            elif isinstance(effect, Verdict):
                verdicts.append(effect)
            else:
                self._todo.append(effect)
        if len(verdicts) != 1:
            self._bench.count_once(verdicts)
        accept = all(verdict.accept for verdict in verdicts)
        return accept if is_query and hook == FORWARD else None

    def settle(self) -> None:
        """Carry out what could wait until the verdict was given."""
        todo, self._todo = self._todo, []
        self._bench.carry_out(todo)

    def failed(self, error: BaseException) -> bool:
        """The verdict where `judge` raised."""
        self._todo = []
        return self._bench.failed(error)

    def _asked(self, packet: Packet, messages: list[bytes], mac: str, hook: int, mark: int) -> list[Effect]:
        scope = _scope(hook, mark, self._pass_mark)
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

    def _answered(self, packet: Packet, messages: list[bytes]) -> list[Effect]:
        effects: list[Effect] = []
        for message in messages:
            try:
                reply = parse_reply(message)
            except BadPacket:
                continue
            effects += self._bench.handle(
                DnsAnswered(
                    packet.destination, packet.destination_port, packet.source, packet.protocol, reply
                )
            )
        return effects

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
        sequence = (packet.sequence + bool(packet.flags & _SYN)) % 2**32
        return stream.feed(sequence, payload[packet.payload : packet.end])[:MAX_MESSAGES]


_SYN, _RST = 0x02, 0x04  # RFC 9293 section 3.1


def _scope(hook: int, mark: int, pass_mark: int) -> Scope:
    """Where a packet goes. The ruleset sets the pass mark on what stays in the LAN before it queues it."""
    if hook == LOCAL_IN:
        return Scope.ROUTER
    return Scope.LAN if mark & pass_mark else Scope.OUTSIDE


def _query(message: bytes) -> Query | None:
    if len(message) > MAX_QUERY:
        return None
    try:
        return parse_query(message)
    except BadPacket:
        return None
