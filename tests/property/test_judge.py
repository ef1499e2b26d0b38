# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds of the judge whatever happens, in any order."""

from ipaddress import ip_network
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from smartrouter.core.destinations import Destination, Match, group_of, service_of
from smartrouter.core.effects import AdmitReplies, DismissReplies, Effect, Learn, Raise, Verdict
from smartrouter.core.events import (
    DestinationForgotten,
    DeviceSeen,
    DnsAnswered,
    DnsAsked,
    Event,
    FlowOpened,
    LearningFinished,
    LearningRestarted,
    Moment,
    PacketUnreadable,
    Query,
    Question,
    Reply,
    Scope,
    SettingsChanged,
    Tick,
    Told,
)
from smartrouter.core.judge import Judge
from smartrouter.core.learning import State
from smartrouter.core.policy import (
    Action,
    DeviceSettings,
    LearningPlan,
    Mode,
    Reason,
    Rule,
    Settings,
    Watching,
)

MACS = ["02:00:00:00:00:01", "02:00:00:00:00:02"]
NAMES = ["a.one.example", "b.one.example", "two.example", "three.example"]
ADDRESSES = ["203.0.113.1", "203.0.113.2", "2001:db8::1", "2001:db8::2"]
PORTS = [80, 443, 23]
PACKETS = (FlowOpened, DnsAsked, DnsAnswered, PacketUnreadable)

macs, names, addresses = st.sampled_from(MACS), st.sampled_from(NAMES), st.sampled_from(ADDRESSES)
ports = st.sampled_from(PORTS)
protocols = st.sampled_from([6, 17, 1, 47])
flows = st.builds(
    FlowOpened,
    macs,
    st.just("192.168.1.2"),
    addresses,
    protocols,
    st.integers(1, 65535),
    ports,
    st.integers(0, 2**32 - 1),
    st.just(Scope.OUTSIDE),
)
queries = st.builds(
    lambda mac, name: DnsAsked(
        mac, "192.168.1.2", 4000, "192.168.1.1", 17, Query(1, Question(name, 1, 1)), Scope.ROUTER
    ),
    macs,
    names,
)
replies = st.builds(
    lambda name, owner, address: DnsAnswered(
        "192.168.1.2",
        4000,
        "192.168.1.1",
        17,
        Reply(1, 0, 0, False, (Question(name, 1, 1),), (), (Told(owner, address, 60),)),
    ),
    names,
    names,
    addresses,
)
said = st.one_of(
    st.builds(LearningFinished, macs),
    st.builds(LearningRestarted, macs),
    st.builds(DestinationForgotten, macs, st.sampled_from(["*", "one.example"]), st.just("")),
    st.builds(
        DeviceSeen, macs, st.sampled_from([True, False, None]), st.booleans(), st.just(""), st.just("")
    ),
    st.just(Tick()),
)
unreadable = st.builds(PacketUnreadable, macs, st.just(Scope.OUTSIDE))
conversations = st.lists(st.one_of(flows, flows, queries, replies, said, unreadable), max_size=40)


def house(mode: Mode, rules: tuple[Rule, ...] = ()) -> Settings:
    return Settings(
        mode=mode,
        learning=LearningPlan(auto=False, period=30.0),
        devices={mac: DeviceSettings(mac, watch=Watching.ALWAYS) for mac in MACS},
        rules=rules,
    )


def verdicts(effects: list[Effect]) -> list[Verdict]:
    return [effect for effect in effects if isinstance(effect, Verdict)]


def play(judge: Judge, events: list[Event]) -> list[tuple[Event, list[Effect]]]:
    return [
        (event, judge.handle(event, Moment(float(second), 1.8e9 + second)))
        for second, event in enumerate(events)
    ]


@given(conversations)
def test_every_packet_gets_exactly_one_verdict_and_nothing_waits_before_it_but_admission(
    events: list[Event],
) -> None:
    for event, effects in play(Judge(house(Mode.ENFORCE)), events):
        assert len(verdicts(effects)) == isinstance(event, PACKETS)
        if isinstance(event, PACKETS):
            before = effects[: effects.index(verdicts(effects)[0])]
            assert all(isinstance(effect, AdmitReplies | DismissReplies) for effect in before)


@given(conversations)
def test_monitor_mode_never_drops(events: list[Event]) -> None:
    for _, effects in play(Judge(house(Mode.MONITOR)), events):
        assert all(verdict.accept for verdict in verdicts(effects))


@given(conversations)
def test_enforce_mode_never_lets_an_unknown_destination_of_a_protected_device_through(
    events: list[Event],
) -> None:
    """Against a model that is kept apart: sets of what was learned, and of what was told."""
    judge = Judge(house(Mode.ENFORCE))
    learned: dict[str, set[Destination]] = {mac: set() for mac in MACS}
    told: dict[tuple[str, str], set[str]] = {}
    asked: dict[str, str] = {}  # question -> the device that asked it last and waits for the answer
    for event, effects in play(judge, events):
        match event:
            case DnsAsked(mac=mac, query=query) if query is not None:
                asked.clear()  # one port and id: a new query takes the place of the one before
                asked[query.question.name] = mac
            case DnsAnswered(reply=reply):
                name = reply.questions[0].name
                for record in reply.addresses:
                    if name in asked and record.owner == name:
                        told.setdefault((asked[name], record.address), set()).add(name)
            case DestinationForgotten(mac=mac, name=name):
                learned[mac] = {d for d in learned[mac] if name not in ("*", d.name)}
            case FlowOpened():
                learned[event.mac] |= {e.destination for e in effects if isinstance(e, Learn)}
                if judge.roster.devices[event.mac].learning.progress.state is not State.PROTECTED:
                    continue
                service = service_of(event.protocol, event.destination_port)
                candidates = {Destination(event.destination, service)} | {
                    Destination(group_of(name, Match.DOMAIN), service)
                    for name in told.get((event.mac, event.destination), ())
                }
                if not candidates & learned[event.mac]:
                    assert verdicts(effects)[0].accept is False
                    assert any(isinstance(effect, Raise) for effect in effects) or len(effects) == 1


rule_destinations = st.sampled_from(["one.example", "*.one.example", "two.example", "*", "203.0.113.0/24"])


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
@settings(max_examples=50)
def test_same_events_give_the_same_effects(events: list[Event], mode: Mode) -> None:
    assert play(Judge(house(mode)), events) == play(Judge(house(mode)), events)


@given(conversations, conversations)
@settings(max_examples=50)
def test_settings_read_again_unchanged_change_nothing(before: list[Event], after: list[Event]) -> None:
    once, twice = Judge(house(Mode.ENFORCE)), Judge(house(Mode.ENFORCE))
    play(once, before)
    play(twice, before)
    assert twice.handle(SettingsChanged(house(Mode.ENFORCE)), Moment(50.0, 1.8e9)) == []
    assert play(once, after) == play(twice, after)
