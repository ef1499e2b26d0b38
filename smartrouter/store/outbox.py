# SPDX-License-Identifier: GPL-2.0-or-later
"""What waits to be sent on each channel, and what was sent: rows that survive restarts and outages.

One row a channel and key. It waits while it has a message; once that is sent, the row stays without it, so
that what comes later about the same thing is known to be an update, and where it belongs (`receipt`). Rows
are bounded for each channel: of what waits, the oldest of the lowest severity go first, and are counted.

A message is text here. What is put, when it is sent, and by whom, is decided elsewhere. Functions that
change something say whether they are a transaction of their own.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable
from typing import NamedTuple

from smartrouter.store.transaction import transaction

MAX_WAITING = 1000  # messages of a channel; about 2 MB
MAX_TOLD = 3000  # rows of a channel without a message; there are no more alerts either
LONGEST_ERROR = 500  # characters


class Put(NamedTuple):
    """A message to be sent, as text, or, with `part_of`, that another one speaks for it. `told`: what of it
    would be news if it changed. `severity`: 0, 1, 2, the loudest last; `held`: it came in quiet hours."""

    key: str
    mac: str
    severity: int
    message: str
    told: str
    revision: int = 1
    part_of: str = ""
    held: bool = False


class Row(NamedTuple):
    """What is known of a key on a channel. `waits`: there is something to be sent."""

    id: int
    key: str
    mac: str
    severity: int
    message: str
    told: str
    revision: int
    sent_revision: int
    receipt: str
    part_of: str
    held: bool
    tries: int
    queued_at: float

    @property
    def waits(self) -> bool:
        return bool(self.message)


class Health(NamedTuple):
    """How a channel does. Times are epoch seconds, None for never. `failures`: since the last success;
    `disabled`: nothing is tried until its configuration changes."""

    key: str
    since: int
    sent: int
    waiting: int
    dropped: int
    failures: int
    sent_at: float | None
    error: str
    error_at: float | None
    retry_at: float | None
    disabled: bool


_ROW = (
    "SELECT id, key, mac, severity, message, told, revision, sent_revision, receipt, part_of, held, tries,"
    " queued_at FROM outbox"
)


# -- channels ----------------------------------------------------------------------------------------


def keep_channels(
    conn: sqlite3.Connection,
    keys: Collection[str],
    changed: Collection[str] = (),
    moved: Collection[str] = (),
) -> None:
    """These channels there are; others go, with all that waited on them. New ones get what is raised from
    now on. Those that have `changed` are tried again; those that have `moved` find no earlier message any
    more."""
    with transaction(conn):
        wanted = json.dumps(list(keys))
        conn.execute("DELETE FROM channels WHERE key NOT IN (SELECT value FROM json_each(?))", (wanted,))
        conn.executemany(
            """INSERT OR IGNORE INTO channels (key, since)
                VALUES (?, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'alerts'), 0))""",
            [(key,) for key in keys],
        )
        conn.executemany(
            """UPDATE channels SET disabled = 0, error = '', error_at = NULL, retry_at = NULL, failures = 0
                WHERE key = ?""",
            [(key,) for key in changed],
        )
        conn.executemany("UPDATE outbox SET receipt = '' WHERE channel = ?", [(key,) for key in moved])


def channels(conn: sqlite3.Connection) -> dict[str, Health]:
    """How the channels do, by key."""
    rows = conn.execute(
        """SELECT key, since, sent, (SELECT count(*) FROM outbox WHERE channel = c.key AND message != ''),
            dropped, failures, sent_at, error, error_at, retry_at, disabled FROM channels c ORDER BY key"""
    )
    return {row[0]: Health._make((*row[:-1], bool(row[-1]))) for row in rows}


# -- what is put, inside a transaction of the caller's -----------------------------------------------


def put(conn: sqlite3.Connection, channel: str, given: Iterable[Put], at: float) -> None:
    """Have these sent; each takes the place of what waits under its key. Part of a caller's transaction."""
    conn.executemany(
        """INSERT INTO outbox (channel, key, mac, severity, message, told, revision, part_of, held, queued_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (channel, key) DO UPDATE SET severity = excluded.severity,
                queued_at = CASE message WHEN '' THEN excluded.queued_at ELSE queued_at END,
                message = excluded.message, told = excluded.told,
                revision = max(excluded.revision, sent_revision + 1),
                part_of = excluded.part_of, held = excluded.held, tries = 0""",
        (
            (channel, each.key, each.mac, each.severity, each.message, each.told, each.revision, each.part_of,
             each.held, at)
            for each in given
        ),
    )  # fmt: skip


def take_back(conn: sqlite3.Connection, channel: str, keys: Iterable[str]) -> None:
    """What waits under these keys, and was never sent, need not be. Part of a caller's transaction."""
    conn.executemany(
        "DELETE FROM outbox WHERE channel = ? AND key = ? AND sent_revision = 0",
        [(channel, key) for key in keys],
    )


def trim(conn: sqlite3.Connection, channel: str) -> None:
    """Hold the bounds. Part of a caller's transaction."""
    gone = conn.execute(
        """DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE channel = ? AND message != ''
            ORDER BY severity DESC, id DESC LIMIT -1 OFFSET ?)""",
        (channel, MAX_WAITING),
    ).rowcount
    if gone:
        conn.execute("UPDATE channels SET dropped = dropped + ? WHERE key = ?", (gone, channel))
    conn.execute(
        """DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE channel = ? AND message = ''
            ORDER BY id DESC LIMIT -1 OFFSET ?)""",
        (channel, MAX_TOLD),
    )


def free(conn: sqlite3.Connection, channel: str, keys: Iterable[str], part_of: str = "") -> None:
    """What was held in quiet hours may go, or is spoken for by the message `part_of`. Part of a caller's
    transaction."""
    conn.executemany(
        """UPDATE outbox SET held = 0, part_of = ?, message = CASE ? WHEN '' THEN message ELSE '' END
            WHERE channel = ? AND key = ?""",
        [(part_of, part_of, channel, key) for key in keys],
    )


# -- what is sent ------------------------------------------------------------------------------------


def rows(conn: sqlite3.Connection, channel: str, keys: Collection[str]) -> dict[str, Row]:
    """What is known of these keys."""
    which = " WHERE channel = ? AND key IN (SELECT value FROM json_each(?))"
    found = conn.execute(_ROW + which, (channel, json.dumps(list(keys))))
    return {row.key: row for row in map(_row, found)}


def held(conn: sqlite3.Connection, channel: str) -> list[Row]:
    """What came in quiet hours, and waits, in order."""
    found = conn.execute(f"{_ROW} WHERE channel = ? AND message != '' AND held ORDER BY id", (channel,))
    return [_row(row) for row in found]


def late(conn: sqlite3.Connection, channel: str, before: float, below: int) -> list[Row]:
    """The alerts of a severity below that, in order, that have waited since `before` and were never told of;
    but for those of quiet hours."""
    found = conn.execute(
        f"""{_ROW} WHERE channel = ? AND message != '' AND NOT held AND sent_revision = 0 AND severity < ?
            AND queued_at < ? AND key LIKE 'alert:%' ORDER BY id""",
        (channel, below, before),
    )
    return [_row(row) for row in found]


def unsent_of(conn: sqlite3.Connection, channel: str, macs: Collection[str]) -> list[str]:
    """The keys of what waits about these devices, and was never told of."""
    found = conn.execute(
        """SELECT key FROM outbox WHERE channel = ? AND message != '' AND sent_revision = 0
            AND mac IN (SELECT value FROM json_each(?))""",
        (channel, json.dumps(list(macs))),
    )
    return [key for (key,) in found]


def next_row(conn: sqlite3.Connection, channel: str, least: int = 0) -> Row | None:
    """What is to be sent next, of severity `least` or more: what was tried least, then the loudest, then the
    oldest. So one message that a service never takes keeps no other from it."""
    found = conn.execute(
        f"""{_ROW} WHERE channel = ? AND message != '' AND severity >= ?
            ORDER BY tries, severity DESC, id LIMIT 1""",
        (channel, least),
    ).fetchone()
    return None if found is None else _row(found)


def note_sent(conn: sqlite3.Connection, channel: str, row: Row, receipt: str, at: float) -> None:
    """`row` was handed over. What was put in its place meanwhile goes on waiting. A transaction."""
    with transaction(conn):
        conn.execute(
            """UPDATE outbox SET receipt = ?, sent_revision = ?, tries = 0,
                revision = CASE WHEN message = ? THEN revision ELSE max(revision, ?) END,
                message = CASE WHEN message = ? THEN '' ELSE message END
                WHERE channel = ? AND key = ?""",
            (receipt, row.revision, row.message, row.revision + 1, row.message, channel, row.key),
        )
        conn.execute(
            """UPDATE channels SET sent = sent + 1, sent_at = ?, failures = 0, error = '', error_at = NULL,
                retry_at = NULL WHERE key = ?""",
            (at, channel),
        )


def note_failed(
    conn: sqlite3.Connection,
    channel: str,
    row: Row | None,
    error: str,
    at: float,
    *,
    retry_at: float | None,
    disable: bool = False,
    give_up: bool = False,
) -> None:
    """`row` was not handed over, or (None) the channel failed by itself. It is tried again at `retry_at`,
    unless `give_up`. A transaction."""
    with transaction(conn):
        if row is not None and give_up:
            conn.execute(
                "UPDATE outbox SET message = '' WHERE channel = ? AND key = ? AND message = ?",
                (channel, row.key, row.message),
            )
            conn.execute("UPDATE channels SET dropped = dropped + 1 WHERE key = ?", (channel,))
        elif row is not None:
            conn.execute(
                "UPDATE outbox SET tries = tries + 1 WHERE channel = ? AND key = ?", (channel, row.key)
            )
        conn.execute(
            """UPDATE channels SET failures = failures + 1, error = ?, error_at = ?, retry_at = ?,
                disabled = max(disabled, ?) WHERE key = ?""",
            (error[:LONGEST_ERROR], at, retry_at, disable, channel),
        )


def _row(row: tuple[object, ...]) -> Row:
    made = Row._make(row)
    return made._replace(held=bool(made.held))
