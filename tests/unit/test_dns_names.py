# SPDX-License-Identifier: GPL-2.0-or-later
"""Names on the wire, compressed and escaped, and those that are none."""

import struct

import dns.exception
import dns.name
import pytest

from smartrouter.core.errors import BadPacket
from smartrouter.wire.dns_names import MAX_NAMES, labels_as_sent, read_name, read_plain_name


def chain(pointers: int) -> tuple[bytes, int]:
    """A name behind so many pointers, and where the last of them stands."""
    wire = bytearray(b"\1a\0")
    last = 0
    for _ in range(pointers):
        wire += struct.pack("!H", 0xC000 | last)
        last = len(wire) - 2
    return bytes(wire), last


@pytest.mark.parametrize(
    ("wire", "name"),
    [
        (b"\0", ""),
        (b"\3Dev\7EXAMPLE\0", "dev.example"),
        (b"\5_http\4_tcp\1a\0", "_http._tcp.a"),
        (b"\4a.b!\1c\0", "a\\.b!.c"),
        (b'\x0b"();\\@$ \x00\x7f\xe9\0', '\\"\\(\\)\\;\\\\\\@\\$\\032\\000\\127\\233'),
        (b"\1*\1-\0", "*.-"),
        (b"\3\xc0\x0cA\0", "\\192\\012a"),
        (b"\x3f" + b"a" * 63 + b"\0", "a" * 63),
        (b"\1a" * 127 + b"\0", ".".join("a" * 127)),
    ],
)
def test_a_name_is_spelt_as_dnspython_spells_it(wire: bytes, name: str) -> None:
    assert read_name(wire, 0, {}) == (name, len(wire))
    assert read_plain_name(wire, 0, {}) == (name, len(wire))
    theirs = dns.name.from_wire(wire, 0)[0]
    assert name == ("" if theirs == dns.name.root else theirs.to_text(omit_final_dot=True).lower())


def test_pointers_lead_to_names_read_before_and_into_the_middle_of_them() -> None:
    wire = b"\3www\7example\0" + b"\xc0\0" + b"\2mx\xc0\4" + b"\xc0\4" + b"\xc0\x0f"
    known: dict[int, str] = {}
    names, position = [], 0
    while position < len(wire):
        name, position = read_name(wire, position, known)
        names.append(name)
    assert names == ["www.example", "www.example", "mx.example", "example", "mx.example"]


@pytest.mark.parametrize(
    ("at", "as_sent"),
    [
        (0, [b"Www", b"a.b", b"\xc3\x9c"]),
        (12, [b"a.b", b"\xc3\x9c"]),
        (14, [b"X", b"\xc3\x9c"]),
        (18, [b"\xc3\x9c"]),
    ],
)
def test_the_labels_of_a_name_can_be_had_as_they_were_sent(at: int, as_sent: list[bytes]) -> None:
    wire = b"\3Www\3a.b\2\xc3\x9c\0" + b"\xc0\4" + b"\1X\xc0\x08" + b"\xc0\x08"
    read_name(wire, at, {})
    assert labels_as_sent(wire, at) == as_sent


@pytest.mark.parametrize(
    ("wire", "at"),
    [
        (b"\xc0\0", 0),
        (b"\xc0\2\1a\0", 0),
        (b"\1a\xc0\0", 0),
        (b"\1a\xc0\2", 0),
        (b"\xc0\2\xc0\0", 2),
        (b"\3abc\xc0\1", 0),
        (b"\0\0\1x\xc0\2", 4),
        (b"\x40" + b"a" * 64 + b"\0", 0),
        (b"\x80a\0", 0),
        (b"\1a" * 128 + b"\0", 0),
    ],
    ids=[
        "to itself", "forwards", "into itself", "to its own pointer", "a pair", "into its own label",
        "running into itself", "label of 64", "label type 0x80", "256 bytes",
    ],
)  # fmt: skip
def test_a_bad_name_is_refused_as_by_dnspython(wire: bytes, at: int) -> None:
    assert not is_read_by_dnspython(wire, at)
    with pytest.raises(BadPacket):
        read_name(wire, at, {})


@pytest.mark.parametrize("wire", [b"", b"\3ab", b"\3abc", b"\3abc\xc0"])
def test_a_name_without_end_is_refused(wire: bytes) -> None:
    with pytest.raises((BadPacket, IndexError)):
        read_name(wire, 0, {})
    with pytest.raises((BadPacket, IndexError)):
        read_plain_name(wire, 0, {})


def test_a_name_that_may_not_be_compressed_is_refused_if_it_is() -> None:
    with pytest.raises(BadPacket):
        read_plain_name(b"\1a\0\1b\xc0\0", 3, {})


@pytest.mark.parametrize("pointers", [1, 15, 16, 17])
def test_sixteen_pointers_are_followed_and_no_more(pointers: int) -> None:
    wire, last = chain(pointers)
    assert is_read_by_dnspython(wire, last) is (pointers <= 16)
    if pointers <= 16:
        assert read_name(wire, last, {}) == ("a", last + 2)
    else:
        with pytest.raises(BadPacket):
            read_name(wire, last, {})


def test_remembering_a_name_does_not_lengthen_the_chain_that_is_allowed() -> None:
    wire, last = chain(15)
    wire += b"\1b" + struct.pack("!H", 0xC000 | last)  # 16 pointers
    wire += struct.pack("!H", 0xC000 | last + 2)  # 17
    known: dict[int, str] = {}
    assert read_name(wire, last + 2, known)[0] == "b.a"
    assert not is_read_by_dnspython(wire, last + 6)
    with pytest.raises(BadPacket):
        read_name(wire, last + 6, known)


def test_a_message_may_hold_only_so_many_names() -> None:
    wire = b"\1a\0" * (MAX_NAMES + 1)
    known: dict[int, str] = {}
    for index in range(MAX_NAMES):
        read_name(wire, 3 * index, known)
    for read in (read_name, read_plain_name):
        with pytest.raises(BadPacket):
            read(wire, 3 * MAX_NAMES, known)


def test_a_pointer_to_a_name_read_before_does_not_count_as_a_name() -> None:
    wire = b"\3www\7example\0" + b"\xc0\4" * 1000
    known: dict[int, str] = {}
    position = 0
    while position < len(wire):
        name, position = read_name(wire, position, known)
    assert name == "example"
    assert len(known) == 2


def is_read_by_dnspython(wire: bytes, at: int) -> bool:
    try:
        dns.name.from_wire(wire, at)
    except dns.exception.DNSException:
        return False
    return True
