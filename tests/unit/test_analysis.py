# SPDX-License-Identifier: GPL-2.0-or-later
"""The periodic run over what is new."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from unit.made_effects import PLUG, TV, alias, label, raised

from smartrouter.analyzer.analysis import analyse, settle
from smartrouter.core.destinations import Destination, Match
from smartrouter.core.effects import Attempt, Effect, Evidence, Keep, Kind, Learn, Record
from smartrouter.core.learning import Progress, Seen, State
from smartrouter.core.policy import Action, Reason, Rule, Settings
from smartrouter.store.alerts import alerts
from smartrouter.store.connect import open_writer
from smartrouter.store.queries import learned
from smartrouter.store.retention import Limits
from smartrouter.store.runs import KEPT, Run, keep_run, latest_runs
from smartrouter.store.writer import Writer

MAC = "cc:44:63:ea:63:63"
NOW = time.time()


class Store:
    def __init__(self, folder: Path):
        self.path = str(folder / "store.db")
        self.writer = Writer(self.path)
        self.conn = open_writer(self.path)

    def put(self, *effects: Effect) -> None:
        for effect in effects:
            self.writer.put(effect)
        assert self.writer.flush(20.0)

    def run(self, match: Match = Match.DOMAIN) -> Run:
        return analyse(self.conn, match, Limits())

    def last_used(self) -> dict[Destination, float]:
        return {item.destination: item.last_used for item in learned(self.conn, MAC)}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.writer.close()
    store.conn.close()


def attempt(at: float, name: str, reason: Reason = Reason.LEARNED, address: str = "198.51.100.5") -> Record:
    evidence = Evidence.DNS if name else Evidence.NONE
    return Record(
        Attempt(
            at, MAC, "192.168.1.20", 40000, address, 443, 6, "outside", "web", name, evidence, True, reason
        )
    )


def learn(name: str, at: float) -> Learn:
    return Learn(MAC, Destination(name, "web"), Seen(1, 0), at)


def test_each_attempt_is_looked_at_once(store: Store) -> None:
    store.put(*(attempt(NOW, "a.example.com") for _ in range(5)))
    assert store.run().rows == 5
    assert store.run().rows == 0
    store.put(attempt(NOW, "b.example.com"))
    assert store.run().rows == 1


def test_a_learned_destination_in_use_is_known_to_be_by_name_group_or_address(store: Store) -> None:
    store.put(learn("example.com", NOW - 500), learn("198.51.100.9", NOW - 500), learn("idle.com", NOW - 500))
    store.put(attempt(NOW - 20, "a.example.com"), attempt(NOW - 10, "", address="198.51.100.9"))
    store.run()
    assert store.last_used() == {
        Destination("example.com", "web"): NOW - 20,
        Destination("198.51.100.9", "web"): NOW - 10,
        Destination("idle.com", "web"): NOW - 500,
    }


def test_a_learned_destination_is_in_use_under_an_alias_too(store: Store) -> None:
    store.put(learn("example.com", NOW - 500), learn("e7.akamaiedge.net", NOW - 500))
    store.put(
        alias(MAC, "e9.akamaiedge.net", "api.example.com"), alias(PLUG, "e7.akamaiedge.net", "x.example")
    )
    store.put(attempt(NOW - 20, "e9.akamaiedge.net"), attempt(NOW - 10, "e7.akamaiedge.net"))
    store.run(Match.CHAIN)
    assert store.last_used() == {
        Destination("example.com", "web"): NOW - 20,
        Destination("e7.akamaiedge.net", "web"): NOW - 10,
    }


def test_an_attempt_that_was_let_go_for_another_reason_is_no_use(store: Store) -> None:
    store.put(learn("example.com", NOW - 500), attempt(NOW, "a.example.com", Reason.ALLOWED_BY_RULE))
    store.run()
    assert store.last_used() == {Destination("example.com", "web"): NOW - 500}


@pytest.mark.parametrize(
    ("settled", "words"), [(True, "is protected."), (False, "still had new destinations.")]
)
def test_the_end_of_learning_is_found_once(store: Store, settled: bool, words: str) -> None:
    store.put(Keep(MAC, Progress(State.LEARNING)))
    assert store.run().findings == ()
    store.put(Keep(MAC, Progress(State.PROTECTED, settled=settled)))
    (finding,) = store.run().findings
    assert finding.startswith(MAC)
    assert finding.endswith(words)
    assert store.run().findings == ()


def test_a_run_leaves_its_record(store: Store) -> None:
    assert latest_runs(store.conn, 5) == []
    store.put(Keep(MAC, Progress(State.PROTECTED)))
    run = store.run()
    assert latest_runs(store.conn, 5) == [run]
    assert abs(run.at - time.time()) < 10
    assert 0 < run.seconds < 10
    assert run.stages == {"new": 0, "learning": 0, "protected": 1}


def test_the_latest_runs_are_kept_and_those_that_failed_too(store: Store) -> None:
    for number in range(KEPT + 5):
        keep_run(store.conn, Run(float(number), 0.1, number, (), {}))
    assert store.conn.execute("SELECT count(*) FROM runs").fetchone() == (KEPT,)
    assert [run.rows for run in latest_runs(store.conn, 2)] == [KEPT + 4, KEPT + 3]
    store.conn.execute("INSERT INTO meta VALUES ('analysis_cursor', 'nonsense')")
    with pytest.raises(ValueError, match="nonsense"):
        store.run()
    (failed,) = latest_runs(store.conn, 1)
    assert failed.failure.startswith("ValueError: ")
    assert abs(failed.at - time.time()) < 10


def everything(conn: sqlite3.Connection) -> list[Any]:
    """All that a run may leave, but for when it was."""
    return [
        conn.execute("SELECT * FROM days").fetchall(),
        conn.execute("SELECT device, name, service, last_used FROM learned").fetchall(),
        conn.execute("SELECT key, value FROM meta WHERE key LIKE 'analysis%'").fetchall(),
        sorted({finding for run in latest_runs(conn, KEPT) for finding in run.findings}),
        conn.execute("SELECT count(*) FROM attempts").fetchall(),
    ]


def test_wherever_a_run_ends_the_next_one_comes_to_the_same(store: Store, tmp_path: Path) -> None:
    """It is stopped after each ten instructions of SQLite, in turn."""
    store.put(
        Keep(MAC, Progress(State.PROTECTED, settled=True)),
        learn("example.com", NOW - 500),
        *(attempt(NOW - 60, f"h{number}.example.com") for number in range(6)),
    )
    assert store.writer.close()
    store.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    outcomes: list[list[Any]] = []
    stopped = True
    while stopped:
        path = str(tmp_path / f"{len(outcomes)}.db")
        shutil.copy(store.path, path)
        with closing(open_writer(path)) as conn:
            left = len(outcomes)

            def tick() -> bool:
                nonlocal left
                left -= 1
                return left < 0

            conn.set_progress_handler(tick, 10)
            stopped = True
            with suppress(sqlite3.OperationalError):
                analyse(conn, Match.DOMAIN, Limits())
                stopped = False
        with closing(open_writer(path)) as conn:
            for _ in range(2):
                analyse(conn, Match.DOMAIN, Limits())
            outcomes.append(everything(conn))
    assert len(outcomes) > 50
    assert outcomes[-1][0][0][4:] == (6, 0)
    assert all(outcome == outcomes[-1] for outcome in outcomes)


def test_what_a_run_costs_depends_on_what_is_new_not_on_what_is_stored(tmp_path: Path) -> None:
    """Counted in instructions of SQLite, at 10,000, 100,000 and 500,000 attempts; 200 are new each time."""
    costs = []
    for stored in (10_000, 100_000, 500_000):
        path = str(tmp_path / f"{stored}.db")
        with closing(open_writer(path)) as conn:
            conn.executescript(
                f"BEGIN; {HISTORY.format(stored=stored, begun=time.time() - 30 * 3600)} COMMIT;"
            )
            assert analyse(conn, Match.CHAIN, Limits()).rows == 0
            conn.execute("UPDATE meta SET value = json_set(value, '$[1]', 0) WHERE key = 'days_summed'")
            writer = Writer(path)
            writer.put_all([attempt(time.time(), f"h{number % 20}.example.com") for number in range(200)])
            assert writer.flush(20.0)
            writer.close()
            cost, run = instructions(conn, lambda conn: analyse(conn, Match.CHAIN, Limits()))
            assert run.rows == 200
            costs.append(cost)
    assert max(costs) < 1.1 * min(costs), costs
    assert max(costs) < 100_000, costs


HISTORY = """
    INSERT INTO words (word) VALUES ('outside'), ('dns'), ('learned');
    INSERT INTO devices (id, mac, first_seen, last_seen) VALUES (1, 'cc:44:63:ea:63:63', {begun}, {begun});
    INSERT INTO sorts
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
        SELECT i, {stored} >> 12, 1, '192.168.1.20', '203.0.113.' || (i % 250), 443, 6, 'web',
            'h' || (i % 20) || '.example.com', 1, 2, 1, 3 FROM n;
    INSERT INTO tries
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {stored})
        SELECT i, {begun} + i * 0.2, (i - 1) % 500 + 1, 40000, nullif(i - 1, 0) FROM n;
    INSERT INTO activity SELECT device, max(id), max(at), count(*), 0 FROM attempts GROUP BY device;
    INSERT INTO meta VALUES ('analysis_cursor', '{stored}'), ('days_summed', '[{stored}, 0]');
    INSERT INTO hours
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {stored} / 10)
        SELECT {begun} / 3600 - 50 - i / 20, 1, 'h' || (i % 20) || '.example.com', 'web', 1, 9 FROM n;
"""


def instructions(conn: sqlite3.Connection, ask: Callable[[sqlite3.Connection], Run]) -> tuple[int, Run]:
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
    return count, found


def test_old_attempts_are_summed_and_go(store: Store) -> None:
    store.put(*(attempt(NOW - 3 * 86400 + number, "old.example.com") for number in range(4)))
    store.put(attempt(NOW, "new.example.com"))
    limits = Limits(attempts_kept=3600.0)
    analyse(store.conn, Match.DOMAIN, limits)
    store.conn.execute("UPDATE meta SET value = ? WHERE key = 'trusted_time'", (f"{NOW} 0",))
    analyse(store.conn, Match.DOMAIN, limits)
    assert [name for (name,) in store.conn.execute("SELECT name FROM attempts")] == ["new.example.com"]
    assert store.conn.execute("SELECT sum(count) FROM hours").fetchone() == (4,)


def rule(destination: str, action: Action = Action.ALLOW, **facts: Any) -> Rule:
    return Rule(facts.pop("device", "*"), destination, facts.pop("service", ""), action, **facts)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (rule("example.net"), "allowed"),
        (rule("c2.example.net", Action.DENY), "denied"),
        (rule("*.example.net"), "allowed"),
        (rule("example.net", device=TV, service="web"), "allowed"),
        (rule("example.net", device=PLUG), "open"),
        (rule("example.net", service="tcp/22"), "open"),
        (rule("other.net"), "open"),
        (rule("example.net", until=NOW - 1), "open"),
        (rule("example.net", until=NOW + 100), "allowed"),
    ],
)
def test_a_rule_decides_the_alerts_that_it_speaks_of(store: Store, said: Rule, state: str) -> None:
    store.put(raised())
    settle(store.conn, Settings(rules=(said,)), NOW)
    (found,) = alerts(store.conn)
    assert found.state == state


def test_whose_rule_it_was_and_when_is_kept(store: Store) -> None:
    store.put(raised())
    rules = (rule("other.example")._replace(by="cli:root"), rule("example.net")._replace(
        by="slack:U024BE7LH", at="2026-11-21T12:00:00Z"
    ))  # fmt: skip
    settle(store.conn, Settings(rules=rules), NOW)
    (found,) = alerts(store.conn)
    assert (found.decided_by, found.decided_at) == ("slack:U024BE7LH", 1795262400.0)


def test_an_alert_without_a_name_is_decided_by_its_address(store: Store) -> None:
    store.put(raised(destination="203.0.113.9", name=""))
    network = Rule("*", ip_network("203.0.113.0/24"), "", Action.ALLOW)
    assert settle(store.conn, Settings(rules=(network,)), NOW) == 1
    assert settle(store.conn, Settings(rules=(network,)), NOW) == 0


def test_a_name_that_the_first_data_gave_can_be_decided_about(store: Store) -> None:
    store.put(raised(destination="203.0.113.9", name=""), label(name="api.example.net"))
    assert settle(store.conn, Settings(rules=(rule("*.example.net"),)), NOW) == 1


def test_no_rule_about_destinations_decides_what_is_not_about_one(store: Store) -> None:
    store.put(raised(kind=Kind.SCAN, destination="", service="", name=""))
    network = Rule("*", ip_network("203.0.113.0/24"), "", Action.ALLOW)
    assert settle(store.conn, Settings(rules=(rule("*"), network)), NOW) == 0


def test_an_alert_about_no_packet_is_decided_by_its_destination_alone(store: Store) -> None:
    store.put(raised(kind=Kind.UNUSED, destination="example.net", address="", name=""))
    network = Rule("*", ip_network("203.0.113.0/24"), "", Action.ALLOW)
    assert settle(store.conn, Settings(rules=(network,)), NOW) == 0
    assert settle(store.conn, Settings(rules=(rule("example.net"), network)), NOW) == 1


def test_what_was_decided_stays_as_it_was_decided(store: Store) -> None:
    store.put(raised())
    settle(store.conn, Settings(rules=(rule("example.net"),)), NOW)
    settle(store.conn, Settings(rules=(rule("example.net", Action.DENY),)), NOW)
    assert [found.state for found in alerts(store.conn)] == ["allowed"]
