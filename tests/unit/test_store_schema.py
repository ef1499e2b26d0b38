# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables are made once, whoever comes first, and never by somebody who does not know them."""

import sqlite3
from multiprocessing import get_context
from pathlib import Path

import pytest

from smartrouter.core.errors import Unavailable
from smartrouter.store import open_writer
from smartrouter.store.schema import PAGE_SIZE, STEPS


def pragma(path: Path, name: str) -> object:
    conn = sqlite3.connect(path)
    try:
        return conn.execute(f"PRAGMA {name}").fetchone()[0]
    finally:
        conn.close()


def test_a_new_file_has_taken_every_step(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    open_writer(str(path)).close()
    assert pragma(path, "user_version") == len(STEPS)
    assert pragma(path, "journal_mode") == "wal"
    assert pragma(path, "page_size") == PAGE_SIZE
    assert pragma(path, "auto_vacuum") == 2  # incremental


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    open_writer(str(path)).close()
    before = path.read_bytes()
    open_writer(str(path)).close()
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    open_writer(str(path)).close()
    conn = sqlite3.connect(path)
    conn.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    conn.close()
    with pytest.raises(Unavailable, match="newer smartrouter"):
        open_writer(str(path))
    assert pragma(path, "user_version") == len(STEPS) + 1


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    conn = sqlite3.connect(path)
    conn.execute("CREATE TABLE recipes (name TEXT)")
    conn.close()
    before = path.read_bytes()
    with pytest.raises(Unavailable, match="another program"):
        open_writer(str(path))
    assert path.read_bytes() == before


def open_and_use(path: str) -> None:
    conn = open_writer(path)
    conn.execute("INSERT INTO words (word) VALUES (random())")
    conn.close()


def test_many_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    context = get_context("fork")
    for number in range(5):
        path = tmp_path / f"{number}.db"
        processes = [context.Process(target=open_and_use, args=(str(path),)) for _ in range(8)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(30)
        assert [process.exitcode for process in processes] == [0] * 8
        conn = open_writer(str(path))
        assert conn.execute("SELECT count(*) FROM words").fetchone() == (8,)
        conn.close()


def test_half_a_step_is_never_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    broken = (*STEPS, ("CREATE TABLE added (x)", "CREATE TABLE added (x)"))
    open_writer(str(path)).close()
    monkeypatch.setattr("smartrouter.store.schema.STEPS", broken)
    monkeypatch.setattr("smartrouter.store.connect.STEPS", broken)
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        open_writer(str(path))
    conn = sqlite3.connect(path)
    assert conn.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
    assert conn.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'added'").fetchone() == (0,)
    conn.close()


def test_a_person_can_read_attempts_in_the_shell(tmp_path: Path) -> None:
    conn = open_writer(str(tmp_path / "store.db"))
    columns = [column[1] for column in conn.execute("PRAGMA table_info(timeline)")]
    conn.close()
    assert {"at", "mac", "address", "service", "name", "evidence", "verdict", "reason"} <= set(columns)
