# SPDX-License-Identifier: GPL-2.0-or-later
"""What the devices of a capture are, by all that they show in it."""

import json
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from unit.made_dhcp import dhcp, dhcp6, option, option6
from unit.made_messages import A, ipv4, message, record
from unit.made_traffic import (
    DEVICE,
    DEVICE_IP,
    PHONE,
    ROUTER,
    ROUTER_IP,
    SERVER,
    START,
    Timed,
    datagram,
    in_order,
    syn,
    told,
    write_pcap,
)

from smartrouter.core.classification import Evidence
from smartrouter.core.classification.signs import SynShape
from smartrouter.replay import replay
from smartrouter.replay.figures import NOBODY

MULTICAST, BROADCAST = "01:00:5e:00:00:fb", "ff:ff:ff:ff:ff:ff"
OTHER = "02:00:5e:00:00:01"


def saying(
    data: bytes, port: int, source_port: int, *, sender: str = DEVICE, source: str = DEVICE_IP
) -> bytes:
    """A datagram to all."""
    return datagram(
        "255.255.255.255", port, source_port=source_port, data=data, sender=sender, source=source,
        receiver=BROADCAST,
    )  # fmt: skip


def leasing(mac: str = DEVICE, sender: str = DEVICE, name: bytes = b"Kitchen-Lamp") -> bytes:
    """A client asks for an address."""
    return saying(dhcp(option(12, name), mac=mac), 67, 68, sender=sender, source="0.0.0.0")


def leasing6(name: bytes = b"\1\4lamp\0") -> bytes:
    """The same in IPv6."""
    return bytes(
        Ether(src=DEVICE, dst=MULTICAST)
        / IPv6(src="fe80::1", dst="ff02::1:2")
        / UDP(sport=546, dport=547)
        / dhcp6(option6(1, bytes.fromhex("0003000102005e00532a")), option6(39, name))
    )


ANNOUNCEMENT = message([], [record("Lamp-1.local", A, ipv4(DEVICE_IP))])
NOTICE = b"NOTIFY * HTTP/1.1\r\nNT: urn:schemas-upnp-org:device:Basic:1\r\nSERVER: Lamp/1.0\r\n\r\n"


def evidence(tmp_path: Path, *packets: Timed) -> Evidence:
    """What is known of the device after these."""
    return replay([write_pcap(tmp_path / "made.pcap", packets)]).portraits[DEVICE].evidence("")


@pytest.mark.parametrize(
    ("packet", "hostname"),
    [
        (leasing(), "Kitchen-Lamp"),
        (leasing6(), "lamp"),
        (saying(ANNOUNCEMENT, 5353, 5353), "Lamp-1"),
        (saying(ANNOUNCEMENT, 40000, 5353), "Lamp-1"),
        (saying(ANNOUNCEMENT, 5353, 40000), ""),
        (leasing(mac=OTHER), ""),
        (leasing(mac=""), "Kitchen-Lamp"),
        (saying(b"no DHCP", 67, 68), ""),
        (saying(b"no DNS", 5353, 5353), ""),
    ],
    ids=[
        "DHCP", "DHCPv6", "mDNS", "mDNS to one", "not from its port", "for somebody else", "without a MAC",
        "mangled DHCP", "mangled mDNS",
    ],
)  # fmt: skip
def test_the_name_that_a_device_gives_itself(tmp_path: Path, packet: bytes, hostname: str) -> None:
    found = replay([write_pcap(tmp_path / "made.pcap", [(START, packet), (START + 1, syn())])])
    assert found.identities[DEVICE].hostname == hostname


def test_what_it_announces(tmp_path: Path) -> None:
    for source_port, port in ((40000, 1900), (1900, 40000)):
        found = evidence(tmp_path, (START, saying(NOTICE, port, source_port)))
        assert found.services == ("urn:schemas-upnp-org:device:Basic:1",)
        assert found.models == ("Lamp/1.0",)


def test_how_it_opens_connections_also_within_the_lan(tmp_path: Path) -> None:
    opening = bytes(
        Ether(src=DEVICE, dst=ROUTER)
        / IP(src=DEVICE_IP, dst=ROUTER_IP, ttl=64)
        / TCP(dport=80, flags="S", window=1024, options=[("MSS", 1400)])
    )
    found = evidence(tmp_path, (START, opening))
    assert found.stack == SynShape(64, 1024, "M", 1400)
    assert found.behaviour is None


def test_how_it_behaves(tmp_path: Path) -> None:
    packets = in_order(
        told("a.maker.example", [SERVER], START),
        [(START + 60 * n, syn(sequence=n, source_port=40000 + n)) for n in range(1, 4)],
        [(START + 300, syn("203.0.113.99"))],
    )
    assert evidence(tmp_path, *packets).behaviour == (300.0, 1, 4, 2, 2, 0, 0.5)


def test_every_device_is_judged_whatever_it_is(tmp_path: Path) -> None:
    packets = [
        (START, leasing(name=b"iPhone")),
        *told("a.example", [SERVER], START),
        (START + 1, syn()),
        (START + 90, syn("203.0.113.99")),
        (START + 99, syn(source_port=40001)),
    ]
    found = replay([write_pcap(tmp_path / "made.pcap", packets)])
    assert found.identities[DEVICE].iot == "not-iot"
    assert (found.devices[DEVICE].connections, found.devices[DEVICE].alerts) == (3, 1)


def test_a_device_that_was_named_but_is_not_there_is_unknown(tmp_path: Path) -> None:
    path = write_pcap(tmp_path / "made.pcap", [(START, syn(sender=PHONE))])
    found = json.loads(json.dumps(replay([path]).to_json()))["devices"][PHONE]
    assert (found["class"], found["confidence"], found["hostname"]) == ("unknown", 0.0, "")
    assert NOBODY.to_json() == {"class": "unknown", "confidence": 0.0, "maker": "", "hostname": ""}
