# SPDX-License-Identifier: GPL-2.0-or-later
"""Notices packets that wait in the guard's queues while none is judged. The kernel has no time limit for
a verdict, and the queue rule's `bypass` does not help where somebody listens but does not answer.

Knows the kernel's figures, not the guard.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from smartrouter.linux.queue_stats import QueueStats


class _Standstill(NamedTuple):
    listener: int
    judged: int
    since: float


class QueueWatch:
    """Fed with the queues' figures about twice a second, tells since when one of them stands still."""

    def __init__(self) -> None:
        self._still: dict[int, _Standstill] = {}

    def forget(self) -> None:
        """Nobody listens now: what was seen of the queues no longer counts."""
        self._still.clear()

    def standstill(self, queues: Iterable[int], stats: Mapping[int, QueueStats], now: float) -> float | None:
        """Since when packets have waited in one of `queues` without a single verdict; None if in none."""
        for number in queues:
            queue = stats.get(number)
            if queue is None or queue.waiting == 0:
                self._still.pop(number, None)
                continue
            # `queued` counts those too that found the listener's socket full.
            judged = (queue.queued - queue.waiting - queue.user_dropped) % (1 << 32)
            before = self._still.get(number)
            if before is None or (before.listener, before.judged) != (queue.listener, judged):
                self._still[number] = _Standstill(queue.listener, judged, now)
        return min((still.since for still in self._still.values()), default=None)
