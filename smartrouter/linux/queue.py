# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets out of one kernel queue, verdicts back: exactly one for every packet, whatever happens.

Knows how to serve a queue with the library NetfilterQueue, a packet at a time, and which other reader
there is; not what is in a packet or how it is judged: that is the handler's work (`rulings`).
"""

import socket
import sys
from time import monotonic
from typing import Any

from netfilterqueue import COPY_PACKET, NetfilterQueue

from smartrouter.core.errors import Unavailable
from smartrouter.linux.answers import FatesOf, send
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
    Facts,
    Handler,
    Marks,
    Reader,
    Ruling,
    Silently,
    Waiting,
)
from smartrouter.linux.serving import CLOSE, TOGETHER, Serving

__all__ = [
    "DNS_QUEUE", "FLOWS_QUEUE", "FORWARD", "LOCAL_IN", "LOCAL_OUT",
    "Handler", "Marks", "Queue", "Reader", "Ruling", "Silently", "Waiting", "open_queue",
]  # fmt: skip


_MAX_FACTS = 1024  # devices, times the marks that their packets come with


def open_queue(reader: str, number: int, handler: Handler, marks: Marks, **options: int) -> Reader:
    """Listen to queue `number` with the `reader` of that name: 'netfilterqueue' or 'netlink'.

    `options`, and what is raised: see `Queue`.
    """
    if reader == "netfilterqueue":
        return Queue(number, handler, marks, **options)
    from smartrouter.linux.batched_queue import BatchedQueue  # with ctypes, for whom asks for it

    return BatchedQueue(number, handler, marks, **options)


class _FactsOf(dict[tuple[bytes | None, int, int], Facts]):
    """By a packet's hardware address, hook and mark: the sender's MAC, the hook, the mark, its fates."""

    def __init__(self, fates: FatesOf):
        super().__init__()
        self._fates = fates

    def __missing__(self, said: tuple[bytes | None, int, int]) -> Facts:
        if len(self) >= _MAX_FACTS:  # somebody makes MACs up
            self.clear()
        hardware, hook, mark = said
        facts = self[said] = hardware[:6].hex(":") if hardware else None, hook, mark, self._fates[hook, mark]
        return facts


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
        self._facts = _FactsOf(FatesOf(number, marks))
        self._waiting: list[Waiting] = []  # not answered yet
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
        self._judge_waiting()
        while self._take(_ALONE, wait=wait):
            if self._take(TOGETHER, wait=False):
                self._judge_waiting()
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
        if self._room == _ALONE:
            self._judge_one(packet)
            return
        number = packet.id.to_bytes(4, "big")
        facts = self._facts[packet.get_hw(), packet.hook, packet.mark]
        try:
            self._waiting.append((number, facts, packet.get_payload()))
        except BaseException as error:
            self._judge_waiting()  # what came before it
            before, behind = facts[3][self._faults.ruling(error)]
            send(self._link, before + number + behind)
        if len(self._waiting) >= self._room:
            raise _Enough

    def _judge_one(self, packet: Any) -> None:
        """It may be the only one: judged at once."""
        began = monotonic()
        mac, hook, mark, fates = self._facts[packet.get_hw(), packet.hook, packet.mark]
        try:
            ruling = self._handler.judge(packet.get_payload(), mac, hook, mark)
        except BaseException as error:
            ruling = self._faults.ruling(error)
        before, behind = fates[ruling]
        self._finish(began, 1, before + packet.id.to_bytes(4, "big") + behind)
        is_close = began - self._answered < CLOSE
        self._answered = monotonic()
        if is_close or self._answered >= self._end:
            raise _Enough

    def _judge_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._judge_all(waiting)
