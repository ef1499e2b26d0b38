# SPDX-License-Identifier: GPL-2.0-or-later
"""A report as people read it: a table for a terminal, and one in Markdown. Pure."""

from collections.abc import Mapping
from textwrap import wrap
from typing import Any

from bench.figures import holds

_TITLE, _VALUE = 66, 10
BEGIN, END = "<!-- figures of `make bench` -->", "<!-- end of these figures -->"


def table(report: Mapping[str, Any]) -> str:
    """For a terminal."""
    lines = [machine(report)]
    for section in report["sections"]:
        lines += ["", section["title"].upper(), *wrap(section["about"], 110), ""]
        lines += [_line(row) for row in section["rows"]]
    return "\n".join(lines)


def _line(row: Mapping[str, Any]) -> str:
    mark = {None: "", True: "  holds", False: "  MISSED"}[holds(row)]
    bound = (
        f"{'≤' if row['less_is_better'] else '≥'} {row['budget']:g}{mark}"
        if row["budget"] is not None
        else ""
    )
    unit = f"{row['unit']:<24}"
    return (
        f"{row['title']:<{_TITLE}}{figure(row['median']):>{_VALUE}} {unit}"
        f"{spread(row):<18}{bound:<18}{row['note']}".rstrip()
    )


def markdown(report: Mapping[str, Any]) -> str:
    """The rows that have a budget, between the two markers by which a page's block is found."""
    lines = [BEGIN, "", "| what | measured | spread | budget |", "|---|---|---|---|"]
    for section in report["sections"]:
        for row in section["rows"]:
            if row["budget"] is None:
                continue
            value = f"**{figure(row['median'])}** {row['unit']}"
            bound = f"{'≤' if row['less_is_better'] else '≥'} {row['budget']:g}" + (
                "" if holds(row) else " (missed)"
            )
            lines.append(f"| {section['title']}: {row['title']} | {value} | {spread(row)} | {bound} |")
    return "\n".join([*lines, "", machine(report), "", END])


def machine(report: Mapping[str, Any]) -> str:
    """Where and when it was measured, in a line."""
    effort = "A quick run" if report["quick"] else "A full run"
    return (
        f"{effort} of up to {report['rounds']} rounds on {report['date']}: Linux {report['kernel']}, "
        f"Python {report['python']}, {report['cpus']} CPUs. Medians; spread: least and most of the rounds."
    )


def budget(row: Mapping[str, Any]) -> str:
    """What a row is to be, '' if nothing."""
    if row["budget"] is None:
        return ""
    return f"{'≤' if row['less_is_better'] else '≥'} {row['budget']:g}"


def spread(row: Mapping[str, Any]) -> str:
    """The least and the most of a row."""
    return "" if row["low"] == row["high"] else f"{figure(row['low'])}–{figure(row['high'])}"


def figure(value: float) -> str:
    """A number with three digits that count."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
