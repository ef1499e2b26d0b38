# SPDX-License-Identifier: GPL-2.0-or-later
"""From effects to rows, and the bounds of what a hostile network can make grow."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.made_effects import NOON, PLUG, TV, alias, forget, keep, learn, raised, record, told

from smartrouter.core.effects import THE_ROUTER, Effect
from smartrouter.core.learning import State
from smartrouter.store import batch as rows
from smartrouter.store import open_writer
from smartrouter.store.alerts import alerts
from smartrouter.store.attempts import attempts_after, attempts_of
from smartrouter.store.pending import Pending
from smartrouter.store.queries import devices, totals
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


@pytest.mark.parametrize("count", [1, 19, 20, 21, 199, 200, 201, 443])
def test_however_many_come_they_stand_in_the_order_in_which_they_happened(
    conn: sqlite3.Connection, count: int
) -> None:
    write(conn, record(PLUG))
    write(conn, *(record((TV, PLUG)[n % 2], at=NOON + n, port=n) for n in range(count)))
    found = conn.execute("SELECT id, at, port FROM attempts ORDER BY id LIMIT -1 OFFSET 1").fetchall()
    assert found == [(n + 2, NOON + n, n) for n in range(count)]
    for mac, own in ((TV, (count + 1) // 2), (PLUG, count // 2 + 1)):
        assert len(attempts_of(conn, mac, 1000)) == own


def test_an_attempt_comes_back_as_it_was(conn: sqlite3.Connection) -> None:
    given = [record(), record(name="", accepted=False, port=0, service="icmp")]
    write(conn, *given)
    assert [tuple(found)[1:] for found in attempts_after(conn, 0, 9)] == [tuple(g.attempt) for g in given]
    assert one(conn, "SELECT typeof(accepted) FROM attempts") == "integer"


def test_blocked_attempts_are_counted(conn: sqlite3.Connection) -> None:
    write(conn, record(), record(accepted=False))
    write(conn, record(accepted=False))
    assert one(conn, "SELECT attempts, blocked FROM activity") == (3, 2)


def test_learning_again_keeps_when_it_began(conn: sqlite3.Connection) -> None:
    write(conn, learn(at=NOON, units=1))
    write(conn, learn(at=NOON + 60, units=2))
    assert one(conn, "SELECT units, learned_at, last_used FROM learned") == (2, NOON, NOON + 60)


def test_the_last_use_in_observed_time_is_kept_as_it_is_told(conn: sqlite3.Connection) -> None:
    write(conn, learn(used=7200.0))
    assert one(conn, "SELECT used FROM learned") == 7200.0
    write(conn, learn(used=90_000.0))
    assert one(conn, "SELECT used FROM learned") == 90_000.0


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
    write(conn, record(TV), learn(TV), keep(TV, State.PROTECTED), raised(THE_ROUTER))
    for n in range(50):
        write(conn, record(mac(n)), keep(mac(n)), learn(mac(n)), raised(mac(n)), told(mac(n)))
    assert len(devices(conn)) == totals(conn).devices == 10
    assert len(alerts(conn, mac=THE_ROUTER)) == 1, "the router's own row is no device, and stays"
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


def test_an_alias_is_one_row_with_when_it_was_seen_last(conn: sqlite3.Connection) -> None:
    write(conn, alias(at=NOON), alias(head="www.example.com", at=NOON))
    write(conn, alias(at=NOON + 60), alias(head="www.example.com", at=60.0))
    assert conn.execute("SELECT head, seen_at FROM aliases ORDER BY id").fetchall() == [
        ("api.example.com", NOON + 60),
        ("www.example.com", NOON),
    ]


def test_the_aliases_of_one_device_are_bounded_and_the_latest_seen_stay(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MAX_DEVICE_ALIASES", 3)
    write(conn, alias(PLUG, at=1.0), alias(target="kept.example", at=NOON + 99))
    for n in range(10):
        write(conn, alias(target=f"{n}.example", at=NOON + n))
    targets = "SELECT target FROM aliases WHERE device = (SELECT id FROM devices WHERE mac = ?) ORDER BY id"
    assert [name for (name,) in conn.execute(targets, (TV,))] == ["kept.example", "8.example", "9.example"]
    assert [name for (name,) in conn.execute(targets, (PLUG,))] == ["edge.cdn.example"]


def test_aliases_are_bounded_in_all(conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_ALIASES", 32)
    for n in range(100):
        write(conn, alias(mac(n), at=NOON + n))
        assert one(conn, "SELECT count(*) FROM aliases") <= 32  # type: ignore[operator]
    assert one(conn, "SELECT min(seen_at) FROM aliases") >= NOON + 68  # type: ignore[operator]
