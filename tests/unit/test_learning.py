# SPDX-License-Identifier: GPL-2.0-or-later
"""When a device has learned enough: the rule of `learning 'auto'`, and fixed periods."""

from math import inf

import pytest

from smartrouter.core.destinations import Destination
from smartrouter.core.learning import DAY, MAX_LEARNED, UNIT, Learning, State
from smartrouter.core.policy import LearningPlan

AUTO = LearningPlan(auto=True, period=14 * DAY)


def names(*words: str) -> list[Destination]:
    return [Destination(word, "web") for word in words]


def live(learning: Learning, hours: list[list[str]], attempts: int = 5) -> None:
    """Let one observed hour after the other pass, each with its destinations ([]: no attempt)."""
    for used in hours:
        for word in used:
            for _ in range(attempts):
                learning.counted()
                learning.used(Destination(word, "web"))
        learning.observed(UNIT if learning.started() else 0.0)


def test_nothing_is_observed_before_the_first_attempt() -> None:
    learning = Learning()
    learning.observed(500.0)
    assert (learning.progress.state, learning.progress.observed) == (State.NEW, 0.0)
    learning.counted()
    learning.observed(500.0)
    assert (learning.progress.state, learning.progress.observed) == (State.LEARNING, 500.0)


def test_a_device_that_says_the_same_every_hour_settles_after_its_first_day() -> None:
    learning = Learning()
    live(learning, [["a", "b"]] * 24)
    assert learning.ended_by(AUTO) is None  # all quiet units fall on the first day
    live(learning, [["a", "b"]] * 2)
    assert learning.ended_by(AUTO) is True


@pytest.mark.parametrize(
    ("why", "hours"),
    [
        ("fewer than six units", [["a"], *[[]] * 10, ["a"], *[[]] * 10, ["a"], *[[]] * 10, ["a"]]),
        ("less than a day", [["a", "b"]] * 20),
        ("something new in the last units", [*[["a"]] * 23, ["b"], ["a", "b"], ["a", "b"]]),
        ("too many seen once", [["a", *(f"once{n}" for n in range(9))], *[["a"]] * 30]),
    ],
)
def test_it_goes_on_learning_with(why: str, hours: list[list[str]]) -> None:
    learning = Learning()
    live(learning, hours)
    assert learning.ended_by(AUTO) is None, why


def test_few_attempts_are_not_enough() -> None:
    learning = Learning()
    live(learning, [["a"], *[[]] * 5] * 6, attempts=1)
    assert learning.progress.units == 6
    assert learning.ended_by(AUTO) is None


def test_the_longest_period_ends_learning_unsettled() -> None:
    learning = Learning()
    live(learning, [[f"new{n}"] for n in range(14 * 24)])
    assert learning.ended_by(AUTO) is False


def test_a_fixed_period_settles_by_definition() -> None:
    learning = Learning()
    live(learning, [["a"]])
    assert learning.ended_by(LearningPlan(auto=False, period=3601.0)) is None
    assert learning.ended_by(LearningPlan(auto=False, period=3600.0)) is True


def test_units_of_a_destination_are_counted_once_an_hour() -> None:
    learning = Learning()
    live(learning, [["a"], ["a"], [], ["a"]])
    assert learning.learned[Destination("a", "web")].units == 3
    assert learning.progress.units == 3


def test_a_scan_is_learned_up_to_a_bound_only() -> None:
    learning = Learning()
    live(learning, [["a"], [f"scan{n}" for n in range(MAX_LEARNED + 100)]], attempts=1)
    assert len(learning.learned) == MAX_LEARNED
    assert learning.used(Destination("one-more", "web")) is None
    learning.counted()
    assert learning.used(Destination("a", "web")) is not None


def test_restart_forgets_progress_but_not_destinations() -> None:
    learning = Learning()
    live(learning, [["a"]] * 3)
    learning.finish(settled=True)
    learning.restart()
    assert learning.progress.state is State.LEARNING
    assert learning.progress.observed == 0.0
    assert set(learning.learned) == set(names("a"))
    learning.counted()
    assert learning.used(Destination("a", "web")) is not None


def test_a_name_is_known_by_any_of_its_services_until_the_last_is_forgotten() -> None:
    learning = Learning()
    for service in ("web", "tcp/8883"):
        learning.counted()
        learning.used(Destination("a", service))
    learning.forget(Destination("a", "web"))
    learning.forget(Destination("a", "web"))
    assert learning.knows("a")
    learning.forget(Destination("a", "tcp/8883"))
    assert not learning.knows("a")
    assert not Learning(None, learning.learned).knows("a")


def test_what_is_used_after_learning_is_kept_once_a_day() -> None:
    learning = Learning()
    live(learning, [["a"]])
    learning.finish(settled=True)
    here = Destination("a", "web")
    learning.observed(DAY - UNIT - 1)
    assert learning.touched(here) is None
    learning.observed(2.0)
    seen = learning.touched(here)
    assert seen is not None
    assert seen.used == learning.progress.observed
    assert learning.touched(here) is None
    assert learning.touched(Destination("b", "web")) is None


def test_what_was_not_used_for_long_is_told_of_and_what_was_is_not() -> None:
    learning = Learning()
    live(learning, [["a", "b"]])
    learning.observed(10 * DAY)
    learning.touched(Destination("b", "web"))
    learning.observed(5 * DAY)
    assert learning.unused(10 * DAY) == names("a")
    assert learning.unused(30 * DAY) == []
    assert learning.unused(inf) == []


def test_a_restart_makes_nothing_look_unused() -> None:
    learning = Learning()
    live(learning, [["a"]] * 50)
    learning.restart()
    learning.observed(DAY)
    assert learning.unused(2 * DAY) == []


def test_what_was_new_in_the_second_unit_or_later_is_counted() -> None:
    learning = Learning()
    live(learning, [["a", "b"], ["a", "c"], [], ["d"]])
    assert learning.progress.new_since_second == 2
