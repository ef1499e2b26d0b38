# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter alerts --follow` prints what comes, until it is interrupted."""

import json
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.made_home import PLUG, TV, Home, alert

from smartrouter.core.effects import Kind
from smartrouter.store.alerts import AlertState, set_alert_state
from smartrouter.store.connect import open_writer
from smartrouter.store.writer import Writer


class Follower:
    """The command as a process, whose lines are read as they come."""

    def __init__(self, home: Home, *arguments: str):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "smartrouter", *home.command("alerts", "--follow", *arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def line(self) -> str:
        return self.lines.get(timeout=20)

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    home.fill()
    yield home
    home.close()


def raise_(home: Home, *alerts: object) -> None:
    writer = Writer(home.database)
    for each in alerts:
        writer.put(each)  # type: ignore[arg-type]
    assert writer.flush(20)
    writer.close()


def first_line(home: Home, follower: Follower) -> str:
    """Have alerts raised until it has begun to look; gives its first line, once it has printed the last."""
    for number in range(100):
        raise_(home, alert(TV, f"{number}.example"))
        time.sleep(0.2)
        if not follower.lines.empty():
            break
    first = line = follower.line()
    while not re.search(rf"\b{number}\.example", line):
        line = follower.line()
    return first


def test_what_comes_and_what_becomes_of_it_is_printed_and_what_was_is_not(home: Home) -> None:
    follower = Follower(home)
    line = first_line(home, follower)
    assert "warning  Living-room TV tried to reach" in line
    assert "evil.example" not in line
    raise_(home, alert(PLUG, "b\x1b.example"))
    assert (
        "smart-plug tried to reach b\\x1b.example (web), which is new to it: let through." in follower.line()
    )
    conn = open_writer(home.database)
    set_alert_state(conn, 1, AlertState.ALLOWED, "cli:anna", time.time())
    conn.close()
    assert "[allowed by cli:anna at " in follower.line()
    assert follower.interrupt() == 0
    assert follower.process.stderr is not None
    assert follower.process.stderr.read() == ""


def test_as_json_it_is_an_object_a_line_and_chosen_as_in_the_listing(home: Home) -> None:
    follower = Follower(home, "--json", "--kind", "new-destination", "--severity", "warning")
    assert json.loads(first_line(home, follower))["kind"] == "new-destination"
    raise_(home, alert(TV, "x.example", kind=Kind.NEW_PORT), alert(TV, "y.example"))
    assert json.loads(follower.line())["destination"] == "y.example"
    assert follower.interrupt() == 0


def test_without_a_store_it_says_so(tmp_path: Path) -> None:
    home = Home(tmp_path)
    follower = Follower(home)
    assert follower.process.wait(20) == 1
    assert follower.process.stderr is not None
    assert "there is no store" in follower.process.stderr.read()
