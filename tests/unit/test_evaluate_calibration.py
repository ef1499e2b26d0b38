# SPDX-License-Identifier: GPL-2.0-or-later
"""Forecasts against what came, by hand."""

import json
from itertools import pairwise
from math import exp, log

import pytest

from smartrouter.core.novelty import Estimate
from smartrouter.evaluate.calibration import EDGES, calibration
from smartrouter.evaluate.units import Forecast


def forecast(expected: float, came: int, chance: float, *, high: int = 1) -> Forecast:
    return Forecast(2, Estimate(expected, 0, high, chance), 0.5, came)


MADE = [forecast(0.1, 0, 0.1), forecast(0.15, 1, 0.2), forecast(0.8, 3, 0.5), forecast(5.0, 2, 0.9, high=9)]


def test_sums_are_sums() -> None:
    found = calibration(MADE)
    assert (found.units, found.came, found.within) == (4, 6, 3)
    assert found.expected == pytest.approx(6.05)
    assert found.good_turing == pytest.approx(2.0)


def test_log_losses_are_means_of_what_each_forecast_risked() -> None:
    found = calibration(MADE)
    assert found.log_loss == pytest.approx(-(log(0.9) + log(0.2) + log(0.5) + log(0.9)) / 4)
    assert found.flat_log_loss == pytest.approx(-(log(0.25) + 3 * log(0.75)) / 4)
    poisson = [exp(-0.1), 1 - exp(-0.15), 1 - exp(-0.8), 1 - exp(-5)]
    assert found.poisson_log_loss == pytest.approx(-sum(map(log, poisson)) / 4)


def test_every_forecast_is_in_one_bin() -> None:
    found = calibration(MADE)
    assert [(one.low, one.high) for one in found.bins] == list(pairwise(EDGES))
    assert [one.units for one in found.bins] == [0, 0, 2, 0, 0, 2]
    assert [one.came for one in found.bins] == [0, 0, 1, 0, 0, 5]
    assert [one.with_any for one in found.bins] == [0, 0, 1, 0, 0, 2]
    assert found.bins[2].chance == pytest.approx(0.15)
    assert found.bins[5].expected == pytest.approx(5.8)


def test_a_sure_forecast_that_fails_costs_much_but_not_everything() -> None:
    found = calibration([forecast(0.0, 1, 0.0), forecast(9.0, 1, 1.0)])
    assert 5 < found.log_loss < 50


def test_nothing_foretold_is_no_error() -> None:
    found = calibration([])
    assert (found.units, found.log_loss, found.flat_log_loss) == (0, 0.0, 0.0)
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["bins"][-1]["high"] is None
