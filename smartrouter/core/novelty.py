# SPDX-License-Identifier: GPL-2.0-or-later
"""How much that is new is still to come of a device: an estimate that says how sure it is.

A unit is an observed hour with at least one attempt (see `core.learning`). A Gamma–Poisson model: in unit
i >= 2 a device first uses Poisson(g · c · i^−α) destinations. c and α are common to all devices; g is the
device's own appetite for news, drawn from a gamma distribution of mean 1 and shape k, and becomes known as
the device is watched. With m units seen, N destinations that were new in units 2 to m, and
Λ(a, b) = Σ c · i^−α for i = a … b, what is expected of the next h units is

    E = (k + N) / (k + Λ(2, m)) · Λ(m+1, m+h),  and on top of it a drift for each day of calendar time,

and the number that comes follows a negative binomial of shape k + N and mean E. The chance of any at all is
that distribution's too: 1 − e^−E, as if g were known, is far too sure that something comes of a device that
was watched for a few hours only. The first unit is left out: it holds what a device does when it starts, and
tells little of the rest. Until there is one, the estimate is about what follows it.

`PRIOR` was found on public captures of 61 devices; one step ahead it expected 183 new destinations
where 194 came, while Good–Turing expected 447. Nothing here ever promises zero.

Pure arithmetic: knows no device, no clock, no store.
"""

from collections.abc import Sequence
from math import ceil, exp, expm1, lgamma, log, log1p
from typing import NamedTuple

from smartrouter.core.learning import (
    DAY,
    MAX_LEARNED,
    MAX_ONCE_SHARE,
    MIN_ATTEMPTS,
    MIN_OBSERVED,
    MIN_QUIET,
    MIN_QUIET_DAYS,
    MIN_UNITS,
    UNIT,
)

ENOUGH_DEVICES = 10  # own devices from which on a prior is refitted
_MONTH = 30.0  # days
_TAIL = 0.05  # on either side of the interval
_EXACT_TERMS = 16  # of a sum; what is left out of the rest is less than 1e-7 of it


class Prior(NamedTuple):
    """What is known before a device is: `c`, `alpha` and `k` as in the module, `drift` new destinations a
    day of calendar time."""

    c: float = 1.13
    alpha: float = 0.4
    k: float = 0.2
    drift: float = 0.165 / _MONTH


PRIOR = Prior()
PRIOR_WEB = Prior(drift=0.115 / _MONTH)  # where only ports 80 and 443 count


class Estimate(NamedTuple):
    """New destinations: how many are `expected`, `low` to `high` the interval that holds their number
    with a chance of 90 %, `any` the chance that there is one at all."""

    expected: float
    low: int
    high: int
    any: float


def expect(units: int, new_since_second: int, ahead: float, days: float, prior: Prior = PRIOR) -> Estimate:
    """What the next `ahead` units will bring, which take `days` of calendar time, after `units` units with
    `new_since_second` destinations that were new in the second or later."""
    shape = prior.k + new_since_second
    expected = _appetite(units, new_since_second, prior) * weight(max(1, units) + 1, ahead, prior)
    expected += prior.drift * max(0.0, days)
    low, high = _interval(shape, expected)
    return Estimate(expected, low, high, -expm1(-shape * log1p(expected / shape)))


def weight(first: int, count: float, prior: Prior = PRIOR) -> float:
    """Λ: the sum of c · i^−α over `count` units from `first` on; of the last a part, where it is a part.

    Sixteen terms are added one by one, the rest is an integral with its correction (Euler and Maclaurin),
    so that a million units cost no more than a few.
    """
    if count <= 0:
        return 0.0
    whole = int(min(count, 1e15))
    last = first + whole - 1
    near = min(last, first + _EXACT_TERMS - 1)
    total = sum(float(i) ** -prior.alpha for i in range(first, near + 1))
    if near < last:
        total += _far_sum(near + 1, last, prior.alpha)
    part = (count - whole) * float(last + 1) ** -prior.alpha
    return float(prior.c * (total + part))


def _far_sum(a: int, b: int, alpha: float) -> float:
    """Σ i^−alpha for i = a … b, where a is not small."""
    rest = 1 - alpha
    integral = (b**rest - a**rest) / rest if abs(rest) > 1e-9 else log(b / a)
    ends = (a**-alpha + b**-alpha) / 2
    slopes = alpha * (a ** (-alpha - 1) - b ** (-alpha - 1)) / 12
    return float(integral + ends + slopes)


def _appetite(units: int, new_since_second: int, prior: Prior) -> float:
    """How much more than the average device this one brings, as far as is known."""
    return (prior.k + new_since_second) / (prior.k + weight(2, units - 1, prior))


def _interval(shape: float, mean: float) -> tuple[int, int]:
    """The 5 % and the 95 % quantile of a negative binomial; at most as many as a device may learn."""
    if mean <= 0:
        return 0, 0
    p = shape / (shape + mean)
    chance = shape * log(p)  # logarithms: the chance of none may be too small for a float
    rest = -log(1 + shape / mean)  # log(1 − p), exact where p is near 1
    below, low = 0.0, -1
    for n in range(MAX_LEARNED):
        below += exp(chance)
        if low < 0 and below >= _TAIL:
            low = n
        if below >= 1 - _TAIL:
            return low, n
        chance += log((shape + n) / (n + 1)) + rest
    return (low if low >= 0 else MAX_LEARNED), MAX_LEARNED


class Course(NamedTuple):
    """How far a device's learning has come, in the terms of `core.learning`'s rule. `units`: m; `quiet`: u;
    `once`: Q1; `quiet_days`: over how many days the quiet units spread; `observed`: seconds."""

    units: int = 0
    quiet: int = 0
    once: int = 0
    quiet_days: int = 0
    observed: float = 0.0
    attempts: int = 0
    new_since_second: int = 0

    @property
    def pace(self) -> float:
        """Seconds from one unit to the next."""
        return max(UNIT, self.observed / self.units) if self.units else UNIT


class End(NamedTuple):
    """When learning will end, in seconds observed from now on: `earliest` if nothing new comes any more and
    what was used only once is used again, `latest` when the time is up. `share`: how much of the time that
    learning is expected to take in all is over, 0 to 1."""

    share: float
    earliest: float
    expected: float
    latest: float


def expected_end(course: Course, period: float, prior: Prior = PRIOR) -> End:
    """When learning will end by its rule, or at the latest after `period` seconds observed.

    The expected end goes by the chance that a unit is quiet, unit by unit, as the estimate has it, and
    assumes that what was used in one unit only is not used again. A device is taken to go on at its pace.
    """
    latest = max(0.0, period - course.observed)
    pace = course.pace
    needed = _needed(course)
    once_again = int(course.once > MAX_ONCE_SHARE * course.units)
    earliest = min(latest, max(needed, once_again * pace))
    outnumbered = ceil(course.once / MAX_ONCE_SHARE) - course.units if once_again else 0
    floor = max(ceil(needed / pace), outnumbered)
    expected = _expected_units(course, floor, ceil(latest / pace), prior) * pace
    expected = min(max(expected, earliest), latest)
    share = course.observed / (course.observed + expected) if expected > 0 else 1.0
    return End(share, earliest, expected, latest)


def _needed(course: Course) -> float:
    """Seconds until the rule can hold, if nothing new comes and Q1 is no obstacle."""
    pace = course.pace
    seconds = [
        MIN_OBSERVED - course.observed,
        pace * (MIN_UNITS - course.units),
        pace * (MIN_QUIET - course.quiet),
        pace * (MIN_ATTEMPTS - course.attempts) / max(1.0, course.attempts / max(1, course.units)),
    ]
    if course.quiet_days < MIN_QUIET_DAYS:  # the first of them may be today
        seconds.append(DAY - course.observed % DAY + (MIN_QUIET_DAYS - 1 - max(1, course.quiet_days)) * DAY)
    return max(0.0, *seconds)


def _expected_units(course: Course, floor: int, horizon: int, prior: Prior) -> float:
    """The mean number of units until the last `MIN_QUIET` were quiet and at least `floor` have passed;
    `horizon` where that would be later.

    Two sorts of future are told apart, as quiet hours make it likely that the device is a quiet one: those
    in which nothing new has come yet, and those in which something has.
    """
    shape = prior.k + course.new_since_second
    before = watched = prior.k + weight(2, course.units - 1, prior)
    none_yet = 1.0
    runs = [0.0] * (MIN_QUIET + 1)  # the others, by quiet units in a row; the last: so many or more
    mean = 0.0
    for passed in range(horizon):
        if passed >= floor:  # those have ended
            runs[-1] = 0.0
            none_yet *= course.quiet + passed < MIN_QUIET
        learning = none_yet + sum(runs)
        if learning < 1e-6:
            break
        mean += learning
        rate = prior.c * max(2, course.units + passed + 1) ** -prior.alpha
        without_drift = exp(-prior.drift * course.pace / DAY)
        quiet_yet = (watched / (watched + rate)) ** shape * without_drift
        silent = (before / watched) ** shape
        appetite = (shape / before - silent * shape / watched) / (1 - silent) if silent < 1 else 0.0
        quiet = exp(-appetite * rate) * without_drift
        broken = none_yet * (1 - quiet_yet) + sum(runs) * (1 - quiet)
        runs = [broken, *(run * quiet for run in runs[:-2]), quiet * (runs[-2] + runs[-1])]
        none_yet *= quiet_yet
        watched += rate
    return mean


class History(NamedTuple):
    """All that fitting needs of one device. `units`: m; `new_since_second`: N; `logs`: the sum of ln i over
    those N, i the unit that each was new in."""

    units: int
    new_since_second: int
    logs: float

    @classmethod
    def of(cls, new_by_unit: Sequence[int]) -> "History":
        """From the number of new destinations in each unit, the first one's first."""
        later = list(enumerate(new_by_unit, start=1))[1:]
        return cls(len(new_by_unit), sum(new for _, new in later), sum(new * log(i) for i, new in later))


# Where a prior may lie, in the terms that are searched: ln c, α, ln k. Wide enough for any household, narrow
# enough that ten quiet devices do not make a prior which is sure that nothing ever comes.
_BOUNDS = ((log(0.05), log(20.0)), (0.0, 1.5), (log(0.05), log(5.0)))
_FIRST_STEP, _LAST_STEP = 0.5, 1e-4
_MAX_ROUNDS = 500


def fit(histories: Sequence[History], prior: Prior = PRIOR) -> Prior:
    """The prior under which `histories` are the most likely; `prior` itself where they are too few.

    Goes along each of c, α and k in turn, in steps that are halved when none helps any more: no random
    start, no derivative, at most `_MAX_ROUNDS` rounds, so the same histories always give the same prior.
    The drift stays: hours next to each other tell nothing of it.
    """
    watched = [history for history in histories if history.units >= 2]
    if len(watched) < ENOUGH_DEVICES:
        return prior
    point = _bounded((log(prior.c), prior.alpha, log(prior.k)))
    best, step = _likelihood(point, watched), _FIRST_STEP
    for _ in range(_MAX_ROUNDS):
        before = best
        for axis in range(len(point)):
            for move in (step, -step):
                tried = _bounded(tuple(x + move * (i == axis) for i, x in enumerate(point)))
                likelihood = _likelihood(tried, watched)
                if likelihood > best:
                    point, best = tried, likelihood
        if best == before:
            step /= 2
            if step < _LAST_STEP:
                break
    return _prior_at(point, prior)


def _bounded(point: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(min(max(x, low), high) for x, (low, high) in zip(point, _BOUNDS, strict=True))


def _prior_at(point: tuple[float, ...], prior: Prior) -> Prior:
    return prior._replace(c=exp(point[0]), alpha=point[1], k=exp(point[2]))


def _likelihood(point: tuple[float, ...], histories: Sequence[History]) -> float:
    """The logarithm of the chance of `histories`, but for what does not depend on the prior.

    A device's: Γ(k+N) / Γ(k) · k^k / (k+Λ)^(k+N) · Π c · i^−α over its N news.
    """
    prior = _prior_at(point, PRIOR)
    k = prior.k
    total = 0.0
    for units, new, logs in histories:
        exposure = weight(2, units - 1, prior)
        total += lgamma(k + new) - lgamma(k) + k * log(k) - (k + new) * log(k + exposure)
        total += new * log(prior.c) - prior.alpha * logs
    return total
