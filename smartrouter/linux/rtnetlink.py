# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own word on links, addresses, neighbours and bridges: dumps, and events as they happen.

Knows messages, not what they mean: that is for `links`, `neighbours` and `bridges`. pyroute2 reads them (only
the analyzer may import it, the guard has no room), but for those on neighbours, of which one hostile device
can make thousands: they are read here, at a twentieth of the time. The sockets are our own, too: pyroute2's
read ahead into a queue, which poll cannot see, and its dumps have no bound. All events come through one
socket, so that their order is the kernel's: which name an interface's number has is known when it is needed.
"""

import errno
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from smartrouter.core.errors import Unavailable

Message: TypeAlias = Any  # as pyroute2's nlmsg: a mapping with "event", "attrs" and the header's fields

# linux/rtnetlink.h
LINKS, ADDRESSES, NEIGHBOURS = 18, 22, 30  # RTM_GETLINK, RTM_GETADDR, RTM_GETNEIGH
_BODY = {LINKS: 16, ADDRESSES: 8, NEIGHBOURS: 12}  # bytes of ifinfomsg, ifaddrmsg, ndmsg; family is first
_NEIGHBOUR_EVENTS = {28: "RTM_NEWNEIGH", 29: "RTM_DELNEIGH"}
_GROUPS = (1, 3, 5, 9)  # RTNLGRP_LINK, _NEIGH, _IPV4_IFADDR, _IPV6_IFADDR
# linux/netlink.h
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_ERROR, _DONE = 2, 3
_SOL_NETLINK, _ADD_MEMBERSHIP, _DROP_MEMBERSHIP = 270, 1, 2

_PATIENCE = 2.0  # seconds for a part of a dump; the kernel answers at once
_DATAGRAM = 1 << 16  # bytes: more than one of a dump (32 KiB)
_MOST_AT_ONCE = 256  # datagrams of events a turn,
_LONGEST = 0.1  # and seconds, should each of them be long in the reading
_MOST_DROPPED = 1 << 14  # datagrams that are thrown away after a loss: more than fit into the buffer
_ROOM = 1 << 20  # bytes of events that may wait; the kernel grants what net.core.rmem_max allows

_header = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port id
_ndmsg = struct.Struct("=BxxxiHBB")  # family, interface, state, flags, type
_attribute = struct.Struct("=HH")  # length, type
_number = struct.Struct("=I")
_short = struct.Struct("=H")
_cache = struct.Struct("=III")  # nda_cacheinfo: confirmed, used, updated
_code = struct.Struct("=i")
_LEAST = {_ERROR: _code.size, **dict.fromkeys(_NEIGHBOUR_EVENTS, _ndmsg.size)}


class Events(NamedTuple):
    """`lost`: the kernel had to drop some, and only dumps tell how things stand now."""

    messages: list[Message]
    lost: bool


class Rtnetlink:
    """Of the network namespace in which it was made. It hears events from `listen` on."""

    def __init__(self) -> None:
        self._marshal = MarshalRtnl()
        self._events = _new_socket()
        self._events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
        self._events.setblocking(False)
        self._listens = False

    def fileno(self) -> int:
        """Readable when there are events."""
        return self._events.fileno()

    def close(self) -> None:
        """Let go of the socket."""
        self._events.close()

    def listen(self) -> None:
        """Hear events from now on: before a dump, so that nothing between the two is missed."""
        if not self._listens:
            self._join(_ADD_MEMBERSHIP)
            self._listens = True

    def dump(self, what: int, family: int = 0) -> Iterator[Message]:
        """Everything of one kind, in the order of the kernel's; whoever stops asking has no more read.

        `what`: LINKS, ADDRESSES or NEIGHBOURS. Raises Unavailable.
        """
        body = bytes([family]).ljust(_BODY[what], b"\0")
        with _new_socket() as asked:
            asked.settimeout(_PATIENCE)
            try:
                asked.send(_header.pack(_header.size + len(body), what, _DUMP, 1, 0) + body)
                while True:
                    for kind, message in self._read(asked.recv(_DATAGRAM)):
                        if kind == _DONE:
                            return
                        yield message
            except OSError as error:
                raise _unavailable(error) from error

    def events(self) -> Events:
        """What happened since the last call, a bounded number at a time. After a loss it is deaf until
        `listen`: a flood costs as much as its reader wants. Raises Unavailable."""
        messages: list[Message] = []
        end = time.monotonic() + _LONGEST
        try:
            for _ in range(_MOST_AT_ONCE):
                if time.monotonic() > end:
                    break
                messages += [message for _, message in self._read(self._events.recv(_DATAGRAM))]
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise _unavailable(error) from error
            self._join(_DROP_MEMBERSHIP)
            self._listens = False
            self._drop()
            return Events([], lost=True)
        return Events(messages, lost=False)

    def _join(self, how: int) -> None:
        for group in _GROUPS:
            self._events.setsockopt(_SOL_NETLINK, how, group)

    def _drop(self) -> None:
        """Throw away what waits: it is older than the dumps that will follow, and incomplete."""
        for _ in range(_MOST_DROPPED):
            try:
                self._events.recv(1)
            except BlockingIOError:
                return
            except OSError:
                continue  # one more loss, which makes no difference

    def _read(self, data: bytes) -> Iterator[tuple[int, Message]]:
        """The messages of a datagram, with their types; at a dump's end None. Raises OSError."""
        at = 0
        while at + _header.size <= len(data):
            length, kind, *_ = _header.unpack_from(data, at)
            if not _header.size <= length <= len(data) - at:
                return
            if length < _header.size + _LEAST.get(kind, 0):
                pass  # no kernel that we know says so little
            elif kind in _NEIGHBOUR_EVENTS:
                yield kind, _neighbour(data, at, length, _NEIGHBOUR_EVENTS[kind])
            elif kind == _ERROR:
                (number,) = _code.unpack_from(data, at + _header.size)
                raise OSError(-number, f"it refused, with error {-number}")
            elif kind == _DONE:
                yield kind, None
            else:
                for message in self._parse(data[at : at + length]):
                    yield kind, message
            at += (length + 3) & ~3

    def _parse(self, data: bytes) -> list[Message]:
        """What pyroute2 makes of a message; nothing of one that it does not know, or cannot read."""
        try:
            return [message for message in self._marshal.parse(data) if message.get("event")]
        except Exception:  # it raises whatever its fields do
            return []


def _neighbour(data: bytes, start: int, length: int, event: str) -> Message:
    """A message on a neighbour, or on an entry of a bridge's, with those attributes that somebody reads."""
    at, end = start + _header.size, start + length
    family, number, state, _, _ = _ndmsg.unpack_from(data, at)
    at += _ndmsg.size
    attributes: list[tuple[str, Any]] = []
    while at + _attribute.size <= end:
        size, kind = _attribute.unpack_from(data, at)
        if not _attribute.size <= size <= end - at:
            break
        value = data[at + _attribute.size : at + size]
        match kind:
            case 1 if len(value) in (4, 16):  # NDA_DST
                attributes.append(("NDA_DST", socket.inet_ntop(_family_of(value), value)))
            case 2:  # NDA_LLADDR
                attributes.append(("NDA_LLADDR", value.hex(":")))
            case 3 if len(value) >= _cache.size:  # NDA_CACHEINFO
                confirmed, _, updated = _cache.unpack_from(value)
                attributes.append(("NDA_CACHEINFO", {"ndm_confirmed": confirmed, "ndm_updated": updated}))
            case 5 if len(value) >= _short.size:  # NDA_VLAN
                attributes.append(("NDA_VLAN", _short.unpack_from(value)[0]))
            case 9 if len(value) >= _number.size:  # NDA_MASTER
                attributes.append(("NDA_MASTER", _number.unpack_from(value)[0]))
        at += (size + 3) & ~3
    return {"event": event, "family": family, "ifindex": number, "state": state, "attrs": attributes}


def _family_of(address: bytes) -> socket.AddressFamily:
    return socket.AF_INET if len(address) == 4 else socket.AF_INET6


def _new_socket() -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    made.bind((0, 0))
    return made


def _unavailable(why: object) -> Unavailable:
    return Unavailable(f"the kernel does not tell its links and neighbours: {why}")
