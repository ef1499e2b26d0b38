# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel settled by itself: packets that a `log group` rule copied to us, many at a time.

Nobody waits for an answer to them, so that losing one delays nothing; but losses are counted. Knows the
messages of nfnetlink_log (include/uapi/linux/netfilter/nfnetlink_log.h), not what a record means: that is
the handler's work. Standard library only.
"""

import errno
import socket
import struct
from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import TypeAlias

from smartrouter.journal import Journal
from smartrouter.linux.netlink import attribute, string
from smartrouter.linux.netlink import number as u32
from smartrouter.linux.nfnetlink_packets import Messages, limit_waiting, mac_text, message, subscribe

log = Journal("smartrouter.nflog")

Logged: TypeAlias = tuple[str, str | None, bytes]
"""The rule's prefix; the sender's MAC, None if it has none; the packet, from the IP header on, cut at `copy`
bytes. A plain tuple: 100,000 of them a second must be made."""

COPY = 128  # bytes of a packet: the longest IPv6 header chain that occurs, with ports
_TOGETHER = 64  # records that come in one datagram, if they come fast enough
_PATIENCE = 10  # hundredths of a second that the kernel waits for more
_GATHERED = 15 << 10  # bytes: 64 records of some 200 bytes, and with its bookkeeping still 16 KiB of memory
RECEIVE_BUFFER = 8 << 20  # bytes: about 0.3 s at 100,000 records a second
_TURN = 0.15  # seconds that a read waits
_DRAIN = 0.2  # seconds: what waits at the end is handled, so long
_DATAGRAM = 1 << 16  # bytes: more than one datagram
_NUMBERS = 1 << 32  # of records; they begin again
_FAULTS_LOGGED = 10

_PACKET, _CONFIG = 0x400, 0x401  # NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_*
_TIMESTAMP, _HWADDR, _PAYLOAD, _PREFIX, _SEQ = 3, 8, 9, 10, 12  # NFULA_*
_COMMAND, _MODE, _BUFFER, _TIMEOUT, _THRESHOLD, _FLAGS = 1, 2, 3, 4, 5, 6  # NFULA_CFG_*
_BIND, _UNBIND = b"\1", b"\2"  # NFULNL_CFG_CMD_*
_COPY_PACKET = 2  # NFULNL_COPY_PACKET
_NUMBERED = 1  # NFULNL_CFG_F_SEQ


class Log:
    """Gets what rules log to `group`, from construction on; `serve` must follow.

    `copy`: bytes of each packet that are wanted at most. `handler` gets 1 to 64 records at a time, in the
    kernel's order, at most 0.1 s late. Raises
    Unavailable if somebody else listens to that group, or without CAP_NET_ADMIN.
    """

    def __init__(
        self,
        group: int,
        handler: Callable[[list[Logged]], object],
        *,
        copy: int = COPY,
        receive_buffer: int = RECEIVE_BUFFER,
    ):
        self.group = group
        self.seen = 0  # records handed to the handler
        self.lost = 0  # records that the kernel made and that never came, or could not be read
        self.faults = 0  # batches at which the handler raised
        self.overflows = 0  # times that the socket's buffer was full
        self._handler = handler
        self._next = 0  # the number of the next record
        self._messages = Messages(_PACKET, _PAYLOAD, _SEQ, frozenset({_TIMESTAMP}), _kind_and_mac)
        options = (
            attribute(_COMMAND, _BIND)
            + attribute(_MODE, struct.pack(">IBx", copy, _COPY_PACKET))
            + u32(_BUFFER, _GATHERED)
            + u32(_TIMEOUT, _PATIENCE)
            + u32(_THRESHOLD, _TOGETHER)
            + attribute(_FLAGS, struct.pack(">H", _NUMBERED))
        )
        taken = f"Somebody listens to log group {group} already: another guard is running"
        self._socket = subscribe(_CONFIG, group, options, receive_buffer, taken)
        limit_waiting(self._socket, _TURN)

    def serve(self, stop: Event, beat: Callable[[], object]) -> None:
        """Hand records on until `stop` is set; returns within half a second of that, with none left behind.

        Calls `beat` at least twice a second, whether no record comes or too many.
        """
        try:
            while not stop.is_set():
                beat()
                self._take()
            # To one who listens no more the kernel first sends what it has gathered.
            self._socket.send(message(_CONFIG, self.group, attribute(_COMMAND, _UNBIND)))
            end = monotonic() + _DRAIN
            while self._take(socket.MSG_DONTWAIT) and monotonic() < end:
                pass
        finally:
            self.close()

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()

    @property
    def malformed(self) -> int:
        """Messages that break their own format."""
        return self._messages.malformed

    def _take(self, flags: int = 0) -> bool:
        """Handle one datagram; False if none came in time."""
        try:
            datagram = self._socket.recv(_DATAGRAM, flags)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self.overflows += 1  # how much that cost, the next record's number tells
            return True
        records = self._read(datagram)
        if records:
            self.seen += len(records)
            try:
                self._handler(records)
            except Exception as error:
                self._fault(error)
        return True

    def _read(self, datagram: bytes) -> list[Logged]:
        records: list[Logged] = []
        last = b""
        for number, (kind, mac), packet in self._messages.each((datagram,)):
            records.append((kind, mac, packet))
            last = number
        if last:
            self._count(int.from_bytes(last, "big"), len(records))
        return records

    def _count(self, last: int, came: int) -> None:
        """`came` records came, of which `last` is the last one's number."""
        self.lost += (last + 1 - came - self._next) % _NUMBERS
        self._next = (last + 1) % _NUMBERS

    def _fault(self, error: Exception) -> None:
        self.faults += 1
        if self.faults <= _FAULTS_LOGGED:
            log.error("log group %d: the handler failed (%d)", self.group, self.faults, exc_info=error)


def _kind_and_mac(values: dict[int, bytes]) -> tuple[str, str | None]:
    return string(values.get(_PREFIX, b"")), mac_text(values.get(_HWADDR))
