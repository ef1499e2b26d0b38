# SPDX-License-Identifier: GPL-2.0-or-later
"""How good the weights are on devices of groups that they were not fitted on, and where to draw the lines.

Cross-validated: each group is left out in turn, weights are fitted on the rest, and tell the group's devices.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import log
from typing import NamedTuple

from training.examples import Example, features, rows
from training.regression import CLOSE, Fit, fit

PENALTIES = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)  # tried; the one with the least cross-validated loss is taken

# What an error costs. An unknown device is not watched, until somebody says so.
WATCHED_PERSON = 3.0  # a person's device is taken for a thing: watched, in the end blocked
OVERLOOKED = 2.0  # a thing is taken for a person's device: nobody will ask about it again
UNDECIDED_THING = 1.0  # a thing stays unwatched until somebody decides
UNDECIDED_PERSON = 0.3  # somebody is asked for nothing
MOST_WATCHED_PERSONS = 0.03  # share of others taken for things, cross-validated


class Told(NamedTuple):
    """One example, and the chance that weights which do not know its group give it."""

    example: Example
    chance: float


class Thresholds(NamedTuple):
    """From which chance on it is a thing; up to which it is not."""

    iot_from: float
    not_iot_to: float

    def word(self, chance: float) -> str:
        """`iot`, `not-iot` or `unknown`."""
        return "iot" if chance >= self.iot_from else "not-iot" if chance <= self.not_iot_to else "unknown"


def fit_all(examples: Sequence[Example], names: Sequence[str], penalty: float) -> Fit:
    """The weights from all of `examples`."""
    return fit([row for example in examples for row in rows(example)], names, penalty)


def cross_validated(examples: Sequence[Example], names: Sequence[str], penalty: float) -> list[Told]:
    """Each example, told by weights that were fitted without its group."""
    by_group: dict[str, list[Example]] = {}
    for example in examples:
        by_group.setdefault(example.group, []).append(example)
    seen = [row for example in examples for row in rows(example)]
    start = fit(seen, names, penalty)
    told = []
    for group, left_out in by_group.items():
        without = fit([row for row in seen if row.group != group], names, penalty, start, CLOSE)
        told += [Told(example, without.chance(features(example.evidence))) for example in left_out]
    return told


def loss(told: Sequence[Told]) -> float:
    """The mean logarithmic loss: small where chances are right and sure."""
    clipped = [(t.example.target, min(0.999, max(0.001, t.chance))) for t in told]
    return -sum(y * log(p) + (1 - y) * log(1 - p) for y, p in clipped) / len(clipped)


def thresholds(told: Sequence[Told]) -> Thresholds:
    """By the costs, taking chances at their word; the upper one higher if too many others were watched."""
    iot_from = _chance((WATCHED_PERSON - UNDECIDED_PERSON) / UNDECIDED_THING)
    not_iot_to = _chance(UNDECIDED_PERSON / (OVERLOOKED - UNDECIDED_THING))
    others = sorted((t.chance for t in told if t.example.label == "not-iot"), reverse=True)
    allowed = int(MOST_WATCHED_PERSONS * len(others))
    return Thresholds(max(round(iot_from, 2), round(others[allowed] + 0.005, 2)), round(not_iot_to, 2))


def confusion(told: Sequence[Told], lines: Thresholds) -> Mapping[str, Counter[str]]:
    """By label, how many were told what."""
    counts: dict[str, Counter[str]] = {}
    for t in told:
        counts.setdefault(t.example.label, Counter())[lines.word(t.chance)] += 1
    return counts


def _chance(odds: float) -> float:
    return odds / (1 + odds)
