# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds of the judge whatever happens, in any order."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from property.made_events import MACS, NAMES, conversations, house, interrupted

from smartrouter.core.destinations import Destination, Match, group_of, service_of
from smartrouter.core.effects import (
    AdmitReplies,
    Cut,
    DismissReplies,
    Effect,
    Flow,
    Inspect,
    Learn,
    LookUp,
    Raise,
    Record,
    Unsettle,
    Verdict,
)
from smartrouter.core.events import (
    AddressClaimed,
    Alias,
    Carried,
    DestinationForgotten,
    DnsAnswered,
    DnsAsked,
    Event,
    FlowOpened,
    HelloHeard,
    LearningFinished,
    LookedUp,
    Moment,
    PacketUnreadable,
    Query,
    Question,
    Reply,
    Scope,
    SettingsChanged,
    Tick,
    Told,
    Transfer,
)
from smartrouter.core.flows import Flows
from smartrouter.core.judge import Judge
from smartrouter.core.learning import State
from smartrouter.core.policy import (
    Action,
    LearningPlan,
    Mode,
    Reason,
    Rule,
)
from smartrouter.core.roster import MAX_DEVICES

PACKETS = (FlowOpened, DnsAsked, DnsAnswered, PacketUnreadable, HelloHeard)
BEFORE_THE_VERDICT = (AdmitReplies, DismissReplies, Inspect, Cut, Unsettle)


def verdicts(effects: list[Effect]) -> list[Verdict]:
    return [effect for effect in effects if isinstance(effect, Verdict)]


def play(judge: Judge, events: list[Event]) -> Iterator[tuple[Event, list[Effect]]]:
    """One event after the other: how the judge stands may be asked in between."""
    for second, event in enumerate(events):
        yield event, judge.handle(event, Moment(float(second), 1.8e9 + second))


@given(interrupted, st.sampled_from(Mode), st.booleans())
def test_every_packet_gets_exactly_one_verdict_and_only_what_must_be_done_first_stands_before_it(
    events: list[Event], mode: Mode, judge_by_hello: bool
) -> None:
    for event, effects in play(Judge(house(mode, judge_by_hello=judge_by_hello)), events):
        assert len(verdicts(effects)) == isinstance(event, PACKETS)
        if isinstance(event, PACKETS):
            before = effects[: effects.index(verdicts(effects)[0])]
            assert all(isinstance(effect, BEFORE_THE_VERDICT) for effect in before)


@given(interrupted, st.booleans())
def test_monitor_mode_never_drops(events: list[Event], protected: bool) -> None:
    """Neither while devices learn nor, in half of these lives from the beginning, once they are protected."""
    learned = [LearningFinished(mac) for mac in MACS] if protected else []
    for _, effects in play(Judge(house(Mode.MONITOR)), [*learned, *events]):
        assert all(verdict.accept for verdict in verdicts(effects))


class Model:
    """Who was told and has learned what: kept apart from the judge, and simpler. Where it cannot tell it
    takes more to be known than the judge may."""

    def __init__(self) -> None:
        self.learned: dict[str, set[Destination]] = {mac: set() for mac in MACS}
        self._told: dict[tuple[str, str], set[str]] = {}
        self._heads: dict[tuple[str, str], set[str]] = {}
        self._asked: dict[str, set[str]] = {}
        self._wanted: set[str] = set()

    def take(self, event: Event, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Learn):
                self.learned[effect.mac].add(effect.destination)
            elif isinstance(effect, LookUp):
                self._wanted.add(effect.name)
        match event:
            case DnsAsked(mac=mac, query=query) if query is not None:
                self._asked.setdefault(query.question.name, set()).add(mac)
            case DnsAnswered(reply=reply):
                (name, target, _), (record,) = reply.aliases[0], reply.addresses
                for mac in self._asked.get(name, ()):
                    self._heads.setdefault((mac, target), set()).add(name)
                    if record.owner in (name, target):
                        self._told.setdefault((mac, record.address), set()).add(name)
            case LookedUp() if event.name in self._wanted:
                for mac in MACS:
                    for address in event.addresses:
                        self._told.setdefault((mac, address), set()).add(event.name)
            case DestinationForgotten(mac=mac, name=name):
                self.learned[mac] = {d for d in self.learned[mac] if name not in ("*", d.name)}

    def called(self, mac: str, name: str) -> set[str]:
        names = {name, *self._heads.get((mac, name), ())}
        return names | {group_of(each, Match.CHAIN) for each in names}

    def knows(self, mac: str, names: set[str], service: str) -> bool:
        candidates = {Destination(name, service) for name in names}
        relatives = [self.learned[other] & candidates for other in MACS if other != mac]
        return bool(candidates & self.learned[mac]) or all(relatives)

    def may_reach(self, event: FlowOpened) -> bool:
        names = {event.destination}
        for name in self._told.get((event.mac, event.destination), ()):
            names |= self.called(event.mac, name)
        return self.knows(event.mac, names, service_of(event.protocol, event.destination_port))

    def may_say(self, event: HelloHeard) -> bool:
        names = self.called(event.mac, event.name) | {event.address}
        return self.knows(event.mac, names, service_of(event.protocol, event.port))


@given(conversations, st.booleans())
@settings(max_examples=300)
def test_enforce_mode_never_lets_an_unknown_destination_of_a_protected_device_through(
    events: list[Event], judge_by_hello: bool
) -> None:
    judge = Judge(house(Mode.ENFORCE, judge_by_hello=judge_by_hello))
    model = Model()
    inspected: set[Flow] = set()
    for event, effects in play(judge, events):
        model.take(event, effects)
        match event:
            case FlowOpened() if judge.roster.devices[event.mac].learning.progress.state is State.PROTECTED:
                flow = Flow(
                    event.source, event.source_port, event.destination, event.destination_port, event.protocol
                )
                inspected |= {effect.flow for effect in effects if isinstance(effect, Inspect)}
                (verdict,) = verdicts(effects)
                if event.spoofed:
                    assert not verdict.accept
                elif verdict.reason is Reason.AWAITING_HELLO:
                    assert judge_by_hello
                    assert flow in inspected
                    assert event.opens
                elif verdict.accept and not (verdict.reason is Reason.TIME and event.asks_time):
                    assert model.may_reach(event)
                elif not verdict.accept and any(isinstance(effect, Record) for effect in effects):
                    assert len(effects) >= 2
            case HelloHeard() if judge.roster.devices[event.mac].learning.progress.state is State.PROTECTED:
                (verdict,) = verdicts(effects)
                if verdict.reason is Reason.KNOWN_HELLO:
                    assert model.may_say(event)
                if not verdict.accept and verdict.reason is Reason.UNKNOWN_HELLO:
                    assert isinstance(effects[0], Cut)
                    assert any(isinstance(effect, Raise) for effect in effects)


rule_destinations = st.sampled_from(
    ["one.example", "*.one.example", "two.example", "*.akamaiedge.net", "*", "203.0.113.0/24"]
)


@given(conversations, rule_destinations, st.sampled_from(["", "web"]), st.sampled_from(Mode))
def test_deny_after_allow_is_deny(events: list[Event], destination: Any, service: str, mode: Mode) -> None:
    wanted = ip_network(destination) if "/" in destination else destination
    allow = Rule("*", wanted, service, Action.ALLOW)
    deny = allow._replace(action=Action.DENY)
    denying, allowing = Judge(house(mode, (deny,))), Judge(house(mode, (allow, deny)))
    for alone, both in zip(play(denying, events), play(allowing, events), strict=True):
        if isinstance(alone[0], FlowOpened) and verdicts(alone[1])[0].reason is Reason.DENIED_BY_RULE:
            assert verdicts(both[1])[0] == Verdict(False, Reason.DENIED_BY_RULE)


@given(conversations, st.sampled_from(Mode))
def test_a_rule_that_denies_all_lets_no_connection_to_the_outside_begin(
    events: list[Event], mode: Mode
) -> None:
    for event, effects in play(Judge(house(mode, (Rule("*", "*", "", Action.DENY),))), events):
        if isinstance(event, FlowOpened):
            assert not verdicts(effects)[0].accept


@given(interrupted, st.sampled_from(Mode))
@settings(max_examples=50)
def test_same_events_give_the_same_effects(events: list[Event], mode: Mode) -> None:
    assert list(play(Judge(house(mode)), events)) == list(play(Judge(house(mode)), events))


@given(conversations, conversations)
@settings(max_examples=50)
def test_settings_read_again_unchanged_change_nothing(before: list[Event], after: list[Event]) -> None:
    once, twice = Judge(house(Mode.ENFORCE)), Judge(house(Mode.ENFORCE))
    assert len(list(play(once, before))) == len(list(play(twice, before)))
    assert twice.handle(SettingsChanged(house(Mode.ENFORCE)), Moment(50.0, 1.8e9)) == []
    assert list(play(once, after)) == list(play(twice, after))


# -- bounds --------------------------------------------------------------------------------------------------


def weigh(thing: object, seen: set[int] | None = None) -> int:
    """How many elements all containers hold that `thing` is made of. The memory of flows is left out: it goes
    up and down by its nature, and has its own tests."""
    seen = set() if seen is None else seen
    if id(thing) in seen or isinstance(thing, str | bytes | int | float | Flows | None):
        return 0
    seen.add(id(thing))
    if isinstance(thing, Mapping):
        return len(thing) + sum(weigh(each, seen) for pair in thing.items() for each in pair)
    if isinstance(thing, Set | Sequence | deque):
        return len(thing) + sum(weigh(each, seen) for each in thing)
    if not type(thing).__module__.startswith("smartrouter."):
        return 0
    slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    parts = [getattr(thing, name) for name in slots if hasattr(thing, name)]
    return sum(weigh(each, seen) for each in (*parts, *getattr(thing, "__dict__", {}).values()))


def flood(judge: Judge, mac: str, number: int) -> None:
    """All that somebody who means harm can make up, once."""
    now = Moment(float(number), 1.8e9 + number)
    name, target = f"h{number}.made{number}.example", f"t{number}.edge{number}.example"
    address, local = (
        f"100.{number >> 16}.{number >> 8 & 255}.{number & 255}",
        f"10.0.{number >> 8 & 255}.{number & 255}",
    )
    question = Question(name, 1, 1)
    for ident in (number % 65536, (number + 1) % 65536):
        judge.handle(DnsAsked(mac, local, 4000, "192.168.1.1", 17, Query(ident, question), Scope.ROUTER), now)
    reply = Reply(
        number % 65536,
        0,
        0,
        False,
        (question,),
        (Alias(name, target, 60),),
        (Told(target, f"8.{address[4:]}", 60),),
    )
    for event in (
        DnsAnswered(local, 4000, "192.168.1.1", 17, reply),
        AddressClaimed(mac, local),
        FlowOpened(mac, local, address, 6, 4000, 443, number, Scope.OUTSIDE),
        FlowOpened(mac, local, f"8.{address[4:]}", 6, 4000, number % 65536, number, Scope.OUTSIDE),
        FlowOpened(mac, local, local, 6, 4000, number % 65536, number, Scope.LAN),
        FlowOpened(mac, local, "192.168.1.1", 6, 4000, number % 65536, number, Scope.ROUTER),
        FlowOpened(mac, address, address, 17, 4000, 5000, 0, Scope.OUTSIDE, spoofed=True),
        HelloHeard(mac, local, 4000, address, 443, 6, name, False),
        HelloHeard(mac, local, 4000, f"9.{address[4:]}", 443, 6, NAMES[0], False),
        LookedUp(name, (address,), 60),
        Carried((Transfer(mac, address, 6, number % 65536, False, 2**25, 1, 1, 1, 1),)),
    ):
        judge.handle(event, now)
    if number % 50 == 0:
        judge.handle(Tick(), now)


@pytest.mark.parametrize("protected", [False, True])
def test_what_one_device_makes_up_fills_no_memory(protected: bool, rounds: Callable[[int], int]) -> None:
    judge = Judge(house(Mode.ENFORCE)._replace(learning=LearningPlan(auto=False, period=1e9)))
    if protected:
        judge.handle(LearningFinished(MACS[0]), Moment(0.0, 1.8e9))
    count = 4500
    for number in range(count):
        flood(judge, MACS[0], number)
    before = weigh(judge)
    for number in range(count, count + rounds(1500)):
        flood(judge, MACS[0], number)
    assert weigh(judge) <= 1.02 * before


def test_made_up_devices_fill_no_memory(rounds: Callable[[int], int]) -> None:
    judge = Judge(house(Mode.ENFORCE))
    count = MAX_DEVICES + 100
    for number in range(count):
        flood(judge, f"06:00:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}", number)
    before = weigh(judge)
    for number in range(count, count + rounds(500)):
        flood(judge, f"06:00:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}", number)
    assert weigh(judge) <= 1.05 * before
