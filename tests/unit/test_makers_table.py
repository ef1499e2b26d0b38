# SPDX-License-Identifier: GPL-2.0-or-later
"""The file that the makers stand in."""

from random import Random
from zlib import crc32

import pytest

from smartrouter.makers.table import MAX_NAMES, BadTable, Table, pack

SAMPLE = {
    (0x000000, 24): "Xerox Corporation",
    (0x001788, 24): "Philips Lighting BV",
    (0xFFFFFF, 24): "Ä, B & C",
    (0x0017880, 28): "",
    (0x001788FFF, 36): "Somebody",
}


def sample_of(count: int) -> dict[tuple[int, int], str]:
    dice = Random(count)
    return {
        (dice.getrandbits(bits), bits): f"Maker {dice.randrange(count)} é"
        for bits in (24, 28, 36)
        for _ in range(count)
    }


@pytest.mark.parametrize("prefixes", [SAMPLE, {}, *(sample_of(count) for count in (1, 127, 128, 129, 5000))])
def test_what_is_packed_is_read_again(prefixes: dict[tuple[int, int], str]) -> None:
    table = Table(pack(prefixes, "made up"))
    assert dict(table) == prefixes
    assert table.label == "made up"


def test_every_prefix_is_found_at_its_first_and_its_last_address() -> None:
    prefixes = sample_of(500)
    table = Table(pack(prefixes, ""))
    for (prefix, bits), name in prefixes.items():
        first = prefix << (48 - bits)
        for mac in (first, first | (1 << (48 - bits)) - 1):
            owners = [prefixes[mac >> (48 - b), b] for b in (36, 28, 24) if (mac >> (48 - b), b) in prefixes]
            assert table.owner(mac) == owners[0]
            assert name in owners


def test_the_same_prefixes_give_the_same_bytes_in_whatever_order() -> None:
    backwards = dict(reversed(SAMPLE.items()))
    assert pack(backwards, "x") == pack(SAMPLE, "x")


def test_the_head_is_as_it_is_written_down() -> None:
    data = pack(SAMPLE, "made up")
    assert data[:8] == b"SRMAKERS"
    assert data[8:12] == crc32(data[12:]).to_bytes(4, "little")
    assert data[12:16] == b"\x01\x00\x80\x00"  # version 1, 128 names a block
    assert data[16:20] == b"\x05\x00\x00\x00"
    assert data[24:56] == b"made up".ljust(32, b"\0")


def test_no_damage_goes_unnoticed() -> None:
    data = pack(sample_of(50), "made up")
    dice = Random(7)
    for _ in range(300):
        at = dice.randrange(len(data))
        damaged = data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
        with pytest.raises(BadTable):
            Table(damaged)
    for end in range(0, len(data), 7):
        with pytest.raises(BadTable):
            Table(data[:end])


def test_a_table_of_another_version_is_refused() -> None:
    data = pack(SAMPLE, "")
    with pytest.raises(BadTable, match="format 2, where this version of smartrouter reads 1"):
        Table(data[:12] + b"\x02" + data[13:])


def test_more_names_than_the_format_has_room_for_are_refused() -> None:
    with pytest.raises(BadTable, match="65537 names"):
        pack({(number, 24): f"Maker {number}" for number in range(MAX_NAMES + 1)}, "")


def test_a_label_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadTable, match="longer than 32 bytes"):
        pack(SAMPLE, "x" * 33)
