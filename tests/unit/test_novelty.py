# SPDX-License-Identifier: GPL-2.0-or-later
"""The estimate, against sums written out, chances multiplied out, and devices that it invented."""

from itertools import pairwise
from math import ceil, exp, inf, isfinite, log, prod
from random import Random

import pytest
from counting import steps

from smartrouter.core.learning import DAY, MAX_LEARNED, MIN_OBSERVED, MIN_QUIET, MIN_UNITS
from smartrouter.core.novelty import (
    ENOUGH_DEVICES,
    PRIOR,
    PRIOR_WEB,
    Course,
    History,
    Prior,
    expect,
    expected_end,
    fit,
    weight,
)

FORTNIGHT = 14 * DAY
SETTLED = Course(10, quiet=5, once=1, quiet_days=2, observed=2 * DAY, attempts=50, new_since_second=2)


def summed(first: int, last: int, prior: Prior = PRIOR) -> float:
    return float(sum(prior.c * float(i) ** -prior.alpha for i in range(first, last + 1)))


def chances(shape: float, mean: float, most: int) -> list[float]:
    """A negative binomial's, each from its definition by multiplying out."""
    p = shape / (shape + mean)
    return [p**shape * prod((shape + i) / (i + 1) * (1 - p) for i in range(n)) for n in range(most)]


@pytest.mark.parametrize("prior", [PRIOR, Prior(2.0, 0.0, 1.0), Prior(0.3, 1.0, 0.5), Prior(5.0, 1.5, 3.0)])
@pytest.mark.parametrize(("first", "count"), [(1, 1), (2, 15), (2, 16), (2, 17), (2, 5000), (700, 168)])
def test_the_weight_is_the_sum(prior: Prior, first: int, count: int) -> None:
    assert weight(first, count, prior) == pytest.approx(summed(first, first + count - 1, prior), rel=1e-6)


def test_part_of_a_unit_weighs_its_part() -> None:
    assert weight(3, 2.25) == pytest.approx(summed(3, 4) + 0.25 * PRIOR.c * 5**-PRIOR.alpha)
    assert weight(3, 0) == weight(3, -1) == 0.0


@pytest.mark.parametrize(
    ("units", "new", "ahead", "days"),
    [(2, 0, 1, 0.0), (6, 3, 24, 1.0), (40, 1, 168, 7.0), (300, 25, 1, 30.0)],
)
def test_what_is_expected_is_the_formula(units: int, new: int, ahead: int, days: float) -> None:
    appetite = (PRIOR.k + new) / (PRIOR.k + summed(2, units))
    expected = appetite * summed(units + 1, units + ahead) + 0.165 / 30 * days
    assert expect(units, new, ahead, days).expected == pytest.approx(expected, rel=1e-6)
    web = expected - (0.165 - 0.115) / 30 * days
    assert expect(units, new, ahead, days, PRIOR_WEB).expected == pytest.approx(web, rel=1e-6)


@pytest.mark.parametrize(
    ("units", "new", "ahead", "days"), [(1, 0, 1, 0.0), (4, 2, 24, 1.0), (30, 0, 24, 1.0), (12, 40, 24, 0.0)]
)
def test_interval_and_chance_are_those_of_the_negative_binomial(
    units: int, new: int, ahead: int, days: float
) -> None:
    found = expect(units, new, ahead, days)
    each = chances(PRIOR.k + new, found.expected, 400)
    assert sum(each) == pytest.approx(1, abs=1e-4)
    up_to = [sum(each[: n + 1]) for n in range(len(each))]
    assert found.low == next(n for n, chance in enumerate(up_to) if chance >= 0.05)
    assert found.high == next(n for n, chance in enumerate(up_to) if chance >= 0.95)
    assert found.any == pytest.approx(1 - each[0])


def test_without_drift_the_interval_has_the_p_of_the_posterior() -> None:
    """Mean and shape give p; so do the sums directly: (k + Λ before) / (k + Λ before + Λ ahead)."""
    found = expect(6, 3, 24, 0.0)
    shape = PRIOR.k + 3
    before, ahead = summed(2, 6), summed(7, 30)
    p = (PRIOR.k + before) / (PRIOR.k + before + ahead)
    assert shape * (1 - p) / p == pytest.approx(found.expected, rel=1e-6)


def test_before_and_after_the_first_unit_the_estimate_is_the_same() -> None:
    assert expect(0, 0, 24, 1.0) == expect(1, 0, 24, 1.0)
    assert expect(1, 0, 1, 0.0).expected == pytest.approx(PRIOR.c * 2**-PRIOR.alpha)


def test_quiet_units_lower_what_is_expected_and_news_raise_it() -> None:
    quiet = [expect(units, 2, 24, 1.0) for units in range(1, 200)]
    assert all(later.expected < earlier.expected for earlier, later in pairwise(quiet))
    assert all(later.any < earlier.any for earlier, later in pairwise(quiet))
    news = [expect(10, new, 24, 1.0) for new in range(50)]
    assert all(more.expected > fewer.expected for fewer, more in pairwise(news))
    assert all(more.low >= fewer.low and more.high >= fewer.high for fewer, more in pairwise(news))
    longer = [expect(10, 2, ahead, ahead / 24) for ahead in range(1, 300)]
    assert all(more.expected > less.expected for less, more in pairwise(longer))


def test_nothing_ever_promises_zero() -> None:
    settled = expect(10_000, 0, 168, 7.0)
    assert settled.expected > 0
    assert 0 < settled.any < 0.1


@pytest.mark.parametrize(
    ("units", "new", "ahead", "days"),
    [
        (0, 0, 0.0, 0.0),
        (1, 0, 1e300, 1e9),
        (10**9, 0, 1.0, 0.0),
        (2, MAX_LEARNED, 1e6, 1.0),
        (1, 0, 0.0, -5.0),
    ],
)
def test_extreme_values_give_plain_figures(units: int, new: int, ahead: float, days: float) -> None:
    found = expect(units, new, ahead, days)
    assert isfinite(found.expected)
    assert 0 <= found.low <= found.high <= MAX_LEARNED
    assert 0 <= found.any <= 1


def test_a_million_units_cost_no_more_than_a_hundred() -> None:
    assert steps(lambda: weight(2, 1_000_000)) == steps(lambda: weight(2, 100))


def waited(course: Course, period: float, random: Random) -> float:
    """Seconds until a device that the model invented has settled; the rule, said in another way."""
    before = PRIOR.k + summed(2, course.units)
    appetite = random.gammavariate(PRIOR.k + course.new_since_second, 1 / before)
    quiet, units, passed = course.quiet, course.units, 0.0
    while passed < period - course.observed:
        if quiet >= MIN_QUIET and units >= MIN_UNITS and course.observed + passed >= MIN_OBSERVED:
            return passed
        units += 1
        passed += course.pace
        rate = appetite * PRIOR.c * max(2, units) ** -PRIOR.alpha + PRIOR.drift * course.pace / DAY
        quiet = quiet + 1 if random.random() < exp(-rate) else 0
    return period - course.observed


@pytest.mark.parametrize(
    "course",
    [
        Course(units=3, quiet=1, quiet_days=2, observed=80_000, attempts=40, new_since_second=2),
        Course(units=6, quiet=0, quiet_days=2, observed=90_000, attempts=100, new_since_second=9),
        Course(units=20, quiet=0, quiet_days=2, observed=90_000, attempts=100, new_since_second=30),
        Course(units=3, quiet=2, quiet_days=2, observed=90_000, attempts=60),
    ],
)
def test_the_expected_end_is_about_the_mean_of_many_invented_devices(course: Course) -> None:
    random = Random(20)
    mean = sum(waited(course, FORTNIGHT, random) for _ in range(3000)) / 3000
    assert expected_end(course, FORTNIGHT).expected == pytest.approx(mean, rel=0.12)


def test_where_the_rule_holds_learning_is_over() -> None:
    assert expected_end(SETTLED, FORTNIGHT)[:3] == (1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("lacking", "least"),
    [
        ({"units": 4}, 2 * 2 * DAY / 4),
        ({"quiet": 3}, 2 * 2 * DAY / 10),
        ({"observed": DAY / 2, "units": 6}, DAY / 2),
        ({"attempts": 10}, 10 * 2 * DAY / 10),
        ({"quiet_days": 1, "observed": 1.75 * DAY}, 0.25 * DAY),
        ({"once": 2}, 2 * DAY / 10),
    ],
)
def test_each_condition_that_is_lacking_takes_its_time(lacking: dict[str, float], least: float) -> None:
    end = expected_end(SETTLED._replace(**lacking), FORTNIGHT)  # type: ignore[arg-type]
    assert end.earliest == pytest.approx(least)
    assert 0 < end.earliest <= end.expected <= end.latest
    assert 0 < end.share < 1


def test_what_was_used_once_only_has_to_be_outnumbered() -> None:
    end = expected_end(Course(10, 5, 2, 2, 2 * DAY, 50, 2), FORTNIGHT)
    assert end.expected >= 10 * 2 * DAY / 10  # two of ten, until they are two of twenty


def test_the_period_ends_learning_in_any_case() -> None:
    restless = Course(units=12, once=40, observed=13 * DAY, attempts=500, new_since_second=90)
    end = expected_end(restless, FORTNIGHT)
    assert end.latest == pytest.approx(DAY)
    assert end.earliest <= end.expected <= end.latest
    assert expected_end(restless, 12 * DAY) == (1.0, 0.0, 0.0, 0.0)


def test_quiet_hours_bring_the_end_nearer() -> None:
    courses = [Course(3 + n, n, 0, 2, DAY + 3600.0 * n, 100, 3) for n in range(MIN_QUIET + 1)]
    ends = [expected_end(course, FORTNIGHT) for course in courses]
    assert all(later.expected < earlier.expected for earlier, later in pairwise(ends))
    assert all(later.share > earlier.share for earlier, later in pairwise(ends))


def test_before_the_first_attempt_there_is_an_estimate_too() -> None:
    end = expected_end(Course(), FORTNIGHT)
    assert end.share == 0
    assert DAY <= end.earliest <= end.expected < end.latest == FORTNIGHT


def invented(prior: Prior, devices: int, units: int, seed: int) -> list[History]:
    random = Random(seed)

    def came(rate: float) -> int:
        count, left = 0, exp(-rate)
        chance = random.random()
        while chance > left and left > 0:
            chance *= random.random()
            count += 1
        return count

    histories = []
    for _ in range(devices):
        appetite = random.gammavariate(prior.k, 1 / prior.k)
        new = [came(appetite * prior.c * i**-prior.alpha) for i in range(1, units + 1)]
        histories.append(History.of(new))
    return histories


def test_a_history_leaves_the_first_unit_out() -> None:
    assert History.of([7, 0, 2, 1]) == History(4, 3, 2 * log(3) + log(4))
    assert History.of([]) == History(0, 0, 0.0)
    assert History.of([9]) == History(1, 0, 0.0)


def test_fitting_finds_the_prior_that_made_the_devices() -> None:
    made = Prior(c=2.0, alpha=0.6, k=0.8)
    found = fit(invented(made, devices=400, units=60, seed=4))
    assert found.c == pytest.approx(made.c, rel=0.25)
    assert found.alpha == pytest.approx(made.alpha, abs=0.06)
    assert found.k == pytest.approx(made.k, rel=0.25)
    assert found.drift == PRIOR.drift


def test_no_prior_near_the_fitted_one_is_likelier() -> None:
    """The likelihood from its integral over the appetite, by brute force: independent of its closed form."""
    histories = invented(Prior(1.5, 0.5, 0.7), devices=12, units=10, seed=8)

    def likelihood(prior: Prior) -> float:
        total = 0.0
        for units, new, logs in histories:
            exposure = summed(2, units, prior)
            step = 0.05
            whole = part = 0.0
            for at in range(-600, 120):
                g = exp(at * step)
                density = exp(prior.k * log(g) - prior.k * g)  # of ln g
                whole += density
                part += density * exp(-g * exposure + new * log(g))
            total += log(part / whole) + new * log(prior.c) - prior.alpha * logs
        return total

    best = fit(histories)
    near = [
        best._replace(**{field: getattr(best, field) * factor})
        for field in ("c", "alpha", "k")
        for factor in (0.9, 1.1)
    ]
    assert all(likelihood(best) > likelihood(other) for other in near)


def test_few_devices_keep_the_prior() -> None:
    histories = invented(Prior(3.0, 0.2, 2.0), devices=ENOUGH_DEVICES, units=20, seed=1)
    assert fit(histories) != PRIOR
    assert fit(histories[1:]) == PRIOR
    assert fit(histories[1:] + [History(1, 0, 0.0)] * 50) == PRIOR  # one unit tells nothing
    assert fit(histories) == fit(histories)


@pytest.mark.parametrize(
    "histories",
    [
        [History(100, 0, 0.0)] * 20,
        [History(2, MAX_LEARNED, MAX_LEARNED * log(2))] * 20,
        [History(10**6, 10**6, 10**6 * log(10**6))] * 20,
    ],
)
def test_whatever_devices_do_the_prior_stays_within_reason(histories: list[History]) -> None:
    found = fit(histories)
    assert 0.05 <= found.c <= 20.001
    assert 0 <= found.alpha <= 1.5
    assert 0.0499 <= found.k <= 5.001
    assert 0 < expect(10, 0, 24, 1.0, found).expected < inf


def test_the_end_of_a_year_of_learning_is_found_quickly() -> None:
    busy = Course(units=30, observed=30 * 3600.0, attempts=900, new_since_second=600)
    assert steps(lambda: expected_end(busy, 365 * DAY)) < 60 * ceil(365 * 24)
