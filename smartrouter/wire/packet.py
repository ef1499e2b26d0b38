# SPDX-License-Identifier: GPL-2.0-or-later
"""IP packets and Ethernet frames -> addresses, ports, and where the payload is.

A packet may be a copy that was cut (the kernel hands over the first bytes only): what is missing of the
payload is no fault, what is missing of a header is. Lengths that contradict each other are refused; checksums
are left to the kernel (with offloading they are wrong in every outgoing packet). Knows nothing of what a
payload means. This is the hottest code of the product: one `unpack`, one tuple.
"""

from struct import Struct
from typing import NamedTuple

from smartrouter.core.errors import BadPacket
from smartrouter.wire.inet import ipv4, ipv6

# IANA protocol numbers
_ICMP, _TCP, _UDP, _DCCP, _ICMPV6, _SCTP, _UDPLITE = 1, 6, 17, 33, 58, 132, 136
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION = 0, 43, 44, 51, 60
_EXTENSIONS = {_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION}
_MAX_EXTENSIONS = 8  # RFC 8200 section 4.1 has at most seven

_WITH_PORTS = {_TCP, _UDP, _DCCP, _SCTP, _UDPLITE}
_LEAST = {_ICMP: 8, _TCP: 20, _UDP: 8, _DCCP: 12, _ICMPV6: 4, _SCTP: 12, _UDPLITE: 8}  # bytes of a header

_VLAN_TAGS = {0x8100, 0x88A8, 0x9100}  # IEEE 802.1Q, 802.1ad, and what came before that
_MAX_VLAN_TAGS = 4


class Packet(NamedTuple):
    """An IP packet. `protocol`: of the last header that was followed; `flags`, `sequence`: TCP's, else 0.
    `payload`: offset of what the transport carries. `end`: offset behind it by the packet's own lengths, or
    the length of the copy if that is less. `fragment`: not the first fragment, so there are no ports."""

    version: int
    source: str
    destination: str
    protocol: int
    source_port: int
    destination_port: int
    flags: int
    sequence: int
    payload: int
    end: int
    fragment: bool


class Frame(NamedTuple):
    """An Ethernet frame: two MACs, the EtherType behind any VLAN tags (less than 0x600: a length, IEEE
    802.3), and the offset of what follows it."""

    source: str
    destination: str
    ethertype: int
    payload: int


_IPV4 = Struct("!xxHxxHxBxx4s4s")  # total length, flags and fragment offset, protocol, addresses
_IPV4_TCP = Struct("!xxHxxHxxxx4s4sHHIxxxxBB")  # the same, then ports, sequence, data offset, flags
_IPV4_UDP = Struct("!xxHxxHxxxx4s4sHHH")  # the same, then ports and length
_GLANCE_TCP = Struct("!xxHxxHxxxx8sHHIxxxxB")  # the same, the addresses as one
_GLANCE_UDP = Struct("!xxHxxHxxxx8sHHH")
_IPV6 = Struct("!xxxxHBx16s16s")  # payload length, next header, addresses
_TCP_HEADER = Struct("!HHIxxxxBB")
_THREE_NUMBERS = Struct("!HHH")
_MAX_DATAGRAM = 0xFFFF
LEAST = 40  # bytes that a packet of TCP has
first_fields = Struct("!HHxxHxBxx8sHHIxxxxH").unpack_from
"""Of a packet of TCP in IPv4 without options, from its first 34 bytes on: version, length of the header and
type of service; total length; fragment; protocol; both addresses; source port, destination port, sequence
number; data offset with flags. For who has read a packet that agrees with this one in all but the source port
and the number, and so need not look whether these make sense."""
first_of_datagram = Struct("!xxHxxHxxxx4s4sHHHxxH").unpack_from
"""Of a UDP datagram in IPv4 without options, from its first 30 bytes on: total length, fragment, addresses,
ports, the datagram's length, and the first two bytes of its data, in DNS the identifier."""
_tuple = tuple.__new__  # makes a NamedTuple in half the time


def parse_ip(packet: bytes) -> Packet:
    """Read an IPv4 (RFC 791) or IPv6 (RFC 8200) packet. Raises BadPacket, and nothing else."""
    size = len(packet)
    if size < 20:
        raise BadPacket("packet too short for any IP header")
    first = packet[0]
    if first == 0x45:  # no options; nearly all that comes
        protocol = packet[9]
        if protocol == _TCP and size >= 40:
            (
                end, fragment, source, destination, source_port, destination_port, sequence, offset, flags,
            ) = _IPV4_TCP.unpack_from(packet)  # fmt: skip
            payload = 20 + (offset >> 2 & 0x3C)
            if not fragment & 0x3FFF and 40 <= payload <= end and payload <= size:
                return _tuple(
                    Packet,
                    (
                        4, ipv4(source), ipv4(destination), _TCP, source_port, destination_port, flags,
                        sequence, payload, end if end < size else size, False,
                    ),
                )  # fmt: skip
        elif protocol == _UDP and size >= 28:
            end, fragment, source, destination, source_port, destination_port, length = _IPV4_UDP.unpack_from(
                packet
            )
            if not fragment & 0x3FFF and 28 <= 20 + length <= end:
                end = 20 + length
                return _tuple(
                    Packet,
                    (
                        4, ipv4(source), ipv4(destination), _UDP, source_port, destination_port, 0,
                        0, 28, end if end < size else size, False,
                    ),
                )  # fmt: skip
    if first >> 4 == 4:
        return _parse_ipv4(packet, size)
    if first >> 4 == 6:
        return _parse_ipv6(packet, size)
    raise BadPacket(f"packet of IP version {first >> 4}")


def glance(packet: bytes) -> tuple[tuple[bytes, int, int], int, int] | None:
    """What a plain IPv4 packet of TCP or UDP has in common with others, (both addresses, destination port,
    protocol), and what tells it from them: its source port and sequence number, 0 for UDP. None for any other
    packet. Whatever `parse_ip` refuses gives None here."""
    size = len(packet)
    if size < 28 or packet[0] != 0x45:
        return None
    protocol = packet[9]
    if protocol == _TCP and size >= 40:
        end, fragment, addresses, source_port, port, sequence, offset = _GLANCE_TCP.unpack_from(packet)
        payload = 20 + (offset >> 2 & 0x3C)
        if fragment & 0x3FFF or not 40 <= payload <= end or payload > size:
            return None
        return (addresses, port, _TCP), source_port, sequence
    if protocol == _UDP:
        end, fragment, addresses, source_port, port, length = _GLANCE_UDP.unpack_from(packet)
        if fragment & 0x3FFF or not 28 <= 20 + length <= end:
            return None
        return (addresses, port, _UDP), source_port, 0
    return None


def _parse_ipv4(packet: bytes, size: int) -> Packet:
    end, fragment, protocol, source, destination = _IPV4.unpack_from(packet)
    start = (packet[0] & 0x0F) * 4
    if not 20 <= start <= end or start > size:
        raise BadPacket("IPv4 header with a length that cannot be, or cut")
    addresses = ipv4(source), ipv4(destination)
    offset = (fragment & 0x1FFF) * 8
    if offset:
        if offset + end - start > _MAX_DATAGRAM:
            raise BadPacket("IPv4 fragment beyond the end of any datagram")
        return Packet(4, *addresses, protocol, 0, 0, 0, 0, start, min(end, size), True)
    return _parse_transport(packet, 4, addresses, protocol, start, end, partial=bool(fragment & 0x2000))


def _parse_ipv6(packet: bytes, size: int) -> Packet:
    if size < 40:
        raise BadPacket("IPv6 header cut")
    length, protocol, source, destination = _IPV6.unpack_from(packet)
    addresses = ipv6(source), ipv6(destination)
    start, end = 40, 40 + length
    limit = min(end, size)
    partial = False
    for _ in range(_MAX_EXTENSIONS):
        if protocol not in _EXTENSIONS:
            return _parse_transport(packet, 6, addresses, protocol, start, end, partial=partial)
        if start + 8 > limit or (protocol == _HOP_BY_HOP and start != 40):
            raise BadPacket("IPv6 extension header cut, or in a wrong place")
        following, size_field = packet[start], packet[start + 1]
        if protocol == _FRAGMENT:
            fragment = packet[start + 2] << 8 | packet[start + 3]
            start += 8
            offset, partial = fragment & 0xFFF8, bool(fragment & 1)
            if offset:
                if offset + end - start > _MAX_DATAGRAM:
                    raise BadPacket("IPv6 fragment beyond the end of any datagram")
                return Packet(6, *addresses, following, 0, 0, 0, 0, start, limit, True)
        elif protocol == _AUTHENTICATION:
            start += (size_field + 2) * 4  # RFC 4302 section 2.2
        else:
            start += (size_field + 1) * 8
        if start > limit:
            raise BadPacket("IPv6 extension header cut, or longer than its packet")
        protocol = following
    raise BadPacket("IPv6 packet with too many extension headers")


def _parse_transport(
    packet: bytes,
    version: int,
    addresses: tuple[str, str],
    protocol: int,
    start: int,
    end: int,
    *,
    partial: bool,
) -> Packet:
    """The header at `start` of a datagram that ends at `end` (`partial`: this fragment of it does)."""
    limit = min(end, len(packet))
    least = _LEAST.get(protocol, 0)
    if start + least > limit:
        raise BadPacket("transport header cut")
    if protocol == _TCP:
        source_port, destination_port, sequence, offset, flags = _TCP_HEADER.unpack_from(packet, start)
        payload = start + (offset >> 2 & 0x3C)
        if payload < start + least or payload > limit:
            raise BadPacket("TCP header with a length that cannot be, or cut")
        return Packet(
            version, *addresses, _TCP, source_port, destination_port, flags, sequence, payload, limit, False
        )
    payload = start + least
    if protocol not in _WITH_PORTS:
        return Packet(version, *addresses, protocol, 0, 0, 0, 0, payload, limit, False)
    source_port, destination_port, length = _THREE_NUMBERS.unpack_from(packet, start)
    if protocol == _UDP:
        if length < least or (start + length > end and not partial):
            raise BadPacket("UDP length that cannot be")
        limit = min(limit, start + length)
    elif protocol == _DCCP:
        payload = start + packet[start + 4] * 4  # RFC 4340 section 5.1
        if payload < start + least or payload > limit:
            raise BadPacket("DCCP header with a length that cannot be, or cut")
    elif protocol == _UDPLITE and length and (length < least or (start + length > end and not partial)):
        raise BadPacket("UDP-Lite checksum coverage that cannot be")  # RFC 3828 section 3.1
    return Packet(version, *addresses, protocol, source_port, destination_port, 0, 0, payload, limit, False)


def parse_ethernet(frame: bytes) -> Frame:
    """Read an Ethernet header, VLAN tags skipped. Raises BadPacket, and nothing else."""
    payload = 14
    for _ in range(_MAX_VLAN_TAGS + 1):
        if len(frame) < payload:
            raise BadPacket("Ethernet header cut")
        ethertype = frame[payload - 2] << 8 | frame[payload - 1]
        if ethertype not in _VLAN_TAGS:
            return Frame(frame[6:12].hex(":"), frame[:6].hex(":"), ethertype, payload)
        payload += 4
    raise BadPacket("Ethernet frame with too many VLAN tags")
