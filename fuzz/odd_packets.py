# SPDX-License-Identifier: GPL-2.0-or-later
"""IP packets that no well-behaved program sends, of every kind we know of, the same each time.

Unlike `mutation`, which bends blindly, each kind here is made on purpose: so checksums are right where not
they are what is wrong, and the packets get past the kernel's first looks to whoever judges them. A kind that
violates a protocol is in WRONG, one that is only rare in RARE. Sends nothing.
"""

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import NamedTuple, TypeAlias

from fuzz.packet_maker import (
    ACK,
    AH,
    DCCP,
    DESTINATION,
    ESP,
    FRAGMENT,
    GRE,
    HOP_BY_HOP,
    ICMP,
    ICMPV6,
    IGMP,
    IN6,
    IPIP,
    L2TP,
    NOTHING,
    ROUTING,
    SCTP,
    SYN,
    TCP,
    UDP,
    UDPLITE,
    Ends,
    Maker,
)

_FLAGS_OF_NO_SEGMENT = (0x00, 0x01, 0x03, 0x06, 0x07, 0x08, 0x20, 0x28, 0x29, 0x2B, 0x3F, 0xC0, 0xFF)
_MARTIANS4 = ("0.0.0.0", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "169.254.1.1", "10.9.8.7")
_MARTIANS6 = ("::", "::1", "ff02::1", "::ffff:10.0.0.1", "fe80::1", "64:ff9b::a00:1", "fc00::1", "2002::1")
_TELLING_SIZES = (0, 1, 2, 3, 4, 7, 8, 12, 13, 20, 39, 40, 64, 255)


class Odd(NamedTuple):
    """A packet; `wrong`: it violates a protocol."""

    kind: str
    wrong: bool
    packet: bytes


Kind: TypeAlias = Callable[[Maker], Sequence[bytes]]

# -- what is only rare -------------------------------------------------------------------------------------


def options_of_ipv4(make: Maker) -> list[bytes]:
    options = [
        b"\x94\x04\0\0",  # router alert
        b"\x07\x27\x04" + bytes(37),  # record route
        b"\x44\x24\x05\x00" + bytes(32),  # timestamps
        b"\x01" * 40,
        b"\x82\x0b" + bytes(9) + b"\0",  # security
        b"\xde\x08" + make.chance.randbytes(6),  # nobody's
        b"\x83\x07\x04\xc0\0\2\1\0",  # a route by the sender
    ]
    return [make.four(TCP, make.summed(4, TCP, make.tcp()), options=make.chance.choice(options))]


def any_protocol(make: Maker) -> list[bytes]:
    return [make.over(make.version, make.chance.randrange(256), make.some(200))]


def options_of_tcp(make: Maker) -> list[bytes]:
    options = [
        b"\x13\x12" + bytes(16),  # MD5
        b"\x22\x0a" + bytes(8),  # a fast open's cookie
        b"\x1e\x0c\0\x01" + bytes(8),  # of several paths
        b"\x01" * 40,
        b"\xfd\x04ab" * 10,
        b"\x05\x0a" + bytes(8),
    ]
    return [make.over(make.version, TCP, make.tcp(options=make.chance.choice(options)))]


def data_with_syn(make: Maker) -> list[bytes]:
    return [
        make.over(
            make.version, TCP, make.tcp(SYN | make.chance.choice((0, 0x40, 0x80, 0xC0)), data=make.some(900))
        )
    ]


def data_of_nothing(make: Maker) -> list[bytes]:
    return [make.over(make.version, TCP, make.tcp(ACK | 8, data=make.some(900)))]


def garbage_hello(make: Maker) -> list[bytes]:
    data = make.chance.choice(
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", b"\xc3\0\0\0\x01\x08", b"GET / HTTP/1.1\r\nHost: ")
    )
    data += make.some(600)
    if make.chance.random() < 0.5:
        return [make.over(make.version, UDP, make.udp(data, 443))]
    return [make.over(make.version, TCP, make.tcp(ACK | 8, data=data))]


def other_transports(make: Maker) -> list[bytes]:
    ports = struct.pack("!HH", make.port, make.port)
    body = {
        SCTP: ports + bytes(8) + b"\1\0\0\x14" + make.chance.randbytes(16),
        DCCP: ports + b"\x05\0\0\0\0\x01\0\0" + make.chance.randbytes(8),
        UDPLITE: ports + struct.pack("!HH", make.chance.choice((0, 8, 12)), 0) + b"hello you",
    }
    protocol = make.chance.choice(list(body))
    return [make.over(make.version, protocol, body[protocol])]


def tunnels(make: Maker) -> list[bytes]:
    inner4, inner6 = make.over(4, TCP, make.tcp()), make.over(6, UDP, make.udp())
    bodies = {
        IPIP: inner4,
        IN6: inner6,
        GRE: b"\x30\0\x08\0" + bytes(8) + inner4,
        ESP: make.chance.randbytes(40),
        AH: bytes([TCP, 4, 0, 0]) + make.chance.randbytes(20) + make.tcp(),
        L2TP: make.chance.randbytes(4) + inner4,
        137: b"\0\x01\0\0" + inner4,  # MPLS
    }
    protocol = make.chance.choice(list(bodies))
    port, head = make.chance.choice(
        ((4789, b"\x08" + bytes(7)), (3544, b""), (6081, bytes(8)), (2152, b"\x30\xff\0\0" + bytes(4)))
    )
    version = make.version
    return [
        make.over(version, protocol, bodies[protocol]),
        make.over(version, UDP, make.udp(head + inner6, port)),
    ]


def many_tunnels(make: Maker) -> list[bytes]:
    packet = make.over(4, UDP, make.udp())
    for _ in range(make.chance.randint(2, 40)):
        packet = make.over(make.version, IPIP if packet[0] >> 4 == 4 else IN6, packet)
    return [packet[:1500]] if len(packet) > 1500 else [packet]


def whole_fragments(make: Maker) -> list[bytes]:
    """In an order of their own, one of them twice."""
    version, size = make.version, make.chance.choice((8, 16, 256))
    body = make.summed(version, UDP, make.udp(make.chance.randbytes(3 * size)))
    pieces = _fragments(make, version, UDP, body, size)
    make.chance.shuffle(pieces)
    return [*pieces, pieces[0]]


def lone_fragment(make: Maker) -> list[bytes]:
    """The others never come."""
    version = make.version
    pieces = _fragments(make, version, TCP, make.summed(version, TCP, make.tcp(data=bytes(64))), 24)
    return [make.chance.choice(pieces)]


def _fragments(make: Maker, version: int, protocol: int, body: bytes, size: int) -> list[bytes]:
    ident = make.chance.randrange(1 << 32)
    pieces = []
    for at in range(0, len(body), size):
        more, part = at + size < len(body), body[at : at + size]
        if version == 4:
            pieces.append(make.four(protocol, part, fragment=more << 13 | at // 8, ident=ident & 0xFFFF))
        else:
            pieces.append(make.six(FRAGMENT, struct.pack("!BBHI", protocol, 0, at | more, ident) + part))
    return pieces


def headers_of_ipv6(make: Maker) -> list[bytes]:
    """In the order of RFC 8200, some of them left out; options that are to be skipped."""
    body, following = make.summed(6, TCP, make.tcp()), TCP
    chain = [
        (HOP_BY_HOP, b"\x05\x02\0\0\x01\0"),
        (DESTINATION, b"\x1e\x04" + make.chance.randbytes(4)),
        (ROUTING, b"\x04\0\0\0\0\0"),
        (FRAGMENT, make.chance.randbytes(6)[:0] + b"\0\0" + make.chance.randbytes(4)),
        (DESTINATION, b"\x01\x0c" + bytes(12)),
    ]
    for kind, data in reversed([each for each in chain if make.chance.random() < 0.7]):
        body, following = make.header6(following, data, 0 if kind == FRAGMENT else None) + body, kind
    return [make.six(following, body, label=make.chance.randrange(1 << 28))]


def odd_hops(make: Maker) -> list[bytes]:
    hops = make.chance.choice((0, 1, 2, 255))
    if make.version == 4:
        return [make.four(UDP, make.summed(4, UDP, make.udp()), ttl=hops, tos=make.chance.randrange(256))]
    return [make.six(UDP, make.summed(6, UDP, make.udp()), hops=hops)]


def empty_datagram(make: Maker) -> list[bytes]:
    if make.chance.random() < 0.5:
        return [make.four(UDP, make.udp(b""))]  # without a checksum, which IPv4 lets be
    return [make.over(make.version, UDP, make.udp(b""))]


def any_icmp(make: Maker) -> list[bytes]:
    return [
        make.over(
            make.version,
            ICMP,
            make.icmp(make.chance.randrange(256), make.chance.randrange(16), make.some(120)),
        )
    ]


def to_many(make: Maker) -> list[bytes]:
    body = make.summed(4, IGMP, make.icmp(make.chance.choice((0x11, 0x12, 0x16, 0x22)), 0, make.some(40)))
    return [
        make.four(IGMP, body, destination="224.0.0.22", ttl=1),
        make.four(UDP, make.udp(), destination=make.chance.choice(("255.255.255.255", "239.255.255.250"))),
        make.six(UDP, make.udp(), destination="ff02::fb"),
    ]


def odd_time(make: Maker) -> list[bytes]:
    return [make.over(make.version, UDP, make.udp(make.some(90), 123))]


def first_reply(make: Maker) -> list[bytes]:
    """SYN and ACK, RST or FIN of a connection that nobody opened."""
    return [make.over(make.version, TCP, make.tcp(make.chance.choice((SYN | ACK, 0x14, 0x04, 0x11))))]


# -- what violates a protocol ------------------------------------------------------------------------------


def any_bytes(make: Maker) -> list[bytes]:
    return [make.chance.randbytes(make.chance.choice((*_TELLING_SIZES[1:], 1400)))]


def no_version(make: Maker) -> list[bytes]:
    packet = make.over(make.version, TCP, make.tcp())
    return [bytes([make.chance.choice((0, 1, 2, 3, 5, 7, 15)) << 4 | packet[0] & 15]) + packet[1:]]


def header_length(make: Maker) -> list[bytes]:
    return [make.four(TCP, make.summed(4, TCP, make.tcp()), words=make.chance.choice((0, 1, 4, 11, 14, 15)))]


def total_length(make: Maker) -> list[bytes]:
    body = make.summed(4, UDP, make.udp(make.some()))
    length = make.chance.choice((0, 1, 19, 20, 21, 27, 28 + len(body), 1500, 65535))
    return [make.four(UDP, body, length=length), make.six(UDP, body, length=length)]


def header_checksum(make: Maker) -> list[bytes]:
    return [make.four(TCP, make.summed(4, TCP, make.tcp()), checksum=make.chance.randrange(65536))]


def cut(make: Maker) -> list[bytes]:
    """With lengths that say what is left, so that the kernel lets it through."""
    version, protocol = make.version, make.chance.choice((TCP, UDP, ICMP, SCTP, DCCP, UDPLITE, GRE, AH))
    whole = {TCP: make.tcp(options=bytes(12)), UDP: make.udp(), ICMP: make.icmp(8, 0, b"hello")}
    body = whole.get(protocol) or make.chance.randbytes(24)
    body = body[: make.chance.randrange(len(body))]
    if version == 4:
        return [make.four(protocol, body)]
    return [make.six(ICMPV6 if protocol == ICMP else protocol, body)]


def options_without_end(make: Maker) -> list[bytes]:
    options = make.chance.choice(
        (b"\x07\x00\x04\x00", b"\x44\xff\x05\x00", b"\x83\x03\x04\x01", b"\x07\x01\0\0", b"\xff" * 40)
    )
    return [make.four(TCP, make.summed(4, TCP, make.tcp()), options=options)]


def reserved_bits(make: Maker) -> list[bytes]:
    fragment = make.chance.choice((0x8000, 0xC000, 0x6000, 0xE000))
    return [make.four(UDP, make.summed(4, UDP, make.udp()), fragment=fragment)]


def fragments_beyond(make: Maker) -> list[bytes]:
    """Of more bytes than a datagram can have (as of the "ping of death")."""
    offset, part = 0x1FFF - make.chance.randrange(8), make.chance.randbytes(200)
    six = struct.pack("!BBHI", UDP, 0, offset << 3, make.chance.randrange(1 << 32)) + part
    return [make.four(ICMP, part, fragment=offset), make.six(FRAGMENT, six)]


def fragments_overlap(make: Maker) -> list[bytes]:
    """As "teardrop" did; and such that a later one writes over the ports or the flags."""
    version, ident = make.version, make.chance.randrange(1 << 32)
    body = make.summed(version, TCP, make.tcp(data=bytes(40)))
    pieces = []
    for at, size, more in (
        (0, 24, 1),
        (make.chance.choice((0, 8, 16)), make.chance.choice((1, 8, 24)), 1),
        (24, 36, 0),
    ):
        part = body[at : at + size]
        if version == 4:
            pieces.append(make.four(TCP, part, fragment=more << 13 | at // 8, ident=ident & 0xFFFF))
        else:
            pieces.append(make.six(FRAGMENT, struct.pack("!BBHI", TCP, 0, at | more, ident) + part))
    return pieces


def fragments_uneven(make: Maker) -> list[bytes]:
    """Not the last, and of no multiple of eight bytes; or a fragment in a fragment."""
    part, ident = make.chance.randbytes(13), make.chance.randrange(1 << 32)
    uneven = struct.pack("!BBHI", UDP, 0, 1, ident) + part
    nested = struct.pack("!BBHI", FRAGMENT, 0, 0, ident) + struct.pack("!BBHI", TCP, 0, 1, ident) + make.tcp()
    return [make.four(UDP, part, fragment=0x2000), make.six(FRAGMENT, make.chance.choice((uneven, nested)))]


def headers_in_disorder(make: Maker) -> list[bytes]:
    kinds = make.chance.choices((HOP_BY_HOP, DESTINATION, ROUTING, FRAGMENT), k=make.chance.randint(2, 24))
    body, following = make.summed(6, TCP, make.tcp()), TCP
    for kind in kinds:
        body, following = make.header6(following, bytes(6), 0 if kind == FRAGMENT else None) + body, kind
    return [make.six(following, body)]


def header_too_long(make: Maker) -> list[bytes]:
    kind = make.chance.choice((HOP_BY_HOP, DESTINATION, ROUTING, AH))
    return [make.six(kind, make.header6(TCP, bytes(6), make.chance.randint(1, 255)) + make.tcp())]


def options_of_ipv6(make: Maker) -> list[bytes]:
    """That must not be skipped, run over their header's end, or claim a jumbogram that is none."""
    options = make.chance.choice(
        (
            b"\xc2\x04\0\x01\0\0",
            b"\xc2\x04\0\0\0\x01",
            b"\x01\xff\0\0\0\0",
            b"\x45\0\0\0\0\0",
            b"\x85\0\0\0\0\0",
            b"\xc5\0\0\0\0\0",
            b"\xc9\x10\0\0\0\0",
        )
    )
    body = make.header6(UDP, options) + make.summed(6, UDP, make.udp())
    return [
        make.six(make.chance.choice((HOP_BY_HOP, DESTINATION)), body, length=make.chance.choice((None, 0)))
    ]


def route_by_sender(make: Maker) -> list[bytes]:
    """Routing headers of the types that are forbidden, or with more to go than there is."""
    kind, left = make.chance.choice((0, 1, 2, 3, 4, 255)), make.chance.choice((1, 5, 255))
    return [
        make.six(
            ROUTING,
            make.header6(TCP, bytes([kind, left]) + bytes(4) + make.chance.randbytes(16)) + make.tcp(),
        )
    ]


def nothing_follows(make: Maker) -> list[bytes]:
    return [make.six(NOTHING, make.some(100)), make.six(DESTINATION, make.header6(NOTHING) + make.some(40))]


def flags_of_tcp(make: Maker) -> list[bytes]:
    return [
        make.over(make.version, TCP, make.tcp(make.chance.choice(_FLAGS_OF_NO_SEGMENT), data=make.some(20)))
    ]


def offset_of_tcp(make: Maker) -> list[bytes]:
    return [make.over(make.version, TCP, make.tcp(words=make.chance.choice((0, 1, 4, 6, 9, 15))))]


def broken_options_of_tcp(make: Maker) -> list[bytes]:
    options = make.chance.choice(
        (b"\x02\0\0\0", b"\x02\x01\0\0", b"\x02\xff\0\0", b"\x08\x0a\0\0", b"\x05\x03\0\0", b"\xfe\0" * 20)
    )
    return [make.over(make.version, TCP, make.tcp(options=options))]


def checksum_of_transport(make: Maker) -> list[bytes]:
    protocol, body = make.chance.choice(((TCP, make.tcp()), (UDP, make.udp())))
    body = body[:6] + make.chance.randbytes(2) + body[8:]
    if protocol == TCP:
        body = body[:16] + make.chance.randbytes(2) + body[18:]
    return [make.four(protocol, body), make.six(protocol, body)]


def port_zero(make: Maker) -> list[bytes]:
    version, body = make.version, make.chance.choice((make.tcp(port=0), make.udp(port=0)))
    return [make.over(version, TCP if len(body) == 20 else UDP, body)]


def to_itself(make: Maker) -> list[bytes]:
    """Both ends are one ("land")."""
    address = make.chance.choice((*_MARTIANS4[:2], "192.0.2.9"))
    return [
        make.four(TCP, make.tcp(), source=address, destination=address),
        make.six(TCP, make.tcp(), source="2001:db8::9", destination="2001:db8::9"),
    ]


def martians(make: Maker) -> list[bytes]:
    """From where nobody lives, or to there."""
    four, six = make.chance.choice(_MARTIANS4), make.chance.choice(_MARTIANS6)
    if make.chance.random() < 0.5:
        return [make.four(UDP, make.udp(), source=four), make.six(UDP, make.udp(), source=six)]
    return [make.four(UDP, make.udp(), destination=four), make.six(UDP, make.udp(), destination=six)]


def length_of_udp(make: Maker) -> list[bytes]:
    body = make.udp(make.some(), length=make.chance.choice((0, 1, 7, 100, 9000, 65535)))
    return [make.over(make.version, UDP, body)]


def errors_about_nonsense(make: Maker) -> list[bytes]:
    """ICMP errors that quote no packet, half a one, another error, or a packet of somebody else."""
    version = make.version
    kind = make.chance.choice((3, 4, 5, 11, 12) if version == 4 else (1, 2, 3, 4, 137))
    quoted = make.chance.choice(
        (
            b"",
            make.some(60),
            make.over(version, TCP, make.tcp())[: make.chance.randrange(60)],
            make.over(version, ICMP, make.icmp(kind, 0, make.some(30))),
            make.over(10 - version, UDP, make.udp()),
        )
    )
    return [make.over(version, ICMP, make.icmp(kind, make.chance.randrange(16), quoted))]


def neighbours_from_afar(make: Maker) -> list[bytes]:
    """Neighbour discovery that crossed a router, with options of no length."""
    kind = make.chance.choice((133, 134, 135, 136, 137, 130, 143))
    return [make.over(6, ICMP, make.icmp(kind, 0, make.some(40) + b"\x01\0" + bytes(6)))]


def icmp_of_the_other(make: Maker) -> list[bytes]:
    """ICMPv6 in IPv4, and the other way round."""
    return [make.four(ICMPV6, make.icmp(128, 0, b"")), make.six(ICMP, make.icmp(8, 0, b""))]


def broken_chunks(make: Maker) -> list[bytes]:
    head = struct.pack("!HHII", make.port, make.port, 0, make.chance.randrange(1 << 32))
    chunk = struct.pack("!BBH", make.chance.randrange(256), 0, make.chance.choice((0, 1, 3, 4, 5, 65535)))
    return [make.over(make.version, SCTP, head + chunk * make.chance.randint(1, 30) + make.some())]


def offset_of_dccp(make: Maker) -> list[bytes]:
    ports = struct.pack("!HH", make.port, make.port)
    return [
        make.over(
            make.version,
            DCCP,
            ports + bytes([make.chance.choice((0, 1, 2, 100, 255))]) + make.chance.randbytes(15),
        )
    ]


def coverage_of_udplite(make: Maker) -> list[bytes]:
    head = struct.pack("!HHHH", make.port, make.port, make.chance.choice((1, 7, 100, 65535)), 0)
    return [make.over(make.version, UDPLITE, head + b"hello")]


def broken_gre(make: Maker) -> list[bytes]:
    return [make.over(make.version, GRE, make.chance.randbytes(make.chance.randrange(12)))]


def broken_tunnel(make: Maker) -> list[bytes]:
    """A packet in a packet that is cut, or none."""
    inside = make.over(make.version, TCP, make.tcp())
    return [
        make.over(make.version, make.chance.choice((IPIP, IN6)), inside[: make.chance.randrange(len(inside))])
    ]


def garbage_of_names(make: Maker) -> list[bytes]:
    """To port 53: no messages, over UDP and over TCP, with lengths that cannot be."""
    data = make.some(400)
    segment = make.tcp(
        ACK | 8, 53, data=struct.pack("!H", make.chance.choice((0, 1, 11, 12, len(data), 65535))) + data
    )
    version = make.version
    return [make.over(version, UDP, make.udp(data, 53)), make.over(version, TCP, segment)]


RARE: tuple[Kind, ...] = (
    options_of_ipv4, any_protocol, options_of_tcp, data_with_syn, data_of_nothing, garbage_hello,
    other_transports, tunnels, many_tunnels, whole_fragments, lone_fragment, headers_of_ipv6, odd_hops,
    empty_datagram, any_icmp, to_many, odd_time, first_reply,
)  # fmt: skip
WRONG: tuple[Kind, ...] = (
    any_bytes, no_version, header_length, total_length, header_checksum, cut, options_without_end,
    reserved_bits, fragments_beyond, fragments_overlap, fragments_uneven, headers_in_disorder,
    header_too_long, options_of_ipv6, route_by_sender, nothing_follows, flags_of_tcp, offset_of_tcp,
    broken_options_of_tcp, checksum_of_transport, port_zero, to_itself, martians, length_of_udp,
    errors_about_nonsense, neighbours_from_afar, icmp_of_the_other, broken_chunks, offset_of_dccp,
    coverage_of_udplite, broken_gre, broken_tunnel, garbage_of_names,
)  # fmt: skip


def odd_packets(ends: Ends, seed: int = 1) -> Iterator[Odd]:
    """Packets without an end, of each kind in turn; the same for the same `seed` and `ends`."""
    make = Maker(random.Random(seed), ends)
    for kind in cycle((*RARE, *WRONG)):
        for packet in kind(make):
            yield Odd(kind.__name__, kind in WRONG, packet)
