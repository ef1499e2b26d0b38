# SPDX-License-Identifier: GPL-2.0-or-later
"""What is heard in a captured packet, and what opens a connection."""

from collections.abc import Callable

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import ARP, CookedLinux, Dot1Q, Ether
from unit.made_traffic import DEVICE, DEVICE_IP, ROUTER, SERVER, arp, datagram, query, reply, syn, syn_ack

from smartrouter.core.errors import BadPacket
from smartrouter.replay.captures import ETHERNET, LINUX_COOKED, Captured
from smartrouter.replay.hearing import Heard, hear, is_attempt, is_syn, query_in
from smartrouter.wire.packet import Packet

MAC = bytes.fromhex(DEVICE.replace(":", ""))

_UP_TO_FLAGS = 14 + 20 + 14  # bytes of a frame up to its TCP flags


def heard(data: bytes, link: int = ETHERNET) -> Heard:
    found = hear(Captured(0.0, link, data))
    assert found is not None
    return found


def packet(data: bytes) -> Packet:
    found = heard(data).packet
    assert found is not None
    return found


def test_sender_receiver_and_the_packet_inside_are_heard() -> None:
    found = heard(syn())
    assert found[:4] == (DEVICE, ROUTER, False, "")
    assert found.packet is not None
    assert (found.packet.source, found.packet.destination) == (DEVICE_IP, SERVER)


def test_vlan_tags_make_no_difference() -> None:
    tagged = bytes(
        Ether(src=DEVICE, dst=ROUTER) / Dot1Q(vlan=1) / Dot1Q(vlan=2) / IP(dst=SERVER) / TCP(flags="S")
    )
    assert is_syn(packet(tagged))


def test_a_cooked_packet_has_no_receiver() -> None:
    cooked = CookedLinux(pkttype=4, lladdrlen=6, src=MAC + bytes(2), proto=0x0800)
    found = heard(bytes(cooked / IP(dst=SERVER) / UDP()), LINUX_COOKED)
    assert found[:3] == (DEVICE, "", True)


def test_arp_says_who_has_an_address() -> None:
    assert heard(arp(DEVICE, DEVICE_IP)).claim == DEVICE_IP


@pytest.mark.parametrize(
    "frame",
    [
        Ether(src=ROUTER) / ARP(hwsrc=DEVICE, psrc=DEVICE_IP),  # speaks for somebody else
        Ether(src=DEVICE) / ARP(hwtype=6, hwsrc=DEVICE, psrc=DEVICE_IP),
    ],
)
def test_arp_that_is_not_about_its_sender_claims_nothing(frame: Ether) -> None:
    assert heard(bytes(frame)).claim == ""


def test_what_is_neither_ip_nor_arp_is_not_heard() -> None:
    spanning_tree = Ether(src=DEVICE, dst="01:80:c2:00:00:00", type=38) / bytes(38)
    assert hear(Captured(0.0, ETHERNET, bytes(spanning_tree))) is None
    assert hear(Captured(0.0, 101, bytes(IP()))) is None


def test_a_mangled_packet_is_a_bad_packet() -> None:
    whole = syn()
    for size in range(_UP_TO_FLAGS - 1):
        with pytest.raises(BadPacket):
            hear(Captured(0.0, ETHERNET, whole[:size]))


@pytest.mark.parametrize("make", [syn, datagram])
def test_a_packet_of_which_the_capture_kept_the_first_bytes_is_heard_as_far_as_they_go(
    make: Callable[[], bytes],
) -> None:
    whole = make()
    entire = packet(whole)
    for size in range(_UP_TO_FLAGS, len(whole)):
        found = heard(whole[:size])
        assert found.packet is not None
        assert found.packet[:8] == entire[:8]
        assert found.packet.payload <= found.packet.end <= len(found.data)


@pytest.mark.parametrize(
    ("data", "web", "tcp", "every"),
    [
        (syn(port=443), True, True, True),
        (syn(port=80), True, True, True),
        (syn(port=8883), False, True, True),
        (syn(port=53), False, True, True),
        (syn_ack(), False, False, False),
        (datagram(port=123), False, False, True),
        (datagram(port=443), False, False, True),
        (datagram(port=53), False, False, False),
        (datagram(port=5000, source_port=53), False, False, False),
        (datagram(port=67, source_port=68), False, False, False),
        (datagram(port=547, source_port=546), False, False, False),
    ],
)
def test_what_counts_as_an_attempt(data: bytes, web: bool, tcp: bool, every: bool) -> None:
    found = packet(data)
    assert is_attempt(found, web_only=True) is web
    assert is_attempt(found, udp=False) is tcp
    assert is_attempt(found) is every


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("S", True), ("SEC", True), ("SF", True), ("SA", False), ("A", False), ("", False)],
)
def test_a_syn_is_one_without_an_acknowledgement(flags: str, expected: bool) -> None:
    assert is_syn(packet(bytes(Ether(src=DEVICE) / IP(dst=SERVER) / TCP(flags=flags)))) is expected


def test_a_later_fragment_opens_nothing() -> None:
    for rest in (TCP(flags="S"), UDP(dport=123)):
        assert not is_attempt(packet(bytes(Ether(src=DEVICE) / IP(dst=SERVER, frag=5) / rest)))


def test_only_a_query_is_a_query() -> None:
    def message(frame: bytes) -> bytes:
        found = heard(frame)
        assert found.packet is not None
        return found.data[found.packet.payload : found.packet.end]

    found = query_in(message(query("Example.COM")))
    assert found is not None
    assert found.question.name == "example.com"
    assert query_in(message(reply("example.com", [SERVER]))) is None
    assert query_in(b"no DNS at all") is None
