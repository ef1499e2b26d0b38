# SPDX-License-Identifier: GPL-2.0-or-later
"""Marks that a device can bring about although none crosses a wire: by what others' tables on the router make
of its packets (their DSCP, what was saved with their connection), and by what stands around them on the wire
(tags of VLANs). None is a way out, and none is worth more than no mark.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from time import sleep

import pytest
from netns.guard_lab import KNOWN, PATIENCE, STRANGER, VERSIONS, Home, eventually, learned_home
from netns.hostile_lab import unharmed

from smartrouter.lab import packets
from smartrouter.lab.plan import HOME, Way
from smartrouter.lab.traffic import Result

pytestmark = pytest.mark.netns

TARGET = ("198.51.100.78", "2001:db8:78::78")
PASS, BLOCK = 0x40000000, 0x80000000
# Tables of others: one marks by DSCP, as for quality of service, and keeps marks with their connections.
BY_DSCP = f"""table inet shaper {{
    chain before {{
        type filter hook prerouting priority mangle; policy accept;
        meta mark set ct mark
        ip dscp 10 meta mark set {PASS:#x}
        ip6 dscp 10 meta mark set {PASS:#x}
        ip dscp 20 meta mark set {BLOCK:#x}
        ip6 dscp 20 meta mark set {BLOCK:#x}
        ip dscp 30 meta mark set {PASS | BLOCK:#x}
        ip6 dscp 30 meta mark set {PASS | BLOCK:#x}
        ct mark set meta mark
    }}
    chain own {{
        type route hook output priority mangle; policy accept;
        udp sport 53 meta mark set {PASS | BLOCK:#x}
    }}
}}"""
DSCP = (10, 20, 30)


@pytest.fixture(scope="module")
def house() -> Iterator[Home]:
    with learned_home() as found:
        found.router.run(["nft", "-f", "-"], input=BY_DSCP, check=True)
        yield found


def with_dscp(frame: bytes, dscp: int) -> bytes:
    """The same packet in that class of service, its checksum put right."""
    data = bytearray(frame)
    if data[12:14] == b"\x86\xdd":
        data[14:16] = struct.pack("!H", 0x6000 | dscp << 6)
        return bytes(data)
    data[15] = dscp << 2
    (checksum,) = struct.unpack_from("!H", data, 24)
    changed = (~checksum & 0xFFFF) + (dscp << 2)  # from a class of 0, RFC 1624
    struct.pack_into("!H", data, 24, ~(changed + (changed >> 16)) & 0xFFFF)
    return bytes(data)


def road(found: Home, version: int) -> Way:
    return found.network.way_out(found.camera, TARGET[version == 6])


@contextmanager
def nothing_gets_out(found: Home) -> Iterator[None]:
    with unharmed(found), found.wire() as wire:
        yield
        found.barrier(found.camera)
        sleep(0.2)
        assert not [frame for address in TARGET for frame in wire.to(address)]


def test_no_class_of_service_is_a_way_out(house: Home) -> None:
    """Each class brings a mark of ours, or both; so does what was saved with the connection."""
    with nothing_gets_out(house):
        for (version, dscp), repeats in product(product(VERSIONS, DSCP), range(3)):
            way, port = road(house, version), 46000 + 10 * dscp
            for frame in (
                packets.syn(way, 443, source_port=port),
                packets.bare_data(way, 443, source_port=port + 1),
                packets.datagram(way, 5683 + repeats, source_port=port + 2),
                packets.dns_query(way._replace(destination=TARGET[version == 6]), "x.example"),
                packets.echo(way),
            ):
                house.camera.send(with_dscp(frame, dscp), frame)


def test_a_mark_changes_nothing_about_what_is_known_and_what_is_asked(house: Home) -> None:
    """A known connection is let through, and names count, whichever marks others make."""
    for dscp in DSCP:
        with house.camera.new_socket(2, 1) as sock:
            sock.setsockopt(0, 1, dscp << 2)  # IPPROTO_IP, IP_TOS
            sock.settimeout(PATIENCE)
            sock.connect((KNOWN[0], 443))
    assert house.visit(house.tv, "cloud.maker.example").ok
    assert house.visit(house.tv, "stranger.example").result is Result.REFUSED
    assert eventually(lambda: (STRANGER[0], "stranger.example") in house.told(house.tv))


def test_packets_to_the_router_are_no_forgeries_because_somebody_marked_them(house: Home) -> None:
    before = house.judged().get("spoofed-source", 0)
    way = house.network.way_out(house.camera, HOME.router4)
    for dscp in DSCP:
        frame = packets.syn(way, 8123, source_port=47000 + dscp)
        house.camera.send(with_dscp(frame, dscp))
    house.barrier(house.camera)
    assert eventually(lambda: house.attempts(house.camera, HOME.router4))
    assert house.judged().get("spoofed-source", 0) == before
    assert {row["reason"] for row in house.attempts(house.camera, HOME.router4)} == {"to-router"}


def test_no_tag_of_a_vlan_is_a_way_out(house: Home) -> None:
    tags = [b"\x81\0" + struct.pack("!H", tag) for tag in (0, 0xE000, 1, 100, 4095)]
    tags += [b"\x88\xa8\0\0" + tags[0], tags[0] * 2, b"\x88\xa8\0\1" + tags[2]]
    with nothing_gets_out(house):
        for version, tag in product(VERSIONS, tags):
            frame = packets.syn(road(house, version), 443, source_port=48000)
            house.camera.send(frame[:12] + tag + frame[12:])
