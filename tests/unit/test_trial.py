# SPDX-License-Identifier: GPL-2.0-or-later
"""A mode on trial ends when it should, whatever the clock does."""

import pytest

from smartrouter.supervisor.editing import LONGEST_TRIAL
from smartrouter.supervisor.trial import Trial

NOON, START = 1_800_000_000.0, 5000.0  # of the clock; of the time since the start


@pytest.fixture
def trial() -> Trial:
    trial = Trial()
    trial.take(NOON + 600, NOON, START)
    return trial


def test_it_lasts_its_time_and_no_longer(trial: Trial) -> None:
    assert not trial.is_over(NOON + 599, START + 599)
    assert trial.is_over(NOON + 600, START + 600)


def test_none_is_never_over(trial: Trial) -> None:
    trial.take(None, NOON, START)
    assert not trial.is_over(NOON + 1e9, START + 1e9)


def test_after_a_restart_it_ends_at_the_same_moment() -> None:
    later = Trial()
    later.take(NOON + 600, NOON + 300, 10.0)
    assert not later.is_over(NOON + 590, 300.0)
    assert later.is_over(NOON + 600, 310.0)


def test_one_that_ended_while_nothing_ran_is_over_at_once() -> None:
    late = Trial()
    late.take(NOON + 600, NOON + 7200, 10.0)
    assert late.is_over(NOON + 7200, 10.0)


def test_a_clock_that_was_set_back_does_not_lengthen_it(trial: Trial) -> None:
    assert trial.is_over(NOON - 3000, START + 600)


def test_a_router_that_thinks_it_is_1970_ends_it_at_once() -> None:
    reborn = Trial()
    reborn.take(NOON + 600, 100.0, 10.0)
    assert reborn.is_over(100.0, 10.0)


def test_hearing_of_it_again_does_not_lengthen_it_but_another_end_does(trial: Trial) -> None:
    trial.take(NOON + 600, NOON + 500, START + 500)
    assert trial.is_over(NOON, START + 600)
    trial.take(NOON + 1200, NOON + 500, START + 500)
    assert not trial.is_over(NOON + 700, START + 700)


def test_the_longest_is_not_taken_for_a_wrong_clock() -> None:
    trial = Trial()
    trial.take(NOON + LONGEST_TRIAL, NOON, START)
    assert not trial.is_over(NOON, START)
