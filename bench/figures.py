# SPDX-License-Identifier: GPL-2.0-or-later
"""What was measured: medians and spreads of rounds, the rows that are shown, and all of it as JSON. Pure."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple


class Spread(NamedTuple):
    """What came of several rounds: their median, and the least and the most."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    return Spread(median(values), min(values), max(values))


def ratios(over: Sequence[float], under: Sequence[float]) -> Spread:
    """`over` ÷ `under`, round by round: what slows the machine for a while slows both of a round."""
    return spread([one / other for one, other in zip(over, under, strict=True)])


class Budget(NamedTuple):
    """What a figure is to be, at least or at most."""

    bound: float
    at_most: bool = False


class Row(NamedTuple):
    """One figure. `key`: what it is called in JSON; `unit`: `÷ C`, `µs`, …; `budget`: None if it has none;
    `less_is_better`: where there is no budget that says so. `note`: what else there is to know."""

    key: str
    title: str
    value: Spread
    unit: str
    budget: Budget | None = None
    less_is_better: bool = False
    note: str = ""


class Section(NamedTuple):
    """Rows that belong together. `about`: how they were measured, in a sentence or two."""

    title: str
    about: str
    rows: Sequence[Row]


def as_report(sections: Sequence[Section], machine: Mapping[str, Any]) -> dict[str, Any]:
    """All of it as JSON can hold it: `machine`, each key with its median, and the sections with what belongs
    to each row."""
    rows = [row for section in sections for row in section.rows]
    return {
        **machine,
        **{row.key: rounded(row.value.median) for row in rows},
        "sections": [
            {"title": title, "about": about, "rows": [_row(row) for row in rows]}
            for title, about, rows in sections
        ],
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "key": row.key,
        "title": row.title,
        "median": rounded(row.value.median),
        "low": rounded(row.value.low),
        "high": rounded(row.value.high),
        "unit": row.unit,
        "budget": row.budget.bound if row.budget else None,
        "less_is_better": row.less_is_better or bool(row.budget and row.budget.at_most),
        "note": row.note,
    }


def rows_of(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a report, of all its sections."""
    return [row for section in report["sections"] for row in section["rows"]]


def holds(row: Mapping[str, Any]) -> bool | None:
    """Does a row of a report keep its budget? None if it has none."""
    budget = row["budget"]
    if budget is None:
        return None
    return bool(row["median"] <= budget if row["less_is_better"] else row["median"] >= budget)


def rounded(value: float) -> float | int:
    """`value` with as many digits as mean something."""
    if value == int(value):
        return int(value)
    return round(value, 3) if abs(value) < 100 else round(value, 1)
