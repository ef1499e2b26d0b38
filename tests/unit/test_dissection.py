# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets in words: what they say, and that nothing they hold does anything."""

from random import Random

import pytest
from dns.message import make_query, make_response
from dns.rrset import from_text
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from unit.made_hellos import first_flight, from_openssl, quic_client

from smartrouter.cli.dissection import MAX_RECORDS, MAX_TEXT, dissect
from smartrouter.terminal import inert

HERE = IP(src="192.168.1.2", dst="203.0.113.9")
HERE6 = IPv6(src="2001:db8::2", dst="2001:db8::9")


def lines(packet: object) -> list[str]:
    return [f"{name} {text}".strip() for name, text in dissect(bytes(packet))]  # type: ignore[call-overload]


def test_the_layers_stand_in_their_order() -> None:
    assert lines(HERE / TCP(sport=4000, dport=443, flags="S", seq=7)) == [
        "IPv4 192.168.1.2 → 203.0.113.9, 40 bytes, TTL 64",
        "TCP 4000 → 443, flags S, sequence 7, window 8192",
    ]
    assert lines(HERE6 / UDP(sport=4000, dport=9999) / b"hi") == [
        "IPv6 2001:db8::2 → 2001:db8::9, 50 bytes, hop limit 64",
        "UDP 4000 → 9999, 10 bytes",
        "data 2 bytes: hi",
    ]
    assert lines(HERE / ICMP(type=8))[1] == "ICMP type 8, code 0"
    assert len(lines(HERE6 / ICMPv6EchoRequest())) == 2


def test_a_dns_reply_says_what_is_what() -> None:
    reply = make_response(make_query("shop.example", "AAAA", id=77))
    reply.answer.append(from_text("shop.example.", 60, "IN", "CNAME", "edge.example."))
    reply.answer.append(from_text("edge.example.", 30, "IN", "AAAA", "2001:db8::5"))
    assert lines(HERE / UDP(sport=53, dport=4000) / reply.to_wire())[2:] == [
        "DNS answer, no error, id 77: shop.example AAAA",
        "shop.example CNAME edge.example (for 60 s)",
        "edge.example AAAA 2001:db8::5 (for 30 s)",
    ]
    question = make_query("shop.example", "A", id=78).to_wire()
    assert lines(HERE / UDP(sport=4000, dport=53) / question)[2] == "DNS question, id 78: shop.example A"


def test_a_hello_says_for_whom() -> None:
    hello = HERE / TCP(dport=443, flags="PA") / from_openssl("cloud.example")
    assert lines(hello)[-1] == "TLS hello to cloud.example"
    (datagram, *_) = first_flight(quic_client("cloud.example"))
    assert "cloud.example" in lines(HERE / UDP(dport=443) / datagram)[-1]


def test_nothing_in_it_reaches_a_terminal_as_it_is() -> None:
    hostile = make_response(make_query("x.example", "TXT", id=1))
    hostile.answer.append(from_text("x.example.", 60, "IN", "TXT", r'"\027]0;owned\007\155"'))
    for packet in (HERE / UDP(sport=53) / hostile.to_wire(), HERE / TCP() / b"\x1b[2J\x9b\r\n"):
        for line in lines(packet):
            assert line == inert(line)
            assert "\x1b" not in line


def test_what_is_said_is_bounded() -> None:
    reply = make_response(make_query("x.example", "A", id=1))
    for number in range(60):
        reply.answer.append(from_text("x.example.", 60, "IN", "A", f"203.0.113.{number}"))
    said = lines(HERE / UDP(sport=53) / reply.to_wire())
    assert len(said) <= 3 + MAX_RECORDS
    assert max(map(len, lines(HERE / TCP() / (b"A" * 1400)))) <= MAX_TEXT + 10


@pytest.mark.parametrize("packet", [b"", b"E", b"\x60", b"\xff" * 40, b"E" + bytes(19)])
def test_what_cannot_be_taken_apart_is_said_to_be_so(packet: bytes) -> None:
    assert all(isinstance(text, str) for _, text in dissect(packet))


def test_mangled_packets_raise_nothing() -> None:
    dice = Random(1)
    reply = make_response(make_query("x.example", "A", id=1))
    reply.answer.append(from_text("x.example.", 60, "IN", "A", "203.0.113.1"))
    whole = [
        bytes(HERE / UDP(sport=53, dport=4000) / reply.to_wire()),
        bytes(HERE6 / TCP(dport=443, flags="PA") / from_openssl("cloud.example")),
    ]
    for packet in whole:
        for _ in range(150):
            mangled = bytearray(packet[: dice.randrange(1, len(packet) + 1)])
            for _ in range(3):
                mangled[dice.randrange(len(mangled))] = dice.randrange(256)
            for name, text in dissect(bytes(mangled)):
                assert text == inert(text)
                assert name == inert(name)
