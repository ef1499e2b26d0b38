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
from time import monotonic

from smartrouter.core.errors import Unavailable
from smartrouter.linux.answers import FatesOf
from smartrouter.linux.netlink import Netlink, attribute
from smartrouter.linux.netlink import number as u32
from smartrouter.linux.nfnetlink_packets import Messages, limit_waiting, mac_text, subscribe
from smartrouter.linux.queue_rule import has_queues
from smartrouter.linux.rulings import COPY, MAX_LENGTH, RECEIVE_BUFFER, TURN, Facts, Handler, Marks, Waiting
from smartrouter.linux.serving import CLOSE, TOGETHER, Serving

__all__ = ["BatchedQueue"]

_METADATA = 336  # bytes beside the packet in a message; all attributes there are take 144

_PACKET, _CONFIG = 0x300, 0x302  # NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_*
_HEADER, _MARK, _TIMESTAMP, _HWADDR, _PAYLOAD, _LENGTH = 1, 3, 4, 9, 10, 13  # NFQA_*
_PASSING = frozenset({_TIMESTAMP, _LENGTH})  # what differs from packet to packet and does not matter
_COMMAND, _PARAMETERS, _LIMIT = 1, 2, 3  # NFQA_CFG_*
_BIND = struct.pack(">BxH", 1, 0)  # nfqnl_msg_config_cmd: NFQNL_CFG_CMD_BIND
_COPY_PACKET = 2  # NFQNL_COPY_PACKET
_MSG_WAITFORONE = 0x10000  # linux/socket.h: wait for the first datagram only
_PASSING_ERRORS = frozenset({errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN, errno.EINTR})


class BatchedQueue(Serving):
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
        super().__init__(number, handler)
        messages = Messages(_PACKET, _PAYLOAD, _HEADER, _PASSING, _facts(FatesOf(number, marks)))
        with Netlink() as link:
            if not has_queues(link):
                raise Unavailable("This kernel has no packet queues (nfnetlink_queue).")
        options = (
            attribute(_COMMAND, _BIND)
            + attribute(_PARAMETERS, struct.pack(">IB", copy, _COPY_PACKET))
            + u32(_LIMIT, max_length)
        )
        taken = f"Somebody listens to queue {number} already: another guard is running"
        self._link = subscribe(_CONFIG, number, options, receive_buffer, taken)
        limit_waiting(self._link, TURN)
        self._arrivals = _Arrivals(self._link, copy + _METADATA, messages)

    def close(self) -> None:
        """Listen no more. The kernel drops what is still in the queue."""
        self._link.close()

    def _serve_until(self, end: float, *, wait: bool) -> None:
        flags = 0 if wait else socket.MSG_DONTWAIT
        answered, is_alone = monotonic(), False
        while (packets := self._arrivals.take(flags, is_alone=is_alone)) is not None:
            is_alone = monotonic() - answered > CLOSE
            self._judge_all(packets)
            answered = monotonic()
            if answered >= end:
                return


def _facts(fates: FatesOf) -> Callable[[dict[int, bytes]], Facts]:
    """What makes, of a packet's attributes: the sender's MAC, the hook, the mark, and how it may fare."""

    def conclude(values: dict[int, bytes]) -> Facts:
        # nfqnl_msg_packet_hdr: the number in 32 bits, a protocol in 16, the hook.
        hook = int.from_bytes(values[_HEADER][6:7], "big")
        mark = int.from_bytes(values.get(_MARK, b""), "big")
        return mac_text(values.get(_HWADDR)), hook, mark, fates[hook, mark]

    return conclude


class _Arrivals:
    """Takes one packet, or up to 64 at once, which cost more to ask for. Each call uses the same memory."""

    def __init__(self, link: socket.socket, size: int, messages: Messages[Facts]):
        """`size`: bytes of the longest datagram; `messages` reads them."""
        self._link = link
        self._messages = messages
        self._size = size
        self._descriptor = link.fileno()
        self._memory = ctypes.create_string_buffer(TOGETHER * size)
        self._view = memoryview(self._memory).cast("B")
        self._places = range(0, TOGETHER * size, size)
        self._pieces = (_Piece * TOGETHER)()
        self._arrivals = (_Arrival * TOGETHER)()
        for place, piece, arrival in zip(self._places, self._pieces, self._arrivals, strict=True):
            piece.base, piece.length = ctypes.addressof(self._memory) + place, size
            arrival.message.pieces, arrival.message.piece_count = ctypes.addressof(piece), 1
        words = memoryview(self._arrivals).cast("B").cast("I")
        self._lengths = words[_Arrival.length.offset // 4 :: ctypes.sizeof(_Arrival) // 4]
        self._receive = ctypes.CDLL(None, use_errno=True).recvmmsg

    def take(self, flags: int, *, is_alone: bool = False) -> list[Waiting] | None:
        """What waits, in order, at most 64; waits for the first unless MSG_DONTWAIT. None: nothing came.
        `is_alone`: the first one will do, as there is hardly a second."""
        if is_alone:
            try:
                return list(self._messages.each([self._link.recv(self._size, flags)]))
            except OSError as error:
                return self._nothing(error.errno or 0)
        count = self._receive(self._descriptor, self._arrivals, TOGETHER, flags | _MSG_WAITFORONE, None)
        if count < 0:
            return self._nothing(ctypes.get_errno())
        lengths = self._lengths[:count].tolist()
        length = lengths[0] if lengths else 0
        if lengths.count(length) == count:  # as with first packets of TCP
            return self._messages.alike(self._view[: count * self._size], length, self._size)
        return list(self._messages.each(map(self._datagram, self._places, lengths)))

    def _datagram(self, place: int, length: int) -> bytes:
        return bytes(self._view[place : place + length])

    def _nothing(self, code: int) -> list[Waiting] | None:
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
