# SPDX-License-Identifier: GPL-2.0-or-later
"""DNS messages out of TCP segments, however they come."""

import random
import struct
import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import pytest

from smartrouter.wire.dns_tcp import BOUND, TcpStream

ONE, TWO = b"first message!", b"a second one, longer"


def prefixed(*messages: bytes) -> bytes:
    return b"".join(struct.pack("!H", len(message)) + message for message in messages)


@pytest.mark.parametrize("start", [0, 1000, 2**32 - 5])
@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ([(0, 36 + 2)], [ONE, TWO]),
        ([(0, 1), (1, 2), (2, 16), (16, 38)], [ONE, TWO]),
        ([(0, 17), (17, 38)], [ONE, TWO]),
        ([(0, 10), (0, 10), (10, 38)], [ONE, TWO]),
        ([(0, 10), (5, 20), (20, 38)], [ONE, TWO]),
        ([(0, 10), (20, 38), (10, 20)], [ONE, TWO]),
        ([(0, 5), (30, 38), (20, 32), (4, 21)], [ONE, TWO]),
        ([(0, 38), (0, 38)], [ONE, TWO]),
        ([(0, 10), (20, 38)], []),
        ([(0, 10), (20, 38), (12, 20)], []),
    ],
)
def test_messages_come_whole_and_once(
    start: int, segments: list[tuple[int, int]], expected: list[bytes]
) -> None:
    data = prefixed(ONE, TWO)
    stream = TcpStream()
    stream.feed(start, b"")
    messages = []
    for first, last in segments:
        messages += stream.feed((start + first) % 2**32, data[first:last])
    assert messages == expected
    assert stream.is_dns


def test_each_message_comes_with_the_segment_that_completes_it() -> None:
    data = prefixed(ONE, TWO)
    stream = TcpStream()
    came = [stream.feed(7 + at, data[at : at + 1]) for at in range(len(data))]
    assert [(at, messages) for at, messages in enumerate(came) if messages] == [(15, [ONE]), (37, [TWO])]


def test_of_bytes_that_come_twice_the_first_count() -> None:
    data = prefixed(ONE)
    stream = TcpStream()
    assert stream.feed(0, data[:10]) == []
    assert stream.feed(0, b"X" * 10 + data[10:]) == [ONE]


def test_what_is_no_dns_says_nothing_from_there_on() -> None:
    stream = TcpStream()
    assert stream.feed(0, prefixed(ONE) + b"\0\0" + prefixed(TWO)) == [ONE]
    assert not stream.is_dns
    assert stream.feed(100, prefixed(ONE)) == []


def test_the_longest_message_is_read() -> None:
    longest = bytes(65535)
    data = prefixed(longest)
    stream = TcpStream()
    messages = []
    for at in range(0, len(data), 1400):
        messages += stream.feed(at, data[at : at + 1400])
    assert messages == [longest]


def test_a_segment_from_far_beyond_is_no_reason_to_stop() -> None:
    stream = TcpStream()
    stream.feed(0, b"")
    assert stream.feed(2**30, b"x" * 100) == []
    assert stream.feed(2**31 + 5, b"x" * 100) == []
    assert stream.feed(0, prefixed(ONE)) == [ONE]


@pytest.mark.parametrize("kind", ["never complete", "with a gap", "overlapping", "tiny"])
def test_what_is_held_stays_bounded(kind: str) -> None:
    stream = TcpStream()
    stream.feed(0, b"\xff\xff")
    tracemalloc.start()
    for number in range(3000):
        match kind:
            case "never complete":
                stream.feed(2 + number * 20, b"a" * 20)
            case "with a gap":
                stream.feed(3 + number * 1000, bytes(1000))
            case "overlapping":
                stream.feed(3 + number, bytes(60000))
            case _:
                stream.feed(3 + number * 2, b"a")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < BOUND + 32768


def test_any_cutting_repeating_and_shuffling_gives_the_same_messages(
    rounds: Callable[[int], int],
) -> None:
    chance = random.Random(1)
    for _ in range(rounds(200)):
        messages = [chance.randbytes(chance.randrange(12, 600)) for _ in range(chance.randrange(1, 6))]
        data = prefixed(*messages)
        start = chance.randrange(2**32)
        cuts = sorted({0, len(data), *[chance.randrange(len(data)) for _ in range(chance.randrange(12))]})
        segments = [
            (first, min(last + chance.choice([0, 0, 7]), len(data))) for first, last in pairwise(cuts)
        ]
        segments += chance.sample(segments, min(3, len(segments)))
        chance.shuffle(segments)
        stream = TcpStream()
        got = stream.feed(start, b"")
        for first, last in segments:
            got += stream.feed((start + first) % 2**32, data[first:last])
        assert got == messages
