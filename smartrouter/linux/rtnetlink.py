# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own word on links, addresses, neighbours and bridges: dumps, and events as they happen.

Knows messages, not what they mean: that is for `links`, `neighbours` and `bridges`. pyroute2 reads the
messages; only the analyzer may import it, the guard has no room. The sockets are our own: pyroute2's read
ahead into a queue, which poll cannot see, and a dump of theirs has no bound. All events come through one
socket, so that their order is the kernel's: which name an interface index has is known when it is needed.
"""

import errno
import socket
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

from pyroute2.netlink.rtnl import RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR, RTMGRP_LINK, RTMGRP_NEIGH
from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from smartrouter.core.errors import Unavailable

Message: TypeAlias = Any  # pyroute2's nlmsg: a mapping with "event", "attrs" and the header's fields

LINKS, ADDRESSES, NEIGHBOURS = 18, 22, 30  # RTM_GETLINK, RTM_GETADDR, RTM_GETNEIGH (linux/rtnetlink.h)
_BODY = {LINKS: 16, ADDRESSES: 8, NEIGHBOURS: 12}  # bytes of ifinfomsg, ifaddrmsg, ndmsg; family is first
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_GROUPS = RTMGRP_NEIGH | RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR
_PATIENCE = 2.0  # seconds for a part of a dump; the kernel answers at once
_DATAGRAM = 1 << 16  # bytes: more than one of a dump (32 KiB)
_MOST_AT_ONCE = 256  # datagrams of events a turn: some ten milliseconds
_MOST_DROPPED = 1 << 14  # datagrams that are thrown away after a loss: more than fit into the buffer
_ROOM = 1 << 20  # bytes of events that may wait; the kernel grants what net.core.rmem_max allows


class Events(NamedTuple):
    """`lost`: the kernel had to drop some, and only dumps tell how things stand now."""

    messages: list[Message]
    lost: bool


class Rtnetlink:
    """Of the network namespace in which it was made."""

    def __init__(self) -> None:
        self._marshal = MarshalRtnl()
        self._events = _new_socket(_GROUPS)
        self._events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
        self._events.setblocking(False)

    def fileno(self) -> int:
        """Readable when there are events."""
        return self._events.fileno()

    def close(self) -> None:
        """Let go of the socket."""
        self._events.close()

    def dump(self, what: int, family: int = 0) -> Iterator[Message]:
        """Everything of one kind, in the order of the kernel's; whoever stops asking has no more read.

        `what`: LINKS, ADDRESSES or NEIGHBOURS. Raises Unavailable.
        """
        body = bytes([family]).ljust(_BODY[what], b"\0")
        with _new_socket() as asked:
            asked.settimeout(_PATIENCE)
            try:
                asked.send(struct.pack("=IHHII", 16 + len(body), what, _DUMP, 1, 0) + body)
                while True:
                    for message in self._marshal.parse(asked.recv(_DATAGRAM)):
                        match message["header"]["type"]:
                            case 3:  # NLMSG_DONE
                                return
                            case 2:  # NLMSG_ERROR
                                raise _unavailable(message["header"].get("error"))
                            case _:
                                yield message
            except OSError as error:
                raise _unavailable(error) from error

    def events(self) -> Events:
        """What happened since the last call, a bounded number at a time. Raises Unavailable."""
        messages: list[Message] = []
        try:
            for _ in range(_MOST_AT_ONCE):
                messages += self._marshal.parse(self._events.recv(_DATAGRAM))
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise _unavailable(error) from error
            self._drop()
            return Events([], lost=True)
        return Events(messages, lost=False)

    def _drop(self) -> None:
        """Throw away what waits: it is older than the dumps that will follow, and incomplete."""
        for _ in range(_MOST_DROPPED):
            try:
                self._events.recv(1)
            except BlockingIOError:
                return
            except OSError:
                continue  # one more loss, which makes no difference


def _new_socket(groups: int = 0) -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    made.bind((0, groups))
    return made


def _unavailable(why: object) -> Unavailable:
    return Unavailable(f"the kernel does not tell its links and neighbours: {why}")
