# SPDX-License-Identifier: GPL-2.0-or-later
"""What is sent on a channel, and when."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from unit.made_alerts import ALERT, SCAN, told
from unit.made_effects import NOON, PLUG

from smartrouter.notify.outbox import (
    BURST,
    FEW,
    FIRST_WAIT,
    LONGEST_WAIT,
    OBEYED,
    WINDOW,
    Allowance,
    News,
    Newsroom,
    Plan,
    Policy,
    Told,
    from_text,
    is_quiet,
    loudness,
    minutes,
    summed_up,
    to_text,
    wait,
)
from smartrouter.notify.wording import About, news_of
from smartrouter.store.alerts import StoredAlert

ABOUT = About("TV", "enforce")


class Before(NamedTuple):
    told: str
    revision: int = 1
    sent_revision: int = 1
    part_of: str = ""


def news(*alerts: StoredAlert, muted: bool = False) -> list[News]:
    return [News(alert, ABOUT, muted) for alert in alerts]


def some(count: int, start: int = 1, **fields: object) -> list[StoredAlert]:
    made = [ALERT._replace(id=n, destination=f"{n}.example") for n in range(start, start + count)]
    return [each._replace(**fields) for each in made]  # type: ignore[arg-type]


class Room:
    """A newsroom, and what its channel knows by now."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self.room = Newsroom()
        self.known: dict[str, Told] = {}

    def tell(self, given: Sequence[News], at: float = 0.0) -> Plan:
        plan = self.room.plan(self.policy, given, self.known, at, NOON + at)
        for message, text in plan.put:
            self.known[message.key] = Before(text, message.revision, message.revision)
        for key, _, _, by in plan.spoken_for:
            self.known[key] = Before("", part_of=by)
        return plan

    def keys(self, given: Sequence[News], at: float = 0.0) -> list[str]:
        return [f"{message.key}/{message.revision}" for message, _ in self.tell(given, at).put]


def test_an_alert_is_told_once() -> None:
    room = Room()
    assert room.keys(news(ALERT)) == ["alert:12/1"]
    assert room.keys(news(ALERT)) == []
    assert room.keys(news(ALERT._replace(occurrences=5))) == []


def test_what_matters_about_it_later_is_a_revision() -> None:
    room = Room()
    room.tell(news(ALERT))
    assert room.keys(news(ALERT._replace(occurrences=10))) == ["alert:12/2"]
    assert room.keys(news(ALERT._replace(occurrences=10, state="allowed"))) == ["alert:12/3"]


def test_what_was_not_sent_yet_is_told_as_it_is_now() -> None:
    room = Room()
    room.known["alert:12"] = Before(news_of(ALERT, ABOUT), 1, 0)
    assert room.keys(news(ALERT._replace(occurrences=10))) == ["alert:12/1"]


@pytest.mark.parametrize("state", ["allowed", "denied", "dismissed", "merged"])
def test_what_was_decided_before_it_was_told_need_not_be(state: str) -> None:
    room = Room()
    assert room.keys(news(ALERT._replace(state=state))) == []
    room.known["alert:12"] = Before(news_of(ALERT, ABOUT), 1, 0)
    plan = room.tell(news(ALERT._replace(state=state)))
    assert (plan.put, plan.take_back) == ([], ["alert:12"])


@pytest.mark.parametrize(("least", "severity", "is_told"), [
    (0, "notice", True), (1, "notice", False), (1, "warning", True), (2, "warning", False),
    (2, "critical", True), (2, "of-the-future", True),
])  # fmt: skip
def test_a_channel_gets_what_is_loud_enough_for_it(least: int, severity: str, is_told: bool) -> None:
    room = Room(Policy(least))
    assert bool(room.keys(news(ALERT._replace(severity=severity)))) is is_told


def test_what_gets_louder_is_told_then() -> None:
    room = Room(Policy(2))
    assert room.keys(news(ALERT)) == []
    assert room.keys(news(ALERT._replace(severity="critical"))) == ["alert:12/1"]


def test_a_channel_does_not_get_what_was_before_it() -> None:
    assert Room(Policy(since=12)).keys(news(ALERT)) == []
    assert Room(Policy(since=11)).keys(news(ALERT)) == ["alert:12/1"]


def test_a_muted_device_is_not_told_of_now_nor_later() -> None:
    room = Room()
    assert room.keys(news(ALERT, SCAN._replace(id=13), muted=True)) == []
    assert room.keys(news(ALERT._replace(occurrences=100), SCAN._replace(id=13))) == []


def test_many_at_once_are_one_message() -> None:
    room = Room()
    plan = room.tell(news(*some(254)))
    assert [message.title for message, _ in plan.put] == ["TV: 254 unknown destinations in a minute."]
    assert len(plan.spoken_for) == 254
    assert room.keys(news(*some(254))) == [], "a second look at the same ones changes nothing"


def test_a_few_are_told_one_by_one_and_more_are_a_flood() -> None:
    room = Room()
    for number in range(FEW):
        assert len(room.keys(news(*some(1, number + 1)), number)) == 1
    assert room.keys(news(*some(1, 50)), FEW)[0].startswith("flood:")


def test_a_flood_that_grows_is_told_again_when_it_has_doubled_and_when_it_ends() -> None:
    room = Room()
    numbers = itertools.count(1)
    said = [len(room.tell(news(*some(1, next(numbers))), second).put) for second in range(FEW, FEW + 40)]
    assert sum(said) == FEW + 6, "some alone, then 1, 2, 4, 8, 16, 32 together"
    assert room.room.floods
    end = room.tell([], FEW + 40 + WINDOW)
    assert [message.title for message, _ in end.put] == [f"TV: {40 - FEW} unknown destinations in a minute."]
    assert not room.room.floods
    assert room.keys(news(*some(1, 99)), FEW + 41 + WINDOW) == ["alert:99/1"]


def test_a_flood_of_one_device_hides_no_other() -> None:
    plan = Room().tell(news(*some(40), ALERT._replace(id=99, mac=PLUG)))
    assert sorted(message.key.partition(":")[0] for message, _ in plan.put) == ["alert", "flood"]


def test_what_is_critical_is_never_part_of_a_flood() -> None:
    plan = Room().tell(news(*some(40), SCAN._replace(id=99)))
    assert "alert:99" in [message.key for message, _ in plan.put]


def test_what_becomes_of_a_flood_s_alerts_is_not_told() -> None:
    room = Room()
    room.tell(news(*some(40)))
    assert room.keys(news(*some(40, state="merged"))) == []


# -- when ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hours", "quiet", "loud"), [
    (("22:00", "07:00"), ["22:00", "23:59", "00:00", "06:59"], ["07:00", "12:00", "21:59"]),
    (("13:00", "14:00"), ["13:00", "13:59"], ["12:59", "14:00", "00:00"]),
    (("08:00", "08:00"), [], ["08:00", "00:00", "12:00"]),
])  # fmt: skip
def test_quiet_hours_may_pass_midnight(hours: tuple[str, str], quiet: list[str], loud: list[str]) -> None:
    span = minutes(hours[0]), minutes(hours[1])
    assert all(is_quiet(span, minutes(clock)) for clock in quiet)
    assert not any(is_quiet(span, minutes(clock)) for clock in loud)
    assert not is_quiet(None, 0)


def test_each_failure_doubles_the_wait_up_to_a_limit() -> None:
    assert [wait(n, None, 1.0) for n in (1, 2, 3, 9, 10, 1000)] == [
        FIRST_WAIT, 4.0, 8.0, 512.0, LONGEST_WAIT, LONGEST_WAIT,
    ]  # fmt: skip
    assert wait(1, None, 0.0) == FIRST_WAIT / 2


@pytest.mark.parametrize(
    ("asked", "waited"), [(120.0, 120.0), (0.5, 2.0), (1e9, OBEYED), (float("inf"), OBEYED)]
)
def test_what_a_service_asks_for_is_obeyed(asked: float, waited: float) -> None:
    assert wait(1, asked, 1.0) == waited


def test_so_many_a_minute_and_a_few_at_once() -> None:
    allowance, sent, now = Allowance(20), [], 100.0
    while now < 160.0:
        if allowance.next_at(now) <= now:
            allowance.take()
            sent.append(now)
        now += 0.25
    assert sent[:BURST] == [100.0 + 0.25 * n for n in range(BURST)]
    assert 20 <= len(sent) <= 20 + BURST


def test_one_a_minute_is_one_a_minute() -> None:
    allowance = Allowance(1)
    assert allowance.next_at(0.0) == 0.0
    allowance.take()
    assert allowance.next_at(0.0) == 60.0
    assert allowance.next_at(60.0) == 60.0


def test_a_message_survives_being_stored() -> None:
    made = told("\ud800\u202e\n")
    assert from_text(to_text(made), 1) == made
    assert from_text(to_text(made), 7) == made._replace(revision=7)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"key": 1}'])
def test_what_another_version_stored_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        from_text(text, 1)


def test_little_that_waited_is_not_summed_up() -> None:
    assert summed_up("k", [told(id=n) for n in range(3)], NOON) is None
    made = summed_up("k", [told(id=n) for n in range(4)], NOON)
    assert made is not None
    assert loudness(made.severity) == loudness("warning")
