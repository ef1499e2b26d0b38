# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever a client sends first: a name, a wish for more, or BadPacket."""

import os
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.made_hellos import ECH, crypto, extension, initial, message, protocols, records, server_name

from smartrouter.core.errors import BadPacket
from smartrouter.wire.beginning import BOUND, Beginning
from smartrouter.wire.cursor import Cursor
from smartrouter.wire.hello import Hello, parse_message, parse_records
from smartrouter.wire.host_names import host_name
from smartrouter.wire.http import parse_request
from smartrouter.wire.server_name import QuicStream, ServerName, ServerNameStream

EXAMPLES = 300 * max(1, round(float(os.environ.get("ROUNDS", "1"))))
STARTS = [
    b"", b"\x16\3\1", b"\x16\3\1\2\0\1\0\1\xfc\3\3", b"\1\0\1\0\3\3", b"GET / HTTP/1.1\r\n", b"GET http://",
    b"\xc0\0\0\0\1\x08original\0\0",
]  # fmt: skip

host_labels = st.from_regex(r"[a-z_-][a-z0-9_-]{0,20}", fullmatch=True)
hosts = st.lists(host_labels, min_size=1, max_size=5).map(".".join)
alpn = st.lists(st.from_regex(r"[ -\[\]-~]{1,20}", fullmatch=True), max_size=8)


@settings(max_examples=EXAMPLES)
@given(st.sampled_from(STARTS), st.binary(max_size=1500), st.integers(1, 40))
def test_any_bytes_give_a_value_or_bad_packet(start: bytes, junk: bytes, times: int) -> None:
    data = start + junk * times
    for parse in (parse_records, parse_message, parse_request):
        try:
            found = parse(data)
        except BadPacket:
            continue
        assert found is None or isinstance(found, Hello | str)
    for padded in (data[:1400], data[:1400].ljust(1200, b"\0")):
        try:
            assert QuicStream().feed(padded) is None
        except BadPacket:
            pass


@settings(max_examples=EXAMPLES)
@given(
    st.lists(st.tuples(st.integers(-70000, 70000), st.binary(max_size=60), st.integers(1, 1500)), max_size=80)
)
def test_whatever_the_segments_a_stream_stays_bounded(segments: list[tuple[int, bytes, int]]) -> None:
    beginning, stream = Beginning(), ServerNameStream()
    stream.feed(2**31, b"")
    try:
        for offset, data, times in segments:
            beginning.add(offset, data * times)
            assert len(beginning.joined) <= BOUND
    except BadPacket:
        pass
    try:
        for offset, data, times in segments:
            stream.feed((2**31 + offset) % 2**32, data * times)
    except BadPacket:
        pass


@settings(max_examples=EXAMPLES)
@given(hosts, alpn, st.booleans(), st.integers(20, 600), st.lists(st.integers(1, 900), max_size=10))
def test_what_was_said_is_read_however_it_is_cut(
    host: str, spoken: list[str], encrypted: bool, record: int, places: list[int]
) -> None:
    offered = [server_name(host.upper().encode())]
    offered += [protocols(*map(str.encode, spoken))] if spoken else []
    offered += [extension(ECH, bytes(30))] if encrypted else []
    handshake = message(*offered)
    expected = Hello(host_name(host.encode()), encrypted, tuple(spoken))
    assert expected.name in (host, "")

    wire = records(handshake, max(record, len(handshake) // 15))
    cuts = sorted({0, len(wire), *[place % len(wire) for place in places]})
    tcp = ServerNameStream()
    answers = [tcp.feed(first, wire[first:last]) for first, last in pairwise(cuts)]
    by_tls = ServerName(expected.name, encrypted, "tls", expected.protocols)
    assert answers == [None] * (len(answers) - 1) + [by_tls]

    cuts = sorted({0, len(handshake), *[place % len(handshake) for place in places]})
    frames = [crypto(first, handshake[first:last]) for first, last in pairwise(cuts)]
    assert QuicStream().feed(initial(*reversed(frames))) == by_tls._replace(by="quic")


@settings(max_examples=EXAMPLES)
@given(st.binary(max_size=300))
def test_a_host_name_is_plain_text_or_nothing(raw: bytes) -> None:
    name = host_name(raw)
    assert name == "" or (raw.lower().removesuffix(b".") == name.encode() and name.isascii())
    assert name.replace(".", "").replace("-", "").replace("_", "").isalnum() or not name.strip("._-")


@settings(max_examples=EXAMPLES)
@given(st.binary(max_size=20), st.lists(st.sampled_from(["take", "number", "vector", "varint"]), max_size=9))
def test_a_cursor_never_passes_the_end(data: bytes, readings: list[str]) -> None:
    cursor = Cursor(data)
    for reading in readings:
        before = cursor.at
        try:
            getattr(cursor, reading)(*([] if reading == "varint" else [2]))
        except BadPacket:
            break
        assert before <= cursor.at <= len(data)
