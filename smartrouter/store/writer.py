# SPDX-License-Identifier: GPL-2.0-or-later
"""The thread that stores. Whoever puts an effect here never waits and never fails.

Theory of operation. `put_all` adds to what is pending, in bounded memory (`pending`); the thread takes all of
it twice a second, or when enough has come together, and writes it in one transaction. Where there are only
statistics it may linger for more of them to come: each commit writes two pages or more to flash, whatever is
in it. A batch that cannot be
written is held until the disk is back, while the next one gathers; what finds no room is dropped and counted.
Trouble is logged when it begins and when it ends, not in between.

* The disk's fault (full, read-only, locked, I/O error): connect anew and try again, ever more slowly.
* The file's (damaged, gone, replaced): set aside or begun anew.
* An effect's (a value that no database can hold): that one is dropped and counted, the others are written.

A commit survives a crash of the process at once, and a power cut when it was synced: what `flush` waited
for is, and state is every half minute; attempts are when SQLite copies its log into the database.
"""

import math
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable
from threading import Event, Lock, Thread
from typing import TypedDict

from smartrouter.core.effects import Effect
from smartrouter.core.errors import SmartrouterError
from smartrouter.journal import Journal
from smartrouter.store.disk import Disk
from smartrouter.store.exhibits import Attach
from smartrouter.store.pending import MAX_ATTEMPTS, Batch, Pending

log = Journal("smartrouter.store")

EVERY = 0.5  # seconds between two batches
ENOUGH = 2000  # effects that make a batch at once: a tenth of the room for attempts
SYNC_EVERY = 30.0  # seconds between two syncs of state; a power cut may cost a minute of it
MAX_DELAY = 5.0  # seconds between two tries while there is trouble


class Counters(TypedDict):
    """For `status`, as JSON. By the effect's name: `put` taken up, `dropped` without room, `refused`
    impossible to store. `batches` written. `trouble`: why nothing can be stored now, '' if all is well.
    `set_aside`: where a damaged file went since the start."""

    put: dict[str, int]
    dropped: dict[str, int]
    refused: dict[str, int]
    batches: int
    trouble: str
    set_aside: str


class Writer:
    """See the module. One for a store; any thread may call it.

    `linger`: seconds after a batch that attempts and names may wait for more; None: no longer than `every`.
    `max_size`: bytes that the files may take before the oldest attempts go (retention does this better,
    but may be away); None: no bound here.
    Raises Unavailable if the file is another program's or a newer smartrouter's; whatever else is wrong is
    trouble that may pass.
    """

    def __init__(
        self,
        path: str,
        max_size: int | None = None,
        *,
        every: float = EVERY,
        linger: float | None = None,
        max_attempts: int = MAX_ATTEMPTS,
    ):
        self._every = every
        self._linger = linger or 0.0
        self._lock = Lock()
        self._wake = Event()
        self._closing = False
        self._pending = Pending(max_attempts)
        self._waiting: list[Event] = []  # one for each flush that goes on
        self._held: tuple[Batch, list[Event]] | None = None  # taken, not written yet
        self._lost: Counter[str] = Counter()  # taken up, and dropped for a fault of ours
        self._is_woken = False  # the thread, since it took what was pending
        self._batches = 0
        self._trouble = ""
        self._delay = every  # until the next round
        self._took_at = -math.inf
        self._synced_at = time.monotonic()
        self._is_synced = True
        self._disk = Disk(path, max_size)
        try:
            self._disk.prepare()
        except (sqlite3.Error, OSError) as error:
            self._in_trouble(error)
        self._thread = Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    def put(self, effect: Effect | Attach) -> None:
        """Store `effect` soon; effects that are not for the store are ignored."""
        self.put_all((effect,))

    def put_all(self, effects: Iterable[Effect | Attach]) -> None:
        """The same for several, such as all that came of one packet."""
        with self._lock:
            if self._pending.add_all(effects) < ENOUGH or self._is_woken:
                return
            self._is_woken = True
        self._wake.set()

    def flush(self, timeout: float) -> bool:
        """Wait until all that was put so far is on the disk, power cuts included; False after `timeout`
        seconds without."""
        done = Event()
        with self._lock:
            if self._closing:
                return False
            self._waiting.append(done)
        self._wake.set()
        return done.wait(timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """Write what waits, and end. False if that was not done within `timeout` seconds."""
        with self._lock:
            self._closing = True
            self._pending.close()
        self._wake.set()
        self._thread.join(timeout)
        return not self._thread.is_alive() and self._held is None

    def is_alive(self) -> bool:
        """Does the thread live?"""
        return self._thread.is_alive()

    def counters(self) -> Counters:
        """What happened since the start."""
        with self._lock:
            return Counters(
                put=dict(self._pending.put),
                dropped=dict(self._dropped()),
                refused=dict(self._disk.refused),
                batches=self._batches,
                trouble=self._trouble,
                set_aside=self._disk.set_aside,
            )

    # -- the thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        closing = False
        while not closing:
            self._wake.wait(self._delay)
            self._wake.clear()
            closing = self._closing  # looked at first: nothing is put after it was set
            try:
                if self._write_held(closing):
                    self._take(closing)
                    self._write_held(closing)
            except Exception as error:
                self._abandon(error)
        self._disk.close()
        if self._held is not None:
            log.error("ended without having stored %s: %s", _described(self._held[0]), self._trouble)

    def _take(self, closing: bool) -> None:
        now = time.monotonic()
        with self._lock:
            pressing = closing or self._waiting or self._is_woken or self._pending.is_state()
            if not pressing and now - self._took_at < self._linger:
                return
            batch, waiting, self._waiting = self._pending.take(), self._waiting, []
            self._is_woken = False
        if batch or waiting:
            self._held = batch, waiting
            self._took_at = now

    def _write_held(self, closing: bool) -> bool:
        """Write what was taken; False if that cannot be done now."""
        if self._held is None:
            return True
        batch, waiting = self._held
        overdue = batch.is_state() and time.monotonic() - self._synced_at >= SYNC_EVERY
        durable = bool(waiting) or closing or overdue
        if batch or (durable and not self._is_synced):
            try:
                self._disk.write(batch, durable=durable)
            except (sqlite3.Error, OSError, SmartrouterError) as error:
                self._in_trouble(error)
                return False
            self._written(durable)
        self._held = None
        for done in waiting:
            done.set()
        return True

    def _dropped(self) -> Counter[str]:
        return self._pending.dropped + self._lost

    def _written(self, durable: bool) -> None:
        self._batches += 1
        self._is_synced = durable
        if durable:
            self._synced_at = time.monotonic()
        self._delay = self._every
        if self._trouble:
            with self._lock:
                dropped = dict(self._dropped())
            log.warning("storing again; dropped meanwhile: %s", dropped or "nothing")
            self._trouble = ""

    def _abandon(self, error: Exception) -> None:
        """A fault of ours, that the disk had no part in: what was in hand is lost."""
        if self._held is not None:
            log.error("a fault of ours; not stored: %s", _described(self._held[0]), exc_info=error)
            with self._lock:
                self._lost.update(self._held[0].counts())
            self._held = None

    def _in_trouble(self, error: Exception) -> None:
        trouble = str(error)
        if trouble != self._trouble:
            log.error("cannot store: %s; trying again until it works", trouble)
            self._trouble = trouble
        self._delay = min(MAX_DELAY, 2 * self._delay)


def _described(batch: Batch) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in batch.counts().items()) or "nothing"
