# SPDX-License-Identifier: GPL-2.0-or-later
"""Events that hypothesis makes up: a small house in which anything may happen, in any order."""

from hypothesis import strategies as st

from smartrouter.core.events import (
    AddressClaimed,
    Alias,
    Carried,
    DestinationForgotten,
    DeviceSeen,
    DnsAnswered,
    DnsAsked,
    FlowOpened,
    HelloHeard,
    LearningFinished,
    LearningRestarted,
    LookedUp,
    OutageEnded,
    PacketUnreadable,
    Paused,
    Query,
    Question,
    Reply,
    Scope,
    Tick,
    Told,
    Transfer,
)
from smartrouter.core.policy import DeviceSettings, LearningPlan, Mode, Rule, Settings, Watching

MACS = ["02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"]
NAMES = ["a.one.example", "b.one.example", "two.example", "e1.g.akamaiedge.net", "e2.g.akamaiedge.net"]
ADDRESSES = ["203.0.113.1", "203.0.113.2", "2001:db8::1", "2001:db8::2"]
PORTS = [80, 443, 23, 123]

macs, names, addresses = st.sampled_from(MACS), st.sampled_from(NAMES), st.sampled_from(ADDRESSES)
ports = st.sampled_from(PORTS)
protocols = st.sampled_from([6, 17, 1, 47])
rarely = st.sampled_from([False] * 7 + [True])
flows = st.builds(
    FlowOpened,
    macs,
    st.just("192.168.1.2"),
    addresses,
    protocols,
    st.integers(1, 4),
    ports,
    st.integers(0, 2**32 - 1),
    st.just(Scope.OUTSIDE),
    spoofed=rarely,
    opens=st.booleans(),
    asks_time=rarely,
    settled=st.none(),
)
queries = st.builds(
    lambda mac, name: DnsAsked(
        mac, "192.168.1.2", 4000, "192.168.1.1", 17, Query(1, Question(name, 1, 1)), Scope.ROUTER
    ),
    macs,
    names,
)
replies = st.builds(
    lambda name, target, owner, address: DnsAnswered(
        "192.168.1.2",
        4000,
        "192.168.1.1",
        17,
        Reply(
            1, 0, 0, False, (Question(name, 1, 1),), (Alias(name, target, 60),), (Told(owner, address, 60),)
        ),
    ),
    names,
    names,
    names,
    addresses,
)
hellos = st.builds(
    HelloHeard,
    macs,
    st.just("192.168.1.2"),
    st.integers(1, 4),
    addresses,
    ports,
    st.sampled_from([6, 17]),
    st.one_of(names, st.just("")),
    rarely,
)
said = st.one_of(
    st.builds(LearningFinished, macs),
    st.builds(LearningRestarted, macs),
    st.builds(DestinationForgotten, macs, st.sampled_from(["*", "one.example"]), st.just("")),
    st.builds(
        DeviceSeen, macs, st.sampled_from([True, False, None]), st.booleans(), st.just(""), st.just("Maker")
    ),
    st.builds(AddressClaimed, macs, st.sampled_from(["192.168.1.2", "192.168.1.3", "fe80::1"])),
    st.builds(LookedUp, names, st.lists(addresses, max_size=2).map(tuple), st.integers(0, 600)),
    st.just(Tick()),
)
carried = st.builds(
    lambda *of: Carried((Transfer(*of),)),
    macs,
    addresses,
    protocols,
    ports,
    rarely,
    *[st.integers(0, 2**40)] * 5,
)
interruptions = st.one_of(st.builds(Paused, st.sampled_from([0.0, 5.0])), st.just(OutageEnded()))
unreadable = st.builds(PacketUnreadable, macs, st.just(Scope.OUTSIDE))
conversations = st.lists(
    st.one_of(flows, flows, queries, replies, hellos, said, carried, unreadable), max_size=40
)  # fmt: skip
interrupted = st.lists(
    st.one_of(flows, flows, queries, replies, hellos, said, carried, unreadable, interruptions), max_size=40
)


def house(mode: Mode, rules: tuple[Rule, ...] = (), *, judge_by_hello: bool = True) -> Settings:
    return Settings(
        mode=mode,
        learning=LearningPlan(auto=False, period=30.0),
        devices={mac: DeviceSettings(mac, watch=Watching.ALWAYS) for mac in MACS},
        rules=rules,
        judge_by_hello=judge_by_hello,
    )
