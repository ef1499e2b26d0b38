# SPDX-License-Identifier: GPL-2.0-or-later
"""What waits to be sent, and what was, survives; and there is an end to it."""

import sqlite3
from pathlib import Path

import pytest
from unit.made_effects import NOON, PLUG, TV, raised, write

from smartrouter.store import open_writer
from smartrouter.store import outbox as module
from smartrouter.store.outbox import (
    Put,
    channels,
    free,
    held,
    keep_channels,
    next_row,
    note_failed,
    note_sent,
    put,
    rows,
    take_back,
    trim,
    unsent_of,
)


@pytest.fixture(autouse=True)
def _channel(conn: sqlite3.Connection) -> None:
    keep_channels(conn, ["hook"])


def add(conn: sqlite3.Connection, key: str, severity: int = 1, text: str = "{}", **fields: object) -> None:
    put(conn, "hook", [Put(key, TV, severity, text, "told", **fields)], NOON)  # type: ignore[arg-type]


def send(conn: sqlite3.Connection, receipt: str = "r") -> str:
    """The next one; gives its key and revision."""
    row = next_row(conn, "hook")
    assert row is not None
    note_sent(conn, "hook", row, receipt, NOON)
    return f"{row.key}/{row.revision}"


def test_what_is_put_waits_until_it_is_sent_and_is_known_then(conn: sqlite3.Connection) -> None:
    add(conn, "a")
    assert send(conn, "receipt") == "a/1"
    assert next_row(conn, "hook") is None
    row = rows(conn, "hook", ["a", "b"])["a"]
    assert (row.waits, row.sent_revision, row.receipt, row.told) == (False, 1, "receipt", "told")
    health = channels(conn)["hook"]
    assert (health.sent, health.waiting, health.sent_at) == (1, 0, NOON)


def test_it_survives_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "other.db")
    conn = open_writer(path)
    keep_channels(conn, ["hook"])
    add(conn, "a")
    add(conn, "b")
    send(conn, "receipt")
    conn.close()
    conn = open_writer(path)
    keep_channels(conn, ["hook"])
    assert send(conn) == "b/1"
    assert rows(conn, "hook", ["a"])["a"].receipt == "receipt"
    conn.close()


def test_a_later_one_takes_the_place_of_what_waits(conn: sqlite3.Connection) -> None:
    add(conn, "a", text='{"n":1}')
    add(conn, "a", text='{"n":2}')
    row = next_row(conn, "hook")
    assert row is not None
    assert (row.message, row.revision) == ('{"n":2}', 1)


def test_what_was_sent_gets_a_higher_revision(conn: sqlite3.Connection) -> None:
    add(conn, "a")
    send(conn)
    add(conn, "a")
    assert send(conn) == "a/2"


def test_what_comes_while_another_is_handed_over_is_sent_behind_it(conn: sqlite3.Connection) -> None:
    add(conn, "a", text='{"n":1}')
    row = next_row(conn, "hook")
    assert row is not None
    add(conn, "a", text='{"n":2}')
    note_sent(conn, "hook", row, "r", NOON)
    assert send(conn) == "a/2"
    assert next_row(conn, "hook") is None


def test_the_loudest_go_first_and_what_failed_last(conn: sqlite3.Connection) -> None:
    for key, severity in (("quiet", 0), ("first", 1), ("second", 1), ("loud", 2)):
        add(conn, key, severity)
    row = next_row(conn, "hook")
    note_failed(conn, "hook", row, "why", NOON, retry_at=NOON + 5)
    assert [send(conn) for _ in range(4)] == ["first/1", "second/1", "quiet/1", "loud/1"]
    assert next_row(conn, "hook") is None


def test_in_quiet_hours_only_the_loudest_are_asked_for(conn: sqlite3.Connection) -> None:
    add(conn, "a", 1)
    assert next_row(conn, "hook", 2) is None
    add(conn, "b", 2)
    row = next_row(conn, "hook", 2)
    assert row is not None
    assert row.key == "b"


def test_the_oldest_of_the_quietest_make_room_and_are_counted(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    monkeypatch.setattr(module, "MAX_TOLD", 2)
    for number in range(3):
        put(conn, "hook", [Put(f"told{number}", TV, 1, "", "", part_of="x")], NOON)
    for key, severity in (("n1", 0), ("w1", 1), ("w2", 1), ("c", 2), ("n2", 0)):
        add(conn, key, severity)
    trim(conn, "hook")
    assert set(rows(conn, "hook", ["n1", "w1", "w2", "c", "n2"])) == {"w1", "w2", "c"}
    assert set(rows(conn, "hook", ["told0", "told1", "told2"])) == {"told1", "told2"}
    assert channels(conn)["hook"].dropped == 2


def test_a_failure_is_noted_and_forgotten_with_the_next_success(conn: sqlite3.Connection) -> None:
    add(conn, "a")
    row = next_row(conn, "hook")
    note_failed(conn, "hook", row, "x" * 9999, NOON, retry_at=NOON + 5)
    note_failed(conn, "hook", row, "it answered 503", NOON + 1, retry_at=NOON + 9, disable=True)
    health = channels(conn)["hook"]
    assert (health.failures, health.error, health.error_at) == (2, "it answered 503", NOON + 1)
    assert (health.retry_at, health.disabled, health.waiting) == (NOON + 9, True, 1)
    send(conn)
    assert channels(conn)["hook"][5:10] == (0, NOON, "", None, None)


def test_what_is_given_up_is_counted_and_stays_known(conn: sqlite3.Connection) -> None:
    add(conn, "a")
    note_failed(conn, "hook", next_row(conn, "hook"), "it answered 400", NOON, retry_at=None, give_up=True)
    assert next_row(conn, "hook") is None
    assert channels(conn)["hook"].dropped == 1
    assert "a" in rows(conn, "hook", ["a"])


def test_a_channel_that_was_changed_is_tried_again_and_one_that_moved_begins_anew(
    conn: sqlite3.Connection,
) -> None:
    add(conn, "a")
    send(conn)
    note_failed(conn, "hook", None, "revoked", NOON, retry_at=None, disable=True)
    keep_channels(conn, ["hook"])
    assert channels(conn)["hook"].disabled
    keep_channels(conn, ["hook"], ["hook"])
    health = channels(conn)["hook"]
    assert (health.disabled, health.error, health.sent) == (False, "", 1)
    assert rows(conn, "hook", ["a"])["a"].receipt == "r"
    keep_channels(conn, ["hook"], ["hook"], ["hook"])
    assert rows(conn, "hook", ["a"])["a"].receipt == ""


def test_a_channel_that_went_leaves_nothing(conn: sqlite3.Connection) -> None:
    add(conn, "a")
    keep_channels(conn, ["other"])
    assert list(channels(conn)) == ["other"]
    assert conn.execute("SELECT count(*) FROM outbox").fetchone() == (0,)


def test_a_new_channel_gets_what_is_raised_from_now_on(conn: sqlite3.Connection) -> None:
    write(conn, raised(), raised(PLUG))
    keep_channels(conn, ["hook", "late"])
    assert (channels(conn)["hook"].since, channels(conn)["late"].since) == (0, 2)


def test_what_waits_and_was_never_told_can_be_taken_back(conn: sqlite3.Connection) -> None:
    add(conn, "sent")
    send(conn)
    add(conn, "sent")
    add(conn, "new")
    assert unsent_of(conn, "hook", [TV]) == ["new"]
    assert unsent_of(conn, "hook", [PLUG]) == []
    take_back(conn, "hook", ["sent", "new"])
    assert send(conn) == "sent/2"
    assert next_row(conn, "hook") is None


def test_what_is_held_is_freed_or_spoken_for(conn: sqlite3.Connection) -> None:
    for key in ("a", "b", "c"):
        add(conn, key, held=key != "c")
    assert [row.key for row in held(conn, "hook")] == ["a", "b"]
    free(conn, "hook", ["a"], "summary")
    free(conn, "hook", ["b"])
    assert held(conn, "hook") == []
    assert rows(conn, "hook", ["a"])["a"].part_of == "summary"
    assert [send(conn) for _ in range(2)] == ["b/1", "c/1"]
    assert next_row(conn, "hook") is None
