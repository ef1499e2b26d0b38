# SPDX-License-Identifier: GPL-2.0-or-later
"""Alerts as an inbox has them."""

import sqlite3

from unit.made_effects import NOON, PLUG, TV, raised, write

from smartrouter.core.effects import Kind, Severity
from smartrouter.store import inbox
from smartrouter.store.alerts import AlertState, set_alert_state

OPEN = (AlertState.OPEN,)


def fill(conn: sqlite3.Connection) -> None:
    write(
        conn,
        raised(TV, at=NOON, destination="a.example"),
        raised(TV, at=NOON + 5, destination="b.example", severity=Severity.NOTICE),
        raised(TV, at=NOON + 9, destination="c.example"),
        raised(PLUG, at=NOON + 1, destination="", kind=Kind.SCAN, severity=Severity.CRITICAL),
    )


def test_the_loudest_device_comes_first_and_of_each_what_matters_most(conn: sqlite3.Connection) -> None:
    fill(conn)
    assert [(g.mac, g.alerts, g.loudest, g.last, g.numbers) for g in inbox.groups(conn, OPEN, 2)] == [
        (PLUG, 1, 2, NOON + 1, (4,)),
        (TV, 3, 1, NOON + 9, (3, 1)),
    ]


def test_only_alerts_in_the_wanted_states_and_of_the_wanted_kind(conn: sqlite3.Connection) -> None:
    fill(conn)
    set_alert_state(conn, 3, AlertState.DISMISSED, "web:admin", NOON)
    assert [g.numbers for g in inbox.groups(conn, OPEN, 9)] == [(4,), (1, 2)]
    assert [g.numbers for g in inbox.groups(conn, ("dismissed",), 9)] == [(3,)]
    assert [g.numbers for g in inbox.groups(conn, OPEN, 9, "scan")] == [(4,)]
    assert inbox.groups(conn, OPEN, 9, "no-such-kind") == []


def test_a_devices_alerts_come_page_by_page_in_the_same_order(conn: sqlite3.Connection) -> None:
    fill(conn)
    assert inbox.of_device(conn, TV, OPEN, 2, 0) == [3, 1]
    assert inbox.of_device(conn, TV, OPEN, 2, 2) == [2]
    assert inbox.of_device(conn, "00:00:00:00:00:09", OPEN, 2, 0) == []


def test_alerts_are_read_in_the_order_in_which_they_are_asked_for(conn: sqlite3.Connection) -> None:
    fill(conn)
    assert [found.id for found in inbox.read(conn, [3, 99, 1])] == [3, 1]


def test_how_many_there_are(conn: sqlite3.Connection) -> None:
    fill(conn)
    set_alert_state(conn, 1, AlertState.MERGED)
    assert inbox.counts(conn) == {"open": 3, "merged": 1}
    assert inbox.open_by_severity(conn) == {"critical": 1, "notice": 1, "warning": 1}
    assert [found.id for found in inbox.latest(conn, 2)] == [4, 3]
