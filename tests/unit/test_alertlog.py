# SPDX-License-Identifier: GPL-2.0-or-later
"""The alert file's lines: each alert once, with what is known, soon."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from unit.made_effects import raised

from smartrouter.analyzer import alertlog
from smartrouter.analyzer.alertlog import PATIENCE, AlertLog
from smartrouter.analyzer.lookups import Lookups
from smartrouter.analyzer.resolve import NOTHING, Answer, Question
from smartrouter.core.effects import Alert, Effect, Evidence, Kind, Raise, Severity, Withdraw
from smartrouter.core.errors import Unavailable
from smartrouter.core.policy import Reason
from smartrouter.store.alerts import alert as stored_alert
from smartrouter.store.connect import open_writer
from smartrouter.store.writer import Writer

MAC = "cc:44:63:ea:63:63"
NAMES = {"198.51.100.5": "reverse.example"}


class Desk:
    """A store, a guard's writer, and the file."""

    def __init__(self, folder: Path):
        self.database = str(folder / "store.db")
        self.file = folder / "alerts.txt"
        self.writer = Writer(self.database)
        self.conn = open_writer(self.database)
        self.hanging = threading.Event()
        self.hanging.set()
        self.lookups = Lookups(self._look_up)
        self.log = self.start()

    def start(self) -> AlertLog:
        """As after a start of the analyzer."""
        self.log = AlertLog(self.conn, str(self.file), self.lookups)
        return self.log

    def attempt(self, address: str, name: str = "", at: float = 1522178425.47355) -> None:
        """The guard raises an alert, or counts on."""
        destination = name or address
        evidence = Evidence.DNS if name else Evidence.NONE
        alert = Alert(
            at, MAC, Kind.NEW_DESTINATION, Reason.UNKNOWN_NAME, Severity.WARNING, destination, "web", name,
            evidence, address, 443, 6, False,
        )  # fmt: skip
        self.put(Raise(alert))

    def put(self, *effects: Effect) -> None:
        """The guard stores these."""
        for effect in effects:
            self.writer.put(effect)
        assert self.writer.flush(20.0)

    def lines(self, seconds: float = 0.0) -> list[str]:
        """The file after that time of turns, device and time left out."""
        until = time.monotonic() + seconds
        self.log.turn()
        while time.monotonic() < until:
            time.sleep(0.02)
            self.log.turn()
        text = self.file.read_text() if self.file.exists() else ""
        return [line.removeprefix(f"{MAC} -> ").partition(" @ ")[0] for line in text.splitlines()]

    def reverse(self) -> str | None:
        """The name that is kept with the first alert."""
        kept = stored_alert(self.conn, 1)
        return kept and kept.reverse

    def until(self, what: Callable[[], bool]) -> None:
        """Turn until this is so."""
        end = time.monotonic() + 20.0
        while not what():
            assert time.monotonic() < end, self.lines()
            time.sleep(0.02)

    def _look_up(self, question: Question) -> Answer:
        self.hanging.wait(60)
        return Answer((NAMES[question.of],), 300.0) if question.of in NAMES else NOTHING


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.hanging.set()
    desk.writer.close()
    desk.conn.close()


def test_a_line_says_who_where_and_when(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    desk.attempt("198.51.100.7", "am2-005-edge.digitalhub.com")
    desk.log.turn()
    wanted = "cc:44:63:ea:63:63 -> am2-005-edge.digitalhub.com @ 2018-03-27 19:20:25.473550\n"
    assert desk.file.read_text() == wanted


def test_a_hundred_attempts_at_one_destination_are_one_line(desk: Desk) -> None:
    for number in range(100):
        desk.attempt("198.51.100.7", "cloud.example", at=1000.0 + number)
        desk.log.turn()
    assert desk.lines() == ["cloud.example"]


def test_without_a_name_the_reverse_name_is_written_and_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alertlog, "PATIENCE", 60.0)
    desk.attempt("198.51.100.5")
    desk.until(lambda: desk.lines() == ["reverse.example"] and desk.reverse() == "reverse.example")


def test_without_any_name_the_address_is_unresolved(desk: Desk) -> None:
    desk.attempt("108.177.127.97")
    desk.until(lambda: desk.lines() == ["UNRESOLVED(108.177.127.97)"])


def test_a_lookup_that_hangs_delays_the_line_a_moment_only_and_its_name_is_kept_later(desk: Desk) -> None:
    desk.hanging.clear()
    desk.attempt("198.51.100.5")
    begun = time.monotonic()
    assert desk.lines() == []
    while not desk.lines():
        time.sleep(0.02)
    assert time.monotonic() - begun >= PATIENCE
    assert desk.lines() == ["UNRESOLVED(198.51.100.5)"]
    desk.hanging.set()
    desk.until(lambda: desk.lines() == ["UNRESOLVED(198.51.100.5)"] and desk.reverse() == "reverse.example")


def test_a_scan_is_one_line_in_place_of_the_alerts_that_it_began_with(desk: Desk) -> None:
    desk.hanging.clear()
    for number in range(3):
        desk.attempt(f"198.51.100.{number}", at=100.0 + number)
    assert desk.lines() == []
    detail = "horizontal scan: 254 attempts, 254 addresses, tcp/23"
    scan = raised(kind=Kind.SCAN, destination="", service="", name="", address="198.51.100.9", detail=detail)
    parts = [Withdraw(MAC, Kind.NEW_DESTINATION, f"198.51.100.{n}", "web") for n in range(3)]
    desk.put(*parts, scan)
    assert desk.lines(2 * PATIENCE) == [f"scan ({detail})"]


def test_nothing_is_looked_up_for_what_is_not_about_one_address(desk: Desk) -> None:
    desk.hanging.clear()
    for kind, group in ((Kind.DNS_TUNNEL, "tunnel.example"), (Kind.REPEATER, "")):
        desk.put(raised(kind=kind, destination=group, service="", name=""))
    assert desk.lines() == ["tunnel.example", "repeater"]


def test_alerts_keep_their_order(desk: Desk) -> None:
    desk.attempt("198.51.100.5")
    desk.attempt("198.51.100.7", "named.example")
    assert desk.lines(0.2) == ["reverse.example", "named.example"]


def test_a_restart_repeats_nothing_and_misses_nothing(desk: Desk) -> None:
    desk.attempt("198.51.100.7", "before.example", at=1.0)
    desk.log.turn()
    desk.attempt("198.51.100.8", "between.example", at=2.0)
    desk.start()
    assert desk.lines() == ["before.example", "between.example"]
    desk.start()
    assert desk.lines() == ["before.example", "between.example"]


def test_a_crash_between_the_line_and_its_note_repeats_nothing(desk: Desk) -> None:
    desk.attempt("198.51.100.5", at=1.5)
    desk.attempt("198.51.100.7", "cloud.example", at=2.5)
    assert len(desk.lines(0.2)) == 2
    desk.conn.execute("DELETE FROM meta WHERE key = 'alert_file_cursor'")
    desk.lookups = Lookups(lambda _: NOTHING)
    desk.conn.execute("UPDATE alerts SET reverse = NULL")
    desk.start()
    assert desk.lines(0.2) == ["reverse.example", "cloud.example"]


def test_reverse_names_that_an_earlier_run_did_not_get_are_looked_up(desk: Desk) -> None:
    desk.attempt("198.51.100.5")
    desk.lines(0.2)
    desk.conn.execute("UPDATE alerts SET reverse = NULL")
    desk.start()
    desk.lines(0.2)
    kept = stored_alert(desk.conn, 1)
    assert kept is not None
    assert kept.reverse == "reverse.example"


def test_a_file_that_cannot_be_written_loses_no_line(desk: Desk) -> None:
    desk.file.mkdir()
    desk.attempt("198.51.100.7", "cloud.example")
    with pytest.raises(Unavailable):
        desk.log.turn()
    desk.file.rmdir()
    assert desk.lines() == ["cloud.example"]


def test_without_a_file_alerts_get_their_reverse_names_all_the_same(desk: Desk) -> None:
    log = AlertLog(desk.conn, None, desk.lookups)
    desk.attempt("198.51.100.5")

    def is_kept() -> bool:
        log.turn()
        return desk.reverse() == "reverse.example"

    desk.until(is_kept)
    assert not desk.file.exists()


def test_a_store_that_fails_loses_no_line(desk: Desk) -> None:
    desk.attempt("198.51.100.7", "cloud.example")
    blocker = sqlite3.connect(desk.database, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError):
        desk.log.turn()
    blocker.execute("ROLLBACK")
    blocker.close()
    desk.start()
    assert desk.lines() == ["cloud.example"]


def test_lookups_that_found_no_room_are_made_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartrouter.analyzer.lookups.MAX_WAITING", 1)
    monkeypatch.setattr("smartrouter.analyzer.lookups.WORKERS", 1)
    desk.lookups = Lookups(lambda question: Answer((f"{question.of}.example",), 300.0))
    desk.start()
    for number in range(6):
        desk.attempt(f"198.51.100.{number}", at=float(number + 1))

    def all_have_names() -> bool:
        desk.log.turn()
        nameless = desk.conn.execute("SELECT count(*) FROM alerts WHERE reverse IS NULL").fetchone()
        return bool(nameless == (0,))

    desk.until(all_have_names)
