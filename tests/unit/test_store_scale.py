# SPDX-License-Identifier: GPL-2.0-or-later
"""However much is stored, what is asked costs little; however much comes, the files and memory stay bounded.

Costs are counted, not timed: SQLite's virtual machine runs some 8,000 instructions in a millisecond.
"""

import contextlib
import os
import sqlite3
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest
from counting import steps
from unit.made_effects import NOON, record
from unit.made_full_store import ALERTS, ATTEMPTS, DESTINATIONS, DEVICES, HOURS, MAC, full_store

from smartrouter.core.effects import Attempt, Record, another_of
from smartrouter.store import batch, inbox, log, open_reader, open_writer, queries, timeline
from smartrouter.store.alerts import AlertState, alert, alerts, alerts_after, merged_alerts, nameless_alerts
from smartrouter.store.attempts import attempts_after, attempts_of, hours
from smartrouter.store.connect import COMPANIONS, LOG_LIMIT
from smartrouter.store.pending import Batch, empty
from smartrouter.store.sorts import Sorts
from smartrouter.store.transaction import transaction
from smartrouter.store.volumes import lately_of
from smartrouter.store.writer import Writer


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """A reader of a store that has seen a month."""
    path = str(tmp_path_factory.mktemp("full") / "store.db")
    full_store(path)
    conn = open_reader(path)
    yield conn
    conn.close()


def instructions(conn: sqlite3.Connection, ask: Callable[[sqlite3.Connection], object]) -> tuple[int, object]:
    """How many instructions of SQLite's virtual machine `ask` takes, to the hundred, and what it gives."""
    count = 0

    def tick() -> int:
        nonlocal count
        count += 100
        return 0

    conn.set_progress_handler(tick, 100)
    try:
        found = ask(conn)
    finally:
        conn.set_progress_handler(None, 0)
    return count + 100, found


QUESTIONS = {
    "alerts": (lambda conn: alerts(conn, state=AlertState.OPEN, limit=10_000), 2000, 300_000),
    "alerts --all": (lambda conn: alerts(conn, limit=10_000), 3000, 400_000),
    "alerts of a device": (lambda conn: alerts(conn, state=AlertState.OPEN, mac=MAC), 40, 50_000),
    "new alerts": (lambda conn: alerts_after(conn, ALERTS - 200, 200), 200, 50_000),
    "alerts without a name": (lambda conn: nameless_alerts(conn, 500), 0, 100_000),
    "merged alerts": (lambda conn: merged_alerts(conn, range(200)), 0, 5_000),
    "devices": (queries.devices, DEVICES, 50_000),
    "learned": (lambda conn: queries.learned(conn, MAC), 40, 4_000),
    "latest attempts": (lambda conn: attempts_of(conn, MAC, 10), 10, 2_000),
    "a page of attempts": (lambda conn: attempts_of(conn, MAC, 500, 250_006), 500, 40_000),
    "new attempts": (lambda conn: attempts_after(conn, ATTEMPTS - 2000, 2000), 2000, 80_000),
    "hours of a day": (lambda conn: hours(conn, MAC, (HOURS - 23) * 3600.0), 24 * DESTINATIONS, 10_000),
    "hours of a month": (lambda conn: hours(conn, MAC, 0.0), HOURS * DESTINATIONS, 150_000),
    "a page of the log": (lambda conn: log.page(conn, log.Wanted(), 100, 250_006).attempts, 100, 10_000),
    "a page of a device's log": (
        lambda conn: log.page(conn, log.Wanted(mac=MAC), 100, 250_006).attempts, 100, 10_000,
    ),
    "a device's log before a time": (
        lambda conn: log.page(conn, log.Wanted(mac=MAC, until=NOON + 9000.0), 100).attempts, 100, 10_000,
    ),
    "what the log has not": (
        lambda conn: log.page(conn, log.Wanted(destination="no such"), 100).attempts, 0, 300_000,
    ),
    "what a device's log has not": (
        lambda conn: log.page(conn, log.Wanted(mac=MAC, accepted=False), 100).attempts, 0, 300_000,
    ),
    "what is new in the log": (
        lambda conn: log.newer(conn, log.Wanted(), 100, ATTEMPTS - 50), 50, 5_000,
    ),
    "a day by the hour": (lambda conn: timeline.by_hour(conn, NOON + ATTEMPTS * 0.3, 24), 24, 50_000),
    "a device's day by the hour": (
        lambda conn: timeline.of_device(conn, MAC, NOON + ATTEMPTS * 0.3, 24)[0], 24, 250_000,
    ),
    "a device's fortnight": (lambda conn: timeline.days_of(conn, MAC, 1, 15), 15, 5_000),
    "a device's volumes of a week": (
        lambda conn: lately_of(conn, MAC, (HOURS - 167) * 3600.0), 3, 40_000,
    ),
    "the inbox": (lambda conn: inbox.groups(conn, ("open",), 3), DEVICES, 120_000),
    "a device's inbox": (lambda conn: inbox.of_device(conn, MAC, ("open",), 20, 20), 20, 10_000),
    "alerts of a page": (lambda conn: inbox.read(conn, range(100, 130)), 30, 20_000),
    "what the shell shows": (
        lambda conn: conn.execute("SELECT * FROM timeline ORDER BY id DESC LIMIT 100").fetchall(), 100, 6_000,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_is_asked_of_a_full_store_costs_by_what_is_given(full: sqlite3.Connection, name: str) -> None:
    ask, rows, most = QUESTIONS[name]
    taken, found = instructions(full, ask)
    assert len(found) == rows  # type: ignore[arg-type]
    assert taken <= most


def test_one_device_and_one_alert_are_found_at_once(full: sqlite3.Connection) -> None:
    for ask in (lambda conn: queries.device(conn, MAC), lambda conn: alert(conn, 77), queries.household):
        taken, found = instructions(full, ask)
        assert found
        assert taken <= 40_000


def test_the_store_at_a_glance_counts_no_attempts_one_by_one(full: sqlite3.Connection) -> None:
    taken, found = instructions(full, queries.totals)
    assert found.kept == ATTEMPTS  # type: ignore[attr-defined]
    assert taken <= 40_000


# -- what comes in -----------------------------------------------------------------------------------------


def attempts(count: int, start: int = 0) -> list[Attempt]:
    """Each an object of its own, as packets make them."""
    return [
        record(
            f"02:00:00:00:00:{n % DEVICES:02x}", at=NOON + n / 20_000, name=f"api{n % 400}.example.com",
            address=f"203.0.{n >> 8 & 255}.{n & 255}", accepted=n % 10 > 0,
        ).attempt
        for n in range(start, start + count)
    ]  # fmt: skip


def test_an_attempt_costs_few_lines_and_few_statements(conn: sqlite3.Connection) -> None:
    """So that an accidental slow-down fails, on however busy a machine."""
    many, sorts = empty()._replace(attempts=[another_of(each) for each in attempts(1500)]), Sorts()
    with transaction(conn):
        batch.write(conn, many, NOON)  # words, devices
    for most_lines, most_statements in ((32, 10 + 20 + 20), (16, 10 + 20)):  # news, and the same once more
        run: list[str] = []
        conn.set_trace_callback(run.append)
        with transaction(conn):
            lines = steps(lambda: batch.write(conn, many, NOON, sorts=sorts))
        conn.set_trace_callback(None)
        assert lines / 1500 < most_lines
        assert len(run) < most_statements + 3 * DEVICES


def test_putting_what_came_of_a_packet_costs_few_lines(tmp_path: Path) -> None:
    store = Writer(str(tmp_path / "store.db"), every=3600.0)
    effects = [Record(attempt) for attempt in attempts(100)]
    try:
        assert steps(lambda: deque(map(store.put_all, zip(effects)), maxlen=0)) / 100 < 12
    finally:
        store.close()


def test_the_files_together_hold_the_size_under_a_flood(tmp_path: Path) -> None:
    """Database, write-ahead log and what they share: within a batch of what was asked for."""
    path, limit, batch_bytes = str(tmp_path / "store.db"), 6_000_000, 4000 * 130
    with contextlib.closing(open_writer(path)) as conn:
        conn.execute(
            """WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
                INSERT INTO hours SELECT i / 1000, i % 50, i || '.example.com', 'web', 1, 7 FROM n"""
        )
    store = Writer(path, limit, every=3600.0)
    largest = 0
    for start in range(0, 100_000, 4000):
        for attempt in attempts(4000, start):
            store.put(Record(attempt))
        assert store.flush(20.0)
        sizes = [os.path.getsize(path + suffix) for suffix in COMPANIONS]
        largest = max(largest, sum(sizes))
    assert limit / 2 < largest < limit + batch_bytes + LOG_LIMIT // 4
    assert store.counters()["dropped"] == {}
    conn = open_reader(path)
    assert conn.execute("SELECT max(id), max(at) FROM attempts").fetchone() == (
        100_000,
        NOON + 99_999 / 20_000,
    )
    conn.close()
    store.close()


def test_memory_is_flat_over_a_million_attempts_on_a_slow_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounds: Callable[[int], int]
) -> None:
    """What is put, and what is held while the disk is busy, is bounded; the rest is dropped and counted."""
    room, million = 5000, rounds(1_000_000)
    like = record().attempt
    store = Writer(str(tmp_path / "store.db"), every=0.01, max_attempts=room)
    done = Event()

    def dropped() -> int:
        return store.counters()["dropped"].get("Record", 0)

    def write(_: Batch, *, durable: bool) -> None:
        """Takes as long as it takes until so many more found no room."""
        enough = dropped() + room // 4
        while not done.wait(0.001) and dropped() < enough:
            pass

    monkeypatch.setattr(store._disk, "write", write)
    before, most = sys.getallocatedblocks(), []
    for start in range(0, million, 10_000):
        for n in range(start, start + 10_000):
            store.put(Record(like._replace(at=NOON + n, source_port=1024 + n)))
        most.append(sys.getallocatedblocks() - before)
    done.set()
    assert store.flush(20.0)
    counters = store.counters()
    assert counters["put"]["Record"] + counters["dropped"]["Record"] == million
    assert counters["dropped"]["Record"] > million / 10
    store.close()
    assert max(most) < 2 * room * 5  # of what is pending and what is held: each is three objects
