# SPDX-License-Identifier: GPL-2.0-or-later
"""Storing never holds anybody up, keeps what can be kept, and goes on when the disk does."""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tries import within
from unit.made_effects import NOON, PLUG, TV, forget, keep, learn, raised, record, told

from smartrouter.core.effects import Verdict, Watch
from smartrouter.core.errors import Unavailable
from smartrouter.core.policy import Reason
from smartrouter.store import open_reader, open_writer, writer
from smartrouter.store.alerts import alerts
from smartrouter.store.attempts import attempts_after
from smartrouter.store.queries import learned, load_state
from smartrouter.store.schema import STEPS
from smartrouter.store.writer import Writer

FOREVER = 3600.0  # seconds between two batches, for tests that flush


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "store.db")


@pytest.fixture
def make(path: str) -> Iterator[Callable[..., Writer]]:
    made: list[Writer] = []

    def make(*arguments: object, **options: object) -> Writer:
        made.append(Writer(path, *arguments, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        each.close(1.0)


def one(path: str, sql: str) -> object:
    conn = open_reader(path)
    try:
        row = conn.execute(sql).fetchone()
    finally:
        conn.close()
    return row[0] if len(row) == 1 else row


def until(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_what_was_flushed_can_be_read(path: str, make: Callable[..., Writer]) -> None:
    store = make(every=FOREVER)
    for effect in (record(), raised(), learn(), learn(PLUG), forget(PLUG), keep(), told()):
        store.put(effect)
    assert store.flush(20.0)
    conn = open_reader(path)
    (attempt,) = attempts_after(conn, 0, 10)
    assert attempt.mac == TV
    assert (attempt.at, attempt.address, attempt.name, attempt.reason) == (
        NOON, "203.0.113.7", "api.example.com", "learned",
    )  # fmt: skip
    assert [alert.destination for alert in alerts(conn)] == ["example.net"]
    assert [each.destination for each in learned(conn, TV)] == [learn().destination]
    assert learned(conn, PLUG) == []
    assert load_state(conn).progress[TV] == keep().progress
    conn.close()


def test_a_batch_is_written_soon_without_anybodys_asking(path: str, make: Callable[..., Writer]) -> None:
    store = make(every=0.05)
    store.put(record())
    assert until(lambda: one(path, "SELECT count(*) FROM attempts") == 1)


def test_enough_effects_make_a_batch_at_once(path: str, make: Callable[..., Writer]) -> None:
    store = make(every=FOREVER)
    for _ in range(writer.ENOUGH - 1):
        store.put(record())
    time.sleep(0.2)
    assert one(path, "SELECT count(*) FROM attempts") == 0
    store.put(record())
    assert until(lambda: one(path, "SELECT count(*) FROM attempts") == writer.ENOUGH)


def test_many_effects_share_a_batch(make: Callable[..., Writer]) -> None:
    store = make(every=FOREVER)
    for _ in range(100):
        store.put(record())
    assert store.flush(20.0)
    assert store.counters()["batches"] == 1


def test_what_came_of_a_packet_is_put_at_once(path: str, make: Callable[..., Writer]) -> None:
    store = make(every=FOREVER)
    store.put_all([Verdict(True, Reason.LEARNED), record(), learn(), told()])
    store.put_all([])
    assert store.flush(20.0)
    assert store.counters()["put"] == {"Record": 1, "Learn": 1, "Name": 1}
    assert one(path, "SELECT count(*) FROM attempts") == 1


def test_a_flood_is_written_in_few_batches(make: Callable[..., Writer]) -> None:
    """20,000 attempts a second are to cost the flash no page for a handful of them."""
    store = make(every=FOREVER)
    for _ in range(10):
        store.put_all([record()] * 2000)
    assert store.flush(20.0)
    assert 1 <= store.counters()["batches"] <= 11
    assert store.counters()["dropped"] == {}


def test_attempts_may_linger_after_a_batch_but_what_is_raised_takes_them_along(
    path: str, make: Callable[..., Writer]
) -> None:
    store = make(every=0.02, linger=FOREVER)
    store.put(record())
    assert until(lambda: one(path, "SELECT count(*) FROM attempts") == 1)  # the first need not wait
    store.put_all([record(), told()])
    time.sleep(0.3)
    assert one(path, "SELECT count(*) FROM attempts") == 1
    store.put(raised())
    assert until(lambda: one(path, "SELECT count(*) FROM attempts") == 2)
    for _ in range(writer.ENOUGH):
        store.put(record())
    assert until(lambda: one(path, "SELECT count(*) FROM attempts") == writer.ENOUGH + 2)
    store.put(record())
    assert store.close()
    assert one(path, "SELECT count(*) FROM attempts") == writer.ENOUGH + 3


def test_what_is_not_for_the_store_is_passed_over(make: Callable[..., Writer]) -> None:
    store = make(every=FOREVER)
    store.put(Watch(TV))
    assert store.flush(20.0)
    assert store.counters()["batches"] == 0


def test_closing_writes_what_waits(path: str, make: Callable[..., Writer]) -> None:
    store = make(every=FOREVER)
    store.put(record())
    assert store.close()
    assert not store.is_alive()
    assert one(path, "SELECT count(*) FROM attempts") == 1


def test_after_closing_nothing_is_taken_and_nothing_raised(make: Callable[..., Writer]) -> None:
    store = make()
    store.close()
    store.put(record())
    assert store.counters()["dropped"] == {"Record": 1}
    assert not store.flush(0.1)


def test_the_counters_are_json(make: Callable[..., Writer]) -> None:
    store = make()
    store.put(record())
    assert json.loads(json.dumps(store.counters()))["put"] == {"Record": 1}


def test_putting_does_not_wait_for_a_locked_store(
    path: str, make: Callable[..., Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smartrouter.store.connect.WRITE_PATIENCE", 1.0)
    store = make(every=0.02, max_attempts=50)
    other = open_writer(path)
    other.execute("BEGIN IMMEDIATE")

    def slowest() -> float:
        found = 0.0
        for n in range(2000):
            started = time.monotonic()
            store.put(record(at=NOON + n))
            found = max(found, time.monotonic() - started)
            if n % 100 == 0:
                time.sleep(0.005)
        return found

    assert within(1.0, slowest)  # which is how long the writer's thread waits
    store.put(learn())
    store.put(raised())
    assert not store.flush(0.2)
    assert until(lambda: "locked" in store.counters()["trouble"])
    other.execute("ROLLBACK")
    other.close()
    assert store.flush(20.0)
    counters = store.counters()
    assert counters["trouble"] == ""
    assert counters["dropped"]["Record"] > 0
    assert "Learn" not in counters["dropped"]
    assert one(path, "SELECT count(*) FROM attempts") == counters["put"]["Record"]
    assert one(path, "SELECT count(*) FROM learned") == 1
    assert one(path, "SELECT count(*) FROM alerts") == 1


def test_trouble_is_logged_when_it_begins_and_when_it_ends(
    path: str,
    make: Callable[..., Writer],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("smartrouter.store.connect.WRITE_PATIENCE", 0.01)
    monkeypatch.setattr(writer, "MAX_DELAY", 0.02)
    store = make(every=0.01)
    other = open_writer(path)
    other.execute("BEGIN IMMEDIATE")
    store.put(learn())
    assert until(lambda: bool(store.counters()["trouble"]))
    other.execute("ROLLBACK")
    other.close()
    assert store.flush(20.0)
    assert [line.split(":")[:2] for line in capsys.readouterr().err.splitlines()] == [
        ["ERROR smartrouter.store", " cannot store"],
        ["WARNING smartrouter.store", " storing again; dropped meanwhile"],
    ]


def test_a_value_that_no_database_holds_costs_only_itself(path: str, make: Callable[..., Writer]) -> None:
    store = make(every=FOREVER)
    store.put(record())
    store.put(record(name="\ud800"))
    store.put(record(port=2**70))
    store.put(record(at=float("nan")))
    store.put(learn(name="\udc80"))
    store.put(learn())
    store.put(raised(name="\ud800"))
    assert store.flush(20.0)
    assert store.counters()["refused"] == {"Record": 3, "Learn": 1, "Raise": 1}
    assert store.counters()["trouble"] == ""
    assert one(path, "SELECT count(*) FROM attempts") == 1
    assert one(path, "SELECT count(*) FROM learned") == 1


def test_something_that_is_no_effect_at_all_does_not_raise(make: Callable[..., Writer]) -> None:
    store = make()
    store.put(raised()._replace(alert=None))  # type: ignore[arg-type]
    assert store.counters()["dropped"] == {"Raise": 1}
    store.put(learn())
    assert store.flush(20.0)


def test_a_fault_of_ours_does_not_end_the_thread(
    path: str, make: Callable[..., Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make(every=FOREVER)
    with monkeypatch.context() as patched:
        patched.setattr(store._disk, "write", lambda *_, **__: 1 / 0)
        store.put(record())
        assert not store.flush(0.3)
    assert store.is_alive()
    assert store.counters()["dropped"] == {"Record": 1}
    store.put(record())
    assert store.flush(20.0)
    assert one(path, "SELECT count(*) FROM attempts") == 1


def test_a_store_that_was_deleted_is_made_again(path: str, make: Callable[..., Writer]) -> None:
    store = make(every=FOREVER)
    store.put(learn())
    assert store.flush(20.0)
    for suffix in ("", "-wal", "-shm"):
        os.unlink(path + suffix)
    store.put(learn(PLUG))
    assert store.flush(20.0)
    assert one(path, "SELECT count(*) FROM learned") == 1


def test_a_store_that_is_damaged_at_the_start_is_set_aside(path: str, make: Callable[..., Writer]) -> None:
    Path(path).write_bytes(b"nothing that SQLite knows " * 100)
    store = make(every=FOREVER)
    assert store.counters()["set_aside"].startswith(f"{path}.corrupt-")
    store.put(learn())
    assert store.flush(20.0)
    assert one(path, "SELECT count(*) FROM learned") == 1


def test_damage_that_shows_later_is_set_aside_and_costs_no_new_effect(
    path: str, make: Callable[..., Writer]
) -> None:
    store = make(every=0.05)
    for n in range(2000):
        store.put(told(name=f"{n}.example"))
    assert store.flush(20.0)
    conn = open_writer(path)
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    root = conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'names'").fetchone()[0]
    conn.close()
    with open(path, "r+b") as file:
        file.seek((root - 1) * 1024)
        file.write(b"\xff" * 1024)
    assert store._disk._conn is not None
    store._disk.close()  # as after any trouble: what it had read is no longer in its memory
    store.put(told())
    store.put(learn())
    assert store.flush(20.0)
    assert store.counters()["set_aside"]
    assert store.counters()["trouble"] == ""
    assert one(path, "SELECT count(*) FROM names") == 1
    assert one(path, "SELECT count(*) FROM learned") == 1


def test_a_store_that_cannot_be_made_yet_is_made_when_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "not yet"
    store = Writer(str(directory / "store.db"), every=0.05)
    try:
        assert "unable to open" in store.counters()["trouble"]
        store.put(learn())
        assert not store.flush(0.2)
        directory.mkdir()
        assert store.flush(20.0)
        assert one(str(directory / "store.db"), "SELECT count(*) FROM learned") == 1
    finally:
        store.close()


def test_a_newer_store_is_refused(path: str) -> None:
    conn = open_writer(path)
    conn.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    conn.close()
    with pytest.raises(Unavailable, match="newer"):
        Writer(path)


def test_a_size_is_held_without_anybodys_help(path: str, make: Callable[..., Writer]) -> None:
    limit = 1_000_000
    store = make(limit, every=FOREVER, max_attempts=100_000)
    for n in range(20_000):
        store.put(record(at=NOON + n, name=f"{n}.example.com"))
        if n % 1000 == 999:
            assert store.flush(20.0)
    assert os.path.getsize(path) < limit * 1.3
    assert one(path, "SELECT max(id) FROM attempts") == 20_000
    assert one(path, "SELECT at FROM attempts ORDER BY id DESC") == NOON + 19_999


def test_several_threads_may_put_at_once(path: str, make: Callable[..., Writer]) -> None:
    store = make(every=0.01, max_attempts=100_000)

    def put(mac: str) -> None:
        for n in range(2000):
            store.put(record(mac, at=NOON + n))
            store.put(raised(mac, at=NOON + n))

    threads = [threading.Thread(target=put, args=(mac,)) for mac in (TV, PLUG)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.flush(20.0)
    assert one(path, "SELECT count(*), sum(previous IS NULL) FROM attempts") == (4000, 2)
    assert one(path, "SELECT sum(count) FROM alerts") == 4000


def test_flushing_syncs_what_was_committed_before(
    path: str, make: Callable[..., Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit alone is not on the disk yet; the flush after it must write, and so sync, once more."""
    store = make(every=0.02)
    store.put(record())
    assert until(lambda: store.counters()["batches"] == 1)
    durable: list[bool] = []
    write = store._disk.write

    def watched(*arguments: object, **options: bool) -> None:
        durable.append(options["durable"])
        write(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(store._disk, "write", watched)
    assert store.flush(20.0)
    assert store.flush(20.0)  # nothing new: nothing to do
    assert durable == [True]


def test_state_is_synced_before_a_minute_has_passed(
    make: Callable[..., Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SYNC_EVERY", 0.0)
    store = make(every=0.02)
    durable: list[bool] = []
    monkeypatch.setattr(
        store._disk, "write", lambda _batch, durable=False, into=durable: into.append(durable)
    )
    store.put(record())
    assert until(lambda: durable == [False])
    store.put(learn())
    assert until(lambda: durable == [False, True])


def test_a_failed_write_is_not_written_twice(
    path: str, make: Callable[..., Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make(every=0.02)
    write, tries = store._disk.write, []

    def flaky(*arguments: object, **options: bool) -> None:
        tries.append(1)
        if len(tries) < 4:
            raise sqlite3.OperationalError("disk I/O error")
        write(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(store._disk, "write", flaky)
    store.put(raised())
    assert store.flush(20.0)
    store.put(raised())
    assert store.flush(20.0)
    assert one(path, "SELECT sum(count) FROM alerts") == 2
