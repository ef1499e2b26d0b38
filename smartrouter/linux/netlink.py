# SPDX-License-Identifier: GPL-2.0-or-later
"""Netfilter's netlink: framing, transactions, dumps, and errors as OSError.

Knows the wire format (include/uapi/linux/netlink.h, netfilter/nfnetlink.h) and nothing of tables or
queues: `nftables.py` says what goes into a message. Standard library only.

The kernel works through a message inside the `send` call, so that its answers are waiting when `send`
returns: nothing here can hang on a lost answer.
"""

import errno
import os
import socket
import struct
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
_NESTED = 0x8000  # NLA_F_NESTED
_TYPE_MASK = 0x3FFF  # NLA_TYPE_MASK
_ANSWER, _LISTING = 4096, 1 << 16  # bytes: more than one answer, than one datagram of a dump (32 KiB)
_DUMP_TRIES = 10

_header = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port id
_family = struct.Struct(">BBH")  # nfgenmsg: family, version, resource id
_attribute = struct.Struct("=HH")  # nlattr: length, type
_code = struct.Struct("=i")


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
        sequence = self._next()
        self._send(_encode(message, message.flags | REQUEST | ACK, sequence))
        self._acknowledged({sequence: message.what})

    def transaction(self, subsystem: int, messages: Sequence[Message], *, check: bool = False) -> None:
        """Carry out all `messages` or none; return when they hold.

        `check`: have the kernel look whether it would, and change nothing (as `nft --check` does: the
        batch never ends, so it is aborted).
        """
        if not messages:
            return
        begin = self._next()
        parts = [_encode(Message(_BATCH_BEGIN, 0, 0, b"", "", subsystem), REQUEST, begin)]
        names = {begin: messages[0].what if len(messages) == 1 else "the whole transaction"}
        for message in messages:
            sequence = self._next()
            names[sequence] = message.what
            # One acknowledgement, the last, says it all; errors come whether asked for or not.
            ack = ACK if message is messages[-1] else 0
            parts.append(_encode(message, message.flags | REQUEST | ack, sequence))
        if not check:
            parts.append(_encode(Message(_BATCH_END, 0, 0, b"", "", subsystem), REQUEST, self._next()))
        self._send(b"".join(parts))
        self._acknowledged(names)

    def dump(self, message: Message) -> list[bytes]:
        """The attributes of everything that `message` asks to be listed, one item an object."""
        for _ in range(_DUMP_TRIES):
            items = self._dump_once(message)
            if items is not None:
                return items
        raise OSError(errno.EINTR, f"{message.what}: it kept changing while it was listed")

    def _dump_once(self, message: Message) -> list[bytes] | None:
        sequence = self._next()
        self._send(_encode(message, message.flags | REQUEST | DUMP, sequence))
        items: list[bytes] = []
        whole = True
        while True:
            for kind, flags, answers, body in _each_message(self._socket.recv(_LISTING)):
                if answers != sequence:
                    continue
                whole = whole and not flags & _DUMP_INTERRUPTED
                if kind == _DONE:
                    return items if whole else None
                if kind == _ERROR:
                    _raise(_code.unpack_from(body)[0], message.what)
                items.append(body[_family.size :])

    def _next(self) -> int:
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        return self._sequence

    def _send(self, data: bytes) -> None:
        self._socket.sendto(data, (0, 0))

    def _acknowledged(self, names: dict[int, str]) -> None:
        """Take the kernel's answers to the messages `names`; raise the first error among them."""
        last = next(reversed(names))
        failure: tuple[int, str] | None = None
        answered = False
        while not answered:
            try:
                datagram = self._socket.recv(_ANSWER, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break  # a transaction that failed as a whole has an answer to its beginning only
            for kind, _, sequence, body in _each_message(datagram):
                # Others are of a call that an exception ended before it took them.
                if kind == _ERROR and sequence in names:
                    answered = sequence == last
                    code = _code.unpack_from(body)[0]
                    if code and failure is None:
                        failure = code, names[sequence]
        if failure:
            _raise(*failure)
        if not answered:
            raise OSError(errno.EPROTO, f"{names[last]}: the kernel did not answer")


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
