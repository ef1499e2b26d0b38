# SPDX-License-Identifier: GPL-2.0-or-later
"""Attacker's text that does nothing and hides nothing."""

import unicodedata

import pytest
from unit.made_alarms import HOSTILE

from smartrouter.core.inert import cut, inert


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("plain", "plain"),
        ("two\r\nlines", "two\\x0d\\x0alines"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\u3164\u115f\u2800", "\\u3164\\u115f\\u2800"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("more\U000e0100", "more\\U000e0100"),
        ("\ud800", "\\ud800"),
        ("❤\ufe0f", "❤\ufe0f"),
        ("Küche 电视", "Küche 电视"),
    ],
)
def test_what_acts_or_hides_is_shown(hostile: str, shown: str) -> None:
    assert inert(hostile) == shown


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_is_left_that_acts_or_hides(hostile: str) -> None:
    shown = inert(hostile)
    shown.encode()
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert inert(shown) == shown


@pytest.mark.parametrize(("text", "made"), [("", ""), ("abc", "abc"), ("abcd", "ab…")])
def test_a_long_text_is_cut_and_says_so(text: str, made: str) -> None:
    assert cut(text, 3) == made
