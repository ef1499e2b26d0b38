# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets behind alerts, stored: with their alert and no longer, and never more than there is room for."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.made_effects import NOON, PLUG, TV, raised, write

from smartrouter.core.effects import Kind, Raise, Withdraw
from smartrouter.core.events import Moment
from smartrouter.store import batch, open_writer
from smartrouter.store.alerts import AlertState, alerts, set_alert_state
from smartrouter.store.exhibits import (
    BUDGET,
    MAX_OF_SCAN,
    MAX_PACKET,
    MAX_PACKETS,
    Attach,
    Exhibit,
    Role,
    budget,
    exhibits_of,
)
from smartrouter.store.pending import MAX_EXHIBITS, Pending
from smartrouter.store.retention import Limits, prune
from smartrouter.store.schema import STEPS
from smartrouter.store.transaction import transaction
from smartrouter.store.writer import Writer


def packet(number: int = 0, size: int = 60) -> Exhibit:
    return Exhibit(Role.FIRST, NOON + number, True, bytes((number % 256,)) * size)


def attach(effect: Raise, *exhibits: Exhibit) -> Attach:
    return Attach(effect.alert.key, exhibits)


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(open_writer(str(tmp_path / "store.db"))) as conn:
        yield conn


def numbers(conn: sqlite3.Connection) -> list[int]:
    return sorted(alert.id for alert in alerts(conn))


def test_they_come_back_as_they_were(conn: sqlite3.Connection) -> None:
    kept = (Exhibit(Role.REPLY, NOON - 1, False, bytes(range(200))), packet(1))
    write(conn, raised(), attach(raised(), *kept))
    assert exhibits_of(conn, 1) == list(kept)
    assert exhibits_of(conn, 2) == []


def test_what_comes_later_joins_the_alert_and_goes_with_it(conn: sqlite3.Connection) -> None:
    write(conn, raised(), attach(raised(), packet(1)))
    write(conn, attach(raised(), packet(2)))
    assert exhibits_of(conn, 1) == [packet(1), packet(2)]
    conn.execute("DELETE FROM alerts WHERE id = 1")
    assert conn.execute("SELECT count(*) FROM exhibits").fetchone() == (0,)


def test_an_alert_that_gathers_nothing_more_takes_none(conn: sqlite3.Connection) -> None:
    write(conn, attach(raised(), packet(1)))
    write(conn, raised(), attach(raised(), packet(1)))
    set_alert_state(conn, 1, AlertState.ALLOWED)
    write(conn, attach(raised(), packet(2)))
    assert exhibits_of(conn, 1) == [packet(1)]
    write(conn, raised(), attach(raised(), packet(3)))
    assert exhibits_of(conn, 2) == [packet(3)]


def test_a_scan_has_its_own(conn: sqlite3.Connection) -> None:
    scan = raised(kind=Kind.SCAN, destination="", service="")
    key = raised().alert
    write(conn, raised(), attach(raised(), packet(1)))
    gone = Withdraw(key.mac, key.kind, key.destination, key.service)
    write(conn, gone, scan, scan, attach(scan, packet(1)), attach(scan, packet(2)))
    assert exhibits_of(conn, 2) == [packet(1), packet(2)]


@pytest.mark.parametrize(("kind", "most"), [(Kind.NEW_DESTINATION, MAX_PACKETS), (Kind.SCAN, MAX_OF_SCAN)])
def test_of_one_alert_there_are_a_few(conn: sqlite3.Connection, kind: Kind, most: int) -> None:
    effect = raised(kind=kind)
    write(conn, effect, *(attach(effect, packet(number)) for number in range(most // 2)))
    write(conn, *(attach(effect, packet(number)) for number in range(most // 2, 3 * most)))
    assert exhibits_of(conn, 1) == [packet(number) for number in range(most)]


def test_of_all_together_the_oldest_go(conn: sqlite3.Connection) -> None:
    room = 100_000
    for number in range(200):
        effect = raised(destination=f"{number}.example")
        pending = Pending()
        pending.add_all([effect, attach(effect, packet(number, MAX_PACKET))])
        with transaction(conn):
            batch.write(conn, pending.take(), NOON, room)
        kept = conn.execute("SELECT coalesce(sum(length(packet)), 0) FROM exhibits").fetchone()[0]
        assert kept <= room
    assert kept > room - 2 * MAX_PACKET
    assert exhibits_of(conn, 200) == [packet(199, MAX_PACKET)]
    assert exhibits_of(conn, 1) == []


def test_their_room_is_a_part_of_the_whole() -> None:
    assert budget(None) == BUDGET
    assert budget(16 << 20) == 1 << 20
    assert budget(1 << 40) == BUDGET


def test_a_small_store_stays_small_under_a_flood_of_alerts(tmp_path: Path) -> None:
    path, size = str(tmp_path / "store.db"), 4 << 20
    store = Writer(path, size, every=3600.0)
    for number in range(1000):
        effect = raised(PLUG if number % 2 else TV, destination=f"{number}.example")
        store.put_all([effect, *(attach(effect, packet(at, MAX_PACKET)) for at in range(MAX_PACKETS))])
        if number % 20 == 19:
            assert store.flush(10.0)
    assert store.close()
    assert store.counters()["dropped"] == {}
    assert os.path.getsize(path) < size / 2


def test_what_waits_is_bounded_and_the_rest_is_counted() -> None:
    pending = Pending()
    for number in range(400):
        effect = raised(destination=f"{number}.example")
        pending.add_all([effect, attach(effect, packet(number, MAX_PACKET))])
    waiting = sum(len(each.packet) for kept in pending.take().exhibits.values() for each in kept)
    assert MAX_EXHIBITS - MAX_PACKET < waiting <= MAX_EXHIBITS
    assert pending.dropped["Attach"] == 400 - waiting // MAX_PACKET
    assert pending.put["Raise"] == 400
    assert pending.add(attach(raised(), packet(1)))  # there is room again
    pending.close()
    assert not pending.add(attach(raised(), packet(1)))


def test_what_no_store_can_hold_costs_no_alert(tmp_path: Path) -> None:
    store = Writer(str(tmp_path / "store.db"), every=3600.0)
    wrong = Exhibit(Role.FIRST, NOON, True, object())  # type: ignore[arg-type]
    store.put_all([raised(), attach(raised(), packet(1))])
    store.put(Attach(raised().alert.key, (wrong,)))
    assert store.flush(20.0)
    store.close()
    assert store.counters()["dropped"] == {"Attach": 1}
    with contextlib.closing(open_writer(str(tmp_path / "store.db"))) as conn:
        assert exhibits_of(conn, 1) == [packet(1)]


def test_they_are_kept_as_long_as_their_alert(conn: sqlite3.Connection) -> None:
    write(conn, raised(), attach(raised(), packet(1)))
    day = 86400.0
    for days in range(200):
        prune(conn, Moment(days * day, NOON + days * day), Limits())
        assert bool(exhibits_of(conn, 1)) is bool(numbers(conn))
    assert numbers(conn) == []


def test_an_earlier_store_gets_the_table_and_keeps_its_alerts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "store.db")
    before = STEPS[: next(n for n, step in enumerate(STEPS) if "TABLE exhibits" in step[0])]
    with monkeypatch.context() as patched:
        patched.setattr("smartrouter.store.schema.STEPS", before)
        patched.setattr("smartrouter.store.connect.STEPS", before)
        with contextlib.closing(open_writer(path)) as conn:
            write(conn, raised())
    with contextlib.closing(open_writer(path)) as conn:
        assert numbers(conn) == [1]
        assert exhibits_of(conn, 1) == []
        write(conn, attach(raised(), packet(1)))
        assert exhibits_of(conn, 1) == [packet(1)]
