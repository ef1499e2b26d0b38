# SPDX-License-Identifier: GPL-2.0-or-later
"""Each reader on a real queue: it lives, beats and stops, and leaves no packet without a verdict."""

import contextlib
import fcntl
import itertools
import os
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from netns.kernel_lab import (
    ADDRESSES,
    DEVICE_MAC,
    MARKS,
    PATIENCE,
    Lab,
    Recorder,
    ask,
    bound,
    connect,
    echoing,
    eventually,
    flooding,
    run,
)
from netns.sent_again import is_drained
from tries import within

from smartrouter.core.errors import Unavailable
from smartrouter.linux import queue_stats, ruleset
from smartrouter.linux.queue import FLOWS_QUEUE, Handler, Reader, Ruling, Silently, open_queue
from smartrouter.linux.ruleset import Plan
from smartrouter.linux.rulings import COPY
from smartrouter.supervisor.children import SILENCE

pytestmark = pytest.mark.netns

SO_RCVBUFFORCE, UDP_SEGMENT = 33, 103  # asm-generic/socket.h, linux/udp.h
SO_TIMESTAMP = 29  # asm-generic/socket.h
TUNSETIFF, IFF_TUN_BARE = 0x400454CA, 0x1001  # linux/if_tun.h: IFF_TUN | IFF_NO_PI

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


class Opened:
    """Opens queues of the router with the reader under test."""

    def __init__(self, lab: Lab, reader: str):
        self.lab, self.reader = lab, reader

    def __call__(self, handler: Handler, **options: int) -> Reader:
        with self.lab.at("router"):
            return open_queue(self.reader, FLOWS_QUEUE, handler, MARKS, **options)

    @contextlib.contextmanager
    def serving(self, handler: Handler, **options: int) -> Iterator[Reader]:
        """Served by `handler` in a thread of its own."""
        queue = self(handler, **options)
        stop = threading.Event()
        thread = threading.Thread(target=queue.serve, args=(stop, lambda: None))
        thread.start()
        try:
            yield queue
        finally:
            stop.set()
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.fixture(params=["netfilterqueue", "netlink"])
def opened(lab: Lab, request: pytest.FixtureRequest) -> Opened:
    return Opened(lab, request.param)


def try_it(lab: Lab) -> str:
    return connect(lab, "device", 4, "outside", 443)


@pytest.mark.parametrize("size", [COPY - 28, 4000, 8000])
def test_the_longest_packet_gets_its_verdict_while_others_capture(
    lab: Lab, opened: Opened, size: int
) -> None:
    """Who captures has the kernel note when packets come, and tell the guard that of each, too."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as capturing, echoing(lab, "outside", 4, 5683):
        capturing.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)
        with opened.serving(Recorder()):
            assert ask(lab, "device", 4, "outside", 5683, 5.0, bytes(size)) == "answered"


class Faulty(Recorder):
    """Raises where it is told to."""

    def __init__(self, verdict: bool | None, **faults: BaseException) -> None:
        super().__init__(verdict)
        self.faults = faults
        self.raised = Counter[str]()  # how often, by where

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
            self.raised[where] += 1
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
    lab: Lab, opened: Opened, verdict: bool | None, faults: dict[str, BaseException], outcome: str
) -> None:
    handler = Faulty(verdict, **faults)
    with opened.serving(handler) as queue:
        assert [try_it(lab), try_it(lab)] == [outcome, outcome]
        assert eventually(lambda: handler.settled >= 2)
        assert is_drained(lab)
        handler.faults, handler.verdict = {}, True
        assert try_it(lab) == "connected"
    assert handler.settled >= 3
    assert all(handler.raised[where] >= 2 for where in faults)
    assert queue.faults == sum(times for where, times in handler.raised.items() if where != "judge")


@pytest.mark.parametrize("where", ["judge", "settle"])
def test_what_must_end_the_process_does_but_only_after_the_verdict(
    lab: Lab, opened: Opened, where: str
) -> None:
    handler = Faulty(True, **{where: SystemExit(7)})
    ended: list[BaseException] = []
    queue = opened(handler)

    def serve() -> None:
        try:
            queue.serve(threading.Event(), lambda: None)
        except SystemExit as error:
            ended.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    assert try_it(lab) == "connected"
    thread.join(PATIENCE)
    assert [error.code for error in ended if isinstance(error, SystemExit)] == [7]
    assert try_it(lab) == "reset"  # nobody listens any more


def test_the_verdict_does_not_wait_for_what_comes_after_it(lab: Lab, opened: Opened) -> None:
    connected = threading.Event()

    class Thorough(Recorder):
        def settle(self) -> None:
            assert connected.wait(2 * PATIENCE)

    handler = Thorough()
    with opened.serving(handler):
        assert try_it(lab) == "connected"
        connected.set()
    assert handler.errors == []


@pytest.mark.parametrize("traffic", ["idle", "trickle", "flood"])
def test_it_beats_twice_a_second_and_stops_soon(lab: Lab, opened: Opened, traffic: str) -> None:
    """However much comes: who is silent for longer than `SILENCE` hangs, as the supervisor has it."""
    assert within(SILENCE, lambda: longest_silence(lab, opened, traffic))


def longest_silence(lab: Lab, opened: Opened, traffic: str) -> float:
    beats: list[float] = []
    stop = threading.Event()
    handler = Recorder(False)
    with lab.at("router"):
        ruleset.load(OPEN._replace(watched=frozenset(), iot=("lan0",)))
    queue = opened(handler)
    thread = threading.Thread(target=queue.serve, args=(stop, lambda: beats.append(time.monotonic())))
    thread.start()
    if traffic == "flood":
        # Straight into the queue: past the limit of a device, which is there so that this cannot happen.
        lab.nft("insert rule inet smartrouter from_device udp dport 6000-6063 goto to_guard")
        with flooding(lab, "device", ADDRESSES[4]["outside"], 6000):
            assert eventually(lambda: len(beats) > 3 and len(handler.seen) > 5000)
            stopped = stopping(stop, thread)
    else:
        while len(beats) < 4:
            time.sleep(0.1)
            if traffic == "trickle":
                try_it(lab)
        stopped = stopping(stop, thread)
    gaps = [later - earlier for earlier, later in itertools.pairwise(beats)]
    assert min(gaps) < 0.5
    return max(*gaps, stopped)


def stopping(stop: threading.Event, thread: threading.Thread) -> float:
    """How long the thread takes to end."""
    began = time.monotonic()
    stop.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    return time.monotonic() - began


def test_a_second_listener_is_told_that_there_is_one(lab: Lab, opened: Opened) -> None:
    with opened.serving(Recorder()), pytest.raises(Unavailable, match="another guard"):
        opened(Recorder())
    with opened.serving(Recorder()):  # and when the first is gone, the queue is free
        assert try_it(lab) == "connected"


@pytest.mark.parametrize(
    ("options", "lost"),
    [({"max_length": 16}, "dropped"), ({"receive_buffer": 16384}, "user_dropped")],
    ids=["the queue is full", "the socket is full"],
)
def test_packets_that_overflow_are_counted_and_the_reader_lives_on(
    lab: Lab, opened: Opened, options: dict[str, Any], lost: str
) -> None:
    handler = Held()
    with opened.serving(handler, **options):
        with lab.at("device"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(500):
                sender.sendto(b"x" * 1000, (ADDRESSES[4]["outside"], 7000))
        with lab.at("router"):
            assert eventually(lambda: ruleset.read_counters()["queued_flows"] == 500)
            stats = queue_stats.read()[FLOWS_QUEUE]
        handler.go.set()
        assert stats.dropped + stats.user_dropped + stats.waiting == 500
        assert getattr(stats, lost) == stats.dropped + stats.user_dropped > 400
        assert eventually(lambda: waiting(lab) == 0)
        assert try_it(lab) == "connected"
    assert len(handler.at(7000)) == stats.waiting


class Held(Recorder):
    """Judges nothing before it is let go."""

    def __init__(self) -> None:
        super().__init__(True)
        self.go = threading.Event()

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> Ruling:
        self.go.wait(PATIENCE)
        return super().judge(payload, mac, hook, mark)


def waiting(lab: Lab) -> int:
    with lab.at("router"):
        return queue_stats.read()[FLOWS_QUEUE].waiting


def test_the_numbers_of_a_queue_tell_a_guard_that_judges_from_one_that_hangs(
    lab: Lab, opened: Opened
) -> None:
    handler = Held()
    with opened.serving(handler):
        assert connect(lab, "device", 4, "outside", 443, 0.1) == "silence"
        assert eventually(lambda: waiting(lab) >= 1)
        with lab.at("router"):
            hung = queue_stats.read()[FLOWS_QUEUE]
        assert hung.listener > 0
        handler.go.set()
        assert eventually(lambda: waiting(lab) == 0)
        with lab.at("router"):
            assert queue_stats.read()[FLOWS_QUEUE].queued >= hung.queued
    with lab.at("router"):
        assert queue_stats.read() == {}


def test_what_waits_when_the_guard_stops_is_still_judged(
    lab: Lab, opened: Opened, rounds: Callable[[int], int]
) -> None:
    for _ in range(rounds(3)):
        handler = Held()
        queue = opened(handler)
        stop = threading.Event()
        thread = threading.Thread(target=queue.serve, args=(stop, lambda: None))
        thread.start()
        with lab.at("device"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(100):
                sender.sendto(b"x", (ADDRESSES[4]["outside"], 7000))
        assert eventually(lambda: waiting(lab) == 100)
        stop.set()
        handler.go.set()
        thread.join(PATIENCE)
        assert len(handler.seen) == 100


class Numbered(Held):
    """Judges datagrams by the number that they hold: each otherwise, and at some it fails."""

    PASS, FAULT = (0, 1, 3, 6), 3  # numbers, modulo the fates
    FATES: tuple[Ruling, ...] = (True, True, False, None, None, Silently.DROPPED, True, False, False)

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> Ruling:
        super().judge(payload, mac, hook, mark)
        number = int.from_bytes(payload[28:], "big") % len(self.FATES)
        if number == self.FAULT:
            raise ValueError("a bug")
        return self.FATES[number]

    def settle(self) -> None:
        super().settle()
        raise ValueError("another bug")


def test_of_many_that_wait_each_packet_gets_the_verdict_that_is_its_own(
    lab: Lab, opened: Opened, rounds: Callable[[int], int]
) -> None:
    number = len(Numbered.FATES) * rounds(40)
    handler = Numbered()  # whose repair lets a packet go on, and whose settling always fails
    with bound(lab, "outside", 4, socket.SOCK_DGRAM, 7000) as target, opened.serving(handler) as queue:
        target.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        with lab.at("device"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for each in range(number):
                sender.sendto(struct.pack(">I", each), (ADDRESSES[4]["outside"], 7000))
        handler.go.set()
        assert eventually(lambda: len(handler.seen) == number and waiting(lab) == 0)
        came = list(datagrams(target))
    passing = [each for each in range(number) if each % len(Numbered.FATES) in Numbered.PASS]
    assert sorted(came) == [struct.pack(">I", each) for each in passing]
    assert len(handler.errors) == number // len(Numbered.FATES)
    assert queue.faults == handler.settled > 0


def datagrams(target: socket.socket) -> Iterator[bytes]:
    """What comes, until nothing has come for a while."""
    target.settimeout(0.2)
    with contextlib.suppress(TimeoutError):
        while True:
            yield target.recv(2048)


def test_what_must_end_the_process_leaves_no_packet_of_its_batch_without_a_verdict(
    lab: Lab, opened: Opened
) -> None:
    class Ending(Held):
        def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> Ruling:
            super().judge(payload, mac, hook, mark)
            if len(self.seen) == 3:
                raise SystemExit(7)
            return True

    handler = Ending()
    queue = opened(handler)
    with bound(lab, "outside", 4, socket.SOCK_DGRAM, 7000) as target:
        with lab.at("device"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for each in range(64):
                sender.sendto(bytes((each,)), (ADDRESSES[4]["outside"], 7000))
        assert eventually(lambda: waiting(lab) == 64)
        handler.go.set()
        with pytest.raises(SystemExit):
            queue.serve(threading.Event(), lambda: None)
        came = list(datagrams(target))
    assert came == [bytes((each,)) for each in range(len(handler.seen))]
    assert len(handler.seen) >= 3
    assert handler.settled in (1, 2, 3)  # as many came together as the reader cared to gather


def test_a_large_packet_comes_cut_and_goes_on_whole(lab: Lab, opened: Opened) -> None:
    handler = Lengths()
    with bound(lab, "outside", 4, socket.SOCK_DGRAM, 7000) as target, opened.serving(handler):
        with lab.at("device"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for size in (1, 2, 3, 4000, 9000):  # the longer ones travel in fragments
                sender.sendto(bytes(size), (ADDRESSES[4]["outside"], 7000))
        assert [len(target.recv(1 << 16)) for _ in range(5)] == [1, 2, 3, 4000, 9000]
    assert handler.lengths == [29, 30, 31, COPY, COPY]


def test_what_one_call_sends_as_many_packets_is_judged_as_many(lab: Lab, opened: Opened) -> None:
    handler = Lengths()
    with bound(lab, "outside", 4, socket.SOCK_DGRAM, 7000) as target, opened.serving(handler):
        with lab.at("device"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1000)
            sender.sendto(bytes(9500), (ADDRESSES[4]["outside"], 7000))
        assert [len(target.recv(2048)) for _ in range(10)] == [1000] * 9 + [500]
    assert handler.lengths == [1028] * 9 + [528]


class Lengths(Recorder):
    """Keeps how much it was given of each packet."""

    def __init__(self) -> None:
        super().__init__(True)
        self.lengths: list[int] = []

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> Ruling:
        self.lengths.append(len(payload))
        return super().judge(payload, mac, hook, mark)


def test_an_interface_without_addresses_has_senders_without_one(lab: Lab, opened: Opened) -> None:
    handler = Recorder(True)
    with tunnel(lab, "tun0") as device:
        with lab.at("router"):
            ruleset.load(CLOSED._replace(lan=("lan0", "tun0"), iot=("tun0",)))
        with bound(lab, "outside", 4, socket.SOCK_DGRAM, 7000) as target, opened.serving(handler):
            os.write(device, datagram("10.9.0.2", ADDRESSES[4]["outside"], 7000, b"hello"))
            assert target.recv(64) == b"hello"
    assert [seen.mac for seen in handler.seen] == [None]


@contextlib.contextmanager
def tunnel(lab: Lab, name: str) -> Iterator[int]:
    """An interface of the router whose packets are what is written to the descriptor."""
    with lab.at("router"):
        device = os.open("/dev/net/tun", os.O_RDWR)
        try:
            fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN_BARE))
            run("ip", "link", "set", name, "up")
            run("ip", "route", "add", "10.9.0.0/24", "dev", name)
            yield device
        finally:
            os.close(device)


def datagram(source: str, target: str, port: int, payload: bytes) -> bytes:
    """A UDP packet over IPv4, without UDP's checksum."""
    udp = struct.pack(">HHHH", 5000, port, 8 + len(payload), 0) + payload
    addresses = socket.inet_aton(source) + socket.inet_aton(target)
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + addresses
    total = sum(struct.unpack(">10H", header))
    checksum = ~(total + (total >> 16)) & 0xFFFF
    return header[:10] + struct.pack(">H", checksum) + header[12:] + udp


@pytest.mark.parametrize("reader", ["netfilterqueue", "netlink"])
def test_without_the_right_a_reader_says_what_is_missing(lab: Lab, reader: str) -> None:
    program = f"""
import os
from smartrouter.core.errors import Unavailable
from smartrouter.linux.queue import Marks, open_queue
os.setresuid(65534, 65534, 65534)
try:
    open_queue({reader!r}, 7370, None, Marks(1, 2))
except Unavailable as error:
    print(error)
"""
    with lab.at("router"):
        said = run(sys.executable, "-c", program)
    assert said.startswith("Not allowed to change packet rules")
