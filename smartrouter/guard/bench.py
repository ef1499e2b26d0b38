# SPDX-License-Identifier: GPL-2.0-or-later
"""Where judging happens: the judge behind its lock, and the hands that carry its effects out.

Knows nothing of packets, of processes or of configuration files.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from threading import Lock
from typing import Protocol, TypeAlias, assert_never, get_args

from smartrouter.core.effects import (
    AddVolume,
    AdmitReplies,
    Block,
    Cut,
    Deny,
    Disconnect,
    DismissReplies,
    Effect,
    End,
    Enforce,
    Flow,
    Forget,
    Inspect,
    Keep,
    KeepUsual,
    Know,
    Label,
    Learn,
    LookUp,
    Name,
    NameAlias,
    Raise,
    Record,
    RecordMore,
    Relax,
    Release,
    Unsettle,
    Unwatch,
    Verdict,
    Watch,
    Withdraw,
)
from smartrouter.core.errors import Unavailable
from smartrouter.core.events import TCP, Event, FlowOpened, Moment, Shortcut
from smartrouter.core.naming import Answer
from smartrouter.core.policy import Reason, Rule
from smartrouter.core.precedents import Repeat, Repeated
from smartrouter.guard.exhibits import Exhibits
from smartrouter.guard.settling import PairSets, PairWriter, Settling
from smartrouter.journal import Journal
from smartrouter.store.exhibits import Attach

log = Journal("smartrouter.guard")

_Stored: TypeAlias = (
    Record
    | RecordMore
    | Raise
    | Withdraw
    | Label
    | Learn
    | Forget
    | Name
    | NameAlias
    | Keep
    | AddVolume
    | KeepUsual
)
_SetChange: TypeAlias = (
    AdmitReplies | DismissReplies | Inspect | Release | Cut | Watch | Unwatch | Enforce | Relax | Disconnect
)
_STORED = frozenset((*get_args(_Stored), Attach))
_FIRST = frozenset((AdmitReplies, DismissReplies, Inspect, Release, Cut, Unsettle))
"""What must have taken effect before a verdict is given."""

_tuple = tuple.__new__  # makes a NamedTuple in half the time
_running, _wall = time.monotonic, time.time


def now() -> Moment:
    """This moment, by both clocks."""
    return _tuple(Moment, (_running(), _wall()))


class Judge(Protocol):
    """Who decides, as far as a packet needs it. `counts`: packets by the reason of their verdict."""

    counts: Counter[Reason]

    def still(self, changes: list[Settling]) -> list[Settling]: ...
    def handle(self, event: Event, now: Moment) -> list[Effect]: ...
    def repeat(self, event: FlowOpened) -> Repeat | None: ...
    def era(self, running: float) -> object: ...
    def hears(self, mac: str, now: Moment) -> bool: ...
    def answered(self, answers: Collection[Answer], now: Moment) -> list[tuple[int, list[Effect]]]: ...
    def repeated(
        self, packets: Collection[Repeated], now: Moment, *, judged: bool = True
    ) -> list[Effect]: ...


class Sets(PairSets, Protocol):
    """The kernel's sets, as far as they are changed here; each call returns when the kernel has done it."""

    def watch(self, mac: str) -> None: ...
    def unwatch(self, mac: str) -> None: ...
    def enforce(self, mac: str) -> None: ...
    def relax(self, mac: str) -> None: ...
    def admit(self, address: str) -> None: ...
    def dismiss(self, address: str) -> None: ...
    def inspect(self, flow: Flow, *, held: bool) -> None: ...
    def release(self, flow: Flow) -> None: ...
    def cut(self, flow: Flow) -> None: ...
    def forget_flows(self, flows: Iterable[Flow]) -> int: ...


def _ignore(_: object) -> None:
    """Where nobody looks names up, or ends rules."""


class Bench:
    """See the module. `store` takes what is to be stored, `look_up` a name that the router is to look up,
    `end` a rule that has allowed its one connection; none of them ever waits."""

    def __init__(
        self,
        judge: Judge,
        sets: Sets,
        store: Callable[[Sequence[Effect | Attach]], object],
        *,
        fail_open: bool,
        look_up: Callable[[str], object] = _ignore,
        end: Callable[[Rule], object] = _ignore,
    ):
        self.judge = judge
        self.sets = sets
        self.pairs = PairWriter(sets, self._still)
        self.exhibits = Exhibits()
        self.store = store
        self.look_up = look_up
        self.end = end
        self.fail_open = fail_open
        self.lock = Lock()
        self.errors = 0  # faults of ours, each of which cost one packet its proper judgement
        self.refusals = 0  # changes of sets that the kernel would not have
        self.withheld = 0  # packets dropped without a word, because more of the same must come first
        self.recorded: Counter[Shortcut] = Counter()  # packets that the kernel settled, and told us of

    def handle(self, event: Event) -> list[Effect]:
        """Judge `event` now; its effects are still to be carried out."""
        with self.lock:
            return self.judge.handle(event, now())

    def repeated(self, packets: Collection[Repeated], *, judged: bool = True) -> list[Effect]:
        """Tell the judge of packets that got the verdict of earlier ones, see `Judge.repeated`. `judged`:
        here, not by the kernel."""
        with self.lock:
            return self.judge.repeated(packets, now(), judged=judged)

    def answered(self, answers: Collection[Answer]) -> list[tuple[int, list[Effect]]]:
        """Tell the judge of DNS replies, see `Judge.answered`."""
        with self.lock:
            return self.judge.answered(answers, now())

    def hears(self, mac: str) -> bool:
        """May the first data of another connection of this device be looked at?"""
        with self.lock:
            return self.judge.hears(mac, now())

    def repeat(self, event: FlowOpened) -> Repeat | None:
        """What to judge packets like `event` by, see `Judge.repeat`."""
        with self.lock:
            return self.judge.repeat(event)

    def handle_all(self, events: Iterable[Event]) -> list[Effect]:
        """The same for several that come at once."""
        moment = now()
        with self.lock:
            return [effect for event in events for effect in self.judge.handle(event, moment)]

    def carry_out(self, effects: Iterable[Effect | Attach]) -> bool:
        """Do what `effects` say, verdicts apart: those belong to a packet. False if one could not be done.
        With alerts the packets behind them are stored."""
        done = True
        stored: list[Effect | Attach] = []
        unsettled: list[Unsettle] = []
        others: list[Effect | Attach] = []
        for effect in effects:
            kind = type(effect)
            if kind in _STORED:
                stored.append(effect)
            elif kind is Unsettle:
                unsettled.append(effect)  # type: ignore[arg-type]
            elif kind is not Verdict:
                others.append(effect)
        if unsettled:
            done = self._unsettle(unsettled)
        for effect in others:
            match effect:
                case Know() | Block() | Deny():
                    self.pairs.put(effect)
                case LookUp():
                    self.look_up(effect.name)
                case End():
                    self.end(effect.rule)
                case Inspect() | Release() | Cut() if effect.flow.protocol != TCP:
                    pass  # of any other connection each packet comes, until the server has answered
                case _:
                    done = self._change_set(effect) and done  # type: ignore[arg-type]
        if stored:
            if Raise in map(type, stored):
                stored += self.exhibits.behind(stored)
            self.store(stored)
        return done

    def carry_out_first(self, effects: Iterable[Effect]) -> list[Effect]:
        """Do those of `effects` that must be done before a verdict is given; gives the others."""
        others: list[Effect] = []
        first: list[Effect] = []
        for effect in effects:
            (first if type(effect) in _FIRST else others).append(effect)
        if first:
            self.carry_out(first)
        return others

    def _still(self, changes: list[Settling]) -> list[Settling]:
        with self.lock:
            return self.judge.still(changes)

    def _unsettle(self, changes: Sequence[Unsettle]) -> bool:
        try:
            self.pairs.unsettle(changes)
        except Unavailable as error:
            return self._refused(type(changes[0]).__name__, error)
        return True

    def _change_set(self, effect: _SetChange) -> bool:
        try:
            match effect:
                case AdmitReplies():
                    self.sets.admit(effect.address)
                case DismissReplies():
                    self.sets.dismiss(effect.address)
                case Inspect():
                    self.sets.inspect(effect.flow, held=effect.held)
                case Release():
                    self.sets.release(effect.flow)
                case Cut():
                    self.sets.cut(effect.flow)
                case Watch():
                    self.sets.watch(effect.mac)
                case Unwatch():
                    self.sets.unwatch(effect.mac)
                case Enforce():
                    self.sets.enforce(effect.mac)
                case Relax():
                    self.sets.relax(effect.mac)
                case Disconnect():
                    self.sets.forget_flows([effect.flow])
                case _:
                    assert_never(effect)
        except Unavailable as error:
            return self._refused(type(effect).__name__, error)
        return True

    def _refused(self, what: str, error: Unavailable) -> bool:
        self.refusals += 1
        if self.refusals <= 10 or self.refusals % 1000 == 0:
            log.error("%s not done (%d): %s", what, self.refusals, error)
        return False

    def count(self, reason: Reason) -> None:
        """Count a packet that needed no judge."""
        with self.lock:
            self.judge.counts[reason] += 1

    def count_once(self, verdicts: list[Verdict]) -> None:
        """Have one packet counted once, by the last of its verdicts: however many there were."""
        with self.lock:
            self.judge.counts.subtract(verdict.reason for verdict in verdicts[:-1])

    def failed(self, error: BaseException) -> bool:
        """A fault of ours while judging; gives the verdict that `on_failure` asks for."""
        self.errors += 1
        self.count(Reason.OUR_ERROR)
        if self.errors <= 10:
            log.error("fault %d while judging a packet", self.errors, exc_info=error)
        return self.fail_open
