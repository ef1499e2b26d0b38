# SPDX-License-Identifier: GPL-2.0-or-later
"""The handler of new connections."""

import time
from collections.abc import Sequence

from smartrouter.core.effects import Effect, Inspect, Verdict
from smartrouter.core.errors import BadPacket
from smartrouter.core.events import TCP, UDP, FlowOpened, PacketUnreadable, Scope
from smartrouter.core.policy import Reason
from smartrouter.core.precedents import Repeat, Repeated
from smartrouter.guard.bench import Bench
from smartrouter.guard.exhibits import UNREMARKABLE
from smartrouter.guard.handlers.common import NO_MAC, SYN, Sort, remember, scope_of, verdict_in
from smartrouter.guard.inspection import Inspection, Inspections
from smartrouter.linux.queue import FORWARD, LOCAL_IN, Marks, Ruling, Silently, Waiting
from smartrouter.store.exhibits import Attach
from smartrouter.wire.ntp import NTP_PORT, asks_time
from smartrouter.wire.packet import LEAST, Packet, first_fields, glance, parse_ip

DEAF = 0.05  # seconds: as long nobody asks again whether there is room for another first data of a device
MAX_DEAF = 1024  # devices
MAX_REPEATS = 2048  # sorts of packets that were judged before; some 1 MB
TOGETHER = 64  # packets like others that are told at once
_OUTSIDE = Scope.OUTSIDE
_tuple = tuple.__new__  # makes a NamedTuple in half the time


class FlowHandler:
    """Judges the first packets of new connections, and the first data of those that are inspected.
    `inspections`: those of all workers; any of them may get the next packet of a connection."""

    def __init__(self, bench: Bench, marks: Marks, inspections: Inspections | None = None):
        self._bench = bench
        self._both = marks.passing | marks.blocking
        self._passing = marks.passing
        self._repeated: list[Repeated] = []  # packets that have a verdict, and are to be told
        # Likewise, but their first data may be wanted, so they come whole.
        self._nameless: list[tuple[Repeated, bytes]] = []
        self._deaf: dict[str, float] = {}  # devices of which no more first data is looked at; until when
        self._todo: list[Effect | Attach] = []  # what came of the others
        self._inspections = Inspections(bench) if inspections is None else inspections
        self._repeats: dict[Sort, Repeat] = {}

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> Ruling:
        """The verdict on a packet: accept or not; None to accept without a mark."""
        ours = mark & self._both
        sort: Sort | None = None
        if hook == FORWARD and not ours and len(payload) >= LEAST:
            head, size, fragment, protocol, addresses, port, service, number, offset = first_fields(payload)
            if protocol == TCP:
                sort = mac, head, size, fragment, addresses, service, offset
                repeat = self._repeats.get(sort)
                if (
                    repeat is not None
                    and size == len(payload)
                    and repeat.device.serial == repeat.serial
                    and (now := time.monotonic()) <= repeat.until
                ):
                    if repeat.is_nameless and now > self._deaf.get(repeat.mac, 0.0):
                        self._nameless.append(((repeat, port, number), payload))
                    else:
                        self._repeated.append((repeat, port, number))
                    return repeat.accept
            elif not self._inspections.open:
                seen = glance(payload)
                if seen is not None and seen[0][1] != NTP_PORT:  # who asks the time is judged by what he asks
                    sort = mac, seen[0]
                    repeat = self._repeats.get(sort)
                    if repeat is not None and repeat.holds(time.monotonic()):
                        self._repeated.append((repeat, seen[1], 0))
                        return repeat.accept
        source = mac or NO_MAC
        try:
            packet = parse_ip(payload)
        except BadPacket:
            return self._decide(PacketUnreadable(source, scope_of(hook, ours, self._passing)), hook)
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
            self._bench.exhibits.opened(event, payload)
            with self._inspections.lock:
                return self._begin(None, source, packet, payload, effects)
        if len(effects) > 1:
            if first.reason not in UNREMARKABLE:
                self._bench.exhibits.opened(event, payload)
            self._todo += effects
        return None if hook == LOCAL_IN else first.accept

    def recall(self, packets: Sequence[Waiting]) -> list[bool | None]:
        """Those of TCP that `judge` would find to be repeats: the same, for many at the price of a few."""
        now, both = time.monotonic(), self._both
        era = self._bench.judge.era(now)
        repeats, repeated = self._repeats.get, self._repeated.append
        rulings: list[bool | None] = []
        for _, (mac, hook, mark, _), packet in packets:
            if hook == FORWARD and not mark & both and len(packet) >= LEAST:
                head, size, part, protocol, addresses, port, service, number, offset = first_fields(packet)
                repeat = repeats((mac, head, size, part, addresses, service, offset))
                if (
                    repeat is not None
                    and protocol == TCP
                    and size == len(packet)
                    and (repeat.era is era or repeat.holds(now))
                ):
                    if repeat.is_nameless and now > self._deaf.get(repeat.mac, 0.0):
                        self._nameless.append(((repeat, port, number), packet))
                    else:
                        repeated((repeat, port, number))
                    rulings.append(repeat.accept)
                    continue
            rulings.append(None)
        return rulings

    def conclude(self) -> None:
        """Nothing keeps the verdicts: what must be done before one, is done when its packet is judged."""

    def settle(self) -> bool:
        """Carry out what could wait until the verdicts were given. What only repeats waits longer, for more
        of the same: told one by one, packets cost the next one its time."""
        if self._nameless:
            for repeated, payload in self._nameless:
                self._begin_late(repeated, payload)
            self._nameless.clear()
        if self._todo or len(self._repeated) >= TOGETHER:
            self.flush()
        return bool(self._repeated)

    def _begin_late(self, repeated: Repeated, payload: bytes) -> None:
        """A connection without a name, that has its verdict: its first data comes later still."""
        repeat, now = repeated[0], time.monotonic()
        hears = self._bench.hears(repeat.mac)
        if not hears:
            if len(self._deaf) >= MAX_DEAF:
                self._deaf.clear()
            self._deaf[repeat.mac] = now + DEAF
        if not hears or not repeat.holds(now):
            self._repeated.append(repeated)
            return
        packet = parse_ip(payload)
        event = self._opened(repeat.mac, packet, payload, FORWARD, 0, spoofed=False)
        effects = self._bench.handle(event)
        if type(effects[0]) is Verdict:
            self._todo += effects
            return
        self._bench.exhibits.opened(event, payload)
        with self._inspections.lock:
            self._begin(None, repeat.mac, packet, payload, effects)

    def flush(self) -> None:
        """Tell and carry out what waits for that: called now and then, in the thread that calls `judge`."""
        if self._inspections.open:
            with self._inspections.lock:
                self._inspections.expire(time.monotonic())
        if self._repeated:
            repeated, self._repeated = self._repeated, []
            self._todo += self._bench.repeated(repeated)
        if self._todo:
            todo, self._todo = self._todo, []
            self._bench.carry_out(todo)

    def failed(self, error: BaseException) -> bool:
        """The verdict where `judge` raised."""
        return self._bench.failed(error)

    def _opened(
        self, mac: str, packet: Packet, payload: bytes, hook: int, ours: int, spoofed: bool
    ) -> FlowOpened:
        _, source, destination, protocol, source_port, port, flags, sequence, start, end, _ = packet
        outside = hook == FORWARD and ours != self._passing
        return _tuple(
            FlowOpened,
            (
                mac, source, destination, protocol, source_port, port, sequence,
                _OUTSIDE if outside else scope_of(hook, ours, self._passing),
                spoofed, protocol != TCP or bool(flags & SYN),
                port == NTP_PORT and protocol == UDP and asks_time(payload[start:end]), None,
            ),
        )  # fmt: skip

    def _decide(self, event: FlowOpened | PacketUnreadable, hook: int) -> bool | None:
        effects = self._bench.handle(event)
        self._todo += effects
        accept = verdict_in(effects).accept
        return None if hook == LOCAL_IN else accept

    def _go_on(
        self, inspection: Inspection, mac: str, packet: Packet, payload: bytes, hook: int, ours: int
    ) -> Ruling:
        """The verdict on a further packet of an inspected connection, or on its first one sent again."""
        if not packet.flags & SYN:
            return self._hear(inspection, packet, payload, None)
        effects = self._bench.handle(self._opened(mac, packet, payload, hook, ours, spoofed=False))
        inspection.restart(packet)
        return self._begin(inspection, mac, packet, payload, effects)

    def _begin(
        self, inspection: Inspection | None, mac: str, packet: Packet, payload: bytes, effects: list[Effect]
    ) -> Ruling:
        """The first packet of a connection whose first data is to be judged, or the same sent again. It may
        hold that data already: QUIC's does, and TCP's may (RFC 7413)."""
        opening = verdict_in(effects)
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
            verdict = verdict_in(effects)
            self._todo += self._bench.carry_out_first(effects)
            self._todo += self._bench.exhibits.heard(event, inspection.packets)
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
