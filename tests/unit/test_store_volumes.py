# SPDX-License-Identifier: GPL-2.0-or-later
"""What devices sent and received, in the store: summed, asked for, and let go of."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.made_effects import NOON, PLUG, TV, forget, record, write

from smartrouter.core.destinations import Destination
from smartrouter.core.effects import AddVolume, KeepUsual
from smartrouter.core.events import Moment
from smartrouter.core.uploads import Usual
from smartrouter.store.connect import open_writer
from smartrouter.store.pending import Pending
from smartrouter.store.retention import Limits, prune, used_bytes
from smartrouter.store.schema import STEPS
from smartrouter.store.volumes import HOUR, Sums, kept_since, lately_of, load_usual, volumes, volumes_of

CLOUD, OTHER = Destination("example.com", "web"), Destination("example.net", "udp/5000")
NOW = int(NOON // HOUR)


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_writer(str(tmp_path / "store.db"))
    yield connection
    connection.close()


def volume(
    out: int, back: int = 0, *, mac: str = TV, hour: int = NOW, destination: Destination = CLOUD
) -> AddVolume:
    return AddVolume(mac, hour, destination, out, back, 1, 2, 3)


def test_what_is_carried_adds_up(conn: sqlite3.Connection) -> None:
    write(conn, volume(10, 100), volume(5, 50), volume(7, hour=NOW - 1))
    write(conn, volume(1, 2), volume(1000, destination=OTHER))
    (small, large) = sorted(volumes_of(conn, TV, NOON), key=lambda each: each.total)
    assert small[:2] == CLOUD
    assert small.lately == Sums(16, 152, 3, 6, 9)
    assert small.total == Sums(23, 152, 4, 8, 12)
    assert large[:2] == OTHER


def test_of_one_batch_one_row_is_written() -> None:
    waiting = Pending()
    for _ in range(3):
        assert waiting.add(volume(2**40, 7))
    batch = waiting.take()
    assert list(batch.volumes.values()) == [AddVolume(TV, NOW, CLOUD, 3 * 2**40, 21, 3, 6, 9)]
    assert not batch.is_state()
    assert batch.counts() == {"AddVolume": 1}


def test_the_largest_of_lately_comes_first(conn: sqlite3.Connection) -> None:
    write(conn, volume(10**9, hour=NOW - 48), volume(5, destination=OTHER))
    assert [each.destination for each in volumes_of(conn, TV, NOON - 86400)] == ["example.net", "example.com"]
    assert [each.destination for each in volumes_of(conn, TV, 0.0)] == ["example.com", "example.net"]


def test_of_lately_alone_is_what_lately_was_carried(conn: sqlite3.Connection) -> None:
    write(conn, volume(10, 100), volume(7, hour=NOW - 1), volume(1000, hour=NOW - 30), volume(9, mac=PLUG))
    write(conn, volume(3, destination=OTHER))
    lately = {each[:2]: each.lately for each in volumes_of(conn, TV, NOON - HOUR)}
    assert lately_of(conn, TV, NOON - HOUR) == lately
    assert lately[CLOUD].bytes_out == 17
    assert lately_of(conn, TV, NOON + HOUR) == {}


def test_each_device_has_its_own(conn: sqlite3.Connection) -> None:
    write(conn, volume(10), volume(20, mac=PLUG), volume(40, mac=PLUG, hour=NOW - 30))
    assert {mac: sums.bytes_out for mac, sums in volumes(conn).items()} == {TV: 10, PLUG: 60}
    assert volumes(conn, NOON, NOON + HOUR)[PLUG].bytes_out == 20
    assert volumes(conn, NOON + HOUR) == {}
    assert volumes_of(conn, "00:00:00:00:00:99", 0.0) == []
    assert kept_since(conn) == (NOW - 30) * HOUR


def test_an_empty_store_has_nothing(conn: sqlite3.Connection) -> None:
    assert (volumes(conn), kept_since(conn), load_usual(conn)) == ({}, None, {})


def test_what_is_usual_is_kept_and_forgotten(conn: sqlite3.Connection) -> None:
    write(conn, KeepUsual(TV, CLOUD, Usual(1, 50)), KeepUsual(TV, OTHER, Usual(4, 7)))
    write(conn, KeepUsual(TV, CLOUD, Usual(2, 90)))
    assert load_usual(conn) == {TV: {CLOUD: Usual(2, 90), OTHER: Usual(4, 7)}}
    write(conn, forget(TV, "example.com"))
    assert load_usual(conn) == {TV: {OTHER: Usual(4, 7)}}


def test_what_waits_is_bounded() -> None:
    waiting = Pending(max_keys=2)
    taken = [waiting.add(volume(1, hour=NOW + at)) for at in range(4)]
    assert taken == [True, True, False, False]
    assert waiting.add(volume(1))
    assert waiting.dropped == {"AddVolume": 2}


def test_sums_go_after_a_while(conn: sqlite3.Connection) -> None:
    now = Moment(10**6, NOON)
    write(conn, volume(1, hour=NOW - 24 * 91), volume(2, hour=NOW - 24 * 89), volume(3))
    pruned = prune(conn, now, Limits())
    assert pruned.volumes == 1
    assert volumes(conn)[TV].bytes_out == 5


def test_sums_go_when_room_is_short_before_attempts_do(conn: sqlite3.Connection) -> None:
    many = [volume(1, hour=NOW - at, destination=Destination(f"{at}.example", "web")) for at in range(3000)]
    write(conn, record(), *many)
    size = used_bytes(conn)
    prune(conn, Moment(10**6, NOON), Limits(max_size=size))
    (rows,) = conn.execute("SELECT count(*) FROM volumes").fetchone()
    assert 0 < rows < 3000
    assert used_bytes(conn) < size
    assert kept_since(conn) == (NOW - rows + 1) * HOUR  # the oldest went
    assert conn.execute("SELECT count(*) FROM attempts").fetchone() == (1,)


def test_an_earlier_store_gets_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = STEPS[: next(number for number, step in enumerate(STEPS) if "TABLE volumes" in step[0])]
    path = str(tmp_path / "store.db")
    with monkeypatch.context() as patched:
        patched.setattr("smartrouter.store.schema.STEPS", before)
        patched.setattr("smartrouter.store.connect.STEPS", before)
        open_writer(path).close()
    conn = open_writer(path)
    write(conn, volume(10))
    assert volumes(conn)[TV].bytes_out == 10
    conn.close()
