# SPDX-License-Identifier: GPL-2.0-or-later
"""The web interface's own file, `web.db` beside the store: sessions, so that a restart logs nobody out, and
the audit log of logins and changes. The store itself is not written here.

A session's name is not in it, only the hash of that. Where the file cannot be written, sessions end with the
process and the log keeps what fits into memory: nothing else depends on it. Times are epoch seconds.
"""

import hashlib
import logging
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from typing import NamedTuple, TypeVar

from smartrouter.store.connect import is_damage
from smartrouter.web.sessions import Session

T = TypeVar("T")

log = logging.getLogger("smartrouter.web")

NAME = "web.db"
MOST_LINES = 2000  # of the audit log; the oldest go
_IN_MEMORY = 200  # lines, where there is no file
_LONGEST = 300  # characters of a field
_PATIENCE = 2.0  # seconds that a connection waits for another
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    key TEXT PRIMARY KEY, csrf BLOB NOT NULL, created REAL NOT NULL, seen REAL NOT NULL,
    source TEXT NOT NULL, agent TEXT NOT NULL, password TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audit (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, who TEXT NOT NULL, source TEXT NOT NULL, what TEXT NOT NULL,
    about TEXT NOT NULL, outcome TEXT NOT NULL
);
"""

_APPEND = "INSERT INTO audit (at, who, source, what, about, outcome) VALUES (?, ?, ?, ?, ?, ?)"
_SESSIONS = "SELECT key, csrf, created, seen, source, agent FROM sessions WHERE password = ?"
_LAST = "SELECT id, at, who, source, what, about, outcome FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?"


class Line(NamedTuple):
    """One line of the audit log. `who`: as in `by`; `source`: an address; `what`: an order or `login`;
    `about`: what it was about; `outcome`: `done`, or why not."""

    at: float
    who: str
    source: str
    what: str
    about: str
    outcome: str

    def told(self) -> list[tuple[str, str]]:
        """What there is to say, but for the time."""
        return [(name, getattr(self, name)) for name in self._fields[1:] if getattr(self, name)]


class Ledger:
    """See the module. For any thread; trouble with the disk is said, not raised."""

    def __init__(self, folder: str):
        self._path = os.path.join(folder, NAME)
        self._lock = threading.Lock()
        self._unwritten: deque[Line] = deque(maxlen=_IN_MEMORY)
        self._said = ""

    def sessions(self, password_hash: str) -> list[Session]:
        """Those that were kept while this was the password: whoever changed it since, even while we did not
        run, has logged all others out."""
        found = (_mark(password_hash),)
        rows = self._with(lambda conn: conn.execute(_SESSIONS, found).fetchall())
        return [Session(*row) for row in rows or ()]

    def keep_sessions(self, sessions: Iterable[Session], password_hash: str) -> None:
        """These are all that there are."""
        mark = _mark(password_hash)
        rows = [
            (each.key, each.csrf, each.created, each.seen, each.source, each.agent, mark) for each in sessions
        ]

        def keep(conn: sqlite3.Connection) -> None:
            conn.execute("DELETE FROM sessions")
            conn.executemany("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

        self._with(keep)

    def write(self, line: Line) -> None:
        """A line more."""
        with self._lock:
            self._unwritten.append(Line(line.at, *(text[:_LONGEST] for text in line[1:])))
            waiting = list(self._unwritten)

            def append(conn: sqlite3.Connection) -> bool:
                conn.executemany(_APPEND, waiting)
                conn.execute("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", (MOST_LINES,))
                return True

            if self._with(append):
                self._unwritten.clear()

    def lines(self, count: int, before: int | None = None) -> list[tuple[int, Line]]:
        """The last `count` lines with their numbers, the newest first; `before`: only those with a lower
        number. Lines that are in memory alone have the number 0."""
        values = (1 << 62 if before is None else before, count)
        with self._lock:
            found = [(0, line) for line in reversed(self._unwritten)] if before is None else []
        rows = self._with(lambda conn: conn.execute(_LAST, values).fetchall())
        return [*found, *((row[0], Line(*row[1:])) for row in rows or ())][:count]

    def _with(self, do: Callable[[sqlite3.Connection], T]) -> T | None:
        """What `do` gives, in a transaction; None for trouble, which is said once."""
        try:
            _make(self._path)
            with closing(sqlite3.connect(self._path, timeout=_PATIENCE)) as conn:
                conn.executescript(_SCHEMA)
                with conn:
                    found = do(conn)
            self._said = ""
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, sqlite3.Error) and is_damage(error):
                with suppress(OSError):
                    os.unlink(self._path)  # it holds nothing that must not be lost
            if str(error) != self._said:
                self._said = str(error)
                log.warning("%s cannot be used: %s; logins and the audit log end with us", self._path, error)
            return None
        return found


def _mark(password_hash: str) -> str:
    """What tells one password's hash from another's, and gives neither away."""
    return hashlib.sha256(b"smartrouter sessions" + password_hash.encode()).hexdigest()


def _make(path: str) -> None:
    """For our own user alone."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
