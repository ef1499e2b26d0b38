# SPDX-License-Identifier: GPL-2.0-or-later
"""Sections as Markdown: tables that hold, and texts from the network that stay texts."""

import pytest

from smartrouter.evaluate.markdown import plain, written
from smartrouter.evaluate.sections import Section, number
from smartrouter.terminal import Column


def test_a_section_is_a_heading_a_table_and_its_notes() -> None:
    section = Section("Devices", [Column("Device"), number("Attempts")], [["camera", "12"]], ["One.", "Two."])
    assert written([section, Section("Empty")], level=3) == (
        "### Devices\n\n| Device | Attempts |\n| --- | ---: |\n| camera | 12 |\n\nOne.\n\nTwo.\n\n### Empty\n"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a\\|b"),
        ("<img src=x>", "\\<img src=x\\>"),
        ("[x](javascript:1)", "\\[x\\](javascript:1)"),
        ("`*_\\", "\\`\\*\\_\\\\"),
        ("a\nb\x1b", "a\\x0ab\\x1b"),
        ("Hue bridge, 3.5 %", "Hue bridge, 3.5 %"),
    ],
)
def test_texts_stay_texts(text: str, shown: str) -> None:
    assert plain(text) == shown
