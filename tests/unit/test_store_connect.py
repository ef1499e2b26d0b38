# SPDX-License-Identifier: GPL-2.0-or-later
"""Who can read when, and what becomes of a file that is damaged."""

import os
import sqlite3
from pathlib import Path

import pytest

from smartrouter.core.errors import Unavailable
from smartrouter.store import open_reader, open_writer
from smartrouter.store.connect import identity, is_damage, prepare, set_aside


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = str(tmp_path / "store.db")
    conn = open_writer(path)
    conn.execute("INSERT INTO meta VALUES ('kept', 'yes')")
    conn.close()
    return path


def fill(path: str, rows: int) -> None:
    conn = open_writer(path)
    conn.execute("BEGIN")
    conn.executemany("INSERT INTO words (word) VALUES (?)", ((f"{n:0100d}",) for n in range(rows)))
    conn.execute("COMMIT")
    conn.close()


def kept(conn: sqlite3.Connection) -> bool:
    return conn.execute("SELECT value FROM meta WHERE key = 'kept'").fetchall() == [("yes",)]


def test_a_reader_reads_beside_a_writer_and_after_it(path: str) -> None:
    writer = open_writer(path)
    reader = open_reader(path)
    assert kept(reader)
    writer.execute("INSERT INTO meta VALUES ('later', 'too')")
    assert reader.execute("SELECT count(*) FROM meta").fetchone() == (2,)
    reader.close()
    writer.close()
    reader = open_reader(path)
    assert kept(reader)
    reader.close()


def test_a_reader_cannot_write(path: str) -> None:
    reader = open_reader(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("INSERT INTO meta VALUES ('a', 'b')")
    reader.close()


def test_a_reader_does_not_wait_for_a_writer(path: str) -> None:
    writer, reader = open_writer(path), open_reader(path)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM meta")
    assert kept(reader)  # if it waited, it would give up
    writer.execute("ROLLBACK")
    writer.close()
    reader.close()


def test_a_reader_is_told_what_to_do_where_there_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="is smartrouter running"):
        open_reader(str(tmp_path / "store.db"))


def test_a_reader_is_told_what_to_do_where_there_are_no_tables_yet(tmp_path: Path) -> None:
    (tmp_path / "store.db").touch()
    with pytest.raises(Unavailable, match="restart smartrouter"):
        open_reader(str(tmp_path / "store.db"))


@pytest.mark.parametrize("name", ["with space", "50%20", "qu?stion", "ha#h", "ünï"])
def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "store.db"
    path.parent.mkdir()
    open_writer(str(path)).close()
    open_reader(str(path)).close()
    assert path.stat().st_size > 0


def test_the_files_are_the_groups_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        conn = open_writer(str(tmp_path / "store.db"))
        modes = {entry.name: entry.stat().st_mode & 0o777 for entry in tmp_path.iterdir()}
        conn.close()
    finally:
        os.umask(before)
    assert modes == {"store.db": 0o660, "store.db-wal": 0o660, "store.db-shm": 0o660}


def test_a_good_file_is_left_where_it_is(path: str) -> None:
    assert prepare(path) is None
    reader = open_reader(path)
    assert kept(reader)
    reader.close()


def garbage(path: str) -> None:
    Path(path).write_bytes(b"this is not a database, but long enough to look like something " * 100)


def zeros(path: str) -> None:
    Path(path).write_bytes(bytes(20_000))


def cut(path: str) -> None:
    fill(path, 500)
    os.truncate(path, os.path.getsize(path) // 2)


def scribbled(path: str) -> None:
    fill(path, 500)
    with open(path, "r+b") as file:
        file.seek(3 * 1024)
        file.write(os.urandom(20 * 1024))


def one_page(path: str) -> None:
    fill(path, 500)
    conn = sqlite3.connect(path)
    root = conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'words'").fetchone()[0]
    conn.close()
    with open(path, "r+b") as file:
        file.seek((root - 1) * 1024)
        file.write(b"\xff" * 1024)


@pytest.mark.parametrize("damage", [garbage, zeros, cut, scribbled, one_page])
def test_a_damaged_file_is_set_aside_and_a_new_one_is_made(path: str, damage: object) -> None:
    assert callable(damage)
    damage(path)
    broken = Path(path).read_bytes()
    aside = prepare(path)
    assert aside is not None
    assert aside.startswith(f"{path}.corrupt-")
    assert Path(aside).read_bytes() == broken
    conn = open_writer(path)
    assert conn.execute("SELECT count(*) FROM meta").fetchone() == (0,)
    conn.close()
    assert prepare(path) is None


def test_only_the_latest_damaged_files_are_kept(path: str) -> None:
    for _ in range(5):
        garbage(path)
        assert prepare(path)
    directory = Path(path).parent
    assert len([entry for entry in directory.iterdir() if ".corrupt-" in entry.name]) == 2


def test_a_file_that_was_replaced_meanwhile_is_not_set_aside(path: str) -> None:
    found = identity(path)
    other = f"{path}.new"
    open_writer(other).close()
    os.rename(other, path)
    assert set_aside(path, found) is None
    assert identity(path) is not None


def test_a_file_that_cannot_be_opened_is_not_damaged(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError) as caught:
        prepare(str(tmp_path / "missing" / "store.db"))
    assert not is_damage(caught.value)
