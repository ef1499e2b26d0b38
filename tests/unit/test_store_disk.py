# SPDX-License-Identifier: GPL-2.0-or-later
"""One batch after the other goes to the file, and what is in the way is told apart."""

import os
import sqlite3
from pathlib import Path

import pytest
from unit.made_effects import learn, raised, record

from smartrouter.core.effects import Effect
from smartrouter.core.errors import Unavailable
from smartrouter.store import open_writer
from smartrouter.store.disk import Disk
from smartrouter.store.pending import Batch, Pending, empty
from smartrouter.store.schema import STEPS


def batch(*effects: Effect) -> Batch:
    pending = Pending()
    for effect in effects:
        assert pending.add(effect)
    return pending.take()


def count(path: str, table: str) -> int:
    conn = open_writer(path)
    try:
        return int(conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        conn.close()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "store.db")


def test_after_trouble_the_next_batch_has_a_new_connection(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that found the file read-only never finds it otherwise."""
    monkeypatch.setattr("smartrouter.store.connect.WRITE_PATIENCE", 0.01)
    disk = Disk(path, None)
    disk.write(batch(learn()), durable=False)
    before = disk._conn
    other = open_writer(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        disk.write(batch(learn(name="later.example")), durable=False)
    other.execute("ROLLBACK")
    other.close()
    disk.write(batch(learn(name="later.example")), durable=False)
    assert disk._conn is not before
    disk.close()
    assert count(path, "learned") == 2


def test_a_batch_with_an_impossible_value_is_no_trouble(path: str) -> None:
    disk = Disk(path, None)
    disk.write(batch(record(), record(name="\ud800"), learn(), raised(destination="\udfff")), durable=True)
    disk.close()
    assert disk.refused == {"Record": 1, "Raise": 1}
    assert (count(path, "attempts"), count(path, "learned"), count(path, "alerts")) == (1, 1, 0)


def test_an_empty_batch_can_be_synced(path: str) -> None:
    disk = Disk(path, None)
    disk.write(empty(), durable=True)
    disk.close()
    assert count(path, "meta") == 1


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_what_is_to_be_durable_is_synced_by_sqlite_and_nothing_else_is(
    path: str, durable: bool, level: int
) -> None:
    """PRAGMA synchronous: 2 (FULL) syncs each commit, 1 (NORMAL) none in write-ahead mode."""
    disk = Disk(path, None)
    for before in (not durable, durable):
        disk.write(batch(learn(name=f"{before}.example")), durable=before)
    assert disk._conn is not None
    assert disk._conn.execute("PRAGMA synchronous").fetchone() == (level,)
    disk.close()


def test_a_file_that_was_replaced_is_connected_to_anew(path: str) -> None:
    disk = Disk(path, None)
    disk.write(batch(learn()), durable=False)
    open_writer(f"{path}.new").close()
    os.rename(f"{path}.new", path)
    disk.write(batch(learn(), learn(name="later.example")), durable=False)
    disk.close()
    assert count(path, "learned") == 2


def test_a_newer_store_that_takes_the_files_place_is_not_written(path: str) -> None:
    disk = Disk(path, None)
    disk.write(batch(learn()), durable=False)
    conn = open_writer(f"{path}.new")
    conn.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    conn.close()
    os.rename(f"{path}.new", path)
    with pytest.raises(Unavailable, match="newer"):
        disk.write(batch(learn()), durable=False)
    disk.close()
