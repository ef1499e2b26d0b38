# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be asked about connection attempts, single ones and sums. Nothing here writes.

Words such as reasons are given as stored, so that a store written by another version can still be shown.
"""

import sqlite3
from typing import Any, NamedTuple


class StoredAttempt(NamedTuple):
    """One connection attempt; see `core.effects.Attempt`."""

    id: int
    at: float
    mac: str  # '' if the device is gone
    source: str
    source_port: int
    address: str
    port: int
    protocol: int
    scope: str
    service: str
    name: str
    evidence: str
    accepted: bool
    reason: str


class Hour(NamedTuple):
    """So many attempts at `destination` in the hour that began at `start`."""

    start: float
    destination: str
    service: str
    accepted: bool
    attempts: int


_COLUMNS = """
    SELECT a.id, a.at, coalesce(d.mac, ''), a.source, a.source_port, a.address, a.port, a.protocol, s.word,
        a.service, a.name, e.word, a.accepted, r.word"""
_WORDS = """
    LEFT JOIN devices d ON d.id = a.device
    JOIN words s ON s.id = a.scope JOIN words e ON e.id = a.evidence JOIN words r ON r.id = a.reason"""


def attempts_of(
    conn: sqlite3.Connection, mac: str, limit: int, before: int | None = None
) -> list[StoredAttempt]:
    """A device's attempts, the newest first, or those before its attempt with the id `before`."""
    if before is None:
        start = "SELECT last FROM activity WHERE device = (SELECT id FROM devices WHERE mac = :mac)"
    else:
        start = "SELECT previous FROM attempts WHERE id = :before"
    rows = conn.execute(
        f"""WITH RECURSIVE chain (id) AS (
            {start}
            UNION ALL SELECT previous FROM chain JOIN attempts USING (id) LIMIT :limit)
            {_COLUMNS} FROM chain CROSS JOIN attempts a USING (id) {_WORDS}
            ORDER BY a.id DESC""",  # noqa: S608 - constants of this module
        {"mac": mac, "before": before, "limit": limit},
    )
    return [_attempt(row) for row in rows]


def attempts_after(conn: sqlite3.Connection, cursor: int, limit: int) -> list[StoredAttempt]:
    """Attempts of all devices with ids above `cursor`, in the order in which they happened."""
    rows = conn.execute(
        f"{_COLUMNS} FROM attempts a {_WORDS} WHERE a.id > ? ORDER BY a.id LIMIT ?",
        (cursor, limit),
    )
    return [_attempt(row) for row in rows]


def hours(conn: sqlite3.Connection, mac: str, since: float) -> list[Hour]:
    """The sums of a device's older attempts, from the hour of `since` on, oldest first."""
    rows = conn.execute(
        """WITH RECURSIVE
            stored (hour) AS (
                SELECT min(hour) FROM hours WHERE hour >= ?
                UNION ALL SELECT (SELECT min(hour) FROM hours WHERE hour > stored.hour) FROM stored
                WHERE stored.hour IS NOT NULL)
            SELECT hour * 3600.0, destination, service, accepted, count
            FROM stored CROSS JOIN hours USING (hour)
            WHERE device = (SELECT id FROM devices WHERE mac = ?)""",
        (int(since) // 3600, mac),
    )
    return [
        Hour(start, destination, service, accepted == 1, attempts)
        for start, destination, service, accepted, attempts in rows
    ]


def _attempt(row: tuple[Any, ...]) -> StoredAttempt:
    return StoredAttempt(*row)._replace(accepted=bool(row[12]))
