# SPDX-License-Identifier: GPL-2.0-or-later
"""A part is started, watched, talked to, and brought back: with real processes of a tiny part."""

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tries import within

from smartrouter.channel import Answer
from smartrouter.linux import process
from smartrouter.supervisor import children
from smartrouter.supervisor.children import Child, Part, State

PROGRAM = Path(__file__).resolve().parent.parent / "tiny_part.py"
SHARE = {"config": {"main": [{}]}, "lan": ["br-lan"]}


class Watcher:
    """A child with the loop around it that the supervisor has, and what it told."""

    def __init__(self, folder: Path, *ways: str, command: tuple[str, ...] = ()):
        self.folder = folder
        self.behave(*ways)
        self.told: list[dict[str, Any]] = []
        self.turned_at = 0.0  # when the loop was turned last
        self.outages: list[float | None] = []
        part = Part("guard", command or (sys.executable, str(PROGRAM), "guard", str(folder)))
        self.child = Child(
            part, process.environment(), self._greet, lambda _, told, __: self.told.append(told)
        )

    def behave(self, *ways: str) -> None:
        (self.folder / "guard.way").write_text(" ".join(ways))

    def _greet(self, child: Child, now: float) -> None:
        self.outages.append(child.outage(now))
        child.configure(SHARE, now, lambda _: None)

    def until(self, what: Callable[[], object], patience: float = 20.0) -> float:
        """Turn the loop until `what` holds; gives the seconds that it took."""
        start = time.monotonic()
        while not what():
            assert time.monotonic() - start < patience, (self.child.state, self.child.problem)
            poll = select.poll()
            if self.child.fileno() >= 0:
                poll.register(self.child.fileno(), select.POLLIN)
            deadline = self.child.next_deadline() or time.monotonic() + 0.1
            if poll.poll(max(0.0, min(0.1, deadline - time.monotonic())) * 1000):
                self.child.ready(time.monotonic())
            self.turned_at = time.monotonic()
            self.child.step(self.turned_at)
        return time.monotonic() - start

    def pause(self) -> float:
        """Seconds that a part which died a turn ago is to wait."""
        return round((self.child.next_deadline() or 0.0) - self.turned_at, 3)

    def start(self) -> None:
        self.child.start(time.monotonic())
        self.until(lambda: self.child.state is State.RUNNING)

    def ask(self, do: str, patience: float = 10.0, **arguments: object) -> Answer:
        answers: list[Answer] = []
        self.child.ask(do, arguments, time.monotonic(), answers.append, patience=patience)
        self.until(lambda: answers)
        return answers[0]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Watcher]]:
    """`watch(*ways)`: a watcher of a part that behaves so; its process ends with the test."""
    watchers: list[Watcher] = []

    def make(*ways: str, command: tuple[str, ...] = ()) -> Watcher:
        watchers.append(Watcher(tmp_path, *ways, command=command))
        return watchers[-1]

    yield make
    for watcher in watchers:
        watcher.child.stop(time.monotonic())
        watcher.until(lambda: watcher.child.state is State.STOPPED)  # noqa: B023 - used in this turn


Watch = Callable[..., Watcher]


def test_a_part_runs_once_it_has_acknowledged_its_configuration(watch: Watch) -> None:
    part = watch()
    assert part.child.state is State.STOPPED
    part.start()
    assert '"do": "configure", "config"' in (part.folder / "guard.log").read_text()
    assert part.child.problem == ""
    assert part.outages == [None]
    assert process.rss_kib(part.child.pid) > 1000


def test_it_is_asked_and_answers(watch: Watch) -> None:
    part = watch()
    part.start()
    assert part.ask("pause", seconds=60) == {"ok": {"did": "pause"}}


def test_a_killed_part_is_back_within_a_second(watch: Watch) -> None:
    part = watch()
    part.start()

    def kill() -> float:
        before = part.child.pid
        os.kill(before, signal.SIGKILL)
        return part.until(lambda: part.child.pid != before and part.child.state is State.RUNNING)

    took = kill()
    assert part.child.restarts == 1
    outage = part.outages[1]
    assert outage is not None
    assert 0.2 <= outage < took + children.SILENCE  # from its last beat on
    assert took < 1 or within(1.0, kill, 3)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> float:
    """A second of silence is too much already; tests/netns waits as long as it really is."""
    monkeypatch.setattr(children, "SILENCE", 1.0)
    return 1.0


def test_a_hanging_part_is_killed_and_its_outage_counts_from_its_last_beat(
    watch: Watch, impatient: float
) -> None:
    part = watch()
    part.start()
    first = part.child.pid
    os.kill(first, signal.SIGSTOP)
    took = part.until(lambda: part.child.pid != first)
    assert impatient / 3 < took
    assert "no sign of life" in part.child.problem
    part.until(lambda: part.child.state is State.RUNNING)
    outage = part.outages[1]
    assert outage is not None
    assert outage > impatient


def test_a_part_that_only_seems_silent_because_we_were_away_lives(watch: Watch, impatient: float) -> None:
    part = watch()
    part.start()
    first = part.child.pid
    time.sleep(impatient + 0.5)
    part.child.step(time.monotonic())
    part.until(lambda: True)
    assert part.child.pid == first


def test_a_part_that_never_comes_up_is_started_ever_later_but_always(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(children, "LONGEST_PAUSE", 0.3)
    part = watch("dies")
    part.child.start(time.monotonic())
    waits: list[float] = []
    for _ in range(7):
        part.until(lambda: part.child.state is State.WAITING and part.child.restarts > len(waits))
        waits.append(part.pause())
        part.until(lambda: part.child.state is not State.WAITING)
    assert waits[0] <= 0.02
    assert waits[4] > 0.1
    assert all(wait <= 0.3 for wait in waits)
    assert part.child.problem == "ended by itself with status 3; the log says why"
    part.behave()
    part.until(lambda: part.child.state is State.RUNNING)
    assert part.child.problem == ""


def test_a_part_that_had_come_up_is_back_at_once_unless_it_died_very_often_of_late(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(children, "OFTEN", 3)
    monkeypatch.setattr(children, "LATELY", 3000.0)
    part = watch()
    part.start()
    waits: list[float] = []
    for _ in range(7):
        os.kill(part.child.pid, signal.SIGKILL)
        part.until(lambda: part.child.state is State.WAITING)
        waits.append(part.pause())
        part.until(lambda: part.child.state is State.RUNNING)
    assert all(wait <= 0.02 for wait in waits[:3])
    assert waits[6] > 0.1
    monkeypatch.setattr(children, "LATELY", 0.0)
    time.sleep(0.01)
    os.kill(part.child.pid, signal.SIGKILL)
    part.until(lambda: part.child.state is State.WAITING)
    assert part.pause() <= 0.02


def test_a_part_that_cannot_work_says_why(watch: Watch) -> None:
    part = watch("fails")
    part.child.start(time.monotonic())
    part.until(lambda: part.child.restarts)
    assert part.child.problem == "the queue belongs to somebody else: stop that program"
    assert part.child.absence().endswith("(waiting: the queue belongs to somebody else: stop that program)")


def test_a_part_that_refuses_its_first_configuration_is_started_anew(watch: Watch) -> None:
    part = watch("refuses")
    part.child.start(time.monotonic())
    part.until(lambda: part.child.restarts)
    assert part.child.problem == "nft is missing: install it"


def test_a_part_that_refuses_a_change_goes_on_with_what_it_has(watch: Watch) -> None:
    part = watch("refuses-changes")
    part.start()
    first = part.child.pid
    answers: list[Answer] = []
    part.child.configure(SHARE, time.monotonic(), answers.append)
    part.until(lambda: answers)
    assert answers == [{"error": "nft is missing: install it"}]
    assert part.child.problem == "keeps its old configuration: nft is missing: install it"
    assert (part.child.state, part.child.pid) == (State.RUNNING, first)


def test_a_program_that_is_not_there_is_said_so(watch: Watch) -> None:
    part = watch(command=("/nonexistent/python",))
    part.child.start(time.monotonic())
    part.until(lambda: part.child.restarts)
    assert part.child.problem == "cannot start /nonexistent/python: No such file or directory"


def test_a_part_that_does_not_come_up_is_given_up(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "START_PATIENCE", 0.3)
    part = watch(command=("/bin/sh", "-c", "sleep 60"))
    part.child.start(time.monotonic())
    part.until(lambda: part.child.restarts)
    assert "not up after" in part.child.problem


def test_a_part_that_talks_nonsense_is_ended(watch: Watch) -> None:
    talk = "import socket, sys, time; s = socket.socket(fileno=int(sys.argv[-1])); s.send(b'nonsense\\n'); "
    talk += "time.sleep(60)"
    part = watch(command=(sys.executable, "-c", talk))
    part.child.start(time.monotonic())
    part.until(lambda: part.child.restarts)
    assert "nonsense" in part.child.problem


@pytest.mark.parametrize(
    "message",
    [
        b'{"id": [1], "ok": 3}',
        b'{"id": 99, "ok": {}}',
        b'{"beat": 1, "id": null}',
        b"{}",
        b'{"tell": {"a": 1}}',
    ],
)
def test_odd_messages_of_a_part_harm_nobody(watch: Watch, message: bytes) -> None:
    part = watch()
    part.start()
    first = part.child.pid
    part.child._hear(json.loads(message), time.monotonic())
    assert part.ask("status") == {"ok": {"mode": "monitor"}}
    assert part.child.pid == first


def test_who_waits_for_an_answer_gets_one_when_the_part_dies_or_says_nothing(watch: Watch) -> None:
    part = watch("deaf")
    part.start()
    assert part.ask("status", 0.5) == {"error": "the guard did not answer in time"}
    answers: list[Answer] = []
    part.child.ask("status", {}, time.monotonic(), answers.append, patience=60)
    os.kill(part.child.pid, signal.SIGKILL)
    part.until(lambda: answers)
    assert answers == [{"error": "the guard went away: killed by SIGKILL"}]


def test_a_part_that_is_not_there_cannot_be_asked(watch: Watch) -> None:
    assert watch().ask("status") == {"error": "the guard is not running (stopped)"}


def test_a_stopped_part_stays_stopped(watch: Watch) -> None:
    part = watch()

    def stop() -> float:
        part.start()
        part.child.stop(time.monotonic())
        return part.until(lambda: part.child.state is State.STOPPED)

    assert within(children.STOP_PATIENCE, stop)
    assert part.child.pid == 0
    assert part.child.next_deadline() is None


def test_a_part_that_does_not_want_to_stop_must(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "STOP_PATIENCE", 0.3)
    part = watch("stays")
    part.start()
    part.child.stop(time.monotonic())
    assert part.until(lambda: part.child.state is State.STOPPED) > 0.25


def test_a_part_started_while_it_stops_comes_back(watch: Watch) -> None:
    part = watch()
    part.start()
    first = part.child.pid
    part.child.stop(time.monotonic())
    part.child.start(time.monotonic())
    part.until(lambda: part.child.state is State.RUNNING)
    assert part.child.pid != first
    assert part.outages[1] is not None


def test_what_hangs_by_another_sign_is_killed_too(watch: Watch) -> None:
    part = watch()
    part.start()
    first, now = part.child.pid, time.monotonic()
    part.child.hangs("packets wait", now - 1.0, now)
    part.until(lambda: True)
    assert part.child.pid == first
    part.child.hangs("packets wait and none is judged", now - 3.0, now)
    part.until(lambda: part.child.restarts)
    assert part.child.problem == "packets wait and none is judged"
