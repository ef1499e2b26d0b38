# SPDX-License-Identifier: GPL-2.0-or-later
"""How connections are opened."""

import struct
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt

from smartrouter.core.classification.signs import SynShape
from smartrouter.core.errors import BadPacket
from smartrouter.wire.packet import parse_ip
from smartrouter.wire.syn import syn_shape

LINUX: list[Any] = [
    ("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 7),
]  # fmt: skip
SOURCE4, SOURCE6 = {"src": "192.168.1.9", "dst": "203.0.113.7"}, {"src": "2001:db8::9", "dst": "2001:db8::7"}


def syn(options: list[Any], ttl: int = 64, window: int = 29200, flags: str = "S") -> list[bytes]:
    """The same SYN over IPv4, over IPv4 with options, over IPv6."""
    tcp = TCP(sport=40000, dport=443, flags=flags, window=window, options=options)
    over = [
        IP(ttl=ttl, **SOURCE4), IP(ttl=ttl, options=[b"\1\1\1\0"], **SOURCE4), IPv6(hlim=ttl, **SOURCE6)
    ]  # fmt: skip
    return [bytes(ip / tcp) for ip in over]


def raw(options: bytes) -> bytes:
    """A SYN of these bytes for options, filled to a multiple of four."""
    options += bytes(-len(options) % 4)
    size = 40 + len(options)
    header = struct.pack("!BxHxxxxBBxx", 0x45, size, 64, 6) + bytes([192, 168, 1, 9, 203, 0, 113, 7])
    tcp = struct.pack("!HHIIBBHHH", 40000, 443, 1, 0, (20 + len(options)) << 2, 2, 1024, 0, 0)
    return header + tcp + options


def shape(packet: bytes) -> SynShape:
    return syn_shape(packet, parse_ip(packet))


def test_a_syn_is_read_over_both_versions() -> None:
    for packet in syn(LINUX):
        assert shape(packet) == SynShape(64, 29200, "MSTNW", 1460, 7)


def test_the_payload_of_fast_open_is_none_of_it() -> None:
    packet = syn([("MSS", 1460)])[0]
    longer = packet[:2] + struct.pack("!H", len(packet) + 4) + packet[4:] + b"GET "
    assert shape(longer) == shape(packet)


@pytest.mark.parametrize(
    ("ttl", "first"),
    [(0, 32), (1, 32), (32, 32), (33, 64), (63, 64), (64, 64), (65, 128), (128, 128), (129, 255), (255, 255)],
)
def test_the_ttl_is_the_one_that_it_began_with(ttl: int, first: int) -> None:
    for packet in syn([], ttl=ttl):
        assert shape(packet) == SynShape(first, 29200, "")


@pytest.mark.parametrize(
    ("options", "letters", "mss", "scale"),
    [
        (b"", "", 0, -1),
        (b"\2\4\5\xb4", "M", 1460, -1),
        (b"\2\4\5\xb4\1\3\3\2\1\1\4\2", "MNWNNS", 1460, 2),
        (b"\1\1\1\0", "NNNE", 0, -1),
        (b"\0\xff\xff\xff", "E", 0, -1),
        (b"\xfe\6abcd\1\1", "?NN", 0, -1),
        (b"\x22\2\1\1", "?NN", 0, -1),
        (b"\1" * 40, "N" * 40, 0, -1),
    ],
)
def test_options_in_the_order_sent(options: bytes, letters: str, mss: int, scale: int) -> None:
    assert shape(raw(options)) == SynShape(64, 1024, letters, mss, scale)


@pytest.mark.parametrize(
    "options",
    [
        b"\2\0\1\1", b"\2\1\1\1", b"\2\3\1\1", b"\2\5\1\1\1\0", b"\3\4\1\1", b"\x22\0\1\1",
        b"\x22\1\1\1", b"\x22\5\1\1", b"\1\1\1\2", b"\1\1\2\4",
    ],
)  # fmt: skip
def test_options_with_lengths_that_cannot_be_are_refused(options: bytes) -> None:
    with pytest.raises(BadPacket):
        shape(raw(options))


def test_what_opens_no_connection_is_refused() -> None:
    for flags in ("SA", "A", "R", ""):
        with pytest.raises(BadPacket):
            shape(syn(LINUX, flags=flags)[0])
    udp = bytes(IP(proto=17, **SOURCE4) / b"\0\7\0\7\0\x08\0\0")
    with pytest.raises(BadPacket):
        shape(udp)


def test_a_syn_behind_extension_headers_is_refused() -> None:
    packet = bytes(IPv6(**SOURCE6) / IPv6ExtHdrDestOpt() / TCP(flags="S"))
    with pytest.raises(BadPacket):
        shape(packet)


def test_a_copy_that_was_cut_is_refused() -> None:
    for packet in syn(LINUX):
        read = parse_ip(packet)
        for size in range(len(packet)):
            cut = packet[:size]
            with pytest.raises(BadPacket):
                syn_shape(cut, read._replace(payload=min(read.payload, size), end=min(read.end, size)))
