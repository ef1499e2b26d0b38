# SPDX-License-Identifier: GPL-2.0-or-later
"""One verdict for each packet, with the right mark, in whatever order things go wrong."""

import itertools
from typing import Any

import pytest

from smartrouter.linux import queue
from smartrouter.linux.queue import FORWARD, LOCAL_IN, LOCAL_OUT, Marks, Queue, Ruling, Silently

MARKS = Marks(0x40, 0x80)


class Library:
    """Stands where NetfilterQueue would: hands packets to the callback that `bind` was given."""

    def bind(self, number: int, callback: Any, *options: int) -> None:
        self.callback = callback

    def get_fd(self) -> int:
        return -1

    def unbind(self) -> None:
        pass


class Packet:
    """One packet, and what was done to it."""

    def __init__(
        self, hook: int = FORWARD, mark: int = 0x10001, hardware: bytes | None = b"\2\0\0\0\0\1\0\0"
    ):
        self.hook = hook
        self.mark = mark
        self.hardware = hardware
        self.given_mark: int | None = None
        self.verdicts: list[int | str | None] = []

    def get_payload(self) -> bytes:
        return b"payload"

    def get_hw(self) -> bytes | None:
        return self.hardware

    def set_mark(self, mark: int) -> None:
        self.given_mark = mark

    def accept(self) -> None:
        self.verdicts.append(self.given_mark)

    def drop(self) -> None:
        self.verdicts.append("dropped")


class Handler:
    """Does in each step what the test says: return a value, or raise it."""

    def __init__(self, judge: Any = True, settle: Any = None, failed: Any = False):
        self.steps = {"judge": judge, "settle": settle, "failed": failed}
        self.calls: list[tuple[Any, ...]] = []

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> Any:
        return self._do("judge", payload, mac, hook, mark)

    def settle(self) -> None:
        self._do("settle")

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
    monkeypatch.setattr(Queue, "_limit_waiting", lambda self: None)
    return library


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
    Queue(1, Handler(said), MARKS)
    packet = Packet(hook)
    library.callback(packet)
    assert packet.verdicts == [mark]


@pytest.mark.parametrize("came_with", [0x0, 0x40, 0x80, 0xC0])
@pytest.mark.parametrize(("said", "leaves_with"), [(True, 0x40), (False, 0x80)])
def test_a_verdict_is_one_mark_whatever_the_packet_came_with(
    library: Library, came_with: int, said: bool, leaves_with: int
) -> None:
    Queue(1, Handler(said), MARKS)
    packet = Packet(mark=0x10001 | came_with)
    library.callback(packet)
    assert packet.verdicts == [0x10001 | leaves_with]


def test_every_packet_gets_one_verdict_whatever_is_raised_where(library: Library) -> None:
    outcomes: list[Any] = [None, True, Silently.DROPPED, ValueError("x"), SystemExit(1), KeyboardInterrupt()]
    for judge, settle, failed in itertools.product(outcomes, repeat=3):
        handler = Handler(judge, settle, failed)
        Queue(1, handler, MARKS)
        packet = Packet()
        raised: BaseException | None = None
        try:
            library.callback(packet)
        except BaseException as error:
            raised = error
        assert len(packet.verdicts) == 1
        assert [step for step, *_ in handler.calls].count("settle") == 1
        called = [judge, settle] + [failed] * isinstance(judge, BaseException)
        fatal = [step for step in called if isinstance(step, (SystemExit, KeyboardInterrupt))]
        assert (raised in fatal) if fatal else raised is None


def test_a_payload_that_cannot_be_had_is_a_failure_like_any_other(library: Library) -> None:
    class Bare(Packet):
        def get_payload(self) -> bytes:
            raise RuntimeError("no payload")

    handler = Handler(failed=True)
    Queue(1, handler, MARKS)
    packet = Bare()
    library.callback(packet)
    assert packet.verdicts == [0x10041]
    assert handler.calls[0][0] == "failed"


def test_the_handler_gets_macs_as_text_and_an_invented_million_takes_no_memory(library: Library) -> None:
    handler = Handler()
    reader = Queue(1, handler, MARKS)
    for number in range(3000):
        library.callback(Packet(hardware=b"\x02\xab" + number.to_bytes(4, "big") + b"\0\0"))
    assert handler.calls[-2] == ("judge", b"payload", "02:ab:00:00:0b:b7", FORWARD, 0x10001)
    assert len(reader._macs) <= 1024
    library.callback(Packet(LOCAL_OUT, hardware=None))
    assert handler.calls[-2][2] is None
