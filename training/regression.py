# SPDX-License-Identifier: GPL-2.0-or-later
"""Logistic regression with an L2 penalty, in plain Python: the same figures on every machine to three places.

One coordinate after the other takes a Newton step, as LIBLINEAR does it, until none moves (Yu, Huang, Lin:
"Dual coordinate descent methods for logistic regression", 2011, section 2, the primal form).
"""

from collections.abc import Mapping, Sequence
from math import exp
from typing import NamedTuple

from training.examples import Features, Row

EXACT, CLOSE = 1e-6, 2e-3  # a step that moves less than this is none: for the weights; for trying them
_ROUNDS = 500


class Fit(NamedTuple):
    """The weight of each feature, and what there is before any clue."""

    weights: Mapping[str, float]
    bias: float

    def chance(self, features: Features) -> float:
        """How probably a device with these features is an IoT device."""
        return _sigmoid(self.bias + sum(self.weights.get(f, 0.0) * x for f, x in features.items()))


def fit(
    rows: Sequence[Row], names: Sequence[str], penalty: float, start: Fit | None = None, small: float = EXACT
) -> Fit:
    """The weights of `names` that explain `rows` best; both sides count alike, however many there are."""
    places = {name: place for place, name in enumerate(names)}
    counts = _balanced(rows)
    columns: list[list[tuple[int, float]]] = [[] for _ in names]
    for number, row in enumerate(rows):
        for feature, strength in row.features.items():
            columns[places[feature]].append((number, strength))
    columns.append([(number, 1.0) for number in range(len(rows))])
    weights = [start.weights.get(name, 0.0) for name in names] if start else [0.0] * len(names)
    weights.append(start.bias if start else 0.0)
    odds = [0.0] * len(rows)
    for weight, column in zip(weights, columns, strict=True):
        for number, strength in column:
            odds[number] += weight * strength
    penalties = [penalty] * len(names) + [0.0]
    for _ in range(_ROUNDS):
        moved = 0.0
        for place, column in enumerate(columns):
            slope, curve = penalties[place] * weights[place], penalties[place] + 1e-9
            for number, strength in column:
                chance = _sigmoid(odds[number])
                slope += counts[number] * (chance - rows[number].target) * strength
                curve += counts[number] * max(chance * (1 - chance), 1e-3) * strength * strength
            step = max(-1.0, min(1.0, -slope / curve))
            weights[place] += step
            for number, strength in column:
                odds[number] += step * strength
            moved = max(moved, abs(step))
        if moved < small:
            break
    return Fit(dict(zip(names, weights, strict=False)), weights[-1])


def _balanced(rows: Sequence[Row]) -> list[float]:
    """How much each row counts, so that IoT devices and others have the same say."""
    things = sum(row.weight * row.target for row in rows)
    others = sum(row.weight * (1 - row.target) for row in rows)
    half = (things + others) / 2
    return [row.weight * (row.target * half / things + (1 - row.target) * half / others) for row in rows]


def _sigmoid(odds: float) -> float:
    return 1.0 / (1.0 + exp(-odds)) if odds > -700 else 0.0
