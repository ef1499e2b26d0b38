# SPDX-License-Identifier: GPL-2.0-or-later
"""What comes off the wire: see `targets`."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from smartrouter.core.errors import BadPacket
from smartrouter.core.told.addresses import lesson
from smartrouter.wire.cooked import parse_cooked, parse_cooked_2
from smartrouter.wire.dhcp import parse_dhcp, parse_dhcp6
from smartrouter.wire.dns import parse_any, parse_any_query, parse_query, parse_reply
from smartrouter.wire.dns_tcp import BOUND, TcpStream
from smartrouter.wire.hello import parse_message, parse_records
from smartrouter.wire.http import parse_request
from smartrouter.wire.mdns import parse_announcement
from smartrouter.wire.ntp import asks_time
from smartrouter.wire.packet import Packet, glance, parse_ethernet, parse_ip
from smartrouter.wire.quic import client_keys, open_initial, split
from smartrouter.wire.server_name import FirstData, QuicStream, ServerNameStream
from smartrouter.wire.ssdp import parse_notice
from smartrouter.wire.syn import syn_shape

T = TypeVar("T")
LONGEST = 1100  # characters of a text, or things in a list: four names of 253 and what is between them


def read(parse: Callable[[bytes], T], data: bytes) -> T | None:
    """What `parse` makes of it; None if it refuses in its own way."""
    try:
        return parse(data)
    except BadPacket:
        return None


def assert_inert(value: Any) -> None:
    """Every text in `value` is of one line and hides nothing."""
    if isinstance(value, str):
        assert value.isprintable(), value
    elif isinstance(value, dict):
        assert_inert(tuple(value.items()))
    elif isinstance(value, tuple | list | frozenset):
        for each in value:
            assert_inert(each)


def assert_bounded(value: Any) -> None:
    """Every text in `value` is short, and can be stored; whoever shows it makes it inert."""
    if isinstance(value, str):
        assert len(value) <= LONGEST, value
        value.encode()
    elif isinstance(value, tuple | list | frozenset):
        assert len(value) <= LONGEST
        for each in value:
            assert_bounded(each)


def packet(data: bytes) -> None:
    """IP packets and Ethernet frames; a glance says what reading says, or nothing."""
    read(parse_ethernet, data)
    found, seen = read(parse_ip, data), glance(data)
    if found is None:
        assert seen is None
        return
    assert found.payload <= found.end <= len(data)
    assert_inert((found.source, found.destination))
    if seen is not None:
        (_, port, protocol), source_port, sequence = seen
        assert (protocol, port, source_port, sequence) == (
            found.protocol,
            found.destination_port,
            found.source_port,
            found.sequence,
        )


def cooked(data: bytes) -> None:
    """Frames of `tcpdump -i any`."""
    read(parse_cooked, data)
    read(parse_cooked_2, data)


def dns(data: bytes) -> None:
    """Queries and replies, and what a reply teaches."""
    query = read(parse_query, data)
    if query is not None:
        assert_inert(query.question.name)
        question = parse_any_query(data[2:])
        assert question is None or question == query.question
        assert question is not None or b"\xc0\0" in data or b"\xc0\1" in data
    reply = read(parse_reply, data)
    if len(data) > 2:
        anyhow = parse_any(data[2:])
        assert anyhow is None or (reply is not None and anyhow[1:] == reply[1:])
        assert anyhow is not None or reply is None or b"\xc0\0" in data or b"\xc0\1" in data
    if reply is None:
        return
    assert_inert(reply)
    found = lesson(reply)
    assert not found.addresses or found.name in {each.name for each in reply.questions}


def dns_tcp(data: bytes) -> None:
    """Segments of a stream: each begins with two bytes of its place and one of its length."""
    stream = TcpStream()
    while len(data) > 3:
        place, size = int.from_bytes(data[:2], "big"), data[2]
        for message in stream.feed(place, data[3 : 3 + size]):
            read(parse_query, message)
        assert stream.held <= BOUND
        data = data[3 + size :]


def hello(data: bytes) -> None:
    """The first message of a TLS client, with and without records."""
    for parse in (parse_records, parse_message):
        found = read(parse, data)
        if found is not None:
            assert_inert(found.name)
            assert_bounded(found)


def server_name(data: bytes) -> None:
    """A connection's first data in segments, as `dns_tcp` cuts them; then as one packet's payload."""
    stream = ServerNameStream()
    rest = data
    while len(rest) > 3:
        place, size = int.from_bytes(rest[:2], "big"), rest[2]
        with suppress(BadPacket):
            said = stream.feed(place, rest[3 : 3 + size])
            if said is not None:
                assert_inert(said.name)
                break
        rest = rest[3 + size :]
    first: Packet | None = read(parse_ip, data)
    if first is not None:
        with suppress(BadPacket):
            FirstData(first).feed(first, data)


def quic(data: bytes) -> None:
    """Datagrams of a QUIC client: one, and the same again in a stream."""
    for initial in read(split, data) or ():
        with suppress(BadPacket):
            open_initial(initial, client_keys(initial.version, initial.destination))
    stream = QuicStream()
    for at in range(0, len(data), 1400):
        with suppress(BadPacket):
            said = stream.feed(data[at : at + 1400])
            if said is not None:
                assert_inert(said.name)


def http(data: bytes) -> None:
    """The head of an HTTP request."""
    assert_inert(read(parse_request, data) or "")


def dhcp(data: bytes) -> None:
    """Messages of DHCP clients, of both versions."""
    for parse in (parse_dhcp, parse_dhcp6):
        found = read(parse, data)
        if found is not None:
            assert_bounded(tuple(found))


def mdns(data: bytes) -> None:
    """Announcements by multicast DNS."""
    assert_bounded(read(parse_announcement, data) or ())


def ssdp(data: bytes) -> None:
    """Announcements by SSDP."""
    assert_bounded(read(parse_notice, data) or ())


def syn(data: bytes) -> None:
    """How a connection begins."""
    found = read(parse_ip, data)
    if found is not None:
        with suppress(BadPacket):
            syn_shape(data, found)


def ntp(data: bytes) -> None:
    """Requests for the time."""
    assert isinstance(asks_time(data), bool)
