# SPDX-License-Identifier: GPL-2.0-or-later
"""What each device spoke to, day by day: sums of attempts by name group and service, for digests.

Bounded: a few weeks, so many services of one device and day, so many in all. Days are those of the local
calendar, as numbers (`datetime.date.toordinal`).
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import NamedTuple

from smartrouter.store.alerts import StoredAlert, alerts
from smartrouter.store.retention import SANE

MAX_DAYS = 15  # two weeks, and the day that goes on
MAX_SERVICES = 512  # of one device and day; a scan has no end
MAX_ROWS = 20_000  # about 1.2 MB; the oldest days go first


class Tally(NamedTuple):
    """Attempts, and how many of them were blocked."""

    attempts: int
    blocked: int


class Place(NamedTuple):
    """One row's key. `device`: its row."""

    day: int
    device: int
    destination: str
    service: str


class Spoken(NamedTuple):
    """A device's attempts at one service in some days."""

    mac: str
    destination: str
    service: str
    attempts: int
    blocked: int


def add_to_days(conn: sqlite3.Connection, sums: Mapping[Place, Tally]) -> None:
    """Add these attempts, inside a transaction of the caller's."""
    rooms: Counter[tuple[int, int]] = Counter()
    for day, device in {(place.day, place.device) for place in sums}:
        count = "SELECT count(*) FROM days WHERE day = ? AND device = ?"
        rooms[day, device] = MAX_SERVICES - conn.execute(count, (day, device)).fetchone()[0]
    for place, tally in sums.items():
        added = conn.execute(
            """UPDATE days SET attempts = attempts + ?, blocked = blocked + ?
                WHERE day = ? AND device = ? AND destination = ? AND service = ?""",
            (*tally, *place),
        ).rowcount
        if not added and rooms[place[:2]] > 0:
            rooms[place[:2]] -= 1
            conn.execute("INSERT INTO days VALUES (?, ?, ?, ?, ?, ?)", (*place, *tally))
    _trim(conn)


def _trim(conn: sqlite3.Connection) -> None:
    """The oldest days go; however wrong the clock was, the number of days is what counts, not how far back
    they lie."""
    sizes = conn.execute("SELECT day, count(*) FROM days GROUP BY day ORDER BY day DESC").fetchall()
    rows = 0
    for number, (day, size) in enumerate(sizes):
        rows += size
        if number >= MAX_DAYS or (rows > MAX_ROWS and number):
            conn.execute("DELETE FROM days WHERE day <= ?", (day,))
            return


def spoken(conn: sqlite3.Connection, first: int, last: int) -> list[Spoken]:
    """What devices spoke to in the days from `first` to `last`, by device."""
    rows = conn.execute(
        """SELECT mac, destination, service, sum(attempts), sum(blocked)
            FROM days JOIN devices ON devices.id = device WHERE day BETWEEN ? AND ?
            GROUP BY device, destination, service ORDER BY mac, destination, service""",
        (first, last),
    )
    return [Spoken(*row) for row in rows]


def raised_between(conn: sqlite3.Connection, start: float, end: float, now: float) -> list[StoredAlert]:
    """Alerts that were first raised in that time (epoch seconds), in that order, but for those that are part
    of others. What is stamped by a wrong clock counts for when it was noticed."""
    numbers = {
        number
        for (number,) in conn.execute(
            """SELECT id FROM alerts WHERE state != 'merged' AND
                CASE WHEN first BETWEEN :sane AND :now THEN first ELSE noticed END
                BETWEEN :start AND :end""",
            {"sane": SANE, "now": now, "start": start, "end": end},
        )
    }
    found = [each for each in alerts(conn, limit=_ALL) if each.id in numbers] if numbers else []
    return sorted(found, key=_NUMBER)


def learned_between(conn: sqlite3.Connection, start: float, end: float) -> Iterable[tuple[str, str, str]]:
    """(MAC, destination, service) of what was learned in that time."""
    return conn.execute(
        """SELECT mac, name, service FROM learned JOIN devices ON devices.id = device
            WHERE learned_at BETWEEN ? AND ? ORDER BY mac, name, service""",
        (start, end),
    ).fetchall()


_ALL = 10_000  # more than the store keeps
_NUMBER = attrgetter("id")
