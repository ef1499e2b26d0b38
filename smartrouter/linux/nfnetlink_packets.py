# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets that the kernel hands out over netlink: how to subscribe, and where in a message things stand.

What the readers of queues and of logged packets have in common. Knows neither verdicts nor what is in a
packet. Standard library only.
"""

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any, Generic, NamedTuple, TypeVar

from smartrouter.core.errors import Unavailable
from smartrouter.linux.netlink import NETLINK_NETFILTER, Netlink
from smartrouter.linux.queue_rule import has_queues

__all__ = ["Messages", "limit_waiting", "mac_text", "message", "subscribe"]

_header = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port id
_family = struct.Struct(">BBH")  # nfgenmsg: family, version, resource id
_attribute = struct.Struct("=HH")  # nlattr: length, type
_code = struct.Struct("=i")

_HEAD = _header.size + _family.size
_REQUEST = 0x01  # NLM_F_REQUEST
_ERROR = 2  # NLMSG_ERROR
_TYPE_MASK = 0x3FFF  # NLA_TYPE_MASK
_SO_RCVBUFFORCE = 33  # asm-generic/socket.h: past the limit net.core.rmem_max, with CAP_NET_ADMIN
_ANSWER = 64  # bytes: the head of an error

_LENGTH, _PAYLOAD = 0, -2  # places among what a head is taken apart into: the lengths of message and packet
_MAX_LAYOUTS = 32  # they differ by rules' prefixes and by kinds of interface
_MAX_FACTS = 2048  # times 300 bytes: devices × rules


Facts = TypeVar("Facts")


class Layout(NamedTuple):
    """Messages with the same attributes in the same order.

    `head` takes one apart, up to the packet's first byte: its length, what is of this packet alone, and
    between that the stretches that `said` picks out. `form` is how, in the words of `struct`.
    """

    form: str
    size: int  # bytes
    head: Callable[[bytes, int], tuple[Any, ...]]
    said: Callable[[tuple[Any, ...]], tuple[bytes, ...]]
    number: int  # the place of the message's number among what `head` gives


_NONE = Layout("", 1 << 32, _header.unpack_from, itemgetter(0), 0)  # longer than any message


class Messages(Generic[Facts]):
    """Reads what the kernel says about packets, without taking every message apart.

    Little of it is of one packet alone: its number, a time, its length. The rest, the types and lengths of
    all attributes among it, is the same for every packet that a device sends to the same rule. So a message
    is walked through once, and what followed from it is found again by those bytes.
    """

    def __init__(
        self,
        kind: int,
        payload: int,
        number: int,
        passing: frozenset[int],
        conclude: Callable[[dict[int, bytes]], Facts],
    ):
        """Of messages of type `kind`. `payload`: the attribute that holds the packet; `number`: the one that
        begins with the message's number, in 32 bits; `passing`: those that differ from packet to packet,
        and do not matter. `conclude` makes something of all other attributes' values, by their types."""
        self.malformed = 0  # messages that break their own format, or hold no packet
        self._kind = kind
        self._payload = payload
        self._number = number
        self._passing = passing
        self._conclude = conclude
        self._layouts: dict[str, Layout] = {}
        self._facts: dict[tuple[bytes, ...], Facts] = {}
        self._last = _NONE
        self._whole = _NONE, 0, _header.iter_unpack  # a layout and a length; what takes such messages apart

    def each(self, datagrams: Iterable[bytes]) -> Iterator[tuple[bytes, Facts, bytes]]:
        """The messages in some datagrams: (number, what was concluded, packet)."""
        _, size, head, said, number = self._last
        recall = self._facts.get
        for data in datagrams:
            at, end = 0, len(data)
            if end >= size and (facts := recall(said(fields := head(data, 0)))) is not None:
                last = size + fields[_PAYLOAD] - 4
                if last <= fields[_LENGTH] <= end < fields[_LENGTH] + 4:  # the only one, as of queues
                    yield fields[number], facts, data[size:last]
                    continue
            while at < end:
                first = at + size
                if first > end or (facts := recall(said(fields := head(data, at)))) is None:
                    layout = self._find(data, at)
                    if layout is None:
                        at = self._skip(data, at)
                    else:
                        _, size, head, said, number = self._last = layout
                    continue
                last = first + fields[_PAYLOAD] - 4  # the length counts its own four bytes
                at += fields[_LENGTH] + 3 & ~3
                if last > at or last > end:
                    self.malformed += 1
                    break
                yield fields[number], facts, data[first:last]

    def alike(self, memory: memoryview, length: int, step: int) -> list[tuple[bytes, Facts, bytes]]:
        """The same for datagrams of that length which begin every `step` bytes. Messages that are like the
        last one are taken apart in one go, the packets with them."""
        layout = self._last
        _, size, _, said, number = layout
        if size > length:
            return list(self.each(_cut(memory, length, step)))
        if self._whole[:2] != (layout, length):
            form = f"{layout.form}{length - size}s{step - length}x"
            self._whole = layout, length, struct.Struct(form).iter_unpack
        recall = self._facts.get
        found: list[tuple[bytes, Facts, bytes]] = []
        length_of_packet = length - size + 4  # which counts its own four bytes
        for fields in self._whole[2](memory):
            facts = recall(said(fields))
            if facts is None or fields[_PAYLOAD - 1] != length_of_packet or fields[_LENGTH] != length:
                rest = memory[len(found) * step :]
                return found + list(self.each(_cut(rest, length, step)))
            found.append((fields[number], facts, fields[-1]))
        return found

    def _find(self, data: bytes, at: int) -> Layout | None:
        """The layout of the message at `at`, with its facts at hand; None if it cannot be read."""
        for layout in self._layouts.values():
            if at + layout.size <= len(data) and layout.said(layout.head(data, at)) in self._facts:
                return layout
        if at + _header.size > len(data):
            return None
        length, kind, *_ = _header.unpack_from(data, at)
        if kind != self._kind or length < _HEAD or at + length > len(data):
            return None
        return self._learn(data[at : at + length])

    def _skip(self, data: bytes, at: int) -> int:
        """Where the message behind the one at `at` begins."""
        length = kind = 0
        if at + _header.size <= len(data):
            length, kind, *_ = _header.unpack_from(data, at)
        if length < _header.size or kind == self._kind:
            self.malformed += 1
        return at + (length + 3 & ~3) if length >= _header.size else len(data)

    def _learn(self, message: bytes) -> Layout | None:
        """Walk through a message; None if it breaks its format, or has no packet or no number."""
        form, count, number = "=I", 1, 0  # of the head: how it is taken apart, into how many, which is wanted
        said: list[int] = []
        values: dict[int, bytes] = {}
        start, at = 4, _HEAD + _attribute.size  # of what is said; of the attribute's value
        while at <= len(message):
            size, kind = _attribute.unpack_from(message, at - _attribute.size)
            length = size - _attribute.size
            if length < 0 or at + length > len(message):
                return None
            if kind == self._payload:
                if not number:
                    return None
                form += f"{at - 4 - start}sH2s"
                layout = Layout(
                    form, at, struct.Struct(form).unpack_from, itemgetter(*said, count, count + 2), number
                )
                return self._keep(layout, form, message, values)
            kind &= _TYPE_MASK
            values[kind] = message[at : at + length]
            own = 4 if kind == self._number else length if kind in self._passing else 0
            if 0 < own <= length:
                form += f"{at - start}s{own}s"
                said.append(count)
                number = count + 1 if kind == self._number else number
                count, start = count + 2, at + own
            at += length + -size % 4 + _attribute.size
        return None

    def _keep(self, layout: Layout, form: str, message: bytes, values: dict[int, bytes]) -> Layout:
        if len(self._layouts) >= _MAX_LAYOUTS:
            self._layouts.clear()
        if len(self._facts) >= _MAX_FACTS:  # somebody makes MACs up
            self._facts.clear()
        self._facts[layout.said(layout.head(message, 0))] = self._conclude(values)
        return self._layouts.setdefault(form, layout)


def _cut(memory: memoryview, length: int, step: int) -> list[bytes]:
    """The datagrams of that length which begin every `step` bytes."""
    return [piece for (piece,) in struct.iter_unpack(f"{length}s{step - length}x", memory)]


def mac_text(hardware: bytes | None) -> str | None:
    """The link-layer address in a `struct nfqnl_msg_packet_hw`, or `nfulnl_`; None for none."""
    return hardware[4:10].hex(":") if hardware else None


def message(kind: int, number: int, body: bytes) -> bytes:
    """A netlink message about queue or group `number` that asks for no acknowledgement."""
    return _header.pack(_HEAD + len(body), kind, _REQUEST, 0, 0) + _family.pack(0, 0, number) + body


def subscribe(kind: int, number: int, body: bytes, receive_buffer: int, taken: str) -> socket.socket:
    """A socket on which packets come from now on: those of queue or group `number`, as `body` asks.

    `kind`: the type of the configuring message. `receive_buffer`: bytes of kernel memory for packets on
    their way. Raises Unavailable; its text is `taken` if somebody else has that number.
    """
    try:
        link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
    except OSError as error:
        raise Unavailable(f"This kernel, or this container, has no netfilter netlink: {error}") from error
    try:
        link.bind((0, 0))
        _make_room(link, receive_buffer // 2)  # the kernel doubles it, for its own bookkeeping
        _configure(link, message(kind, number, body))
    except OSError as error:
        link.close()
        if error.errno not in (errno.EPERM, errno.EBUSY):
            raise Unavailable(f"This kernel does not hand out packets: {error}") from error
        with Netlink() as other:
            has_queues(other)  # raises Unavailable if it was for want of rights
        raise Unavailable(f"{taken} ({error})") from error
    return link


def limit_waiting(link: socket.socket, seconds: float) -> None:
    """Have a blocking read of `link` end after `seconds`, in whatever library it happens.

    Python's own time limit would cost a system call a read.
    """
    # struct timeval; with the option's newer number (asm-generic/socket.h: SO_RCVTIMEO_NEW), which C
    # libraries of 32-bit systems use for times beyond 2038, both its fields have 64 bits.
    layout = "@qq" if socket.SO_RCVTIMEO == 66 else "@ll"
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack(layout, 0, round(seconds * 1e6)))


def _make_room(link: socket.socket, size: int) -> None:
    try:
        link.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
    except PermissionError:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


def _configure(link: socket.socket, request: bytes) -> None:
    """Have the kernel do what is asked; raises OSError with its refusal.

    No acknowledgement is wanted: it could stand behind packets, which nobody has an eye for yet. A refusal
    is there when `send` returns, and before any packet, as then none comes.
    """
    link.send(request)
    with contextlib.suppress(BlockingIOError):
        answer = link.recv(_ANSWER, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        if _header.unpack_from(answer)[1] == _ERROR:
            code = -_code.unpack_from(answer, _header.size)[0]
            raise OSError(code, os.strerror(code))
