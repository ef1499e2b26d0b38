# SPDX-License-Identifier: GPL-2.0-or-later
"""Queries that a device makes in order to be much work, as frames on its wire."""

import struct

import dns.message

from smartrouter.lab import packets
from smartrouter.lab.plan import Way

PORTS = range(41000, 41400)


def usual_queries(way: Way) -> list[bytes]:
    """As any device asks."""
    return [packets.dns_query(way, "cloud.maker.example", source_port=port) for port in PORTS]


def crowded_segments(way: Way) -> list[bytes]:
    """TCP to port 53, each segment full of the shortest queries."""
    query = dns.message.make_query(".", "A", use_edns=False).to_wire()
    data = (struct.pack("!H", len(query)) + query) * 76
    return [packets.bare_data(way, 53, data=data, source_port=port) for port in PORTS]


def laborious_queries(way: Way) -> list[bytes]:
    """Queries whose every record takes a name of a hundred labels to read."""
    name = b"\x01a" * 110 + b"\0"
    records = b"".join(
        b"\x01%c\xc0\x0c" % (33 + n % 90)
        + struct.pack("!HHIH", 2, 1, 1, 4)
        + b"\x01%c\xc0\x0c" % (33 + n // 90)
        for n in range(64)
    )
    data = struct.pack("!6H", 1, 0, 1, 0, 64, 0) + name + struct.pack("!HH", 1, 1) + records
    return [packets.datagram(way, 53, data=data, source_port=port) for port in PORTS]
