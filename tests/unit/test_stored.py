# SPDX-License-Identifier: GPL-2.0-or-later
"""Stored values that may be anything."""

from math import inf, nan

import pytest

from smartrouter.core.classification.stored import count, entries, entry, numbers, seconds, text, texts


@pytest.mark.parametrize("junk", [None, True, -1, 1.5, "7", [7], {"a": 1}, nan, inf, -inf, 1 << 60, b"7"])
def test_junk_is_like_nothing(junk: object) -> None:
    assert count(junk) == 0
    assert seconds(junk) in (0.0, 1.5)
    assert numbers([junk], 9, bits=8) == []
    assert text(junk, 9) in ("", "7")
    assert texts([junk], 9, 9) in ([], ["7"])
    assert entry(junk) in ({}, {"a": 1})
    assert entries(junk, 9) in ([], [7])


def test_what_is_right_is_kept() -> None:
    assert (count(7), count(8, most=7), seconds(7), seconds(7.5)) == (7, 0, 7.0, 7.5)
    assert numbers([1, 255, 256, "2"], 9, bits=8) == [1, 255]
    assert texts(["a", "", None, "b"], 9, 9) == ["a", "b"]


def test_nothing_is_longer_than_it_may_be() -> None:
    assert numbers([1] * 10, 3, bits=8) == [1, 1, 1]
    assert text("x" * 10, 3) == "xxx"
    assert texts(["x" * 10] * 10, 2, 3) == ["xxx", "xxx"]
    assert entries([1] * 10, 3) == [1, 1, 1]


def test_half_a_character_is_replaced() -> None:
    assert text("a\ud800", 9) == "a?"
