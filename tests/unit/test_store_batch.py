# SPDX-License-Identifier: GPL-2.0-or-later
"""From effects to rows, and the bounds of what a hostile network can make grow."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.made_effects import NOON, PLUG, TV, forget, keep, learn, raised, record, told

from smartrouter.core.effects import Effect, Kind
from smartrouter.core.learning import State
from smartrouter.store import batch as rows
from smartrouter.store import open_writer
from smartrouter.store.pending import MAX_TARGETS, Pending
from smartrouter.store.transaction import transaction


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    conn = open_writer(str(tmp_path / "store.db"))
    yield conn
    conn.close()


def write(conn: sqlite3.Connection, *effects: Effect) -> None:
    pending = Pending(10_000_000, 10_000_000)
    for effect in effects:
        assert pending.add(effect)
    with transaction(conn):
        rows.write(conn, pending.take(), NOON)


def one(conn: sqlite3.Connection, sql: str, *values: object) -> object:
    row = conn.execute(sql, values).fetchone()
    return row[0] if row is not None and len(row) == 1 else row


def mac(number: int) -> str:
    return f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"


def test_each_attempt_points_at_its_devices_attempt_before_it(conn: sqlite3.Connection) -> None:
    write(conn, record(TV), record(PLUG), record(TV))
    write(conn, record(PLUG), record(TV))
    assert conn.execute("SELECT id, previous FROM attempts").fetchall() == [
        (1, None), (2, None), (3, 1), (4, 2), (5, 3),
    ]  # fmt: skip
    assert conn.execute("SELECT last, attempts FROM activity ORDER BY last").fetchall() == [(4, 2), (5, 3)]


def test_blocked_attempts_are_counted(conn: sqlite3.Connection) -> None:
    write(conn, record(), record(accepted=False))
    write(conn, record(accepted=False))
    assert one(conn, "SELECT attempts, blocked FROM activity") == (3, 2)


def test_a_hundred_occurrences_are_one_alert(conn: sqlite3.Connection) -> None:
    for n in range(100):
        write(conn, raised(at=NOON + n, blocked=n < 10))
    assert one(conn, "SELECT count, blocked, first, last, state FROM alerts") == (
        100, 10, NOON, NOON + 99, "open",
    )  # fmt: skip
    assert one(conn, "SELECT count FROM alert_addresses") == 100


@pytest.mark.parametrize(
    "other",
    [
        raised(PLUG),
        raised(destination="example.org"),
        raised(service="tcp/23"),
        raised(kind=Kind.FOREIGN_RESOLVER),
    ],
)
def test_another_key_is_another_alert(conn: sqlite3.Connection, other: Effect) -> None:
    write(conn, raised(), other)
    assert one(conn, "SELECT count(*) FROM alerts") == 2


@pytest.mark.parametrize(("state", "alerts"), [("open", 1), ("dismissed", 1), ("allowed", 2), ("denied", 2)])
def test_a_decided_alert_gathers_no_more(conn: sqlite3.Connection, state: str, alerts: int) -> None:
    write(conn, raised())
    conn.execute("UPDATE alerts SET state = ?", (state,))
    write(conn, raised())
    write(conn, raised())
    assert one(conn, "SELECT count(*) FROM alerts") == alerts
    assert one(conn, "SELECT sum(count) FROM alerts") == 3


def test_the_addresses_of_an_alert_are_bounded_over_all_batches(conn: sqlite3.Connection) -> None:
    for n in range(100):
        write(conn, raised(address=f"203.0.113.{n}"), raised(address="203.0.113.0"))
    assert one(conn, "SELECT count(*) FROM alert_addresses") == MAX_TARGETS
    assert one(conn, "SELECT count FROM alert_addresses WHERE address = '203.0.113.0'") == 101
    assert one(conn, "SELECT count FROM alerts") == 200


def test_learning_again_keeps_when_it_began(conn: sqlite3.Connection) -> None:
    write(conn, learn(at=NOON, units=1))
    write(conn, learn(at=NOON + 60, units=2))
    assert one(conn, "SELECT units, learned_at, last_used FROM learned") == (2, NOON, NOON + 60)


def test_a_clock_that_was_set_back_makes_nothing_look_unused(conn: sqlite3.Connection) -> None:
    write(conn, learn(at=NOON), told(at=NOON), raised(at=NOON))
    write(conn, learn(at=60.0), told(at=60.0), raised(at=60.0))
    assert one(conn, "SELECT last_used FROM learned") == NOON
    assert one(conn, "SELECT told_at FROM names") == NOON
    assert one(conn, "SELECT last FROM alerts") == NOON


def test_forgetting_takes_only_what_is_named(conn: sqlite3.Connection) -> None:
    write(conn, learn(), learn(service="tcp/8883"), learn(PLUG), learn(name="other.example"))
    write(conn, forget())
    assert conn.execute("SELECT name, service FROM learned ORDER BY 1, 2").fetchall() == [
        ("example.com", "tcp/8883"), ("example.com", "web"), ("other.example", "web"),
    ]  # fmt: skip


def test_a_failed_batch_leaves_nothing(conn: sqlite3.Connection) -> None:
    with pytest.raises(UnicodeEncodeError):
        write(conn, record(), learn(), raised(name="\ud800"))
    for table in ("devices", "attempts", "learned", "alerts"):
        assert one(conn, f"SELECT count(*) FROM {table}") == 0


def test_random_macs_do_not_push_out_a_protected_device(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MAX_DEVICES", 10)
    write(conn, record(TV), learn(TV), keep(TV, State.PROTECTED))
    for n in range(50):
        write(conn, record(mac(n)), keep(mac(n)), learn(mac(n)), raised(mac(n)), told(mac(n)))
    assert one(conn, "SELECT count(*) FROM devices") == 10
    assert one(conn, "SELECT count(*) FROM devices WHERE mac = ?", TV) == 1
    assert one(conn, "SELECT count(*) FROM devices WHERE mac = ?", mac(49)) == 1
    for table in ("learned", "progress", "activity"):
        assert one(conn, f"SELECT count(*) FROM {table}") == 10
    assert one(conn, "SELECT count(*) FROM names") == 9


def test_a_device_that_came_again_is_a_new_one(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MAX_DEVICES", 1)
    write(conn, record(TV))
    write(conn, record(PLUG))
    write(conn, record(TV))
    assert one(conn, "SELECT id, mac FROM devices") == (3, TV)
    assert conn.execute("SELECT device, previous FROM attempts").fetchall() == [
        (1, None),
        (2, None),
        (3, None),
    ]


def test_the_alerts_of_one_device_are_bounded(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MAX_DEVICE_ALERTS", 10)
    write(conn, raised(PLUG))
    for n in range(30):
        write(conn, raised(destination=f"{n}.example", at=NOON + n))
    kept = [name for (name,) in conn.execute("SELECT destination FROM alerts ORDER BY id")]
    assert kept == ["example.net", *(f"{n}.example" for n in range(20, 30))]


def test_decided_alerts_go_before_open_ones(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MAX_ALERTS", 3)
    write(conn, raised(destination="a.example", at=NOON))
    write(conn, raised(destination="b.example", at=NOON + 1))
    conn.execute("UPDATE alerts SET state = 'allowed' WHERE destination = 'b.example'")
    write(conn, raised(destination="c.example"), raised(destination="d.example"))
    kept = {name for (name,) in conn.execute("SELECT destination FROM alerts")}
    assert kept == {"a.example", "c.example", "d.example"}


def test_what_a_device_learns_is_bounded_and_a_flood_goes_first(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MAX_LEARNED", 5)
    write(conn, learn(units=4), learn(PLUG))
    write(conn, *(learn(name=f"{n}.example", at=NOON + n) for n in range(50)))
    kept = [name for (name,) in conn.execute("SELECT name FROM learned WHERE device = 1")]
    assert kept == ["0.example", "1.example", "2.example", "3.example", "example.com"]
    assert one(conn, "SELECT count(*) FROM learned WHERE device = 2") == 1


def test_names_are_bounded_and_the_newest_stay(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MAX_NAMES", 10)
    for n in range(30):
        write(conn, told(name=f"{n}.example"))
    assert [name for (name,) in conn.execute("SELECT name FROM names")] == [
        f"{n}.example" for n in range(20, 30)
    ]
