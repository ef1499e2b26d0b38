# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel has counted of connections: of those that end, as they end, and of those that are open.

Knows the messages of nf_conntrack_netlink (include/uapi/linux/netfilter/nfnetlink_conntrack.h), whose
connections are wanted, and nothing of devices. A connection has two tuples: the original one is what its
first packet said, the reply's is what answers say, behind any translation of addresses. So it is a local
device's if its address is the source of either: of the original one where the device began it, of the
reply's where somebody reached the device through a forwarded port. Standard library only; needs
CAP_NET_ADMIN.
"""

import errno
import select
import socket
import struct
from collections.abc import Container, Iterator
from typing import NamedTuple

from smartrouter.core.errors import Unavailable
from smartrouter.linux.conntrack import NO_CONNTRACK
from smartrouter.linux.netlink import NETLINK_NETFILTER, Message, Netlink, attributes, unavailable
from smartrouter.linux.pairs import WITH_PORTS

_SUBSYSTEM, _GET, _DELETE = 1, 1, 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE
_ORIGINAL, _REPLY, _STATUS, _SENT, _RECEIVED, _ID = 1, 2, 3, 9, 10, 12  # CTA_TUPLE_*, _COUNTERS_*, …
_ADDRESSES, _PROTOCOL = 1, 2  # CTA_TUPLE_IP, CTA_TUPLE_PROTO
_IPV4, _IPV6 = 1, 3  # CTA_IP_V4_SRC, CTA_IP_V6_SRC; _DST is the next
_NUMBER, _PORT = 1, 3  # CTA_PROTO_NUM, CTA_PROTO_DST_PORT
_PACKETS, _BYTES = 1, 2  # CTA_COUNTERS_PACKETS, _BYTES
_OFFLOADED = 1 << 14 | 1 << 15  # IPS_OFFLOAD, IPS_HW_OFFLOAD
_ENDED = 3  # NFNLGRP_CONNTRACK_DESTROY
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1  # linux/netlink.h
_SO_RCVBUFFORCE, _SO_MEMINFO = 33, 55  # asm-generic/socket.h
_DROPS = 8  # SK_MEMINFO_DROPS (linux/sock_diag.h): messages that found no room
_meminfo = struct.Struct("=9I")
_HEADERS = 20  # nlmsghdr and nfgenmsg
_length_and_kind = struct.Struct("=IH")
_DATAGRAM = 8192  # bytes: more than one event
ROOM = 4 << 20  # bytes of kernel memory for events that wait: some 4,000
# Where a usual connection (of a protocol with ports) has its two sources; any other is read in full.
_BEGINS4, _BEGINS6 = (
    bytes.fromhex(each) for each in ("340001801400018008000100", "4c0001802c00018014000300")
)
_SOURCES4 = slice(12, 16), slice(64, 68)
_SOURCES6 = slice(12, 28), slice(88, 104)


class Counted(NamedTuple):
    """A connection of a device, as far as it was counted, from the device's side. `number`: tells it from
    others that live at the same time. `device`, `address`: its own address and the one that it speaks to,
    packed; `end`: the one that really answers, behind a translation of addresses. `port`: of the service, 0
    where there are none. `inbound`: the other end began it. `offloaded`: packets of it may pass uncounted."""

    number: int
    device: bytes
    address: bytes
    end: bytes
    protocol: int
    port: int
    inbound: bool
    bytes_out: int
    bytes_in: int
    packets_out: int
    packets_in: int
    offloaded: bool


def read(item: bytes, devices: Container[bytes]) -> Counted | None:
    """The connection that `item`, the attributes of a message, is about; None unless it is of one of the
    `devices` (packed addresses). Without counts, as the kernel gives none for connections that are older
    than its counting, all four are -1. Raises OSError for what no kernel says."""
    begins = item[:12]
    if begins == _BEGINS4:
        if item[_SOURCES4[0]] not in devices and item[_SOURCES4[1]] not in devices:
            return None
    elif begins == _BEGINS6 and item[_SOURCES6[0]] not in devices and item[_SOURCES6[1]] not in devices:
        return None
    try:
        return _read(attributes(item), devices)
    except (KeyError, IndexError, struct.error) as error:
        raise OSError(errno.EBADMSG, f"a connection without {error}") from error


def _read(found: dict[int, bytes], devices: Container[bytes]) -> Counted | None:
    source, destination, protocol, port = _tuple(found[_ORIGINAL])
    answers, _, _, own_port = _tuple(found[_REPLY], source_port=True)
    inbound = source not in devices
    if inbound and answers not in devices:
        return None
    sent, received = _counters(found.get(_SENT)), _counters(found.get(_RECEIVED))
    if inbound:
        sent, received = received, sent
        device, address, end, port = answers, source, source, own_port
    else:
        device, address, end = source, destination, answers
    status = int.from_bytes(found.get(_STATUS, b""), "big")
    return Counted(
        _number(found), device, address, end, protocol, port,
        inbound, sent[1], received[1], sent[0], received[0], bool(status & _OFFLOADED),
    )  # fmt: skip


def _tuple(value: bytes, *, source_port: bool = False) -> tuple[bytes, bytes, int, int]:
    """Source, destination, protocol, and the destination's port, or the source's."""
    parts = attributes(value)
    addresses, protocol = attributes(parts[_ADDRESSES]), attributes(parts[_PROTOCOL])
    number = protocol[_NUMBER][0]
    first, size = (_IPV6, 16) if _IPV6 in addresses else (_IPV4, 4)
    source, destination = addresses[first], addresses[first + 1]
    if not len(source) == len(destination) == size:
        raise KeyError("addresses")
    port = protocol.get(_PORT - source_port, b"") if number in WITH_PORTS else b""
    return source, destination, number, int.from_bytes(port, "big")


def _counters(value: bytes | None) -> tuple[int, int]:
    """Packets and bytes."""
    if value is None:
        return -1, -1
    counters = attributes(value)
    return int.from_bytes(counters[_PACKETS], "big"), int.from_bytes(counters[_BYTES], "big")


def _number(found: dict[int, bytes]) -> int:
    return hash((found.get(_ID, b""), found[_ORIGINAL]))


def open_connections(link: Netlink, devices: Container[bytes]) -> Iterator[Counted]:
    """Those of `devices` that are open. To be read to its end before `link` is used for anything else.

    Raises InterruptedError at its end if some may be missing; Unavailable, also where the kernel cannot list
    them (without nf_conntrack_netlink).
    """
    for item in _listed(link):
        counted = read(item, devices)
        if counted is not None:
            yield counted


def all_open(link: Netlink) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
    """All that are open, whosever they are: their numbers, and bytes and packets that were sent and received,
    from the side that began. The rest as above."""
    for item in _listed(link):
        found = attributes(item)
        sent, received = _counters(found.get(_SENT)), _counters(found.get(_RECEIVED))
        yield _number(found), (sent[1], received[1], sent[0], received[0])


def _listed(link: Netlink) -> Iterator[bytes]:
    asked = Message(_SUBSYSTEM << 8 | _GET, 0, socket.AF_UNSPEC, b"", "listing connections")
    try:
        yield from link.stream(asked)
    except InterruptedError:
        raise
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOENT):
            raise Unavailable(NO_CONNTRACK) from error
        raise unavailable(error) from error


class Endings:
    """Hears of connections that end, from construction on. Raises Unavailable.

    What finds no room while nobody reads is gone, and the kernel never waits for us: it is only counted.
    """

    def __init__(self, room: int) -> None:
        try:
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER
            )
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, room)
            self._socket.bind((0, 0))
            self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _ENDED)
        except OSError as error:
            raise unavailable(error) from error
        self._socket.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self.heard = 0  # events, of whatever connection

    @property
    def lost(self) -> int:
        """Events that found no room."""
        drops: int = _meminfo.unpack(self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _meminfo.size))[
            _DROPS
        ]
        return drops

    def wait(self, seconds: float) -> None:
        """Return when one has ended, or after so many seconds."""
        self._poll.poll(1000 * seconds)

    def take(self, most: int) -> Iterator[bytes]:
        """The attributes of those that ended, for `read`; up to so many."""
        for _ in range(most):
            try:
                datagram = self._socket.recv(_DATAGRAM)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise unavailable(error) from error
                continue  # `lost` says how many
            length, kind = _length_and_kind.unpack_from(datagram)
            if kind == _SUBSYSTEM << 8 | _DELETE:
                self.heard += 1
                yield datagram[_HEADERS:length]

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()
