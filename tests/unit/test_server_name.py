# SPDX-License-Identifier: GPL-2.0-or-later
"""Which server the first data of a flow asks for, however it comes."""

import random
import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import pytest
from aioquic.quic.packet import encode_quic_retry
from counting import steps
from unit.made_hellos import (
    ECH,
    RFC_9001,
    RFC_9369,
    SERVER,
    V1,
    V2,
    crypto,
    extension,
    first_flight,
    from_openssl,
    initial,
    message,
    protocols,
    quic_client,
    records,
    sent,
    server_name,
)

from smartrouter.core.errors import BadPacket
from smartrouter.wire.quic import split
from smartrouter.wire.server_name import QuicStream, ServerName, ServerNameStream

NAME = "www.example.com"
TLS = from_openssl(NAME, "h2")
HTTP = b"GET / HTTP/1.1\r\nAccept: */*\r\nHost: www.example.com\r\n"
BY_TLS = ServerName(NAME, encrypted=False, by="tls", protocols=("h2",))
BY_HTTP = ServerName(NAME, encrypted=False, by="http")
MANY = [f"{number:060}" for number in range(30)]  # protocols that fill a second datagram


def told(segments: list[tuple[int, bytes]], start: int | None = None) -> list[ServerName | None]:
    stream = ServerNameStream()
    if start is not None:
        stream.feed(start, b"")
    return [stream.feed(sequence % 2**32, data) for sequence, data in segments]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (TLS, BY_TLS),
        (HTTP, BY_HTTP),
        (records(message(extension(ECH, bytes(99)))), ServerName("", encrypted=True, by="tls")),
        (b"GET / HTTP/1.0\r\n\r\n", ServerName("", encrypted=False, by="http")),
    ],
    ids=["TLS", "HTTP", "ECH", "no host"],  # what OpenSSL makes is another in each worker
)
def test_one_segment_tells(data: bytes, name: ServerName) -> None:
    assert told([(7, data)]) == [name]
    assert told([(7, data + bytes(70000))]) == [name]


@pytest.mark.parametrize("start", [0, 2**32 - 100, 2**32 - 1])
@pytest.mark.parametrize(("data", "name"), [(TLS, BY_TLS), (HTTP, BY_HTTP)], ids=["TLS", "HTTP"])
def test_every_cut_in_two_tells_with_the_second(start: int, data: bytes, name: ServerName) -> None:
    for cut in range(1, len(data)):
        front, back = (start, data[:cut]), (start + cut, data[cut:])
        assert told([front, back]) == [None, name]
        assert told([back, front], start) == [None, name]
        assert told([front, front, back], start) == [None, None, name]
        assert told([front, (start, data)]) == [None, name]


def test_any_cutting_repeating_and_shuffling_tells_the_same(rounds: Callable[[int], int]) -> None:
    chance = random.Random(2)
    for _ in range(rounds(500)):
        data, name = chance.choice([(TLS, BY_TLS), (HTTP, BY_HTTP), (records(TLS[5:], 70), BY_TLS)])
        start = chance.randrange(2**32)
        cuts = sorted({0, len(data), *[chance.randrange(len(data)) for _ in range(chance.randrange(9))]})
        segments = [
            (start + first, data[first : last + chance.choice([0, 0, 9])]) for first, last in pairwise(cuts)
        ]
        segments += chance.sample(segments, min(3, len(segments)))
        chance.shuffle(segments)
        answers = told(segments, start)
        assert name in answers
        assert set(answers) <= {None, name}


def test_a_keepalive_before_the_data_is_passed_over() -> None:
    assert told([(6, b"\0"), (7, TLS)], 7) == [None, BY_TLS]


@pytest.mark.parametrize(
    "segments",
    [
        [(0, b"SSH-2.0-x\r\n")],
        [(0, b"\0")],
        [(0, TLS[:300]), (0, from_openssl("other.example"))],  # two hellos for one place
        [(0, b"\x16\3\1\x40\0\1\0\x3f\xf0" + bytes(1000 * number)) for number in range(20)],
        [(0, records(b"\1\0\x3f\xfc" + bytes(16380), 9000))],  # fits, but for the records around it
        [(0, HTTP[:20] + b"X" * 9000)],
        [(number, TLS[number : number + 1]) for number in range(65)],
        [(9 + 2 * number, b"x") for number in range(65)],
    ],
)
def test_what_is_neither_or_goes_on_for_too_long_is_refused(segments: list[tuple[int, bytes]]) -> None:
    with pytest.raises(BadPacket):
        told(segments, 0)


@pytest.mark.parametrize("version", [V1, V2])
def test_a_real_quic_client_is_understood(version: int) -> None:
    (datagram,) = first_flight(quic_client("WWW.Example.com", "h3", "doq", version=version))
    assert QuicStream().feed(datagram) == ServerName(NAME, False, "quic", ("h3", "doq"))


@pytest.mark.parametrize("datagram", [RFC_9001, RFC_9369])
def test_the_standards_example_is_understood(datagram: bytes) -> None:
    assert QuicStream().feed(datagram) == ServerName("example.com", False, "quic", ("alpn",))


@pytest.mark.parametrize("version", [V1, V2])
def test_a_hello_over_datagrams_tells_with_the_last(version: int) -> None:
    datagrams = first_flight(quic_client(NAME, *MANY, version=version))
    name = ServerName(NAME, False, "quic", tuple(MANY))
    assert len(datagrams) == 2
    for order in ((0, 1), (1, 0), (0, 0, 1), (1, 1, 0)):
        stream = QuicStream()
        answers = [stream.feed(datagrams[number]) for number in order]
        assert answers == [None] * (len(order) - 1) + [name]


def test_the_keys_stay_when_the_server_has_chosen_another_id() -> None:
    handshake = message(protocols(b"h3"), server_name(NAME.encode()))
    stream = QuicStream()
    assert stream.feed(initial(crypto(0, handshake[:50]))) is None
    rest = initial(b"\2\0\0\0\0", crypto(50, handshake[50:]), destination=b"the server's", number=1)
    assert stream.feed(rest) == ServerName(NAME, False, "quic", ("h3",))


def test_a_retry_changes_the_keys() -> None:
    client = quic_client(NAME, *MANY)
    first = first_flight(client)
    (one,) = split(first[0])
    source = first[0][6 + len(one.destination) + 1 :][:8]
    retry = encode_quic_retry(V1, b"chosen anew", source, one.destination, b"token")
    client.receive_datagram(retry, SERVER, now=0.1)
    again = sent(client, 0.1)
    assert {split(datagram)[0].destination for datagram in again} == {b"chosen anew"}
    stream = QuicStream()
    assert stream.feed(first[0]) is None
    assert [stream.feed(datagram) for datagram in again[:-1]] == [None] * (len(again) - 1)
    assert stream.feed(again[-1]) == ServerName(NAME, False, "quic", tuple(MANY))


def test_pieces_come_shuffled_within_a_packet() -> None:
    handshake = message(server_name(NAME.encode()), extension(ECH, bytes(40)))
    chance = random.Random(4)
    for _ in range(50):
        cuts = sorted({0, len(handshake), *[chance.randrange(len(handshake)) for _ in range(9)]})
        frames = [crypto(first, handshake[first:last]) for first, last in pairwise(cuts)]
        frames += [b"\1"] * 5 + [bytes(9)] * 5
        chance.shuffle(frames)
        assert QuicStream().feed(initial(*frames)) == ServerName(NAME, True, "quic")


@pytest.mark.parametrize(
    "datagrams",
    [
        [initial()] * 9,
        [initial(crypto(0, b"\1\0\x20\0"))] * 9,
        [initial(crypto(0, b"\1\0\7\0abc")), initial(crypto(0, b"\1\0\7\0xyz"))],
        [initial(crypto(0, b"\2\0\0\0"))],
        [initial(crypto(0, b"\1\0\7\0")), initial(destination=b"another", keyed=b"unknown")],
        [initial(crypto(0, b"\1\0\7\0"))[:-1] + b"\0"],
        [b"\x40" + bytes(1250)],
        [initial(*[crypto(2 * number + 9, b"x") for number in range(65)])],
        [initial(*[crypto(9, bytes(1000))], number=number) for number in range(8)] * 5,
    ],
)
def test_what_is_no_hello_or_goes_on_for_too_long_is_refused(datagrams: list[bytes]) -> None:
    stream = QuicStream()

    def feed() -> None:
        for datagram in datagrams:
            stream.feed(datagram)

    with pytest.raises(BadPacket):
        feed()


def test_no_flow_costs_or_holds_more_than_is_bounded(rounds: Callable[[int], int]) -> None:
    chance = random.Random(6)
    whole = [TLS, HTTP, records(TLS[5:], 40), *first_flight(quic_client(NAME, *MANY)), RFC_9001]

    def feed(number: int, data: bytes) -> None:
        try:
            (quic if number % 2 else tcp).feed(number * 50, data)
        except BadPacket:
            pass

    class Quic:
        def __init__(self) -> None:
            self.stream = QuicStream()

        def feed(self, _sequence: int, datagram: bytes) -> ServerName | None:
            return self.stream.feed(datagram)

    tracemalloc.start()
    for _ in range(rounds(60)):
        tcp, quic = ServerNameStream(), Quic()
        for number in range(20):
            bent = bytearray(chance.choice(whole))
            for _ in range(chance.randrange(3)):
                bent[chance.randrange(len(bent))] = chance.randrange(256)
            assert steps(lambda number=number, bent=bent: feed(number, bytes(bent))) < 8000  # type: ignore[misc]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 500_000
