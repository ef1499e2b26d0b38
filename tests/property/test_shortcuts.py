# SPDX-License-Identifier: GPL-2.0-or-later
"""What is settled without asking again, by a precedent or by the kernel, is what asking again would give.

Lives are made up by a generator of our own, with a seed: a precedent needs the same attempt a second time,
with nothing that clears it in between, which hypothesis hardly ever comes upon.
"""

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from property.made_events import MACS, house

from smartrouter.core.effects import (
    Alert,
    Block,
    Deny,
    Effect,
    Flow,
    Know,
    Pair,
    Raise,
    Record,
    RecordMore,
    Unsettle,
    Verdict,
    attempt_of,
)
from smartrouter.core.events import (
    Alias,
    ConnectionsOpen,
    DestinationForgotten,
    DeviceSeen,
    DnsAnswered,
    DnsAsked,
    Event,
    FlowOpened,
    HelloHeard,
    LearningFinished,
    LearningRestarted,
    LookedUp,
    Moment,
    OutageEnded,
    Paused,
    Query,
    Question,
    Reply,
    Scope,
    SettingsChanged,
    Shortcut,
    Tick,
    Told,
)
from smartrouter.core.judge import Judge
from smartrouter.core.policy import ROUTINE, Action, Mode, Reason, Rule, Settings
from smartrouter.core.precedents import Repeat

LOCAL, ROUTER = "192.168.1.2", "192.168.1.1"
DEVICES = MACS[:2]
ADDRESSES = ["203.0.113.1", "203.0.113.2", "2001:db8::1"]
NAMES = ["a.one.example", "b.one.example", "two.example"]
RULED = ["one.example", "*.one.example", "two.example", "*", "203.0.113.1"]
WALL = 1.8e9
SPANS = [0.01] * 30 + [20.0, 61.0, 70.0, 4000.0, 100_000.0, 700_000.0]
STEPS = 120
SETTLING = {Shortcut.KNOWN: Know, Shortcut.BLOCKED: Block, Shortcut.DENIED: Deny}


def made_settings(dice: Random) -> Settings:
    rules = tuple(
        Rule(
            dice.choice(["*", MACS[0]]),
            dice.choice(RULED),
            dice.choice(["", "web", "tcp/23"]),
            dice.choice(list(Action)),
            dice.choice([None, WALL + dice.choice([30.0, 20_000.0]) * dice.random()]),
            once=dice.random() < 0.2,
        )
        for _ in range(dice.choice([0, 0, 1, 2]))
    )
    return house(dice.choice(list(Mode)), rules, judge_by_hello=dice.random() < 0.3)


def resolved(dice: Random) -> list[Event]:
    """A device asks for a name, which may be an alias, and is told an address."""
    name, behind = dice.choice(NAMES), dice.choice(NAMES)
    question = Question(name, 1, 1)
    aliases = (Alias(name, behind, 60),) if behind != name else ()
    reply = Reply(1, 0, 0, False, (question,), aliases, (Told(behind, dice.choice(ADDRESSES), 60),))
    return [
        DnsAsked(dice.choice(DEVICES), LOCAL, 4000, ROUTER, 17, Query(1, question), Scope.ROUTER),
        DnsAnswered(LOCAL, 4000, ROUTER, 17, reply),
    ]


def connected(dice: Random) -> list[Event]:
    mac, address, port = dice.choice(DEVICES), dice.choice(ADDRESSES), dice.choice([443, 443, 23])
    repeated = dice.choice([1, 1, 2, 3])
    if dice.random() < 0.1:
        ports = [dice.randrange(1024, 65536) for _ in range(repeated)]
        return [
            FlowOpened(mac, LOCAL, address, 17, port, 123, 0, Scope.OUTSIDE, asks_time=dice.random() < 0.5)
            for port in ports
        ]
    return [
        FlowOpened(mac, LOCAL, address, 6, 4000, port, dice.randrange(2**32), Scope.OUTSIDE)
        for _ in range(repeated)
    ]


def something_else(dice: Random) -> list[Event]:
    mac = dice.choice(DEVICES)
    open_flows = tuple(Flow(LOCAL, 4000, address, port, 6) for address in ADDRESSES for port in (443, 23))
    made: list[Event] = [
        LearningFinished(mac),
        LearningFinished(mac),
        LearningRestarted(mac),
        DestinationForgotten(mac, dice.choice(["*", "one.example", *ADDRESSES]), ""),
        DeviceSeen(mac, dice.choice([True, False, None]), dice.random() < 0.5, "", "Maker"),
        HelloHeard(mac, LOCAL, 4000, dice.choice(ADDRESSES), 443, 6, dice.choice(NAMES), False),
        LookedUp(dice.choice(NAMES), (dice.choice(ADDRESSES),), 60),
        SettingsChanged(made_settings(dice)),
        SettingsChanged(made_settings(dice)),
        ConnectionsOpen(open_flows),
        Paused(dice.choice([0.0, 5.0])),
        OutageEnded(),
    ]
    return [dice.choice(made)]


def life(seed: int) -> Iterator[tuple[float, Event]]:
    """(running time, event), with a tick before each step, as time passes."""
    dice, running = Random(seed), 0.0
    for _ in range(STEPS):
        running += dice.choice(SPANS)
        yield running, Tick()
        (made,) = dice.choices([connected, resolved, something_else], [60, 25, 15])
        for event in made(dice):
            yield running, event


def at(running: float) -> Moment:
    return Moment(running, WALL + running)


def born(seed: int) -> Judge:
    return Judge(made_settings(Random(-seed)))


LOUDNESS = frozenset((*ROUTINE, Reason.UNKNOWN_NAME, Reason.UNKNOWN_ADDRESS))


def comparable(effects: list[Effect]) -> list[object]:
    """`effects` without what precedents may be late with: to tell a kernel that has lost a pair, and how
    loud news is, which may depend on other devices."""

    def plain(said: Any) -> Any:
        severity = {"severity": ""} if isinstance(said, Alert) else {}
        return said._replace(reason="news", **severity) if said.reason in LOUDNESS else said

    found: list[object] = []
    for effect in effects:
        match effect:
            case Know(again=True):
                pass
            case Verdict():
                found.append(plain(effect))
            case Record():
                found.append(plain(effect.attempt))
            case RecordMore():
                found += [plain(attempt_of(each)) for each in effect.attempts]
            case Raise():
                found.append(plain(effect.alert))
            case _:
                found.append(effect)
    return found


class Follower:
    """Who goes by what was decided before, as the guard does."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.followed = 0
        self._repeats: dict[tuple[object, ...], Repeat | None] = {}

    def handle(self, event: Event, now: Moment) -> list[Effect]:
        if not isinstance(event, FlowOpened):
            return self.judge.handle(event, now)
        if event.destination_port == 123:
            return self.judge.handle(event, now)
        sort = (*event[:4], event.destination_port)
        repeat = self._repeats.get(sort)
        if repeat is not None and repeat.holds(now.running) and not repeat.is_nameless:
            self.followed += 1
            verdict: Effect = repeat.verdict
            return [verdict, *self.judge.repeated([(repeat, event.source_port, event.sequence)], now)]
        effects = self.judge.handle(event, now)
        self._repeats[sort] = self.judge.repeat(event)
        return effects


def test_a_precedent_changes_nothing(rounds: Callable[[int], int]) -> None:
    followed = 0
    for seed in range(rounds(80)):
        following, thinking = Follower(born(seed)), born(seed)
        for running, event in life(seed):
            for device in thinking.roster.devices.values():
                device.precedents.clear()
            effects = following.handle(event, at(running)), thinking.handle(event, at(running))
            once, again = (comparable(each) for each in effects)
            assert once == again, seed
        assert following.judge.counts.total() == thinking.counts.total()
        followed += following.followed
    assert followed > 500  # else this test has seen nothing


class Kernel:
    """What the sets hold, as the effects say."""

    def __init__(self) -> None:
        self.pairs: dict[Pair, tuple[Shortcut, float]] = {}

    def take(self, effects: list[Effect], running: float) -> None:
        for effect in effects:
            match effect:
                case Know(pair, seconds, again):
                    assert again or pair not in self.pairs
                    self.pairs[pair] = Shortcut.KNOWN, running + seconds
                case Block(pair, seconds):
                    self.pairs[pair] = Shortcut.BLOCKED, running + seconds
                case Deny(pair, seconds):
                    self.pairs[pair] = Shortcut.DENIED, running + seconds
                case Unsettle(pair, was):
                    assert self.pairs.get(pair, (was,))[0] is was
                    self.pairs.pop(pair, None)
        self.pairs = {pair: held for pair, held in self.pairs.items() if held[1] > running}


def test_the_kernel_settles_only_what_the_judge_would_settle_alike(rounds: Callable[[int], int]) -> None:
    checked: Counter[Shortcut] = Counter()
    for seed in range(rounds(80)):
        judge, kernel = born(seed), Kernel()
        for number, (running, event) in enumerate(life(seed)):
            kernel.take(judge.handle(event, at(running)), running)
            if number % 25 == 0:
                checked.update(shortcut for shortcut, _ in kernel.pairs.values())
                agree(judge, kernel, running)
            wanted = {(type(each), each.pair) for each in judge.shortcuts.wanted(at(running))}
            assert wanted == {(SETTLING[held[0]], pair) for pair, held in kernel.pairs.items()}, seed
            assert sum(judge.shortcuts.counts().values()) >= len(kernel.pairs)
    assert all(checked[shortcut] > 20 for shortcut in Shortcut), checked


def agree(judge: Judge, kernel: Kernel, running: float) -> None:
    """Ask the judge about each pair that the kernel settles by itself."""
    for pair, (shortcut, _) in kernel.pairs.items():
        opened = FlowOpened(pair.mac, LOCAL, pair.address, pair.protocol, 9, pair.port, 7, Scope.OUTSIDE)
        effects = copy.deepcopy(judge).handle(opened, at(running))
        (verdict,) = [effect for effect in effects if isinstance(effect, Verdict)]
        assert verdict.accept is (shortcut is Shortcut.KNOWN), (pair, shortcut)
        if shortcut is Shortcut.KNOWN:
            assert verdict.reason in (Reason.LEARNED, Reason.ALLOWED_BY_RULE)
        if shortcut is Shortcut.DENIED:
            assert verdict.reason is Reason.DENIED_BY_RULE
