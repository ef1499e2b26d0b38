# SPDX-License-Identifier: GPL-2.0-or-later
"""This host's own addresses, and whose MAC a neighbour's address has: for a process that asks now and then
and has no room for pyroute2. Needs no right. The wire format is rtnetlink(7)'s.
"""

import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface
from typing import NamedTuple, TypeAlias

from smartrouter.core.errors import Unavailable

Prefix: TypeAlias = IPv4Interface | IPv6Interface

# linux/rtnetlink.h, linux/netlink.h, linux/if_addr.h, linux/neighbour.h
_NEW_ADDRESS, _GET_ADDRESS, _NEW_NEIGHBOUR, _GET_NEIGHBOUR = 20, 22, 28, 30
_REQUEST, _DUMP, _ERROR, _DONE = 0x1, 0x300, 2, 3
_IFA_ADDRESS, _IFA_LOCAL, _NDA_DST, _NDA_LLADDR = 1, 2, 1, 2
_TENTATIVE = 0x40 | 0x08  # IFA_F_TENTATIVE, IFA_F_DADFAILED: not ours (yet)
_header = struct.Struct("=IHHII")
_ifaddrmsg = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index
_ndmsg = struct.Struct("=BxxxiHBB")  # family, index, state, flags, type
_attribute = struct.Struct("=HH")
_PATIENCE = 2.0  # seconds; the kernel answers at once
_DATAGRAM = 1 << 16
_MAC = 6  # bytes


class Local(NamedTuple):
    """An address of this host. `link_local`: it counts on its interface alone."""

    interface: str
    prefix: Prefix

    @property
    def link_local(self) -> bool:
        return self.prefix.version == 6 and self.prefix.ip.is_link_local


def addresses() -> list[Local]:
    """All addresses of this network namespace that are in use. Raises Unavailable."""
    names = dict(socket.if_nameindex())
    found = []
    body = _ifaddrmsg.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    for kind, data in _answers(_GET_ADDRESS, _REQUEST | _DUMP, body):
        if kind != _NEW_ADDRESS:
            continue
        _family, length, flags, _scope, index = _ifaddrmsg.unpack_from(data)
        attributes = dict(_attributes(data, _ifaddrmsg.size))
        raw = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
        if raw and index in names and not flags & _TENTATIVE:
            found.append(Local(names[index], ip_interface(f"{ip_address(raw)}/{length}")))
    return found


def mac_of(address: str, interface: str) -> str:
    """The MAC that the neighbour with this address has on this interface; '' where nobody knows."""
    try:
        raw = ip_address(address).packed
        index = socket.if_nametoindex(interface)
        family = socket.AF_INET if len(raw) == 4 else socket.AF_INET6
        body = (
            _ndmsg.pack(family, index, 0, 0, 0) + _attribute.pack(_attribute.size + len(raw), _NDA_DST) + raw
        )
        for kind, data in _answers(_GET_NEIGHBOUR, _REQUEST, body):
            if kind == _NEW_NEIGHBOUR:
                found = dict(_attributes(data, _ndmsg.size)).get(_NDA_LLADDR, b"")
                return found.hex(":") if len(found) == _MAC else ""
    except (OSError, ValueError, Unavailable):
        pass  # it went, or was never there
    return ""


def _answers(kind: int, flags: int, body: bytes) -> Iterator[tuple[int, bytes]]:
    """The messages that the kernel answers with: type, and what follows the header."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as asked:
            asked.settimeout(_PATIENCE)
            asked.send(_header.pack(_header.size + len(body), kind, flags, 1, 0) + body)
            while True:
                for found, data in _messages(asked.recv(_DATAGRAM)):
                    if found == _ERROR:
                        raise Unavailable("the kernel does not tell addresses")
                    if found == _DONE:
                        return
                    yield found, data
                if not flags & _DUMP:
                    return
    except OSError as error:
        raise Unavailable(f"the kernel does not tell addresses: {error}") from error


def _messages(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _header.size <= len(datagram):
        length, kind, *_ = _header.unpack_from(datagram, at)
        if not _header.size <= length <= len(datagram) - at:
            return
        yield kind, datagram[at + _header.size : at + length]
        at += (length + 3) & ~3


def _attributes(data: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    at = start
    while at + _attribute.size <= len(data):
        length, kind = _attribute.unpack_from(data, at)
        if not _attribute.size <= length <= len(data) - at:
            return
        yield kind, data[at + _attribute.size : at + length]
        at += (length + 3) & ~3
