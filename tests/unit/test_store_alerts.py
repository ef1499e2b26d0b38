# SPDX-License-Identifier: GPL-2.0-or-later
"""Alerts are listed, named, and decided about."""

import sqlite3

import pytest
from unit.made_effects import NOON, PLUG, TV, raised, withdraw, write

from smartrouter.core.effects import Kind
from smartrouter.store.alerts import (
    AlertState,
    alert,
    alerts,
    alerts_after,
    alerts_changed,
    latest_change,
    merged_alerts,
    nameless_alerts,
    set_alert_state,
    set_reverse,
    settle_alerts,
)

BARE = raised(destination="203.0.113.9", name="")


def test_an_alert_comes_back_with_all_its_occurrences(conn: sqlite3.Connection) -> None:
    write(conn, raised(at=NOON), raised(at=NOON + 5, address="203.0.113.10", blocked=False))
    write(conn, raised(at=NOON + 9, address="203.0.113.10", detail="the third"))
    found = alert(conn, 1)
    assert found is not None
    assert found._asdict() == {
        "id": 1, "mac": TV, "kind": "new-destination", "destination": "example.net", "service": "web",
        "reason": "unknown-name", "severity": "warning", "evidence": "dns", "name": "c2.example.net",
        "reverse": None, "first": NOON, "last": NOON + 9, "occurrences": 3, "blocked": 2, "state": "open",
        "detail": "the third",
        "targets": (("203.0.113.10", 443, 6, 2), ("203.0.113.9", 443, 6, 1)),
        "decided_by": "", "decided_at": None, "change": 3,
    }  # fmt: skip
    assert alert(conn, 2) is None


def test_who_decided_and_when_is_kept(conn: sqlite3.Connection) -> None:
    write(conn, raised())
    assert set_alert_state(conn, 1, AlertState.DISMISSED, "cli:root", NOON)
    found = alert(conn, 1)
    assert found is not None
    assert (found.state, found.decided_by, found.decided_at) == ("dismissed", "cli:root", NOON)


def test_every_change_of_an_alert_can_be_asked_for(conn: sqlite3.Connection) -> None:
    write(conn, raised(), raised(PLUG))
    assert [each.id for each in alerts_changed(conn, 0, 10)] == [1, 2]
    cursor = latest_change(conn)
    assert alerts_changed(conn, cursor, 10) == []
    write(conn, raised(at=NOON + 1))
    set_reverse(conn, [(2, "a.example")])
    assert [each.id for each in alerts_changed(conn, cursor, 10)] == [1, 2]
    cursor = latest_change(conn)
    set_alert_state(conn, 1, AlertState.ALLOWED)
    assert [each.id for each in alerts_changed(conn, cursor, 10)] == [1]


def test_a_change_is_found_though_the_alert_that_changed_last_has_gone(conn: sqlite3.Connection) -> None:
    write(conn, raised())
    cursor = latest_change(conn)
    conn.execute("DELETE FROM alerts")
    write(conn, raised())
    assert [each.id for each in alerts_changed(conn, cursor, 10)] == [2]


def test_alerts_are_listed_latest_first(conn: sqlite3.Connection) -> None:
    write(conn, raised(at=NOON), raised(PLUG, at=NOON + 2), raised(destination="b.example", at=NOON + 1))
    assert [each.id for each in alerts(conn)] == [2, 3, 1]
    assert [each.id for each in alerts(conn, mac=TV)] == [3, 1]
    assert [each.id for each in alerts(conn, limit=1, offset=1)] == [3]


def test_alerts_are_listed_by_state(conn: sqlite3.Connection) -> None:
    write(conn, raised(), raised(PLUG))
    assert set_alert_state(conn, 1, AlertState.ALLOWED)
    assert [each.id for each in alerts(conn, state=AlertState.OPEN)] == [2]
    assert [each.id for each in alerts(conn, state=AlertState.ALLOWED)] == [1]


def test_new_alerts_are_those_behind_a_cursor(conn: sqlite3.Connection) -> None:
    write(conn, raised(), raised(PLUG))
    assert [each.id for each in alerts_after(conn, 0, 1)] == [1]
    assert [each.id for each in alerts_after(conn, 1, 10)] == [2]
    conn.execute("DELETE FROM alerts")
    write(conn, raised())
    assert [each.id for each in alerts_after(conn, 2, 10)] == [3]


def test_a_reverse_name_labels_an_alert_and_says_so(conn: sqlite3.Connection) -> None:
    write(conn, BARE, raised())
    assert [each.id for each in nameless_alerts(conn, 10)] == [1]
    set_reverse(conn, [(1, "server-9.example.net")])
    found = alert(conn, 1)
    assert found is not None
    assert (found.name, found.reverse, found.evidence) == ("", "server-9.example.net", "reverse")
    write(conn, BARE)
    again = alert(conn, 1)
    assert again is not None
    assert (again.evidence, again.occurrences) == ("reverse", 2)


def test_an_address_without_a_reverse_name_is_looked_up_once(conn: sqlite3.Connection) -> None:
    write(conn, BARE)
    set_reverse(conn, [(1, "")])
    assert nameless_alerts(conn, 10) == []
    found = alert(conn, 1)
    assert found is not None
    assert found.evidence == "none"


def test_a_reverse_name_is_wanted_only_of_what_is_about_one_address(conn: sqlite3.Connection) -> None:
    scan = raised(kind=Kind.SCAN, destination="", service="", name="")
    tunnel = raised(kind=Kind.DNS_TUNNEL, destination="tunnel.example", name="", address="")
    write(conn, scan, tunnel, BARE)
    assert [each.destination for each in nameless_alerts(conn, 10)] == ["203.0.113.9"]
    write(conn, withdraw(destination="203.0.113.9"))
    assert nameless_alerts(conn, 10) == []


def test_alerts_without_one_destination_are_listed_like_any_other(conn: sqlite3.Connection) -> None:
    kinds = (Kind.SCAN, Kind.REPEATER, Kind.HIDDEN_RESOLVER, Kind.PERSON)
    write(conn, *(raised(kind=kind, destination="", service="", name="", address="") for kind in kinds))
    assert [(each.kind, each.destination) for each in alerts(conn)] == [(kind, "") for kind in kinds[::-1]]


def test_what_became_part_of_another_alert_is_told_apart(conn: sqlite3.Connection) -> None:
    write(conn, raised(), raised(PLUG), withdraw())
    assert merged_alerts(conn, [1, 2, 7]) == {1}
    assert [each.id for each in alerts(conn, state=AlertState.MERGED)] == [1]
    assert settle_alerts(conn, "*", "example.net", "", AlertState.ALLOWED) == 1


def test_an_alert_that_is_not_there_cannot_be_decided(conn: sqlite3.Connection) -> None:
    assert not set_alert_state(conn, 7, AlertState.DENIED)


def test_an_old_alert_does_not_open_again_beside_a_new_one(conn: sqlite3.Connection) -> None:
    write(conn, raised())
    set_alert_state(conn, 1, AlertState.ALLOWED)
    write(conn, raised())
    assert not set_alert_state(conn, 1, AlertState.OPEN)
    set_alert_state(conn, 2, AlertState.DENIED)
    assert set_alert_state(conn, 1, AlertState.OPEN)


@pytest.mark.parametrize(
    ("mac", "service", "settled"),
    [(TV, "web", [1]), (TV, "", [1, 2]), ("*", "web", [1, 3]), ("*", "", [1, 2, 3]), (PLUG, "tcp/23", [])],
)
def test_deciding_about_a_destination_settles_its_alerts(
    conn: sqlite3.Connection, mac: str, service: str, settled: list[int]
) -> None:
    write(conn, raised(), raised(service="tcp/23"), raised(PLUG), raised(destination="other.example"))
    assert settle_alerts(conn, mac, "example.net", service, AlertState.ALLOWED) == len(settled)
    assert sorted(each.id for each in alerts(conn, state=AlertState.ALLOWED)) == settled


def test_what_was_decided_stays_decided(conn: sqlite3.Connection) -> None:
    write(conn, raised())
    set_alert_state(conn, 1, AlertState.DENIED)
    assert settle_alerts(conn, "*", "example.net", "", AlertState.ALLOWED) == 0
