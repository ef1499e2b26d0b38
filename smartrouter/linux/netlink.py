# SPDX-License-Identifier: GPL-2.0-or-later
"""Netfilter's netlink: framing, transactions, dumps, and errors as OSError.

Knows the wire format (include/uapi/linux/netlink.h, netfilter/nfnetlink.h) and nothing of tables or
queues: `nftables.py` says what goes into a message. Standard library only.

The kernel works through a message inside the `send` call, so that its answers are waiting when `send`
returns: nothing here can hang on a lost answer.
"""

import contextlib
import errno
import os
import socket
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import NamedTuple

from smartrouter.core.errors import Unavailable

NETLINK_NETFILTER = 12
NEEDS_NET_ADMIN = "Not allowed to change packet rules: run as root, or give the process CAP_NET_ADMIN."

# Message flags (linux/netlink.h).
REQUEST = 0x01
ACK = 0x04
CREATE = 0x400
APPEND = 0x800
DUMP = 0x300

_ERROR, _DONE = 2, 3  # NLMSG_ERROR, NLMSG_DONE
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11  # NFNL_MSG_BATCH_*
_DUMP_INTERRUPTED = 0x10  # NLM_F_DUMP_INTR: the tables changed while they were listed
_SOL_NETLINK, _CAP_ACK = 270, 10  # NETLINK_CAP_ACK: errors do not repeat our message
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33  # asm-generic/socket.h
_NESTED = 0x8000  # NLA_F_NESTED
_TYPE_MASK = 0x3FFF  # NLA_TYPE_MASK
_ANSWER, _LISTING = 4096, 1 << 16  # bytes: more than one answer, than one datagram of a dump (32 KiB)
_ROOM = 8 << 20  # bytes of kernel memory, while needed: a transaction of 20,000 elements, or as many refusals
_LAST = 0xFFF00000  # from here on numbers begin anew; no transaction has a million messages
_FLAGS_AT = 6  # where in a message its flags are
_DUMP_PATIENCE = 0.5  # seconds: so long a list that keeps changing is asked for again, …
_SHORTEST, _LONGEST = 0.001, 0.02  # … after pauses of so many

_header = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port id
_family = struct.Struct(">BBH")  # nfgenmsg: family, version, resource id
_attribute = struct.Struct("=HH")  # nlattr: length, type
_code = struct.Struct("=i")
_flags = struct.Struct("=H")


def unavailable(error: OSError) -> Unavailable:
    """What `error`, a refusal of the kernel's, means to the operator."""
    if error.errno == errno.EPERM:
        return Unavailable(NEEDS_NET_ADMIN)
    return Unavailable(str(error.strerror or error))


class Message(NamedTuple):
    """One request. `kind`: subsystem << 8 | message; `body`: attributes; `what`: for the error's text."""

    kind: int
    flags: int
    family: int
    body: bytes
    what: str
    resource: int = 0


def attribute(kind: int, value: bytes) -> bytes:
    """An attribute, padded to four bytes."""
    length = _attribute.size + len(value)
    return _attribute.pack(length, kind) + value + bytes(-length % 4)


def text(kind: int, value: str) -> bytes:
    """A string attribute, NUL-terminated."""
    return attribute(kind, value.encode("ascii") + b"\0")


def number(kind: int, value: int) -> bytes:
    """A 32-bit attribute in network order, as nf_tables wants its numbers."""
    return attribute(kind, struct.pack(">I", value))


def nested(kind: int, *parts: bytes) -> bytes:
    """An attribute made of attributes."""
    return attribute(kind | _NESTED, b"".join(parts))


def each_attribute(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes of `data`, in order, as (type, value)."""
    position = 0
    while position + _attribute.size <= len(data):
        length, kind = _attribute.unpack_from(data, position)
        if length < _attribute.size:
            raise OSError(errno.EBADMSG, f"netlink attribute of {length} bytes")
        yield kind & _TYPE_MASK, data[position + _attribute.size : position + length]
        position += length + -length % 4


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes of `data` by type; of a repeated one the last."""
    return dict(each_attribute(data))


def string(value: bytes) -> str:
    """What `text` encodes."""
    return value.split(b"\0", 1)[0].decode("ascii", "replace")


class Netlink:
    """One netlink socket to netfilter, of the network namespace it was made in. Not for several threads.

    Every method raises OSError with the kernel's errno and a text that says what was tried; construction
    raises Unavailable.
    """

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        try:
            self._socket = socket.socket(socket.AF_NETLINK, kind, NETLINK_NETFILTER)
        except OSError as error:
            raise Unavailable(f"This kernel, or this container, has no netfilter netlink: {error}") from error
        self._socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
        for buffer in (_SO_SNDBUFFORCE, _SO_RCVBUFFORCE):
            with contextlib.suppress(
                PermissionError
            ):  # who may not do this may not change packet rules either
                self._socket.setsockopt(socket.SOL_SOCKET, buffer, _ROOM)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def __enter__(self) -> "Netlink":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def request(self, message: Message) -> None:
        """Send one message that is no part of a transaction; return when the kernel has done it."""
        for code in self.requests([message]).values():
            _raise(-code, message.what)

    def requests(self, messages: Sequence[Message]) -> dict[int, int]:
        """Send messages that are no transaction, each for itself. What the kernel refused: the errno, by the
        message's place."""
        if not messages:
            return {}
        first = self._reserve(len(messages))
        encoded = (
            _encode(message, message.flags | REQUEST | ACK, first + place)
            for place, message in enumerate(messages)
        )
        self._send(b"".join(encoded))
        return self._refusals(first, len(messages), messages[-1].what)

    def transaction(self, subsystem: int, messages: Sequence[Message], *, check: bool = False) -> None:
        """Carry out all `messages` or none; return when they hold.

        `check`: have the kernel look whether it would, and change nothing (as `nft --check` does: the
        batch never ends, so it is aborted).
        """
        for place, code in self.attempt(subsystem, messages, check=check).items():
            _raise(-code, messages[place].what)

    def attempt(self, subsystem: int, messages: Iterable[Message], *, check: bool = False) -> dict[int, int]:
        """The same, but where the kernel refuses some of `messages`, it is told which: the errno, by the
        message's place, in their order; then none was carried out. Raises only what is about the whole."""
        begin = self._next()
        data = bytearray(_encode(Message(_BATCH_BEGIN, 0, 0, b"", "", subsystem), REQUEST, begin))
        last, count, what = 0, 0, ""
        for message in messages:
            last, what = len(data), message.what
            count += 1
            data += _encode(message, message.flags | REQUEST, begin + count)
        if not count:
            return {}
        self._sequence = begin + count
        # One acknowledgement, the last, says it all; errors come whether asked for or not.
        _flags.pack_into(data, last + _FLAGS_AT, _flags.unpack_from(data, last + _FLAGS_AT)[0] | ACK)
        if not check:
            data += _encode(Message(_BATCH_END, 0, 0, b"", "", subsystem), REQUEST, self._next())
        self._send(data)
        return self._refusals(begin + 1, count, what if count == 1 else "the whole transaction")

    def ask(self, message: Message) -> bytes:
        """The attributes of the one object that `message` asks for."""
        sequence = self._next()
        self._send(_encode(message, message.flags | REQUEST, sequence))
        for kind, _, answers, body in _each_message(self._socket.recv(_ANSWER, socket.MSG_DONTWAIT)):
            if answers == sequence and kind == _ERROR:
                _raise(_code.unpack_from(body)[0], message.what)
            if answers == sequence:
                return body[_family.size :]
        raise OSError(errno.EPROTO, f"{message.what}: the kernel did not answer")

    def dump(self, message: Message) -> list[bytes]:
        """The attributes of everything that `message` asks to be listed, one item an object."""
        pause, end = _SHORTEST, time.monotonic() + _DUMP_PATIENCE
        while True:
            try:
                return list(self.stream(message))
            except InterruptedError:
                if time.monotonic() >= end:
                    break
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST)
        raise OSError(errno.EINTR, f"{message.what}: it kept changing while it was listed")

    def stream(self, message: Message) -> Iterator[bytes]:
        """The same one by one, as the kernel lists them; to be read to its end before anything else is asked.
        Raises InterruptedError at the end if it changed meanwhile, so that something may be missing."""
        sequence = self._next()
        self._send(_encode(message, message.flags | REQUEST | DUMP, sequence))
        whole = True
        while True:
            for kind, flags, answers, body in _each_message(self._socket.recv(_LISTING)):
                if answers != sequence:
                    continue
                whole = whole and not flags & _DUMP_INTERRUPTED
                if kind == _DONE and whole:
                    return
                if kind == _DONE:
                    raise InterruptedError(errno.EINTR, f"{message.what}: it changed meanwhile")
                if kind == _ERROR:
                    _raise(_code.unpack_from(body)[0], message.what)
                yield body[_family.size :]

    def _next(self) -> int:
        return self._reserve(1)

    def _reserve(self, count: int) -> int:
        """The first of so many sequence numbers in a row."""
        if self._sequence >= _LAST:
            self._sequence = 0
        self._sequence += count
        return self._sequence - count + 1

    def _send(self, data: bytes | bytearray) -> None:
        self._socket.sendto(data, (0, 0))

    def _refusals(self, first: int, count: int, what: str) -> dict[int, int]:
        """Take the kernel's answers to `count` messages, numbered from `first` on. What it refused: the errno
        by place. Raises what it says of the beginning of a transaction, that is, of all of it."""
        refused: dict[int, int] = {}
        answered = False
        while not answered:
            try:
                datagram = self._socket.recv(_ANSWER, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break  # a transaction that failed as a whole has an answer to its beginning only
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                continue  # more refusals than there is room for: some are known, and nothing was carried out
            for kind, _, sequence, body in _each_message(datagram):
                place = sequence - first
                # Others are of a call that an exception ended before it took them.
                if kind != _ERROR or not -1 <= place < count:
                    continue
                answered = place == count - 1
                code = _code.unpack_from(body)[0]
                if code and place < 0:
                    _raise(code, what)
                if code:
                    refused[place] = -code
        if not answered and not refused:
            raise OSError(errno.EPROTO, f"{what}: the kernel did not answer")
        return refused


def _encode(message: Message, flags: int, sequence: int) -> bytes:
    body = _family.pack(message.family, 0, message.resource) + message.body
    return _header.pack(_header.size + len(body), message.kind, flags, sequence, 0) + body


def _each_message(datagram: bytes) -> Iterable[tuple[int, int, int, bytes]]:
    """The messages of a datagram as (type, flags, sequence, body)."""
    position = 0
    while position + _header.size <= len(datagram):
        length, kind, flags, sequence, _ = _header.unpack_from(datagram, position)
        if length < _header.size:
            raise OSError(errno.EBADMSG, f"netlink message of {length} bytes")
        yield kind, flags, sequence, datagram[position + _header.size : position + length]
        position += length + -length % 4


def _raise(code: int, what: str) -> None:
    raise OSError(-code, f"{what}: {os.strerror(-code)}")
