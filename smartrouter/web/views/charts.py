# SPDX-License-Identifier: GPL-2.0-or-later
"""Charts as numbers: where each bar stands, in the units of an SVG's view box. A template draws them, and
every chart has its table besides."""

from collections.abc import Sequence
from datetime import UTC, datetime, timezone
from typing import NamedTuple

WIDTH, HEIGHT = 720, 120  # of the part with bars
_GAP = 0.22  # of a bar's room, that is left free
_LEAST = 2.0  # the height of what is more than nothing
_TICKS = 6


class Bar(NamedTuple):
    """One bar: `x`, `y`, `width`, `height` of all, `bad`: the height of the blocked part, from below; `mark`:
    how many alerts stand above it; `at`: what it is about (epoch seconds, or a day's number); `all`,
    `blocked`."""

    x: float
    y: float
    width: float
    height: float
    bad: float
    mark: int
    at: float
    all: int
    blocked: int


class Chart(NamedTuple):
    """A bar chart. `labels`: one below each bar, '' for none; `most`: the number that the highest bar stands
    for, 0 where there is nothing; `marks`: alerts."""

    bars: Sequence[Bar]
    labels: Sequence[str]
    most: int
    total: int
    blocked: int
    marks: int


def bars(columns: Sequence[tuple[float, int, int, int]], labels: Sequence[str]) -> Chart:
    """A chart of columns (at, count, blocked, alerts)."""
    most = max((count for _, count, _, _ in columns), default=0)
    room = WIDTH / max(1, len(columns))
    made = []
    for place, (at, count, blocked, alerts) in enumerate(columns):
        height = _height(count, most)
        bad = min(height, _height(blocked, most))
        x, width = place * room + room * _GAP / 2, room * (1 - _GAP)
        made.append(
            Bar(round(x, 1), round(HEIGHT - height, 1), round(width, 1), round(height, 1), round(bad, 1),
                alerts, at, count, blocked)
        )  # fmt: skip
    return Chart(
        made, labels, most, sum(column[1] for column in columns), sum(column[2] for column in columns),
        sum(column[3] for column in columns),
    )  # fmt: skip


def hour_ticks(starts: Sequence[float], zone: timezone | None) -> list[str]:
    """The hours of the clock below some of these moments (epoch seconds), in the reader's zone."""
    there = [datetime.fromtimestamp(start, UTC).astimezone(zone) for start in starts]
    return [f"{moment:%H:%M}" if moment.hour % (24 // _TICKS) == 0 else "" for moment in there]


def day_ticks(days: Sequence[int]) -> list[str]:
    """The day of the month below every third day, of days by number (`datetime.date.toordinal`)."""
    return [
        f"{datetime.fromordinal(day):%d %b}" if (len(days) - 1 - place) % 3 == 0 else ""
        for place, day in enumerate(days)
    ]


def _height(count: int, most: int) -> float:
    return 0.0 if not count else max(_LEAST, HEIGHT * count / most)
