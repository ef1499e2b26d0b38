# SPDX-License-Identifier: GPL-2.0-or-later
"""The judge as a machine that anything may be done to, in any order, with a kernel and a store that do as its
effects say: what must hold after each step. hypothesis looks for the shortest life in which it does not.
"""

import os
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from property.made_events import MACS, NAMES, house
from property.test_shortcuts import SETTLING, Kernel

from smartrouter.core.destinations import Destination
from smartrouter.core.effects import Effect, Forget, Keep, Learn, Name, NameAlias, Pair, Record, Verdict
from smartrouter.core.events import (
    Alias,
    DestinationForgotten,
    DnsAnswered,
    DnsAsked,
    Event,
    FlowOpened,
    HelloHeard,
    LearningFinished,
    LearningRestarted,
    Moment,
    OutageEnded,
    PacketUnreadable,
    Paused,
    Query,
    Question,
    Reply,
    Scope,
    SettingsChanged,
    SettledBefore,
    Shortcut,
    Tick,
    Told,
)
from smartrouter.core.judge import Judge
from smartrouter.core.learning import Progress, Seen, State
from smartrouter.core.policy import KNOWN, Action, Mode, Reason, Rule, Settings

EXAMPLES = 100 * max(1, round(float(os.environ.get("ROUNDS", "1"))))
LOCAL, ROUTER, WALL = "192.168.1.2", "192.168.1.1", 1.8e9
NAME_TTL = 60

macs, names = st.sampled_from(MACS[:2]), st.sampled_from(NAMES)
addresses = st.sampled_from(["203.0.113.1", "203.0.113.2", "2001:db8::1"])
ports, modes = st.sampled_from([443, 443, 23]), st.sampled_from(Mode)
DENY_ALL = Rule(MACS[0], "*", "", Action.DENY)
DENY_ONE = Rule("*", "one.example", "", Action.DENY)
ALLOW_TWO = Rule("*", "two.example", "", Action.ALLOW)
rules = st.sampled_from([(), (DENY_ALL,), (DENY_ONE,), (ALLOW_TWO,)])
# Why a packet of a protected device may pass: what it is, the user's word, or one of two exceptions.
EXCUSES = KNOWN | {Reason.ALLOWED_BY_RULE, Reason.PAUSED, Reason.AFTER_OUTAGE}


class Life(RuleBasedStateMachine):
    """A house with a judge, its twin that hears the same, a kernel and a store."""

    def __init__(self) -> None:
        super().__init__()
        self.settings: Settings = house(Mode.MONITOR)
        self.running = 0.0
        self.restarted = False
        self.ports = 1024
        self.kernel = Kernel()
        self.learned: dict[str, dict[Destination, Seen]] = {}
        self.progress: dict[str, Progress] = {}
        self.names: dict[str, list[tuple[str, str, int, float]]] = {}
        self.aliases: dict[str, list[tuple[str, str, float]]] = {}
        self._born()

    @initialize(mode=modes, protected=st.booleans())
    def begin(self, mode: Mode, protected: bool) -> None:
        self.settings = house(mode, judge_by_hello=False)
        self._born()
        for mac in MACS[:2] if protected else ():
            self.tell(LearningFinished(mac))

    def _born(self) -> None:
        self.judge, self.twin = Judge(self.settings), Judge(self.settings)
        self.judged = 0

    # -- how an event is told ------------------------------------------------------------------------------

    @property
    def now(self) -> Moment:
        return Moment(self.running, WALL + self.running)

    def tell(self, event: Event) -> list[Effect]:
        """To both; carry out what comes of it."""
        effects = self.judge.handle(event, self.now)
        assert self.twin.handle(event, self.now) == effects, "the same events give the same effects"
        self.kernel.take(effects, self.running)
        for effect in effects:
            match effect:
                case Learn(mac, destination, seen, _):
                    self.learned.setdefault(mac, {})[destination] = seen
                case Forget(mac, destination):
                    self.learned.get(mac, {}).pop(destination, None)
                case Keep(mac, progress):
                    self.progress[mac] = progress
                case Name(mac, address, name, ttl, at):
                    self.names.setdefault(mac, []).append((address, name, ttl, at))
                case NameAlias(mac, target, head, at):
                    self.aliases.setdefault(mac, []).append((target, head, at))
        return effects

    def packet(self, event: Event) -> Verdict:
        """It gets one verdict."""
        (verdict,) = (effect for effect in self.tell(event) if isinstance(effect, Verdict))
        self.judged += 1
        if self.settings.mode is Mode.MONITOR:
            assert verdict.accept or verdict.reason is Reason.DENIED_BY_RULE
        return verdict

    def pass_on(self, seconds: float) -> None:
        self.running += seconds
        self.tell(Tick())

    # -- what may happen -----------------------------------------------------------------------------------

    @rule(mac=macs, name=names, behind=names, address=addresses)
    def resolve(self, mac: str, name: str, behind: str, address: str) -> None:
        question = Question(name, 28 if ":" in address else 1, 1)
        aliases = (Alias(name, behind, NAME_TTL),) if behind != name else ()
        told = (Told(behind, address, NAME_TTL),)
        self.packet(DnsAsked(mac, LOCAL, 4000, ROUTER, 17, Query(1, question), Scope.ROUTER))
        self.packet(DnsAnswered(LOCAL, 4000, ROUTER, 17, Reply(1, 0, 0, False, (question,), aliases, told)))

    @rule(mac=macs, address=addresses, port=ports)
    def connect(self, mac: str, address: str, port: int) -> None:
        """Through the kernel, which settles by itself what it was told to."""
        self.ports += 1
        held = self.kernel.pairs.get(Pair(mac, address, 6, port))
        event = FlowOpened(
            mac, LOCAL, address, 6, self.ports, port, self.ports, Scope.OUTSIDE,
            settled=None if held is None else held[0],
        )  # fmt: skip
        protected = self.judge.roster.device(mac).learning.progress.state is State.PROTECTED
        if held is not None:
            effects = self.tell(event)
            assert not any(isinstance(effect, Verdict) for effect in effects)
            accepted = held[0] is Shortcut.KNOWN
            assert all(
                effect.attempt.accepted is accepted for effect in effects if isinstance(effect, Record)
            )
        else:
            verdict = self.packet(event)
            accepted = verdict.accept
            if protected and accepted and self.settings.mode is Mode.ENFORCE:
                assert verdict.reason in EXCUSES, verdict
        if DENY_ALL in self.settings.rules and mac == MACS[0]:
            assert not accepted
        if accepted and protected and self.settings.mode is Mode.ENFORCE and held is not None:
            assert self.learned.get(mac) or self.settings.rules, "the kernel lets through what nobody learned"

    @rule(mac=macs, address=addresses, name=names)
    def say_hello(self, mac: str, address: str, name: str) -> None:
        self.packet(HelloHeard(mac, LOCAL, 4000, address, 443, 6, name, False))

    @rule(mac=macs)
    def send_nonsense(self, mac: str) -> None:
        verdict = self.packet(PacketUnreadable(mac, Scope.OUTSIDE))
        protected = self.judge.roster.device(mac).learning.progress.state is State.PROTECTED
        strict = protected and self.settings.mode is Mode.ENFORCE and not self.judge.paused_for(self.now)
        assert verdict.accept is not strict

    @rule(mac=macs, again=st.booleans())
    def decide_about_learning(self, mac: str, again: bool) -> None:
        self.tell(LearningRestarted(mac) if again else LearningFinished(mac))

    @rule(mac=macs, name=st.sampled_from(["*", "one.example", "203.0.113.1"]))
    def forget(self, mac: str, name: str) -> None:
        self.tell(DestinationForgotten(mac, name, ""))
        assert not any(name in ("*", each.name) for each in self.learned.get(mac, {}))

    @rule(mode=modes, wanted=rules)
    def configure(self, mode: Mode, wanted: tuple[Rule, ...]) -> None:
        self.settings = self.settings._replace(mode=mode, rules=wanted)
        self.tell(SettingsChanged(self.settings))

    @rule(event=st.sampled_from([Paused(5.0), Paused(0.0), OutageEnded()]))
    def interrupt(self, event: Any) -> None:
        self.tell(event)

    @rule(seconds=st.sampled_from([0.01, 1.0, 61.0, 4000.0, 100_000.0, 700_000.0]))
    def wait(self, seconds: float) -> None:
        self.pass_on(seconds)

    @precondition(lambda self: self.progress or self.learned)
    @rule()
    def start_anew(self) -> None:
        """As after kill -9: what the store and the kernel hold is taken up."""
        pairs = tuple((pair, shortcut) for pair, (shortcut, _) in self.kernel.pairs.items())
        self._born()
        self.restarted = True
        stored = {mac: Progress() for mac in self.learned} | self.progress
        for judge in (self.judge, self.twin):
            for mac, progress in stored.items():
                learned = dict(self.learned.get(mac, {}))
                told, led = self.names.get(mac, ()), self.aliases.get(mac, ())
                judge.restore(mac, progress, learned, told, self.now, led)
        self.tell(SettledBefore(pairs))
        self.tell(Tick())
        for mac, learned in self.learned.items():
            assert self.judge.roster.devices[mac].learning.learned.keys() >= learned.keys()

    # -- what holds after each step ------------------------------------------------------------------------

    @invariant()
    def all_adds_up(self) -> None:
        """The kernel holds what the judge wants; each packet is counted once, under its reason; and
        nobody is known who never was there."""
        wanted = {(type(each), each.pair) for each in self.judge.shortcuts.wanted(self.now)}
        held = {(SETTLING[shortcut], pair) for pair, (shortcut, _) in self.kernel.pairs.items()}
        assert held <= wanted
        assert wanted == held or self.restarted, "only what an earlier guard gave may end unnoticed"
        assert self.judge.counts.total() == self.judged
        assert self.judge.roster.devices.keys() <= set(MACS)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=EXAMPLES, stateful_step_count=50, deadline=None)
