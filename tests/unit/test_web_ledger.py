# SPDX-License-Identifier: GPL-2.0-or-later
"""The web interface's own file: sessions and the audit log, and what becomes of them without a disk."""

import stat
from pathlib import Path

from smartrouter.web import ledger as module
from smartrouter.web.ledger import Ledger, Line
from smartrouter.web.sessions import Sessions

NOW = 1_800_000_000.0


def line(number: int) -> Line:
    return Line(NOW + number, "web:admin", "192.168.1.50", "allow", f"destination {number}", "done")


def test_lines_come_back_the_newest_first_and_in_pages(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    for number in range(5):
        ledger.write(line(number))
    first = ledger.lines(2)
    assert [found for _, found in first] == [line(4), line(3)]
    assert [found for _, found in ledger.lines(9, first[-1][0])] == [line(2), line(1), line(0)]
    assert [found for _, found in Ledger(str(tmp_path)).lines(1)] == [line(4)], "they outlive the process"


def test_it_is_bounded(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(module, "MOST_LINES", 3)
    ledger = Ledger(str(tmp_path))
    for number in range(6):
        ledger.write(line(number)._replace(about="x" * 10_000))
    found = ledger.lines(9)
    assert len(found) == 3
    assert {len(each.about) for _, each in found} == {300}


def test_sessions_come_back(tmp_path: Path) -> None:
    sessions = Sessions()
    name, session = sessions.open("192.168.1.50", "a browser", NOW)
    Ledger(str(tmp_path)).keep_sessions(sessions.all(NOW), "scrypt$1")
    again = Sessions(Ledger(str(tmp_path)).sessions("scrypt$1"))
    found = again.find(name, NOW)
    assert found is not None
    assert (found.csrf, found.source) == (session.csrf, "192.168.1.50")
    assert Ledger(str(tmp_path)).sessions("scrypt$2") == [], "somebody changed the password since"
    assert name.encode() not in (tmp_path / module.NAME).read_bytes()
    Ledger(str(tmp_path)).keep_sessions([], "scrypt$1")
    assert Ledger(str(tmp_path)).sessions("scrypt$1") == []


def test_the_file_is_for_its_user_alone(tmp_path: Path) -> None:
    Ledger(str(tmp_path)).write(line(1))
    assert stat.S_IMODE((tmp_path / module.NAME).stat().st_mode) == 0o600


def test_without_a_disk_the_latest_lines_are_in_memory_and_are_written_later(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    ledger = Ledger(str(folder))
    for number in range(3):
        ledger.write(line(number))
    assert [found for _, found in ledger.lines(9)] == [line(2), line(1), line(0)]
    assert ledger.sessions("scrypt$1") == []
    ledger.keep_sessions([], "scrypt$1")
    folder.mkdir()
    ledger.write(line(3))
    assert [found for _, found in Ledger(str(folder)).lines(9)] == [line(3), line(2), line(1), line(0)]


def test_a_damaged_file_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / module.NAME).write_bytes(b"no database" * 1000)
    ledger = Ledger(str(tmp_path))
    ledger.write(line(1))
    ledger.write(line(2))
    assert [found for _, found in ledger.lines(9)] == [line(2), line(1)]
