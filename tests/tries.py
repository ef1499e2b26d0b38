# SPDX-License-Identifier: GPL-2.0-or-later
"""A promise about time, checked on a machine that may be slow, and that does other things meanwhile.

Other work makes nothing quicker: so it is enough that a limit was kept once, in a few tries. And a limit in
seconds is one on the machine where it was set: where processes take longer to start, it is as much longer.
"""

import subprocess
import sys
from collections.abc import Callable
from time import monotonic

TRIES = 5
_A_PROCESS = ("-S", "-P", "-c", "import json, logging, socket, sqlite3, threading")
_USUAL = 0.05  # seconds that it takes on two cores of 2.5 GHz


def slowness() -> float:
    """How many times as long as usual it takes to start a process, here and now; at least 1."""

    def start() -> float:
        begun = monotonic()
        subprocess.run([sys.executable, *_A_PROCESS], check=True)
        return monotonic() - begun

    return max(1.0, min(start() for _ in range(3)) / _USUAL)


def within(limit: float, take: Callable[[], float], tries: int = TRIES) -> bool:
    """Does `take`, which gives the seconds that it took, keep below `limit` in one of so many tries?"""
    return any((took := take()) < limit or took < limit * slowness() for _ in range(tries))
