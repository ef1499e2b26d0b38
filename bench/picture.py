# SPDX-License-Identifier: GPL-2.0-or-later
"""The newest report of a history as a picture and a table: `python -m bench.picture HISTORY …`.

`--svg` draws its figures against their budgets. `--into` puts its table into a page, between the two markers
that the page has for it. Without either the table is printed. What is drawn and written is made by pure
functions.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import history, report
from bench.figures import holds
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.evaluate.drawing import Drawing, Scale

_WIDTH, _MARGIN, _BARS, _LINE = 960, 24, 500, 26
_HEAD = 84
_TITLE = "What smartrouter costs"


def svg(found: Mapping[str, Any]) -> str:
    """The figures that have a budget: those that are to be large, and those that are to be small."""
    rows = [
        row | {"title": f"{section['title'].partition(',')[0]}: {row['title']}"}
        for section in found["sections"]
        for row in section["rows"]
        if row["budget"] is not None
    ]
    at_least = [row for row in rows if not row["less_is_better"]]
    at_most = [row for row in rows if row["less_is_better"]]
    height = _HEAD + _LINE * (len(rows) + 4)
    words = "; ".join(f"{row['title']}: {report.figure(row['median'])} {row['unit']}" for row in rows)
    drawing = Drawing(_WIDTH, height, _TITLE, words)
    drawing.word(_MARGIN, 34, _TITLE, size=18, bold=True)
    drawing.word(_MARGIN, 56, report.machine(found), "faint", size=11)
    top = _group(drawing, _HEAD, "As a share of the reference; the stroke is the least it is to be", at_least)
    _group(drawing, top + _LINE, "As a share of the most it is to be, which is the stroke", at_most)
    return drawing.svg()


def _group(drawing: Drawing, top: int, title: str, rows: Sequence[Mapping[str, Any]]) -> int:
    """Bars below `title`; gives where they end."""
    drawing.word(_MARGIN, top + 16, title, bold=True)
    shares = [_shares(row) for row in rows]
    scale = Scale(0.0, max([1.0, *(max(each) for each in shares)]), _BARS, _WIDTH - _MARGIN - 110)
    for number, (row, (value, budget)) in enumerate(zip(rows, shares, strict=True)):
        y = top + _LINE * (number + 1)
        kind = "first" if holds(row) else "second"
        drawing.word(_BARS - 10, y + 17, row["title"], anchor="end")
        corners = [(_BARS, y + 5), (scale.at(value), y + 5), (scale.at(value), y + 21), (_BARS, y + 21)]
        drawing.area(corners, kind, 0.85)
        drawing.line([(scale.at(budget), y + 2), (scale.at(budget), y + 24)], "ink", width=2)
        unit = row["unit"] if not row["unit"].startswith("÷") else ""
        text = f"{report.figure(row['median'])} {unit}".strip()
        drawing.word(max(scale.at(value), scale.at(budget)) + 8, y + 17, text, "ink", bold=True)
    return top + _LINE * (len(rows) + 1)


def _shares(row: Mapping[str, Any]) -> tuple[float, float]:
    """Where a row's value and its budget are drawn."""
    if not row["less_is_better"]:
        return row["median"], row["budget"]
    return row["median"] / (row["budget"] or 1), 1.0 if row["budget"] else 0.0


def into(page: str, found: Mapping[str, Any]) -> str:
    """`page` with the table in place of what stood between its markers. Raises Unavailable without them."""
    before, begin, rest = page.partition(report.BEGIN)
    _, end, after = rest.partition(report.END)
    if not begin or not end:
        raise Unavailable(f"the page has no block between `{report.BEGIN}` and `{report.END}`")
    return before + report.markdown(found) + after


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.picture", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("history", type=Path)
    parser.add_argument("--svg", type=Path, metavar="FILE")
    parser.add_argument("--into", type=Path, metavar="FILE")
    options = parser.parse_args()
    try:
        found = history.load(options.history)[-1]
        if options.svg:
            options.svg.write_text(svg(found), "utf-8")
        if options.into:
            options.into.write_text(into(options.into.read_text("utf-8"), found), "utf-8")
    except (SmartrouterError, OSError) as error:
        print(f"bench.picture: {error}", file=sys.stderr)
        return 1
    if not options.svg and not options.into:
        print(report.markdown(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
