# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's memory of connections: what is in it, and having it forget one, so that the next packet
counts as new.

Knows the wire format (include/uapi/linux/netfilter/nfnetlink_conntrack.h) and no reason to forget. Standard
library only; needs CAP_NET_ADMIN.
"""

import errno
import socket
import struct
from collections.abc import Iterable, Iterator
from itertools import islice

from smartrouter.core.effects import Flow
from smartrouter.core.errors import Unavailable
from smartrouter.linux.netlink import Message, Netlink, attribute, attributes, nested, unavailable
from smartrouter.linux.pairs import WITH_PORTS

_SUBSYSTEM, _GET, _DELETE = 1, 1, 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE
_ORIGINAL, _ADDRESSES, _PROTOCOL = 1, 1, 2  # CTA_TUPLE_ORIG, CTA_TUPLE_IP, CTA_TUPLE_PROTO
_NUMBER, _SOURCE_PORT, _PORT = 1, 2, 3  # CTA_PROTO_NUM, CTA_PROTO_SRC_PORT, CTA_PROTO_DST_PORT
_IPV4, _IPV6 = (1, 2), (3, 4)  # CTA_IP_V4_SRC and _DST, CTA_IP_V6_SRC and _DST
_AT_ONCE = 500  # connections: their answers fit a socket buffer of the usual size
NO_CONNTRACK = (
    "The kernel does not list connections: install the module nf_conntrack_netlink "
    "(OpenWrt: kmod-nf-conntrack-netlink)."
)
# How a listed connection of a protocol with ports begins: up to its source address, and from there to its
# ports. Read at one go, because a busy router has ten thousands; any other is read attribute by attribute.
_BEGINS4, _BEGINS6 = (
    bytes.fromhex(each) for each in ("340001801400018008000100", "4c0001802c00018014000300")
)
_USUAL4, _USUAL6 = (struct.Struct(f">{n}s4x{n}s8xB7xH6xH2x") for n in (4, 16))


def flows(link: Netlink) -> Iterator[Flow]:
    """The connections that the kernel knows, as their first packet came; of IPv4 and IPv6 and any protocol,
    with ports 0 where it has none. One that begins or ends meanwhile may be missing. To be read to its end
    before `link` is used for anything else.

    Raises Unavailable, also where the kernel cannot list them (without nf_conntrack_netlink).
    """
    asked = Message(_SUBSYSTEM << 8 | _GET, 0, socket.AF_UNSPEC, b"", "listing connections")
    try:
        for item in link.stream(asked):
            yield _flow(item)
    except InterruptedError:
        return
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOENT):
            raise Unavailable(NO_CONNTRACK) from error
        raise unavailable(error) from error


def forget(link: Netlink, flow: Flow) -> bool:
    """Have the kernel forget `flow`. False where it does not know it, or cannot be asked (a kernel without
    nf_conntrack_netlink, no right to; ICMP, of which a `Flow` does not say enough)."""
    return forget_all(link, (flow,)) == 1


def forget_all(link: Netlink, flows: Iterable[Flow]) -> int:
    """The same of many; how many it knew."""
    rest, known = iter(flows), 0
    while messages := [_deletion(flow) for flow in islice(rest, _AT_ONCE)]:
        try:
            known += len(messages) - len(link.requests(messages))
        except OSError:
            return known
    return known


def _deletion(flow: Flow) -> Message:
    six = ":" in flow.address
    family, (source, destination) = (socket.AF_INET6, _IPV6) if six else (socket.AF_INET, _IPV4)
    addresses = nested(
        _ADDRESSES,
        attribute(source, socket.inet_pton(family, flow.client)),
        attribute(destination, socket.inet_pton(family, flow.address)),
    )
    protocol = [attribute(_NUMBER, bytes((flow.protocol,)))]
    if flow.protocol in WITH_PORTS:
        protocol.append(attribute(_SOURCE_PORT, struct.pack(">H", flow.client_port)))
        protocol.append(attribute(_PORT, struct.pack(">H", flow.port)))
    body = nested(_ORIGINAL, addresses, nested(_PROTOCOL, *protocol))
    return Message(_SUBSYSTEM << 8 | _DELETE, 0, family, body, "forgetting a connection")


def _flow(item: bytes) -> Flow:
    begins = item[:12]
    if begins == _BEGINS4:
        family, usual = socket.AF_INET, _USUAL4
    elif begins == _BEGINS6:
        family, usual = socket.AF_INET6, _USUAL6
    else:
        usual = None
    if usual is None or len(item) < 12 + usual.size:
        try:
            return _unusual_flow(item)
        except (LookupError, ValueError) as error:
            raise OSError(errno.EBADMSG, "a connection that is not listed as we know it") from error
    client, address, protocol, client_port, port = usual.unpack_from(item, 12)
    if protocol not in WITH_PORTS:  # GRE has its keys there
        client_port = port = 0
    return Flow(
        socket.inet_ntop(family, client), client_port, socket.inet_ntop(family, address), port, protocol
    )


def _unusual_flow(item: bytes) -> Flow:
    original = attributes(attributes(item)[_ORIGINAL])
    addresses, protocol = attributes(original[_ADDRESSES]), attributes(original[_PROTOCOL])
    family, (source, destination) = (
        (socket.AF_INET6, _IPV6) if _IPV6[0] in addresses else (socket.AF_INET, _IPV4)
    )
    number = protocol[_NUMBER][0]
    ports = (_SOURCE_PORT, _PORT) if number in WITH_PORTS else ()
    client_port, port = [int.from_bytes(protocol[each], "big") for each in ports] or (0, 0)
    return Flow(
        socket.inet_ntop(family, addresses[source]),
        client_port,
        socket.inet_ntop(family, addresses[destination]),
        port,
        number,
    )
