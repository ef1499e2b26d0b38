# SPDX-License-Identifier: GPL-2.0-or-later
"""Lookups in the background: remembered, bounded, fair; and nobody waits for one that hangs."""

import select
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from smartrouter.analyzer import lookups as module
from smartrouter.analyzer.lookups import MAX_WAITING, SHORTEST, WORKERS, Lookups
from smartrouter.analyzer.resolve import LONGEST_TTL, NOTHING, Answer, Question, Wanted


def name_of(address: str) -> Question:
    return Question(Wanted.NAME, address)


def addresses_of(name: str) -> Question:
    return Question(Wanted.ADDRESSES, name)


def wait_for(what: Callable[[], object]) -> None:
    until = time.monotonic() + 20
    while not what():
        assert time.monotonic() < until
        time.sleep(0.002)


class Resolver:
    """Answers when it is let; notes what it was asked."""

    def __init__(self, ttl: float = 300.0) -> None:
        self.ttl = ttl
        self.asked: list[Question] = []
        self.free = threading.Event()
        self.free.set()

    def __call__(self, question: Question) -> Answer:
        self.asked.append(question)
        self.free.wait(60)
        if question.of == "bad":
            raise RuntimeError
        return Answer((f"{question.wanted}-of-{question.of}",), self.ttl)


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    resolver = Resolver()
    yield resolver
    resolver.free.set()


def test_an_answer_is_remembered_and_not_asked_for_again(resolver: Resolver) -> None:
    lookups, question = Lookups(resolver), name_of("198.51.100.5")
    assert lookups.answer(question) is None
    assert lookups.ask(question)
    wait_for(lambda: lookups.answer(question))
    assert lookups.ask(question)
    answer = lookups.answer(question)
    assert answer is not None
    assert answer.found == ("name-of-198.51.100.5",)
    assert 299 < answer.ttl <= 300
    assert resolver.asked == [question]


@pytest.mark.parametrize(("ttl", "kept"), [(0.0, SHORTEST), (60.0, 60.0), (1e9, LONGEST_TTL)])
def test_an_answer_is_good_for_its_time_within_bounds(
    monkeypatch: pytest.MonkeyPatch, ttl: float, kept: float
) -> None:
    lookups = Lookups(Resolver(ttl))
    lookups.ask(addresses_of("a.example"))
    wait_for(lambda: lookups.answer(addresses_of("a.example")))
    now = time.monotonic()
    for passed, is_known in ((kept - 1, True), (kept + 1, False)):
        monkeypatch.setattr("time.monotonic", lambda then=now + passed: then)
        assert (lookups.answer(addresses_of("a.example")) is not None) is is_known


def test_a_name_and_an_address_that_are_written_alike_are_two_questions(resolver: Resolver) -> None:
    lookups = Lookups(resolver)
    for question in (name_of("198.51.100.5"), addresses_of("198.51.100.5")):
        lookups.ask(question)
        wait_for(partial(lookups.answer, question))
    assert len(resolver.asked) == 2


def test_lookups_that_hang_delay_nobody_and_are_bounded_in_number(resolver: Resolver) -> None:
    resolver.free.clear()
    lookups = Lookups(resolver)
    taken = [lookups.ask(name_of(f"198.51.{n >> 8}.{n & 255}")) for n in range(2 * MAX_WAITING)]
    assert MAX_WAITING <= sum(taken) <= MAX_WAITING + WORKERS
    wait_for(lambda: len(resolver.asked) == WORKERS)
    time.sleep(0.05)
    assert len(resolver.asked) == WORKERS
    resolver.free.set()
    wait_for(lambda: len(resolver.asked) == sum(taken))


def test_a_flood_of_one_sort_does_not_keep_the_other_waiting(resolver: Resolver) -> None:
    resolver.free.clear()
    lookups = Lookups(resolver)
    for number in range(MAX_WAITING):
        lookups.ask(name_of(f"198.51.100.{number}"))
    assert lookups.ask(addresses_of("urgent.example"))
    resolver.free.set()
    wait_for(lambda: lookups.answer(addresses_of("urgent.example")))
    place = resolver.asked.index(addresses_of("urgent.example"))
    assert place <= 2 * WORKERS


def test_what_is_remembered_is_bounded(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CACHED", 3)
    lookups = Lookups(resolver)
    for number in range(9):
        lookups.ask(name_of(f"198.51.100.{number}"))
        wait_for(partial(lookups.answer, name_of(f"198.51.100.{number}")))
    known = [n for n in range(9) if lookups.answer(name_of(f"198.51.100.{n}")) is not None]
    assert known == [6, 7, 8]


def test_who_waits_in_poll_is_woken(resolver: Resolver) -> None:
    resolver.free.clear()
    lookups = Lookups(resolver)
    lookups.ask(name_of("198.51.100.5"))
    assert not select.select([lookups], [], [], 0.05)[0]
    resolver.free.set()
    assert select.select([lookups], [], [], 20.0)[0]
    assert lookups.answer(name_of("198.51.100.5")) is not None
    assert not select.select([lookups], [], [], 0.0)[0]


def test_a_fault_in_a_lookup_is_an_answer_and_the_next_one_works(resolver: Resolver) -> None:
    lookups = Lookups(resolver)
    lookups.ask(name_of("bad"))
    wait_for(lambda: lookups.answer(name_of("bad")))
    found = lookups.answer(name_of("bad"))
    assert found is not None
    assert found.found == NOTHING.found
    lookups.ask(name_of("good"))
    wait_for(lambda: lookups.answer(name_of("good")))
