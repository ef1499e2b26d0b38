# SPDX-License-Identifier: GPL-2.0-or-later
"""One verdict for each packet of a batch, with the right mark, in whatever order things go wrong."""

import contextlib
import errno
import itertools
import socket
import struct
import threading
from collections.abc import Iterator
from math import inf
from typing import Any, NamedTuple

import pytest
from counting import steps

from smartrouter.linux import batched_queue
from smartrouter.linux.batched_queue import BatchedQueue
from smartrouter.linux.netlink import attribute, attributes
from smartrouter.linux.nfnetlink_packets import message
from smartrouter.linux.rulings import FORWARD, LOCAL_IN, LOCAL_OUT, Marks, Ruling, Silently

MARKS = Marks(0x40, 0x80)
MAC = b"\0\6\0\0" + bytes.fromhex("020000000001") + b"\0\0"
ACCEPT, DROP = 1, 0


def packet(number: int, hook: int = FORWARD, mark: int = 0x10001, mac: bytes = MAC) -> bytes:
    """A message as the kernel makes it (net/netfilter/nfnetlink_queue.c: nfqnl_build_packet_message)."""
    body = attribute(1, struct.pack(">IHB", number, 0x800, hook)) + attribute(5, b"\0\0\0\2")
    body += attribute(3, struct.pack(">I", mark)) if mark else b""
    body += attribute(9, mac) if mac else b""
    return message(0x0300, 7370, body + attribute(10, f"packet {number}".encode()))


class Verdict(NamedTuple):
    """What one message says of all packets up to `last`."""

    verdict: int
    last: int
    mark: int | None


class Kernel:
    """The other end of the reader's socket: packets go in, verdicts come out."""

    def __init__(self) -> None:
        self.socket, self.reader = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.setblocking(False)
        self.waiting: list[int] = []

    def send(self, *packets: bytes) -> None:
        for each in packets:
            self.socket.send(each)

    def queue(self, number: int, **what: Any) -> None:
        self.waiting.append(number)
        self.send(packet(number, **what))

    def sent(self) -> list[list[Verdict]]:
        """What was sent, by `send` call."""
        calls = []
        with contextlib.suppress(BlockingIOError):
            while data := self.socket.recv(1 << 16):
                calls.append(list(verdicts(data)))
        return calls

    def settled(self) -> dict[int, Verdict]:
        """What each packet got: the first verdict that reaches it, as the kernel holds it until then."""
        fates: dict[int, Verdict] = {}
        for verdict in itertools.chain(*self.sent()):
            reached = [number for number in self.waiting if number <= verdict.last]
            assert reached, f"{verdict} reaches nobody"
            fates |= dict.fromkeys(reached, verdict)
            self.waiting = self.waiting[len(reached) :]
        return fates


def verdicts(data: bytes) -> Iterator[Verdict]:
    at = 0
    while at < len(data):
        length, kind, flags = struct.unpack_from("=IHH", data, at)
        assert (kind, flags) == (0x0303, 1)
        assert struct.unpack_from(">BBH", data, at + 16) == (0, 0, 7370)
        said = attributes(data[at + 20 : at + length])
        verdict, last = struct.unpack(">II", said[2])
        yield Verdict(verdict, last, int.from_bytes(said[3], "big") if 3 in said else None)
        at += length


class Handler:
    """Does in each step what the test says: return the next of some values, or raise it."""

    def __init__(self, judge: Any = True, settle: Any = None, failed: Any = False):
        self.steps = {
            name: itertools.cycle(said if isinstance(said, list) else [said])
            for name, said in (("judge", judge), ("conclude", None), ("settle", settle), ("failed", failed))
        }
        self.calls: list[tuple[Any, ...]] = []

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> Any:
        return self._do("judge", payload, mac, hook, mark)

    def recall(self, packets: object) -> None:
        """It remembers nothing."""

    def conclude(self) -> None:
        self._do("conclude")

    def settle(self) -> None:
        self._do("settle")

    def failed(self, error: BaseException) -> Any:
        return self._do("failed", error)

    def _do(self, step: str, *arguments: Any) -> Any:
        self.calls.append((step, *arguments))
        said = next(self.steps[step])
        if isinstance(said, BaseException):
            raise said
        return said

    def times(self, step: str) -> int:
        return [name for name, *_ in self.calls].count(step)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    kernel = Kernel()
    monkeypatch.setattr(batched_queue, "subscribe", lambda *_: kernel.reader)
    monkeypatch.setattr(batched_queue, "Netlink", contextlib.nullcontext)
    monkeypatch.setattr(batched_queue, "has_queues", lambda _: True)
    monkeypatch.setattr(batched_queue, "CLOSE", inf)  # seconds: what is sent is sent at once
    yield kernel
    kernel.socket.close()
    kernel.reader.close()


def serve(handler: Handler) -> BatchedQueue:
    """Judge what waits, and no more."""
    queue = BatchedQueue(7370, handler, MARKS)
    stop = threading.Event()
    stop.set()
    queue.serve(stop, lambda: None)
    return queue


@pytest.mark.parametrize(
    ("hook", "said", "verdict", "mark"),
    [
        (FORWARD, True, ACCEPT, 0x10041),
        (FORWARD, False, ACCEPT, 0x10081),
        (FORWARD, None, ACCEPT, None),
        (LOCAL_IN, True, ACCEPT, None),
        (LOCAL_IN, False, ACCEPT, None),
        (LOCAL_OUT, True, ACCEPT, None),
        (LOCAL_OUT, False, ACCEPT, None),
        (FORWARD, Silently.DROPPED, DROP, None),
        (LOCAL_IN, Silently.DROPPED, DROP, None),
    ],
)
def test_only_a_forwarded_packet_gets_a_mark_and_keeps_the_others(
    kernel: Kernel, hook: int, said: Ruling, verdict: int, mark: int | None
) -> None:
    kernel.send(packet(9, hook))
    serve(Handler(said))
    assert kernel.sent() == [[Verdict(verdict, 9, mark)]]


@pytest.mark.parametrize("came_with", [0x0, 0x40, 0x80, 0xC0])
@pytest.mark.parametrize(("said", "leaves_with"), [(True, 0x40), (False, 0x80)])
def test_a_verdict_is_one_mark_whatever_the_packet_came_with(
    kernel: Kernel, came_with: int, said: bool, leaves_with: int
) -> None:
    kernel.send(packet(9, mark=came_with))
    serve(Handler(said))
    assert kernel.sent() == [[Verdict(ACCEPT, 9, leaves_with)]]


def test_packets_that_fare_alike_share_a_message_and_all_share_a_call(kernel: Kernel) -> None:
    for number in range(1, 9):
        kernel.queue(number, mark=0x40 if number < 7 else 0x100)
    handler = Handler([True, True, False, None, None, Silently.DROPPED, True, True])
    serve(handler)
    assert kernel.sent() == [
        [
            Verdict(ACCEPT, 2, 0x40),
            Verdict(ACCEPT, 3, 0x80),
            Verdict(ACCEPT, 5, None),
            Verdict(DROP, 6, None),
            Verdict(ACCEPT, 8, 0x140),
        ]
    ]
    assert handler.times("settle") == 1
    assert handler.calls[-1] == ("settle",)


def test_the_handler_gets_what_the_kernel_says(kernel: Kernel) -> None:
    handler = Handler()
    kernel.send(packet(1), packet(2, LOCAL_OUT, 0, b""))
    serve(handler)
    assert handler.calls[:2] == [
        ("judge", b"packet 1", "02:00:00:00:00:01", FORWARD, 0x10001),
        ("judge", b"packet 2", None, LOCAL_OUT, 0),
    ]


def test_at_most_64_wait_for_each_other(kernel: Kernel) -> None:
    for number in range(100):
        kernel.queue(number)
    handler = Handler()
    serve(handler)
    assert kernel.sent() == [[Verdict(ACCEPT, 63, 0x10041)], [Verdict(ACCEPT, 99, 0x10041)]]
    assert handler.times("settle") == 2


def test_every_packet_of_a_batch_gets_one_verdict_whatever_is_raised_where(kernel: Kernel) -> None:
    outcomes: list[Any] = [None, True, Silently.DROPPED, ValueError("x"), SystemExit(1), KeyboardInterrupt()]
    numbers = itertools.count(1)
    for judge, settle, failed in itertools.product(outcomes, repeat=3):
        for _ in range(5):
            kernel.queue(next(numbers))
        handler = Handler([True, False, judge, True, True], settle, failed)
        batch = BatchedQueue(7370, handler, MARKS)
        raised: BaseException | None = None
        try:
            batch._serve_until(0.0, wait=False)
        except BaseException as error:
            raised = error
        fates = list(kernel.settled().values())
        assert [fate.mark for fate in fates[:2] + fates[3:]] == [0x10041, 0x10081, 0x10041, 0x10041]
        third = failed if isinstance(judge, BaseException) else judge
        marks = {True: 0x10041, Silently.DROPPED: None}
        assert fates[2].mark == (None if isinstance(third, BaseException) else marks.get(third))
        assert fates[2].verdict == (DROP if third is Silently.DROPPED else ACCEPT)
        assert kernel.waiting == []
        assert (handler.times("judge"), handler.times("settle")) == (5, 1)
        called = [judge, settle] + [failed] * isinstance(judge, BaseException)
        fatal = [step for step in called if isinstance(step, (SystemExit, KeyboardInterrupt))]
        assert (raised in fatal) if fatal else raised is None


def test_what_is_no_packet_is_passed_over(kernel: Kernel) -> None:
    refusal = message(2, 0, struct.pack("=i", -errno.ENOENT) + bytes(16))  # of a verdict that came too late
    kernel.send(refusal, packet(1), b"\1", refusal, packet(2))
    serve(Handler())
    assert kernel.sent() == [[Verdict(ACCEPT, 2, 0x10041)]]


def test_a_kernel_without_memory_is_asked_again(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    class Poor:
        """A socket that can send only at the third attempt."""

        attempts = 0

        def send(self, data: bytes) -> int:
            self.attempts += 1
            if self.attempts < 3:
                raise OSError(errno.ENOBUFS, "No buffer space available")
            return kernel.reader.send(data)

    handler = Handler()
    queue = BatchedQueue(7370, handler, MARKS)
    monkeypatch.setattr(queue, "_link", Poor())
    kernel.send(packet(1))
    queue._serve_until(0.0, wait=False)
    assert kernel.sent() == [[Verdict(ACCEPT, 1, 0x10041)]]
    assert handler.times("settle") == 1


def test_a_packet_of_a_batch_costs_a_score_of_lines(kernel: Kernel) -> None:
    queue = BatchedQueue(7370, Handler(), MARKS)
    packets = [packet(number) for number in range(64)]

    def serve() -> None:
        queue._serve_until(0.0, wait=False)

    kernel.send(*packets)
    serve()
    kernel.send(*packets)
    assert steps(serve) <= 64 * 20
