# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds of the parsers whatever the bytes: a value or BadPacket, and the same as others read."""

import os
import random
import socket
from collections.abc import Callable
from typing import Any

import dns.exception
import dns.message
import dns.name
import dns.rdata
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, PadN
from scapy.packet import Raw
from unit.made_messages import (
    ANY,
    CH,
    CNAME,
    HTTPS,
    IN,
    NONE,
    OPT,
    RECORDS_AS_TEXT,
    REPLY,
    SOA,
    TO_QUESTION,
    TSIG,
    UPDATE,
    A,
    ipv4,
    message,
    name,
    parameters,
    question,
    record,
)

from smartrouter.core.errors import BadPacket
from smartrouter.core.events import Reply
from smartrouter.core.names import (
    is_below,
    is_local,
    is_special_use,
    labels,
    normalise,
    registrable_domain,
)
from smartrouter.core.told.addresses import lesson
from smartrouter.wire.dns import parse_query, parse_reply
from smartrouter.wire.dns_tcp import BOUND, TcpStream
from smartrouter.wire.packet import glance, parse_ethernet, parse_ip

EXAMPLES = 300 * max(1, round(float(os.environ.get("ROUNDS", "1"))))

DATA: list[tuple[int, bytes]] = [
    (int(dns.rdatatype.from_text(kind)), dns.rdata.from_text("IN", kind, text).to_wire() or b"")
    for kind, text in RECORDS_AS_TEXT.items()
]
DATA += [
    (A, ipv4("203.0.113.1")),
    (CNAME, TO_QUESTION),
    (CNAME, b"\3cdn" + TO_QUESTION),
    (HTTPS, b"\0\0" + name("cdn.example")),
    (OPT, parameters((10, b"12345678"), (8, b"\0\1\x18\0\xcb\0\x71"), (15, b"\0\x0fno"), (18, name("a")))),
    (OPT, b""),
    (SOA, b"\2ns" + TO_QUESTION + b"\1r" + TO_QUESTION + bytes(20)),
    (TSIG, name("a") + bytes(16)),
    (65400, b"anything"),
]


def made_message(chance: random.Random) -> bytes:
    """A message that is well-formed more often than not."""
    flags = REPLY | chance.choice([0, 0, 0, 0, 3, 0x0200, UPDATE, UPDATE, 4 << 11])
    updating = flags & 0x7800 == UPDATE
    klass = chance.choice([IN, IN, IN, IN, CH, ANY])
    asked = question(
        chance.choice(["www.example", "a", ""]), SOA if updating else chance.choice([A, 28, HTTPS]), klass
    )
    answers, authorities, additionals = (
        [made_record(chance, section, klass, updating=updating) for _ in range(chance.choice([0, 1, 1, 2]))]
        for section in (1, 2, 3)
    )
    return message([asked] * chance.choice([1, 1, 1, 1, 0, 2]), answers, authorities, additionals, flags)


def made_record(chance: random.Random, section: int, klass: int, *, updating: bool) -> bytes:
    kind, data = chance.choice(DATA)
    if kind == OPT and (section != 3 or chance.random() < 0.05):
        kind, data = A, ipv4("203.0.113.1")
    if chance.random() < 0.05 or (updating and chance.random() < 0.2):
        data = b""
    owner = (
        b"\0" if kind == OPT else chance.choice([TO_QUESTION, TO_QUESTION, name("b"), b"\1c" + TO_QUESTION])
    )
    own_class = chance.choice([klass] * 8 + [IN, CH, NONE, ANY])
    return record(owner, kind, data, own_class, chance.choice([0, 300, 2**31]))


def mangled(chance: random.Random, wire: bytes) -> bytes:
    bent = bytearray(wire)
    for _ in range(chance.choice([0, 1, 1, 1, 2, 3])):
        if not bent:
            break
        at = chance.randrange(len(bent))
        match chance.randrange(8):
            case 0:
                bent[at] = chance.randrange(256)
            case 1:
                bent[at] ^= 1 << chance.randrange(8)
            case 2:
                bent[at] = (bent[at] + chance.choice([-2, -1, 1, 2])) % 256
            case 3:
                del bent[at]
            case 4:
                bent.insert(at, chance.randrange(256))
            case 5:
                del bent[at:]
            case 6:
                bent[at : at + 2] = (0xC000 | chance.randrange(len(bent))).to_bytes(2, "big")
            case _:
                bent[at:at] = bent[chance.randrange(len(bent)) :][: chance.randrange(40)]
    return bytes(bent)


def as_dnspython_reads(wire: bytes) -> Any:
    try:
        return dns.message.from_wire(wire)
    except dns.exception.DNSException:
        return None


def spelt(of: Any) -> str:
    return "" if of == dns.name.root else str(of.to_text(omit_final_dot=True)).lower()


def addresses_by_dnspython(read: Any) -> set[tuple[str, str]]:
    told = set()
    for rrset in (rrset for rrset in read.answer if rrset.rdclass == IN):
        for data in rrset:
            found = [data.address] if rrset.rdtype in (1, 28) else []
            if rrset.rdtype in (64, 65):
                found = [one for key in (4, 6) if key in data.params for one in data.params[key].addresses]
            told |= {(spelt(rrset.name), canonical(address)) for address in found}
    return told


def canonical(address: str) -> str:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_ntop(family, socket.inet_pton(family, address))


def test_mangled_messages_are_read_and_refused_as_by_dnspython(rounds: Callable[[int], int]) -> None:
    chance = random.Random(53)
    accepted = 0
    for _ in range(rounds(3000)):
        wire = mangled(chance, made_message(chance))
        theirs = as_dnspython_reads(wire)
        ours: Reply | None
        try:
            ours = parse_reply(wire)
        except BadPacket:
            ours = None
        assert (ours is not None) is (theirs is not None and wire[2] >= 0x80), wire.hex()
        if ours is None:
            continue
        accepted += 1
        assert ours.rcode == theirs.rcode(), wire.hex()
        assert [tuple(one) for one in ours.questions] == [
            (spelt(one.name), one.rdtype, one.rdclass) for one in theirs.question
        ], wire.hex()
        if ours.opcode != UPDATE >> 11:
            told = {(one.owner, one.address) for one in ours.addresses}
            assert told == addresses_by_dnspython(theirs), wire.hex()
        found = lesson(ours)
        assert not found.addresses or found.name in {one.name for one in ours.questions}
    assert accepted > 500


@settings(max_examples=EXAMPLES)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_bad_packet(wire: bytes) -> None:
    for parse in (parse_reply, parse_query, parse_ip, parse_ethernet):
        for variant in (wire, b"\0\7\x80\0\0\1\0\1\0\0\0\0" + wire, b"\x45" + wire, b"\x60" + wire):
            try:
                parse(variant)
            except BadPacket:
                pass


SOURCE, DESTINATION = IP(src="192.168.1.9", dst="203.0.113.7"), IPv6(src="2001:db8::9", dst="2001:db8::7")
OPTIONS = [PadN(optdata=b"")]
PACKETS = [
    bytes(packet)
    for packet in (
        SOURCE / TCP(sport=40000, dport=443, flags="S", seq=7, options=[("MSS", 1460)]) / b"data",
        SOURCE / UDP(sport=5353, dport=53) / b"data",
        SOURCE / ICMP(),
        IP(src="192.168.1.9", dst="203.0.113.7", options=[IPOption(b"\x94\x04\0\0")]) / TCP(dport=80, seq=9),
        IP(src="192.168.1.9", dst="203.0.113.7", flags="MF") / UDP(dport=53, len=900) / b"data",
        DESTINATION / TCP(sport=40000, dport=443, flags="SA", seq=7) / b"data",
        DESTINATION / UDP(sport=5353, dport=53) / b"data",
        DESTINATION
        / IPv6ExtHdrHopByHop(options=OPTIONS)
        / IPv6ExtHdrDestOpt(options=OPTIONS)
        / TCP(dport=23),
        DESTINATION / IPv6ExtHdrFragment(m=1) / UDP(dport=53, len=900) / b"data",
        DESTINATION / IPv6ExtHdrFragment(offset=9, nh=17) / Raw(b"rest of it"),
    )
]


def test_mangled_packets_are_read_as_by_scapy(rounds: Callable[[int], int]) -> None:
    chance = random.Random(4)
    accepted = 0
    for _ in range(rounds(1000)):
        wire = mangled(chance, chance.choice(PACKETS))
        try:
            ours = parse_ip(wire)
        except BadPacket:
            continue
        accepted += 1
        assert ours.version == wire[0] >> 4
        assert ours.payload <= ours.end <= len(wire)
        theirs: Any = IP(wire) if ours.version == 4 else IPv6(wire)
        assert (ours.source, ours.destination) == (theirs.src, theirs.dst), wire.hex()
        if ours.fragment or ours.protocol not in (6, 17):
            assert (ours.source_port, ours.destination_port, ours.flags, ours.sequence) == (0, 0, 0, 0) or (
                ours.protocol in (33, 132, 136)
            )
            continue
        layer = TCP if ours.protocol == 6 else UDP
        assert layer in theirs, wire.hex()
        theirs = theirs[layer]
        assert (ours.source_port, ours.destination_port) == (theirs.sport, theirs.dport), wire.hex()
        if layer is TCP:
            assert (ours.sequence, ours.flags) == (theirs.seq, int(theirs.flags) & 0xFF), wire.hex()
    assert accepted > 200


def agrees(wire: bytes) -> bool:
    """Does a glance at these bytes say what reading them says? True if it says anything."""
    seen = glance(wire)
    try:
        read = parse_ip(wire)
    except BadPacket:
        assert seen is None, wire.hex()
        return False
    if seen is None:
        return False
    (addresses, port, protocol), source_port, sequence = seen
    assert (read.version, read.fragment) == (4, False), wire.hex()
    assert socket.inet_ntop(socket.AF_INET, addresses[:4]) == read.source, wire.hex()
    assert socket.inet_ntop(socket.AF_INET, addresses[4:]) == read.destination, wire.hex()
    assert (protocol, source_port, port, sequence) == (
        read.protocol, read.source_port, read.destination_port, read.sequence,
    ), wire.hex()  # fmt: skip
    return True


def test_a_glance_at_a_mangled_packet_agrees_with_reading_it(rounds: Callable[[int], int]) -> None:
    chance = random.Random(45)
    plain = [wire for wire in PACKETS if glance(wire) is not None]
    assert len(plain) >= 2
    seen = [agrees(mangled(chance, chance.choice(plain))) for _ in range(rounds(5000))]
    assert 500 < sum(seen) < len(seen) - 500


@settings(max_examples=EXAMPLES)
@given(
    st.sampled_from(PACKETS),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=6),
    st.integers(0, 80),
    st.binary(max_size=60),
)
def test_a_glance_at_any_bytes_agrees_with_reading_them(
    wire: bytes, changes: list[tuple[int, int]], length: int, tail: bytes
) -> None:
    bent = bytearray(wire)
    for at, value in changes:
        bent[at % len(bent)] = value
    for variant in (bytes(bent), bytes(bent[:length]), bytes(bent) + tail, tail, b"\x45" + tail):
        agrees(variant)


@settings(max_examples=EXAMPLES)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(
        st.tuples(st.integers(-70000, 70000), st.binary(max_size=60), st.integers(1, 1500)), max_size=40
    ),
)
def test_whatever_the_segments_a_stream_stays_bounded_and_raises_nothing(
    start: int, segments: list[tuple[int, bytes, int]]
) -> None:
    stream = TcpStream()
    for offset, payload, times in segments:
        for found in stream.feed((start + offset) % 2**32, payload * times):
            assert len(found) >= 12
        assert stream.held <= BOUND


wire_labels = st.lists(st.binary(min_size=1, max_size=63), min_size=1, max_size=8).filter(
    lambda parts: sum(map(len, parts)) + len(parts) < 255
)


@settings(max_examples=EXAMPLES)
@given(wire_labels)
def test_any_name_survives_as_text(parts: list[bytes]) -> None:
    wire = b"".join(bytes([len(part)]) + part for part in parts) + b"\0"
    read = parse_reply(message([wire + b"\0\1\0\1"])).questions[0].name
    assert (
        dns.name.from_text(read).to_wire()
        == b"".join(bytes([len(part)]) + part.lower() for part in parts) + b"\0"
    )
    assert len(labels(read)) == len(parts)
    assert read.isascii()
    assert read.isprintable()
    assert " " not in read


@settings(max_examples=EXAMPLES)
@given(wire_labels)
def test_any_name_has_a_group_that_it_lies_in(parts: list[bytes]) -> None:
    wire = b"".join(bytes([len(part)]) + part for part in parts) + b"\0"
    read = parse_reply(message([wire + b"\0\1\0\1"])).questions[0].name
    group = registrable_domain(read)
    assert group == read or is_below(read, group)
    assert registrable_domain(group) == group
    assert {type(is_local(read)), type(is_special_use(read))} == {bool}
    if b"/" not in wire and not parts[-1].isdigit():
        assert normalise(read) == read


@pytest.mark.parametrize(
    "junk", [b"", b"\0", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes(512), b"\xff" * 512]
)
def test_what_is_no_packet_at_all_is_refused(junk: bytes) -> None:
    for parse in (parse_reply, parse_query, parse_ip):
        with pytest.raises(BadPacket):
            parse(junk)
