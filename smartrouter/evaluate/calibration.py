# SPDX-License-Identifier: GPL-2.0-or-later
"""Forecasts of new destinations against what came: does the estimate keep its word?

Knows nothing of captures or devices: forecasts in, figures out.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import expm1, inf, log
from typing import Any, NamedTuple

from smartrouter.evaluate.units import Forecast

EDGES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, inf)  # of the bins, by the number expected; each twice the last
_SURE = 1e-9  # a chance nearer to 0 or 1 than this would make one miss count for everything


class Bin(NamedTuple):
    """The units of which from `low` to less than `high` new destinations were expected. `expected`, `came`:
    how many, in all; `chance`: of any, on average; `with_any`: in how many units some came."""

    low: float
    high: float
    units: int
    expected: float
    came: int
    chance: float
    with_any: int

    def to_json(self) -> dict[str, Any]:
        """As plain values; no upper edge: null."""
        return {**self._asdict(), "high": None if self.high == inf else self.high}


class Calibration(NamedTuple):
    """`units` that were forecast; destinations `expected`, by the estimate and by Good–Turing, and those that
    `came`. `log_loss` of the chance of any, in nats a unit; `poisson_log_loss`, if that chance were 1 − e^−E;
    `flat_log_loss`, that of somebody who knows only in how many of all units something came. `within`: units
    whose number lay in the interval."""

    units: int
    expected: float
    good_turing: float
    came: int
    log_loss: float
    poisson_log_loss: float
    flat_log_loss: float
    within: int
    bins: tuple[Bin, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {**self._asdict(), "bins": [one.to_json() for one in self.bins]}


def calibration(made: Sequence[Forecast]) -> Calibration:
    """How well the forecasts did."""
    share = sum(forecast.came > 0 for forecast in made) / len(made) if made else 0.0
    return Calibration(
        units=len(made),
        expected=sum(forecast.estimate.expected for forecast in made),
        good_turing=sum(forecast.good_turing for forecast in made),
        came=sum(forecast.came for forecast in made),
        log_loss=_log_loss((f.estimate.any, f.came > 0) for f in made),
        poisson_log_loss=_log_loss(
            (-expm1(-forecast.estimate.expected), forecast.came > 0) for forecast in made
        ),
        flat_log_loss=_log_loss((share, f.came > 0) for f in made),
        within=sum(f.estimate.low <= f.came <= f.estimate.high for f in made),
        bins=tuple(_bin(low, high, made) for low, high in pairwise(EDGES)),
    )


def _bin(low: float, high: float, made: Sequence[Forecast]) -> Bin:
    inside = [forecast for forecast in made if low <= forecast.estimate.expected < high]
    count = len(inside)
    return Bin(
        low,
        high,
        count,
        sum(forecast.estimate.expected for forecast in inside),
        sum(forecast.came for forecast in inside),
        sum(forecast.estimate.any for forecast in inside) / count if count else 0.0,
        sum(forecast.came > 0 for forecast in inside),
    )


def _log_loss(outcomes: Iterable[tuple[float, bool]]) -> float:
    losses = []
    for chance, happened in outcomes:
        kept = min(max(chance, _SURE), 1 - _SURE)
        losses.append(-log(kept if happened else 1 - kept))
    return sum(losses) / len(losses) if losses else 0.0
