# SPDX-License-Identifier: GPL-2.0-or-later
"""One connection that writes batches, and what it does about a file that is damaged, replaced or gone.

Used by one thread. Knows nothing of queues and of when to try again.
"""

import contextlib
import sqlite3
import time
from collections import Counter

from smartrouter.journal import Journal
from smartrouter.store import batch as rows
from smartrouter.store.connect import (
    LOG_LIMIT,
    identity,
    is_damage,
    open_writer,
    prepare,
    raise_with_obstacle,
    set_aside,
)
from smartrouter.store.exhibits import budget
from smartrouter.store.pending import Batch, empty
from smartrouter.store.retention import LONGEST_STEP, drop_attempts, used_bytes
from smartrouter.store.sorts import Sorts
from smartrouter.store.transaction import transaction

log = Journal("smartrouter.store")

A_TRANSACTION = 2000  # attempts


class Disk:
    """`max_size`: bytes that all files may take, a batch more or less, before the oldest attempts go; None:
    any.

    `refused`: effects that no database can hold, by name. `set_aside`: where a damaged file went.
    """

    def __init__(self, path: str, max_size: int | None):
        self.refused: Counter[str] = Counter()
        self.set_aside = ""
        self._path = path
        # The write-ahead log counts too; but of a tiny store it does not take all.
        self._room = None if max_size is None else max(max_size - LOG_LIMIT, max_size // 2)
        self._budget = budget(max_size)
        self._sorts = Sorts()
        self._conn: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    def prepare(self) -> None:
        """Make the file ready. Raises Unavailable, or sqlite3.Error and OSError for trouble."""
        self._report(prepare(self._path))

    def write(self, batch: Batch, *, durable: bool) -> None:
        """Write `batch`, and if `durable` sync it and all that was written before.

        Raises Unavailable, sqlite3.Error or OSError for trouble; what the batch still holds is not written
        then. After damage was found the next call begins a new file.
        """
        try:
            while len(batch.attempts) > A_TRANSACTION:  # with a larger one the log outgrows its bound
                self._write(empty()._replace(attempts=batch.attempts[:A_TRANSACTION]), False)
                del batch.attempts[:A_TRANSACTION]
            self._write(batch, durable)
        except sqlite3.Error as error:
            if is_damage(error):  # renamed while open, so that closing leaves its write-ahead log alone
                self._report(set_aside(self._path, self._file))
            self.close()  # what is wrong may stick to the connection: read-only once, read-only for ever
            raise_with_obstacle(self._path, error)
            raise

    def close(self) -> None:
        """Let go of the file."""
        conn, self._conn = self._conn, None
        self._sorts.forget()
        if conn is not None:
            with contextlib.suppress(sqlite3.Error):
                conn.close()

    def _write(self, batch: Batch, durable: bool) -> None:
        conn = self._connected()
        conn.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        if self._room is not None and used_bytes(conn) > self._room:
            with transaction(conn):
                drop_attempts(conn, max(LONGEST_STEP, 2 * len(batch.attempts)))
        try:
            _store(conn, batch, durable, self._budget, self._sorts)
        except Exception as error:
            self._sorts.forget()  # those that were made just now are rolled back
            if _is_trouble(error):
                raise
            if not self.refused:
                log.error("something cannot be stored; it is left out and counted", exc_info=error)
            self.refused += _store_possible(conn, batch, self._budget)

    def _connected(self) -> sqlite3.Connection:
        """The connection, made anew if the file was replaced, or is gone."""
        if self._conn is not None and identity(self._path) == self._file:
            return self._conn
        self.close()
        self.prepare()
        self._conn = open_writer(self._path)
        self._file = identity(self._path)
        return self._conn

    def _report(self, aside: str | None) -> None:
        if aside is not None:
            self.set_aside = aside
            log.critical("the store was damaged: set aside as %s, a new one is begun", aside)


def _store(conn: sqlite3.Connection, batch: Batch, durable: bool, budget: int, sorts: Sorts) -> None:
    with transaction(conn):
        rows.write(conn, batch, time.time(), budget, sorts)
        if durable and not batch:  # a sync needs something to write
            conn.execute("INSERT OR REPLACE INTO meta VALUES ('synced', ?)", (f"{time.time():.0f}",))


def _store_possible(conn: sqlite3.Connection, batch: Batch, budget: int) -> Counter[str]:
    """Store what can be stored, one thing after the other; gives how many of which could not."""
    refused: Counter[str] = Counter()
    with transaction(conn):
        for single in batch.singles():
            conn.execute("SAVEPOINT single")
            try:
                rows.write(conn, single, time.time(), budget)
            except Exception as error:
                if _is_trouble(error):
                    raise
                conn.execute("ROLLBACK TO single")
                refused.update(single.counts())
            conn.execute("RELEASE single")
    return refused


def _is_trouble(error: Exception) -> bool:
    """Is it the disk's or the file's fault, not that of a value?"""
    if isinstance(error, sqlite3.IntegrityError | sqlite3.DataError):
        return False
    return isinstance(error, sqlite3.DatabaseError) and getattr(error, "sqlite_errorcode", None) is not None
