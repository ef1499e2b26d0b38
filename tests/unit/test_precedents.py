# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of an attempt that was made before, and for how long it may be said."""

from typing import Any

import pytest
from playbook.conversation import CAMERA, CAMERA_ADDRESS, Conversation, recorded, verdict

from smartrouter.core.effects import Attempt, RecordMore, another_of, attempt_of
from smartrouter.core.events import TCP, UDP, FlowOpened, LearningRestarted, Paused, Scope, Shortcut
from smartrouter.core.policy import Action, DeviceSettings, Mode, Reason, Rule, Watching
from smartrouter.core.precedents import LASTS, MAX_PRECEDENTS, Repeat, another

KNOWN, UNKNOWN, NAMELESS = "203.0.113.10", "203.0.113.99", "198.51.100.7"
NAME = "api.cloud.example"


def opened(address: str = KNOWN, number: int = 1, protocol: int = TCP, **rest: Any) -> FlowOpened:
    return FlowOpened(
        CAMERA, CAMERA_ADDRESS, address, protocol, 3000 + number, 443, number, Scope.OUTSIDE, **rest
    )


TO_TIME = opened(protocol=UDP)._replace(destination_port=123)


@pytest.fixture
def talk() -> Conversation:
    """With a protected camera that knows one name, and was told another one."""
    talk = Conversation()
    talk.learn(NAME, KNOWN)
    talk.protect()
    talk.resolve("evil.example", UNKNOWN)
    return talk


def repeat_of(talk: Conversation, event: FlowOpened) -> Repeat:
    """What is to be compared with, once `event` was judged."""
    talk.tell(event)
    repeat = talk.judge.repeat(event)
    assert repeat is not None
    return repeat


@pytest.mark.parametrize("address", [KNOWN, UNKNOWN, NAMELESS])
def test_another_packet_is_recorded_like_the_first_one(talk: Conversation, address: str) -> None:
    first = talk.tell(opened(address))
    repeat = talk.judge.repeat(opened(address))
    assert repeat is not None
    assert repeat.verdict == verdict(first)
    talk.running += 1.0
    effects = talk.judge.repeated([(repeat, 4000, 99)], talk.now)
    ((only,),) = [each.attempts for each in effects if type(each) is RecordMore]
    assert attempt_of(only) == recorded(first)._replace(at=talk.now.wall, source_port=4000)


def test_each_packet_is_counted_by_the_verdict_it_got(talk: Conversation) -> None:
    repeat = repeat_of(talk, opened())
    before = talk.judge.counts[Reason.LEARNED]
    talk.judge.repeated([(repeat, 4000, 99)], talk.now)
    assert talk.judge.counts[Reason.LEARNED] == before + 1
    talk.judge.repeated([(repeat, 4000, 100)], talk.now, judged=False)  # by the kernel, not here
    assert talk.judge.counts[Reason.LEARNED] == before + 1


def test_a_packet_sent_again_is_recorded_once(talk: Conversation) -> None:
    repeat = repeat_of(talk, opened())
    assert len(talk.judge.repeated([(repeat, 4000, 99)], talk.now)) == 1
    assert talk.judge.repeated([(repeat, 4000, 99)], talk.now) == []
    assert talk.judge.repeated([(repeat, 3001, 1)], talk.now) == []  # the first one itself


@pytest.mark.parametrize(
    "change",
    [
        lambda talk: talk.resolve("other.example", KNOWN),
        lambda talk: talk.configure(mode=Mode.ENFORCE),
        lambda talk: talk.configure(rules=(Rule(CAMERA, "cloud.example", "", Action.DENY),)),
        lambda talk: talk.configure(devices={CAMERA: DeviceSettings(CAMERA, watch=Watching.NEVER)}),
        lambda talk: talk.tell(Paused(60.0)),
        lambda talk: talk.tell(LearningRestarted(CAMERA)),
    ],
    ids=["another name", "mode", "rule", "watched no more", "pause", "learning"],
)
def test_it_holds_until_something_changes(talk: Conversation, change: Any) -> None:
    repeat = repeat_of(talk, opened())
    assert repeat.holds(talk.running)
    change(talk)
    assert not repeat.holds(talk.running)


def test_it_holds_for_a_minute_at_most(talk: Conversation) -> None:
    repeat = repeat_of(talk, opened())
    assert repeat.holds(talk.running + LASTS)
    assert not repeat.holds(talk.running + LASTS + 0.001)


def test_what_another_device_is_told_changes_nothing(talk: Conversation) -> None:
    repeat = repeat_of(talk, opened())
    talk.resolve("other.example", KNOWN, mac="50:c7:bf:00:fc:a3", client="192.168.77.21")
    assert repeat.holds(talk.running)


def test_what_was_let_through_a_moment_too_long_is_recorded_as_it_was(talk: Conversation) -> None:
    """Between a packet's verdict and its record a rule may change."""
    repeat = repeat_of(talk, opened())
    talk.configure(rules=(Rule(CAMERA, "cloud.example", "", Action.DENY),))
    effects = talk.judge.repeated([(repeat, 4000, 99)], talk.now)
    assert recorded(effects).accepted
    assert not verdict(talk.tell(opened(number=2))).accept


@pytest.mark.parametrize(
    "event",
    [
        opened(spoofed=True),
        opened()._replace(scope=Scope.LAN),
        TO_TIME._replace(asks_time=True),
        opened()._replace(mac="02:00:00:00:00:77"),
        opened("203.0.113.50"),
    ],
    ids=["spoofed", "inside", "asks the time", "a stranger", "never seen"],
)
def test_other_packets_are_judged_one_by_one(talk: Conversation, event: FlowOpened) -> None:
    for plain in (opened(), TO_TIME):
        repeat_of(talk, plain)
    assert talk.judge.repeat(event) is None


def test_many_places_clear_what_was_remembered_of_one_device_alone(talk: Conversation) -> None:
    talk.learn(NAME, KNOWN, mac="50:c7:bf:00:fc:a3")
    others = talk.judge.roster.devices["50:c7:bf:00:fc:a3"]
    repeat, kept = repeat_of(talk, opened()), len(others.precedents)
    for number in range(MAX_PRECEDENTS + 1):
        talk.tell(opened(f"203.1.{number >> 7}.{number & 127}", number))
        assert len(talk.judge.roster.devices[CAMERA].precedents) <= MAX_PRECEDENTS
    assert not repeat.holds(talk.running)
    assert len(others.precedents) == kept


def test_another_packet_is_told_as_what_it_is(talk: Conversation) -> None:
    repeat = repeat_of(talk, opened())
    told = another(repeat, 4000, 99, Shortcut.KNOWN)
    assert told == opened()._replace(source_port=4000, sequence=99, settled=Shortcut.KNOWN)
    assert type(told) is FlowOpened


def test_records_are_what_the_store_takes(talk: Conversation) -> None:
    repeat = repeat_of(talk, opened())
    (record,) = talk.judge.repeated([(repeat, 4000, 99), (repeat, 4001, 98)], talk.now)
    assert type(record) is RecordMore
    for each, port in zip(record.attempts, (4000, 4001), strict=True):
        attempt = attempt_of(each)
        assert type(attempt) is Attempt
        assert attempt.source_port == port
        assert another_of(attempt) == each
