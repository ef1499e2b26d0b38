# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's neighbour table (ARP and NDP): which MAC answers for which address, on which interface; and
which addresses the interfaces themselves have.

Knows nothing of devices. Speaks to rtnetlink through pyroute2, which only the analyzer may import: the
guard has no room for it. States are those of <linux/neighbour.h>, NUD_*.
"""

import errno
import os
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from typing import Any, NamedTuple

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl import RTMGRP_NEIGH
from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from smartrouter.core.errors import Unavailable

# REACHABLE, STALE, DELAY, PROBE, PERMANENT: the MAC is (or was lately) right.
_VALID = 0x02 | 0x04 | 0x08 | 0x10 | 0x80
_TICK = os.sysconf("SC_CLK_TCK")
_MOST_AT_ONCE = 256


class Neighbour(NamedTuple):
    """`at`: epoch seconds at which the kernel last heard of it."""

    mac: str
    address: str
    interface: str
    at: float


class Neighbours:
    """The table of this network namespace: `table()` gives it whole, `events()` what changed since."""

    def __init__(self) -> None:
        self._rtnetlink = IPRoute()
        # A socket of our own for the events: pyroute2's reads ahead into a queue, which select cannot see.
        self._events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._events.setblocking(False)
        self._events.bind((0, RTMGRP_NEIGH))
        self._marshal = MarshalRtnl()

    def fileno(self) -> int:
        """Readable when there are events."""
        return self._events.fileno()

    def close(self) -> None:
        """Let go of both sockets."""
        self._rtnetlink.close()
        self._events.close()

    def table(self) -> list[Neighbour]:
        """All valid entries of both families. Raises Unavailable."""
        families = (socket.AF_INET, socket.AF_INET6)
        return list(
            _neighbours(m for family in families for m in self._dump("get_neighbours", family=family))
        )

    def own_macs(self) -> frozenset[str]:
        """The MACs of this host's own interfaces. Raises Unavailable."""
        found = (dict(message["attrs"]).get("IFLA_ADDRESS") for message in self._dump("get_links"))
        return frozenset(mac.lower() for mac in found if mac)

    def prefixes(self) -> list[tuple[str, IPv4Interface | IPv6Interface]]:
        """The addresses of this host with their prefix lengths, by interface. Raises Unavailable."""
        found = []
        for message in self._dump("get_addr"):
            address = dict(message["attrs"]).get("IFA_ADDRESS")
            if address and (name := _interface(message["index"])):
                found.append((name, ip_interface(f"{address}/{message['prefixlen']}")))
        return found

    def events(self) -> list[Neighbour]:
        """Entries that were made or changed since the last call, a bounded number at a time; the whole table
        where the kernel had to drop some of them. Raises Unavailable."""
        messages: list[Any] = []
        try:
            for _ in range(_MOST_AT_ONCE):
                messages += self._marshal.parse(self._events.recv(65536))
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise Unavailable(
                    f"the kernel does not tell what changes among neighbours: {error}"
                ) from error
            return self.table()
        return list(_neighbours(m for m in messages if m["event"] == "RTM_NEWNEIGH"))

    def _dump(self, what: str, **which: int) -> list[Any]:
        try:
            return list(getattr(self._rtnetlink, what)(**which))
        except (NetlinkError, OSError) as error:
            raise Unavailable(f"the kernel does not tell its neighbours and addresses: {error}") from error


def _neighbours(messages: Iterable[Mapping[str, Any]]) -> Iterator[Neighbour]:
    now = time.time()
    names: dict[int, str] = {}
    for message in messages:
        attributes = dict(message["attrs"])
        mac, address = attributes.get("NDA_LLADDR"), attributes.get("NDA_DST")
        if not message["state"] & _VALID or not mac or not address or not _is_a_device(mac):
            continue
        index = message["ifindex"]
        if index not in names:
            names[index] = _interface(index)
        cache = attributes.get("NDA_CACHEINFO") or {}
        idle = min(cache.get("ndm_confirmed", 0), cache.get("ndm_updated", 0)) / _TICK
        yield Neighbour(mac.lower(), address, names[index], now - idle)


def _is_a_device(mac: str) -> bool:
    """Not a group address, not the null one that NOARP interfaces show."""
    return len(mac) == 17 and not int(mac[:2], 16) & 1 and mac != "00:00:00:00:00:00"


def _interface(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return ""  # gone meanwhile
