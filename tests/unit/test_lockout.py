# SPDX-License-Identifier: GPL-2.0-or-later
"""Who guesses must wait, longer each time; who has logged in before is not kept out by others."""

from smartrouter.web.lockout import (
    FIRST_WAIT,
    FORGOTTEN,
    FREE,
    FREE_FOR_ALL,
    LONGEST_FOR_ALL,
    LONGEST_WAIT,
    Lockout,
)


def fail(lockout: Lockout, source: str, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        lockout.failed(source, now)


def test_a_few_failures_cost_nothing_and_then_each_doubles_the_wait() -> None:
    lockout = Lockout()
    fail(lockout, "a", FREE - 1)
    assert lockout.wait("a", 0.0) == 0
    waits = []
    for _ in range(8):
        lockout.failed("a", 0.0)
        waits.append(lockout.wait("a", 0.0))
    assert waits == [FIRST_WAIT * 2**n for n in range(7)] + [LONGEST_WAIT]


def test_the_wait_ends_and_the_next_failure_makes_a_longer_one() -> None:
    lockout = Lockout()
    fail(lockout, "a", FREE)
    assert lockout.wait("a", FIRST_WAIT) == 0
    lockout.failed("a", FIRST_WAIT)
    assert lockout.wait("a", FIRST_WAIT) == 2 * FIRST_WAIT


def test_each_source_waits_for_itself() -> None:
    lockout = Lockout()
    fail(lockout, "a", FREE)
    assert lockout.wait("b", 0.0) == 0


def test_success_ends_it_and_so_does_an_hour() -> None:
    lockout = Lockout()
    fail(lockout, "a", FREE)
    lockout.succeeded("a")
    assert lockout.wait("a", 0.0) == 0
    fail(lockout, "b", 50)
    assert lockout.wait("b", FORGOTTEN + 1) == 0
    lockout.failed("b", FORGOTTEN + 1)
    assert lockout.wait("b", FORGOTTEN + 1) == 0


def test_many_sources_together_make_strangers_wait_but_not_who_was_here_before() -> None:
    lockout = Lockout()
    lockout.succeeded("owner")
    for number in range(FREE_FOR_ALL):
        lockout.failed(f"forged-{number}", 0.0)
    assert lockout.wait("stranger", 0.0) == FIRST_WAIT
    assert lockout.wait("owner", 0.0) == 0
    for number in range(40):
        lockout.failed(f"more-{number}", 0.0)
    assert lockout.wait("stranger", 0.0) == LONGEST_FOR_ALL


def test_ten_thousand_sources_fill_no_memory() -> None:
    lockout = Lockout()
    for number in range(10_000):
        lockout.failed(str(number), 0.0)
        lockout.succeeded(f"good-{number}")
    assert len(lockout._records) <= 512
    assert len(lockout._welcome) <= 512
