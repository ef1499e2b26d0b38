# SPDX-License-Identifier: GPL-2.0-or-later
"""*Home*: one sentence that is true, and what belongs to it."""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

import pytest
from unit.made_effects import NOON, PLUG, TV, keep, raised, record, write
from unit.made_screens import PHONE, furnish, known, sighting, status

from smartrouter.core.effects import THE_ROUTER, Kind, Severity
from smartrouter.core.errors import Unavailable
from smartrouter.core.learning import State
from smartrouter.store.alerts import AlertState, set_alert_state
from smartrouter.store.changes import set_meta, upsert_devices
from smartrouter.store.outbox import keep_channels
from smartrouter.web.views.home import HOURS, Home, home, without_store

NOW = NOON + 600


def seen(conn: sqlite3.Connection, extra: str = "", answer: Mapping[str, Any] | None = None) -> Home:
    return home(known(conn, extra), conn, status() if answer is None else answer, NOW)


def test_all_is_well(conn: sqlite3.Connection) -> None:
    furnish(conn)
    found = seen(conn)
    assert (found.headline.tone, found.headline.text) == ("good", "2 devices, all behaving")
    assert found.headline.detail == "1 still learns what it needs."
    assert (found.devices, found.watched, found.present, found.learning, found.protected) == (3, 2, 2, 1, 1)
    assert found.needs == []


def test_who_has_alerts_needs_somebody(conn: sqlite3.Connection) -> None:
    furnish(conn, raised(TV), raised(TV, destination="other.example"))
    found = seen(conn).headline
    assert (found.tone, found.text, found.link) == ("attention", "2 devices, 1 needs you", "/inbox")
    assert found.detail == "2 alerts wait for a decision."


def test_an_alert_about_the_router_is_no_devices(conn: sqlite3.Connection) -> None:
    furnish(conn)
    before = seen(conn)
    write(conn, raised(THE_ROUTER, kind=Kind.ACCOUNTING, destination="", service="", name="", detail="it"))
    found = seen(conn)
    assert (found.headline.tone, found.headline.text) == ("attention", "2 devices, and the router needs you")
    assert found.latest[0].text.startswith("Packets are missing in smartrouter's accounts: it")
    assert (found.devices, found.watched) == (before.devices, before.watched)
    write(conn, raised(TV))
    assert seen(conn).headline.text == "2 devices, 1 needs you"


def test_a_notice_is_no_reason_to_worry(conn: sqlite3.Connection) -> None:
    furnish(conn, raised(TV, severity=Severity.NOTICE))
    found = seen(conn).headline
    assert (found.tone, found.text) == ("good", "2 devices, all behaving")
    assert "1 notice in the inbox" in found.detail


def test_what_was_decided_needs_nobody(conn: sqlite3.Connection) -> None:
    furnish(conn, raised(TV))
    set_alert_state(conn, 1, AlertState.DISMISSED, "web:admin", NOON)
    assert seen(conn).headline.tone == "good"


def test_a_household_of_one(conn: sqlite3.Connection) -> None:
    upsert_devices(conn, [sighting(TV, "Telly")], NOON)
    write(conn, keep(TV, State.PROTECTED))
    assert seen(conn).headline.text == "1 device, behaving"
    write(conn, raised(TV))
    assert seen(conn).headline.text == "Your device needs you"


def test_nothing_seen_and_nothing_watched_are_said(conn: sqlite3.Connection) -> None:
    assert seen(conn).headline.text == "No device was seen yet"
    upsert_devices(conn, [sighting(PHONE, "Phone", iot=False)], NOON)
    found = seen(conn).headline
    assert (found.text, found.link) == ("No device is watched", "/devices")


@pytest.mark.parametrize(
    ("answer", "text", "detail"),
    [
        ({"error": "nobody listens"}, "smartrouter does not answer", "nobody listens"),
        ({}, "smartrouter does not answer", "nobody has answered yet"),
        ({**status(), "enabled": False}, "smartrouter is switched off", "nothing is blocked"),
        ({**status(), "problem": "br-lan is not there"}, "smartrouter is not working", "br-lan is not there"),
        (status(running=False, problem="it crashed"), "smartrouter is not working", "it crashed"),
    ],
)
def test_what_does_not_work_is_said_first(
    conn: sqlite3.Connection, answer: Mapping[str, Any], text: str, detail: str
) -> None:
    furnish(conn, raised(TV))
    found = seen(conn, answer=answer).headline
    assert (found.tone, found.text) == ("bad", text)
    assert detail in found.detail


def test_without_a_store_that_is_said_and_the_rest_still(conn: sqlite3.Connection) -> None:
    error = Unavailable("there is no store")
    found = without_store(known(conn), status(paused=90.0), error)
    assert (found.headline.tone, found.store_problem, found.paused) == (
        "attention",
        "there is no store",
        90.0,
    )
    assert without_store(known(conn), {"error": "gone"}, error).headline.tone == "bad"


def test_the_mode_is_the_running_one_and_who_differs_is_counted(conn: sqlite3.Connection) -> None:
    furnish(conn)
    device = f"config device\n\toption mac '{TV}'\n\toption mode 'enforce'\n"
    found = seen(conn, device, status(paused=1800.0))
    assert (found.mode, found.differing, found.paused) == ("monitor", 1, 1800.0)


def test_the_timeline_has_a_day_of_hours(conn: sqlite3.Connection) -> None:
    furnish(conn, record(at=NOON - 7000), record(at=NOON + 5, accepted=False), raised(TV, at=NOON + 6))
    hours = seen(conn).hours
    assert len(hours) == HOURS
    assert hours[-1] == (NOON, 1, 1, 1)
    assert sum(hour.attempts for hour in hours) == 2


def test_who_learns_is_shown_with_how_long(conn: sqlite3.Connection) -> None:
    furnish(conn)
    upsert_devices(conn, [sighting("02:00:00:00:00:09", "New one")], NOON)
    plug, new = seen(conn).learners
    assert (plug.mac, plug.label) == (PLUG, "Plug")
    assert 0 < plug.share < 1
    assert plug.ends is not None
    assert plug.latest is not None
    assert NOW < plug.ends <= plug.latest
    assert (new.label, new.ends) == ("New one", None)


def test_what_needs_somebody_is_listed_with_where_to_go(conn: sqlite3.Connection) -> None:
    furnish(conn)
    upsert_devices(
        conn,
        [
            sighting("02:00:00:00:00:09", "Odd", iot=None),
            sighting("02:00:00:00:00:0a", "Telly again", probably=TV, probably_reasons=("the same name",)),
        ],
        NOON,
    )
    set_meta(conn, "analyzer_trouble", json.dumps({"alert file": "no space left"}))
    needs = [(need.text, need.link) for need in seen(conn, answer={**status(), "missing": ["iot"]}).needs]
    say = "say whether to watch or to ignore."
    assert needs == [
        ("Configured, but not there: iot.", ""),
        (f"1 device of unknown kind is not watched: {say}", "/devices?show=undecided"),
        ("Telly again is probably Telly under another MAC.", "/devices/02:00:00:00:00:0a"),
        ("The analyzer's alert file fails: no space left.", ""),
    ]  # fmt: skip


def test_channels_and_the_latest_alerts_are_shown(conn: sqlite3.Connection) -> None:
    furnish(conn, raised(TV), raised(TV, destination="other.example"))
    keep_channels(conn, ["webhook"])
    conn.execute("UPDATE channels SET sent = 3, failures = 2, error = 'refused'")
    notify = "config notify\n\toption type 'webhook'\n\toption channel 'http://127.0.0.1:1/S3cret'\n"
    found = seen(conn, notify)
    assert [(each["name"], each["state"]) for each in found.channels] == [("webhook", "failing")]
    assert any("The channel webhook fails: refused" in need.text for need in found.needs)
    assert "S3cret" not in repr(found)
    assert [each.id for each in found.latest] == [2, 1]
    assert found.latest[0].text.startswith("Telly tried to reach other.example (web)")
