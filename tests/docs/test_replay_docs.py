# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/replay.md says all of what `smartrouter replay` takes and prints."""

from pathlib import Path

import pytest

from smartrouter.core.destinations import Match
from smartrouter.core.policy import Mode
from smartrouter.replay.figures import MAX_ADDRESSES, MAX_ALERTS, NOBODY, DeviceFigures, Result
from smartrouter.replay.options import USUAL, Counted, learn_from

TEXT = (Path(__file__).parents[2] / "docs" / "replay.md").read_text()
CHOICES = {"--scope": Counted, "--match": Match, "--mode": Mode}


@pytest.mark.parametrize("key", [*Result().to_json(), *DeviceFigures().to_json(), *NOBODY.to_json()])
def test_every_figure_is_explained(key: str) -> None:
    assert f"`{key}`" in TEXT


@pytest.mark.parametrize(
    "option", [f"{option} {choice}" for option, choices in CHOICES.items() for choice in choices]
)
def test_every_choice_is_explained(option: str) -> None:
    assert f"| `{option}` |" in TEXT


def test_the_defaults_are_those_that_are_named() -> None:
    def default(option: str) -> str:
        (line,) = [
            line for line in TEXT.splitlines() if line.startswith(f"| `{option} ") and "efault" in line
        ]
        return line.split("`")[1].split()[1]

    assert learn_from(default("--learn")) == USUAL.learn
    assert default("--scope") == USUAL.counted
    assert default("--match") == USUAL.match
    assert default("--mode") == USUAL.mode
    assert (default("--resolvers") == "any") is USUAL.any_resolver


def test_the_bounds_are_those_that_are_named() -> None:
    assert f"{MAX_ALERTS:,}" in TEXT
    assert f"up to {MAX_ADDRESSES} `addresses`" in TEXT
