# SPDX-License-Identifier: GPL-2.0-or-later
"""The reference of alerts says what the code says."""

from pathlib import Path

import pytest

from smartrouter.cli.alert_reference import render
from smartrouter.core.effects import Evidence, Kind
from smartrouter.core.explanations import EVIDENCE, EXPLANATIONS
from smartrouter.core.policy import REASONS, Reason

PAGE = Path(__file__).resolve().parents[2] / "docs" / "alerts.md"


def test_the_page_is_the_one_that_the_code_gives() -> None:
    command = "python -m smartrouter.cli.alert_reference > docs/alerts.md"
    assert PAGE.read_text() == render(), f"run: {command}"


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_explained_in_three_sentences(kind: Kind) -> None:
    section = render().partition(f"\n### {kind}\n")[2].partition("\n### ")[0]
    for text in EXPLANATIONS[kind]:
        assert text in section
        assert text[0].isupper()
        assert text.endswith(".")


def test_nothing_is_explained_that_is_not_there() -> None:
    assert set(EXPLANATIONS) == set(Kind)
    assert set(EVIDENCE) == set(Evidence)
    assert set(REASONS) == set(Reason)


@pytest.mark.parametrize("word", [*Reason, *Evidence])
def test_every_reason_and_every_evidence_has_its_row(word: str) -> None:
    assert f"\n| `{word}` | " in render()
