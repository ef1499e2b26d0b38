# SPDX-License-Identifier: GPL-2.0-or-later
"""A device's timeline, and what is new since somebody last looked."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.made_effects import NOON, PLUG, TV, record

from smartrouter.core.effects import Record, another_of
from smartrouter.store import batch, open_writer
from smartrouter.store.attempts import attempts_after, attempts_of
from smartrouter.store.pending import empty
from smartrouter.store.retention import drop_attempts
from smartrouter.store.transaction import transaction


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    conn = open_writer(str(tmp_path / "store.db"))
    yield conn
    conn.close()


def write(conn: sqlite3.Connection, *records: Record) -> None:
    with transaction(conn):
        batch.write(conn, empty()._replace(attempts=[another_of(each.attempt) for each in records]), NOON)


def test_an_attempt_comes_back_as_it_was(conn: sqlite3.Connection) -> None:
    given = record(accepted=False, port=8883, service="tcp/8883").attempt
    write(conn, record(), record(PLUG), record(accepted=False, port=8883, service="tcp/8883"))
    stored = attempts_of(conn, TV, 1)[0]
    assert stored._asdict() == {"id": 3, **given._asdict()}
    assert type(stored.accepted) is bool


def test_a_devices_timeline_is_its_own_newest_first(conn: sqlite3.Connection) -> None:
    for n in range(10):
        write(conn, record(TV, at=NOON + n), record(PLUG, at=NOON + n))
    assert [attempt.at - NOON for attempt in attempts_of(conn, TV, 4)] == [9, 8, 7, 6]
    assert {attempt.mac for attempt in attempts_of(conn, TV, 100)} == {TV}
    assert len(attempts_of(conn, TV, 100)) == 10


def test_a_timeline_can_be_turned_over_page_by_page(conn: sqlite3.Connection) -> None:
    write(conn, *(record((TV, PLUG)[n % 2], at=NOON + n) for n in range(20)))
    seen: list[float] = []
    before = None
    while page := attempts_of(conn, TV, 3, before):
        seen += [attempt.at - NOON for attempt in page]
        before = page[-1].id
    assert seen == [18, 16, 14, 12, 10, 8, 6, 4, 2, 0]


def test_a_timeline_ends_where_retention_was(conn: sqlite3.Connection) -> None:
    write(conn, *(record((TV, PLUG)[n % 2], at=NOON + n) for n in range(20)))
    drop_attempts(conn, 11)
    assert [attempt.at - NOON for attempt in attempts_of(conn, TV, 100)] == [18, 16, 14, 12]
    drop_attempts(conn, 100)
    assert attempts_of(conn, TV, 100) == []
    assert [attempt.at - NOON for attempt in attempts_of(conn, PLUG, 100)] == [19]


def test_an_unknown_device_has_no_timeline(conn: sqlite3.Connection) -> None:
    write(conn, record())
    assert attempts_of(conn, PLUG, 10) == []


def test_a_cursor_never_misses_nor_repeats(conn: sqlite3.Connection) -> None:
    cursor, seen = 0, []
    for n in range(30):
        write(conn, record(at=NOON + n))
        if n % 7 == 6:
            for attempt in attempts_after(conn, cursor, 1000):
                seen.append(attempt.at - NOON)
                cursor = attempt.id
            drop_attempts(conn, 1000)
    assert seen == list(range(28))


def test_the_attempts_of_a_device_that_is_gone_can_still_be_read(conn: sqlite3.Connection) -> None:
    write(conn, record(TV), record(PLUG))
    conn.execute("DELETE FROM devices WHERE mac = ?", (TV,))
    assert [attempt.mac for attempt in attempts_after(conn, 0, 10)] == ["", PLUG]


def test_the_view_for_people_spells_it_out(conn: sqlite3.Connection) -> None:
    write(conn, record(accepted=False))
    row = conn.execute("SELECT mac, name, evidence, scope, verdict, reason FROM timeline").fetchone()
    assert row == (TV, "api.example.com", "dns", "outside", "blocked", "unknown-name")
