# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel is to settle by itself, on its way there: gathered, and sent many at a time.

Nobody waits for a pair to become known or blocked: the next attempt asks once more, at worst. What is to be
asked again must be out of the kernel before anything else happens: `unsettle` returns when it is, and
whatever waited to be said of that pair is dropped. Knows no packet and no judge.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from threading import Event, Lock
from typing import Protocol, TypeAlias

from smartrouter.core.effects import Block, Deny, Know, Pair, Unsettle
from smartrouter.core.errors import Unavailable
from smartrouter.linux.pairs import PairChange

log = logging.getLogger("smartrouter.guard")

A_TRANSACTION = 200  # pairs: no packet waits longer than a few of them take, about 2 ms
GATHER = 0.02  # seconds
MAX_WAITING = 16_384  # pairs; what finds no room is asked again
_TURN = 0.25  # seconds between two signs of life

Settling: TypeAlias = Know | Block | Deny


class PairSets(Protocol):
    """The kernel's sets of pairs."""

    def change_pairs(self, changes: Sequence[PairChange]) -> int:
        """Make all these changes; returns how many found no room."""


class PairWriter:
    """See the module. Any thread may call it; `serve` has one of its own."""

    def __init__(self, sets: PairSets):
        self._sets = sets
        self._waiting: dict[Pair, Settling] = {}
        self._lock = Lock()  # of what waits
        self._sending = Lock()  # of the kernel's sets: what was taken is there before anything else is said
        self._wake = Event()
        self.dropped = 0  # found no room here, or in the kernel

    def put(self, change: Settling) -> None:
        """Have the kernel settle a pair soon."""
        with self._lock:
            if len(self._waiting) >= MAX_WAITING:
                self.dropped += 1
                return
            self._waiting[change.pair] = change
            is_first = len(self._waiting) == 1
        if is_first:
            self._wake.set()

    def unsettle(self, changes: Sequence[Unsettle]) -> None:
        """Have the kernel ask about these pairs again; returns when it will. Raises Unavailable."""
        with self._sending:
            with self._lock:
                for change in changes:
                    self._waiting.pop(change.pair, None)
            self._sets.change_pairs(changes)

    def flush(self) -> None:
        """Send what waits, and return when the kernel has it. Raises Unavailable."""
        while self._waiting:
            with self._sending:
                self.dropped += self._sets.change_pairs(self._taken())

    def refill(self, changes: Iterable[Settling]) -> None:
        """Say all these again: somebody took the sets away. Raises Unavailable."""
        with self._sending:
            self.dropped += self._sets.change_pairs(list(changes))

    def serve(self, stop: Event, beat: Callable[[], object]) -> None:
        """Send what comes, until `stop` is set; calls `beat` at least twice a second."""
        failures = 0
        while not stop.is_set():
            beat()
            if not self._wake.wait(_TURN):
                continue
            self._wake.clear()
            stop.wait(GATHER)
            try:
                self.flush()
            except Unavailable as error:
                failures += 1
                if failures <= 10 or failures % 1000 == 0:
                    log.error("the kernel did not take what is known (%d): %s", failures, error)

    def _taken(self) -> list[Settling]:
        with self._lock:
            pairs = list(islice(self._waiting, A_TRANSACTION))
            return [self._waiting.pop(pair) for pair in pairs]
