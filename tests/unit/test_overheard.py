# SPDX-License-Identifier: GPL-2.0-or-later
"""What is passed on of the packets that tell what a device is. Real copies are in tests/netns."""

import time
from base64 import b64decode

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet
from unit.made_traffic import asking

from smartrouter.guard.handlers.overheard import AGAIN, MAX_HEARD, MAX_WAITING, OverheardHandler

CAMERA, PLUG = "3c:2e:ff:29:4d:93", "50:c7:bf:00:fc:a3"
HEADER = IP(src="192.168.1.2", dst="192.168.1.1")


def said(port: int, data: bytes = b"something") -> Packet:
    return HEADER / UDP(sport=5000, dport=port) / data


def syn(port: int = 443, ttl: int = 64, sequence: int = 1) -> Packet:
    return IP(src="192.168.1.2", dst="203.0.113.9", ttl=ttl) / TCP(dport=port, flags="S", seq=sequence)


class Ear:
    """A handler, and the clock that it goes by."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        self.handler = OverheardHandler()

    def hear(self, *packets: Packet | bytes, mac: str | None = CAMERA) -> list[tuple[str, bytes]]:
        """What is passed on of these packets."""
        self.handler([("overheard", mac, bytes(packet)) for packet in packets])
        return [(what, b64decode(data)) for _, what, data in self.handler.fetch(MAX_WAITING)]


@pytest.fixture
def ear(monkeypatch: pytest.MonkeyPatch) -> Ear:
    return Ear(monkeypatch)


@pytest.mark.parametrize(
    ("port", "what"), [(67, "dhcp"), (547, "dhcp6"), (5353, "mdns"), (1900, "ssdp"), (53, "dns")]
)
def test_what_a_datagram_says_is_passed_on_by_its_port(ear: Ear, port: int, what: str) -> None:
    data = asking("cam.example") if what == "dns" else b"something"
    assert ear.hear(said(port, data)) == [(what, data)]


def test_a_syn_is_passed_on_with_its_headers(ear: Ear) -> None:
    assert ear.hear(syn()) == [("syn", bytes(syn()))]


def test_ipv6_is_heard_as_well(ear: Ear) -> None:
    packet = IPv6(src="fe80::1", dst="ff02::fb") / UDP(sport=5353, dport=5353) / b"x"
    assert ear.hear(packet) == [("mdns", b"x")]


@pytest.mark.parametrize("packet", [said(4000), said(5353, b""), b"\x45", HEADER / b"raw"])
def test_anything_else_is_passed_over(ear: Ear, packet: Packet | bytes) -> None:
    assert not ear.hear(packet)


def test_what_has_no_sender_tells_of_nobody(ear: Ear) -> None:
    assert not ear.hear(said(5353), mac=None)


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (said(5353), said(5353)),
        (said(53, asking("cam.example", 1)), said(53, asking("cam.example", 2))),
        (syn(sequence=1), syn(sequence=2)),
    ],
)
def test_the_same_is_passed_on_once_until_it_is_news_again(ear: Ear, first: Packet, again: Packet) -> None:
    assert ear.hear(first)
    assert not ear.hear(again)
    assert ear.hear(again, mac=PLUG)
    ear.now += max(AGAIN.values()) + 1
    assert ear.hear(again)


def test_a_syn_of_another_system_is_news(ear: Ear) -> None:
    assert ear.hear(syn(ttl=64))
    assert ear.hear(syn(ttl=128))


def test_every_dhcp_message_counts(ear: Ear) -> None:
    assert len(ear.hear(said(67), said(67))) == 2


def test_a_flood_leaves_the_latest_and_no_heap(ear: Ear) -> None:
    packets = [said(5353, str(number).encode()) for number in range(MAX_WAITING + 10)]
    heard = ear.hear(*packets)
    assert len(heard) == MAX_WAITING
    assert heard[-1] == ("mdns", str(MAX_WAITING + 9).encode())
    for start in range(0, 3 * MAX_HEARD, 100):
        ear.hear(*(said(5353, b"x%d" % (start + each)) for each in range(100)))
        assert len(ear.handler._heard) <= MAX_HEARD
