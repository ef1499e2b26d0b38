# SPDX-License-Identifier: GPL-2.0-or-later
"""What each device did in a day, in a sentence."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from unit.made_effects import NOON, PLUG, TV, raised, record, write
from unit.made_home import TV as HOME_TV
from unit.made_home import Home, alert, attempt

from smartrouter.analyzer.days import sum_up_days
from smartrouter.analyzer.digest import digests, ended_day, ended_week, summaries
from smartrouter.cli import main
from smartrouter.core.destinations import Destination, Match
from smartrouter.core.effects import Kind, Learn, Severity, Withdraw
from smartrouter.core.events import Moment
from smartrouter.core.learning import Seen
from smartrouter.listings.digest import DIGEST
from smartrouter.notify.message import Message
from smartrouter.store import open_writer
from smartrouter.store.alerts import AlertState, set_alert_state
from smartrouter.store.changes import Sighting, upsert_devices
from smartrouter.store.retention import Limits, prune
from smartrouter.terminal import inert

SATURDAY = date(2026, 11, 21)
MONDAY = date(2026, 11, 16)
NAMES = {TV: "Your TV"}
HOUR, DAY = 3600.0, 86400.0


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def move(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    move("UTC")
    yield move
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(str(tmp_path / "store.db"))) as conn:
        yield conn


def lived(conn: sqlite3.Connection, services: int = 41, at: float = NOON, mac: str = TV) -> None:
    """The device reaches so many services, some of them more than once."""
    write(conn, *(record(mac, name=f"h.site{n % services}.example", at=at) for n in range(services + 7)))


def summed(conn: sqlite3.Connection, at: float = NOON + DAY) -> None:
    sum_up_days(conn, Match.CHAIN, at, at_once=True)


def said(conn: sqlite3.Connection, day: date = SATURDAY, **more: Any) -> list[str]:
    return [message.title for message in digests(conn, day, names=NAMES, **more)]


def test_a_day_in_a_sentence(conn: sqlite3.Connection) -> None:
    lived(conn)
    write(
        conn, raised(destination="new.example", name="x.new.example", blocked=False),
        raised(destination="more.example", name="more.example", blocked=False, service="tcp/8883"),
        record(name="evil.example", accepted=False), record(name="evil.example", accepted=False),
    )  # fmt: skip
    for number in (1, 2):
        assert set_alert_state(conn, number, AlertState.ALLOWED)
    summed(conn)
    assert said(conn) == ["Your TV spoke to 41 services, 2 new, both approved; 1 blocked."]
    (message,) = digests(conn, SATURDAY, names=NAMES)
    assert message == Message(
        key=f"digest:{TV}:2026-11-21:1", revision=0, at=NOON + 12 * HOUR, severity="notice", kind="digest",
        title=message.title, device="Your TV", mac=TV, destination="", service="",
        facts=(
            ("when", "2026-11-21"),
            ("new", "new.example (web): approved, more.example (tcp/8883): approved"),
            ("blocked", "evil.example (web)"),
        ),
    )  # fmt: skip


def test_a_quiet_day(conn: sqlite3.Connection) -> None:
    lived(conn, 1)
    summed(conn)
    assert said(conn) == ["Your TV spoke to 1 service, none new."]


def test_what_became_of_news_is_said(conn: sqlite3.Connection) -> None:
    lived(conn, 2)
    for number, state in enumerate(
        [AlertState.ALLOWED, AlertState.DENIED, AlertState.DISMISSED, AlertState.OPEN, AlertState.OPEN], 1
    ):
        write(conn, raised(destination=f"{number}.example"))
        assert set_alert_state(conn, number, state)
    summed(conn)
    assert said(conn) == [
        "Your TV spoke to 2 services, 5 new (1 approved, 1 denied, 1 dismissed, 2 waiting for you)."
    ]
    (message,) = digests(conn, SATURDAY)
    assert "5.example (web): waiting for you" in dict(message.facts)["new"]


def test_what_was_learned_is_news_too(conn: sqlite3.Connection) -> None:
    lived(conn, 3)
    write(
        conn, *(Learn(TV, Destination(f"site{n}.example", "web"), Seen(1, 0), NOON) for n in range(3))
    )  # fmt: skip
    summed(conn)
    assert said(conn) == ["Your TV spoke to 3 services, 3 new, all learned."]
    assert said(conn, date(2026, 11, 20)) == []


def test_other_alerts_are_counted_by_kind(conn: sqlite3.Connection) -> None:
    write(
        conn, raised(kind=Kind.SCAN, destination="", service="", severity=Severity.CRITICAL),
        raised(kind=Kind.DNS_TUNNEL, destination="t.example", service=""),
        raised(kind=Kind.DNS_TUNNEL, destination="u.example", service=""), raised(),
    )  # fmt: skip
    write(conn, Withdraw(TV, Kind.NEW_DESTINATION, "example.net", "web"))  # part of the scan
    summed(conn)
    assert said(conn) == ["Your TV spoke to 0 services, none new; alerts: 1 scan, 2 dns-tunnel."]


def test_only_that_day_counts_and_who_did_nothing_is_not_told_of(conn: sqlite3.Connection) -> None:
    lived(conn, 5, NOON - DAY)
    lived(conn, 2, NOON)
    lived(conn, 9, NOON + DAY, PLUG)
    write(conn, raised(at=NOON - 13 * HOUR), raised(at=NOON + 12 * HOUR, destination="tomorrow.example"))
    summed(conn, NOON + 2 * DAY)
    assert said(conn) == ["Your TV spoke to 2 services, none new."]
    assert len(said(conn, date(2026, 11, 22))) == 2
    assert said(conn, date(2026, 11, 25)) == []


def test_a_week_counts_each_service_once(conn: sqlite3.Connection) -> None:
    for day in range(-8, 3):
        lived(conn, 4, NOON + day * DAY)
    lived(conn, 6, NOON)
    summed(conn, NOON + 3 * DAY)
    assert said(conn, MONDAY, days=7) == ["Your TV spoke to 6 services, none new."]
    (message,) = digests(conn, MONDAY, days=7)
    assert message.key == f"digest:{TV}:2026-11-16:7"
    assert dict(message.facts)["when"] == "2026-11-16 to 2026-11-22"
    assert message.at == NOON + DAY + 12 * HOUR


def test_it_is_the_same_each_time_until_somebody_decides(conn: sqlite3.Connection) -> None:
    lived(conn)
    write(conn, raised(blocked=False))
    summed(conn)
    before = digests(conn, SATURDAY)
    summed(conn, NOON + 2 * DAY)
    assert digests(conn, SATURDAY) == before
    set_alert_state(conn, 1, AlertState.DENIED)
    (after,) = digests(conn, SATURDAY)
    assert (after.key, "denied" in after.title) == (before[0].key, True)


def test_an_alert_that_a_wrong_clock_stamped_counts_when_it_was_noticed(conn: sqlite3.Connection) -> None:
    write(conn, raised(at=100.0, destination="early.example"), raised(at=NOON + 900 * DAY))
    lived(conn, 1)
    prune(conn, Moment(1000.0, NOON + 60), Limits())
    summed(conn)
    (found,) = summaries(conn, SATURDAY)
    assert [name for name, _ in found.new] == ["early.example (web)", "example.net (web)"]


def test_devices_are_called_as_people_call_them(conn: sqlite3.Connection) -> None:
    upsert_devices(conn, [Sighting(PLUG, "smart-plug", "TP-Link")], NOON)
    lived(conn, 1, NOON, PLUG)
    lived(conn, 1)
    summed(conn)
    assert [message.device for message in digests(conn, SATURDAY, names=NAMES)] == ["smart-plug", "Your TV"]


@pytest.mark.parametrize(
    ("zone_name", "wall", "day", "week"),
    [
        ("UTC", NOON, date(2026, 11, 20), date(2026, 11, 9)),
        ("Pacific/Auckland", NOON, SATURDAY, date(2026, 11, 9)),
        ("UTC", NOON + 2 * DAY, date(2026, 11, 22), MONDAY),
        ("UTC", 1000.0, None, None),
    ],
)
def test_days_and_weeks_end_by_the_local_calendar(
    zone: Callable[[str], None], zone_name: str, wall: float, day: date | None, week: date | None
) -> None:
    zone(zone_name)
    assert (ended_day(wall), ended_week(wall)) == (day, week)


def test_a_day_on_which_clocks_change_has_its_own_length(
    conn: sqlite3.Connection, zone: Callable[[str], None]
) -> None:
    zone("Europe/Berlin")
    last_of_october = date(2026, 10, 25)  # 25 hours
    start = time.mktime((2026, 10, 25, 0, 0, 0, 0, 0, -1))
    write(
        conn, raised(at=start + 24.5 * HOUR, blocked=False), raised(at=start + 25.5 * HOUR, destination="x")
    )
    summed(conn, start + 2 * DAY)
    (found,) = summaries(conn, last_of_october)
    assert [name for name, _ in found.new] == ["example.net (web)"]


# -- the command ---------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Whose yesterday was summed."""
    home = Home(tmp_path)
    yesterday = time.time() - DAY

    def then(effect: Any) -> Any:
        (what,) = effect
        return type(effect)(what._replace(at=yesterday))

    home.fill(then(attempt(HOME_TV, "x\u202e.films.example")), then(alert(HOME_TV, "sly.example")))
    with closing(open_writer(home.database)) as conn:
        # An hour ago, when that was learned, is yesterday for somebody who works at night.
        conn.execute("UPDATE learned SET learned_at = learned_at - ?", (30 * DAY,))
        sum_up_days(conn, Match.CHAIN, time.time(), at_once=True)
    return home


def test_the_command_says_it(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(home.command("digest")) == 0
    out = capsys.readouterr().out
    assert "Living-room TV spoke to 1 service, 1 new, waiting for you." in out
    assert "sly.example (web): waiting for you" in out
    for line in out.splitlines():
        assert line == inert(line)
    assert main(home.command("digest", "smart-plug")) == 0
    assert "Nothing is known of that time." in capsys.readouterr().out
    assert main(home.command("digest", "--week")) == 0


def test_it_has_exactly_the_documented_keys(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(home.command("digest", "Living-room TV", "--json")) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert list(found) == list(DIGEST)
    assert found["first"] == found["last"] == str(ended_day(time.time()))
    assert found["new"] == [{"destination": "sly.example (web)", "became": "waiting for you"}]
    assert (found["services"], found["blocked"], found["alerts"]) == (1, [], {})


def test_without_a_right_clock_no_day_has_ended(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smartrouter.cli.digest.time.time", lambda: 5000.0)
    assert main(home.command("digest")) == 1
    assert "the clock is not set yet" in capsys.readouterr().err
