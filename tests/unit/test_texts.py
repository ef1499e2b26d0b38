# SPDX-License-Identifier: GPL-2.0-or-later
"""Texts of devices as values."""

import pytest

from smartrouter.wire.texts import MAX_TEXT, text


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        (b"", ""),
        (b"Lamp", "Lamp"),
        (b"Lamp\0\0", "Lamp"),
        (b"La\0mp", "La\0mp"),
        (b"\0", ""),
        (b"K\xc3\xbcche", "Küche"),
        (b"K\xfcche", "K\ufffdche"),
        (b"\xed\xa0\x80", "\ufffd" * 3),
        (b"x" * 70_000, "x" * MAX_TEXT),
        (("ü" * 300).encode(), "ü" * MAX_TEXT),
    ],
)
def test_texts(raw: bytes, read: str) -> None:
    assert text(raw) == read
    read.encode()
