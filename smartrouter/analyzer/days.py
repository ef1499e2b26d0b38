# SPDX-License-Identifier: GPL-2.0-or-later
"""From attempts to sums by day: each attempt counts once, for the day on which it was made, by the local
calendar of now.

Routers boot in 1970, or with the date of their last configuration, and are told the right time later. While
the clock is before `SANE` nothing is summed; what was stamped then, or in the future, counts for the day on
which that is found out.
"""

import json
import sqlite3
import time
from collections import Counter
from datetime import date

from smartrouter.core.destinations import Match, group_of
from smartrouter.core.events import Scope
from smartrouter.store.attempts import StoredAttempt, attempts_after
from smartrouter.store.changes import set_meta
from smartrouter.store.days import Place, Tally, add_to_days
from smartrouter.store.queries import meta
from smartrouter.store.retention import SANE
from smartrouter.store.transaction import transaction

EVERY = 1800.0  # seconds: each time writes a row for each service in use to flash; attempts stay for longer
_SUMMED = "days_summed"  # the note of how far this came: attempt, and when
_AT_ONCE = 2000  # attempts
_AHEAD = 60.0  # seconds by which a stamp may be ahead: clocks are corrected by a little all the time


def sum_up_days(conn: sqlite3.Connection, match: Match, wall: float, *, at_once: bool = False) -> int:
    """Sum the attempts that are new, if it is time, or `at_once`; gives how many these were. `wall`: epoch
    seconds. A transaction for each part: sums, and how far they go."""
    cursor, when = _summed(conn)
    is_due = not 0 <= wall - when < EVERY or day_of(wall) != day_of(when)
    if wall < SANE or not (is_due or at_once):
        return 0
    rows = 0
    numbers = dict(conn.execute("SELECT mac, id FROM devices"))
    while attempts := attempts_after(conn, cursor, _AT_ONCE):
        sums = _sums(attempts, numbers, match, wall)
        rows += len(attempts)
        cursor = attempts[-1].id
        with transaction(conn):
            add_to_days(conn, sums)
            conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_SUMMED, json.dumps([cursor, wall])))
    if not rows:
        set_meta(conn, _SUMMED, json.dumps([cursor, wall]))
    return rows


def is_summed(conn: sqlite3.Connection, day: date) -> bool:
    """Was everything of that day, and of those before it, summed?"""
    return day_of(_summed(conn)[1]) > day


def _summed(conn: sqlite3.Connection) -> tuple[int, float]:
    """Up to which attempt, and when."""
    cursor, when = json.loads(meta(conn, _SUMMED) or "[0, 0]")
    return cursor, when


def day_of(at: float) -> date:
    """The local day of epoch seconds `at`."""
    return date(*time.localtime(at)[:3])


def _sums(
    attempts: list[StoredAttempt], numbers: dict[str, int], match: Match, wall: float
) -> dict[Place, Tally]:
    made: Counter[Place] = Counter()
    blocked: Counter[Place] = Counter()
    days: dict[int, int] = {}  # by the hour: time zones change at full hours, or their halves
    for attempt in attempts:
        if attempt.scope != Scope.OUTSIDE or attempt.mac not in numbers:
            continue
        at = attempt.at if SANE <= attempt.at <= wall + _AHEAD else wall
        half_hour = int(at // 1800)
        if half_hour not in days:
            days[half_hour] = day_of(at).toordinal()
        name = group_of(attempt.name, match) if attempt.name else attempt.address
        place = Place(days[half_hour], numbers[attempt.mac], name, attempt.service)
        made[place] += 1
        blocked[place] += not attempt.accepted
    return {place: Tally(count, blocked[place]) for place, count in made.items()}
