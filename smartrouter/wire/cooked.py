# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux "cooked" capture headers, as `tcpdump -i any` writes them in place of Ethernet's.

https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html and …_SLL2.html. They name the sender's link-layer
address and no receiver's. Bytes in, values out; knows nothing of files or of what the payload means.
"""

from struct import Struct
from typing import NamedTuple

from smartrouter.core.errors import BadPacket

_SLL = Struct("!HHH8sH")  # packet type, ARPHRD_ type, address length, address, protocol
_SLL2 = Struct("!HHIHBB8s")  # protocol, reserved, interface index, ARPHRD_ type, packet type, length, address
_OUTGOING = 4  # packet type: sent by the capturing host
_MAC_LENGTH = 6
_VLAN_TAGS = (0x8100, 0x88A8)
_VLAN_TAG = Struct("!HH")


class Cooked(NamedTuple):
    """`source`: MAC, '' where the link has none. `outgoing`: sent by the host that captured.
    `payload`: offset of what follows, of type `ethertype`."""

    source: str
    outgoing: bool
    ethertype: int
    payload: int


def parse_cooked(packet: bytes) -> Cooked:
    """Read a version 1 header (LINKTYPE 113). Raises BadPacket if it is cut short."""
    if len(packet) < _SLL.size:
        raise BadPacket("cooked header is cut short")
    packet_type, _, length, address, protocol = _SLL.unpack_from(packet)
    return _cooked(packet, _SLL.size, address, length, packet_type, protocol)


def parse_cooked_2(packet: bytes) -> Cooked:
    """Read a version 2 header (LINKTYPE 276). Raises BadPacket if it is cut short."""
    if len(packet) < _SLL2.size:
        raise BadPacket("cooked header is cut short")
    protocol, _, _, _, packet_type, length, address = _SLL2.unpack_from(packet)
    return _cooked(packet, _SLL2.size, address, length, packet_type, protocol)


def _cooked(
    packet: bytes, payload: int, address: bytes, length: int, packet_type: int, ethertype: int
) -> Cooked:
    source = address[:_MAC_LENGTH].hex(":") if length == _MAC_LENGTH else ""
    while ethertype in _VLAN_TAGS:
        if len(packet) < payload + _VLAN_TAG.size:
            raise BadPacket("VLAN tag is cut short")
        _, ethertype = _VLAN_TAG.unpack_from(packet, payload)
        payload += _VLAN_TAG.size
    return Cooked(source, packet_type == _OUTGOING, ethertype, payload)
