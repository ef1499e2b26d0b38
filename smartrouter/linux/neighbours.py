# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's neighbour table (ARP and NDP): which MAC answers for which address, on which interface, and
which addresses nobody answers for any more.

Messages in, values out; who gets them is `rtnetlink`'s business. Knows nothing of devices. States are those
of <linux/neighbour.h>, NUD_*.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from smartrouter.linux.links import Links

# REACHABLE, STALE, DELAY, PROBE, PERMANENT: the MAC is (or was lately) right.
_VALID = 0x02 | 0x04 | 0x08 | 0x10 | 0x80
_FAILED = 0x20
_TICK = os.sysconf("SC_CLK_TCK")


class Neighbour(NamedTuple):
    """`at`: epoch seconds at which the kernel last heard of it."""

    mac: str
    address: str
    interface: str
    at: float


class NeighbourLost(NamedTuple):
    """Nobody answers for the address (`failed`); or the kernel only forgot it, to make room or because the
    interface went down, and does not know."""

    address: str
    interface: str
    failed: bool


def neighbour(message: Mapping[str, Any], links: Links, now: float) -> Neighbour | NeighbourLost | None:
    """What a message on an IPv4 or IPv6 neighbour says; None if nothing of use."""
    attributes = dict(message["attrs"])
    address, interface = attributes.get("NDA_DST"), links.name(message["ifindex"])
    if not address or not interface:
        return None
    state = message["state"]
    if message["event"] == "RTM_DELNEIGH" or state & _FAILED:
        return NeighbourLost(address, interface, bool(state & _FAILED))
    mac = attributes.get("NDA_LLADDR")
    if not state & _VALID or not mac or not _is_a_device(mac):
        return None
    cache = attributes.get("NDA_CACHEINFO") or {}
    idle = min(cache.get("ndm_confirmed", 0), cache.get("ndm_updated", 0)) / _TICK
    return Neighbour(mac.lower(), address, interface, now - idle)


def _is_a_device(mac: str) -> bool:
    """Not a group address, not the null one that NOARP interfaces show."""
    return len(mac) == 17 and not int(mac[:2], 16) & 1 and mac != "00:00:00:00:00:00"
