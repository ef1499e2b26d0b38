# SPDX-License-Identifier: GPL-2.0-or-later
"""Is this an IoT device? A logistic regression over the clues, which says why, and when it cannot tell.

Evidence in, class, confidence and reasons out. The weights are fitted by `python -m training.fit` in a
checkout and written to `weights`; docs/classification.md has them as a table, with what they rest on. Each
clue adds its weight times its strength to the log-odds of "IoT device"; between the two thresholds the answer
is `unknown`.
"""

from math import exp

from smartrouter.core.classification.clue import Clue
from smartrouter.core.classification.clues import clues
from smartrouter.core.classification.evidence import Classification, Evidence
from smartrouter.core.classification.weights import BIAS, IOT_FROM, NOT_IOT_TO, WEIGHTS

_NOTHING = "nothing that it shows tells what it is"
_WORTH_A_BUT = 0.3  # log-odds
_MOST_CERTAIN = 0.99  # clues are a device's own word: nothing is surer than that


def classify(evidence: Evidence) -> Classification:
    """What kind of device `evidence` speaks of."""
    found = clues(evidence)
    chance = probability(found)
    iot = True if chance >= IOT_FROM else False if chance <= NOT_IOT_TO else None
    return Classification(iot, _confidence(iot, chance), _reasons(found, iot))


def probability(found: list[Clue]) -> float:
    """How probably these clues are an IoT device's, 0 to 1."""
    return 1.0 / (1.0 + exp(-BIAS - sum(map(_pull, found))))


def _pull(clue: Clue) -> float:
    """What the clue adds to the log-odds."""
    return WEIGHTS.get(clue.feature, 0.0) * clue.strength


def _confidence(iot: bool | None, chance: float) -> float:
    if iot is None:
        return 0.0
    return round(min(_MOST_CERTAIN, chance if iot else 1.0 - chance), 2)


def _reasons(found: list[Clue], iot: bool | None) -> tuple[str, ...]:
    """The clues' phrases, the weightiest first; those that speak against the answer begin with "but"."""
    if not found:
        return (_NOTHING,)
    ordered = sorted(found, key=lambda clue: -abs(_pull(clue)))
    if iot is None:
        return tuple(clue.phrase for clue in ordered)
    against = [clue for clue in ordered if (_pull(clue) < 0) == iot and abs(_pull(clue)) >= _WORTH_A_BUT]
    return (
        *(clue.phrase for clue in ordered if clue not in against),
        *(f"but {clue.phrase}" for clue in against),
    )
