# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables are made once, whoever comes first, and never by somebody who does not know them."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from unit.made_effects import PLUG, TV

from smartrouter.core.destinations import Destination
from smartrouter.core.errors import Unavailable
from smartrouter.core.learning import Progress, Seen, State
from smartrouter.store import open_reader, open_writer
from smartrouter.store.alerts import alerts
from smartrouter.store.queries import load_state
from smartrouter.store.schema import APPLICATION_ID, PAGE_SIZE, STEPS
from smartrouter.store.transaction import transaction


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


OPEN_AND_USE = """if True:
    import sys
    from smartrouter.store.connect import open_writer

    print("ready", flush=True)
    for path in sys.stdin:
        conn = open_writer(path.strip())
        conn.execute("INSERT INTO words (word) VALUES (random())")
        conn.close()
        print("done", flush=True)
"""


def test_many_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN_AND_USE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(8)
    ]
    assert {said(process) for process in processes} == {"ready"}
    for number in range(5):
        path = tmp_path / f"{number}.db"
        for process in processes:
            assert process.stdin is not None
            print(path, file=process.stdin, flush=True)
        assert {said(process) for process in processes} == {"done"}
        conn = open_writer(str(path))
        assert conn.execute("SELECT count(*) FROM words").fetchone() == (8,)
        conn.close()
    for process in processes:
        process.communicate()
        assert process.returncode == 0


def said(process: "subprocess.Popen[str]") -> str:
    """The next word of this process."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


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


def make_a_file_of_the_first_step(path: Path) -> None:
    """As an earlier version left it, with a protected device that has been watched for 200 days."""
    conn = sqlite3.connect(path, isolation_level=None)
    for statement in STEPS[0]:
        conn.execute(statement)
    conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    conn.execute("PRAGMA user_version = 1")
    conn.executescript(
        f"""
        INSERT INTO devices (mac, first_seen, last_seen) VALUES ('{TV}', 1, 2), ('{PLUG}', 1, 2);
        INSERT INTO progress VALUES (1, 'protected', 17280000, 321, 9, 24, 0, 6, 0, 1, 1);
        INSERT INTO learned VALUES
            (1, 'example.com', 'web', 3, 2, 10, 20), (2, 'a.example', 'web', 1, 0, 10, 20);
        INSERT INTO names VALUES (1, 1, '203.0.113.7', 'api.example.com', 60, 5, NULL);
        INSERT INTO alerts VALUES
            (7, 1, 'new-destination', 'b.example', 'web', 'unknown-name', 'warning', 'dns', 'c.b.example',
             NULL, 5, 6, 2, 0, 'open', NULL);
        """
    )
    conn.close()


def test_attempts_of_an_earlier_step_are_all_there_with_what_they_have_in_common_stored_once(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    make_a_file_of_the_first_step(path)
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("INSERT INTO words (word) VALUES ('outside'), ('dns'), ('learned')")
    rows = [
        (n, 5.0 + n, n % 2 + 1, n - 2 if n > 2 else None, "192.0.2.1", 40_000 + n, f"203.0.113.{n % 5}", 443,
         6, "web", "api.example.com", 1, 2, 1, 3)
        for n in range(1, 5001)
    ]  # fmt: skip
    with transaction(conn):
        conn.executemany(f"INSERT INTO attempts VALUES ({', '.join('?' * 15)})", rows)
    before = conn.execute("SELECT * FROM timeline ORDER BY id").fetchall()
    conn.close()
    conn = open_writer(str(path))
    try:
        assert conn.execute("SELECT * FROM attempts ORDER BY id").fetchall() == rows
        assert conn.execute("SELECT * FROM timeline ORDER BY id").fetchall() == before
        assert conn.execute("SELECT count(*) FROM sorts").fetchone() == (2 * 10,)  # in two blocks
    finally:
        conn.close()


def test_a_file_of_the_first_step_is_brought_up_to_date_with_all_that_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    make_a_file_of_the_first_step(path)
    with pytest.raises(Unavailable, match="not up to date"):
        open_reader(str(path))
    conn = open_writer(str(path))
    state = load_state(conn)
    (alert,) = alerts(conn)
    conn.close()
    assert pragma(path, "user_version") == len(STEPS)
    # What was learned counts as used just now, in observed time: nothing of it expires at once.
    assert state.learned == {
        TV: {Destination("example.com", "web"): Seen(3, 2, 17_280_000.0)},
        PLUG: {Destination("a.example", "web"): Seen(1, 0, 0.0)},
    }
    assert state.progress[TV] == Progress(
        State.PROTECTED, 17_280_000.0, 321, 9, 24, False, 6, 0, 1, settled=True, new_since_second=0
    )
    assert [name.name for name in state.names[TV]] == ["api.example.com"]
    assert state.aliases == {}
    assert (alert.id, alert.occurrences, alert.detail) == (7, 2, "")
