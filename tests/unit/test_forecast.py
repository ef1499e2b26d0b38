# SPDX-License-Identifier: GPL-2.0-or-later
"""What is to be expected of a device, in values and words."""

import time

import pytest

from smartrouter.core.learning import DAY, Progress, State
from smartrouter.core.novelty import PRIOR
from smartrouter.core.policy import LearningPlan
from smartrouter.listings import forecast
from smartrouter.listings.forecast import learning_text, moment, novelty_text, number

AUTO = LearningPlan(auto=True, period=14 * DAY)
NOON = time.mktime((2026, 11, 24, 12, 0, 0, 0, 0, -1))  # a Tuesday, wherever the tests run
LEARNING = Progress(State.LEARNING, 2 * DAY, 200, 20, 47, True, 4, 0, 1, new_since_second=3)


@pytest.mark.parametrize(
    ("later", "text"),
    [
        (3600.0, "today 13:00"),
        (23 * 3600.0, "Wed 11:00"),
        (3 * DAY, "Fri 12:00"),
        (10 * DAY, "2026-12-04"),
    ],
)
def test_a_moment_is_as_exact_as_it_is_near(later: float, text: str) -> None:
    assert moment(NOON + later, NOON) == text


@pytest.mark.parametrize(
    ("expected", "text"), [(0.0, "less than 0.1"), (0.04, "less than 0.1"), (0.38, "0.4"), (12.3, "12")]
)
def test_nothing_is_ever_promised(expected: float, text: str) -> None:
    assert number(expected) == text


def test_learning_ends_between_its_earliest_and_its_latest() -> None:
    found = forecast.learning(LEARNING, 0, AUTO, NOON)
    assert found is not None
    assert 0 < found["share"] < 1
    assert NOON < found["earliest"] <= found["expected"] <= found["latest"] == NOON + 12 * DAY
    assert learning_text(found, NOON).startswith("ends about ")
    assert "2026-12-06)" in learning_text(found, NOON)


def test_what_was_used_only_once_delays_the_end() -> None:
    early, late = (forecast.learning(LEARNING, once, AUTO, NOON) for once in (0, 30))
    assert early is not None
    assert late is not None
    assert early["expected"] < late["expected"]


def test_a_fixed_time_is_known_exactly() -> None:
    found = forecast.learning(LEARNING, 9, LearningPlan(auto=False, period=4 * DAY), NOON)
    assert found == dict.fromkeys(("earliest", "expected", "latest"), NOON + 2 * DAY) | {"share": 0.5}
    assert learning_text(found, NOON) == "ends Thu 12:00"


@pytest.mark.parametrize("progress", [None, Progress(), Progress(State.PROTECTED)])
def test_what_does_not_learn_has_no_end_of_it(progress: Progress | None) -> None:
    assert forecast.learning(progress, 0, AUTO, NOON) is None


def test_a_household_of_many_devices_is_its_own_measure() -> None:
    restless = LEARNING._replace(units=12, new_since_second=20, new_logs=30.0)
    quiet = LEARNING._replace(units=12, new_since_second=0, new_logs=0.0)
    few, lively, calm = (
        forecast.prior_of({f"02:00:00:00:00:{number:02x}": progress for number in range(count)})
        for count, progress in ((9, restless), (10, restless), (10, quiet))
    )
    assert few == PRIOR
    seen = Progress(State.PROTECTED, 5 * DAY, 100, 12, 110, new_since_second=2, new_logs=2.0)
    expected = [forecast.novelty(seen, prior) for prior in (calm, PRIOR, lively)]
    week = [found["week"]["expected"] for found in expected if found is not None]
    assert week == sorted(week)
    assert len(set(week)) == 3


@pytest.mark.parametrize("progress", [None, Progress(), LEARNING])
def test_only_of_what_is_protected_the_news_are_estimated(progress: Progress | None) -> None:
    assert forecast.novelty(progress) is None


def test_the_time_since_learning_ended_makes_a_device_no_quieter() -> None:
    """Units are counted only while it learns, observed time for ever."""
    ended = LEARNING._replace(state=State.PROTECTED)
    assert forecast.novelty(ended) == forecast.novelty(ended._replace(observed=300 * DAY))


def test_a_device_that_is_seldom_active_brings_less_in_a_day() -> None:
    often = LEARNING._replace(state=State.PROTECTED)
    seldom = forecast.novelty(often._replace(unit=479))
    assert seldom is not None
    found = forecast.novelty(often)
    assert found is not None
    assert seldom["day"]["expected"] < found["day"]["expected"]


def test_the_estimate_has_its_interval() -> None:
    found = forecast.novelty(LEARNING._replace(state=State.PROTECTED))
    assert found is not None
    for span in found.values():
        assert span["low"] <= span["expected"] <= span["high"]
    day, week = found["day"], found["week"]
    assert novelty_text(found) == (
        f"{day['expected']:.1f} new destinations expected in the next day (90 %: {day['low']} to "
        f"{day['high']}), {week['expected']:.1f} in the next week ({week['low']} to {week['high']})"
    )
