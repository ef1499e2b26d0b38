# SPDX-License-Identifier: GPL-2.0-or-later
"""Records in batches, every loss counted, and nothing that ends the reader but its stop."""

import errno
import itertools
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from counting import steps

from smartrouter.linux import nflog
from smartrouter.linux.netlink import attribute, text
from smartrouter.linux.nflog import Log, Logged
from smartrouter.linux.nfnetlink_packets import message

MAC = b"\0\6\0\0" + bytes.fromhex("025a00000001") + b"\0\0"


def record(number: int, prefix: str = "known", packet: bytes = b"packet", mac: bytes = MAC) -> bytes:
    """A message as the kernel makes it (net/netfilter/nfnetlink_log.c: __build_packet_message)."""
    body = (
        attribute(1, b"\x08\0\2\0") + text(10, prefix) + attribute(4, b"\0\0\0\2") + attribute(5, b"\0\0\0\3")
    )
    if mac:
        body += (
            attribute(8, mac) + attribute(15, b"\0\1") + attribute(17, b"\0\x0e") + attribute(16, bytes(14))
        )
    return message(0x0400, 7372, body + attribute(12, struct.pack(">I", number)) + attribute(9, packet))


class Kernel:
    """The other end of the reader's socket."""

    def __init__(self) -> None:
        self.socket, self.reader = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def send(self, *messages: bytes) -> None:
        self.socket.send(b"".join(messages))


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    kernel = Kernel()
    monkeypatch.setattr(nflog, "subscribe", lambda *_: kernel.reader)
    yield kernel
    kernel.socket.close()
    kernel.reader.close()


class Batches:
    """A handler that keeps what it gets, and raises what it is told to."""

    def __init__(self, *faults: BaseException | None):
        self.batches: list[list[Logged]] = []
        self._faults = itertools.chain(faults, itertools.repeat(None))

    def __call__(self, records: list[Logged]) -> None:
        self.batches.append(records)
        fault = next(self._faults)
        if fault is not None:
            raise fault


def served(log: Log) -> list[float]:
    """Serve what waits, until nothing more comes; gives the beats."""
    stop = threading.Event()
    beats: list[float] = []

    def beat() -> None:
        beats.append(0.0)
        if len(beats) > 1:
            stop.set()

    log.serve(stop, beat)
    return beats


def test_a_datagram_is_a_batch(kernel: Kernel) -> None:
    handler = Batches()
    log = Log(7372, handler)
    kernel.send(record(0), record(1, "blocked", b"other", mac=b""), message(3, 0, b""))
    kernel.send(record(2, ""))
    assert len(served(log)) == 2
    mac = "02:5a:00:00:00:01"
    assert handler.batches == [
        [("known", mac, b"packet"), ("blocked", None, b"other")],
        [("", mac, b"packet")],
    ]
    assert (log.seen, log.lost, log.malformed, log.faults, log.overflows) == (3, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("batches", "lost"),
    [
        ([[0, 1], [2]], 0),
        ([[1]], 1),
        ([[0, 1], [9, 10]], 7),
        ([[0, 3]], 2),
        ([[0], [5], [5 + (1 << 20)]], 4 + (1 << 20) - 1),
    ],
)
def test_losses_are_what_the_numbers_leave_out(kernel: Kernel, batches: list[list[int]], lost: int) -> None:
    log = Log(7372, Batches())
    for batch in batches:
        kernel.send(*map(record, batch))
    served(log)
    assert (log.seen, log.lost) == (sum(map(len, batches)), lost)


def test_numbers_begin_again_after_four_thousand_million(kernel: Kernel) -> None:
    log = Log(7372, Batches())
    log._next = 0xFFFFFFFE
    kernel.send(record(0xFFFFFFFE))
    kernel.send(record(0xFFFFFFFF), record(0))
    kernel.send(record(2))
    served(log)
    assert log.lost == 1


def test_a_handler_that_fails_costs_its_batch_and_no_more(kernel: Kernel) -> None:
    handler = Batches(ValueError("a bug"), None, MemoryError())
    log = Log(7372, handler)
    for number in range(4):
        kernel.send(record(number))
    served(log)
    assert len(handler.batches) == 4
    assert (log.seen, log.faults) == (4, 2)


def test_what_must_end_the_process_does(kernel: Kernel) -> None:
    log = Log(7372, Batches(SystemExit(7)))
    kernel.send(record(0))
    with pytest.raises(SystemExit):
        served(log)
    assert kernel.reader.fileno() == -1  # and listens no more


def test_what_cannot_be_read_is_counted_and_lost(kernel: Kernel) -> None:
    handler = Batches()
    log = Log(7372, handler)
    kernel.send(record(0))
    kernel.send(record(1)[:-8])
    kernel.send(b"\1")
    kernel.send(record(2))
    served(log)
    assert [len(batch) for batch in handler.batches] == [1, 1]
    assert (log.malformed, log.lost) == (2, 1)


def test_a_full_buffer_is_counted_and_survived(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = Batches()
    log = Log(7372, handler)
    kernel.send(record(5))
    monkeypatch.setattr(log, "_socket", Overflowing(kernel.reader))
    served(log)
    assert (log.overflows, log.lost, log.seen) == (1, 5, 1)


class Overflowing:
    """A socket whose first read says that something was lost."""

    def __init__(self, inner: socket.socket):
        self._inner = inner
        self._told = False

    def recv(self, size: int, flags: int) -> bytes:
        if not self._told:
            self._told = True
            raise OSError(errno.ENOBUFS, "No buffer space available")
        return self._inner.recv(size, flags)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_a_record_costs_a_dozen_lines(kernel: Kernel) -> None:
    log = Log(7372, Batches())
    served_once = b"".join(map(record, range(64)))
    log._read(served_once)
    assert steps(lambda: log._read(served_once)) <= 64 * 12
