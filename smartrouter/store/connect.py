# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections to the store, and what to do when the file is damaged.

A writer's connection makes the file and its tables where they are missing. A damaged file is set aside
under another name, never deleted or mended in place; a new one is made.
"""

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator

from smartrouter.core.errors import Unavailable
from smartrouter.journal import Journal
from smartrouter.store.schema import STEPS, migrate, version

log = Journal("smartrouter.store")

WRITE_PATIENCE = 1.0  # seconds that a writer waits for the lock; nobody holds it for more than 50 ms
READ_PATIENCE = 5.0
KEEP_DAMAGED = 2  # files set aside that are kept
CACHE = 256  # KiB of the file that a connection keeps in memory, what a batch writes; not the usual 2,000
LARGEST_COPY = 64 << 20  # bytes of a database and its log that may be copied, to where temporary files lie
A_PART = 1 << 18  # bytes that are copied at once
LOG_LIMIT = 2**20  # bytes that the write-ahead log is cut back to
_STATE = (
    "meta",
    "words",
    "devices",
    "addresses",
    "progress",
    "learned",
    "names",
    "aliases",
    "activity",
    "alerts",
    "alert_addresses",
    "alert_changes",
    "channels",
    "outbox",
)
COMPANIONS = ("", "-wal", "-shm")  # https://sqlite.org/wal.html: the files of one database


def open_writer(path: str) -> sqlite3.Connection:
    """A connection that may write; the file and its tables are made or brought up to date first.

    In autocommit mode: write inside `transaction`. Raises Unavailable if the file is another program's or
    a newer smartrouter's, sqlite3.Error for trouble with the disk and for damage (`is_damage`).
    """
    _make_file(path)
    uri = f"file:{_quoted(path)}?mode=rw"
    conn = None
    try:
        conn = sqlite3.connect(uri, uri=True, timeout=WRITE_PATIENCE, isolation_level=None)
        conn.execute(f"PRAGMA cache_size = -{CACHE}")
        conn.execute("PRAGMA foreign_keys = ON")
        conn.execute("PRAGMA trusted_schema = OFF")
        conn.execute(f"PRAGMA journal_size_limit = {LOG_LIMIT}")
        if version(conn) < len(STEPS):
            with _alone(path):
                migrate(conn)
        conn.execute("PRAGMA synchronous = NORMAL")
    except BaseException as error:
        if conn is not None:
            conn.close()
        raise_with_obstacle(path, error)
        raise
    return conn


def open_reader(path: str) -> sqlite3.Connection:
    """A connection that cannot write, beside a writer or without one.

    Raises Unavailable, with what to do, if there is nothing (that we may read) or another version's.
    """
    if not os.path.exists(path):
        raise Unavailable(f"there is no store at {path} yet; is smartrouter running?")
    conn = None
    try:
        conn = _connected(path)
        conn.execute(f"PRAGMA cache_size = -{CACHE}")
        conn.execute("PRAGMA query_only = ON")
        conn.execute("PRAGMA trusted_schema = OFF")
        if version(conn) < len(STEPS):
            raise Unavailable(f"the store {path} is not up to date; start or restart smartrouter")
    except BaseException as error:
        if conn is not None:
            conn.close()
        if isinstance(error, sqlite3.Error):
            raise Unavailable(f"cannot read the store {path}: {error}; {_advice(error)}") from error
        raise
    return conn


def _connected(path: str) -> sqlite3.Connection:
    """A reader's connection. Where the disk is read-only, the files that readers share cannot be made, and
    nobody may have written what is in the log into the database: a writer was killed, and then the disk found
    a fault. What is in that log counts."""
    uri = f"file:{_quoted(path)}?mode=ro"
    if not _is_on_read_only_disk(path):
        return _reader(uri)
    if not _size(path + "-wal"):
        return _reader(uri + "&immutable=1")
    if os.path.exists(path + "-shm"):  # SQLite distrusts it, and makes an index of its own in memory
        return _reader(uri)
    if (size := _size(path) + _size(path + "-wal")) > LARGEST_COPY:
        log.warning("%s: %d bytes are too many to be copied; its latest changes do not count", path, size)
        return _reader(uri + "&immutable=1")
    return _copied(path)


def _reader(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, timeout=READ_PATIENCE, isolation_level=None)


def _copied(path: str) -> sqlite3.Connection:
    """A connection to a copy of the database and its log, which is gone when the connection is. Raises
    sqlite3.OperationalError."""
    import tempfile  # takes a megabyte, and is hardly ever needed

    conn = None
    try:
        with tempfile.TemporaryDirectory(prefix="smartrouter-") as folder:
            copy = os.path.join(folder, "copy.db")
            for suffix in ("", "-wal"):
                with open(path + suffix, "rb") as source, open(copy + suffix, "wb") as target:
                    while part := source.read(A_PART):
                        target.write(part)
            conn = _reader(f"file:{_quoted(copy)}?mode=ro")
            conn.execute("SELECT count(*) FROM sqlite_master")  # opens all files, which may then go
            return conn
    except OSError as error:
        if conn is not None:
            conn.close()
        raise sqlite3.OperationalError(f"no room for a copy of it: {error.strerror}") from error


@contextlib.contextmanager
def reading(path: str) -> Iterator[sqlite3.Connection]:
    """`open_reader` for as long as the block lasts. Raises Unavailable, also for trouble while it is used."""
    conn = open_reader(path)
    try:
        yield conn
    except sqlite3.Error as error:
        raise Unavailable(f"cannot read the store {path}: {error}; is its disk in order?") from error
    finally:
        conn.close()


def prepare(path: str) -> str | None:
    """Make sure that `path` can be written: made, up to date, and its state not damaged.

    Gives the path that a damaged file was set aside under. Raises like `open_writer`.
    """
    before = identity(path)
    try:
        conn = open_writer(path)
        try:
            _look_for_damage(conn)
        finally:
            conn.close()
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        aside = set_aside(path, before)
        open_writer(path).close()
        return aside
    return None


def is_damage(error: sqlite3.Error) -> bool:
    """Does `error` mean that the file's contents are broken, not that the disk is in trouble?"""
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_aside(path: str, found: tuple[int, int] | None = None) -> str | None:
    """Rename the database to `<path>.corrupt-<UTC time>`; gives that path. The oldest ones set aside go.

    `found`: `identity` of the file that was found to be damaged. Where another file stands there by now,
    somebody else was faster, and nothing is done (None).
    """
    with _alone(path):
        if found is not None and identity(path) != found:
            return None
        stem = aside = f"{path}.corrupt-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        number = 1
        while os.path.exists(aside):
            aside, number = f"{stem}-{number}", number + 1
        for suffix in COMPANIONS:
            with contextlib.suppress(FileNotFoundError):
                os.rename(path + suffix, aside + suffix)
        for old in _set_aside_before(path)[:-KEEP_DAMAGED]:
            for suffix in COMPANIONS:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(old + suffix)
        return aside


def identity(path: str) -> tuple[int, int] | None:
    """(device, inode) of the file at `path`; None if there is none. Another one: the file was replaced."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


@contextlib.contextmanager
def _alone(path: str) -> Iterator[None]:
    """One process at a time makes, or replaces, the files in this directory."""
    try:
        directory = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Unavailable(f"cannot use the directory of the store {path}: {error.strerror}") from error
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def _make_file(path: str) -> None:
    """SQLite gives a file's companions the file's own mode, so the file gets its mode before."""
    with contextlib.suppress(OSError):  # it exists, or SQLite will say what is wrong
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o660)
        os.fchmod(descriptor, 0o660)
        os.close(descriptor)


def raise_with_obstacle(path: str, error: BaseException) -> None:
    """Raise sqlite3.OperationalError with what stands in the way, if `error` says only that the file cannot
    be opened, or written."""
    told_little = _code(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
    if told_little and (obstacle := _obstacle(path)):
        raise sqlite3.OperationalError(f"{error}: {path}: {obstacle}") from error


def _obstacle(path: str) -> str:
    """Why the file cannot be opened for writing, as far as can be seen without opening it: that would take
    the locks away that other connections of this process hold (https://sqlite.org/howtocorrupt.html)."""
    try:
        os.stat(path)
    except OSError as error:
        return error.strerror or ""
    if _is_on_read_only_disk(path):
        return "the disk is read-only"
    usable = os.access(path, os.R_OK | os.W_OK) and os.access(os.path.dirname(path) or ".", os.W_OK)
    return "" if usable else "permission denied"


def _look_for_damage(conn: sqlite3.Connection) -> None:
    """Raise sqlite3.DatabaseError if what the guard needs is damaged: all state, and both ends of the
    attempts. Attempts in between may be many; damage there is met by whoever reads or deletes them."""
    for table in _STATE:
        found = conn.execute(f"PRAGMA quick_check({table})").fetchone()[0]
        if found != "ok":
            damage = sqlite3.DatabaseError(found)
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damage
    conn.execute("SELECT * FROM attempts ORDER BY id LIMIT 1").fetchone()
    conn.execute("SELECT * FROM attempts ORDER BY id DESC LIMIT 1").fetchone()


def _code(error: BaseException) -> int:
    """SQLite's primary result code, 0 if it has none."""
    code: int = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF


def _set_aside_before(path: str) -> list[str]:
    """The files that were set aside, oldest first."""
    folder, name = os.path.split(path)
    found = [
        os.path.join(folder, old)
        for old in os.listdir(folder or ".")
        if old.startswith(f"{name}.corrupt-") and not old.endswith(COMPANIONS[1:])
    ]
    return sorted(found, key=os.path.getmtime)


def _quoted(path: str) -> str:
    """What an URI's path must not hold as it is, https://sqlite.org/uri.html section 3.1."""
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _is_on_read_only_disk(path: str) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _advice(error: sqlite3.Error) -> str:
    if is_damage(error):
        return "it is damaged; the guard sets it aside and begins a new one when it meets the damage"
    return "run this as root, or as a member of the group that owns it"
