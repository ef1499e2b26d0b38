# SPDX-License-Identifier: GPL-2.0-or-later
import json
from pathlib import Path
from typing import Any

import pytest

from bench.figures import Budget, Row, Section, Spread, as_report
from bench.history import Change, compare, load, save, told
from smartrouter.core.errors import Unavailable


def report(median: float, swing: float = 0.0, unit: str = "÷ C", *, at_most: bool = False) -> dict[str, Any]:
    value = Spread(median, median - swing, median + swing)
    row = Row("key", "title", value, unit, Budget(1.0, at_most))
    return as_report([Section("section", "about", [row])], {"cpus": 2})


def test_what_was_saved_is_loaded_again_in_order(tmp_path: Path) -> None:
    path = tmp_path / "history"
    save(report(0.5), path)
    save(report(0.6), path)
    assert [each["key"] for each in load(path)] == [0.5, 0.6]


@pytest.mark.parametrize("text", [None, "", "nonsense\n", "[1]\n", '{"cpus": 2}\n'])
def test_what_is_no_history_is_said_to_be_none(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "history"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Unavailable, match="history"):
        load(path)


@pytest.mark.parametrize(
    ("then", "now", "is_worse"),
    [
        (report(0.6), report(0.5), True),
        (report(0.6), report(0.7), False),
        (report(0.6), report(0.59), False),  # less than one twentieth is noise
        (report(0.6, swing=0.1), report(0.5), False),  # within what it was spread
        (report(0.6), report(0.5, swing=0.1), False),  # within what it is spread
        (report(0.6, at_most=True), report(0.8, at_most=True), True),
        (report(0.6, at_most=True), report(0.4, at_most=True), False),
        (report(60.0, unit="µs"), report(20.0, unit="µs"), False),  # another machine's microseconds
        (report(8.0, unit="×"), report(4.0, unit="×"), True),
    ],
)
def test_only_a_ratio_is_worse_and_only_by_more_than_its_spread(
    then: dict[str, Any], now: dict[str, Any], is_worse: bool
) -> None:
    assert [change.is_worse for change in compare([then], now, best=False)] == [is_worse]


def test_it_is_compared_with_the_last_run_or_with_the_best() -> None:
    earlier = [report(0.9), report(0.5)]
    assert compare(earlier, report(0.6), best=False) == [Change("key", 0.5, 0.6, False)]
    assert compare(earlier, report(0.6), best=True) == [Change("key", 0.9, 0.6, True)]


def test_a_figure_that_is_new_is_compared_with_nothing() -> None:
    old = json.loads(json.dumps(report(0.5)).replace('"key"', '"other"', 1))
    old["sections"][0]["rows"][0]["key"] = "other"
    assert compare([old], report(0.6), best=False) == []


def test_changes_are_told_one_a_line_with_what_became_worse_marked() -> None:
    lines = told([Change("a", 0.5, 0.6, False), Change("b", 0.0, 3.0, False), Change("c", 0.8, 0.4, True)])
    assert lines.splitlines()[0].endswith("+20%")
    assert "WORSE" not in lines.splitlines()[1]
    assert lines.splitlines()[2].endswith("-50%  WORSE")
