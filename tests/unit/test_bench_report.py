# SPDX-License-Identifier: GPL-2.0-or-later
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.figures import Budget, Row, Section, Spread, as_report
from bench.picture import into, svg
from bench.report import BEGIN, END, figure, markdown, table
from smartrouter.core.errors import Unavailable

MACHINE = {
    "date": "2026-11-22T12:00:00+00:00", "kernel": "6.18", "python": "3.11.2", "cpus": 2, "quick": True,
    "rounds": 3, "reader": "netfilterqueue",
}  # fmt: skip


@pytest.fixture
def report() -> dict[str, Any]:
    rows = [
        Row("good", "kept <b>", Spread(0.6, 0.5, 0.7), "÷ C", Budget(0.55)),
        Row("bad", "broken", Spread(40.0, 40.0, 40.0), "MiB", Budget(32, at_most=True)),
        Row("none", "lost", Spread(0.0, 0.0, 0.0), "lost", Budget(0, at_most=True)),
        Row("plain", "without a budget", Spread(12345.6, 12000.0, 13000.0), "/s", note="a note"),
    ]
    return as_report([Section("Section", "how it was measured", rows)], MACHINE)


def test_the_table_says_what_holds_and_what_does_not(report: dict[str, Any]) -> None:
    lines = table(report).splitlines()
    kept, broken, none, plain = lines[-4:]
    assert "≥ 0.55  holds" in kept
    assert "0.50–0.70" in kept
    assert "≤ 32  MISSED" in broken
    assert "≤ 0  holds" in none
    assert "12,346" in plain
    assert plain.endswith("a note")


def test_the_markdown_has_the_rows_with_budgets_between_its_markers(report: dict[str, Any]) -> None:
    text = markdown(report)
    assert text.startswith(BEGIN)
    assert text.endswith(END)
    assert "**40** MiB |  | ≤ 32 (missed) |" in text
    assert "without a budget" not in text


def test_a_page_gets_the_new_table_in_place_of_the_old_one(report: dict[str, Any]) -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert into(page, report) == f"before\n{markdown(report)}\nafter\n"
    assert into(into(page, report), report) == into(page, report)


def test_a_page_without_markers_is_left_alone(report: dict[str, Any]) -> None:
    with pytest.raises(Unavailable, match="block"):
        into("a page", report)


def test_the_picture_is_well_formed_and_says_its_figures_in_words(report: dict[str, Any]) -> None:
    picture = ElementTree.fromstring(svg(report))
    space = "{http://www.w3.org/2000/svg}"
    assert picture.tag == f"{space}svg"
    words = picture.findtext(f"{space}desc")
    assert words is not None
    assert "Section: kept <b>: 0.60 ÷ C" in words
    assert "prefers-color-scheme:dark" in (picture.findtext(f"{space}style") or "")
    shown = [text.text for text in picture.iter(f"{space}text")]
    assert "40 MiB" in shown
    assert "without a budget" not in shown


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.50"), (12.34, "12.3"), (3.0, "3"), (12345.6, "12,346"), (123.4, "123.4")]
)
def test_figures_are_short(value: float, text: str) -> None:
    assert figure(value) == text
