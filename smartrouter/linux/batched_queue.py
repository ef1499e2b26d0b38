# SPDX-License-Identifier: GPL-2.0-or-later
"""The reader of a queue that takes and answers up to 64 packets at a time.

Promises what `queue.Queue` promises, to the same handlers; talks netlink itself (nfnetlink_queue, in
include/uapi/linux/netfilter/nfnetlink_queue.h). Under load it makes two system calls for 64 packets where
a library makes 128; a packet that comes alone waits for no other.
"""

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Callable
from threading import Event
from time import monotonic, sleep

from smartrouter.core.errors import Unavailable
from smartrouter.linux.netlink import Netlink, attribute
from smartrouter.linux.netlink import number as u32
from smartrouter.linux.nfnetlink_packets import Messages, limit_waiting, mac_text, message, subscribe
from smartrouter.linux.queue_rule import has_queues
from smartrouter.linux.rulings import (
    COPY,
    DRAIN,
    DROPPED,
    FORWARD,
    MAX_LENGTH,
    RECEIVE_BUFFER,
    TURN,
    Faults,
    Handler,
    Marks,
)

__all__ = ["BatchedQueue"]

_TOGETHER = 64  # packets: with more, the first waits longer for its verdict, and little is saved
_METADATA = 336  # bytes beside the packet in a message; all attributes there are take 144

_PACKET, _CONFIG, _VERDICTS = 0x300, 0x302, 0x303  # NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_*
_HEADER, _VERDICT, _MARK, _TIMESTAMP, _HWADDR, _PAYLOAD, _LENGTH = 1, 2, 3, 4, 9, 10, 13  # NFQA_*
_PASSING = frozenset({_TIMESTAMP, _LENGTH})  # what differs from packet to packet and does not matter
_COMMAND, _PARAMETERS, _LIMIT = 1, 2, 3  # NFQA_CFG_*
_BIND = struct.pack(">BxH", 1, 0)  # nfqnl_msg_config_cmd: NFQNL_CFG_CMD_BIND
_COPY_PACKET = 2  # NFQNL_COPY_PACKET
_DROP, _ACCEPT = 0, 1  # NF_DROP, NF_ACCEPT (linux/netfilter.h)
_VANISH, _AS_IT_CAME = -2, -1  # what becomes of a packet; or the mark that it goes on with

# How a verdict's message ends: nfqnl_msg_verdict_hdr; and with the attribute of the mark behind it.
_bare, _marked = struct.Struct(">I4s"), struct.Struct(">I4s4sI")
_MARK_HEADER = u32(_MARK, 0)[:4]

_MSG_WAITFORONE = 0x10000  # linux/socket.h: wait for the first datagram only
_PASSING_ERRORS = frozenset({errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN, errno.EINTR})


class BatchedQueue:
    """Listens to queue `number` from construction on; `serve` must follow.

    `handler.settle` is called once for up to 64 packets, when the verdicts on all of them are with the
    kernel. Raises Unavailable if somebody else listens there, or without CAP_NET_ADMIN.
    """

    def __init__(
        self,
        number: int,
        handler: Handler,
        marks: Marks,
        *,
        copy: int = COPY,
        max_length: int = MAX_LENGTH,
        receive_buffer: int = RECEIVE_BUFFER,
    ):
        self.number = number
        self._handler = handler
        self._faults = Faults(number, handler)
        self._passing, self._blocking = marks
        self._others = ~(marks.passing | marks.blocking)
        self._messages = Messages(_PACKET, _PAYLOAD, _HEADER, _PASSING, _mac_hook_and_mark)
        with Netlink() as link:
            if not has_queues(link):
                raise Unavailable("This kernel has no packet queues (nfnetlink_queue).")
        options = (
            attribute(_COMMAND, _BIND)
            + attribute(_PARAMETERS, struct.pack(">IB", copy, _COPY_PACKET))
            + u32(_LIMIT, max_length)
        )
        taken = f"Somebody listens to queue {number} already: another guard is running"
        self._socket = subscribe(_CONFIG, number, options, receive_buffer, taken)
        limit_waiting(self._socket, TURN)
        empty = attribute(_VERDICT, bytes(_bare.size))
        self._bare = message(_VERDICTS, number, empty)[: -_bare.size]
        self._marked = message(_VERDICTS, number, empty + u32(_MARK, 0))[: -_marked.size]
        self._arrivals = _Arrivals(self._socket.fileno(), copy + _METADATA)

    @property
    def faults(self) -> int:
        """What a handler's `settle` or `failed` raised."""
        return self._faults.count

    def serve(self, stop: Event, beat: Callable[[], object]) -> None:
        """Judge packets until `stop` is set; returns within half a second of that, then listens no more.

        Calls `beat` at least twice a second, whether no packet comes or too many.
        """
        try:
            while not stop.is_set():
                beat()
                self._serve_until(monotonic() + TURN, 0)
            self._serve_until(monotonic() + DRAIN, socket.MSG_DONTWAIT)
        finally:
            self.close()

    def close(self) -> None:
        """Listen no more. The kernel drops what is still in the queue."""
        self._socket.close()

    def _serve_until(self, end: float, flags: int) -> None:
        while (datagrams := self._arrivals.take(flags)) is not None:
            self._serve_batch(datagrams)
            if monotonic() >= end:
                return

    def _serve_batch(self, datagrams: list[bytes]) -> None:
        """These packets: judged, then their verdicts, then the rest. Only what must end the process (an
        exception that is no Exception) leaves this method, and only after the verdicts."""
        handler = self._handler
        answers: list[bytes] = []
        run, last = _AS_IT_CAME, b""  # packets one after the other that fare alike; the last one's number
        for number, (mac, hook, mark), packet in self._messages.each(datagrams):
            try:
                ruling = handler.judge(packet, mac, hook, mark)
            except BaseException as error:
                ruling = self._faults.ruling(error)
            if hook == FORWARD and (ruling is True or ruling is False):
                fate = mark & self._others | (self._passing if ruling else self._blocking)
            else:
                fate = _VANISH if ruling is DROPPED else _AS_IT_CAME
            if fate != run:
                if last:
                    answers.append(self._answer(last, run))
                run = fate
            last = number
        if not last:
            return
        answers.append(self._answer(last, run))
        self._send(b"".join(answers))
        try:
            handler.settle()
        except BaseException as error:
            self._faults.note(error)
        if self._faults.fatal is not None:
            raise self._faults.fatal

    def _answer(self, last: bytes, fate: int) -> bytes:
        """The verdict on all packets that still wait, up to the one numbered `last`."""
        if fate >= 0:
            return self._marked + _marked.pack(_ACCEPT, last, _MARK_HEADER, fate)
        return self._bare + _bare.pack(_DROP if fate == _VANISH else _ACCEPT, last)

    def _send(self, answers: bytes) -> None:
        while True:
            try:
                self._socket.send(answers)
                return
            except OSError as error:
                if error.errno not in _PASSING_ERRORS:
                    raise
                sleep(0.001)  # the kernel has no memory for it, and did none of it


def _mac_hook_and_mark(values: dict[int, bytes]) -> tuple[str | None, int, int]:
    hook = values[_HEADER][6:7]  # nfqnl_msg_packet_hdr: the number in 32 bits, a protocol in 16, the hook
    mark = values.get(_MARK, b"")
    return mac_text(values.get(_HWADDR)), int.from_bytes(hook, "big"), int.from_bytes(mark, "big")


class _Arrivals:
    """Takes up to 64 datagrams at once. Each call uses the same memory."""

    def __init__(self, descriptor: int, size: int):
        """`size`: bytes of the longest datagram."""
        self._descriptor = descriptor
        self._memory = ctypes.create_string_buffer(_TOGETHER * size)
        self._view = memoryview(self._memory).cast("B")
        self._places = range(0, _TOGETHER * size, size)
        self._pieces = (_Piece * _TOGETHER)()
        self._arrivals = (_Arrival * _TOGETHER)()
        for place, piece, arrival in zip(self._places, self._pieces, self._arrivals, strict=True):
            piece.base, piece.length = ctypes.addressof(self._memory) + place, size
            arrival.message.pieces, arrival.message.piece_count = ctypes.addressof(piece), 1
        words = memoryview(self._arrivals).cast("B").cast("I")
        self._lengths = words[_Arrival.length.offset // 4 :: ctypes.sizeof(_Arrival) // 4]
        self._receive = ctypes.CDLL(None, use_errno=True).recvmmsg

    def take(self, flags: int) -> list[bytes] | None:
        """What waits, in order, at most 64; waits for the first unless MSG_DONTWAIT. None: nothing came."""
        count = self._receive(self._descriptor, self._arrivals, _TOGETHER, flags | _MSG_WAITFORONE, None)
        if count < 0:
            return self._nothing(ctypes.get_errno())
        view = self._view
        lengths = self._lengths[:count].tolist()
        return [
            bytes(view[place : place + length]) for place, length in zip(self._places, lengths, strict=False)
        ]

    def _nothing(self, code: int) -> list[bytes] | None:
        if code == errno.EAGAIN:
            return None
        if code in _PASSING_ERRORS:  # the socket was full; the kernel counts what it dropped
            return []
        raise OSError(code, os.strerror(code))


class _Piece(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """struct msghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("pieces", ctypes.c_void_p),
        ("piece_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Arrival(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (("message", _Message), ("length", ctypes.c_uint))
