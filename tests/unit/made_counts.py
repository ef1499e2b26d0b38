# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections with counts, as the kernel tells of them."""

import socket
import struct

from smartrouter.linux.netlink import attribute, nested, number

Ends = tuple[str, int, str, int]  # source and its port, destination and its port


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def side(kind: int, ends: Ends, protocol: int) -> bytes:
    """CTA_TUPLE_ORIG (1) or CTA_TUPLE_REPLY (2)."""
    source, source_port, destination, port = ends
    first = 3 if ":" in source else 1
    addresses = [attribute(first, packed(source)), attribute(first + 1, packed(destination))]
    ports = [attribute(2, struct.pack(">H", source_port)), attribute(3, struct.pack(">H", port))]
    if protocol == 1:
        ports = [attribute(4, b"\x12\x34"), attribute(5, b"\x08"), attribute(6, b"\0")]
    return nested(kind, nested(1, *addresses), nested(2, attribute(1, bytes((protocol,))), *ports))


def counters(kind: int, packets: int, size: int) -> bytes:
    """CTA_COUNTERS_ORIG (9) or CTA_COUNTERS_REPLY (10)."""
    return nested(kind, *(attribute(at, struct.pack(">Q", each)) for at, each in ((1, packets), (2, size))))


def connection(
    original: Ends,
    reply: Ends | None = None,
    *,
    protocol: int = 6,
    sent: tuple[int, int] | None = (3, 1000),
    received: tuple[int, int] = (2, 500),
    ident: int = 7,
    status: int = 0,
) -> bytes:
    """Its attributes. `sent`, `received`: packets and bytes in the original direction, and back."""
    answer = reply or (*original[2:], *original[:2])
    item = side(1, original, protocol) + side(2, answer, protocol) + number(12, ident) + number(3, status)
    if sent is not None:
        item += counters(9, *sent) + counters(10, *received)
    return item
