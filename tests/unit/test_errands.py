# SPDX-License-Identifier: GPL-2.0-or-later
"""Work in a forked process: its answer comes back, and nothing that it does harms us."""

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from smartrouter.core.errors import BadConfig
from smartrouter.supervisor import errands
from smartrouter.supervisor.errands import Errands, Work

Answer = Mapping[str, Any]
UNTIL_IT_HANGS = (0.5, 5.0, 50.0)  # seconds of patience with an errand that has still to get so far


class Office:
    """Errands with a poll loop around them."""

    def __init__(self) -> None:
        self.errands = Errands()
        self.answers: list[Answer] = []

    def send(self, work: Work) -> None:
        self.errands.send(work, self.answers.append, time.monotonic())

    def wait(self, answers: int = 1, patience: float = 20.0) -> list[Answer]:
        end = time.monotonic() + patience
        while len(self.answers) < answers:
            assert time.monotonic() < end
            poll = select.poll()
            if self.errands.fileno() >= 0:
                poll.register(self.errands.fileno(), select.POLLIN)
            if poll.poll(20):
                self.errands.ready(time.monotonic())
            self.errands.step(time.monotonic())
        return self.answers


@pytest.fixture
def office() -> Iterator[Office]:
    office = Office()
    yield office
    assert not office.errands.busy


def fail(error: BaseException) -> Work:
    def work() -> Answer:
        raise error

    return work


def test_the_answer_comes_back(office: Office) -> None:
    office.send(lambda: {"pid": os.getpid(), "list": [1, "é"]})
    assert office.errands.busy
    (answer,) = office.wait()
    assert answer["ok"]["list"] == [1, "é"]
    assert answer["ok"]["pid"] != os.getpid()


def test_a_large_answer_comes_back_whole(office: Office) -> None:
    office.send(lambda: {"text": "x" * 3_000_000})
    assert len(office.wait()[0]["ok"]["text"]) == 3_000_000


def test_an_error_on_purpose_keeps_its_words_and_kind(office: Office) -> None:
    office.send(fail(BadConfig("mode: found x; allowed are monitor, enforce")))
    assert office.wait() == [{"error": "mode: found x; allowed are monitor, enforce", "kind": "BadConfig"}]


def test_a_fault_of_ours_tells_its_type_and_no_secret(office: Office) -> None:
    office.send(fail(ValueError("xoxb-secret")))
    assert office.wait() == [{"error": "a fault of smartrouter's: ValueError; the log has more"}]


def test_an_errand_that_dies_is_answered_for(office: Office) -> None:
    def die() -> Answer:
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    office.send(die)
    assert office.wait() == [{"error": "an errand of the supervisor's was killed by SIGKILL"}]


def test_one_that_takes_too_long_is_ended_with_what_it_started(
    office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"

    def hang() -> Answer:
        pid = os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "600")
        pid_file.with_suffix(".new").write_text(str(pid))
        pid_file.with_suffix(".new").rename(pid_file)
        time.sleep(600)
        return {}

    for patience in UNTIL_IT_HANGS:
        monkeypatch.setattr(errands, "PATIENCE", patience)
        office.answers.clear()
        office.send(hang)
        assert office.wait(patience=patience + 60.0) == [
            {"error": "an errand of the supervisor's was killed by SIGKILL"}
        ]
        if pid_file.exists():
            break
    state, end = Path(f"/proc/{pid_file.read_text()}/stat"), time.monotonic() + 20.0
    while state.exists() and state.read_text().split()[2] not in "ZX":
        assert time.monotonic() < end
        time.sleep(0.01)


def test_errands_are_done_one_after_another_in_order(office: Office, tmp_path: Path) -> None:
    diary = tmp_path / "diary"

    def note(number: int) -> Work:
        def work() -> Answer:
            with diary.open("a") as file:
                file.write(f"<{number}")
                file.flush()
                time.sleep(0.02)
                file.write(">")
            return {"number": number}

        return work

    for number in range(5):
        office.send(note(number))
    assert [answer["ok"]["number"] for answer in office.wait(5)] == [0, 1, 2, 3, 4]
    assert diary.read_text() == "<0><1><2><3><4>"


def test_an_answer_may_send_the_next_errand(office: Office) -> None:
    def again(answer: Answer) -> None:
        office.answers.append(answer)
        office.send(lambda: {"second": True})

    office.errands.send(lambda: {"first": True}, again, time.monotonic())
    assert office.wait(2) == [{"ok": {"first": True}}, {"ok": {"second": True}}]


def test_an_errand_holds_on_to_none_of_our_sockets(office: Office) -> None:
    ours, theirs = socket.socketpair()

    def look() -> Answer:
        return {"open": sorted(int(name) for name in os.listdir("/proc/self/fd"))}

    office.send(look)
    opened = office.wait()[0]["ok"]["open"]
    assert ours.fileno() not in opened
    assert theirs.fileno() not in opened
    ours.close()
    theirs.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_mean_to_an_errand_what_they_usually_mean(office: Office, number: signal.Signals) -> None:
    def ignore(*_: object) -> None:
        """As the supervisor's handlers do."""

    before: Callable[..., object] | int | None = signal.signal(number, ignore)
    try:

        def work() -> Answer:
            os.kill(os.getpid(), number)
            return {}

        office.send(work)
        assert office.wait() == [{"error": f"an errand of the supervisor's was killed by {number.name}"}]
    finally:
        signal.signal(number, before)


def test_one_that_hangs_ends_even_if_nobody_waits_for_it_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor was killed: who is left must not keep the configuration from the next one for good."""
    begun = tmp_path / "begun"

    def work() -> Answer:
        begun.touch()
        time.sleep(600)
        return {}

    for patience in UNTIL_IT_HANGS:
        monkeypatch.setattr(errands, "PATIENCE", patience)
        Errands().send(work, lambda _: None, time.monotonic())
        _, status = os.wait()
        if begun.exists():
            break
    assert begun.exists()
    assert os.waitstatus_to_exitcode(status) == -signal.SIGALRM
