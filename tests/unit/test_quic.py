# SPDX-License-Identifier: GPL-2.0-or-later
"""Initials of QUIC clients: the standards' examples, real clients', and such as nobody sends."""

import random
from collections.abc import Callable

import pytest
from aioquic.buffer import Buffer  # type: ignore[attr-defined]
from aioquic.quic.crypto import CryptoError, CryptoPair  # type: ignore[attr-defined]
from aioquic.quic.packet import pull_quic_header
from counting import steps
from unit.made_hellos import RFC_9001, RFC_9369, V1, V2, crypto, first_flight, initial, quic_client, varint

from smartrouter.core.errors import BadPacket
from smartrouter.wire.beginning import Beginning
from smartrouter.wire.hello import Hello, parse_message
from smartrouter.wire.quic import Initial, Piece, client_keys, open_initial, split

HELLO = b"\1\0\0\3abc"
PING, PADDING = b"\1", b"\0"


def opened(datagram: bytes) -> list[Piece]:
    return [
        piece
        for one in split(datagram)
        for piece in open_initial(one, client_keys(one.version, one.destination))
    ]


@pytest.mark.parametrize("datagram", [RFC_9001, RFC_9369])
def test_the_standards_example_is_opened(datagram: bytes) -> None:
    (piece,) = opened(datagram)
    assert (piece.offset, len(piece.data)) == (0, 241)
    assert parse_message(piece.data) == Hello("example.com", False, ("alpn",))


def by_aioquic(datagram: bytes) -> bytes:
    buffer = Buffer(data=datagram)
    header = pull_quic_header(buffer, host_cid_length=8)
    pair = CryptoPair()
    pair.setup_initial(cid=header.destination_cid, is_client=False, version=header.version or 0)
    return pair.decrypt_packet(datagram[: header.packet_length], buffer.tell(), 0)[1]


@pytest.mark.parametrize("version", [V1, V2])
@pytest.mark.parametrize("id_size", [0, 8, 20])
def test_real_clients_are_opened_as_by_another_implementation(version: int, id_size: int) -> None:
    client = quic_client(
        "a.example", *[f"{number:060}" for number in range(30)], version=version, id_size=id_size
    )
    datagrams = first_flight(client)
    assert len(datagrams) > 1
    hello = Beginning()
    for datagram in datagrams:
        for piece in opened(datagram):
            assert piece.data in by_aioquic(datagram)
            hello.add(*piece)
    read = parse_message(hello.joined)
    assert read is not None
    assert (read.name, len(read.protocols)) == ("a.example", 30)


@pytest.mark.parametrize(
    ("frames", "pieces"),
    [
        ([crypto(0, HELLO)], [(0, HELLO)]),
        ([crypto(4, b"abc"), PING, crypto(0, b"\1\0\0\3"), PADDING * 9], [(4, b"abc"), (0, b"\1\0\0\3")]),
        ([PADDING * 30, PING * 3, PADDING, crypto(0, HELLO), PADDING, PING], [(0, HELLO)]),
        ([b"\2\0\0\0\0", crypto(0, HELLO)], [(0, HELLO)]),
        ([b"\3\x41\0\5\2\1\0\1\3\0", b"\1\2\3", crypto(0, HELLO)], [(0, HELLO)]),
        ([b"\x1c\x0a\0\3bye"], []),
        ([crypto(2**40, b"x")], [(2**40, b"x")]),
        ([crypto(0, b"")], [(0, b"")]),
        ([], []),
    ],
)
def test_frames_come_in_any_order(frames: list[bytes], pieces: list[tuple[int, bytes]]) -> None:
    assert opened(initial(*frames)) == pieces


@pytest.mark.parametrize(
    "frame",
    [
        b"\4", b"\5", b"\7\1x", b"\x08abc", b"\x1d\0\0", b"\x1e", b"\x30x", b"\x40\6\0\1x",
        b"\6\0" + varint(5000), b"\6" + b"\xff" * 8 + b"\xff", b"\2\0\0" + b"\xff" * 8 + b"\0",
        b"\x1c\0\0\x7f\xff", b"\2\0\0\x21\0" + bytes(66), b"\0\6\0\0" * 64 + b"\0",
    ],
)  # fmt: skip
def test_frames_that_an_initial_must_not_hold_are_refused(frame: bytes) -> None:
    with pytest.raises(BadPacket):
        opened(initial(crypto(0, HELLO), frame))


@pytest.mark.parametrize("version", [V1, V2])
@pytest.mark.parametrize(("number", "number_size"), [(0, 1), (200, 1), (300, 2), (70000, 3), (2**32 - 1, 4)])
@pytest.mark.parametrize("token", [b"", bytes(300)])
def test_numbers_and_tokens_are_of_any_size(
    version: int, number: int, number_size: int, token: bytes
) -> None:
    datagram = initial(
        crypto(0, HELLO),
        version=version,
        number=number,
        number_size=number_size,
        token=token,
        source=bytes(20),
    )
    assert opened(datagram) == [(0, HELLO)]


ZERO_RTT = b"\xd0\0\0\0\1\x08original\0" + b"\x40\x14" + bytes(20)
SHORT = initial(crypto(0, HELLO), size=200)


@pytest.mark.parametrize(
    ("datagram", "count"),
    [
        (initial(size=1000) + ZERO_RTT + bytes(200), 1),
        (ZERO_RTT + initial(), 1),
        (SHORT + initial(), 2),
        (SHORT * 9, 4),
        (SHORT + bytes(1000), 1),
        (SHORT + b"\x40" + bytes(1100), 1),  # a packet of a later stage
        (SHORT + b"\xc0\0\0\0\0" + bytes(1000), 1),
        (initial() + b"\xc0\0\0", 1),
        (ZERO_RTT * 40, 0),
        (b"\xf0\0\0\0\1\x08original\0" + b"\xff" * 1200, 0),  # a Retry, which only servers send
    ],
)
def test_initials_are_found_among_others(datagram: bytes, count: int) -> None:
    assert len(split(datagram)) == count


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        initial(size=1199),
        initial(size=2049),
        bytes(1200),
        b"\x40" + bytes(1299),
        b"\xc0\0\0\0\0" + bytes(1295),  # version negotiation
        b"\xc0\xff\0\0\x1d" + bytes(1295),  # draft 29
        b"\xc0\x0a\x0a\x0a\x0a" + bytes(1295),
        b"\xc0\0\0\0\1\x15" + bytes(1294),  # an ID of 21 bytes
        b"\xc0\0\0\0\1\x08original\0\0\x45\0" + bytes(1200),  # a size beyond the end
        b"\xc0\0\0\0\1\x08original\0" + b"\xff" * 1200,
        b"\x16\3\1" + bytes(1300),
    ],
)
def test_what_is_no_first_datagram_is_refused(datagram: bytes) -> None:
    with pytest.raises(BadPacket):
        split(datagram)


def test_an_initial_without_room_for_a_sample_is_refused() -> None:
    for size in range(40):
        with pytest.raises(BadPacket):
            open_initial(Initial(V1, b"", bytes(size), 20), client_keys(V1, b""))


def test_an_initial_sealed_with_other_keys_is_refused() -> None:
    (sealed,) = split(initial(crypto(0, HELLO), destination=b"another"))
    with pytest.raises(BadPacket, match="another key"):
        open_initial(sealed, client_keys(V1, b"another"))
    with pytest.raises(BadPacket, match="another key"):
        open_initial(sealed, client_keys(V2, b"original"))
    assert open_initial(sealed, client_keys(V1, b"original")) == [(0, HELLO)]


def test_mangled_initials_are_opened_and_refused_as_by_aioquic(rounds: Callable[[int], int]) -> None:
    chance = random.Random(9)
    read = 0
    for _ in range(rounds(1000)):
        bent = bytearray(chance.choice([RFC_9001, RFC_9369, initial(crypto(0, HELLO), size=1300)]))
        for _ in range(chance.choice([0, 1, 1, 2])):
            bent[chance.choice([chance.randrange(len(bent)), chance.randrange(40)])] ^= 1 << chance.randrange(
                8
            )
        datagram = bytes(bent)
        try:
            ours = opened(datagram)
        except BadPacket:
            ours = []
        try:
            theirs: bytes | None = by_aioquic(datagram)
        except (CryptoError, ValueError):
            theirs = None
        if ours:
            read += 1
            assert theirs is not None
            assert all(piece.data in theirs for piece in ours)
        elif theirs is not None:
            assert split(datagram) == []
    assert read > 100


def test_no_datagram_costs_more_than_a_bounded_number_of_steps(rounds: Callable[[int], int]) -> None:
    chance = random.Random(11)
    tricky = [
        initial(crypto(0, b"x") * 280),
        initial((PADDING + PING) * 570),
        initial(b"\2\0\0" + varint(550) + b"\0" + bytes(1100)),
        initial(b"\2\0\0" + varint(2**62 - 1) + b"\0"),
        SHORT * 9,
        *[initial(chance.randbytes(chance.randrange(1150))) for _ in range(rounds(200))],
        *[b"\xc0\0\0\0\1" + chance.randbytes(1300) for _ in range(rounds(200))],
        *[b"\xc0\0\0\0\1\x08original\0\0\x44\x80" + chance.randbytes(1300) for _ in range(rounds(200))],
    ]

    def parse(datagram: bytes) -> None:
        try:
            opened(datagram)
        except BadPacket:
            pass

    assert max(steps(lambda wire=datagram: parse(wire)) for datagram in tricky) < 9000  # type: ignore[misc]
