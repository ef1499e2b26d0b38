# SPDX-License-Identifier: GPL-2.0-or-later
"""A digest is put once for each channel that wants it, in the morning, when its day is summed."""

import sqlite3
import time
from collections.abc import Iterator
from datetime import date

import pytest
from unit.made_effects import NOON, PLUG, TV, raised, record, write

from smartrouter.analyzer.days import sum_up_days
from smartrouter.analyzer.digest import summaries
from smartrouter.analyzer.line import Line
from smartrouter.analyzer.report import MORNING, put_digests, report
from smartrouter.config import Config, NotifyConfig, from_text
from smartrouter.core.destinations import Match
from smartrouter.notify.outbox import from_text as message_of
from smartrouter.store.outbox import keep_channels, next_row, note_sent

DAY = 86400.0
SATURDAY = date(2026, 11, 21)
CONFIG = from_text(f"config device\n\toption mac '{TV}'\n\toption name 'Telly'\n")


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def lines(conn: sqlite3.Connection, **digests: str) -> dict[str, Line]:
    keep_channels(conn, list(digests))
    return {
        name: Line(NotifyConfig(type="webhook", name=name, digest=digest)) for name, digest in digests.items()
    }


def lived(conn: sqlite3.Connection) -> None:
    """A Saturday, summed."""
    write(conn, *(record(TV, name=f"{n}.example", at=NOON) for n in range(3)), record(PLUG, at=NOON))
    write(conn, raised(at=NOON))
    sum_up_days(conn, Match.CHAIN, NOON + DAY, at_once=True)


def titles(conn: sqlite3.Connection, channel: str) -> list[str]:
    found = []
    while (row := next_row(conn, channel)) is not None:
        found.append(message_of(row.message, row.revision).title)
        note_sent(conn, channel, row, "", NOON)
    return found


def put(conn: sqlite3.Connection, found: dict[str, Line], wall: float, minute: int = MORNING) -> None:
    put_digests(conn, found, CONFIG, wall, minute)


def test_a_day_is_told_once_to_those_who_want_it(conn: sqlite3.Connection) -> None:
    lived(conn)
    found = lines(conn, day="daily", both="both", week="weekly", none="none")
    put(conn, found, NOON + DAY)
    said = ["Saturday: 2 devices, 1 with something new, 0 with something blocked."]
    assert [titles(conn, name) for name in found] == [said, said, [], []]
    put(conn, found, NOON + DAY + 60)
    assert [titles(conn, name) for name in found] == [[], [], [], []]


def test_a_week_is_told_when_it_has_ended(conn: sqlite3.Connection) -> None:
    lived(conn)
    found = lines(conn, week="weekly")
    sum_up_days(conn, Match.CHAIN, NOON + 2 * DAY, at_once=True)
    put(conn, found, NOON + 2 * DAY)
    assert titles(conn, "week") == ["Last week: 2 devices, 1 with something new, 0 with something blocked."]


def test_not_before_the_morning_nor_before_all_of_it_is_summed(conn: sqlite3.Connection) -> None:
    found = lines(conn, day="daily")
    write(conn, record(TV, at=NOON))
    put(conn, found, NOON + DAY)
    assert titles(conn, "day") == []
    sum_up_days(conn, Match.CHAIN, NOON + DAY, at_once=True)
    put(conn, found, NOON + DAY, MORNING - 1)
    assert titles(conn, "day") == []
    put(conn, found, NOON + DAY)
    assert len(titles(conn, "day")) == 1


def test_each_device_has_a_sentence(conn: sqlite3.Connection) -> None:
    lived(conn)
    made = report(summaries(conn, SATURDAY, names={TV: "Telly"}), SATURDAY, 1, NOON)
    assert dict(made.facts)["Telly"].startswith("Telly spoke to 3 services, 1 new")
    assert (made.kind, made.severity, made.alert) == ("digest", "notice", None)


def test_a_clock_that_is_not_set_tells_nothing(conn: sqlite3.Connection) -> None:
    lived(conn)
    found = lines(conn, day="both")
    put_digests(conn, found, Config(), 1000.0, MORNING)
    assert titles(conn, "day") == []
