# SPDX-License-Identifier: GPL-2.0-or-later
"""Which attempts are told at once, which are held, and which are part of a scan. The conversations with the
judge tell what comes of it."""

from collections import Counter

import pytest
from counting import steps

from smartrouter.core.detection.scans import (
    HOLD,
    INSIDE,
    MAX_APART,
    MAX_TARGETS,
    MAX_TRIES,
    OUTSIDE,
    QUIET,
    TOLD_AT_ONCE,
    FanOut,
    Fate,
    Limits,
)

TOLD, HELD, PART = Fate.TOLD, Fate.HELD, Fate.PART


def trying(
    fan_out: FanOut[int], numbers: range, gap: float = 0.0, start: float = 0.0, *, hold: bool = True
) -> list[Fate]:
    """One new address after the other."""
    return [
        fan_out.tried(f"host{n}", "tcp/23", n, start + gap * at, hold=hold) for at, n in enumerate(numbers)
    ]


def test_the_first_are_told_the_next_are_held_and_then_it_is_a_scan() -> None:
    fan_out: FanOut[int] = FanOut()
    assert trying(fan_out, range(12)) == [TOLD] * TOLD_AT_ONCE + [HELD] * 6 + [PART] * 3
    assert fan_out.taken() == [(n, n < TOLD_AT_ONCE) for n in range(9)]
    assert fan_out.taken() == []
    assert fan_out.overdue(1e9) == []


def test_without_hold_nothing_is_held() -> None:
    assert trying(FanOut(), range(12), hold=False) == [TOLD] * 9 + [PART] * 3


@pytest.mark.parametrize("limits", [OUTSIDE, INSIDE])
def test_a_scan_is_one_however_slow_within_its_limits(limits: Limits) -> None:
    for seconds, targets in limits.steps:
        just_in_time = FanOut[int](limits)
        assert trying(just_in_time, range(targets), seconds / (targets - 1))[-1] is PART
        one_less = FanOut[int](limits)
        assert PART not in trying(one_less, range(targets - 1), 0.9 * seconds / (targets - 1), 1e6)[:9]


def test_what_was_held_comes_out_after_a_minute_once() -> None:
    fan_out: FanOut[int] = FanOut()
    trying(fan_out, range(6))
    assert fan_out.overdue(HOLD - 0.1) == []
    assert fan_out.overdue(HOLD) == [3, 4, 5]
    assert fan_out.overdue(2 * HOLD) == []


def test_what_came_out_counts_as_told_when_it_turns_out_to_be_a_scan() -> None:
    fan_out: FanOut[int] = FanOut()
    trying(fan_out, range(6))
    fan_out.overdue(HOLD)
    assert trying(fan_out, range(6, 17), 1.0, HOLD)[-1] is PART
    assert [n for n, told in fan_out.taken() if told][:6] == [0, 1, 2, 3, 4, 5]


def test_what_was_tried_long_before_is_no_part_of_a_scan() -> None:
    fan_out: FanOut[int] = FanOut()
    trying(fan_out, range(5))
    assert trying(fan_out, range(5, 15), start=OUTSIDE.steps[-1][0] + 1)[-1] is PART
    assert [what for what, _ in fan_out.taken()] == list(range(5, 14))
    assert fan_out.tried("host0", "tcp/23", 0, 1e4) is TOLD


def test_what_was_tried_well_before_a_fast_scan_began_is_no_part_of_it() -> None:
    fan_out: FanOut[int] = FanOut()
    trying(fan_out, range(2))
    trying(fan_out, range(2, 6), 50.0, start=500.0)  # one after the other leads up to it
    assert trying(fan_out, range(6, 16), start=700.0)[-1] is PART
    assert [what for what, _ in fan_out.taken()] == list(range(2, 14))


def test_repeats_of_a_few_are_no_scan_and_are_each_told() -> None:
    fan_out: FanOut[int] = FanOut()
    for number in range(1000):
        assert fan_out.tried(f"host{number % 3}", "tcp/23", number, number * 10.0) is TOLD


def test_a_target_that_is_tried_again_and_again_stands_apart_from_a_scan() -> None:
    fan_out: FanOut[int] = FanOut()
    for number in range(MAX_TRIES + 1):
        fan_out.tried("home", "tcp/23", -1 - number, 0.0)
    assert trying(fan_out, range(10))[-1] is PART
    assert [what for what, _ in fan_out.taken()] == list(range(9))
    assert fan_out.tried("home", "tcp/23", -100, 1.0) is TOLD


def test_each_try_of_a_target_is_counted() -> None:
    fan_out: FanOut[int] = FanOut()
    for number in range(10):
        for again in range(2):
            last = fan_out.tried(f"host{number}", "tcp/23", 10 * number + again, 0.0)
    assert last is PART
    assert len(fan_out.taken()) == 18
    assert fan_out.said() == "horizontal scan: 20 attempts, 10 addresses, tcp/23"


def test_a_scan_lasts_until_it_has_been_quiet_for_long() -> None:
    fan_out: FanOut[int] = FanOut()
    trying(fan_out, range(10))
    fan_out.taken()
    assert fan_out.tried("late", "udp/1", 0, QUIET) is PART
    assert fan_out.tried("later", "udp/1", 0, 2 * QUIET) is PART
    assert fan_out.tried("latest", "udp/1", 0, 3 * QUIET + 1) is TOLD


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ([(f"h{n}", "tcp/23") for n in range(10)], "horizontal scan: 10 attempts, 10 addresses, tcp/23"),
        (
            [("h", f"tcp/{n}") for n in range(10)],
            "vertical scan: 10 attempts, h, tcp/0, tcp/1, tcp/2 and 7 more",
        ),
        (
            [(f"h{n}", f"tcp/{n}") for n in range(10)],
            "horizontal and vertical scan: 10 attempts, 10 addresses, tcp/0, tcp/1, tcp/2 and 7 more",
        ),
    ],
)
def test_a_scan_in_words(targets: list[tuple[str, str]], words: str) -> None:
    fan_out: FanOut[int] = FanOut()
    for address, service in targets:
        fan_out.tried(address, service, 0, 0.0)
    assert fan_out.said() == words


def test_the_words_for_a_scan_cost_little_however_wide_it_is() -> None:
    """Counted by the sorts, which are not lines of ours."""
    fan_out: FanOut[int] = FanOut()
    sorts, most_common = 0, Counter.most_common

    class Counting(Counter[str]):
        def most_common(self, n: int | None = None) -> list[tuple[str, int]]:
            nonlocal sorts
            sorts += 1
            return most_common(self, n)

    for number in range(3000):
        fan_out.tried("host", f"tcp/{number}", number, 0.0)
        if number == 20:
            fan_out._services = Counting(fan_out._services)
        if number >= 10:
            fan_out.said()
    assert 5 < sorts < 50
    assert "3000 attempts" in fan_out.said()


def test_a_flood_is_bounded_and_each_attempt_costs_little() -> None:
    fan_out: FanOut[int] = FanOut(Limits(((1.0, 10**6), (1e9, 10**6))))  # never a scan
    for number in range(5 * MAX_APART):
        fan_out.tried(f"host{number}", "tcp/23", number, float(number))
        fan_out.overdue(float(number))
    sizes = [len(value) for value in vars(fan_out).values() if hasattr(value, "__len__")]
    assert max(sizes) <= max(MAX_TARGETS, MAX_APART)
    assert steps(lambda: fan_out.tried("another", "tcp/23", 0, 1e4)) < 500
