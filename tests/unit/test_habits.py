# SPDX-License-Identifier: GPL-2.0-or-later
"""How a device behaves, in figures."""

import json

import pytest

from smartrouter.core.classification.habits import MAX_GROUPS, Habits
from smartrouter.core.classification.signs import Behaviour

HOUR, DAY = 3600.0, 86400.0
START = 1_700_000_000.0 // HOUR * HOUR


def behaviour(habits: Habits) -> Behaviour:
    found = habits.behaviour()
    assert found is not None
    return found


def asking(*names: str, gap: float = 1.0, start: float = START) -> Habits:
    habits = Habits("mac")
    for number, name in enumerate(names):
        habits.asked(name, start + gap * number)
    return habits


def test_nothing_yet_is_no_behaviour() -> None:
    assert Habits("mac").behaviour() is None


def test_a_thing_that_goes_to_the_same_places_again() -> None:
    habits = Habits("mac")
    for hour in range(10):
        habits.asked("time.maker.example", START + hour * HOUR)
        habits.opened("maker.example", START + hour * HOUR + 1)
        habits.opened("203.0.113.7", START + hour * HOUR + 2)
    assert behaviour(habits) == Behaviour(
        span=9 * HOUR + 2, hours=10, attempts=20, groups=2, busiest_hour=2, personal=0, repeated=0.9
    )


def test_a_question_and_the_connection_that_follows_are_not_two_visits() -> None:
    habits = Habits("mac")
    habits.asked("www.maker.example", START)
    habits.opened("maker.example", START)
    assert behaviour(habits)[2:] == (1, 1, 1, 0, 0.0)


def test_to_ask_again_at_once_is_the_same_question() -> None:
    names = ["a.maker.example", "a.maker.example", "b.maker.example", "a.maker.example"]
    assert behaviour(asking(*names)).attempts == 3
    assert behaviour(asking(*names, gap=60.0)).attempts == 4
    habits = Habits("mac")
    for at in (0, 60, 120):
        habits.asked("a.maker.example", START + at)
        habits.opened("maker.example", START + at + 55)
    assert habits.to_json()["asked"]["times"] == 3


def test_the_busiest_hour_counts_groups_and_not_attempts() -> None:
    names = ["a.example", "b.example", "a.example", "a.example", "c.example", "c.example"]
    assert behaviour(asking(*names, gap=HOUR / 3)).busiest_hour == 2


def test_domains_of_people_count_once_however_they_come() -> None:
    habits = asking("graph.facebook.com", "www.facebook.com", "play.google.com", "time.google.com")
    habits.opened("facebook.com", START)
    assert behaviour(habits).personal == 2


def test_local_names_and_reverse_lookups_say_nothing() -> None:
    names = ["printer.local", "router.lan", "wpad", "9.1.168.192.in-addr.arpa", ""]
    assert asking(*names).behaviour() is None


@pytest.mark.parametrize(
    ("times", "span", "hours"),
    [
        ([0, 60], 60.0, 1),
        ([0, HOUR], HOUR, 2),
        ([0, 5 * HOUR], 5 * HOUR, 2),
        ([HOUR, HOUR - 1, HOUR + 1], 1.0, 1),
        ([0, 56 * 365 * DAY, 56 * 365 * DAY + 60], 60.0, 2),
        ([56 * 365 * DAY, 0, 60], 60.0, 2),
        ([0, 300 * DAY], 300 * DAY, 2),
    ],
    ids=["a minute", "next hour", "a pause", "out of order", "clock set", "clock set back", "long away"],
)
def test_time_passes_but_not_when_a_clock_is_set(times: list[float], span: float, hours: int) -> None:
    habits = Habits("mac")
    for at in times:
        habits.opened("maker.example", at)
    assert (behaviour(habits).span, behaviour(habits).hours) == (span, hours)


def test_a_flood_of_names_is_bounded() -> None:
    habits = asking(*[f"host.made-up{number}.example" for number in range(5000)])
    for number in range(5000):
        habits.opened(f"203.0.{number >> 8}.{number & 255}", START)
    found = behaviour(habits)
    assert (found.attempts, found.busiest_hour) == (5000, MAX_GROUPS)
    assert MAX_GROUPS < found.groups <= 2 * MAX_GROUPS
    assert len(json.dumps(habits.to_json())) < 10_000


def test_it_is_stored_without_what_it_asked_for() -> None:
    habits = asking("graph.facebook.com", "www.maker.example", "www.maker.example", gap=HOUR)
    habits.opened("203.0.113.7", START + 3 * HOUR)
    stored = json.dumps(habits.to_json())
    for word in ("facebook", "maker", "203.0"):
        assert word not in stored
    again = Habits.from_json("mac", json.loads(stored))
    assert again.behaviour() == habits.behaviour()
    again.asked("api.maker.example", START + 4 * HOUR)
    assert behaviour(again)[1:5] == (5, 4, 3, 1)


def test_what_two_devices_ask_for_cannot_be_compared() -> None:
    one, other = Habits("a"), Habits("b")
    for habits in (one, other):
        habits.asked("www.maker.example", START)
    assert one.to_json()["asked"]["groups"] != other.to_json()["asked"]["groups"]


def test_counts_that_cannot_be_are_mended() -> None:
    habits = Habits.from_json("mac", {"hours": 1, "opened": {"times": 2, "again": 9}, "asked": 7})
    assert behaviour(habits).repeated == 1.0
