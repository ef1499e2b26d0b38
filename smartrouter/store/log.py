# SPDX-License-Identifier: GPL-2.0-or-later
"""The log of attempts, newest first, page by page, by what somebody looks for. Nothing here writes.

No attempt is in an index (see `schema`): so a page walks back from its cursor, past what is not wanted, for
`SCANNED` attempts at most, and says how far it came. A cursor is an attempt's id: those never change, so a
page stays the same page whatever comes.
"""

import sqlite3
from typing import Any, NamedTuple

from smartrouter.store.attempts import StoredAttempt

SCANNED = 6000  # attempts that a page looks at, at most: about 30 ms
_WORDS = "SELECT id FROM words WHERE word = ?"
_COLUMNS = """
    SELECT a.id, a.at, coalesce(d.mac, ''), a.source, a.source_port, a.address, a.port, a.protocol, s.word,
        a.service, a.name, e.word, a.accepted, r.word"""
_JOINS = """
    FROM seen CROSS JOIN attempts a USING (id) LEFT JOIN devices d ON d.id = a.device
    JOIN words s ON s.id = a.scope JOIN words e ON e.id = a.evidence JOIN words r ON r.id = a.reason"""


# What a page looks at, newest first: any device's attempts, or those of one along its chain.
_ANY = """WITH seen (id) AS (
    SELECT id FROM tries WHERE id < :start AND id >= :lowest ORDER BY id DESC LIMIT :scanned)"""
_OWN = """WITH RECURSIVE seen (id) AS (
    SELECT :first WHERE :first >= :floor
    UNION ALL SELECT previous FROM seen JOIN tries USING (id) WHERE previous >= :floor LIMIT :scanned)"""


class Wanted(NamedTuple):
    """What somebody looks for; '' and None stand for anything. `destination`: a part of a name or address;
    `since`, `until`: epoch seconds."""

    mac: str = ""
    accepted: bool | None = None
    reason: str = ""
    destination: str = ""
    service: str = ""
    since: float | None = None
    until: float | None = None


class Page(NamedTuple):
    """`attempts`: the newest first. `older`: the cursor of the next page, None where there is nothing more.
    `is_whole`: as many were found as were wanted, or there are no more; else the search goes on there."""

    attempts: list[StoredAttempt]
    older: int | None
    is_whole: bool


def page(
    conn: sqlite3.Connection, wanted: Wanted, limit: int, before: int | None = None, scanned: int = SCANNED
) -> Page:
    """Attempts that are `wanted`, at most `limit`, with ids below `before` (None: the newest)."""
    start = newest(conn) + 1 if before is None else before
    if wanted.until is not None:
        start = min(start, first_since(conn, wanted.until))
    floor = 1 if wanted.since is None else first_since(conn, wanted.since)
    if wanted.mac:
        return _of_device(conn, wanted, limit, before, start, floor, scanned)
    lowest = max(start - scanned, floor)
    found = _found(conn, _ANY, wanted, limit, {"start": start, "lowest": lowest, "scanned": scanned})
    if len(found) == limit:
        return Page(found, found[-1].id, True)
    there_is_more = lowest > max(floor, _oldest(conn))
    return Page(found, lowest if there_is_more else None, not there_is_more)


def newer(conn: sqlite3.Connection, wanted: Wanted, limit: int, after: int) -> list[StoredAttempt]:
    """The newest of those that came after the attempt `after` and are `wanted`, the newest first."""
    lowest = max(after + 1, newest(conn) + 1 - SCANNED)
    values = {"start": newest(conn) + 1, "lowest": lowest, "scanned": SCANNED}
    return [each for each in _found(conn, _ANY, wanted, limit, values) if wanted.mac in ("", each.mac)]


def first_since(conn: sqlite3.Connection, at: float) -> int:
    """The id of the first attempt that was made at `at` (epoch seconds) or later; one more than the newest
    where there is none. Found by halving, as ids go with time but for clocks that were set back."""
    low, high = _oldest(conn), newest(conn) + 1
    while low < high:
        middle = (low + high) // 2
        row = conn.execute("SELECT at FROM tries WHERE id = ?", (middle,)).fetchone()
        if row is not None and row[0] >= at:
            high = middle
        else:
            low = middle + 1
    return low


def reasons(conn: sqlite3.Connection) -> list[str]:
    """The words that attempts in the store may have as reasons, evidence or scope."""
    return [word for (word,) in conn.execute("SELECT word FROM words ORDER BY word")]


def _of_device(
    conn: sqlite3.Connection,
    wanted: Wanted,
    limit: int,
    before: int | None,
    start: int,
    floor: int,
    scanned: int,
) -> Page:
    """Along the device's own chain, which its other attempts are no part of."""
    first, lowest = _in_chain(conn, wanted.mac, before, start, floor, scanned)
    if first is None:
        return Page([], lowest, lowest is None)
    values: dict[str, Any] = {"first": first, "floor": floor, "scanned": scanned}
    found = _found(conn, _OWN, wanted, limit, values)
    if len(found) == limit:
        return Page(found, found[-1].id, True)
    far = "SELECT count(*), min(id) FROM seen"
    count, last = conn.execute(f"{_OWN} {far}", values).fetchone()
    return Page(found, last if count == scanned else None, count < scanned)


def _in_chain(
    conn: sqlite3.Connection, mac: str, before: int | None, start: int, floor: int, scanned: int
) -> tuple[int | None, int | None]:
    """The device's latest attempt below `start`; or, where none was found among as many attempts as may be
    looked at, below which one to go on, None if there is none at all."""
    known = conn.execute(
        "SELECT d.id, a.last FROM devices d JOIN activity a ON a.device = d.id WHERE mac = ?", (mac,)
    ).fetchone()
    if known is None:
        return None, None
    device, last = known
    if last < start:
        return last, None
    own = conn.execute(
        "SELECT previous FROM attempts WHERE id = ? AND device = ?", (before, device)
    ).fetchone()
    if own is not None and (own[0] is None or own[0] < start):
        return own[0], None
    lowest = max(start - scanned, floor, _oldest(conn))
    found = conn.execute(
        """SELECT id FROM (SELECT id, device FROM attempts WHERE id < ? AND id >= ? ORDER BY id DESC LIMIT ?)
            WHERE device = ? LIMIT 1""",
        (start, lowest, scanned, device),
    ).fetchone()
    if found is not None:
        return found[0], None
    return None, lowest if lowest > max(floor, _oldest(conn)) else None


def _found(
    conn: sqlite3.Connection, seen: str, wanted: Wanted, limit: int, values: dict[str, Any]
) -> list[StoredAttempt]:
    where, more = _conditions(conn, wanted)
    rows = conn.execute(
        f"{seen} {_COLUMNS} {_JOINS} WHERE {where} LIMIT :limit", values | more | {"limit": limit}
    )
    found = [StoredAttempt(*row)._replace(accepted=bool(row[12])) for row in rows]
    return sorted(found, key=lambda attempt: -attempt.id)


def _conditions(conn: sqlite3.Connection, wanted: Wanted) -> tuple[str, dict[str, Any]]:
    """SQL, of constants alone, and the values that it names."""
    said, values = ["true"], dict[str, Any]()
    if wanted.accepted is not None:
        said.append("a.accepted = :accepted")
        values["accepted"] = wanted.accepted
    if wanted.reason:
        word = conn.execute(_WORDS, (wanted.reason,)).fetchone()
        said.append("a.reason = :reason")
        values["reason"] = word[0] if word else -1
    if wanted.service:
        said.append("a.service = :service")
        values["service"] = wanted.service
    if wanted.destination:
        said.append("(instr(a.name, :destination) > 0 OR instr(a.address, :destination) > 0)")
        values["destination"] = wanted.destination.lower()
    if wanted.since is not None:
        said.append("a.at >= :since")
        values["since"] = wanted.since
    if wanted.until is not None:
        said.append("a.at < :until")
        values["until"] = wanted.until
    return " AND ".join(said), values


def newest(conn: sqlite3.Connection) -> int:
    """The id of the newest attempt, 0 if there is none."""
    found = conn.execute("SELECT id FROM tries ORDER BY id DESC LIMIT 1").fetchone()
    return found[0] if found else 0


def _oldest(conn: sqlite3.Connection) -> int:
    found = conn.execute("SELECT id FROM tries ORDER BY id LIMIT 1").fetchone()
    return found[0] if found else 1
