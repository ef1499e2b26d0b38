# SPDX-License-Identifier: GPL-2.0-or-later
"""Samples through channels on somebody's word: what comes of them, and that nothing waits for them."""

import threading
import time

import pytest

from smartrouter.analyzer import trials as module
from smartrouter.analyzer.trials import MOST, Trials, Tried
from smartrouter.config import Config, NotifyConfig
from smartrouter.core.errors import Unavailable
from smartrouter.notify import trying
from smartrouter.notify.channel import NotDelivered
from smartrouter.notify.trying import try_out

HOOK = NotifyConfig(type="webhook", url="https://user:s3cret-word@example.net/", name="hook")
CONFIG = Config(notify=(HOOK,))


def finished(trials: Trials, count: int) -> list[Tried]:
    found: list[Tried] = []
    end = time.monotonic() + 10
    while len(found) < count and time.monotonic() < end:
        found += trials.done()
        time.sleep(0.01)
    return found


def test_what_came_of_it_is_told_for_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "try_out", lambda config, _now: (f"no {config.name}", 0.0))
    trials = Trials()
    trials.begin(7, CONFIG, "hook")
    assert finished(trials, 1) == [Tried(7, "no hook")]
    assert trials.done() == []


@pytest.mark.parametrize("name", ["nobody", None, 7])
def test_a_channel_that_there_is_not_is_said(name: object) -> None:
    with pytest.raises(Unavailable, match="there is hook"):
        Trials().begin(1, CONFIG, name)


def test_only_so_many_at_once_and_none_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr(module, "try_out", lambda *_: (str(gate.wait(10)), 0.0))
    trials = Trials()
    for number in range(MOST):
        trials.begin(number, CONFIG, "hook")
    with pytest.raises(Unavailable, match="too many"):
        trials.begin(99, CONFIG, "hook")
    assert trials.done() == []
    gate.set()
    assert {tried.request for tried in finished(trials, MOST)} == set(range(MOST))
    trials.begin(100, CONFIG, "hook")
    assert finished(trials, 1)[0].request == 100


class _Channel:
    def __init__(self, failure: Exception | None):
        self.failure = failure
        self.closed = False

    def send(self, message: object, receipt: str) -> str:
        if self.failure is not None:
            raise self.failure
        return ""

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (None, ("", 0.0)),
        (NotDelivered("it answered 429 to s3cret-word", retry_after=90.0), ("it answered 429 to …", 90.0)),
        (Unavailable("no s3cret-word here"), ("no … here", 0.0)),
        (RuntimeError("s3cret-word"), ("a fault of smartrouter's: RuntimeError", 0.0)),
    ],
    ids=["taken", "not delivered", "not there", "a fault"],
)
def test_a_sample_is_tried_and_no_secret_is_told(
    monkeypatch: pytest.MonkeyPatch, failure: Exception | None, says: tuple[str, float]
) -> None:
    channel = _Channel(failure)
    monkeypatch.setattr(trying, "open_channel", lambda _: channel)
    assert try_out(HOOK, 1.0) == says
    assert channel.closed
