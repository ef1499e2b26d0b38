# SPDX-License-Identifier: GPL-2.0-or-later
"""How long packets wait for their verdicts, as a histogram that costs next to nothing: one addition for all
packets that are judged together.

What is measured begins when packets were taken out of the kernel's queue, and ends when their verdicts are
with the kernel. Each of those that are judged together waits as long as all of them. How long they had
waited in the queue before, the kernel does not say; how many wait there, it does.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

BOUNDS = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds, the upper ends of the buckets; the last one has none."""


class Latency:
    """Of one reader, whose thread alone adds to it."""

    __slots__ = ("_counts", "_sum")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._sum = 0.0

    def add(self, seconds: float, packets: int) -> None:
        """So many packets have waited so long."""
        self._counts[bisect_left(BOUNDS, seconds)] += packets
        self._sum += seconds * packets

    @staticmethod
    def together(each: Iterable["Latency"]) -> dict[str, Any]:
        """Those of several readers, as JSON: `buckets`, pairs of an upper end in seconds (null: none) and how
        many packets waited longer than the one before and no longer than that; `sum`, in seconds; `count`."""
        counts, total = [0] * (len(BOUNDS) + 1), 0.0
        for one in each:
            counts = [before + more for before, more in zip(counts, one._counts, strict=True)]
            total += one._sum
        ends: tuple[float | None, ...] = (*BOUNDS, None)
        return {
            "buckets": [list(pair) for pair in zip(ends, counts, strict=True)],
            "sum": total,
            "count": sum(counts),
        }
