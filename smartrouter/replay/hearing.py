# SPDX-License-Identifier: GPL-2.0-or-later
"""A captured packet as the guard would hear it: who sent it, to whom, and the IP packet inside.

Knows nothing of files, of time, or of what is done about a packet.
"""

from socket import AF_INET, inet_ntop
from typing import NamedTuple

from smartrouter.core.errors import BadPacket
from smartrouter.core.events import TCP, UDP, Query
from smartrouter.core.flows import Flows
from smartrouter.replay.captures import ETHERNET, LINUX_COOKED, LINUX_COOKED_2, Captured
from smartrouter.wire.cooked import parse_cooked, parse_cooked_2
from smartrouter.wire.dns import parse_query
from smartrouter.wire.packet import Packet, parse_ethernet, parse_ip

DNS_PORT = 53
DHCP_SERVER_PORT = 67  # RFC 2131
DHCP_PORTS = {DHCP_SERVER_PORT, 68}
_IP4, _ARP, _IP6 = 0x0800, 0x0806, 0x86DD  # IEEE 802 EtherTypes
_ARP_ETHERNET_IP4 = b"\x00\x01\x08\x00\x06\x04"  # RFC 826: hardware, protocol, and their lengths
_SYN, _ACK = 0x02, 0x10  # RFC 9293 section 3.1
_WEB_PORTS = (80, 443)
DHCP6_SERVER_PORT = 547  # RFC 9915
_DHCP6_PORTS = (546, DHCP6_SERVER_PORT)
# Flows that are told apart in any case. Small devices begin with the same port and sequence number whenever
# they start, so what repeats may be weeks apart.
FLOWS = 131_072
_MOST_HEADER = 60  # bytes of a TCP header with all options
# Bytes of a header, and the type of an echo request: RFC 792, RFC 4443.
_ECHO_REQUESTS = {1: (8, 8), 58: (4, 128)}
_WITH_OWN_WAYS = frozenset((TCP, UDP, 2, 103))  # what counts otherwise, and multicast's housekeeping
_ROUTINE_PORTS = frozenset((DNS_PORT, *DHCP_PORTS, *_DHCP6_PORTS))


class Heard(NamedTuple):
    """`sender`, `receiver`: MACs, '' where the link does not say. `capturing`: the sender is a card of the
    host that captured. `claim`: the address that an ARP packet's sender says is its own, or ''.
    `data`: the IP packet that `packet` tells of."""

    sender: str
    receiver: str
    capturing: bool
    claim: str
    packet: Packet | None
    data: bytes


def hear(captured: Captured) -> Heard | None:
    """Read a captured packet; None if it is neither IP nor ARP. Raises BadPacket if it breaks its format."""
    data = captured.data
    sender, receiver, capturing = "", "", False
    if captured.link == ETHERNET:
        sender, receiver, ethertype, payload = parse_ethernet(data)
    elif captured.link in (LINUX_COOKED, LINUX_COOKED_2):
        parse = parse_cooked if captured.link == LINUX_COOKED else parse_cooked_2
        sender, capturing, ethertype, payload = parse(data)
    else:
        return None
    if ethertype in (_IP4, _IP6):
        data = data[payload:]
        return Heard(sender, receiver, capturing, "", _parse_cut_ip(data), data)
    if ethertype == _ARP:
        return Heard(sender, receiver, capturing, _claim(data[payload:], sender), None, b"")
    return None


def _parse_cut_ip(data: bytes) -> Packet:
    """`parse_ip` for a capture that kept the first bytes of each packet only (`tcpdump -s 68`): the options
    of a TCP header may be missing, and what stands before them tells all that is asked here."""
    try:
        return parse_ip(data)
    except BadPacket:
        # Lengths that are missing become 0, and that is refused; so the header is there up to them.
        packet = parse_ip(data + bytes(_MOST_HEADER))
        if packet.protocol not in (TCP, UDP):
            raise
        return packet._replace(payload=min(packet.payload, len(data)), end=min(packet.end, len(data)))


def _claim(arp: bytes, sender: str) -> str:
    """The address that the ARP packet's sender says it has itself, '' if it says none."""
    if len(arp) < 18 or arp[:6] != _ARP_ETHERNET_IP4 or arp[8:14].hex(":") != sender:
        return ""
    return inet_ntop(AF_INET, arp[14:18])


def is_syn(packet: Packet) -> bool:
    """Does it open a TCP connection?"""
    return packet.protocol == TCP and packet.flags & (_SYN | _ACK) == _SYN and not packet.fragment


def is_attempt(packet: Packet, *, web_only: bool = False, udp: bool = True) -> bool:
    """Does it open something? `web_only`: on TCP ports 80 and 443. `udp`: UDP counts too, DNS and DHCP
    apart, and then each of its packets; which of them begins a flow is for `core.flows` to say."""
    if packet.protocol == TCP:
        return is_syn(packet) and (not web_only or packet.destination_port in _WEB_PORTS)
    if packet.protocol != UDP or packet.fragment or web_only or not udp:
        return False
    return packet.destination_port not in _ROUTINE_PORTS and packet.source_port not in _ROUTINE_PORTS


def is_portless(packet: Packet, data: bytes) -> bool:
    """Does it open, or go on with, something of a protocol without ports: an echo request, a tunnel?"""
    if packet.fragment or packet.protocol in _WITH_OWN_WAYS:
        return False
    if packet.protocol in _ECHO_REQUESTS:
        start, kind = _ECHO_REQUESTS[packet.protocol]
        return data[packet.payload - start] == kind
    return True


def is_new(flows: Flows, mac: str, packet: Packet, running: float) -> bool:
    """Is `packet`, sent by `mac`, a new attempt to `flows`?"""
    return flows.is_new(
        mac, packet.source, packet.source_port, packet.destination, packet.destination_port,
        packet.protocol, packet.sequence, running,
    )  # fmt: skip


def query_in(message: bytes) -> Query | None:
    """The DNS query that `message` is; None if it is none."""
    try:
        return parse_query(message)
    except BadPacket:
        return None
