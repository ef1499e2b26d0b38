# SPDX-License-Identifier: GPL-2.0-or-later
"""What attempts have in common is stored once, goes with them, and is never anybody else's."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
from unit.made_effects import NOON, PLUG, TV, record

from smartrouter.store import batch, open_writer
from smartrouter.store.attempts import attempts_after
from smartrouter.store.disk import Disk
from smartrouter.store.pending import Batch, Pending, empty
from smartrouter.store.retention import drop_attempts
from smartrouter.store.sorts import BLOCK_BITS, MAX_SORTS, SPAN, Sorts, drop_unused
from smartrouter.store.transaction import transaction

BLOCK = 1 << BLOCK_BITS


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(str(tmp_path / "store.db"))) as conn:
        yield conn


def made(*macs: str, times: int = 1, name: str = "a.example", at: float = NOON) -> Batch:
    pending = Pending(1_000_000)
    for mac in macs:
        for n in range(times):
            assert pending.add(record(mac, at=at + n, name=name))
    return pending.take()


def write(conn: sqlite3.Connection, what: Batch, sorts: Sorts) -> None:
    with transaction(conn):
        batch.write(conn, what, NOON, sorts=sorts)


def count(conn: sqlite3.Connection) -> int:
    found: int = conn.execute("SELECT count(*) FROM sorts").fetchone()[0]
    return found


def test_attempts_that_are_alike_share_a_row_over_several_batches(conn: sqlite3.Connection) -> None:
    sorts = Sorts()
    for _ in range(3):
        write(conn, made(TV, PLUG, times=10), sorts)
    assert count(conn) == 2
    found = attempts_after(conn, 0, 100)
    assert [each.mac for each in found] == 3 * (10 * [TV] + 10 * [PLUG])
    assert {each.name for each in found} == {"a.example"}


def test_a_row_serves_so_many_blocks_and_no_more(conn: sqlite3.Connection) -> None:
    sorts = Sorts()
    for _ in range(2 * SPAN):
        write(conn, made(TV, times=BLOCK), sorts)
    rows = conn.execute("SELECT min(id) / ?, max(id) / ? FROM tries GROUP BY sort", (BLOCK, BLOCK)).fetchall()
    assert rows == [(0, SPAN), (SPAN, 2 * SPAN)]
    assert [block for (block,) in conn.execute("SELECT block FROM sorts")] == [0, SPAN]
    left = conn.execute("SELECT count(*) FROM tries").fetchone()[0]
    drop_attempts(conn, left - 2)  # what is left is of the last block
    assert count(conn) == 1
    assert [each.name for each in attempts_after(conn, 0, 10)] == 2 * ["a.example"]


def test_where_each_attempt_is_of_its_own_sort_their_rows_go_with_them(conn: sqlite3.Connection) -> None:
    sorts = Sorts()
    for number in range(20):
        several = [made(TV, name=f"{number}-{each}.example").attempts[0] for each in range(1000)]
        write(conn, empty()._replace(attempts=several), sorts)
    drop_attempts(conn, 3 * BLOCK)
    assert count(conn) < 20_000 - 2 * BLOCK + 1000 + MAX_SORTS


def test_a_device_that_was_forgotten_and_came_back_has_a_row_of_its_own(conn: sqlite3.Connection) -> None:
    sorts = Sorts()
    write(conn, made(TV), sorts)
    conn.execute("DELETE FROM devices")
    write(conn, made(TV), sorts)
    assert [each.mac for each in attempts_after(conn, 0, 10)] == ["", TV]


def test_rows_go_with_the_attempts_of_their_block_and_no_other_is_lost(conn: sqlite3.Connection) -> None:
    sorts = Sorts()
    for number in range(6):  # each ends in the middle of a block, the last one in the sixth
        sorts.forget()  # a generation each
        write(conn, made(TV, times=BLOCK * 9 // 10, name=f"{number}.example", at=NOON + number), sorts)
    names = [each.name for each in attempts_after(conn, 0, 10 * BLOCK)]
    before = count(conn)
    assert drop_unused(conn) == 0
    for kept in (4, 2, 1):
        left = conn.execute("SELECT count(*) FROM tries").fetchone()[0]
        drop_attempts(conn, left - kept * BLOCK)
        assert [each.name for each in attempts_after(conn, 0, 10 * BLOCK)] == names[-kept * BLOCK :]
    assert count(conn) < before


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, None], ids=["disk full", "a value of ours"])
def test_what_was_rolled_back_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None
) -> None:
    disk = Disk(str(tmp_path / "store.db"), None)
    disk.prepare()
    write_names = batch._write_names

    def fail(*_: object) -> None:
        error = sqlite3.OperationalError("made up")
        if code is not None:
            error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr(batch, "_write_names", fail)
    with pytest.raises(sqlite3.OperationalError) if code else nullcontext():
        disk.write(made(TV), durable=False)
    monkeypatch.setattr(batch, "_write_names", write_names)
    disk.write(made(TV, PLUG), durable=False)
    disk.write(made(PLUG), durable=False)
    disk.close()
    with closing(sqlite3.connect(tmp_path / "store.db")) as conn:
        assert [each.mac for each in attempts_after(conn, 0, 10)] == [TV, PLUG, PLUG]
        assert count(conn) == 2
