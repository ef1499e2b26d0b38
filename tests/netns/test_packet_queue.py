# SPDX-License-Identifier: GPL-2.0-or-later
"""The reader on a real queue: it lives, beats and stops, and leaves no packet without a verdict."""

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from netns.kernel_lab import (
    ADDRESSES,
    DEVICE_MAC,
    MARKS,
    Lab,
    Recorder,
    bound,
    connect,
    eventually,
    flooding,
    listening,
)

from smartrouter.core.errors import Unavailable
from smartrouter.linux import queue_stats, ruleset
from smartrouter.linux.queue import FLOWS_QUEUE, Queue, Ruling
from smartrouter.linux.ruleset import Plan

pytestmark = pytest.mark.netns

OPEN = Plan(("lan0",), watched=frozenset({DEVICE_MAC}))
CLOSED = OPEN._replace(on_failure="closed")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture(autouse=True)
def server(lab: Lab) -> Iterator[None]:
    """Something to connect to, behind a closed gate."""
    with lab.at("router"):
        ruleset.remove()
        ruleset.load(CLOSED)
    with bound(lab, "outside", 4, socket.SOCK_STREAM, 443):
        yield


def try_it(lab: Lab) -> str:
    return connect(lab, "device", 4, "outside", 443, 1)


class Faulty(Recorder):
    """Raises where it is told to."""

    def __init__(self, verdict: bool | None, **faults: BaseException) -> None:
        super().__init__(verdict)
        self.faults = faults

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> Ruling:
        super().judge(payload, mac, hook, mark)
        self._fail("judge")
        return self.verdict

    def settle(self) -> None:
        super().settle()
        self._fail("settle")

    def failed(self, error: BaseException) -> Ruling:
        super().failed(error)
        self._fail("failed")
        return self.verdict

    def _fail(self, where: str) -> None:
        if where in self.faults:
            raise self.faults[where]


@pytest.mark.parametrize(
    ("verdict", "faults", "outcome"),
    [
        (True, {"judge": ValueError("a bug")}, "connected"),
        (False, {"judge": ValueError("a bug")}, "reset"),
        (None, {"judge": MemoryError()}, "reset"),  # nobody judged: on_failure is closed
        (True, {"judge": ValueError("a bug"), "failed": ValueError("another")}, "reset"),
        (True, {"settle": ValueError("a bug")}, "connected"),
        (False, {"settle": ValueError("a bug")}, "reset"),
    ],
)
def test_a_fault_costs_one_packet_its_judgement_and_no_more(
    lab: Lab, verdict: bool | None, faults: dict[str, BaseException], outcome: str
) -> None:
    handler = Faulty(verdict, **faults)
    with listening(lab, handler) as queue:
        assert [try_it(lab), try_it(lab)] == [outcome, outcome]
        handler.faults, handler.verdict = {}, True
        assert try_it(lab) == "connected"
    assert handler.settled == 3
    assert queue.faults == 2 * len([fault for fault in faults if fault != "judge"])


@pytest.mark.parametrize("where", ["judge", "settle"])
def test_what_must_end_the_process_does_but_only_after_the_verdict(lab: Lab, where: str) -> None:
    handler = Faulty(True, **{where: SystemExit(7)})
    ended: list[BaseException] = []
    with lab.at("router"):
        queue = Queue(FLOWS_QUEUE, handler, MARKS)

    def serve() -> None:
        try:
            queue.serve(threading.Event(), lambda: None)
        except SystemExit as error:
            ended.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    assert try_it(lab) == "connected"
    thread.join(2)
    assert [error.code for error in ended if isinstance(error, SystemExit)] == [7]
    assert try_it(lab) == "reset"  # nobody listens any more


def test_the_verdict_does_not_wait_for_what_comes_after_it(lab: Lab) -> None:
    class Thorough(Recorder):
        def settle(self) -> None:
            time.sleep(0.3)

    with listening(lab, Thorough()):
        began = time.monotonic()
        assert try_it(lab) == "connected"
        assert time.monotonic() - began < 0.3


@pytest.mark.parametrize("traffic", ["idle", "trickle", "flood"])
def test_it_beats_twice_a_second_and_stops_within_half_a_second(lab: Lab, traffic: str) -> None:
    beats: list[float] = []
    stop = threading.Event()
    handler = Recorder(False)
    with lab.at("router"):
        ruleset.load(OPEN._replace(watched=frozenset(), iot=("lan0",)))
        queue = Queue(FLOWS_QUEUE, handler, MARKS)
    thread = threading.Thread(target=queue.serve, args=(stop, lambda: beats.append(time.monotonic())))
    thread.start()
    end = time.monotonic() + 1.5
    if traffic == "flood":
        # Straight into the queue: past the limit of a device, which is there so that this cannot happen.
        lab.nft("insert rule inet smartrouter from_device udp dport 6000-6063 goto to_guard")
        with flooding(lab, "device", ADDRESSES[4]["outside"], 6000):
            time.sleep(max(0.0, end - time.monotonic()))
            stopped = stopping(stop, thread)
        assert len(handler.seen) > 5000
    else:
        while time.monotonic() < end:
            time.sleep(0.1)
            if traffic == "trickle":
                try_it(lab)
        stopped = stopping(stop, thread)
    assert stopped < 0.5
    assert max(later - earlier for earlier, later in itertools.pairwise(beats)) < 0.5
    assert len(beats) >= 3


def stopping(stop: threading.Event, thread: threading.Thread) -> float:
    """How long the thread takes to end."""
    began = time.monotonic()
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    return time.monotonic() - began


def test_a_second_listener_is_told_that_there_is_one(lab: Lab) -> None:
    with listening(lab, Recorder()), lab.at("router"), pytest.raises(Unavailable, match="another guard"):
        Queue(FLOWS_QUEUE, Recorder(), MARKS)
    with listening(lab, Recorder()):  # and when the first is gone, the queue is free
        assert try_it(lab) == "connected"


@pytest.mark.parametrize(
    ("options", "lost"),
    [({"max_length": 16}, "dropped"), ({"receive_buffer": 16384}, "user_dropped")],
    ids=["the queue is full", "the socket is full"],
)
def test_packets_that_overflow_are_counted_and_the_reader_lives_on(
    lab: Lab, options: dict[str, Any], lost: str
) -> None:
    handler = Held()
    with listening(lab, handler, **options):
        with lab.at("device"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(500):
                sender.sendto(b"x" * 1000, (ADDRESSES[4]["outside"], 7000))
        with lab.at("router"):
            stats = queue_stats.read()[FLOWS_QUEUE]
            counted = ruleset.read_counters()["queued_flows"]
        handler.go.set()
        assert stats.dropped + stats.user_dropped + stats.waiting == counted == 500
        assert getattr(stats, lost) == stats.dropped + stats.user_dropped > 400
        assert eventually(lambda: waiting(lab) == 0)
        assert try_it(lab) == "connected"
    assert len(handler.seen) == stats.waiting + 1


class Held(Recorder):
    """Judges nothing before it is let go."""

    def __init__(self) -> None:
        super().__init__(True)
        self.go = threading.Event()

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> Ruling:
        self.go.wait(2)
        return super().judge(payload, mac, hook, mark)


def waiting(lab: Lab) -> int:
    with lab.at("router"):
        return queue_stats.read()[FLOWS_QUEUE].waiting


def test_the_numbers_of_a_queue_tell_a_guard_that_judges_from_one_that_hangs(lab: Lab) -> None:
    handler = Held()
    with listening(lab, handler):
        assert connect(lab, "device", 4, "outside", 443, 0.1) == "silence"
        with lab.at("router"):
            hung = queue_stats.read()[FLOWS_QUEUE]
        assert hung.waiting == 1
        assert hung.listener > 0
        handler.go.set()
        assert eventually(lambda: waiting(lab) == 0)
        with lab.at("router"):
            assert queue_stats.read()[FLOWS_QUEUE].queued >= hung.queued
    with lab.at("router"):
        assert queue_stats.read() == {}


def test_what_waits_when_the_guard_stops_is_still_judged(lab: Lab, rounds: Callable[[int], int]) -> None:
    for _ in range(rounds(3)):
        handler = Held()
        with lab.at("router"):
            queue = Queue(FLOWS_QUEUE, handler, MARKS)
        stop = threading.Event()
        thread = threading.Thread(target=queue.serve, args=(stop, lambda: None))
        thread.start()
        with lab.at("device"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(100):
                sender.sendto(b"x", (ADDRESSES[4]["outside"], 7000))
        assert waiting(lab) == 100
        stop.set()
        handler.go.set()
        thread.join(5)
        assert len(handler.seen) == 100
