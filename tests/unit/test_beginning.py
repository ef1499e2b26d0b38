# SPDX-License-Identifier: GPL-2.0-or-later
"""The beginning of a stream out of its pieces."""

import random
import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import pytest

from smartrouter.core.errors import BadPacket
from smartrouter.wire.beginning import BOUND, MAX_PIECES, Beginning

TEXT = bytes(range(100))


@pytest.mark.parametrize(
    ("pieces", "joined"),
    [
        ([(0, 100)], 100),
        ([(0, 40), (40, 100)], 100),
        ([(40, 100), (0, 40)], 100),
        ([(0, 40), (0, 40), (20, 60), (60, 100)], 100),
        ([(0, 10), (20, 30), (15, 90), (5, 16)], 90),
        ([(0, 10), (20, 30)], 10),
        ([(20, 30)], 0),
        ([(0, 100), (10, 20)], 100),
    ],
)
def test_pieces_are_joined_up_to_the_first_gap(pieces: list[tuple[int, int]], joined: int) -> None:
    beginning = Beginning()
    for first, last in pieces:
        beginning.add(first, TEXT[first:last])
    assert beginning.joined == TEXT[:joined]


def test_what_lies_before_the_start_is_dropped() -> None:
    beginning = Beginning()
    beginning.add(-5, b"12345" + TEXT[:10])
    beginning.add(-9, b"123")
    assert beginning.joined == TEXT[:10]


@pytest.mark.parametrize("offset", [BOUND, BOUND + 1, 2**31, 2**62 - 1])
def test_what_lies_far_beyond_is_dropped(offset: int) -> None:
    beginning = Beginning()
    beginning.add(offset, TEXT)
    beginning.add(0, bytes(BOUND - 50))
    beginning.add(BOUND - 50, TEXT)
    assert beginning.joined == bytes(BOUND - 50) + TEXT[:50]


@pytest.mark.parametrize(
    "pieces",
    [
        [(0, b"good.example"), (0, b"evil.example")],
        [(0, b"good"), (2, b"XX")],
        [(2, b"od"), (2, b"XX"), (0, b"go")],
        [(2, b"odd"), (3, b"X"), (0, b"go")],
    ],
)
def test_two_texts_for_one_place_are_refused(pieces: list[tuple[int, bytes]]) -> None:
    beginning = Beginning()
    for offset, data in pieces[:-1]:
        beginning.add(offset, data)
    with pytest.raises(BadPacket, match="contradicts"):
        beginning.add(*pieces[-1])


@pytest.mark.parametrize("kind", ["with a gap", "again and again", "huge", "empty"])
def test_it_ends_whatever_comes(kind: str) -> None:
    beginning = Beginning()
    piece = {"with a gap": b"x", "again and again": TEXT, "huge": bytes(60000), "empty": b""}[kind]

    def feed() -> None:
        for number in range(10 * MAX_PIECES):
            beginning.add(2 * number if kind == "with a gap" else 0, piece)

    tracemalloc.start()
    with pytest.raises(BadPacket, match="too many"):
        feed()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 4 * BOUND


def test_any_cutting_repeating_and_shuffling_gives_the_same(rounds: Callable[[int], int]) -> None:
    chance = random.Random(3)
    for _ in range(rounds(300)):
        text = chance.randbytes(chance.randrange(1, 2000))
        cuts = sorted({0, len(text), *[chance.randrange(len(text)) for _ in range(chance.randrange(12))]})
        pieces = [(max(0, first - chance.choice([0, 0, 9])), last) for first, last in pairwise(cuts)]
        pieces += chance.sample(pieces, min(3, len(pieces)))
        chance.shuffle(pieces)
        beginning = Beginning()
        for first, last in pieces:
            beginning.add(first, text[first:last])
            assert text.startswith(beginning.joined)
        assert beginning.joined == text
