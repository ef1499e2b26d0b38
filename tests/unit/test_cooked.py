# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux cooked capture headers, against scapy's, and cut anywhere."""

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import CookedLinux, CookedLinuxV2, Dot1Q

from smartrouter.core.errors import BadPacket
from smartrouter.wire.cooked import parse_cooked, parse_cooked_2

MAC = "3c:2e:ff:29:4d:93"
ADDRESS = bytes.fromhex(MAC.replace(":", "")) + bytes(2)
IP4 = 0x0800
PACKET = IP(dst="203.0.113.7") / b"rest"


@pytest.mark.parametrize(("packet_type", "outgoing"), [(0, False), (1, False), (3, False), (4, True)])
def test_both_versions_name_the_sender_and_whether_the_capturing_host_sent(
    packet_type: int, outgoing: bool
) -> None:
    first = bytes(CookedLinux(pkttype=packet_type, lladdrlen=6, src=ADDRESS, proto=IP4) / PACKET)
    second = bytes(CookedLinuxV2(pkttype=packet_type, lladdrlen=6, src=ADDRESS, proto=IP4) / PACKET)
    for read, packet in ((parse_cooked(first), first), (parse_cooked_2(second), second)):
        assert read[:3] == (MAC, outgoing, IP4)
        assert packet[read.payload :] == bytes(PACKET)


@pytest.mark.parametrize("length", [0, 4, 8])
def test_a_link_without_a_mac_has_no_sender(length: int) -> None:
    packet = bytes(CookedLinux(lladdrlen=length, src=ADDRESS, proto=IP4) / PACKET)
    assert parse_cooked(packet).source == ""


def test_vlan_tags_are_skipped() -> None:
    packet = bytes(CookedLinux(lladdrlen=6, src=ADDRESS, proto=0x8100) / Dot1Q(vlan=5, type=IP4) / PACKET)
    read = parse_cooked(packet)
    assert read.ethertype == IP4
    assert packet[read.payload :] == bytes(PACKET)


@pytest.mark.parametrize("parse", [parse_cooked, parse_cooked_2])
def test_a_header_that_is_cut_short_is_a_bad_packet(parse: type) -> None:
    kind = CookedLinux if parse is parse_cooked else CookedLinuxV2
    packet = bytes(kind(lladdrlen=6, src=ADDRESS, proto=0x8100) / Dot1Q(type=IP4))
    for size in range(len(packet)):
        with pytest.raises(BadPacket):
            parse(packet[:size])
    parse(packet)
