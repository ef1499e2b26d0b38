# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets out of one kernel queue, verdicts back: exactly one for every packet, whatever happens.

Knows how to serve a queue with the library NetfilterQueue, a packet at a time, and which other reader
there is; not what is in a packet or how it is judged: that is the handler's work (`rulings`).
"""

import socket
import sys
from time import monotonic
from typing import Any, TypeAlias

from netfilterqueue import COPY_PACKET, NetfilterQueue

from smartrouter.core.errors import Unavailable
from smartrouter.linux.answers import Fates
from smartrouter.linux.netlink import NEEDS_NET_ADMIN
from smartrouter.linux.nfnetlink_packets import limit_waiting
from smartrouter.linux.queue_rule import DNS_QUEUE, FLOWS_QUEUE
from smartrouter.linux.rulings import (
    COPY,
    FORWARD,
    LOCAL_IN,
    LOCAL_OUT,
    MAX_LENGTH,
    RECEIVE_BUFFER,
    TURN,
    Handler,
    Marks,
    Reader,
    Ruling,
    Silently,
)
from smartrouter.linux.serving import CLOSE, TOGETHER, Serving

__all__ = [
    "DNS_QUEUE", "FLOWS_QUEUE", "FORWARD", "LOCAL_IN", "LOCAL_OUT",
    "Handler", "Marks", "Queue", "Reader", "Ruling", "Silently", "open_queue",
]  # fmt: skip


_MAC_CACHE = 1024  # devices
_MARK_CACHE = 256  # marks of other programs that packets come with


def open_queue(reader: str, number: int, handler: Handler, marks: Marks, **options: int) -> Reader:
    """Listen to queue `number` with the `reader` of that name: 'netfilterqueue' or 'netlink'.

    `options`, and what is raised: see `Queue`.
    """
    if reader == "netfilterqueue":
        return Queue(number, handler, marks, **options)
    from smartrouter.linux.batched_queue import BatchedQueue  # with ctypes, for whom asks for it

    return BatchedQueue(number, handler, marks, **options)


class _Macs(dict[bytes | None, str | None]):
    """The text of a link-layer address by its bytes, made once a device; None for none."""

    def __missing__(self, hardware: bytes | None) -> str | None:
        if len(self) >= _MAC_CACHE:  # somebody makes MACs up
            self.clear()
        text = self[hardware] = hardware[:6].hex(":") if hardware else None
        return text


class _FatesOf(dict[tuple[int, int], Fates]):
    """Those of packets that come in this hook with that mark."""

    def __init__(self, marks: Marks):
        super().__init__()
        self._marks = marks

    def __missing__(self, came: tuple[int, int]) -> Fates:
        if len(self) >= _MARK_CACHE:
            self.clear()
        fates = self[came] = Fates(*came, self._marks)
        return fates


_Taken: TypeAlias = tuple[int, Any, bytes | None, int, int]
"""A packet's number, its payload (or what kept it from us), the sender's hardware address, hook and mark."""

_ALONE = 1


class _Enough(BaseException):
    """Ends the library's loop between two packets; no error."""


class Queue(Serving):
    """Listens to queue `number` from construction on; `serve` must follow.

    Raises Unavailable if somebody else listens there, or without CAP_NET_ADMIN.
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
        self._fates = _FatesOf(marks)
        self._macs = _Macs()
        self._waiting: list[_Taken] = []  # not answered yet
        self._answered = self._end = 0.0  # when the last verdict was given; when serving is to end
        self._room = sys.maxsize  # the library may hand out packets as early as in `bind`, however many
        try:
            self._queue = NetfilterQueue()
        except OSError as error:
            raise Unavailable(f"{NEEDS_NET_ADMIN} (queue {number}: {error})") from error
        try:
            self._queue.bind(number, self._packet, max_length, COPY_PACKET, copy, receive_buffer // 2)
        except OSError as error:
            raise Unavailable(
                f"Somebody listens to queue {number} already: another guard is running ({error})."
            ) from error
        # The library's own socket: it reads from it, and verdicts are sent on it, many at once.
        self._link = socket.fromfd(self._queue.get_fd(), socket.AF_NETLINK, socket.SOCK_RAW)
        limit_waiting(self._link, TURN)

    def close(self) -> None:
        """Listen no more. The kernel drops what is still in the queue."""
        self._queue.unbind()
        self._link.close()

    def _serve_until(self, end: float, *, wait: bool) -> None:
        """Judge what comes, until `end`, or until nothing comes: the first packet at once, for it may be the
        only one; and if it came on the heels of others, what has come meanwhile together."""
        self._end, self._answered = end, monotonic()
        if self._waiting:
            self._judge_all()
        while self._take(_ALONE, wait=wait):
            if self._take(TOGETHER, wait=False):
                self._judge_all()
            if monotonic() >= end:
                return

    def _take(self, room: int, *, wait: bool) -> bool:
        """Take so many packets, if they are there; `wait` for the first. Those that come `_ALONE` are judged
        as they come, until more seem to wait. False if none wait."""
        self._room = room
        # When no packet comes, the library's `recv` times out; when enough have come, `_packet` ends it.
        try:
            self._queue.run(block=wait)
        except _Enough:
            return True
        if self._faults.fatal is not None and not self._waiting:
            raise self._faults.fatal
        return bool(self._waiting)

    def _packet(self, packet: Any) -> None:
        """The library hands out a packet. Its memory is good for no longer than this call."""
        try:
            payload = packet.get_payload()
        except BaseException as error:
            payload = error
        waiting = self._waiting
        waiting.append((packet.id, payload, packet.get_hw(), packet.hook, packet.mark))
        if len(waiting) < self._room:
            return
        if self._room == _ALONE:
            is_close = monotonic() - self._answered < CLOSE
            self._judge_all()
            self._answered = answered = monotonic()
            if not is_close and answered < self._end:
                return
        raise _Enough

    def _judge_all(self) -> None:
        """All that was taken: judged, then the verdicts, then the rest."""
        judge, macs, fates = self._handler.judge, self._macs, self._fates
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        began = monotonic()
        run = last = -3  # how those fare that came just before; the number of the last of them
        for number, payload, hardware, hook, mark in waiting:
            try:
                if type(payload) is not bytes:
                    raise payload
                ruling = judge(payload, macs[hardware], hook, mark)
            except BaseException as error:
                ruling = self._faults.ruling(error)
            fate = fates[hook, mark][ruling]
            if fate != run:
                if last >= 0:
                    self._answers.put(last, run)
                run = fate
            last = number
        self._answers.put(last, run)
        self._finish(began, len(waiting))
