# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel is to settle by itself, on its way there: gathered, and sent many at a time.

Nobody waits for a pair to become known or blocked: the next attempt asks once more, at worst. What is to be
asked again must be out of the kernel before anything else happens: `unsettle` returns when it is.

A change may have been overtaken on its way: the judge took it back, and the kernel was told so, before it was
even put here. So just before a transaction the judge is asked which of its changes still hold, and no other
transaction comes in between: what is taken back later is taken out later. Knows no packet.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from threading import Event, Lock
from typing import Protocol, TypeAlias

from smartrouter.core.effects import Block, Deny, Know, Pair, Unsettle
from smartrouter.core.errors import Unavailable
from smartrouter.journal import Journal
from smartrouter.linux.pairs import PairChange

log = Journal("smartrouter.guard")

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

    def __init__(self, sets: PairSets, still: Callable[[list[Settling]], list[Settling]] = list):
        """`still`: which of these the judge still wants."""
        self._sets = sets
        self._still = still
        self._waiting: dict[tuple[Pair, type], Settling] = {}  # of two ways for a pair the judge knows which
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
            self._waiting[change.pair, type(change)] = change
            is_first = len(self._waiting) == 1
        if is_first:
            self._wake.set()

    def unsettle(self, changes: Sequence[Unsettle]) -> None:
        """Have the kernel ask about these pairs again; returns when it will. Raises Unavailable."""
        with self._sending:
            self._sets.change_pairs(changes)

    def flush(self) -> None:
        """Send what waits, and return when the kernel has it. Raises Unavailable."""
        while self._waiting:
            with self._sending:
                self._send(self._still(self._taken()))

    def refill(self, wanted: Callable[[], list[Settling]]) -> None:
        """Say again all that is `wanted`: somebody took the sets away. Raises Unavailable."""
        with self._sending:
            self._send(wanted())

    def _send(self, changes: list[Settling]) -> None:
        if changes:
            self.dropped += self._sets.change_pairs(changes)

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
                self._wake.set()  # for what waits behind that

    def _taken(self) -> list[Settling]:
        with self._lock:
            pairs = list(islice(self._waiting, A_TRANSACTION))
            return [self._waiting.pop(pair) for pair in pairs]
