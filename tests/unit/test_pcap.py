# SPDX-License-Identifier: GPL-2.0-or-later
"""Capture files of the packets behind alerts, as others read them."""

from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.utils import rdpcap

from smartrouter.listings.pcap import ROUTER_MAC, CannotExport, write_pcap
from smartrouter.store.exhibits import Exhibit, Role

TV = "3c:2e:ff:29:4d:93"
THEN = 1795262400.123456
FOUR = bytes(IP(src="192.168.1.2", dst="203.0.113.9") / UDP(sport=4000, dport=9) / b"hello")
SIX = bytes(IPv6(src="2001:db8::2", dst="2001:db8::9") / UDP(sport=4000, dport=9) / b"hello")
EXHIBITS = [Exhibit(Role.REPLY, THEN, False, FOUR), Exhibit(Role.FIRST, THEN + 1, True, SIX)]


def test_times_are_true_and_each_side_has_its_mac(tmp_path: Path) -> None:
    file = tmp_path / "out.pcap"
    write_pcap(str(file), TV, EXHIBITS)
    first, second = rdpcap(str(file))
    assert (float(first.time), float(second.time)) == pytest.approx((THEN, THEN + 1), abs=2e-6)
    assert (first[Ether].src, first[Ether].dst, bytes(first[IP])) == (ROUTER_MAC, TV, FOUR)
    assert (second[Ether].src, second[Ether].dst, bytes(second[IPv6])) == (TV, ROUTER_MAC, SIX)


def test_a_packet_that_was_cut_says_how_long_it_was(tmp_path: Path) -> None:
    file = tmp_path / "out.pcap"
    write_pcap(str(file), TV, [Exhibit(Role.FIRST, THEN, True, FOUR[:30]), EXHIBITS[1]])
    first, second = rdpcap(str(file))
    assert (len(first), first.wirelen) == (14 + 30, 14 + len(FOUR))
    assert (len(second), second.wirelen) == (14 + len(SIX), 14 + len(SIX))


@pytest.mark.parametrize("at", [0.0, -5.0, 5e9])
def test_no_clock_is_too_wrong(tmp_path: Path, at: float) -> None:
    write_pcap(str(tmp_path / "out.pcap"), TV, [Exhibit(Role.FIRST, at, True, FOUR)])
    (packet,) = rdpcap(str(tmp_path / "out.pcap"))
    assert bytes(packet[IP]) == FOUR


def test_no_other_file_is_touched(tmp_path: Path) -> None:
    file, link = tmp_path / "precious", tmp_path / "out.pcap"
    file.write_text("precious")
    link.symlink_to(file)
    with pytest.raises(CannotExport, match=r"out\.pcap is there already"):
        write_pcap(str(link), TV, EXHIBITS)
    write_pcap(str(link), TV, EXHIBITS, force=True)
    assert file.read_text() == "precious"
    assert len(rdpcap(str(link))) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.pcap", "precious"]


def test_where_it_cannot_be_written_that_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(CannotExport, match=f"there is no folder {tmp_path}/no"):
        write_pcap(str(tmp_path / "no" / "out.pcap"), TV, EXHIBITS)
    with pytest.raises(CannotExport, match="there is no folder"):
        write_pcap(str(tmp_path / "no" / "out.pcap"), TV, EXHIBITS, force=True)
    (tmp_path / "folder").mkdir()
    with pytest.raises(CannotExport, match=r"cannot write .*Is a directory"):
        write_pcap(str(tmp_path / "folder"), TV, EXHIBITS, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
