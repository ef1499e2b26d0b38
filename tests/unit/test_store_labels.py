# SPDX-License-Identifier: GPL-2.0-or-later
"""A name that the first data of a connection gave is written to what was kept without one, and
to nothing else."""

import sqlite3

import pytest
from unit.made_effects import PLUG, TV, label, raised, record, write

from smartrouter.core.effects import Effect
from smartrouter.store.attempts import attempts_of
from smartrouter.store.labels import LATEST

BARE = raised(destination="203.0.113.9", name="")


def nameless(mac: str = TV, address: str = "203.0.113.9") -> Effect:
    return record(mac, name="", address=address)


def called(conn: sqlite3.Connection, mac: str = TV) -> list[tuple[str, str, str]]:
    """Address, name and evidence of the device's attempts, the newest first."""
    return [(each.address, each.name, each.evidence) for each in attempts_of(conn, mac, 1000)]


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in the next"])
def test_alert_and_attempt_get_the_name(conn: sqlite3.Connection, together: bool) -> None:
    for effects in ([nameless(), BARE, label()],) if together else ([nameless(), BARE], [label()]):
        write(conn, *effects)
    assert conn.execute("SELECT name, evidence, destination FROM alerts").fetchall() == [
        ("hello.example.net", "hello", "203.0.113.9")
    ]
    assert called(conn) == [("203.0.113.9", "hello.example.net", "hello")]


def test_what_has_a_name_or_another_address_or_another_device_stays(conn: sqlite3.Connection) -> None:
    write(conn, record(address="203.0.113.9"), nameless(address="203.0.113.10"), nameless(PLUG))
    write(conn, raised(), raised(destination="203.0.113.10", name="", address="203.0.113.10"))
    write(conn, raised(PLUG, destination="203.0.113.9", name=""), label())
    assert called(conn) == [("203.0.113.10", "", "none"), ("203.0.113.9", "api.example.com", "dns")]
    assert called(conn, PLUG) == [("203.0.113.9", "", "none")]
    assert conn.execute("SELECT count(*) FROM alerts WHERE evidence = 'hello'").fetchone() == (0,)


def test_what_was_decided_stays(conn: sqlite3.Connection) -> None:
    write(conn, BARE)
    conn.execute("UPDATE alerts SET state = 'allowed'")
    write(conn, label())
    assert conn.execute("SELECT name FROM alerts").fetchone() == ("",)


def test_only_the_latest_attempts_are_looked_at(conn: sqlite3.Connection) -> None:
    write(conn, nameless())
    write(conn, *(record() for _ in range(LATEST - 1)), nameless(PLUG))
    write(conn, label())
    assert called(conn)[-1] == ("203.0.113.9", "hello.example.net", "hello")
    write(conn, nameless(address="203.0.113.10"))
    write(conn, *(record() for _ in range(LATEST)))
    write(conn, label(address="203.0.113.10"))
    assert ("203.0.113.10", "", "none") in called(conn)


def test_the_last_word_on_an_address_counts(conn: sqlite3.Connection) -> None:
    write(conn, nameless(), label(name="first.example"), label(name="second.example"))
    assert called(conn) == [("203.0.113.9", "second.example", "hello")]


def test_a_label_for_a_device_without_any_attempt_harms_nothing(conn: sqlite3.Connection) -> None:
    write(conn, label())
    assert called(conn) == []


def test_many_labels_of_a_device_look_at_its_attempts_once(conn: sqlite3.Connection) -> None:
    write(conn, *(nameless(address=f"198.51.100.{n}") for n in range(100)))
    statements: list[str] = []
    conn.set_trace_callback(statements.append)
    write(conn, *(label(address=f"198.51.100.{n}") for n in range(100)))
    assert sum("FROM chain" in statement for statement in statements) == 1
    assert sum(evidence == "hello" for _, _, evidence in called(conn)) == LATEST
