# SPDX-License-Identifier: GPL-2.0-or-later
"""The encoder against bytes written down by hand, and the decoder against what no kernel should send."""

import errno
import struct
from collections.abc import Callable

import pytest

from smartrouter.linux import netlink
from smartrouter.linux.netlink import (
    Message,
    Netlink,
    attribute,
    attributes,
    each_attribute,
    nested,
    number,
    text,
)


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


class Socket:
    """Answers each datagram with what `answers` makes of it."""

    def __init__(self, answers: Callable[[bytes], list[bytes]]) -> None:
        self.answers = answers
        self.sent: list[bytes] = []
        self.waiting: list[bytes] = []

    def sendto(self, data: bytes, _: object) -> None:
        self.sent.append(bytes(data))
        self.waiting += self.answers(bytes(data))

    def recv(self, *_: int) -> bytes:
        if not self.waiting:
            raise BlockingIOError
        if self.waiting[0] == FULL:
            self.waiting.pop(0)
            raise OSError(errno.ENOBUFS, "full")
        return self.waiting.pop(0)


FULL = b"no room for more answers"


def connected(answers: Callable[[bytes], list[bytes]]) -> tuple[Netlink, Socket]:
    link = Netlink.__new__(Netlink)
    sock = Socket(answers)
    link._socket, link._sequence = sock, 0  # type: ignore[assignment]
    return link, sock


def answer(sequence: int, code: int) -> bytes:
    """The kernel's answer to a message: NLMSG_ERROR, with -errno or 0."""
    body = struct.pack("=i", -code) + bytes(16)
    return struct.pack("=IHHII", 16 + len(body), 2, 0, sequence, 0) + body


def sequences(data: bytes, kind: int) -> list[int]:
    return [sequence for found, _, sequence, _ in netlink._each_message(data) if found == kind]


MESSAGES = [Message(0x0A0C, 0, 1, bytes(4), f"message {number}") for number in range(4)]


def refusing(*places: int) -> Callable[[bytes], list[bytes]]:
    """A kernel that refuses the messages at these places, and acknowledges the last if it can."""

    def answers(data: bytes) -> list[bytes]:
        found = sequences(data, 0x0A0C)
        last = [] if len(found) - 1 in places else [answer(found[-1], 0)]
        return [answer(found[place], errno.ENFILE) for place in places] + last

    return answers


def test_of_a_transaction_all_refusals_are_told() -> None:
    link, sock = connected(refusing(1, 3))
    assert link.attempt(10, MESSAGES) == {1: errno.ENFILE, 3: errno.ENFILE}
    with pytest.raises(OSError, match="message 1: "):
        link.transaction(10, MESSAGES)
    assert len(sequences(sock.sent[0], 0x0A0C)) == 4
    assert connected(refusing())[0].attempt(10, iter(MESSAGES)) == {}
    link, sock = connected(refusing())
    assert link.attempt(10, []) == {}
    assert sock.sent == []


def test_only_the_last_message_of_a_transaction_asks_for_an_answer() -> None:
    link, sock = connected(refusing())
    link.attempt(10, MESSAGES)
    flags = [flags for kind, flags, *_ in netlink._each_message(sock.sent[0]) if kind == 0x0A0C]
    assert flags == [netlink.REQUEST] * 3 + [netlink.REQUEST | netlink.ACK]


def test_refusals_beyond_the_buffers_room_leave_those_that_came() -> None:
    link, _ = connected(lambda data: [answer(sequences(data, 0x0A0C)[0], errno.ENFILE), FULL])
    assert link.attempt(10, MESSAGES) == {0: errno.ENFILE}


def test_what_is_said_of_the_whole_transaction_is_raised() -> None:
    link, _ = connected(lambda data: [answer(sequences(data, 0x10)[0], errno.EPERM)])
    with pytest.raises(PermissionError, match="the whole transaction"):
        link.attempt(10, MESSAGES)
    link, _ = connected(lambda data: [])
    with pytest.raises(OSError, match="did not answer"):
        link.attempt(10, MESSAGES)


def test_answers_to_an_earlier_call_are_passed_over() -> None:
    link, _ = connected(lambda data: [answer(1, errno.EPERM), *refusing()(data)])
    link._sequence = 100
    assert link.attempt(10, MESSAGES) == {}


def test_the_numbers_of_a_transaction_never_wrap_around_within_it() -> None:
    link, sock = connected(refusing(2))
    link._sequence = (1 << 32) - 3
    assert link.attempt(10, MESSAGES) == {2: errno.ENFILE}
    found = sequences(sock.sent[0], 0x0A0C)
    assert found == list(range(found[0], found[0] + 4))


def test_separate_messages_are_each_answered() -> None:
    link, sock = connected(refusing(0, 2))
    assert link.requests(MESSAGES) == {0: errno.ENFILE, 2: errno.ENFILE}
    assert len(sock.sent) == 1
    assert link.requests([]) == {}
    link, _ = connected(refusing(0))
    with pytest.raises(OSError, match="message 0: "):
        link.request(MESSAGES[0])
