# SPDX-License-Identifier: GPL-2.0-or-later
"""The pictures of the web interface: small, shown, and none that nobody sees."""

from pathlib import Path

from web.pictures import FOLDER, LARGEST

README = Path(__file__).resolve().parents[2] / "README.md"


def test_every_picture_is_small_and_shown() -> None:
    pictures = sorted(FOLDER.iterdir())
    assert pictures
    text = README.read_text()
    for picture in pictures:
        assert picture.stat().st_size < LARGEST, picture.name
        assert f"docs/screenshots/{picture.name}" in text
    assert text.count("docs/screenshots/") == len(pictures)
