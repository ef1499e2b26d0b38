# SPDX-License-Identifier: GPL-2.0-or-later
"""*Log*: filters from an address, pages, and files that do no harm."""

import contextlib
import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from datetime import timedelta, timezone

import pytest
from unit.made_alarms import HOSTILE
from unit.made_effects import NOON, PLUG, TV, record, write
from unit.made_screens import furnish, known

from smartrouter.store.log import Wanted
from smartrouter.web.views import log as screen
from smartrouter.web.views.log import COLUMNS, as_csv, as_json, log, read_filter

EAST = timezone(timedelta(hours=2))


def opener(conn: sqlite3.Connection) -> screen.Open:
    @contextlib.contextmanager
    def open_store() -> Iterator[sqlite3.Connection]:
        yield conn

    return open_store


def test_a_filter_is_read_from_an_address() -> None:
    given = {
        "device": TV.upper(), "verdict": "blocked", "reason": "scan", "destination": " evil ",
        "service": "web", "since": "2026-11-21T14:00", "until": "2026-11-21T14:30", "colour": "red",
    }  # fmt: skip
    found = read_filter(given, EAST)
    assert found.wanted == Wanted(TV, False, "scan", "evil", "web", NOON, NOON + 1800)
    assert found.faults == {}
    assert (
        read_filter(dict(part.split("=") for part in found.query.replace("%3A", ":").split("&")), EAST)
        == found
    )


def test_no_filter_wants_everything() -> None:
    found = read_filter({}, None)
    assert (found.wanted, found.query, found.faults) == (Wanted(), "", {})


@pytest.mark.parametrize(
    ("field", "text"),
    [("device", "the TV"), ("verdict", "perhaps"), ("since", "yesterday"), ("until", "2026-13-01T00:00")],
)
def test_what_makes_no_sense_is_said_beside_its_field_and_kept(field: str, text: str) -> None:
    found = read_filter({field: text}, None)
    assert list(found.faults) == [field]
    assert found.given == {field: text}
    assert found.wanted == Wanted()


def test_a_page_and_the_next(conn: sqlite3.Connection) -> None:
    furnish(conn, *(record(at=NOON + n) for n in range(screen.ON_A_PAGE + 7)))
    first = log(known(conn), conn, read_filter({}, None), None)
    second = log(known(conn), conn, read_filter({}, None), first.older)
    assert ([len(first.rows), len(second.rows)], second.older) == ([screen.ON_A_PAGE, 7], None)
    assert (first.newest, first.rows[0].id) == (107, 107)
    assert first.reasons == ["learned"]
    row = first.rows[0]
    assert (row.label, row.where, row.address, row.accepted) == (
        "Telly",
        "api.example.com",
        "203.0.113.7",
        True,
    )
    assert row.sentence.startswith("The device was seen to need")


def test_an_attempt_of_a_device_that_is_gone_is_shown_all_the_same(conn: sqlite3.Connection) -> None:
    write(conn, record())
    conn.execute("DELETE FROM devices")
    [row] = log(known(conn), conn, read_filter({}, None), None).rows
    assert (row.mac, row.label) == ("", "a device that is gone")


def test_the_whole_log_is_a_file_made_of_parts(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen, "AT_ONCE", 10)
    furnish(conn, *(record(PLUG if n % 3 == 0 else TV, at=NOON + n, accepted=n % 2 > 0) for n in range(45)))
    parts = list(as_csv(known(conn), opener(conn), read_filter({"device": PLUG}, None)))
    assert max(part.count("\r\n") for part in parts) <= 10
    rows = list(csv.DictReader(io.StringIO("".join(parts))))
    assert list(rows[0]) == list(COLUMNS)
    assert [int(row["id"]) for row in rows] == [n + 1 for n in reversed(range(0, 45, 3))]
    assert {row["verdict"] for row in rows} == {"passed", "blocked"}
    assert rows[-1]["time"] == "2026-11-21T12:00:00.000+00:00"
    told = json.loads("".join(as_json(known(conn), opener(conn), read_filter({"device": PLUG}, None))))
    assert [str(each["id"]) for each in told] == [row["id"] for row in rows]


def test_an_empty_log_is_an_empty_file(conn: sqlite3.Connection) -> None:
    assert "".join(as_csv(known(conn), opener(conn), read_filter({}, None))) == ",".join(COLUMNS) + "\r\n"
    assert json.loads("".join(as_json(known(conn), opener(conn), read_filter({}, None)))) == []


@pytest.mark.parametrize("hostile", [*HOSTILE, "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "|calc", "%0A"])
def test_no_cell_is_a_formula_or_more_than_one_line(conn: sqlite3.Connection, hostile: str) -> None:
    name = hostile.encode(errors="replace").decode()  # as the store takes it
    furnish(conn, record(name=name))
    text = "".join(as_csv(known(conn), opener(conn), read_filter({}, None)))
    [row] = csv.DictReader(io.StringIO(text))
    assert text.count("\r\n") == 2
    assert not row["name"].startswith(("=", "+", "-", "@", "\t", "\r", "|", "%"))
    told = "".join(as_json(known(conn), opener(conn), read_filter({}, None)))
    assert json.loads(told)[0]["name"] == name
