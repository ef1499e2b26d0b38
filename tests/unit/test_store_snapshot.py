# SPDX-License-Identifier: GPL-2.0-or-later
"""What is kept on flash: copies, the journal between them, and what becomes of both when the power fails."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from unit.made_effects import PLUG, TV, forget, keep, learn, record, write

from smartrouter.core.errors import Unavailable
from smartrouter.core.learning import State
from smartrouter.store import snapshot
from smartrouter.store.connect import open_reader, open_writer
from smartrouter.store.queries import load_state
from smartrouter.store.snapshot import COPY, DAMAGED, JOURNAL, Restored


@pytest.fixture
def database(tmp_path: Path) -> str:
    (tmp_path / "ram").mkdir()
    return str(tmp_path / "ram" / "smartrouter.db")


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    (tmp_path / "flash").mkdir()
    return tmp_path / "flash"


def stored(database: str, *effects: object) -> None:
    conn = open_writer(database)
    write(conn, *effects)  # type: ignore[arg-type]
    conn.close()


def reboot(database: str) -> None:
    """Memory is gone."""
    for suffix in ("", "-wal", "-shm"):
        Path(database + suffix).unlink(missing_ok=True)


def known(database: str, mac: str = TV) -> set[str]:
    conn = open_reader(database)
    try:
        return {destination.name for destination in load_state(conn).learned.get(mac, {})}
    finally:
        conn.close()


def test_a_copy_brings_everything_back(database: str, flash: Path) -> None:
    stored(database, learn(name="netflix.com"), record(), keep(state=State.PROTECTED))
    assert snapshot.take(database, str(flash)) == (flash / COPY).stat().st_size
    reboot(database)
    assert snapshot.restore(database, str(flash)) == Restored(copy=True)
    assert known(database) == {"netflix.com"}
    conn = open_reader(database)
    assert load_state(conn).progress[TV].state is State.PROTECTED
    assert conn.execute("SELECT count(*) FROM attempts").fetchone()[0] == 1
    assert conn.execute("PRAGMA journal_mode").fetchone()[0] == "wal"  # as the others expect it
    conn.close()


def test_a_copy_is_one_file(database: str, flash: Path) -> None:
    stored(database, learn())
    snapshot.take(database, str(flash))
    assert [path.name for path in flash.iterdir()] == [COPY]


def test_what_is_learned_between_two_copies_is_in_the_journal(database: str, flash: Path) -> None:
    stored(database, learn(name="netflix.com"))
    snapshot.take(database, str(flash))
    stored(database, learn(name="nflxvideo.net"), learn(PLUG, name="tplinkcloud.com"))
    assert snapshot.note(database, str(flash)) == (flash / JOURNAL).stat().st_size
    reboot(database)
    assert snapshot.restore(database, str(flash)) == Restored(copy=True, learned=2)
    assert known(database) == {"netflix.com", "nflxvideo.net"}
    assert known(database, PLUG) == {"tplinkcloud.com"}


def test_what_was_forgotten_stays_forgotten(database: str, flash: Path) -> None:
    stored(database, learn(name="netflix.com"), learn(name="ads.example"))
    snapshot.take(database, str(flash))
    stored(database, forget(name="ads.example"))
    snapshot.note(database, str(flash))
    reboot(database)
    assert snapshot.restore(database, str(flash)) == Restored(copy=True, forgotten=1)
    assert known(database) == {"netflix.com"}


def test_the_end_of_learning_is_in_the_journal(database: str, flash: Path) -> None:
    stored(database, learn(), keep(state=State.LEARNING))
    snapshot.take(database, str(flash))
    stored(database, keep(state=State.PROTECTED))
    assert snapshot.note(database, str(flash))
    reboot(database)
    snapshot.restore(database, str(flash))
    conn = open_reader(database)
    assert load_state(conn).progress[TV].state is State.PROTECTED
    conn.close()


def test_the_journal_is_written_only_when_something_is_new(database: str, flash: Path) -> None:
    stored(database, learn(name="netflix.com"))
    assert snapshot.note(database, str(flash)) > 0  # the first copy
    assert snapshot.note(database, str(flash)) > 0  # a journal that says so: nothing
    before = (flash / JOURNAL).stat().st_ino
    stored(database, record(), learn(name="netflix.com"))  # use, and traffic
    assert snapshot.note(database, str(flash)) == 0
    assert (flash / JOURNAL).stat().st_ino == before
    stored(database, learn(name="nflxvideo.net"))
    assert snapshot.note(database, str(flash)) > 0
    assert snapshot.note(database, str(flash)) == 0


def test_a_journal_of_an_earlier_copy_says_nothing(database: str, flash: Path) -> None:
    """As when the power fails between the new copy and the end of the old journal."""
    stored(database, learn(name="netflix.com"))
    snapshot.take(database, str(flash))
    stored(database, learn(name="ads.example"))
    snapshot.note(database, str(flash))
    old = (flash / JOURNAL).read_bytes()
    stored(database, forget(name="ads.example"))
    snapshot.take(database, str(flash))
    (flash / JOURNAL).write_bytes(old)
    reboot(database)
    assert snapshot.restore(database, str(flash)) == Restored(copy=True)
    assert known(database) == {"netflix.com"}


def test_a_store_that_is_there_is_left_alone(database: str, flash: Path) -> None:
    stored(database, learn(name="netflix.com"))
    snapshot.take(database, str(flash))
    stored(database, learn(name="nflxvideo.net"))
    assert snapshot.restore(database, str(flash)) == Restored()
    assert known(database) == {"netflix.com", "nflxvideo.net"}


def test_nothing_kept_is_nothing_restored(database: str, flash: Path) -> None:
    assert snapshot.restore(database, str(flash)) == Restored()
    assert not os.path.exists(database)


@pytest.mark.parametrize("harm", ["cut", "scribbled", "empty"])
def test_a_torn_copy_is_set_aside(harm: str, database: str, flash: Path) -> None:
    stored(database, *(learn(name=f"n{number}.example") for number in range(200)))
    snapshot.take(database, str(flash))
    whole = (flash / COPY).read_bytes()
    torn = {"cut": whole[: len(whole) // 2], "scribbled": whole[:2048] + os.urandom(len(whole) - 2048)}
    (flash / COPY).write_bytes(torn.get(harm, b""))
    reboot(database)
    found = snapshot.restore(database, str(flash))
    if harm == "empty":  # is an empty store
        assert found == Restored(copy=True)
    else:
        assert found == Restored(damaged=(str(flash / COPY) + DAMAGED,))
        assert not (flash / COPY).exists()
    stored(database, learn(name="netflix.com"))  # it works
    assert known(database) == {"netflix.com"}


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"[]", b"\xff\xfe", b'{"of": "%s"}',
        b'{"of": "%s", "learned": 7, "forgotten": [], "progress": []}',
        b'{"of": "%s", "learned": [["x"]], "forgotten": [], "progress": []}',
        b'{"of": "%s", "learned": [[{}, 1]], "forgotten": [], "progress": []}',
    ],
    ids=["empty", "cut", "list", "bytes", "keyless", "number", "short", "object"],
)  # fmt: skip
def test_a_torn_journal_is_set_aside_and_the_copy_stands(text: bytes, database: str, flash: Path) -> None:
    stored(database, learn(name="netflix.com"))
    snapshot.take(database, str(flash))
    kept = sqlite3.connect(flash / COPY)
    mark = kept.execute("SELECT value FROM meta WHERE key = 'snapshot'").fetchone()[0]
    kept.close()
    (flash / JOURNAL).write_bytes(text.replace(b"%s", mark.encode()))
    reboot(database)
    found = snapshot.restore(database, str(flash))
    assert found == Restored(copy=True, damaged=(str(flash / JOURNAL) + DAMAGED,))
    assert known(database) == {"netflix.com"}


def test_a_copy_that_fails_leaves_the_one_before(database: str, flash: Path) -> None:
    stored(database, learn(name="netflix.com"))
    snapshot.take(database, str(flash))
    before = (flash / COPY).read_bytes()
    with pytest.raises(Exception, match="there is no store"):
        snapshot.take(database + "-elsewhere", str(flash))
    assert (flash / COPY).read_bytes() == before
    assert [path.name for path in flash.iterdir()] == [COPY]


def test_a_newer_versions_copy_is_left_alone_and_no_store_made_of_it(database: str, flash: Path) -> None:
    stored(database, learn(name="netflix.com"))
    snapshot.take(database, str(flash))
    kept = sqlite3.connect(flash / COPY)
    kept.execute("PRAGMA user_version = 9999")
    kept.close()
    before = (flash / COPY).read_bytes()
    reboot(database)
    with pytest.raises(Unavailable, match="newer smartrouter"):
        snapshot.restore(database, str(flash))
    assert not os.path.exists(database)
    assert (flash / COPY).read_bytes() == before


def test_the_signature_changes_with_the_store(database: str) -> None:
    stored(database, learn(name="netflix.com"))
    before = snapshot.signature(database)
    assert snapshot.signature(database) == before
    stored(database, learn(name="nflxvideo.net"))
    assert snapshot.signature(database) != before


def test_what_was_not_written_to_its_end_goes_with_the_next_copy(database: str, flash: Path) -> None:
    stored(database, learn(name="netflix.com"))
    snapshot.take(database, str(flash))
    for name in (COPY, JOURNAL):
        (flash / f"{name}.new").write_text("half of")
    snapshot.take(database, str(flash))
    assert {path.name for path in flash.iterdir()} == {COPY}


COPIER = """
import sys
from smartrouter.store import snapshot
while True:
    snapshot.note(sys.argv[1], sys.argv[2])
    snapshot.take(sys.argv[1], sys.argv[2])
    print("taken", flush=True)
"""


def test_whenever_it_is_killed_what_is_kept_can_be_taken_up(
    database: str, flash: Path, rounds: Callable[[int], int]
) -> None:
    stored(database, *(learn(name=f"n{number}.example") for number in range(300)))
    snapshot.take(database, str(flash))
    for count in range(rounds(20)):
        name = f"later{count}.example"
        stored(database, learn(name=name))
        copier = subprocess.Popen(
            [sys.executable, "-c", COPIER, database, str(flash)], stdout=subprocess.PIPE, text=True
        )
        assert copier.stdout is not None
        copier.stdout.readline()
        time.sleep(0.002 * count)
        copier.send_signal(signal.SIGKILL)
        copier.wait()
        copier.stdout.close()
        elsewhere = database + f".after-{count}"
        found = snapshot.restore(elsewhere, str(flash))
        assert found.copy
        assert not found.damaged
        assert name in known(elsewhere)
    leftovers = {path.name for path in flash.iterdir()} - {COPY, JOURNAL}
    snapshot.take(database, str(flash))
    assert {path.name for path in flash.iterdir()} == {COPY}, leftovers


def test_what_was_learned_before_the_clock_was_set_survives(database: str, flash: Path) -> None:
    """A router that boots in 1970, learns, and is set to the present only afterwards; and the other way."""
    moment = 30.0
    stored(database, learn(name="netflix.com", at=moment), record(at=moment))
    snapshot.take(database, str(flash))
    stored(database, learn(name="nflxvideo.net", at=moment + 60))
    snapshot.note(database, str(flash))
    os.utime(flash / COPY, (moment, moment))
    reboot(database)
    assert snapshot.restore(database, str(flash)) == Restored(copy=True, learned=1)
    assert known(database) == {"netflix.com", "nflxvideo.net"}


def test_the_journal_holds_names_as_they_are(database: str, flash: Path) -> None:
    stored(database, learn(name="netflix.com"))
    snapshot.take(database, str(flash))
    odd = "x'); DROP TABLE learned; --.example"
    stored(database, learn(name=odd))
    snapshot.note(database, str(flash))
    assert json.loads((flash / JOURNAL).read_text())["learned"][0][1] == odd
    reboot(database)
    snapshot.restore(database, str(flash))
    assert known(database) == {"netflix.com", odd}
