# SPDX-License-Identifier: GPL-2.0-or-later
"""Membership in the groups in which devices announce themselves: a network card, a bridge that snoops, and
the kernel hand on what is sent to a group only where somebody is a member.

Nothing is received here, and nothing sent but what the kernel says of the membership (IGMP, MLD): the sockets
are bound to no port. Who wants the packets copies them by packet rules. Needs no rights.
"""

import contextlib
import socket
import struct
from collections.abc import Iterable

# Multicast DNS (RFC 6762 section 3) and SSDP (UPnP Device Architecture 1.1, section 1).
GROUPS4 = ("224.0.0.251", "239.255.255.250")
GROUPS6 = ("ff02::fb", "ff02::c")


class Memberships:
    """Members on the interfaces that were last named, as far as these are there. `close` ends it."""

    def __init__(self) -> None:
        self._sockets: dict[tuple[str, int], socket.socket] = {}

    def keep(self, interfaces: Iterable[str]) -> None:
        """Be a member on these interfaces, and no others. To be called again when interfaces come or go: a
        membership goes with its interface."""
        wanted = {(name, index) for index, name in socket.if_nameindex() if name in set(interfaces)}
        for gone in self._sockets.keys() - wanted:
            self._sockets.pop(gone).close()
        for name, index in wanted - self._sockets.keys():
            self._sockets[name, index] = _member(index)

    def close(self) -> None:
        """Be a member nowhere."""
        self.keep(())


def _member(index: int) -> socket.socket:
    """A socket that is a member of all groups on this interface; of what the system does not have (IPv6) of
    none."""
    try:
        member = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    except OSError:
        member = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    for group in GROUPS4:
        request = struct.pack("4s4si", socket.inet_aton(group), bytes(4), index)  # struct ip_mreqn
        with contextlib.suppress(OSError):
            member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
    for group in GROUPS6:
        request = struct.pack("16sI", socket.inet_pton(socket.AF_INET6, group), index)  # struct ipv6_mreq
        with contextlib.suppress(OSError):
            member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
    return member
