# SPDX-License-Identifier: GPL-2.0-or-later
"""How much there was when: attempts and alerts, by the hour and by the day. Nothing here writes.

No sum walks through all that is stored. The attempts of all devices in an hour are the difference of two ids,
each found by halving (`log.first_since`); those of them that were blocked are counted when they are written.
Those of one device are a walk along its chain, so many at most.
"""

import sqlite3
from typing import NamedTuple

from smartrouter.store.log import first_since

HOUR = 3600.0
WALKED = 5000  # attempts of one device that are counted one by one


class Hour(NamedTuple):
    """The hour that began at `start` (epoch seconds). `blocked`: of the attempts; `alerts`: that were raised
    first then."""

    start: float
    attempts: int
    blocked: int
    alerts: int


class DeviceHour(NamedTuple):
    """The same of one device. `blocked`: of the attempts."""

    start: float
    attempts: int
    blocked: int


class Day(NamedTuple):
    """A day of the local calendar, as a number (`datetime.date.toordinal`)."""

    day: int
    attempts: int
    blocked: int
    destinations: int


def by_hour(conn: sqlite3.Connection, now: float, hours: int) -> list[Hour]:
    """The last so many hours, oldest first, up to the one that goes on."""
    last = now // HOUR * HOUR
    starts = [last - HOUR * back for back in reversed(range(hours))]
    bounds = [first_since(conn, start) for start in starts]
    bounds.append(first_since(conn, last + HOUR))
    raised: dict[float, int] = dict(
        conn.execute(
            """SELECT CAST(first / 3600 AS INTEGER) * 3600.0, count(*) FROM alerts
                WHERE first >= ? AND state != 'merged' GROUP BY 1""",
            (starts[0],),
        )
    )
    blocked: dict[float, int] = dict(
        conn.execute(
            "SELECT hour * 3600.0, attempts FROM blocked_hours WHERE hour >= ?", (int(starts[0] // HOUR),)
        )
    )
    counts = [max(0, bounds[place + 1] - bounds[place]) for place in range(hours)]
    # Attempts may be gone, to make room, that were counted as blocked.
    return [
        Hour(start, count, min(count, blocked.get(start, 0)), raised.get(start, 0))
        for start, count in zip(starts, counts, strict=True)
    ]


def of_device(conn: sqlite3.Connection, mac: str, now: float, hours: int) -> tuple[list[DeviceHour], bool]:
    """The last so many hours of a device, oldest first; and whether all of its attempts in them were counted,
    or only the newest `WALKED`."""
    last = now // HOUR * HOUR
    starts = [last - HOUR * back for back in reversed(range(hours))]
    counts: dict[float, tuple[int, int]] = {}
    walked = 0
    for hour, attempts, blocked in conn.execute(
        """WITH RECURSIVE chain (id) AS (
            SELECT last FROM activity WHERE device = (SELECT id FROM devices WHERE mac = :mac)
            UNION ALL SELECT previous FROM chain JOIN tries USING (id) WHERE at >= :since LIMIT :walked)
            SELECT CAST(at / 3600 AS INTEGER), count(*), sum(1 - accepted)
            FROM chain CROSS JOIN attempts USING (id) GROUP BY 1""",
        {"mac": mac, "since": starts[0], "walked": WALKED},
    ):
        counts[hour * HOUR] = attempts, blocked
        walked += attempts
    return [DeviceHour(start, *counts.get(start, (0, 0))) for start in starts], walked < WALKED


def days_of(conn: sqlite3.Connection, mac: str, first: int, last: int) -> list[Day]:
    """What a device did in the days from `first` to `last`, as far as it was summed; oldest first."""
    found = {
        day: Day(day, attempts, blocked, destinations)
        for day, attempts, blocked, destinations in conn.execute(
            """WITH RECURSIVE n (day) AS (SELECT :first UNION ALL SELECT day + 1 FROM n WHERE day < :last)
                SELECT day, sum(attempts), sum(blocked), count(*) FROM n CROSS JOIN days USING (day)
                WHERE device = (SELECT id FROM devices WHERE mac = :mac) GROUP BY day""",
            {"mac": mac, "first": first, "last": last},
        )
    }
    return [found.get(day, Day(day, 0, 0, 0)) for day in range(first, last + 1)]
