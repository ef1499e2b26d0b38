# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/api.md is what `make docs` makes of the table, and says what there is."""

from pathlib import Path

from smartrouter.web.api.docs import render
from smartrouter.web.api.operations import OPERATIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == render(), "run `make docs`"


def test_it_has_every_operation_and_all_that_one_takes() -> None:
    text = PAGE.read_text()
    for operation in OPERATIONS:
        assert f"**`{operation.method} {operation.path}`**" in text
        for parameter in operation.query:
            assert f"`?{parameter.name}=`" in text
        for name in (operation.body or {}).get("properties", {}):
            assert f"* `{name}` (" in text
