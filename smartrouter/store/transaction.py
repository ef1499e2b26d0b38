# SPDX-License-Identifier: GPL-2.0-or-later
"""One write transaction, all or nothing. Knows no tables."""

import contextlib
import sqlite3
from collections.abc import Iterator


@contextlib.contextmanager
def transaction(conn: sqlite3.Connection) -> Iterator[None]:
    """What is done inside is written as a whole or, if anything is raised, not at all.

    Takes the write lock at once (IMMEDIATE): a reader that turns writer later cannot wait for it.
    Raises sqlite3.OperationalError where the lock is not had within the connection's timeout.
    """
    conn.execute("BEGIN IMMEDIATE")
    try:
        yield
        conn.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # what went wrong before says more
            if conn.in_transaction:
                conn.execute("ROLLBACK")
        raise
