# SPDX-License-Identifier: GPL-2.0-or-later
"""What a packet costs on each way through the guard, in numbers that do not depend on the machine: lines of
ours that run for it, and blocks of memory that are left of it."""

import gc
import sys
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import NamedTuple, TypeAlias

import pytest
from counting import steps
from unit.made_guard import MARKS, ROUTER, TOGETHER, Guard
from unit.made_work import crowded_segments, laborious_queries, usual_queries

from smartrouter.core.effects import Effect, Record, RecordMore
from smartrouter.core.events import Shortcut
from smartrouter.core.flows import CAPACITY
from smartrouter.core.policy import Reason
from smartrouter.lab.plan import Way as LabWay
from smartrouter.linux.nflog import Logged
from smartrouter.linux.queue import LOCAL_IN


class Cost(NamedTuple):
    """Of one packet, at most. `blocks`: left of it while the store has what it was given."""

    lines: float
    blocks: float


# Whoever makes a way dearer fails here. If that is worth its price, or a way has become cheaper, renew its
# row: make it Cost(0, 0), run this file, and write down what the failures say, and 15 % more.
COSTS = {
    "to a known name, again": Cost(21, 3.6),
    "to an unknown name, again": Cost(52, 6.0),
    "to an address without a name, again": Cost(93, 6.0),
    "to a known name, first of its pair": Cost(394, 29),
    "a query and its reply, again": Cost(260, 0.05),
    "logged by the kernel, again": Cost(31, 4.5),
}

CAMERA = "02:00:00:00:00:01"
KNOWN, UNKNOWN, NAMELESS = "203.0.113.10", "203.0.113.99", "198.51.100.7"
NAME = "api.cloud.example"
MEASURED = 8 * TOGETHER  # packets of which the mean is taken
SLACK = 64  # blocks, of any number of packets: counters that outgrow the small numbers, and the like

Ready: TypeAlias = Callable[[], object]
Way: TypeAlias = Callable[[Guard, int], Ready]
"""Makes so many packets; what it gives handles them."""


def to(address: str) -> Way:
    """Attempts at this address."""

    def ready(guard: Guard, number: int) -> Ready:
        packets = guard.attempts(CAMERA, repeat(address, number))
        return lambda: guard.connect(CAMERA, packets)

    return ready


def first(guard: Guard, number: int) -> Ready:
    """An attempt each at addresses that have never been tried, of names that are known."""
    addresses = guard.places(number)
    for address in addresses:
        guard.tell(CAMERA, f"{address.replace('.', '-')}.cloud.example", address)
    packets = guard.attempts(CAMERA, addresses)
    return lambda: guard.connect(CAMERA, packets)


def asked(guard: Guard, number: int) -> Ready:
    """Queries for a name that the device has asked for before, and their replies."""
    questions = guard.questions(CAMERA, NAME, KNOWN, number)
    return lambda: guard.resolve(CAMERA, questions)


def logged(guard: Guard, number: int) -> Ready:
    """Attempts that the kernel let through, as it tells of them."""
    records: list[Logged] = [
        ("known", CAMERA, packet) for packet in guard.attempts(CAMERA, repeat(KNOWN, number))
    ]
    batches = [records[at : at + TOGETHER] for at in range(0, number, TOGETHER)]

    def handle() -> None:
        for batch in batches:
            guard.log(batch)

    return handle


AGAIN: dict[str, Way] = {
    "to a known name, again": to(KNOWN),
    "to an unknown name, again": to(UNKNOWN),
    "to an address without a name, again": to(NAMELESS),
    "a query and its reply, again": asked,
    "logged by the kernel, again": logged,
}
WAYS: dict[str, Way] = {**AGAIN, "to a known name, first of its pair": first}


class Store:
    """Keeps what it is given, or drops it."""

    def __init__(self) -> None:
        self.kept: list[list[Effect]] | None = []

    def __call__(self, effects: list[Effect]) -> None:
        if self.kept is not None:
            self.kept.append(effects)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def guard(store: Store) -> Guard:
    """In monitor mode; of a protected camera that knows one name, and was told another one."""
    guard = Guard(CAMERA, store=store)  # type: ignore[arg-type]
    guard.tell(CAMERA, NAME, KNOWN)
    guard.connect(CAMERA, guard.attempts(CAMERA, [KNOWN]))
    guard.protect()
    guard.tell(CAMERA, "c2.evil.example", UNKNOWN)
    return guard


@pytest.fixture
def uncollected() -> Iterator[None]:
    """What is left in cycles counts as left."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def growth(call: Ready) -> int:
    """How many more blocks of memory are in use after `call`."""
    before = sys.getallocatedblocks()
    call()
    return sys.getallocatedblocks() - before


def test_each_way_has_its_row() -> None:
    assert set(COSTS) == set(WAYS)


@pytest.mark.parametrize(
    ("name", "counted"),
    [
        ("to a known name, again", {Reason.LEARNED: TOGETHER}),
        ("to a known name, first of its pair", {Reason.LEARNED: TOGETHER}),
        ("to an unknown name, again", {Reason.UNKNOWN_NAME: TOGETHER}),
        ("to an address without a name, again", {Reason.UNKNOWN_ADDRESS: TOGETHER}),
        ("a query and its reply, again", {Reason.DNS_QUERY: TOGETHER, Reason.DNS_REPLY: TOGETHER}),
        ("logged by the kernel, again", {}),  # there was no verdict to give
    ],
)
def test_each_way_is_what_it_is_called(
    guard: Guard, store: Store, name: str, counted: dict[Reason, int]
) -> None:
    ready = WAYS[name](guard, TOGETHER)
    guard.judge.counts.clear()
    store.kept = []
    ready()
    assert guard.judge.counts == counted
    assert guard.bench.recorded[Shortcut.KNOWN] == (0 if counted else TOGETHER)
    stored = [effect for effects in store.kept for effect in effects]
    records = [effect for effect in stored if isinstance(effect, Record)]
    more = [each for effect in stored if isinstance(effect, RecordMore) for each in effect.attempts]
    assert len(records) + len(more) == (0 if Reason.DNS_QUERY in counted else TOGETHER)


@pytest.mark.parametrize("name", WAYS)
def test_a_packet_runs_through_no_more_lines_than_it_did(guard: Guard, name: str) -> None:
    WAYS[name](guard, TOGETHER)()
    lines = steps(WAYS[name](guard, MEASURED)) / MEASURED
    assert 0.6 * COSTS[name].lines < lines <= COSTS[name].lines  # else renew the table, see there


@pytest.mark.parametrize("made", [crowded_segments, laborious_queries])
def test_no_query_takes_twenty_times_another(guard: Guard, made: Callable[[LabWay], list[bytes]]) -> None:
    """However much work it is made to be: who sends as many as it may keeps the guard busy for no longer."""
    way = LabWay(CAMERA, "02:77:00:00:01:01", guard.source(CAMERA), ROUTER)

    def lines(frames: list[bytes]) -> float:
        def judge() -> None:
            for frame in frames:
                guard.dns.judge(frame[14:], CAMERA, LOCAL_IN, MARKS.passing)
                guard.dns.settle()

        return steps(judge) / len(frames)

    assert lines(made(way)) < 20 * lines(usual_queries(way))


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("name", WAYS)
def test_a_packet_leaves_no_more_in_memory_than_it_did(guard: Guard, name: str) -> None:
    WAYS[name](guard, TOGETHER)()
    blocks = growth(WAYS[name](guard, MEASURED)) / MEASURED
    assert blocks <= COSTS[name].blocks  # else renew the table, see there


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("name", AGAIN)
def test_of_a_packet_like_one_before_nothing_is_left_but_what_the_store_was_given(
    guard: Guard, store: Store, name: str
) -> None:
    store.kept = None
    # The last attempts are remembered, to tell a new one from a packet sent again: two generations of them.
    for _ in range(2):
        AGAIN[name](guard, CAPACITY)()
    assert growth(AGAIN[name](guard, CAPACITY)) <= SLACK


def test_a_packet_that_may_go_on_is_not_written_about(
    guard: Guard, capsys: pytest.CaptureFixture[str]
) -> None:
    for way in WAYS.values():
        way(guard, TOGETHER)()
    assert guard.judge.counts
    assert capsys.readouterr() == ("", "")
