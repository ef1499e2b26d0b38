# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes read from front to back."""

from collections.abc import Callable

import pytest
from unit.made_hellos import varint

from smartrouter.core.errors import BadPacket
from smartrouter.wire.cursor import Cursor


def test_each_reading_moves_behind_what_it_read() -> None:
    cursor = Cursor(b"?ab\1\2\0\3xyz", 1)
    assert cursor.take(2) == b"ab"
    assert cursor.number(2) == 0x0102
    assert cursor.vector(2) == b"xyz"
    assert (cursor.left, cursor.at) == (0, 10)
    assert (cursor.take(0), cursor.number(0)) == (b"", 0)


# RFC 9000 appendix A.1; then our own
@pytest.mark.parametrize(
    ("wire", "number"),
    [
        ("c2197c5eff14e88c", 151288809941952652),
        ("9d7f3e7d", 494878333),
        ("7bbd", 15293),
        ("25", 37),
        ("4025", 37),
        ("00", 0),
    ],
)
def test_a_number_says_its_own_size(wire: str, number: int) -> None:
    cursor = Cursor(bytes.fromhex(wire) + b"?")
    assert cursor.varint() == number
    assert cursor.left == 1


@pytest.mark.parametrize("number", [0, 63, 64, 16383, 16384, 2**30 - 1, 2**30, 2**62 - 1])
def test_every_size_of_number_is_read(number: int) -> None:
    assert Cursor(varint(number)).varint() == number


@pytest.mark.parametrize(
    ("data", "read"),
    [
        (b"ab", lambda cursor: cursor.take(3)),
        (b"", lambda cursor: cursor.number(1)),
        (b"\0", lambda cursor: cursor.vector(2)),
        (b"\0\3ab", lambda cursor: cursor.vector(2)),
        (b"\x40", lambda cursor: cursor.varint()),
        (b"", lambda cursor: cursor.varint()),
        (b"ab", lambda cursor: cursor.take(2**62)),
    ],
)
def test_what_ends_too_early_is_refused(data: bytes, read: Callable[[Cursor], object]) -> None:
    with pytest.raises(BadPacket, match="too early"):
        read(Cursor(data))
