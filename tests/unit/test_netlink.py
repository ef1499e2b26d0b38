# SPDX-License-Identifier: GPL-2.0-or-later
"""The encoder against bytes written down by hand, and the decoder against what no kernel should send."""

import pytest

from smartrouter.linux import netlink
from smartrouter.linux.netlink import Message, attribute, attributes, each_attribute, nested, number, text


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (attribute(1, b""), "0400 0100"),
        (attribute(1, b"abc"), "0700 0100 616263 00"),
        (attribute(2, b"abcd"), "0800 0200 61626364"),
        (text(3, "x"), "0600 0300 7800 0000"),
        (number(4, 0x01020304), "0800 0400 01020304"),
        (
            nested(5, attribute(1, b"a"), attribute(2, b"bcde")),
            "1400 0580 0500 0100 61000000 0800 0200 62636465",
        ),
    ],
)
def test_attributes_are_little_boxes_of_four_bytes(made: bytes, expected: str) -> None:
    assert made == little_endian(expected)


def little_endian(expected: str) -> bytes:
    """Lengths and types above are written as x86 and most ARM have them."""
    return bytes.fromhex(expected.replace(" ", ""))


def test_what_is_encoded_is_decoded() -> None:
    data = attribute(1, b"one") + nested(2, number(7, 9)) + attribute(1, b"again")
    assert list(each_attribute(data)) == [(1, b"one"), (2, number(7, 9)), (1, b"again")]
    assert attributes(data)[1] == b"again"
    assert netlink.string(text(1, "name")[4:]) == "name"


@pytest.mark.parametrize("data", [b"\x03\0\1\0", b"\0\0\0\0", b"\x08\0\1\0abcd" + b"\x01\0\0\0"])
def test_attributes_that_cannot_be_end_in_an_error_and_not_in_a_loop(data: bytes) -> None:
    with pytest.raises(OSError, match="netlink attribute of"):
        list(each_attribute(data))


def test_a_message_holds_its_length() -> None:
    encoded = netlink._encode(Message(0x0A01, 0, 1, b"body", ""), netlink.REQUEST, 7)
    assert len(encoded) == 24 == int.from_bytes(encoded[:4], "little")
    assert [kind for kind, *_ in netlink._each_message(encoded)] == [0x0A01]
    with pytest.raises(OSError, match="netlink message of"):
        list(netlink._each_message(b"\x04" + bytes(15)))
