# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes again, what stays, and that no clock's jump makes anything go."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from tries import slowness
from unit.made_effects import NOON, PLUG, TV, alias, keep, learn, raised, record, told

from smartrouter.core.effects import Effect
from smartrouter.core.events import Moment
from smartrouter.core.learning import State
from smartrouter.store import batch, open_writer, retention
from smartrouter.store.attempts import attempts_after, hours
from smartrouter.store.changes import Sighting, upsert_devices
from smartrouter.store.pending import Pending
from smartrouter.store.retention import Limits, Pruned, prune, used_bytes
from smartrouter.store.sorts import Sorts
from smartrouter.store.transaction import transaction
from smartrouter.store.writer import Writer

HOUR, DAY, YEAR = 3600.0, 86400.0, 365 * 86400.0
LIMITS = Limits(attempts_kept=48 * HOUR, retention=90 * DAY, max_size=512 * 2**20)
KINDS = ("attempts", "hours", "alerts", "names", "aliases", "addresses", "devices")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "store.db")


@pytest.fixture
def conn(path: str) -> Iterator[sqlite3.Connection]:
    conn = open_writer(path)
    yield conn
    conn.close()


def write(conn: sqlite3.Connection, *effects: Effect, sorts: Sorts | None = None) -> None:
    pending = Pending(10_000_000, 10_000_000)
    for effect in effects:
        assert pending.add(effect)
    with transaction(conn):
        batch.write(conn, pending.take(), NOON, sorts=sorts)


def everything(conn: sqlite3.Connection, at: float) -> None:
    """One of each, stamped `at`."""
    write(conn, record(at=at), raised(at=at), told(at=at), alias(at=at), learn(at=at), keep())
    upsert_devices(conn, [Sighting(TV, addresses=("192.0.2.1",)), Sighting(PLUG)], at)


def counts(conn: sqlite3.Connection) -> dict[str, int]:
    return {kind: conn.execute(f"SELECT count(*) FROM {kind}").fetchone()[0] for kind in KINDS}


class Life:
    """A router's life: time passes, and retention runs every few hours of it."""

    def __init__(self, conn: sqlite3.Connection, wall: float = NOON):
        self.conn = conn
        self.wall = wall
        self.running = 100.0
        self.prune()

    def prune(self, limits: Limits = LIMITS) -> Pruned:
        return prune(self.conn, Moment(self.running, self.wall), limits)

    def live(self, seconds: float, step: float = 6 * HOUR) -> None:
        while seconds > 0:
            self.wall += min(step, seconds)
            self.running += min(step, seconds)
            seconds -= step
            self.prune()


def test_attempts_become_sums_by_the_hour(conn: sqlite3.Connection) -> None:
    life = Life(conn)
    write(
        conn,
        *(record(at=NOON + n) for n in range(5)),
        record(at=NOON + 5, accepted=False),
        record(at=NOON + HOUR),
        record(PLUG, at=NOON + HOUR + 1, name="", address="203.0.113.9", service="tcp/23"),
    )
    life.live(47 * HOUR)
    assert counts(conn)["attempts"] == 8
    write(conn, record(at=life.wall))
    life.live(3 * HOUR, step=HOUR)
    assert counts(conn)["attempts"] == 1
    assert [(hour.start - NOON, *hour[1:]) for hour in hours(conn, TV, NOON)] == [
        (0.0, "api.example.com", "web", False, 1),
        (0.0, "api.example.com", "web", True, 5),
        (HOUR, "api.example.com", "web", True, 1),
    ]
    assert [tuple(hour) for hour in hours(conn, PLUG, NOON)] == [
        (NOON + HOUR, "203.0.113.9", "tcp/23", True, 1)
    ]


def test_sums_of_one_hour_add_up_over_runs(conn: sqlite3.Connection) -> None:
    life = Life(conn)
    write(conn, *(record(at=NOON + 60 * n) for n in range(60)))
    write(conn, record(at=NOON + 40 * HOUR))
    life.live(47 * HOUR)
    life.live(2 * HOUR, step=600.0)
    (hour,) = hours(conn, TV, NOON)
    assert hour.attempts == 60


def test_the_oldest_goes_after_the_retention(conn: sqlite3.Connection) -> None:
    life = Life(conn)
    everything(conn, NOON)
    life.live(89 * DAY)
    # The newest attempt stays; aliases are younger.
    assert counts(conn) == dict.fromkeys(KINDS, 1) | {"hours": 0, "devices": 2, "aliases": 0}
    write(conn, record(at=life.wall))
    life.live(DAY)
    assert counts(conn)["hours"] == 1
    life.live(2 * DAY)
    found = counts(conn)
    assert (found["hours"], found["alerts"], found["names"], found["addresses"]) == (0, 0, 0, 0)


def test_an_alias_goes_thirty_days_after_it_was_seen_last(conn: sqlite3.Connection) -> None:
    life = Life(conn)
    write(conn, alias(at=NOON), alias(head="www.example.com", at=NOON))
    life.live(20 * DAY)
    write(conn, alias(at=life.wall))
    life.live(9.5 * DAY)
    assert counts(conn)["aliases"] == 2
    life.live(DAY)
    assert conn.execute("SELECT head FROM aliases").fetchall() == [("api.example.com",)]
    life.live(21 * DAY)
    assert counts(conn)["aliases"] == 0


def test_what_is_learned_stays_however_old(conn: sqlite3.Connection) -> None:
    life = Life(conn)
    everything(conn, NOON)
    life.live(400 * DAY, step=DAY)
    assert conn.execute("SELECT count(*) FROM learned").fetchone() == (1,)
    assert conn.execute("SELECT mac FROM devices").fetchall() == [(TV,)]  # the other one learned nothing
    assert conn.execute("SELECT count(*) FROM progress").fetchone() == (1,)


def test_what_goes_on_stays(conn: sqlite3.Connection) -> None:
    life = Life(conn)
    for _ in range(100):
        everything(conn, life.wall)
        life.live(2 * DAY, step=DAY)
    found = counts(conn)
    assert (found["alerts"], found["names"], found["addresses"], found["devices"]) == (1, 1, 1, 2)
    assert conn.execute("SELECT count FROM alerts").fetchone() == (100,)


JUMPS = [10 * YEAR, YEAR, 91 * DAY, 3 * DAY, -DAY, -YEAR, -NOON, -NOON + 60]


@pytest.mark.parametrize("jump", JUMPS)
def test_a_jump_of_the_clock_deletes_nothing(conn: sqlite3.Connection, jump: float) -> None:
    life = Life(conn)
    everything(conn, NOON + 60)
    write(conn, record(at=NOON + 61))
    life.live(600.0, step=300.0)
    before = counts(conn)
    life.wall += jump
    for _ in range(12):
        life.live(300.0)
    assert counts(conn) == before


@pytest.mark.parametrize("jump", JUMPS)
def test_nor_does_its_way_back(conn: sqlite3.Connection, jump: float) -> None:
    life = Life(conn)
    everything(conn, NOON + 60)
    life.live(600.0, step=300.0)
    life.wall += jump
    everything(conn, life.wall)
    write(conn, raised(PLUG, at=life.wall), told(PLUG, at=life.wall))
    before = counts(conn)
    for _ in range(12):
        life.live(300.0)
    life.wall -= jump
    everything(conn, life.wall)
    before["attempts"] += 1
    for _ in range(12):
        life.live(300.0)
    assert counts(conn) == before


def test_a_router_that_boots_in_1970_keeps_what_it_saw_there_as_long_as_the_rest(
    conn: sqlite3.Connection,
) -> None:
    life = Life(conn, wall=30.0)
    for n in range(10):
        write(conn, record(at=30.0 + n))
    write(conn, raised(at=31.0), told(at=31.0))
    life.live(120.0, step=60.0)
    life.wall = NOON
    life.live(HOUR)
    write(conn, record(at=life.wall))
    life.live(46 * HOUR)
    assert counts(conn)["attempts"] == 11
    write(conn, record(at=life.wall))
    life.live(5 * HOUR, step=HOUR)
    found = counts(conn)
    assert (found["attempts"], found["alerts"], found["names"]) == (1, 1, 1)
    assert sum(hour.attempts for hour in hours(conn, TV, NOON)) == 11  # none of them in 1970
    life.live(87 * DAY)
    assert counts(conn)["alerts"] == 1
    life.live(2 * DAY)
    assert (counts(conn)["alerts"], counts(conn)["names"], counts(conn)["hours"]) == (0, 0, 0)


def test_every_reboot_may_begin_months_ago(conn: sqlite3.Connection) -> None:
    """Routers without a clock begin with the date of their last configuration."""
    life = Life(conn)
    everything(conn, NOON)
    for _ in range(5):
        life.live(DAY)
        wall = life.wall
        life.running, life.wall = 20.0, NOON - 200 * DAY
        write(conn, record(at=life.wall), raised(PLUG, at=life.wall))
        life.live(120.0, step=60.0)
        life.wall = wall + 150.0
        life.live(300.0, step=60.0)
        assert counts(conn)["alerts"] == 2
    life.live(3 * DAY)
    assert counts(conn)["attempts"] == 1  # the reboots have not held ageing up


def test_after_months_without_power_ageing_catches_up(conn: sqlite3.Connection) -> None:
    life = Life(conn)
    everything(conn, NOON)
    life.live(DAY)
    life.running, life.wall = 20.0, life.wall + 120 * DAY
    write(conn, record(at=life.wall))
    life.live(2 * DAY)
    assert counts(conn)["alerts"] == 1
    life.live(130 * DAY)
    assert counts(conn)["alerts"] == 0


def test_a_stamp_from_the_future_does_not_stop_the_line(conn: sqlite3.Connection) -> None:
    life = Life(conn)
    write(conn, record(at=NOON), record(at=NOON + 5 * YEAR), record(at=NOON + 1), record(at=NOON + 2))
    life.live(50 * HOUR)
    assert counts(conn)["attempts"] == 1
    assert {hour.start for hour in hours(conn, TV, 0.0)} <= {NOON, NOON + 2 * HOUR}


def test_the_newest_attempt_stays_so_that_ids_are_never_used_twice(conn: sqlite3.Connection) -> None:
    life = Life(conn)
    write(conn, record(at=NOON), record(at=NOON + 1))
    life.live(400 * DAY, step=DAY)
    life.prune(LIMITS._replace(max_size=1))
    assert [attempt.id for attempt in attempts_after(conn, 0, 10)] == [2]
    write(conn, record(at=life.wall))
    assert [attempt.id for attempt in attempts_after(conn, 2, 10)] == [3]


def test_a_size_is_held_and_the_oldest_attempts_go_first(conn: sqlite3.Connection, path: str) -> None:
    life = Life(conn)
    limits, sorts = LIMITS._replace(max_size=1_000_000), Sorts()
    for n in range(60):
        attempts = (record(at=NOON + n * 1000 + m, name=f"{m}.example.com") for m in range(1000))
        write(conn, *attempts, sorts=sorts)
    write(conn, learn(), raised())
    assert used_bytes(conn) > 1_200_000
    pruned = life.prune(limits)
    assert pruned.for_size > 5000
    assert used_bytes(conn) <= 1_000_000
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert os.path.getsize(path) <= 1_000_000
    first, last = conn.execute("SELECT min(id), max(id) FROM attempts").fetchone()
    assert last == 60_000
    assert first == pruned.for_size + 1
    assert last - first > 5000
    assert (counts(conn)["alerts"], conn.execute("SELECT count(*) FROM learned").fetchone()) == (1, (1,))
    assert life.prune(limits).for_size == 0


def test_a_size_is_held_where_no_two_attempts_are_alike(conn: sqlite3.Connection) -> None:
    life, sorts = Life(conn), Sorts()
    for n in range(20):
        attempts = (record(at=NOON + n * 2000 + m, name=f"{n}-{m}.example.com") for m in range(2000))
        write(conn, *attempts, sorts=sorts)
    assert used_bytes(conn) > 3_500_000
    pruned = life.prune(LIMITS._replace(max_size=3_000_000))
    assert used_bytes(conn) <= 3_000_000
    assert counts(conn)["attempts"] == 40_000 - pruned.for_size > 8000
    assert {each.name for each in attempts_after(conn, 0, 50_000)} >= {
        f"19-{m}.example.com" for m in range(2000)
    }


def test_sums_that_take_more_than_half_go_before_attempts(conn: sqlite3.Connection) -> None:
    life = Life(conn)
    now = int(NOON) // 3600
    with transaction(conn):
        conn.executemany(
            "INSERT INTO hours VALUES (?, 1, ?, 'web', 1, 1)",
            ((now + n // 100, f"{n}.example.com") for n in range(-30_000, 0)),
        )
    write(conn, *(record(at=NOON + n) for n in range(3000)))
    life.prune(LIMITS._replace(max_size=1_000_000))
    assert used_bytes(conn) <= 1_000_000
    found = counts(conn)
    assert found["attempts"] == 3000
    assert 8000 < found["hours"] < 20_000
    assert conn.execute("SELECT max(hour) FROM hours").fetchone() == (now - 1,)


def test_a_small_limit_after_a_large_one_gives_the_space_back(conn: sqlite3.Connection, path: str) -> None:
    life = Life(conn)
    sorts = Sorts()
    for start in range(0, 20_000, 2000):
        numbers = range(start, start + 2000)
        write(conn, *(record(at=NOON + n, name=f"{n}.example.com") for n in numbers), sorts=sorts)
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert os.path.getsize(path) > 1_500_000
    life.prune(LIMITS._replace(max_size=1_000_000))
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert os.path.getsize(path) <= 1_000_000
    assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_steps_are_short_and_a_writer_beside_them_loses_nothing(
    conn: sqlite3.Connection, path: str, rounds: Callable[[int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Steps are timed by the processor's time: how busy the machine is says nothing about them.
    monkeypatch.setattr(retention, "time", SimpleNamespace(monotonic=time.thread_time, sleep=time.sleep))
    life = Life(conn)
    old = rounds(60_000)
    for n in range(0, old, 5000):
        write(conn, *(record(at=NOON + m / 10, name=f"{m % 300}.example.com") for m in range(n, n + 5000)))
    write(conn, record(at=NOON + 20 * HOUR))
    life.live(47 * HOUR)
    life.wall, life.running = life.wall + 20 * HOUR, life.running + 20 * HOUR
    store = Writer(path, every=0.01)
    stored = 0
    done = threading.Event()

    def work() -> None:
        nonlocal stored
        while not done.is_set():
            store.put(record(PLUG, at=life.wall))
            assert store.flush(20.0)
            stored += 1
            done.wait(0.005)  # SQLite gives the lock to whoever happens to ask for it

    thread = threading.Thread(target=work)
    thread.start()
    pruned = life.prune()
    done.set()
    thread.join()
    store.close()
    assert pruned.summed == old
    assert pruned.longest < 0.05 * slowness()
    assert stored > 5, "while it went on"
    assert store.counters()["dropped"] == {}
    assert conn.execute("SELECT count(*) FROM attempts").fetchone()[0] == stored + 1


def test_protected_devices_stay_when_others_go(conn: sqlite3.Connection) -> None:
    life = Life(conn)
    upsert_devices(conn, [Sighting(PLUG)], NOON)
    write(conn, learn(), keep(state=State.PROTECTED))
    life.live(95 * DAY)
    assert conn.execute("SELECT mac FROM devices").fetchall() == [(TV,)]
