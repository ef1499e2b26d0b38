# SPDX-License-Identifier: GPL-2.0-or-later
"""Attempts, summed by day: each once, for the right day of the local calendar, whatever clocks did."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from unit.made_effects import NOON, PLUG, TV, record, write

from smartrouter.analyzer.days import EVERY, day_of, is_summed, sum_up_days
from smartrouter.core.destinations import Match
from smartrouter.store import open_writer
from smartrouter.store.days import MAX_DAYS, MAX_ROWS, MAX_SERVICES, Place, Tally, add_to_days, spoken

DAY, HOUR = 86400.0, 3600.0
TODAY = date(2026, 11, 21).toordinal()


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(str(tmp_path / "store.db"))) as conn:
        yield conn


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Has this process live in another time zone."""

    def move(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    move("UTC")
    yield move
    monkeypatch.undo()
    time.tzset()


def sums(conn: sqlite3.Connection, first: int = 0, last: int = 1 << 30) -> list[tuple[str, str, int, int]]:
    return [
        (each.destination, each.service, each.attempts, each.blocked) for each in spoken(conn, first, last)
    ]


@pytest.mark.usefixtures("zone")
def test_attempts_count_by_name_group_and_service(conn: sqlite3.Connection) -> None:
    write(
        conn, record(name="a.example.com"), record(name="b.example.com"), record(accepted=False),
        record(name="", address="198.51.100.9", port=8883, service="tcp/8883"),
        record(PLUG, name="x.example.net"),
    )  # fmt: skip
    assert sum_up_days(conn, Match.CHAIN, NOON + 60) == 5
    assert sums(conn, TODAY, TODAY) == [
        ("example.net", "web", 1, 0),
        ("198.51.100.9", "tcp/8883", 1, 0),
        ("example.com", "web", 3, 1),
    ]
    assert [each.mac for each in spoken(conn, TODAY, TODAY)] == [PLUG, TV, TV]


@pytest.mark.usefixtures("zone")
def test_each_counts_once(conn: sqlite3.Connection) -> None:
    write(conn, record())
    assert [sum_up_days(conn, Match.CHAIN, NOON + each) for each in (1, 2, EVERY * 2)] == [1, 0, 0]
    write(conn, record())
    assert sum_up_days(conn, Match.CHAIN, NOON + EVERY * 2 + 1) == 0  # not yet
    assert sum_up_days(conn, Match.CHAIN, NOON + EVERY * 2 + 1, at_once=True) == 1
    assert sums(conn) == [("example.com", "web", 2, 0)]


@pytest.mark.usefixtures("zone")
def test_a_day_is_summed_once_somebody_looked_on_the_next(conn: sqlite3.Connection) -> None:
    today, yesterday = date(2026, 11, 21), date(2026, 11, 20)
    assert not is_summed(conn, yesterday)
    sum_up_days(conn, Match.CHAIN, NOON)
    assert (is_summed(conn, yesterday), is_summed(conn, today)) == (True, False)
    sum_up_days(conn, Match.CHAIN, NOON + 12 * HOUR)
    assert is_summed(conn, today)


def test_days_begin_at_midnight_where_the_router_is(
    conn: sqlite3.Connection, zone: Callable[[str], None]
) -> None:
    zone("Pacific/Auckland")  # 13 hours ahead
    write(conn, record(at=NOON - 2 * HOUR), record(at=NOON - HOUR + 1))
    sum_up_days(conn, Match.CHAIN, NOON)
    assert sums(conn, TODAY, TODAY) == [("example.com", "web", 1, 0)]
    assert sums(conn, TODAY + 1, TODAY + 1) == [("example.com", "web", 1, 0)]


def test_the_first_look_on_a_new_day_sums_what_is_left_of_the_old_one(
    conn: sqlite3.Connection, zone: Callable[[str], None]
) -> None:
    zone("UTC")
    midnight = NOON + 12 * HOUR
    write(conn, record(at=midnight - 90))
    sum_up_days(conn, Match.CHAIN, midnight - 60)
    write(conn, record(at=midnight - 30))
    assert sum_up_days(conn, Match.CHAIN, midnight + 1) == 1
    assert sums(conn, TODAY, TODAY) == [("example.com", "web", 2, 0)]


@pytest.mark.usefixtures("zone")
def test_nothing_is_summed_before_the_clock_is_right_and_nothing_is_lost(conn: sqlite3.Connection) -> None:
    write(conn, record(at=100.0), record(at=200.0))
    assert sum_up_days(conn, Match.CHAIN, 300.0, at_once=True) == 0
    write(conn, record(at=NOON), record(at=NOON + 400 * DAY))
    assert sum_up_days(conn, Match.CHAIN, NOON) == 4
    assert sums(conn, TODAY, TODAY) == sums(conn) == [("example.com", "web", 4, 0)]


@pytest.mark.usefixtures("zone")
def test_a_clock_that_is_set_back_stops_nothing(conn: sqlite3.Connection) -> None:
    write(conn, record(at=NOON + 30 * DAY))
    sum_up_days(conn, Match.CHAIN, NOON + 30 * DAY)
    write(conn, record(at=NOON))
    assert sum_up_days(conn, Match.CHAIN, NOON) == 1
    assert sums(conn, TODAY, TODAY) == [("example.com", "web", 1, 0)]


@pytest.mark.usefixtures("zone")
def test_what_is_kept_is_bounded(conn: sqlite3.Connection) -> None:
    device = 1
    write(conn, record())
    for day in range(40):
        add_to_days(conn, {Place(day, device, f"{day}.example", "web"): Tally(1, 0)})
    assert [each.destination for each in spoken(conn, 0, 100)] == sorted(
        f"{day}.example" for day in range(40 - MAX_DAYS, 40)
    )
    for start in (0, 400):
        add_to_days(conn, {Place(99, device, f"{start + n}.example", "web"): Tally(1, 0) for n in range(400)})
    assert len(spoken(conn, 99, 99)) == MAX_SERVICES
    add_to_days(conn, {Place(99, device, "3.example", "web"): Tally(5, 2)})
    assert ("3.example", "web", 6, 2) in sums(conn, 99, 99)
    for other in range(2, 60):
        add_to_days(
            conn, {Place(100, other, f"{n}.example", "web"): Tally(1, 0) for n in range(MAX_SERVICES)}
        )
    (rows,) = conn.execute("SELECT count(*) FROM days").fetchone()
    assert rows <= MAX_ROWS + MAX_SERVICES * 60


def test_a_day_is_the_local_one(zone: Callable[[str], None]) -> None:
    zone("America/Los_Angeles")
    assert day_of(NOON - 6 * HOUR) == date(2026, 11, 20)
