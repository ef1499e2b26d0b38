# SPDX-License-Identifier: GPL-2.0-or-later
"""Behind which port of a bridge each MAC is, as the bridge has learned it (its forwarding database).

Messages in, values out: rtnetlink's on neighbours, of the family AF_BRIDGE. The bridge forgets a MAC after
five minutes of silence, and when the port goes down; where it was is still the best that is known of it, so
only where a MAC *is* counts here.
"""

import os
from collections.abc import Mapping
from math import inf
from typing import Any, NamedTuple

from smartrouter.linux.links import Links

FAMILY = 7  # AF_BRIDGE
_OWN = 0x80  # NUD_PERMANENT: the bridge's and its ports' own MACs
_TICK = os.sysconf("SC_CLK_TCK")


class Located(NamedTuple):
    """A MAC was heard behind `port` of `bridge`, `idle` seconds ago; infinitely long where nobody knows when.
    `vlan`: 0 where the bridge does not tell VLANs apart."""

    mac: str
    port: str
    bridge: str
    vlan: int
    idle: float


def located(message: Mapping[str, Any], links: Links) -> Located | None:
    """None where it says nothing of where a device is."""
    if message["event"] != "RTM_NEWNEIGH" or message["state"] & _OWN:
        return None
    attributes = dict(message["attrs"])
    mac, port = attributes.get("NDA_LLADDR"), links.numbered(message["ifindex"])
    if not mac or port is None or int(mac[:2], 16) & 1:
        return None
    # What a switch chip has learned by itself comes without its port's bridge, and without a time.
    bridge = links.name(attributes.get("NDA_MASTER") or port.master)
    if not bridge or port.name == bridge:
        return None
    cache = attributes.get("NDA_CACHEINFO")
    idle = cache["ndm_updated"] / _TICK if cache else inf
    return Located(mac.lower(), port.name, bridge, attributes.get("NDA_VLAN") or 0, idle)
