# SPDX-License-Identifier: GPL-2.0-or-later
"""The example in docs/classification.md is what the program says (figures: tests/unit/test_training.py)."""

import json
import re
from pathlib import Path

from smartrouter.cli.classify import answered
from smartrouter.core.classification.clues import MEANINGS
from smartrouter.makers import Makers

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "classification.md").read_text(encoding="utf-8")


def test_the_example_is_answered_as_the_page_says() -> None:
    example = re.search(
        r"\$ echo '(?P<line>.*)' \| smartrouter classify\n(?P<answer>\{.*?\]\})\n", PAGE, re.DOTALL
    )
    assert example is not None
    assert answered(example["line"].encode(), Makers()) == json.loads(example["answer"])


def test_the_page_explains_every_clue() -> None:
    assert [name for name in MEANINGS if f"| `{name}` |" not in PAGE] == []
