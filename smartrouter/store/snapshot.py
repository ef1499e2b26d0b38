# SPDX-License-Identifier: GPL-2.0-or-later
"""What outlives the memory that the store lies in: a copy of it on flash, and beside it what was learned
since.

The copy is made by SQLite's backup, now and then. In between a small journal says how what is learned differs
from the copy: it is written only when that has changed, and counts only for the copy that it was made for.
Both files are there whole or not at all, whenever the power fails. Nothing here goes by the clock, which
begins in 1970 on many routers. Knows neither when it is time, nor who may write there.
"""

import contextlib
import json
import os
import secrets
import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from smartrouter.core.errors import Unavailable
from smartrouter.store.connect import COMPANIONS, open_reader, open_writer, prepare
from smartrouter.store.transaction import transaction

COPY, JOURNAL = "smartrouter.db", "learned.json"
DAMAGED = ".damaged"  # what a file is called that could not be read; the one before it goes
_NEW = ".new"
_MARK = "snapshot"  # the note in the copy (`meta`) that a journal names
_CHUNK = 1 << 20  # bytes
_LEARNED = "units, last_unit, learned_at, last_used, used"
_PROGRESS = (
    "state, observed, attempts, units, unit, unit_is_quiet, quiet, first_quiet_day, last_quiet_day, settled, "
    "new_since_second, new_logs"
)
_Learned: TypeAlias = dict[
    tuple[str, str, str], list[Any]
]  # (MAC, name group or address, service) -> _LEARNED


class Restored(NamedTuple):
    """`copy`: the store was taken from the copy; `learned`, `forgotten`: destinations by the journal;
    `damaged`: the files that could not be read, under their new names."""

    copy: bool = False
    learned: int = 0
    forgotten: int = 0
    damaged: tuple[str, ...] = ()


def take(database: str, folder: str) -> int:
    """Copy the store at `database` into `folder`; gives the copy's size in bytes.

    Raises Unavailable, sqlite3.Error, OSError; the copy that was there is then as it was.
    """
    path, new = os.path.join(folder, COPY), os.path.join(folder, COPY + _NEW)
    _remove(new)
    source = open_reader(database)
    try:
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o660))
        copy = sqlite3.connect(new, isolation_level=None)
        try:
            source.backup(copy)
            copy.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_MARK, secrets.token_hex(8)))
        finally:
            copy.close()
    except BaseException:
        _remove(new)
        raise
    finally:
        source.close()
    size = os.stat(new).st_size
    _put(new, path)
    for name in (JOURNAL, JOURNAL + _NEW):  # of the copy before; it would not count any more
        _remove(os.path.join(folder, name))
    return size


def note(database: str, folder: str) -> int:
    """Bring the journal in `folder` up to date; gives the bytes written, 0 if nothing was new.

    Where there is no copy yet, one is made. Raises as `take` does.
    """
    copy = os.path.join(folder, COPY)
    if not os.path.exists(copy):
        return take(database, folder)
    live = open_reader(database)
    try:
        kept = sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)
        try:
            journal = _difference(kept, live)
        finally:
            kept.close()
    finally:
        live.close()
    path = os.path.join(folder, JOURNAL)
    if _substance(journal) == _substance(_read(path)):
        return 0
    text = json.dumps(journal, separators=(",", ":")).encode()
    new = path + _NEW
    with open(new, "wb", opener=_for_the_group) as file:
        file.write(text)
    _put(new, path)
    return len(text)


def restore(database: str, folder: str) -> Restored:
    """Where `database` holds nothing, make it what copy and journal in `folder` say, if they are there.

    A damaged file is set aside in `folder`. Raises Unavailable for a newer version's and for a disk that
    cannot be read, sqlite3.Error and OSError for trouble with `database`; that is then not there.
    """
    path = os.path.join(folder, COPY)
    if (os.path.exists(database) and os.path.getsize(database)) or not os.path.exists(path):
        return Restored()
    _copy_bytes(path, database)
    try:
        if prepare(database) is not None:
            return Restored(damaged=(_set_aside(path),))
    except BaseException:
        os.unlink(database)
        raise
    journal_path = os.path.join(folder, JOURNAL)
    if not os.path.exists(journal_path):
        return Restored(copy=True)
    conn = open_writer(database)
    try:
        learned, forgotten = _apply(conn, _read(journal_path))
    except (ValueError, TypeError, KeyError, sqlite3.IntegrityError, sqlite3.ProgrammingError):
        return Restored(copy=True, damaged=(_set_aside(journal_path),))
    finally:
        conn.close()
    return Restored(True, learned, forgotten)


def signature(database: str) -> list[int]:
    """Changes whenever the store does."""
    found = []
    for suffix in COMPANIONS[:2]:
        with contextlib.suppress(OSError):
            status = os.stat(database + suffix)
            found += [status.st_ino, status.st_size, status.st_mtime_ns]
    return found


# -- the journal -------------------------------------------------------------------------------------------


def _difference(kept: sqlite3.Connection, live: sqlite3.Connection) -> dict[str, Any]:
    """What `live` has learned and forgotten that `kept` has not, and whose learning moved on."""
    before, now = _learned(kept), _learned(live)
    stages, progress = _progress(kept), _progress(live)
    added = [[*key, *now[key]] for key in sorted(now.keys() - before.keys())]
    moved = {mac for mac, row in progress.items() if mac not in stages or stages[mac][0] != row[0]}
    return {
        "of": kept.execute("SELECT value FROM meta WHERE key = ?", (_MARK,)).fetchone()[0],
        "learned": added,
        "forgotten": [list(key) for key in sorted(before.keys() - now.keys())],
        "progress": [[mac, *progress[mac]] for mac in sorted(moved)],
    }


def _learned(conn: sqlite3.Connection) -> _Learned:
    rows = conn.execute(
        f"SELECT mac, name, service, {_LEARNED} FROM learned JOIN devices ON devices.id = device"  # noqa: S608
    )
    return {(mac, name, service): rest for mac, name, service, *rest in rows}


def _progress(conn: sqlite3.Connection) -> dict[str, list[Any]]:
    rows = conn.execute(f"SELECT mac, {_PROGRESS} FROM progress JOIN devices ON devices.id = device")  # noqa: S608
    return {mac: rest for mac, *rest in rows}


def _substance(journal: Mapping[str, Any]) -> object:
    """What of a journal is worth writing it anew: not how often a destination was used."""
    try:
        return (
            journal["of"],
            [row[:3] for row in journal["learned"]],
            journal["forgotten"],
            [row[:2] for row in journal["progress"]],
        )
    except (KeyError, TypeError):
        return None


def _read(path: str) -> Mapping[str, Any]:
    """The journal; {} where there is none that can be read."""
    try:
        with open(path, "rb") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _apply(conn: sqlite3.Connection, journal: Mapping[str, Any]) -> tuple[int, int]:
    """Learn and forget what the journal says, all or nothing; gives how many of each. Raises KeyError,
    ValueError, TypeError and sqlite3.Error for one that is not as `note` writes it."""
    mark = conn.execute("SELECT value FROM meta WHERE key = ?", (_MARK,)).fetchone()
    if journal["of"] != (mark and mark[0]):
        return 0, 0  # it speaks of an earlier copy
    with transaction(conn):
        for mac, *rest in journal["progress"]:
            _insert(conn, "progress", f"device, {_PROGRESS}", [_device(conn, mac), *rest])
        for mac, *rest in journal["learned"]:
            _insert(conn, "learned", f"device, name, service, {_LEARNED}", [_device(conn, mac), *rest])
        for mac, name, service in journal["forgotten"]:
            conn.execute(
                "DELETE FROM learned WHERE device = ? AND name = ? AND service = ?",
                (_device(conn, mac), name, service),
            )
    return len(journal["learned"]), len(journal["forgotten"])


def _insert(conn: sqlite3.Connection, table: str, columns: str, values: list[Any]) -> None:
    marks = ", ".join("?" * len(columns.split(",")))
    conn.execute(f"INSERT OR REPLACE INTO {table} ({columns}) VALUES ({marks})", values)  # noqa: S608


def _device(conn: sqlite3.Connection, mac: str) -> int:
    """The number of a device, which is made where the copy does not have it."""
    conn.execute("INSERT OR IGNORE INTO devices (mac, first_seen, last_seen) VALUES (?, 0, 0)", (mac,))
    number: int = conn.execute("SELECT id FROM devices WHERE mac = ?", (mac,)).fetchone()[0]
    return number


# -- files -------------------------------------------------------------------------------------------------


def _put(new: str, path: str) -> None:
    """Have the file `new` be `path`, on the disk too."""
    _sync(new)
    os.rename(new, path)
    _sync(os.path.dirname(path))


def _sync(path: str) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: str) -> None:
    for suffix in COMPANIONS:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + suffix)


def _copy_bytes(path: str, into: str) -> None:
    new = into + _NEW
    try:
        with open(path, "rb") as source, open(new, "wb", opener=_for_the_group) as target:
            while chunk := source.read(_CHUNK):
                target.write(chunk)
        os.rename(new, into)
    except OSError as error:
        raise Unavailable(f"cannot take up {path}: {error.strerror}") from error


def _for_the_group(path: str, flags: int) -> int:
    return os.open(path, flags, 0o660)


def _set_aside(path: str) -> str:
    aside = path + DAMAGED
    os.replace(path, aside)
    return aside
