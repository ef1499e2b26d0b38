# SPDX-License-Identifier: GPL-2.0-or-later
"""Charts as numbers."""

from datetime import UTC, date, timedelta, timezone

import pytest
from unit.made_effects import NOON

from smartrouter.web.views.charts import HEIGHT, WIDTH, bars, day_ticks, hour_ticks


def test_bars_are_as_high_as_their_numbers_and_stand_beside_each_other() -> None:
    chart = bars([(0.0, 10, 0, 0), (1.0, 0, 0, 2), (2.0, 5, 5, 0), (3.0, 10, 1, 0)], ["a", "", "", "b"])
    assert [bar.height for bar in chart.bars] == [HEIGHT, 0.0, HEIGHT / 2, HEIGHT]
    assert [bar.bad for bar in chart.bars] == [0.0, 0.0, HEIGHT / 2, HEIGHT / 10]
    assert [bar.y + bar.height for bar in chart.bars] == [HEIGHT] * 4
    rights = [bar.x + bar.width for bar in chart.bars]
    assert all(right <= bar.x for right, bar in zip(rights, chart.bars[1:], strict=False))
    assert chart.bars[0].x >= 0
    assert rights[-1] <= WIDTH
    assert (chart.most, chart.total, chart.blocked, chart.marks, chart.labels) == (
        10,
        25,
        6,
        2,
        ["a", "", "", "b"],
    )


def test_what_is_little_beside_much_can_still_be_seen() -> None:
    assert bars([(0.0, 1_000_000, 1, 0), (1.0, 1, 0, 0)], ["", ""]).bars[1].height >= 2
    assert bars([(0.0, 1_000_000, 1, 0)], [""]).bars[0].bad >= 2


@pytest.mark.parametrize("columns", [[], [(0.0, 0, 0, 0)]])
def test_nothing_is_a_chart_of_nothing(columns: list[tuple[float, int, int, int]]) -> None:
    chart = bars(columns, [""] * len(columns))
    assert (chart.most, chart.total) == (0, 0)
    assert all(bar.height == 0 for bar in chart.bars)


def test_hours_are_those_of_the_reader() -> None:
    starts = [NOON + 3600 * n for n in range(5)]
    assert hour_ticks(starts, UTC) == ["12:00", "", "", "", "16:00"]
    assert hour_ticks(starts, timezone(timedelta(hours=3))) == ["", "16:00", "", "", ""]


def test_days_are_named_from_the_last_one_back() -> None:
    last = date(2026, 12, 1).toordinal()
    assert day_ticks(list(range(last - 4, last + 1))) == ["", "28 Nov", "", "", "01 Dec"]
