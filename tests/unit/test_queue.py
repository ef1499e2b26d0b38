# SPDX-License-Identifier: GPL-2.0-or-later
"""One verdict for each packet, with the right mark, in whatever order things go wrong."""

import itertools
import struct
from collections import deque
from math import inf
from threading import Event
from typing import Any

import pytest

from smartrouter.linux import queue, serving
from smartrouter.linux.netlink import attributes
from smartrouter.linux.queue import FORWARD, LOCAL_IN, LOCAL_OUT, Marks, Queue, Ruling, Silently
from smartrouter.linux.rulings import SOON, TURN

MARKS = Marks(0x40, 0x80)


class Library:
    """Stands where NetfilterQueue would: hands out what is queued, one packet after the other, for as long as
    the callback that `bind` was given raises nothing."""

    def __init__(self) -> None:
        self.queued: deque[Packet] = deque()
        self.waiting: list[Packet] = []  # for their verdicts
        self.runs: list[bool] = []  # `block` of each call
        self.is_bound = False
        self.handed_out = 0

    def bind(self, number: int, callback: Any, *options: int) -> None:
        self.callback = callback
        self.is_bound = True

    def run(self, block: bool) -> None:
        assert self.is_bound
        self.runs.append(block)
        while self.queued:
            self.hand_out(self.queued.popleft())

    def hand_out(self, packet: "Packet") -> None:
        self.handed_out += 1
        packet.id = self.handed_out
        self.waiting.append(packet)
        self.callback(packet)

    def get_fd(self) -> int:
        return -1

    def send(self, data: bytes) -> None:
        """The kernel takes verdicts: each is on all packets that wait, up to the one it names."""
        assert self.is_bound
        at = 0
        while at < len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            assert kind == 0x0303  # NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_VERDICT_BATCH
            said = attributes(data[at + 20 : at + length])
            verdict, last = struct.unpack(">II", said[2])
            answered = [packet for packet in self.waiting if packet.id <= last]
            assert answered, "a verdict for nobody"
            self.waiting = self.waiting[len(answered) :]
            for packet in answered:
                mark = int.from_bytes(said[3], "big") if 3 in said else None
                packet.answered(mark if verdict == 1 else "dropped")
            at += length

    def close(self) -> None:
        assert not self.is_bound

    def unbind(self) -> None:
        self.is_bound = False


class Packet:
    """One packet, and what was done to it. `log`: also what was done to others, in its order."""

    def __init__(
        self,
        hook: int = FORWARD,
        mark: int = 0x10001,
        hardware: bytes | None = b"\2\0\0\0\0\1\0\0",
        payload: bytes = b"payload",
        log: list[Any] | None = None,
    ):
        self.hook = hook
        self.mark = mark
        self.hardware = hardware
        self.payload = payload
        self.id = 0
        self.verdicts: list[int | str | None] = []
        self.log = [] if log is None else log

    def get_payload(self) -> bytes:
        return self.payload

    def get_hw(self) -> bytes | None:
        return self.hardware

    def answered(self, verdict: int | str | None) -> None:
        self.verdicts.append(verdict)
        self.log.append(("verdict", self.payload))


class Bare(Packet):
    """One whose payload the library cannot give."""

    def get_payload(self) -> bytes:
        raise RuntimeError("no payload")


class Handler:
    """Does in each step what the test says: return a value, or raise it. Packets of any other payload than
    the usual one it lets pass, and has nothing to settle of them."""

    def __init__(self, judge: Any = True, settle: Any = None, failed: Any = False, conclude: Any = None):
        self.steps = {"judge": judge, "settle": settle, "failed": failed, "conclude": conclude}
        self.calls: list[tuple[Any, ...]] = []
        self.has_more = False

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> Any:
        if payload != b"payload":
            self.calls.append(("judge", payload))
            return True
        self.has_more = True
        return self._do("judge", payload, mac, hook, mark)

    def recall(self, packets: object) -> None:
        """It remembers nothing."""

    def conclude(self) -> None:
        if self.has_more:
            self._do("conclude")
        else:
            self.calls.append(("conclude",))

    def settle(self) -> Any:
        if not self.has_more:
            self.calls.append(("settle",))
            return None
        self.has_more = False
        return self._do("settle")

    def failed(self, error: BaseException) -> Any:
        return self._do("failed", error)

    def _do(self, step: str, *arguments: Any) -> Any:
        self.calls.append((step, *arguments))
        if isinstance(self.steps[step], BaseException):
            raise self.steps[step]
        return self.steps[step]


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    library = Library()
    monkeypatch.setattr(queue, "NetfilterQueue", lambda: library)
    monkeypatch.setattr("smartrouter.linux.queue.socket.fromfd", lambda *_: library)
    for module in (queue, serving):
        monkeypatch.setattr(module, "limit_waiting", lambda *_: None)
    monkeypatch.setattr(queue, "CLOSE", inf)  # seconds: they are all there
    return library


def serve(library: Library, handler: Handler, *packets: Packet) -> Queue:
    """A reader that has served these packets, which came together."""
    reader = Queue(1, handler, MARKS)
    library.queued.extend(packets)
    stop = Event()

    def beat() -> None:
        if not library.queued:
            stop.set()

    reader.serve(stop, beat)
    return reader


@pytest.mark.parametrize(
    ("hook", "said", "mark"),
    [
        (FORWARD, True, 0x10041),
        (FORWARD, False, 0x10081),
        (FORWARD, None, None),
        (LOCAL_IN, True, None),
        (LOCAL_IN, False, None),
        (LOCAL_OUT, True, None),
        (LOCAL_OUT, False, None),
        (FORWARD, Silently.DROPPED, "dropped"),
    ],
)
def test_only_a_forwarded_packet_gets_a_mark_and_keeps_the_others(
    library: Library, hook: int, said: Ruling, mark: int | str | None
) -> None:
    packet = Packet(hook)
    serve(library, Handler(said), packet)
    assert packet.verdicts == [mark]


@pytest.mark.parametrize("came_with", [0x0, 0x40, 0x80, 0xC0])
@pytest.mark.parametrize(("said", "leaves_with"), [(True, 0x40), (False, 0x80)])
def test_a_verdict_is_one_mark_whatever_the_packet_came_with(
    library: Library, came_with: int, said: bool, leaves_with: int
) -> None:
    packet = Packet(mark=0x10001 | came_with)
    serve(library, Handler(said), packet)
    assert packet.verdicts == [0x10001 | leaves_with]


def test_the_first_packet_is_answered_at_once_and_up_to_64_that_wait_behind_it_together(
    library: Library,
) -> None:
    handler = Handler()
    log = handler.calls  # the verdicts are written down there, too
    names = [b"%d" % number for number in range(100)]
    serve(library, handler, *(Packet(payload=name, log=log) for name in names))
    expected: list[Any] = []
    for batch in (names[:1], names[1:65], names[65:66], names[66:]):
        expected += [("judge", name) for name in batch]
        expected += [("conclude",)]
        expected += [("verdict", name) for name in batch]
        expected += [("settle",)]
    assert log == expected


def test_only_for_the_first_packet_does_the_reader_wait(library: Library) -> None:
    serve(library, Handler(), *(Packet() for _ in range(3)))
    # Three packets, and nothing more; then the last look before the end.
    assert library.runs == [True, False, True, True, False]


@pytest.mark.parametrize(("puts_off", "waits"), [(None, [TURN]), (True, [TURN, SOON, TURN])])
def test_what_a_handler_puts_off_does_not_wait_long(
    library: Library, monkeypatch: pytest.MonkeyPatch, puts_off: bool | None, waits: list[float]
) -> None:
    said: list[float] = []
    for module in (queue, serving):
        monkeypatch.setattr(module, "limit_waiting", lambda _, seconds: said.append(seconds))
    serve(library, Handler(settle=puts_off), Packet())
    assert said == waits


def test_where_no_packet_comes_nothing_is_done_and_the_queue_is_given_back(library: Library) -> None:
    handler = Handler()
    serve(library, handler)
    assert handler.calls == []
    assert not library.is_bound


@pytest.mark.parametrize("number", [2, 100])
def test_packets_that_come_while_the_queue_is_opened_are_judged_once_it_is_served(
    library: Library, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    early, handler = [Packet() for _ in range(number)], Handler()

    def bind(number: int, callback: Any, *options: int) -> None:
        library.callback, library.is_bound = callback, True
        for packet in early:
            library.hand_out(packet)

    monkeypatch.setattr(library, "bind", bind)
    later = Packet()
    serve(library, handler, later)
    assert [packet.verdicts for packet in (*early, later)] == [[0x10041]] * (number + 1)


@pytest.mark.parametrize("others", [(0, 0), (1, 0), (2, 3)], ids=["alone", "behind one", "among others"])
def test_every_packet_gets_one_verdict_whatever_is_raised_where(
    library: Library, others: tuple[int, int]
) -> None:
    before, behind = others
    outcomes: list[Any] = [None, True, Silently.DROPPED, ValueError("x"), SystemExit(1), KeyboardInterrupt()]
    cases = [
        *itertools.product(*[outcomes] * 3, [None]),
        *itertools.product(outcomes, [None], [False], [ValueError("x"), SystemExit(2)]),
    ]
    for judge, settle, failed, conclude in cases:
        handler = Handler(judge, settle, failed, conclude)
        usual, odd = [Packet(payload=b"other") for _ in range(before + behind)], Packet()
        raised: BaseException | None = None
        try:
            serve(library, handler, *usual[:before], odd, *usual[before:])
        except BaseException as error:
            raised = error
        assert len(odd.verdicts) == 1
        assert [packet.verdicts for packet in usual] == [[0x10041]] * len(usual)
        assert [step for step, *_ in handler.calls].count("settle") == (2 if before else 1)
        called = [judge, conclude, settle] + [failed] * isinstance(judge, BaseException)
        fatal = [step for step in called if isinstance(step, (SystemExit, KeyboardInterrupt))]
        assert (raised in fatal) if fatal else raised is None
        assert not library.is_bound


@pytest.mark.parametrize(
    ("failed", "verdict"), [(True, 0x10041), (False, 0x10081), (ValueError("x"), None), (SystemExit(1), None)]
)
def test_a_payload_that_cannot_be_had_is_a_failure_and_costs_no_other_packet(
    library: Library, failed: Any, verdict: int | None
) -> None:
    handler = Handler(failed=failed)
    packets = [Packet(payload=b"one"), Packet(payload=b"two"), Bare(), Packet(payload=b"the last")]
    raised: BaseException | None = None
    try:
        serve(library, handler, *packets)
    except SystemExit as error:
        raised = error
    assert [packet.verdicts for packet in packets] == [[0x10041], [0x10041], [verdict], [0x10041]]
    assert [step for step, *_ in handler.calls].count("failed") == 1
    assert raised is (failed if isinstance(failed, SystemExit) else None)


def test_a_payload_that_alone_cannot_be_had_is_answered_too(library: Library) -> None:
    handler = Handler(failed=True)
    packet = Bare()
    serve(library, handler, packet)
    assert packet.verdicts == [0x10041]
    assert handler.calls[0][0] == "failed"


def test_what_ends_the_process_while_a_packet_is_taken_is_raised_when_all_have_verdicts(
    library: Library,
) -> None:
    packet, reader = Bare(), Queue(1, Handler(failed=KeyboardInterrupt()), MARKS)
    library.queued.append(packet)
    with pytest.raises(KeyboardInterrupt):
        reader.serve(Event(), lambda: library.queued or pytest.fail("the exception was lost"))
    assert packet.verdicts == [None]


def test_the_handler_gets_macs_as_text_and_an_invented_million_takes_no_memory(library: Library) -> None:
    handler = Handler()
    made_up = [Packet(hardware=b"\x02\xab" + number.to_bytes(4, "big") + b"\0\0") for number in range(3000)]
    reader = serve(library, handler, *made_up, Packet(LOCAL_OUT, hardware=None))
    judged = [call for call in handler.calls if call[0] == "judge"]
    assert judged[-2] == ("judge", b"payload", "02:ab:00:00:0b:b7", FORWARD, 0x10001)
    assert judged[-1][2] is None
    assert len(reader._facts) <= 1024
