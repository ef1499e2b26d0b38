# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from bench.figures import Budget, Row, Section, Spread, as_report, holds, ratios, rounded, rows_of, spread

RATIO = Row("a_vs_c", "a", Spread(0.6, 0.5, 0.7), "÷ C", Budget(0.55), note="why")
TIME = Row("b_ms", "b", Spread(310.0, 300.0, 400.0), "ms", Budget(300, at_most=True))
COUNT = Row("c", "c", Spread(7.0, 7.0, 7.0), "")


def test_a_spread_is_the_median_between_the_least_and_the_most() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert spread([4.0]) == Spread(4.0, 4.0, 4.0)


def test_ratios_are_taken_round_by_round_not_of_medians() -> None:
    """The second round's machine was half as fast, for both."""
    assert ratios([8.0, 4.0, 8.0], [16.0, 8.0, 16.0]) == Spread(0.5, 0.5, 0.5)


def test_rounds_that_do_not_match_are_no_ratios() -> None:
    with pytest.raises(ValueError):
        ratios([1.0, 2.0], [1.0])


def test_a_report_has_each_median_under_its_key_and_each_row_in_its_section() -> None:
    report = as_report([Section("first", "how", [RATIO, TIME]), Section("second", "", [COUNT])], {"cpus": 2})
    assert (report["cpus"], report["a_vs_c"], report["b_ms"], report["c"]) == (2, 0.6, 310, 7)
    assert [section["title"] for section in report["sections"]] == ["first", "second"]
    assert rows_of(report)[0] == {
        "key": "a_vs_c", "title": "a", "median": 0.6, "low": 0.5, "high": 0.7, "unit": "÷ C", "budget": 0.55,
        "less_is_better": False, "note": "why",
    }  # fmt: skip


def test_a_budget_holds_from_its_own_side() -> None:
    rows = rows_of(as_report([Section("", "", [RATIO, TIME, COUNT])], {}))
    assert [holds(row) for row in rows] == [True, False, None]


@pytest.mark.parametrize(
    ("value", "shown"), [(0.123456, 0.123), (12345.678, 12345.7), (3.0, 3), (-2.0, -2), (99.9994, 99.999)]
)
def test_figures_have_as_many_digits_as_mean_something(value: float, shown: float) -> None:
    assert rounded(value) == shown
