# SPDX-License-Identifier: GPL-2.0-or-later
"""How a TCP connection is opened, which tells operating systems apart: what p0f looks at in a SYN.

For packets that were chosen, not for each packet: the packet path has no use for options.
"""

from smartrouter.core.classification.signs import SynShape
from smartrouter.core.errors import BadPacket
from smartrouter.wire.packet import Packet

_TCP = 6
_SYN, _ACK = 0x02, 0x10  # RFC 9293 section 3.1
_HEADER, _IPV6_HEADER = 20, 40
_FIRST_TTLS = (32, 64, 128)  # what systems begin with; else 255
_END, _NOP, _MSS, _SCALE = 0, 1, 2, 3
# Letters and lengths by kind: https://www.iana.org/assignments/tcp-parameters
_LETTERS = {_END: "E", _NOP: "N", _MSS: "M", _SCALE: "W", 4: "S", 8: "T"}
_LENGTHS = {_MSS: 4, _SCALE: 3, 4: 2, 8: 10}


def syn_shape(packet_bytes: bytes, packet: Packet) -> SynShape:
    """How the IP packet `packet_bytes`, which was read as `packet`, opens a connection. Raises BadPacket, and
    nothing else, if it does not, or not as anybody does."""
    if packet.protocol != _TCP or packet.fragment or packet.flags & (_SYN | _ACK) != _SYN:
        raise BadPacket("not a TCP SYN")
    if len(packet_bytes) < _HEADER:
        raise BadPacket("TCP SYN cut inside its header")
    if packet.version == 4:
        start, ttl = (packet_bytes[0] & 0x0F) * 4, packet_bytes[8]
    else:
        start, ttl = _IPV6_HEADER, packet_bytes[7]
        if packet_bytes[6] != _TCP:
            raise BadPacket("TCP SYN behind IPv6 extension headers, as no system sends it")
    options = packet_bytes[start + _HEADER : packet.payload]
    if len(packet_bytes) < start + _HEADER or (packet_bytes[start + 12] >> 2 & 0x3C) != _HEADER + len(
        options
    ):
        raise BadPacket("TCP SYN cut inside its options")
    letters, mss, scale = _read(options)
    first = next((ttl_ for ttl_ in _FIRST_TTLS if ttl <= ttl_), 255)
    return SynShape(first, packet_bytes[start + 14] << 8 | packet_bytes[start + 15], letters, mss, scale)


def _read(options: bytes) -> tuple[str, int, int]:
    """Letters, segment size and window scale of at most 40 bytes (RFC 9293 section 3.1)."""
    letters, mss, scale = "", 0, -1
    at = 0
    while at < len(options):
        kind = options[at]
        letters += _LETTERS.get(kind, "?")
        if kind == _END:
            break
        if kind == _NOP:
            at += 1
            continue
        length = options[at + 1] if at + 1 < len(options) else 0
        if length != _LENGTHS.get(kind, max(length, 2)) or at + length > len(options):
            raise BadPacket("TCP option with a length that cannot be")
        if kind == _MSS:
            mss = int.from_bytes(options[at + 2 : at + 4], "big")
        elif kind == _SCALE:
            scale = options[at + 2]
        at += length
    return letters, mss, scale
