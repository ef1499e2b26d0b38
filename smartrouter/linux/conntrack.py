# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's memory of connections: having it forget one, so that the next packet counts as new.

Knows the wire format (include/uapi/linux/netfilter/nfnetlink_conntrack.h) and no reason to forget. Standard
library only; needs CAP_NET_ADMIN.
"""

import socket
import struct

from smartrouter.core.effects import Flow
from smartrouter.linux.netlink import Message, Netlink, attribute, nested

_SUBSYSTEM, _DELETE = 1, 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE
_ORIGINAL, _ADDRESSES, _PROTOCOL = 1, 1, 2  # CTA_TUPLE_ORIG, CTA_TUPLE_IP, CTA_TUPLE_PROTO


def forget(link: Netlink, flow: Flow) -> bool:
    """Have the kernel forget `flow`. False where it does not know it, or cannot be asked (a kernel without
    nf_conntrack_netlink, no right to)."""
    six = ":" in flow.address
    family = socket.AF_INET6 if six else socket.AF_INET
    source, destination = (3, 4) if six else (1, 2)  # CTA_IP_V6_SRC, CTA_IP_V4_SRC, and so on
    addresses = nested(
        _ADDRESSES,
        attribute(source, socket.inet_pton(family, flow.client)),
        attribute(destination, socket.inet_pton(family, flow.address)),
    )
    protocol = nested(
        _PROTOCOL,
        attribute(1, bytes((flow.protocol,))),
        attribute(2, struct.pack(">H", flow.client_port)),
        attribute(3, struct.pack(">H", flow.port)),
    )
    body = nested(_ORIGINAL, addresses, protocol)
    try:
        link.request(Message(_SUBSYSTEM << 8 | _DELETE, 0, family, body, "forgetting a connection"))
    except OSError:
        return False
    return True
