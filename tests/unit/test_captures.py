# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures of every kind, whole and broken, and several as one."""

import gzip
import os
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from unit.made_traffic import (
    START,
    block,
    enhanced,
    interface,
    section,
    simple,
    syn,
    write_pcap,
    write_pcapng,
)

from smartrouter.core.errors import SmartrouterError
from smartrouter.replay.captures import (
    ETHERNET,
    LINUX_COOKED,
    LINUX_COOKED_2,
    BadCapture,
    Capture,
    in_time_order,
    scapy_silenced,
)

PACKETS = [(START + i + 0.25, syn(sequence=i)) for i in range(5)]
RAW_IP = 101


def read(path: Path) -> tuple[list[tuple[float, bytes]], str]:
    capture = Capture(path)
    packets = [(packet.at, packet.data) for packet in capture.packets()]
    return packets, capture.trouble


@pytest.mark.parametrize("name", ["a.pcap", "a.pcap.gz", "misnamed.txt"])
@pytest.mark.parametrize("nano", [False, True])
@pytest.mark.parametrize("endian", ["<", ">"])
def test_a_pcap_file_is_read_whole_whatever_its_name(
    tmp_path: Path, name: str, nano: bool, endian: str
) -> None:
    path = write_pcap(tmp_path / name, PACKETS, nano=nano, endian=endian)
    assert read(path) == (PACKETS, "")
    assert next(Capture(path).packets()).link == ETHERNET


@pytest.mark.parametrize("name", ["a.pcapng", "a.pcapng.gz"])
def test_a_pcapng_file_is_read_whole(tmp_path: Path, name: str) -> None:
    assert read(write_pcapng(tmp_path / name, PACKETS)) == (PACKETS, "")


@pytest.mark.parametrize("endian", ["<", ">"])
def test_each_interface_of_a_pcapng_file_has_its_own_link_type_and_clock(tmp_path: Path, endian: str) -> None:
    path = tmp_path / "several.pcapng"
    path.write_bytes(
        section(endian)
        + interface(ETHERNET, None, endian)
        + interface(LINUX_COOKED, 9, endian)  # nanoseconds
        + interface(LINUX_COOKED_2, 0x80 | 20, endian)  # 2^-20 seconds
        + enhanced(START + 0.5, b"a" * 60, endian=endian)
        + enhanced(START + 0.75, b"b" * 61, number=1, per_second=1e9, endian=endian)
        + enhanced(START + 1.5, b"c" * 62, number=2, per_second=2.0**20, endian=endian)
        + simple(b"d" * 63, endian)
    )
    assert [(round(p.at - START, 5), p.link, p.data[:1]) for p in Capture(path).packets()] == [
        (0.5, ETHERNET, b"a"),
        (0.75, LINUX_COOKED, b"b"),
        (1.5, LINUX_COOKED_2, b"c"),
        (1.5, ETHERNET, b"d"),  # without a time of its own: that of the packet before
    ]


def test_each_section_of_a_pcapng_file_numbers_its_interfaces_anew(tmp_path: Path) -> None:
    path = tmp_path / "joined.pcapng"
    path.write_bytes(
        section()
        + interface(ETHERNET)
        + enhanced(START, b"a" * 60)
        + section(">")
        + interface(LINUX_COOKED, 9, ">")
        + enhanced(START + 1, b"b" * 60, per_second=1e9, endian=">")
    )
    assert [(p.at - START, p.link) for p in Capture(path).packets()] == [(0, ETHERNET), (1, LINUX_COOKED)]


def test_blocks_of_no_interest_are_passed_over(tmp_path: Path) -> None:
    statistics = block(5, struct.pack("<III", 0, 0, 0))
    path = tmp_path / "a.pcapng"
    path.write_bytes(section() + statistics + interface() + statistics + enhanced(START, b"a" * 60))
    assert len(read(path)[0]) == 1


def test_a_capture_can_be_read_again(tmp_path: Path) -> None:
    capture = Capture(write_pcap(tmp_path / "a.pcap", PACKETS))
    assert list(capture.packets()) == list(capture.packets())


def test_a_capture_without_packets_is_no_error(tmp_path: Path) -> None:
    assert read(write_pcap(tmp_path / "a.pcap", [])) == ([], "")
    assert read(write_pcapng(tmp_path / "a.pcapng", [])) == ([], "")
    assert Capture(tmp_path / "a.pcap").first() is None


# -- broken off and damaged ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.pcap", "a.pcapng"])
def test_whatever_is_cut_off_the_end_costs_the_last_packet_only_and_is_said(
    tmp_path: Path, name: str
) -> None:
    write = write_pcapng if name.endswith("ng") else write_pcap
    path = write(tmp_path / name, PACKETS)
    whole = path.read_bytes()
    last = len(whole) - len(write(tmp_path / "four", PACKETS[:4]).read_bytes())
    for cut in range(1, last - 4):
        path.write_bytes(whole[:-cut])
        packets, trouble = read(path)
        assert packets == PACKETS[:4], cut
        assert "breaks off" in trouble, cut
    path.write_bytes(whole[:-last])
    assert read(path) == (PACKETS[:4], "")


def test_a_gzip_stream_that_breaks_off_gives_what_came_before(tmp_path: Path) -> None:
    packets = [(START + i, random.Random(i).randbytes(200)) for i in range(400)]
    path = write_pcap(tmp_path / "a.pcap.gz", packets)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    found, trouble = read(path)
    assert found == packets[: len(found)]
    assert len(found) > 150
    assert "gzip" in trouble


def test_damage_in_a_gzip_stream_is_said(tmp_path: Path) -> None:
    path = write_pcap(tmp_path / "a.pcap.gz", [(START + i, os.urandom(200)) for i in range(100)])
    damaged = bytearray(path.read_bytes())
    damaged[-6] ^= 0xFF  # its checksum
    path.write_bytes(damaged)
    packets, trouble = read(path)
    assert len(packets) == 100
    assert "damaged" in trouble


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFF0, 3, 0])
def test_an_impossible_block_length_ends_reading_and_is_said(tmp_path: Path, length: int) -> None:
    path = write_pcapng(tmp_path / "a.pcapng", PACKETS)
    path.write_bytes(path.read_bytes() + struct.pack("<II", 6, length) + bytes(100))
    packets, trouble = read(path)
    assert packets == PACKETS
    assert "damaged" in trouble


def test_an_impossible_packet_length_ends_reading_and_is_said(tmp_path: Path) -> None:
    path = write_pcap(tmp_path / "a.pcap", PACKETS)
    path.write_bytes(path.read_bytes() + struct.pack("<IIII", 1, 1, 0xFFFFFFFF, 60) + bytes(100_000))
    packets, trouble = read(path)
    assert packets == PACKETS
    assert trouble


@pytest.mark.parametrize("name", ["a.pcap", "a.pcapng", "a.pcap.gz"])
def test_no_damage_raises_anything_but_our_own_error(
    tmp_path: Path, name: str, rounds: Callable[[int], int]
) -> None:
    chance = random.Random(5)
    write = write_pcapng if name.endswith("ng") else write_pcap
    path = write(tmp_path / name, PACKETS)
    whole = path.read_bytes()
    readable = 0
    with scapy_silenced():
        for _ in range(rounds(300)):
            damaged = bytearray(whole)
            for _ in range(chance.randint(1, 6)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            path.write_bytes(damaged)
            try:
                readable += len(read(path)[0]) <= 5
            except SmartrouterError:
                pass
    assert readable


# -- captures that cannot be used ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"GET / HTTP/1.1\r\n\r\n", "neither a pcap nor a pcapng"),
        (b"\xd4\xc3\xb2\xa1\x02\x00", "breaks off in its header"),
        (b"\x0a\x0d\x0d\x0a\x1c\x00\x00\x00", "breaks off in its header"),
        (b"\xfd7zXZ\x00abcdef", "xz"),
        (gzip.compress(b"a capture", mtime=0)[:11], "gzip"),
        (gzip.compress(b"not a capture", mtime=0), "neither a pcap nor a pcapng"),
        (gzip.compress(b"", mtime=0), "empty"),
    ],
)
def test_what_is_no_capture_is_one_error_that_names_the_file(
    tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "odd.pcap"
    path.write_bytes(content)
    with pytest.raises(BadCapture) as error:
        list(Capture(path).packets())
    assert str(path) in str(error.value)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_or_is_no_file_is_one_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "nothing.pcap", tmp_path, tmp_path / "pipe"):
        with pytest.raises(BadCapture, match="give a capture file") as error:
            Capture(path)
        assert str(path) in str(error.value)


@pytest.mark.parametrize("link", [RAW_IP, 105, 127, 250])
@pytest.mark.parametrize("write", [write_pcap, write_pcapng])
def test_a_link_type_without_macs_is_an_error_that_names_it(
    tmp_path: Path, link: int, write: Callable[..., Path]
) -> None:
    path = write(tmp_path / "a", PACKETS, link=link)
    with pytest.raises(BadCapture) as error:
        list(Capture(path).packets())
    assert str(path) in str(error.value)
    assert f"link type {link}" in str(error.value)
    assert "MAC" in str(error.value)


def test_one_useless_interface_beside_a_good_one_is_said(tmp_path: Path) -> None:
    path = tmp_path / "mixed.pcapng"
    path.write_bytes(
        section()
        + interface(RAW_IP)
        + interface(ETHERNET)
        + enhanced(START, b"a" * 60)
        + enhanced(START, syn(), number=1)
    )
    packets, trouble = read(path)
    assert len(packets) == 2
    assert "1 packets of link type 101 (raw IP)" in trouble


# -- several captures ------------------------------------------------------------------------------------


def test_captures_are_merged_in_time_order(tmp_path: Path) -> None:
    every = [(START + i, bytes([i]) * 60) for i in range(90)]
    write_pcap(tmp_path / "a", every[::3])
    write_pcapng(tmp_path / "b", every[1::3])
    write_pcap(tmp_path / "c.gz", every[2::3], nano=True)
    for names in (["a", "b", "c.gz"], ["c.gz", "a", "b"]):
        merged = in_time_order([Capture(tmp_path / name) for name in names])
        assert [(packet.at, packet.data) for packet in merged] == every


def test_captures_that_follow_each_other_are_opened_one_after_the_other(tmp_path: Path) -> None:
    captures = []
    for hour in reversed(range(60)):
        packets = [(START + hour * 60 + i, bytes([hour, i]) * 30) for i in range(3)]
        captures.append(Capture(write_pcap(tmp_path / f"{hour}.pcap", packets)))
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    times = []
    for packet in in_time_order(captures):
        times.append(packet.at)
        assert len(list(descriptors.iterdir())) <= before + 2
    assert times == sorted(times)
    assert len(times) == 180


def test_packets_slightly_out_of_order_and_empty_captures_do_no_harm(tmp_path: Path) -> None:
    write_pcap(tmp_path / "a", [(START + 1, b"a" * 60), (START + 0.9, b"b" * 60), (START + 2, b"c" * 60)])
    write_pcap(tmp_path / "b", [(START + 1.5, b"d" * 60)])
    write_pcap(tmp_path / "empty", [])
    merged = in_time_order([Capture(tmp_path / name) for name in ("a", "b", "empty")])
    assert [packet.data[:1] for packet in merged] == [b"a", b"b", b"d", b"c"]


def test_how_far_reading_has_come_is_known(tmp_path: Path) -> None:
    path = write_pcap(tmp_path / "a.pcap", [(START + i, bytes(1000)) for i in range(2000)])
    capture = Capture(path)
    assert capture.size == path.stat().st_size
    positions = []
    for _ in capture.packets():
        positions.append(capture.position)
    assert positions == sorted(positions)
    assert 0 < positions[0] < capture.size
    assert capture.position == capture.size


def test_a_note_on_checksums_beside_the_link_type_makes_no_difference(tmp_path: Path) -> None:
    path = write_pcap(tmp_path / "made.pcap", [(START, syn())])
    content = bytearray(path.read_bytes())
    content[20:24] = (0x54000000 | ETHERNET).to_bytes(4, "little")
    path.write_bytes(content)
    assert [captured.link for captured in Capture(path).packets()] == [ETHERNET]
