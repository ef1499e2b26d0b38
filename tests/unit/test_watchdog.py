# SPDX-License-Identifier: GPL-2.0-or-later
"""A queue in which packets wait and none is judged."""

import pytest

from smartrouter.linux.queue_stats import QueueStats
from smartrouter.supervisor.watchdog import QueueWatch

# Moment, then the queue's figures: waiting, user_dropped, queued.
Figures = list[tuple[float, int, int, int]]

CASES: dict[str, tuple[Figures, float | None]] = {
    "an empty queue stands still for no time": ([(0, 0, 0, 10), (5, 0, 0, 10)], None),
    "packets wait, one was judged": ([(0, 5, 0, 10), (5, 5, 0, 11)], 5),
    "packets wait, more come, none is judged": ([(0, 5, 0, 10), (1, 6, 0, 11), (5, 9, 0, 14)], 0),
    "what the full socket lost was not judged": ([(0, 5, 0, 10), (5, 5, 100, 110)], 0),
    "the queue was empty in between": ([(0, 5, 0, 10), (2, 0, 0, 15), (5, 1, 0, 16)], 5),
    "the packet counter starts again at 2^32": ([(0, 5, 0, (1 << 32) - 1), (5, 8, 0, 2)], 0),
}


@pytest.mark.parametrize("case", CASES)
def test_a_standstill_is_told_since_when(case: str) -> None:
    figures, expected = CASES[case]
    watch = QueueWatch()
    for moment, waiting, user_dropped, queued in figures:
        since = watch.standstill([7370], {7370: QueueStats(99, waiting, 0, user_dropped, queued)}, moment)
    assert since == expected


def test_other_programs_queues_do_not_count() -> None:
    watch = QueueWatch()
    for moment in (0.0, 5.0):
        assert watch.standstill([7370], {1: QueueStats(99, 5, 0, 0, 10)}, moment) is None


def test_the_queue_that_stands_longest_counts() -> None:
    watch = QueueWatch()
    still = QueueStats(99, 5, 0, 0, 10)
    watch.standstill([1, 2], {1: still}, 0.0)
    assert watch.standstill([1, 2], {1: still, 2: still}, 1.0) == 0.0
    assert watch.standstill([1, 2], {1: QueueStats(99, 0, 0, 0, 10), 2: still}, 2.0) == 1.0


def test_a_new_listener_has_its_own_time() -> None:
    watch = QueueWatch()
    watch.standstill([1], {1: QueueStats(99, 5, 0, 0, 10)}, 0.0)
    assert watch.standstill([1], {1: QueueStats(100, 5, 0, 0, 10)}, 3.0) == 3.0


def test_what_is_forgotten_does_not_count() -> None:
    watch = QueueWatch()
    watch.standstill([1], {1: QueueStats(99, 5, 0, 0, 10)}, 0.0)
    watch.forget()
    assert watch.standstill([1], {1: QueueStats(99, 5, 0, 0, 10)}, 3.0) == 3.0
