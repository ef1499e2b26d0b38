# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes again: old attempts are summed by the hour, what is older still goes, a size is held.

In short steps, each a transaction of its own, so that the guard's writer never waits long.

Nothing goes because a clock jumped. Routers boot in 1970, or with the date of their last configuration, and
may be told any time at all before they are told the right one.

* A wall clock before `SANE` ages nothing.
* Age counts to the *trusted* time, which never runs faster than twice the time that really passed
  (CLOCK_MONOTONIC), nor past the wall clock: a clock that is wrong for an hour ages things by two. After
  months without power it catches up in as many months; `max_size` holds meanwhile.
* Attempts go in the order in which they happened: up to the last one that is stamped older than the limit
  and stands before all that are younger. A stamp before `SANE`, or in the future, says nothing.
* Anything else goes when its own stamp is too old and so is the trusted time at which retention first
  noticed it: a right stamp can be wrong, but what was noticed last week is not months old.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from smartrouter.core.events import Moment
from smartrouter.store.sorts import drop_unused
from smartrouter.store.transaction import transaction
from smartrouter.store.volumes import drop_volumes

SANE = 1767225600.0  # 2026-01-01 UTC: smartrouter did not exist before
CATCH_UP = 2.0  # seconds by which the trusted time may advance in one that really passed
AIM = 0.015  # seconds that a step should hold the lock
FIRST_STEP, LONGEST_STEP = 200, 2000  # rows
AUTOCHECKPOINT = 1000  # pages, SQLite's default
CHECKPOINT_EVERY = 5000  # rows; about the megabyte of log after which SQLite does it by itself
WAL_SHARE = 8  # an eighth of `max_size` is left to the write-ahead log, and to what comes meanwhile
HOURS_SHARE = 2  # sums may take half of `max_size`
HOUR_ROW = 60  # bytes, about
VOLUMES_SHARE = 8  # and those of bytes an eighth of it
VOLUME_ROW = 80  # bytes, about
ALIASES_KEPT = 30 * 86400.0  # seconds after the last answer that said so; they count for no longer
_HOUR = 3600


class Limits(NamedTuple):
    """`attempts_kept`, `retention`: seconds. `max_size`: bytes."""

    attempts_kept: float = 48 * 3600.0
    retention: float = 90 * 86400.0
    max_size: int = 512 * 2**20


class Pruned(NamedTuple):
    """How many rows went, and why. `summed`: attempts that became hourly sums; `for_size`: attempts and
    sums that had to make room. `longest`: seconds that the longest step held the lock."""

    summed: int = 0
    hours: int = 0
    volumes: int = 0
    alerts: int = 0
    names: int = 0
    addresses: int = 0
    aliases: int = 0
    devices: int = 0
    for_size: int = 0
    longest: float = 0.0


def prune(conn: sqlite3.Connection, now: Moment, limits: Limits) -> Pruned:
    """Let go of what is too old or too much. `conn` is a writer's, outside any transaction.

    Raises sqlite3.Error; what was done until then stays done, and the next call goes on.
    """
    conn.execute("PRAGMA wal_autocheckpoint = 0")  # steps do it, where it holds nobody up
    try:
        steps = _Steps(conn)
        pruned = _prune_old(steps, now, limits) if now.wall >= SANE else Pruned()
        pruned = pruned._replace(for_size=_hold_size(steps, limits.max_size), longest=steps.longest)
    finally:
        conn.execute(f"PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT}")
    if any(pruned[:-1]):
        _checkpoint(conn)
    return pruned


def used_bytes(conn: sqlite3.Connection) -> int:
    """What the database takes, without the pages that are free for reuse."""
    return (_pragma(conn, "page_count") - _pragma(conn, "freelist_count")) * _pragma(conn, "page_size")


def drop_attempts(conn: sqlite3.Connection, rows: int) -> int:
    """Delete so many of the oldest attempts, unsummed; gives how many there were. Never the newest one."""
    dropped = conn.execute(  # their ids have no gaps
        """DELETE FROM tries
            WHERE id < min((SELECT min(id) FROM tries) + ?, (SELECT max(id) FROM tries))""",
        (rows,),
    ).rowcount
    drop_unused(conn)
    return dropped


class _Steps:
    """Runs work in steps that hold the lock for about `AIM` seconds each, and rests between them.

    The log is copied back into the database between them, without the lock.
    """

    def __init__(self, conn: sqlite3.Connection):
        self.conn = conn
        self.longest = 0.0
        self._rows = FIRST_STEP
        self._since_checkpoint = 0

    def run(self, step: Callable[[int], int], enough: Callable[[], bool] = lambda: False) -> int:
        """`step(rows)` handles up to so many rows and gives how many there were; until there are fewer, or
        it is `enough`. Gives how many there were in all."""
        total = 0
        while not enough():
            rows = self._rows
            with transaction(self.conn):
                started = time.monotonic()
                done = step(rows)
            took = time.monotonic() - started
            self.longest = max(self.longest, took)
            total += done
            if done < rows:
                break
            faster = AIM / max(took, AIM / 2)  # twice as many rows at most
            self._rows = min(LONGEST_STEP, max(20, int(rows * faster)))
            self._since_checkpoint += done
            if self._since_checkpoint >= CHECKPOINT_EVERY:
                self._since_checkpoint = 0
                _checkpoint(self.conn)
            time.sleep(took)  # the guard's writer polls for the lock: leave it half of the time
        return total


def _prune_old(steps: _Steps, now: Moment, limits: Limits) -> Pruned:
    conn = steps.conn
    trusted = _trusted(conn, now)
    until = min(trusted, now.wall)
    limit, oldest = until - limits.attempts_kept, until - limits.retention
    last = _last_old_attempt(conn, limit, now.wall)
    return Pruned(
        summed=steps.run(lambda rows: _sum_up(conn, rows, last, limit)),
        hours=steps.run(lambda rows: _drop_hours(conn, rows, int(oldest) // _HOUR)),
        volumes=steps.run(lambda rows: drop_volumes(conn, rows, int(oldest) // _HOUR)),
        alerts=_forget(steps, trusted, oldest, "alerts", "last"),
        names=_forget(steps, trusted, oldest, "names", "told_at"),
        addresses=_forget(steps, trusted, oldest, "addresses", "last_seen"),
        aliases=_forget(steps, trusted, until - ALIASES_KEPT, "aliases", "seen_at"),
        devices=_forget(steps, trusted, oldest, "devices", _DEVICE_STAMP, _WITHOUT_LEARNED),
    )


def _checkpoint(conn: sqlite3.Connection) -> None:
    conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _trusted(conn: sqlite3.Connection, now: Moment) -> float:
    """The trusted time now, kept in the store; at the very first, that of the oldest attempt."""
    kept = conn.execute("SELECT value FROM meta WHERE key = 'trusted_time'").fetchone()
    if kept:
        trusted, running = map(float, kept[0].split())
        passed = max(0.0, now.running - running)  # after a reboot that clock begins anew
        trusted = max(trusted, min(now.wall, trusted + CATCH_UP * passed))
    else:
        first = conn.execute(
            "SELECT at FROM tries WHERE at BETWEEN ? AND ? ORDER BY id LIMIT 1", (SANE, now.wall)
        ).fetchone()
        trusted = first[0] if first else now.wall
    with transaction(conn):
        conn.execute(
            "INSERT OR REPLACE INTO meta VALUES ('trusted_time', ?)", (f"{trusted!r} {now.running!r}",)
        )
    return trusted


def _last_old_attempt(conn: sqlite3.Connection, limit: float, wall: float) -> int:
    """The id up to which attempts are older than `limit`; 0 if none is."""
    young = conn.execute(
        "SELECT id FROM tries WHERE at > ? AND at <= ? ORDER BY id LIMIT 1", (limit, wall)
    ).fetchone()
    if not young:
        young = conn.execute("SELECT max(id) FROM tries").fetchone()
    old = conn.execute(
        "SELECT id FROM tries WHERE id < ? AND at BETWEEN ? AND ? ORDER BY id DESC LIMIT 1",
        (young[0], SANE, limit),
    ).fetchone()
    return old[0] if old else 0


def _sum_up(conn: sqlite3.Connection, rows: int, last: int, limit: float) -> int:
    """Sum up to `rows` of the attempts up to `last` by the hour; gives how many there were. What has no
    usable time counts to the hour of `limit`."""
    step = [
        row[0] for row in conn.execute("SELECT id FROM tries WHERE id <= ? ORDER BY id LIMIT ?", (last, rows))
    ]
    if not step:
        return 0
    conn.execute(
        """INSERT INTO hours (hour, device, destination, service, accepted, count)
            SELECT CAST(CASE WHEN at BETWEEN ? AND ? THEN at ELSE ? END AS INTEGER) / 3600, device,
                CASE name WHEN '' THEN address ELSE name END, service, accepted, count(*)
            FROM attempts WHERE id <= ? GROUP BY 1, 2, 3, 4, 5
            ON CONFLICT DO UPDATE SET count = count + excluded.count""",
        (SANE, limit, limit, step[-1]),
    )
    conn.execute("DELETE FROM tries WHERE id <= ?", (step[-1],))
    drop_unused(conn)
    return len(step)


def _drop_hours(conn: sqlite3.Connection, rows: int, before: int = 2**62) -> int:
    """Delete so many of the oldest sums, of hours before `before`; gives how many there were."""
    return conn.execute(
        """DELETE FROM hours WHERE (hour, device, destination, service, accepted) IN (
            SELECT hour, device, destination, service, accepted FROM hours WHERE hour < ?
            ORDER BY hour LIMIT ?)""",
        (before, rows),
    ).rowcount


_DEVICE_STAMP = "max(last_seen, coalesce((SELECT last_at FROM activity WHERE device = devices.id), 0))"
_WITHOUT_LEARNED = "NOT EXISTS (SELECT 1 FROM learned WHERE device = devices.id)"


def _forget(steps: _Steps, trusted: float, oldest: float, table: str, stamp: str, which: str = "true") -> int:
    """Notice the rows of `table` that are new, at the `trusted` time, and let those go that were noticed,
    and stamped, before `oldest`. They are found without the lock: finding may take longer than changing."""
    conn = steps.conn
    new = [(trusted, number) for (number,) in conn.execute(f"SELECT id FROM {table} WHERE noticed IS NULL")]  # noqa: S608
    _change(steps, f"UPDATE {table} SET noticed = ? WHERE id = ?", new)  # noqa: S608
    old = conn.execute(
        f"SELECT id FROM {table} WHERE noticed < ? AND {stamp} < ? AND {which}",  # noqa: S608
        (oldest, oldest),
    ).fetchall()
    return _change(steps, f"DELETE FROM {table} WHERE id = ?", old)  # noqa: S608


def _change(steps: _Steps, statement: str, rows: Sequence[tuple[float, ...]]) -> int:
    left = list(rows)

    def step(size: int) -> int:
        part = left[:size]
        del left[:size]
        steps.conn.executemany(statement, part)
        return len(part)

    return steps.run(step, lambda: not left)


def _hold_size(steps: _Steps, max_size: int) -> int:
    """Oldest attempts first; but sums beyond their share before them, and all sums at last."""
    conn = steps.conn
    room = max_size - max_size // WAL_SHARE

    def fits() -> bool:
        return used_bytes(conn) <= room

    def within(table: str, most: int) -> Callable[[], bool]:
        def sums_fit() -> bool:
            if fits():
                return True  # as nearly always; counting takes as long as there are many
            count: int = conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            return count <= most

        return sums_fit

    volumes = within("volumes", max_size // VOLUMES_SHARE // VOLUME_ROW)
    gone = steps.run(lambda rows: drop_volumes(conn, rows), volumes)
    gone += steps.run(
        lambda rows: _drop_hours(conn, rows), within("hours", max_size // HOURS_SHARE // HOUR_ROW)
    )
    gone += steps.run(lambda rows: drop_attempts(conn, rows), fits)
    gone += steps.run(lambda rows: drop_volumes(conn, rows), fits)
    gone += steps.run(lambda rows: _drop_hours(conn, rows), fits)
    while _pragma(conn, "page_count") * _pragma(conn, "page_size") > room and _pragma(conn, "freelist_count"):
        conn.execute("PRAGMA incremental_vacuum(100)").fetchall()
    return gone


def _pragma(conn: sqlite3.Connection, name: str) -> int:
    value: int = conn.execute(f"PRAGMA {name}").fetchone()[0]
    return value
