# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of each effect, in which order, and what happens where the kernel refuses."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import Any, get_args

import pytest
from unit.made_effects import alias, forget, keep, label, learn, raised, record, told, withdraw

from smartrouter.core.destinations import Destination
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
    Inspect,
    KeepUsual,
    Know,
    LookUp,
    Pair,
    RecordMore,
    Relax,
    Release,
    Unsettle,
    Unwatch,
    Verdict,
    Watch,
)
from smartrouter.core.errors import Unavailable
from smartrouter.core.events import Event, Moment, Shortcut, Tick
from smartrouter.core.policy import Action, Reason, Rule
from smartrouter.core.uploads import Usual
from smartrouter.guard.bench import Bench
from smartrouter.guard.settling import Settling
from smartrouter.linux.pairs import PairChange
from smartrouter.store.exhibits import Attach

MAC = "02:00:00:00:00:01"
OVER_TCP = Flow("192.168.1.2", 40000, "203.0.113.9", 443, 6)
OVER_UDP = OVER_TCP._replace(protocol=17)
ONE, TWO = Pair(MAC, "203.0.113.9", 6, 443), Pair(MAC, "203.0.113.9", 17, 443)
YES = Verdict(True, Reason.LEARNED)

STORED: list[Effect] = [
    AddVolume(MAC, 1, Destination("a.example", "web"), 1, 2, 3, 4, 5),
    KeepUsual(MAC, Destination("a.example", "web"), Usual(6, 7)),
    RecordMore([]),
    record(), raised(), withdraw(), label(), learn(), forget(), told(), alias(), keep(),
]  # fmt: skip
SET_CHANGES: list[tuple[Effect, tuple[Any, ...]]] = [
    (AdmitReplies("192.168.1.2"), ("admit", "192.168.1.2")),
    (DismissReplies("192.168.1.2"), ("dismiss", "192.168.1.2")),
    (Inspect(OVER_TCP, held=True), ("inspect", OVER_TCP, True)),
    (Inspect(OVER_TCP, held=False), ("inspect", OVER_TCP, False)),
    (Release(OVER_TCP), ("release", OVER_TCP)),
    (Cut(OVER_TCP), ("cut", OVER_TCP)),
    (Watch(MAC), ("watch", MAC)),
    (Unwatch(MAC), ("unwatch", MAC)),
    (Enforce(MAC), ("enforce", MAC)),
    (Relax(MAC), ("relax", MAC)),
    (Disconnect(OVER_TCP), ("forget_flows", [OVER_TCP])),
]
PAIRS: list[Know | Block | Deny] = [Know(ONE, 60.0), Block(ONE, 60.0), Deny(ONE, 60.0)]
NOTHING_TO_CHANGE: list[Effect] = [Inspect(OVER_UDP, held=True), Release(OVER_UDP), Cut(OVER_UDP)]


RULE = Rule(MAC, "a.example", "web", Action.ALLOW, once=True)


class Around:
    """The judge, the kernel, the store and who looks names up: `done` is what each was told, in order.
    `refused`: what the kernel will not do, by the name of the call; `not_wanted`: pairs that are to be
    settled no more."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.refused: set[str] = set()
        self.not_wanted: set[Pair] = set()
        self.counts: Counter[Reason] = Counter()
        self.answers: dict[Event, list[Effect]] = {}
        self.moments: list[Moment] = []

    def still(self, changes: list[Settling]) -> list[Settling]:
        return [each for each in changes if each.pair not in self.not_wanted]

    def handle(self, event: Event, now: Moment) -> list[Effect]:
        self.moments.append(now)
        return list(self.answers[event])

    def era(self, running: float) -> object:
        return None

    def repeat(self, *_: object) -> Any:
        raise NotImplementedError

    def hears(self, mac: str, now: Moment) -> bool:
        return True

    def repeated(self, *_: object, **__: object) -> Any:
        raise NotImplementedError

    def answered(self, *_: object) -> Any:
        raise NotImplementedError

    def store(self, effects: Sequence[Effect | Attach]) -> None:
        self.done.append(("store", list(effects)))

    def look_up(self, name: str) -> None:
        self.done.append(("look_up", name))

    def end(self, rule: Rule) -> None:
        self.done.append(("end", rule))

    def change_pairs(self, changes: Sequence[PairChange]) -> int:
        self._do("change_pairs", list(changes))
        return 0

    def inspect(self, flow: Flow, *, held: bool) -> None:
        self._do("inspect", flow, held)

    def forget_flows(self, flows: Iterable[Flow]) -> int:
        self._do("forget_flows", list(flows))
        return 1

    def watch(self, mac: str) -> None:
        self._do("watch", mac)

    def unwatch(self, mac: str) -> None:
        self._do("unwatch", mac)

    def enforce(self, mac: str) -> None:
        self._do("enforce", mac)

    def relax(self, mac: str) -> None:
        self._do("relax", mac)

    def admit(self, address: str) -> None:
        self._do("admit", address)

    def dismiss(self, address: str) -> None:
        self._do("dismiss", address)

    def release(self, flow: Flow) -> None:
        self._do("release", flow)

    def cut(self, flow: Flow) -> None:
        self._do("cut", flow)

    def _do(self, what: str, *arguments: Any) -> None:
        if what in self.refused:
            raise Unavailable("not today")
        self.done.append((what, *arguments))


@pytest.fixture
def around() -> Around:
    return Around()


@pytest.fixture
def bench(around: Around) -> Bench:
    return Bench(around, around, around.store, fail_open=True, look_up=around.look_up, end=around.end)


def test_every_effect_is_spoken_of_here() -> None:
    spoken_of = [
        *STORED,
        *(effect for effect, _ in SET_CHANGES),
        *PAIRS,
        YES,
        LookUp(""),
        End(RULE),
        Unsettle(ONE, Shortcut.KNOWN),
    ]
    assert {type(effect) for effect in spoken_of} == set(get_args(Effect))


def test_what_is_stored_is_stored_with_one_call_in_its_order(bench: Bench, around: Around) -> None:
    mixed: list[Effect] = [YES]
    for stored, (change, _) in zip(STORED, cycle(SET_CHANGES), strict=False):
        mixed += [stored, change]
    assert bench.carry_out(mixed)
    calls = [call for call in around.done if call[0] == "store"]
    assert calls == [("store", STORED)]
    assert around.done[-1] == calls[0]  # when the kernel has everything


def test_nothing_is_stored_where_there_is_nothing_to_store(bench: Bench, around: Around) -> None:
    assert bench.carry_out([YES])
    assert bench.carry_out([])
    assert around.done == []


@pytest.mark.parametrize(("effect", "call"), SET_CHANGES, ids=lambda each: str(each)[:30])
def test_a_change_of_a_set_is_made(
    bench: Bench, around: Around, effect: Effect, call: tuple[Any, ...]
) -> None:
    assert bench.carry_out([effect])
    assert around.done == [call]


@pytest.mark.parametrize(("effect", "call"), SET_CHANGES, ids=lambda each: str(each)[:30])
def test_what_the_kernel_refuses_is_counted_and_told_and_stops_nothing(
    bench: Bench, around: Around, effect: Effect, call: tuple[Any, ...]
) -> None:
    around.refused = {call[0]}
    another = next(each for each in SET_CHANGES if each[1][0] != call[0])
    assert bench.carry_out([effect, another[0], STORED[0]]) is False
    assert around.done == [another[1], ("store", STORED[:1])]
    assert bench.refusals == 1
    assert bench.carry_out([another[0], effect]) is False  # whichever comes last
    assert bench.refusals == 2


@pytest.mark.parametrize("effect", NOTHING_TO_CHANGE)
def test_of_other_connections_than_those_of_tcp_the_kernel_hands_over_each_packet_anyway(
    bench: Bench, around: Around, effect: Effect
) -> None:
    assert bench.carry_out([effect])
    assert around.done == []


@pytest.mark.parametrize("effect", PAIRS)
def test_what_the_kernel_may_settle_goes_there_later(
    bench: Bench, around: Around, effect: Know | Block | Deny
) -> None:
    assert bench.carry_out([effect])
    assert around.done == []
    bench.pairs.flush()
    assert around.done == [("change_pairs", [effect])]


def test_what_is_to_be_asked_again_is_out_first_and_in_one_transaction(bench: Bench, around: Around) -> None:
    unsettled = [Unsettle(ONE, Shortcut.KNOWN), Unsettle(TWO, Shortcut.BLOCKED)]
    bench.carry_out([Know(ONE, 60.0)])
    around.not_wanted = {ONE}
    assert bench.carry_out([Watch(MAC), unsettled[0], STORED[0], unsettled[1], Deny(TWO, 60.0)])
    assert around.done == [("change_pairs", unsettled), ("watch", MAC), ("store", STORED[:1])]
    bench.pairs.flush()  # what waited to become known does not; what is said after it does
    assert around.done[3:] == [("change_pairs", [Deny(TWO, 60.0)])]


def test_where_the_kernel_will_not_ask_again_that_is_counted_and_told(bench: Bench, around: Around) -> None:
    around.refused = {"change_pairs"}
    unsettled = [Unsettle(ONE, Shortcut.KNOWN), Unsettle(TWO, Shortcut.BLOCKED)]
    assert bench.carry_out([*unsettled, Watch(MAC), STORED[0]]) is False
    assert bench.refusals == 1
    assert around.done == [("watch", MAC), ("store", STORED[:1])]


def test_a_name_is_handed_on_to_whom_looks_it_up(bench: Bench, around: Around) -> None:
    assert bench.carry_out([LookUp("a.example"), LookUp("b.example")])
    assert around.done == [("look_up", "a.example"), ("look_up", "b.example")]


def test_a_rule_that_is_over_is_handed_on_to_whom_ends_it(bench: Bench, around: Around) -> None:
    assert bench.carry_out([YES, End(RULE)])
    assert around.done == [("end", RULE)]


def test_what_must_come_before_a_verdict_is_done_and_the_rest_is_given_back_in_order(
    bench: Bench, around: Around
) -> None:
    first: list[Effect] = [
        AdmitReplies("192.168.1.2"), DismissReplies("192.168.1.3"), Inspect(OVER_TCP, held=True),
        Release(OVER_TCP), Cut(OVER_TCP), Unsettle(ONE, Shortcut.KNOWN),
    ]  # fmt: skip
    others: list[Effect] = [
        YES, *STORED, *PAIRS, Watch(MAC), Unwatch(MAC), Enforce(MAC), Relax(MAC), LookUp("a.example"),
        Disconnect(OVER_TCP), End(RULE),
    ]  # fmt: skip
    mixed: list[Effect] = []
    for number, other in enumerate(others):
        mixed += [*first[number : number + 1], other]
    assert bench.carry_out_first(mixed) == others
    assert [call[0] for call in around.done] == [
        "change_pairs", "admit", "dismiss", "inspect", "release", "cut",
    ]  # fmt: skip
    assert bench.carry_out_first(others) == others
    assert len(around.done) == 6


def test_what_comes_at_once_is_judged_at_one_moment(bench: Bench, around: Around) -> None:
    around.answers = {Tick(): [YES, STORED[0]]}
    assert bench.handle_all([Tick(), Tick()]) == [YES, STORED[0]] * 2
    assert len(around.moments) == 2
    assert len(set(around.moments)) == 1
    assert bench.handle(Tick()) == [YES, STORED[0]]
    assert around.moments[-1].running >= around.moments[0].running


@pytest.mark.parametrize("fail_open", [True, False])
def test_a_fault_of_ours_costs_one_packet_its_judgement(around: Around, fail_open: bool) -> None:
    bench = Bench(around, around, around.store, fail_open=fail_open)
    for number in range(1, 21):
        assert bench.failed(ValueError("ours")) is fail_open
        assert (bench.errors, around.counts[Reason.OUR_ERROR]) == (number, number)


def test_a_packet_of_several_verdicts_is_counted_by_its_last(bench: Bench, around: Around) -> None:
    verdicts = [Verdict(True, Reason.DNS_QUERY), Verdict(True, Reason.DNS_QUERY), YES]
    around.counts.update(verdict.reason for verdict in verdicts)
    bench.count_once(verdicts)
    assert around.counts == {Reason.LEARNED: 1, Reason.DNS_QUERY: 0}
    bench.count(Reason.DNS_REPLY)
    assert around.counts[Reason.DNS_REPLY] == 1
