# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things stand in the kernel's messages, whatever it says about a packet, or whatever comes instead."""

import itertools
import random
import struct
from collections.abc import Callable

import pytest
from counting import steps

from smartrouter.linux.netlink import attribute
from smartrouter.linux.nfnetlink_packets import Messages, mac_text, message

KIND, OTHER, DONE = 0x0400, 0x0401, 3
HEADER, MARK, TIME, HWADDR, PAYLOAD, PREFIX, SEQ, HWHEADER = 1, 2, 3, 8, 9, 10, 12, 16
PACKET = b"E\0\0\x1dpacket"
numbers = itertools.count()


def said(prefix: bytes = b"known\0", mark: bytes = b"", mac: bytes = b"", link: bytes = b"") -> bytes:
    """What the kernel says about a packet, in its order; of the time and the number each time another."""
    number = next(numbers)
    parts = {
        HEADER: b"\x08\0\2\0",
        PREFIX: prefix,
        MARK: mark,
        HWADDR: mac,
        HWHEADER: link,
        TIME: bytes(8) + struct.pack(">Q", number),
        SEQ: struct.pack(">I", number),
    }
    return b"".join(attribute(kind, value) for kind, value in parts.items() if value)


def logged(packet: bytes = PACKET, **what: bytes) -> bytes:
    return message(KIND, 7, said(**what) + attribute(PAYLOAD, packet))


Values = dict[int, bytes]


def reader() -> Messages[Values]:
    return Messages(KIND, PAYLOAD, SEQ, frozenset({TIME}), dict)


def packets(messages: Messages[Values], *datagrams: bytes) -> list[bytes]:
    return [packet for _, _, packet in messages.each(datagrams)]


@pytest.mark.parametrize(
    "what",
    [
        {},
        {"prefix": b"x\0"},
        {"mark": b"\0\0\0\1"},
        {"mac": bytes(range(12))},
        {"prefix": b"", "mac": bytes(12), "mark": b"abcd", "link": bytes(14)},
    ],
)
@pytest.mark.parametrize("packet", [b"", b"1", b"22", b"333", PACKET, bytes(128)])
def test_a_message_gives_its_number_what_it_says_and_the_packet(
    what: dict[str, bytes], packet: bytes
) -> None:
    messages = reader()
    first = next(numbers) + 1
    got = list(messages.each([logged(packet, **what), logged(packet, **what) + logged(packet, **what)]))
    assert [int.from_bytes(number, "big") for number, _, _ in got] == [first, first + 1, first + 2]
    assert [packet for _, _, packet in got] == [packet] * 3
    for _, values, _ in got:
        assert values[HEADER] == b"\x08\0\2\0"
        assert values.get(PREFIX, b"") == what.get("prefix", b"known\0")
        assert values.get(MARK, b"") == what.get("mark", b"")
        assert values.get(HWADDR, b"") == what.get("mac", b"")
    assert messages.malformed == 0


def test_messages_of_all_sorts_come_in_one_datagram_and_what_is_no_packet_is_passed_over() -> None:
    sorts = [{"prefix": b"known\0"}, {"prefix": b"denied\0\0"}, {"mac": bytes(12)}, {"mark": b"1234"}, {}] * 5
    random.Random(4).shuffle(sorts)
    data = b"".join(logged(bytes((i,)), **what) + message(DONE, 0, b"") for i, what in enumerate(sorts))
    messages = reader()
    for _ in range(2):
        got = list(messages.each([data, message(OTHER, 7, b"")]))
        assert [packet for _, _, packet in got] == [bytes((i,)) for i in range(25)]
        assert [values[PREFIX] for _, values, _ in got] == [each.get("prefix", b"known\0") for each in sorts]
        assert [values.get(MARK) for _, values, _ in got] == [each.get("mark") for each in sorts]
    assert messages.malformed == 0


def test_bytes_of_the_network_that_look_like_an_attribute_are_not_taken_for_one() -> None:
    mac = b"\0\6\0\0\2\0\0\0\0\1\0\0"
    messages = reader()
    assert [values.get(HWADDR) for _, values, _ in messages.each([logged(mac=mac)])] == [mac]
    # A link-layer header where the address stood, and with its bytes: the same message but for one type.
    assert [values.get(HWADDR) for _, values, _ in messages.each([logged(link=mac)])] == [None]


@pytest.mark.parametrize(
    "data",
    [
        b"\x10",
        logged()[:-20],
        message(KIND, 7, b""),
        message(KIND, 7, said()),
        message(KIND, 7, said() + b"\3\0\1\0"),
        message(KIND, 7, said() + b"\x20\0\1\0"),
        message(KIND, 7, attribute(PREFIX, b"x") + attribute(PAYLOAD, PACKET)),
        bytes(64),
        b"\x04\0\0\0" + logged()[4:],
    ],
    ids=[
        "stump",
        "cut",
        "empty",
        "no packet",
        "short attribute",
        "long attribute",
        "no number",
        "zeros",
        "short",
    ],
)
@pytest.mark.parametrize("experienced", [False, True])
def test_what_breaks_its_format_is_counted_and_the_next_datagram_read(data: bytes, experienced: bool) -> None:
    messages = reader()
    if experienced:
        assert packets(messages, logged()) == [PACKET]
    assert packets(messages, data, logged()) == [PACKET]
    assert messages.malformed == 1


def test_noise_ends_nothing(rounds: Callable[[int], int]) -> None:
    chance = random.Random(7)
    messages = reader()
    for _ in range(rounds(3000)):
        data = bytearray(b"".join(logged(mac=bytes(12), prefix=chance.randbytes(6)) for _ in range(3)))
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.choice((0, 1, 4, 8, 255, chance.randrange(256)))
        assert len(packets(messages, bytes(data[: chance.randrange(len(data) + 1)]))) <= len(data) // 16
    assert messages.malformed > 0
    assert packets(messages, logged()) == [PACKET]


def test_invented_sorts_of_messages_and_invented_macs_take_no_memory() -> None:
    messages = reader()
    for length in range(1, 200):
        assert packets(messages, logged(prefix=bytes(length))) == [PACKET]
    for number in range(3000):
        assert packets(messages, logged(mac=number.to_bytes(12, "big"))) == [PACKET]
    assert len(messages._layouts) <= 32
    assert len(messages._facts) <= 2048


def test_a_message_that_says_what_was_said_before_is_not_walked_through() -> None:
    messages = reader()
    what = {"mac": bytes(12), "mark": bytes(4), "link": bytes(14)}
    packets(messages, logged(**what))
    many = b"".join(logged(**what) for _ in range(64))
    assert steps(lambda: packets(messages, many)) <= 64 * 7 + 10


def test_an_address_is_text() -> None:
    assert mac_text(b"\0\6\0\0\x02\xab\0\1\2\3\0\0") == "02:ab:00:01:02:03"
    assert mac_text(None) is None


STEP = 256  # bytes from the beginning of one datagram to that of the next


@pytest.mark.parametrize("seed", range(30))
def test_datagrams_of_one_length_are_read_together_as_one_by_one(seed: int) -> None:
    """Of all sorts: like the last one, of another layout, cut, padded, spoilt."""
    chance = random.Random(seed)
    sorts = [{"mac": bytes(12)}, {"mark": b"\0\0\0\1"}, {"mac": bytes(range(12))}, {"prefix": b"knows\0"}]
    one, other = reader(), reader()
    for _ in range(40):
        what, packet = chance.choice(sorts), PACKET + bytes(chance.randrange(6))
        datagrams = [bytearray(logged(packet, **what)) for _ in range(chance.randrange(1, 9))]
        for data in datagrams:
            if chance.random() < 0.1:
                data[chance.randrange(len(data))] = chance.randrange(256)
        length = len(datagrams[0])
        memory = b"".join(bytes(data).ljust(STEP, b"\xff") for data in datagrams)
        together = one.alike(memoryview(memory), length, STEP)
        assert together == list(other.each(map(bytes, datagrams)))
        assert one.malformed == other.malformed


def test_of_those_that_are_alike_few_lines_are_run() -> None:
    messages = reader()
    datagrams = [logged(PACKET + b"12", mac=bytes(12)) for _ in range(64)]  # the kernel pads no packet
    memory = memoryview(b"".join(data.ljust(STEP, b"\0") for data in datagrams))
    messages.alike(memory, len(datagrams[0]), STEP)
    messages.alike(memory, len(datagrams[0]), STEP)
    assert steps(lambda: messages.alike(memory, len(datagrams[0]), STEP)) < 64 * 5
