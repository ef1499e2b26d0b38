# SPDX-License-Identifier: GPL-2.0-or-later
"""The labelled devices: what each file of this folder holds, read into evidence.

A row is an object with `label` (`iot`, `not-iot`, or `either` where both occur or it is a matter of taste),
`group` (what it must not be told by: devices of one kind by one maker, one system's generation), `what`,
`source` (where the fact comes from), and what was seen: `mac`, `maker`, `hostname`, `vendor_class`,
`user_class`, `params`, `services`, `models`, `stack`, `behaviour`, any of which may be missing.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from smartrouter.core.classification.clues import clues
from smartrouter.core.classification.evidence import Evidence
from smartrouter.core.classification.signs import Behaviour, SynShape

HERE = Path(__file__).resolve().parent
FITTED = ("clients.jsonl", "knowledge.jsonl", "traffic.jsonl")  # the first and the last were measured
HELD_OUT = "heldout.jsonl"

TARGETS = {"iot": 1.0, "not-iot": 0.0, "either": 0.5}
# A device may be known by part of this only; so each example counts again, less, with parts left out.
_PARTS: tuple[tuple[float, tuple[str, ...]], ...] = (
    (0.25, ("mac", "maker", "hostname")),
    (0.25, ("mac", "vendor_class", "params")),
    (0.1, ("maker",)),
    (0.1, ("hostname",)),
    (0.1, ("params",)),
    (0.25, ("services", "models", "stack", "behaviour")),
    (0.1, ("stack",)),
    (0.25, ("behaviour",)),
)
Features = dict[str, float]


class Example(NamedTuple):
    """One labelled device."""

    file: str
    label: str
    group: str
    what: str
    evidence: Evidence

    @property
    def target(self) -> float:
        """How probably such a device is an IoT device."""
        return TARGETS[self.label]


class Row(NamedTuple):
    """What the fit sees: features by name, what they should give, how much that counts, and the group."""

    features: Features
    target: float
    weight: float
    group: str


def read(name: str) -> list[Example]:
    """The examples of one file; none if there is no such file."""
    path = HERE / name
    if not path.is_file():
        return []
    return [_example(name, json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def fitted() -> list[Example]:
    """All examples that the weights are fitted on."""
    return [example for name in FITTED for example in read(name)]


def rows(example: Example) -> Iterator[Row]:
    """The example as the fit sees it: whole, and in parts."""
    whole = features(example.evidence)
    yield Row(whole, example.target, 1.0, example.group)
    seen = [whole]
    for weight, kept in _PARTS:
        part = features(_only(example.evidence, kept))
        if part and part not in seen:
            seen.append(part)
            yield Row(part, example.target, weight, example.group)


def features(evidence: Evidence) -> Features:
    """The clues in it, by feature."""
    return {clue.feature: clue.strength for clue in clues(evidence)}


def _only(evidence: Evidence, kept: tuple[str, ...]) -> Evidence:
    return Evidence(**{"mac": "", **{field: getattr(evidence, field) for field in kept}})


def _example(name: str, row: dict[str, Any]) -> Example:
    evidence = Evidence(
        row.get("mac") or "",
        row.get("hostname") or "",
        row.get("maker") or "",
        row.get("vendor_class") or "",
        row.get("user_class") or "",
        tuple(row.get("params") or ()),
        services=tuple(row.get("services") or ()),
        models=tuple(row.get("models") or ()),
        stack=SynShape(**row["stack"]) if "stack" in row else None,
        behaviour=Behaviour(**row["behaviour"]) if "behaviour" in row else None,
    )
    return Example(name, row["label"], row.get("group", row["what"]), row["what"], evidence)
