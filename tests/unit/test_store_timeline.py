# SPDX-License-Identifier: GPL-2.0-or-later
"""How much there was when."""

import sqlite3

from unit.made_effects import NOON, PLUG, TV, raised, record, write

from smartrouter.store import timeline
from smartrouter.store.batch import HOURS_OF_BLOCKED
from smartrouter.store.days import Place, Tally, add_to_days
from smartrouter.store.timeline import Day, DeviceHour, Hour, by_hour, days_of, of_device
from smartrouter.store.transaction import transaction

HOUR = 3600.0


def test_each_attempt_and_alert_counts_for_the_hour_in_which_it_was_made(conn: sqlite3.Connection) -> None:
    write(
        conn,
        *(record(at=NOON + seconds, accepted=seconds < 5) for seconds in (-HOUR - 1, -HOUR, -1, 0, 5, 1800)),
        raised(at=NOON - 2), raised(at=NOON + 1, destination="other.example"),
    )  # fmt: skip
    assert by_hour(conn, NOON + 1800, 3) == [
        Hour(NOON - 2 * HOUR, 1, 0, 0), Hour(NOON - HOUR, 2, 0, 1), Hour(NOON, 3, 2, 1),
    ]  # fmt: skip
    write(conn, record(at=NOON + 1900, accepted=False))
    assert [hour.blocked for hour in by_hour(conn, NOON + 1800, 2)] == [0, 3]


def test_blocked_attempts_are_counted_for_two_days_wherever_the_clock_goes(conn: sqlite3.Connection) -> None:
    """Rows are few, also where times make no sense."""
    for day in range(9):
        write(conn, *(record(at=NOON + day * 86400 + n * HOUR, accepted=False) for n in range(24)))
    assert conn.execute("SELECT count(*) FROM blocked_hours").fetchone() == (HOURS_OF_BLOCKED + 1,)
    write(conn, record(at=-1.0, accepted=False), record(at=float("inf"), accepted=False))
    write(conn, record(at=NOON, accepted=False))
    assert [row[0] for row in conn.execute("SELECT hour FROM blocked_hours")] == [NOON // HOUR]


def test_no_more_is_blocked_than_there_is(conn: sqlite3.Connection) -> None:
    """Where room had to be made, attempts are gone that were counted."""
    write(conn, *(record(at=NOON + n, accepted=False) for n in range(5)))
    conn.execute("DELETE FROM tries WHERE id <= 3")
    assert by_hour(conn, NOON + 1800, 1) == [Hour(NOON, 2, 2, 0)]


def test_nothing_stored_is_hours_with_nothing(conn: sqlite3.Connection) -> None:
    assert [hour.attempts for hour in by_hour(conn, NOON, 24)] == [0] * 24
    assert of_device(conn, TV, NOON, 2) == ([DeviceHour(NOON - HOUR, 0, 0), DeviceHour(NOON, 0, 0)], True)


def test_a_devices_hours_are_its_own(conn: sqlite3.Connection) -> None:
    write(
        conn,
        *(record(at=NOON + seconds, accepted=seconds != 5) for seconds in (-HOUR, 0, 5)),
        record(PLUG, at=NOON + 6),
        record(at=NOON + 7),
    )
    assert of_device(conn, TV, NOON + 60, 2) == (
        [DeviceHour(NOON - HOUR, 1, 0), DeviceHour(NOON, 3, 1)], True,
    )  # fmt: skip


def test_that_not_all_were_counted_is_said(conn: sqlite3.Connection) -> None:
    write(conn, *(record(at=NOON + n / 100) for n in range(timeline.WALKED + 9)))
    [hour], is_whole = of_device(conn, TV, NOON + 60, 1)
    assert (hour.attempts, is_whole) == (timeline.WALKED, False)


def test_days_without_anything_are_days_too(conn: sqlite3.Connection) -> None:
    write(conn, record(), record(PLUG))
    numbers = dict(conn.execute("SELECT mac, id FROM devices"))
    with transaction(conn):
        add_to_days(
            conn,
            {
                Place(10, numbers[TV], "a.example", "web"): Tally(3, 1),
                Place(10, numbers[TV], "b.example", "web"): Tally(4, 0),
                Place(10, numbers[PLUG], "a.example", "web"): Tally(100, 0),
                Place(12, numbers[TV], "a.example", "web"): Tally(1, 1),
            },
        )
    assert days_of(conn, TV, 9, 12) == [Day(9, 0, 0, 0), Day(10, 7, 1, 2), Day(11, 0, 0, 0), Day(12, 1, 1, 1)]
