# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets out of one kernel queue, verdicts back: exactly one for every packet, whatever happens.

Knows how to serve a queue (with the library NetfilterQueue), not what is in a packet or how it is judged:
that is the handler's work.

A verdict is `accept`, with a mark; the gate, a later chain of the ruleset, does the refusing. So a packet
that nobody could judge meets the gate with the mark that it came with, and `on_failure` decides about it.
Only what is to vanish without a word, because it will come again, is dropped here.
"""

import contextlib
import logging
import math
import socket
import struct
from collections.abc import Callable
from enum import Enum
from threading import Event
from time import monotonic
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from netfilterqueue import COPY_PACKET, NetfilterQueue

from smartrouter.core.errors import Unavailable
from smartrouter.linux.netlink import NEEDS_NET_ADMIN
from smartrouter.linux.queue_rule import DNS_QUEUE, FLOWS_QUEUE

__all__ = [
    "DNS_QUEUE", "FLOWS_QUEUE", "FORWARD", "LOCAL_IN", "LOCAL_OUT",
    "Handler", "Marks", "Queue", "Ruling", "Silently",
]  # fmt: skip

log = logging.getLogger("smartrouter.queue")

# The hook where a packet was queued (linux/netfilter.h: enum nf_inet_hooks).
LOCAL_IN, FORWARD, LOCAL_OUT = 1, 2, 3

_TURN = 0.15  # seconds: how long a turn of serving lasts, and how long it waits for a packet. Half a second
#              is promised for both together.
_DRAIN = 0.1  # seconds: what is still queued at the end is judged, so long
_COPY = 4016  # bytes of a packet: all that the library's buffer holds
_MAX_LENGTH = 16384  # packets: 0.1 s at the rate that one core judges
_RECEIVE_BUFFER = 16 << 20  # bytes of kernel memory for packets on their way: about _MAX_LENGTH small ones
_MAC_CACHE = 1024  # devices


class Marks(NamedTuple):
    """The bits of the packet mark that tell the gate what the guard said."""

    passing: int
    blocking: int


class Silently(Enum):
    """What can be done with a packet besides letting it on."""

    DROPPED = "dropped"  # its sender hears nothing, and will send it again


Ruling: TypeAlias = bool | Literal[Silently.DROPPED] | None


class Handler(Protocol):
    """Judges the packets of one queue, in that queue's thread."""

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> Ruling:
        """Let this IP packet go on (True), or have the gate refuse it (False).

        None leaves its mark alone: for what does not come from a device, such as a DNS reply, which
        meets no gate that would take a mark off again. Only in FORWARD is a mark set in any case: one of
        ours, and the other taken off.

        `payload`: up to 4016 bytes, from the IP header on. `mac`: the sender's, None in LOCAL_OUT.
        `mark`: as the packet came.
        """

    def settle(self) -> None:
        """The verdict on the packet just judged is with the kernel: do what could wait."""

    def failed(self, error: BaseException) -> Ruling:
        """`judge` raised `error`: the verdict on that packet instead, as `judge` would give it."""


class _TurnOver(BaseException):
    """Ends the library's loop between two packets; no error."""


class Queue:
    """Listens to queue `number` from construction on; `serve` must follow.

    Raises Unavailable if somebody else listens there, or without CAP_NET_ADMIN.
    """

    def __init__(
        self,
        number: int,
        handler: Handler,
        marks: Marks,
        *,
        copy: int = _COPY,
        max_length: int = _MAX_LENGTH,
        receive_buffer: int = _RECEIVE_BUFFER,
    ):
        self.number = number
        self.faults = 0  # what a handler's `settle` or `failed` raised
        self._handler = handler
        self._passing, self._blocking = marks
        self._others = ~(marks.passing | marks.blocking)
        self._macs: dict[bytes, str] = {}
        self._turn_ends = math.inf  # the library may hand out packets as early as in `bind`
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
        self._limit_waiting()

    def serve(self, stop: Event, beat: Callable[[], object]) -> None:
        """Judge packets until `stop` is set; returns within half a second of that, then listens no more.

        Calls `beat` at least twice a second, whether no packet comes or too many.
        """
        try:
            while not stop.is_set():
                beat()
                self._serve_until(monotonic() + _TURN, wait=True)
            self._serve_until(monotonic() + _DRAIN, wait=False)
        finally:
            self.close()

    def close(self) -> None:
        """Listen no more. The kernel drops what is still in the queue."""
        self._queue.unbind()

    def _serve_until(self, end: float, *, wait: bool) -> None:
        self._turn_ends = end
        # The library's loop goes on for as long as packets come; when none does, its `recv` times out.
        with contextlib.suppress(_TurnOver):
            self._queue.run(block=wait)

    def _limit_waiting(self) -> None:
        """Give the library's blocking `recv` a time limit."""
        # struct timeval; with the option's newer number (asm-generic/socket.h: SO_RCVTIMEO_NEW), which C
        # libraries of 32-bit systems use for times beyond 2038, both its fields have 64 bits.
        layout = "@qq" if socket.SO_RCVTIMEO == 66 else "@ll"
        limit = struct.pack(layout, 0, round(_TURN * 1e6))
        view = socket.fromfd(self._queue.get_fd(), socket.AF_NETLINK, socket.SOCK_RAW)
        with view:
            view.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)

    def _packet(self, packet: Any) -> None:
        """One packet: judged, then a verdict, then the rest. Only _TurnOver and what must end the process
        (an exception that is no Exception) leave this method, and only after the verdict."""
        handler = self._handler
        fatal: BaseException | None = None
        verdict: Ruling = None
        try:
            try:
                verdict = handler.judge(
                    packet.get_payload(), self._mac(packet.get_hw()), packet.hook, packet.mark
                )
            except BaseException as error:
                if not isinstance(error, Exception):
                    fatal = error
                verdict = handler.failed(error)
            if isinstance(verdict, bool) and packet.hook == FORWARD:
                ours = self._passing if verdict else self._blocking
                packet.set_mark(packet.mark & self._others | ours)
        except BaseException as error:
            fatal = self._fault(error) or fatal
        finally:
            if verdict is Silently.DROPPED:
                packet.drop()
            else:
                packet.accept()
        try:
            handler.settle()
        except BaseException as error:
            fatal = self._fault(error) or fatal
        if fatal is not None:
            raise fatal
        if monotonic() >= self._turn_ends:
            raise _TurnOver

    def _mac(self, hardware: bytes | None) -> str | None:
        """The text of a link-layer address, made once a device."""
        if hardware is None:
            return None
        mac = self._macs.get(hardware)
        if mac is None:
            if len(self._macs) >= _MAC_CACHE:  # somebody makes MACs up
                self._macs.clear()
            mac = self._macs[hardware] = hardware[:6].hex(":")
        return mac

    def _fault(self, error: BaseException) -> BaseException | None:
        """Count a bug of the handler's; gives `error` back if it is meant to end the process."""
        if not isinstance(error, Exception):
            return error
        self.faults += 1
        if self.faults <= 10:
            log.error(
                "queue %d: a handler's own repair failed (%d)", self.number, self.faults, exc_info=error
            )
        return None
