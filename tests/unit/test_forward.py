# SPDX-License-Identifier: GPL-2.0-or-later
"""The guard's names come back with their addresses, each once, and nothing else does."""

import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from smartrouter.analyzer import forward, lookups
from smartrouter.analyzer.forward import MAX_WANTED, TOLD_AT_ONCE, Forward
from smartrouter.analyzer.lookups import Lookups
from smartrouter.analyzer.resolve import NOT_KNOWN, NOTHING, Answer, Question, Wanted
from smartrouter.core.events import LookedUp


class Desk:
    """A resolver that knows the names that begin with `a`, and what was told of them."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.asked: list[Question] = []
        self.silent = 0  # so many questions at first nobody answers
        self.forward = Forward(Lookups(self._look_up))

    def _look_up(self, question: Question) -> Answer:
        self.asked.append(question)
        self.free.wait(60)
        if len(self.asked) <= self.silent:
            return NOT_KNOWN
        return Answer(("198.51.100.5", "2001:db8::5"), 299.5) if question.of.startswith("a") else NOTHING

    def told(self, count: int) -> list[dict[str, Any]]:
        """All that is told until there are `count` names."""
        told: list[dict[str, Any]] = []
        until = time.monotonic() + 20
        while len(told) < count and time.monotonic() < until:
            news = self.forward.news()
            assert len(news) <= TOLD_AT_ONCE
            told += news
            time.sleep(0.002)
        return told


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.free.set()


def test_a_name_is_told_once_with_its_addresses_for_as_long_as_they_hold(desk: Desk) -> None:
    desk.forward.ask(["a.example"])
    told = desk.told(1)
    assert told == [{"name": "a.example", "addresses": ["198.51.100.5", "2001:db8::5"], "ttl": 300}]
    assert LookedUp(**told[0]).name == "a.example"
    assert desk.asked == [Question(Wanted.ADDRESSES, "a.example")]
    assert desk.forward.news() == []


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """That nothing is known is remembered for a moment only."""
    monkeypatch.setattr(lookups, "SHORTEST", 0.05)
    monkeypatch.setattr(sys.modules[__name__], "NOT_KNOWN", NOT_KNOWN._replace(ttl=0.05))


@pytest.mark.usefixtures("forgetful")
def test_where_nobody_answers_nothing_is_told_and_it_is_asked_again(desk: Desk) -> None:
    desk.silent = 3
    desk.forward.ask(["a.example"])
    (told,) = desk.told(1)
    assert told["addresses"] == ["198.51.100.5", "2001:db8::5"]
    assert len(desk.asked) == 4


@pytest.mark.usefixtures("forgetful")
def test_what_nobody_answers_for_long_is_given_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "TRIED_FOR", 0.3)
    desk.silent = 10**6
    desk.forward.ask(["a.example"])
    until = time.monotonic() + 20
    while desk.forward._wanted and time.monotonic() < until:
        assert desk.forward.news() == []
        time.sleep(0.002)
    assert not desk.forward._wanted
    assert len(desk.asked) > 1


def test_a_name_without_addresses_is_told_too(desk: Desk) -> None:
    desk.forward.ask(["nowhere.example"])
    assert desk.told(1) == [{"name": "nowhere.example", "addresses": [], "ttl": 60}]


def test_a_name_that_is_asked_for_again_is_told_again_from_memory(desk: Desk) -> None:
    for _ in range(3):
        desk.forward.ask(["a.example", "a.example"])
        assert len(desk.told(1)) == 1
    assert len(desk.asked) == 1


def test_a_name_that_hangs_does_not_hold_the_others_up(desk: Desk) -> None:
    desk.free.clear()
    desk.forward.ask(["slow.example"])
    assert desk.forward.news() == []
    desk.free.set()
    assert [told["name"] for told in desk.told(1)] == ["slow.example"]


@pytest.mark.parametrize(
    "names", [None, "a.example", {"a.example": 1}, [None], [1], [""], ["a" * 2000], [[]]]
)
def test_what_is_no_name_is_left_out(desk: Desk, names: object) -> None:
    desk.forward.ask(names)
    assert desk.forward.news() == []
    assert desk.asked == []


def test_a_flood_of_names_is_bounded_and_what_had_no_room_is_counted(desk: Desk) -> None:
    desk.free.clear()
    desk.forward.ask([f"a{n}.example" for n in range(3 * MAX_WANTED)])
    assert desk.forward.dropped == 2 * MAX_WANTED
    desk.free.set()
    assert len(desk.told(MAX_WANTED)) == MAX_WANTED
    desk.forward.ask(["after.example"])
    assert len(desk.told(1)) == 1
