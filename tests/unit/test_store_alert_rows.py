# SPDX-License-Identifier: GPL-2.0-or-later
"""One alert gathers its occurrences, until somebody decides about it or it becomes part of a greater one."""

import sqlite3

import pytest
from unit.made_effects import NOON, PLUG, raised, withdraw, write

from smartrouter.core.effects import Effect, Kind, Severity
from smartrouter.store import alert_rows
from smartrouter.store.pending import MAX_TARGETS


def one(conn: sqlite3.Connection, sql: str, *values: object) -> object:
    row = conn.execute(sql, values).fetchone()
    return row[0] if row is not None and len(row) == 1 else row


def states(conn: sqlite3.Connection) -> list[tuple[str, int]]:
    """State and occurrences of each alert, in the order in which they were made."""
    return conn.execute("SELECT state, count FROM alerts ORDER BY id").fetchall()


def test_a_hundred_occurrences_are_one_alert(conn: sqlite3.Connection) -> None:
    for n in range(100):
        write(conn, raised(at=NOON + n, blocked=n < 10))
    assert one(conn, "SELECT count, blocked, first, last, state FROM alerts") == (
        100, 10, NOON, NOON + 99, "open",
    )  # fmt: skip
    assert one(conn, "SELECT count FROM alert_addresses") == 100


@pytest.mark.parametrize(
    "other",
    [
        raised(PLUG),
        raised(destination="example.org"),
        raised(service="tcp/23"),
        raised(kind=Kind.FOREIGN_RESOLVER),
    ],
)
def test_another_key_is_another_alert(conn: sqlite3.Connection, other: Effect) -> None:
    write(conn, raised(), other)
    assert one(conn, "SELECT count(*) FROM alerts") == 2


@pytest.mark.parametrize(("state", "alerts"), [("open", 1), ("dismissed", 1), ("allowed", 2), ("denied", 2)])
def test_a_decided_alert_gathers_no_more(conn: sqlite3.Connection, state: str, alerts: int) -> None:
    write(conn, raised())
    conn.execute("UPDATE alerts SET state = ?", (state,))
    write(conn, raised())
    write(conn, raised())
    assert one(conn, "SELECT count(*) FROM alerts") == alerts
    assert one(conn, "SELECT sum(count) FROM alerts") == 3


def test_the_addresses_of_an_alert_are_bounded_over_all_batches(conn: sqlite3.Connection) -> None:
    for n in range(100):
        write(conn, raised(address=f"203.0.113.{n}"), raised(address="203.0.113.0"))
    assert one(conn, "SELECT count(*) FROM alert_addresses") == MAX_TARGETS
    assert one(conn, "SELECT count FROM alert_addresses WHERE address = '203.0.113.0'") == 101
    assert one(conn, "SELECT count FROM alerts") == 200


ONE_BATCH, THREE_BATCHES = (3,), (1, 1, 1)


@pytest.mark.parametrize("sizes", [ONE_BATCH, THREE_BATCHES], ids=["in one batch", "each by itself"])
@pytest.mark.parametrize(
    ("said", "found"),
    [
        ((raised(), raised(), withdraw()), [("merged", 2)]),
        ((raised(), withdraw(), raised()), [("merged", 1), ("open", 1)]),
        ((withdraw(), raised(), raised()), [("open", 2)]),
        ((raised(), withdraw(), withdraw()), [("merged", 1)]),
        ((raised(), withdraw(PLUG), raised()), [("open", 2)]),
        ((raised(), withdraw(service="tcp/23"), raised()), [("open", 2)]),
        ((raised(), withdraw(kind=Kind.SCAN), raised()), [("open", 2)]),
    ],
)
def test_a_withdrawn_alert_is_part_of_another_and_what_comes_then_is_new(
    conn: sqlite3.Connection, said: tuple[Effect, ...], found: list[tuple[str, int]], sizes: tuple[int, ...]
) -> None:
    left = list(said)
    for size in sizes:
        write(conn, *left[:size])
        del left[:size]
    assert states(conn) == found


def test_what_is_withdrawn_twice_in_one_batch_keeps_its_occurrences(conn: sqlite3.Connection) -> None:
    later = raised(address="203.0.113.10", at=NOON + 9, severity=Severity.CRITICAL, blocked=False)
    write(conn, raised(), withdraw(), later, raised(at=NOON + 10), withdraw())
    assert one(conn, "SELECT state, count, blocked, first, last, severity FROM alerts") == (
        "merged", 3, 2, NOON, NOON + 10, "critical",
    )  # fmt: skip
    assert conn.execute("SELECT address, count FROM alert_addresses ORDER BY address").fetchall() == [
        ("203.0.113.10", 1), ("203.0.113.9", 2),
    ]  # fmt: skip


@pytest.mark.parametrize(("state", "after"), [("dismissed", "dismissed"), ("allowed", "allowed")])
def test_what_somebody_decided_is_not_withdrawn(conn: sqlite3.Connection, state: str, after: str) -> None:
    write(conn, raised())
    conn.execute("UPDATE alerts SET state = ?", (state,))
    write(conn, withdraw())
    assert states(conn) == [(after, 1)]


def test_a_scan_takes_the_place_of_the_alerts_that_it_began_with(conn: sqlite3.Connection) -> None:
    told = [raised(destination=f"203.0.113.{n}", address=f"203.0.113.{n}", name="") for n in range(3)]
    scan = raised(kind=Kind.SCAN, destination="", service="", name="", detail="254 addresses")
    write(conn, *told[:2])
    write(conn, told[2], *(withdraw(destination=f"203.0.113.{n}") for n in range(3)), scan)
    assert conn.execute("SELECT kind, state FROM alerts ORDER BY id").fetchall() == [
        ("new-destination", "merged"),
        ("new-destination", "merged"),
        ("new-destination", "merged"),
        ("scan", "open"),
    ]


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "each by itself"])
def test_an_alert_shows_its_latest_detail_and_its_highest_severity(
    conn: sqlite3.Connection, together: bool
) -> None:
    said = [
        raised(detail="10 addresses", severity=Severity.NOTICE),
        raised(detail="20 addresses", severity=Severity.CRITICAL),
        raised(detail="254 addresses", severity=Severity.WARNING),
    ]
    for effects in [said] if together else [[each] for each in said]:
        write(conn, *effects)
    assert one(conn, "SELECT detail, severity FROM alerts") == ("254 addresses", "critical")


def test_a_name_that_was_known_once_is_not_lost_with_the_next_occurrence(conn: sqlite3.Connection) -> None:
    bare = raised(destination="203.0.113.9", name="")
    write(conn, bare)
    conn.execute("UPDATE alerts SET name = 'late.example', evidence = 'hello'")
    write(conn, bare)
    assert one(conn, "SELECT name, evidence, count FROM alerts") == ("late.example", "hello", 2)
    write(conn, raised(destination="203.0.113.9", name="better.example"))
    assert one(conn, "SELECT name, evidence, count FROM alerts") == ("better.example", "dns", 3)


def test_the_alerts_of_one_device_are_bounded(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_rows, "MAX_DEVICE_ALERTS", 10)
    write(conn, raised(PLUG))
    for n in range(30):
        write(conn, raised(destination=f"{n}.example", at=NOON + n))
    kept = [name for (name,) in conn.execute("SELECT destination FROM alerts ORDER BY id")]
    assert kept == ["example.net", *(f"{n}.example" for n in range(20, 30))]


def test_decided_alerts_go_before_open_ones(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_rows, "MAX_ALERTS", 3)
    write(conn, raised(destination="a.example", at=NOON))
    write(conn, raised(destination="b.example", at=NOON + 1))
    conn.execute("UPDATE alerts SET state = 'allowed' WHERE destination = 'b.example'")
    write(conn, raised(destination="c.example"), raised(destination="d.example"))
    kept = {name for (name,) in conn.execute("SELECT destination FROM alerts")}
    assert kept == {"a.example", "c.example", "d.example"}
