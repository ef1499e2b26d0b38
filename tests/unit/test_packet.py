# SPDX-License-Identifier: GPL-2.0-or-later
"""What is read of IP packets and Ethernet frames, and which are refused; scapy makes them."""

from typing import Any

import pytest
from counting import steps
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.layers.sctp import SCTP
from scapy.packet import Raw

from smartrouter.core.errors import BadPacket
from smartrouter.wire.packet import Frame, Packet, glance, parse_ethernet, parse_ip

SYN = 0x02
FOUR = IP(src="192.168.1.9", dst="203.0.113.7")
SIX = IPv6(src="2001:db8::9", dst="2001:db8:1::7")
TO_WEB = TCP(sport=40000, dport=443, flags="S", seq=12345)
HOPS = IPv6ExtHdrHopByHop(options=[PadN(optdata=b"")])
DESTINATION = IPv6ExtHdrDestOpt(options=[PadN(optdata=b"")])
AUTHENTICATION = AH(nh=6, payloadlen=4, icv=bytes(12))
ASKING = UDP(sport=5353, dport=53)


def packet(version: int, protocol: int, ports: tuple[int, int] = (0, 0), **rest: Any) -> Packet:
    source, destination = (FOUR.src, FOUR.dst) if version == 4 else (SIX.src, SIX.dst)
    usual = {"flags": 0, "sequence": 0, "fragment": False}
    return Packet(version, source, destination, protocol, *ports, **{**usual, **rest})


GOOD = {
    "SYN": (FOUR / TO_WEB, packet(4, 6, (40000, 443), flags=SYN, sequence=12345, payload=40, end=40)),
    "SYN with options and data": (
        FOUR / TCP(sport=1, dport=2, flags="S", seq=2**32 - 1, options=[("MSS", 1460)]) / b"data",
        packet(4, 6, (1, 2), flags=SYN, sequence=2**32 - 1, payload=44, end=48),
    ),
    "all flags": (
        FOUR / TCP(sport=1, dport=2, flags="FSRPAUEC", seq=1),
        packet(4, 6, (1, 2), flags=0xFF, sequence=1, payload=40, end=40),
    ),
    "IPv4 options": (
        IP(src=FOUR.src, dst=FOUR.dst, options=[IPOption(b"\x94\x04\0\0")]) / TO_WEB,
        packet(4, 6, (40000, 443), flags=SYN, sequence=12345, payload=44, end=44),
    ),
    "UDP": (FOUR / ASKING / b"12345", packet(4, 17, (5353, 53), payload=28, end=33)),
    "empty UDP": (FOUR / ASKING, packet(4, 17, (5353, 53), payload=28, end=28)),
    "UDP behind IPv4 options": (
        IP(src=FOUR.src, dst=FOUR.dst, options=[IPOption(b"\x94\x04\0\0")]) / ASKING / b"12345",
        packet(4, 17, (5353, 53), payload=32, end=37),
    ),
    "UDP shorter than its packet": (
        FOUR / UDP(sport=5353, dport=53, len=10) / b"12345", packet(4, 17, (5353, 53), payload=28, end=30),
    ),
    "ping": (FOUR / ICMP(), packet(4, 1, payload=28, end=28)),
    "SCTP": (FOUR / SCTP(sport=7, dport=8, tag=1), packet(4, 132, (7, 8), payload=32, end=32)),
    "DCCP": (
        IP(src=FOUR.src, dst=FOUR.dst, proto=33) / Raw(b"\0\7\0\x08\4" + bytes(11) + b"data"),
        packet(4, 33, (7, 8), payload=36, end=40),
    ),
    "UDP-Lite": (
        IP(src=FOUR.src, dst=FOUR.dst, proto=136) / Raw(b"\0\7\0\x08\0\x08\0\0data"),
        packet(4, 136, (7, 8), payload=28, end=32),
    ),
    "GRE": (IP(src=FOUR.src, dst=FOUR.dst, proto=47) / Raw(b"abc"), packet(4, 47, payload=20, end=23)),
    "no payload": (IP(src=FOUR.src, dst=FOUR.dst, proto=50), packet(4, 50, payload=20, end=20)),
    "first fragment": (
        IP(src=FOUR.src, dst=FOUR.dst, flags="MF") / UDP(sport=5353, dport=53, len=3000) / bytes(64),
        packet(4, 17, (5353, 53), payload=28, end=92),
    ),
    "first fragment of TCP": (
        IP(src=FOUR.src, dst=FOUR.dst, flags="MF") / TO_WEB / bytes(64),
        packet(4, 6, (40000, 443), flags=SYN, sequence=12345, payload=40, end=104),
    ),
    "later fragment": (
        IP(src=FOUR.src, dst=FOUR.dst, frag=185, proto=17) / Raw(b"\0\7\0\x08rest"),
        packet(4, 17, payload=20, end=28, fragment=True),
    ),
    "later fragment of TCP": (
        IP(src=FOUR.src, dst=FOUR.dst, frag=3, proto=6) / Raw(bytes(40)),
        packet(4, 6, payload=20, end=60, fragment=True),
    ),
    "IPv6 SYN": (SIX / TO_WEB, packet(6, 6, (40000, 443), flags=SYN, sequence=12345, payload=60, end=60)),
    "IPv6 UDP": (SIX / ASKING / b"12345", packet(6, 17, (5353, 53), payload=48, end=53)),
    "IPv6 ping": (SIX / ICMPv6EchoRequest(), packet(6, 58, payload=44, end=48)),
    "no next header": (IPv6(src=SIX.src, dst=SIX.dst, nh=59), packet(6, 59, payload=40, end=40)),
    "every extension header": (
        SIX / HOPS / DESTINATION / IPv6ExtHdrRouting(addresses=["2001:db8::5"])
        / IPv6ExtHdrFragment(offset=0, m=0) / AUTHENTICATION / TO_WEB,
        packet(6, 6, (40000, 443), flags=SYN, sequence=12345, payload=132, end=132),
    ),
    "IPv6 first fragment": (
        SIX / IPv6ExtHdrFragment(offset=0, m=1) / UDP(sport=5353, dport=53, len=3000) / bytes(8),
        packet(6, 17, (5353, 53), payload=56, end=64),
    ),
    "IPv6 later fragment": (
        SIX / IPv6ExtHdrFragment(offset=100, m=1, nh=6) / Raw(bytes(16)),
        packet(6, 6, payload=48, end=64, fragment=True),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("made", "expected"), GOOD.values(), ids=GOOD.keys())
def test_a_packet_is_read(made: Any, expected: Packet) -> None:
    wire = bytes(made)
    assert parse_ip(wire) == expected
    assert type(parse_ip(wire)) is Packet
    assert parse_ip(wire + b"padding") == expected


@pytest.mark.parametrize(("made", "expected"), GOOD.values(), ids=GOOD.keys())
def test_a_cut_payload_is_no_fault_and_a_cut_header_is(made: Any, expected: Packet) -> None:
    wire = bytes(made)
    for size in range(len(wire)):
        if size < expected.payload:
            with pytest.raises(BadPacket):
                parse_ip(wire[:size])
        else:
            assert parse_ip(wire[:size]) == expected._replace(end=min(size, expected.end))


def bent(made: Any, *changes: tuple[int, int]) -> bytes:
    wire = bytearray(bytes(made))
    for at, value in changes:
        wire[at] = value
    return bytes(wire)


LATER = IP(src=FOUR.src, dst=FOUR.dst, frag=8191, proto=17)
BAD = {
    "empty": b"",
    "version 0": bytes(40),
    "version 5": bent(FOUR / TO_WEB, (0, 0x55)),
    "header length 4": bent(FOUR / TO_WEB, (0, 0x44)),
    "header longer than the packet": bent(FOUR / ICMP(), (0, 0x4F)),
    "total length 0": bent(FOUR / TO_WEB, (2, 0), (3, 0)),
    "total length below the header": bent(FOUR / TO_WEB, (3, 19)),
    "total length within TCP's header": bent(FOUR / TO_WEB, (3, 39)),
    "total length within UDP's header": bent(FOUR / ASKING, (3, 27)),
    "fragment beyond 65,535": bytes(LATER / Raw(bytes(64))),
    "TCP data offset 4": bent(FOUR / TO_WEB, (32, 0x40)),
    "TCP data offset beyond the end": bent(FOUR / TO_WEB, (32, 0xF0)),
    "TCP cut in a tiny first fragment": bytes(IP(proto=6, flags="MF") / Raw(bytes(8))),
    "UDP length 7": bent(FOUR / ASKING, (25, 7)),
    "UDP length 0": bent(FOUR / ASKING, (25, 0)),
    "UDP length beyond the end": bent(FOUR / ASKING / b"12", (25, 11)),
    "IPv6 UDP length beyond the end": bent(SIX / ASKING / b"12", (45, 11)),
    "DCCP data offset 2": bytes(IP(proto=33) / Raw(b"\0\7\0\x08\2" + bytes(15))),
    "DCCP data offset beyond the end": bytes(IP(proto=33) / Raw(b"\0\7\0\x08\xff" + bytes(15))),
    "UDP-Lite coverage 7": bytes(IP(proto=136) / Raw(b"\0\7\0\x08\0\7\0\0")),
    "UDP-Lite coverage beyond the end": bytes(IP(proto=136) / Raw(b"\0\7\0\x08\0\x09\0\0")),
    "ping cut": bytes(IP(proto=1) / Raw(bytes(7))),
    "IPv6 header only, TCP promised": bytes(IPv6(nh=6)),
    "IPv6 length 0": bent(SIX / TO_WEB, (4, 0), (5, 0)),
    "hop-by-hop in a second place": bytes(SIX / DESTINATION / HOPS / TO_WEB),
    "extension header longer than the packet": bent(SIX / DESTINATION / TO_WEB, (41, 200)),
    "authentication header longer than the packet": bent(SIX / AUTHENTICATION / TO_WEB, (41, 200)),
    "fragment header cut": bytes(IPv6(nh=44) / Raw(bytes(7))),
    "IPv6 fragment beyond 65,535": bytes(SIX / IPv6ExtHdrFragment(offset=8191, m=0, nh=17) / Raw(bytes(64))),
    "nine extension headers": bytes(
        SIX / DESTINATION / DESTINATION / DESTINATION / DESTINATION / DESTINATION / DESTINATION / DESTINATION
        / DESTINATION / DESTINATION / TO_WEB
    ),
}  # fmt: skip


@pytest.mark.parametrize("wire", BAD.values(), ids=BAD.keys())
def test_a_packet_that_breaks_its_format_is_refused(wire: bytes) -> None:
    with pytest.raises(BadPacket):
        parse_ip(wire)


def test_seven_extension_headers_are_read() -> None:
    made = SIX / HOPS
    for _ in range(6):
        made = made / DESTINATION
    assert parse_ip(bytes(made / TO_WEB)).destination_port == 443


SENDER, RECEIVER = "3c:2e:ff:29:4d:93", "c8:bf:4c:77:a0:3a"
FRAMES = {
    "plain": (Ether(src=SENDER, dst=RECEIVER) / FOUR / TO_WEB, 0x0800, 14),
    "ARP": (Ether(src=SENDER, dst=RECEIVER) / ARP(), 0x0806, 14),
    "VLAN": (Ether(src=SENDER, dst=RECEIVER) / Dot1Q(vlan=5) / SIX / TO_WEB, 0x86DD, 18),
    "VLAN in VLAN": (Ether(src=SENDER, dst=RECEIVER) / Dot1AD(vlan=5) / Dot1Q(vlan=6) / FOUR, 0x0800, 22),
    "IEEE 802.3": (Ether(src=SENDER, dst=RECEIVER, type=38) / Raw(bytes(38)), 38, 14),
}


@pytest.mark.parametrize(("made", "ethertype", "payload"), FRAMES.values(), ids=FRAMES.keys())
def test_a_frame_is_read(made: Any, ethertype: int, payload: int) -> None:
    wire = bytes(made)
    assert parse_ethernet(wire) == Frame(SENDER, RECEIVER, ethertype, payload)
    for size in range(payload):
        with pytest.raises(BadPacket):
            parse_ethernet(wire[:size])


def test_a_frame_of_nothing_but_vlan_tags_is_refused() -> None:
    with pytest.raises(BadPacket):
        parse_ethernet(bytes(12) + b"\x81\0\0\1" * 300)


def test_a_syn_is_read_in_a_few_steps() -> None:
    wire = bytes(FOUR / TO_WEB)
    parse_ip(wire)
    assert steps(lambda: parse_ip(wire)) < 30


BOTH = bytes((192, 168, 1, 9, 203, 0, 113, 7))
SEEN = {
    "SYN": (FOUR / TO_WEB, ((BOTH, 443, 6), 40000, 12345)),
    "SYN with options and data": (
        FOUR / TCP(sport=1, dport=2, flags="S", seq=2**32 - 1, options=[("MSS", 1460)]) / b"data",
        ((BOTH, 2, 6), 1, 2**32 - 1),
    ),
    "no SYN": (FOUR / TCP(sport=40000, dport=443, flags="A", seq=9), ((BOTH, 443, 6), 40000, 9)),
    "UDP": (FOUR / ASKING / b"12345", ((BOTH, 53, 17), 5353, 0)),
    "empty UDP": (FOUR / ASKING, ((BOTH, 53, 17), 5353, 0)),
}


@pytest.mark.parametrize(("made", "expected"), SEEN.values(), ids=SEEN)
def test_a_plain_packet_is_seen_at_a_glance(made: Any, expected: Any) -> None:
    wire = bytes(made)
    assert glance(wire) == expected
    assert glance(wire + b"padding of a short frame") == expected


def test_of_a_packet_whose_payload_was_cut_as_much_is_seen() -> None:
    wire = bytes(FOUR / ASKING / bytes(1000))
    assert glance(wire[:128]) == glance(wire) == SEEN["UDP"][1]


NOT_PLAIN = {
    "IPv6": SIX / TO_WEB,
    "IPv4 options": IP(src=FOUR.src, dst=FOUR.dst, options=[IPOption(b"\x94\x04\0\0")]) / TO_WEB,
    "first fragment": IP(src=FOUR.src, dst=FOUR.dst, flags="MF") / TO_WEB,
    "later fragment": IP(src=FOUR.src, dst=FOUR.dst, frag=3, proto=6) / Raw(bytes(40)),
    "ICMP": FOUR / ICMP() / bytes(20),
    "SCTP": FOUR / SCTP(sport=1, dport=2) / bytes(20),
    "TCP cut": bytes(FOUR / TO_WEB)[:39],
    "TCP options cut": bytes(FOUR / TCP(flags="S", options=[("MSS", 1460)]))[:43],
    "UDP cut": bytes(FOUR / ASKING)[:27],
    "nothing": b"",
}


@pytest.mark.parametrize("made", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_any_other_packet_is_not(made: Any) -> None:
    assert glance(bytes(made)) is None


def test_a_glance_takes_fewer_steps_than_reading() -> None:
    wire = bytes(FOUR / TO_WEB)
    assert steps(lambda: glance(wire)) < 12
