# SPDX-License-Identifier: GPL-2.0-or-later
"""IP packets byte by byte, right unless told otherwise: what the kinds of `odd_packets` are made of."""

import random
import struct
from ipaddress import ip_address
from typing import NamedTuple

ICMP, IGMP, IPIP, TCP, UDP, DCCP, IN6, ROUTING, FRAGMENT, GRE, ESP, AH = (
    1,
    2,
    4,
    6,
    17,
    33,
    41,
    43,
    44,
    47,
    50,
    51,
)
ICMPV6, NOTHING, DESTINATION, L2TP, SCTP, UDPLITE, HOP_BY_HOP = 58, 59, 60, 115, 132, 136, 0
SYN, ACK = 0x02, 0x10


class Ends(NamedTuple):
    """Addresses of both ends: of IPv4 and of IPv6, the sender's first."""

    four: tuple[str, str]
    six: tuple[str, str]


class Maker:
    """Makes packets between two ends, with a source of chance."""

    def __init__(self, chance: random.Random, ends: Ends) -> None:
        self.chance = chance
        self._packed = {
            version: tuple(ip_address(end).packed for end in pair)
            for version, pair in zip((4, 6), ends, strict=True)
        }

    # -- layers, right unless told otherwise -----------------------------------------------------------

    @property
    def version(self) -> int:
        return self.chance.choice((4, 6))

    @property
    def port(self) -> int:
        return self.chance.randrange(1024, 65536)

    def some(self, most: int = 64) -> bytes:
        """Up to so many bytes."""
        return self.chance.randbytes(self.chance.randint(0, most))

    def four(
        self,
        protocol: int,
        body: bytes,
        *,
        options: bytes = b"",
        fragment: int = 0,
        ttl: int = 64,
        tos: int = 0,
        ident: int | None = None,
        length: int | None = None,
        words: int | None = None,
        source: str = "",
        destination: str = "",
        checksum: int | None = None,
    ) -> bytes:
        """IPv4. `fragment`: flags and offset; `words`: of the header; `length`: of the packet."""
        header = struct.pack(
            "!BBHHHBBH4s4s",
            0x40 | (5 + len(options) // 4 if words is None else words),
            tos,
            (20 + len(options) + len(body)) & 0xFFFF if length is None else length,
            self.chance.randrange(65536) if ident is None else ident,
            fragment,
            ttl,
            protocol,
            0,
            ip_address(source).packed if source else self._packed[4][0],
            ip_address(destination).packed if destination else self._packed[4][1],
        )
        header += options
        right = _checksum(header)
        return header[:10] + struct.pack("!H", right if checksum is None else checksum) + header[12:] + body

    def six(
        self,
        protocol: int,
        body: bytes,
        *,
        hops: int = 64,
        length: int | None = None,
        label: int = 0,
        source: str = "",
        destination: str = "",
    ) -> bytes:
        """IPv6. `protocol`: of what follows the header; `label`: traffic class and flow label."""
        return (
            struct.pack(
                "!IHBB", 6 << 28 | label, len(body) & 0xFFFF if length is None else length, protocol, hops
            )
            + (ip_address(source).packed if source else self._packed[6][0])
            + (ip_address(destination).packed if destination else self._packed[6][1])
            + body
        )

    def over(self, version: int, protocol: int, body: bytes) -> bytes:
        """A packet with `body`, its transport's checksum put right."""
        if version == 4:
            return self.four(protocol, self.summed(4, protocol, body))
        protocol = ICMPV6 if protocol == ICMP else protocol
        return self.six(protocol, self.summed(6, protocol, body))

    def summed(self, version: int, protocol: int, body: bytes) -> bytes:
        """`body` with the checksum that its protocol has at its place."""
        at = {TCP: 16, UDP: 6, UDPLITE: 6, ICMP: 2, ICMPV6: 2, DCCP: 6, IGMP: 2}.get(protocol)
        if at is None or len(body) < at + 2:
            return body
        blank = body[:at] + b"\0\0" + body[at + 2 :]
        covered = blank
        if protocol not in (ICMP, IGMP):
            source, destination = self._packed[version]
            covered = source + destination + struct.pack("!II", len(body), protocol) + blank
        return body[:at] + struct.pack("!H", _checksum(covered)) + body[at + 2 :]

    def tcp(
        self,
        flags: int = SYN,
        port: int = 443,
        options: bytes = b"",
        data: bytes = b"",
        words: int | None = None,
    ) -> bytes:
        """TCP, its options filled up to whole words."""
        options += bytes(-len(options) % 4)
        offset = 5 + len(options) // 4 if words is None else words
        numbers = self.chance.randrange(1 << 32), self.chance.randrange(1 << 32) if flags & ACK else 0
        urgent = self.chance.randrange(65536) if flags & 0x20 else 0
        return (
            struct.pack("!HHIIBBHHH", self.port, port, *numbers, (offset & 15) << 4, flags, 64240, 0, urgent)
            + options
            + data
        )

    def udp(self, data: bytes = b"hello", port: int | None = None, length: int | None = None) -> bytes:
        """UDP."""
        size = 8 + len(data) if length is None else length
        return struct.pack("!HHHH", self.port, self.port if port is None else port, size & 0xFFFF, 0) + data

    def icmp(self, kind: int, code: int, body: bytes) -> bytes:
        """ICMP of either version."""
        return struct.pack("!BBHI", kind, code, 0, self.chance.randrange(1 << 32)) + body

    def header6(self, following: int, data: bytes = b"", size: int | None = None) -> bytes:
        """An extension header of IPv6 that is filled up; `size`: in units of 8 bytes beyond the first."""
        data += bytes(-(2 + len(data)) % 8)
        return bytes([following, (2 + len(data)) // 8 - 1 if size is None else size]) + data


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
