# SPDX-License-Identifier: GPL-2.0-or-later
"""What a DNS message says, and which messages are refused."""

import struct
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import pytest
from counting import steps
from unit.made_messages import (
    AAAA,
    ANY,
    CH,
    CNAME,
    DNAME,
    HTTPS,
    IN,
    NONE,
    NS,
    OPT,
    REPLY,
    SOA,
    SVCB,
    TO_QUESTION,
    TRUNCATED,
    TSIG,
    TXT,
    UPDATE,
    A,
    dns_messages,
    ipv4,
    message,
    name,
    parameters,
    question,
    record,
    winding,
)

from smartrouter.core.errors import BadPacket
from smartrouter.core.events import Alias, Question, Told
from smartrouter.wire.dns import (
    MAX_ADDRESSES,
    MAX_MESSAGE,
    MAX_RECORDS,
    parse_any,
    parse_any_query,
    parse_query,
    parse_reply,
)

ADDRESS = ipv4("203.0.113.1")
OPTIONS = record("", OPT, b"", klass=1232, ttl=0)


def test_a_reply_is_read() -> None:
    reply = parse_reply(
        message(
            [question("Dev.EXAMPLE")],
            [
                record(TO_QUESTION, CNAME, name("edge.cdn.example"), ttl=300),
                record("edge.CDN.example", A, ADDRESS),
                record("edge.cdn.example", AAAA, bytes.fromhex("20010db8" + "0" * 23 + "1")),
            ],
            [record("example", NS, name("ns.example"))],
            [record("ns.example", A, ipv4("203.0.113.53")), OPTIONS],
            ident=4711,
        )
    )
    assert (reply.ident, reply.opcode, reply.rcode, reply.truncated) == (4711, 0, 0, False)
    assert reply.questions == (Question("dev.example", A, IN),)
    assert reply.aliases == (Alias("dev.example", "edge.cdn.example", 300),)
    assert reply.addresses == (
        Told("edge.cdn.example", "203.0.113.1", 60),
        Told("edge.cdn.example", "2001:db8::1", 60),
    )


def test_values_are_the_promised_types() -> None:
    reply = parse_reply(
        message([question()], [record(TO_QUESTION, CNAME, name("a")), record("a", A, ADDRESS)])
    )
    assert (type(reply.addresses[0]), type(reply.aliases[0])) == (Told, Alias)


def test_only_the_answer_section_and_class_in_name_things() -> None:
    reply = parse_reply(
        message(
            [question()],
            [record(TO_QUESTION, A, b"\1x\0\0\7", klass=CH), record(TO_QUESTION, CNAME, name("x"), klass=CH)],
            [record(TO_QUESTION, A, ADDRESS), record(TO_QUESTION, CNAME, name("x"))],
            [record(TO_QUESTION, A, ADDRESS), record(TO_QUESTION, HTTPS, b"\0\1\0")],
        )
    )
    assert (reply.aliases, reply.addresses) == ((), ())


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (REPLY | TRUNCATED, (0, 0, True)),
        (REPLY | 3, (0, 3, False)),
        (REPLY | 4 << 11 | 0x0400, (4, 0, False)),
    ],
)
def test_header_flags_are_read(flags: int, expected: tuple[int, int, bool]) -> None:
    reply = parse_reply(message([question()], flags=flags))
    assert (reply.opcode, reply.rcode, reply.truncated) == expected


def test_upper_bits_of_the_response_code_stand_in_the_options() -> None:
    options = record("", OPT, b"", klass=1232, ttl=1 << 24)
    assert parse_reply(message([question()], additionals=[options])).rcode == 16  # BADVERS


@pytest.mark.parametrize(("ttl", "kept"), [(0, 0), (2**31 - 1, 2**31 - 1), (2**31, 0), (2**32 - 1, 0)])
def test_ttl_with_its_upper_bit_set_counts_as_nothing(ttl: int, kept: int) -> None:
    reply = parse_reply(message([question()], [record(TO_QUESTION, A, ADDRESS, ttl=ttl)]))
    assert reply.addresses[0].ttl == kept


def test_all_questions_are_kept() -> None:
    reply = parse_reply(message([question("a.example"), question("b.example", AAAA, CH)]))
    assert reply.questions == (Question("a.example", A, IN), Question("b.example", AAAA, CH))


@pytest.mark.parametrize("kind", [HTTPS, SVCB])
def test_service_records_name_addresses_and_aliases(kind: int) -> None:
    hints = parameters((4, ipv4("203.0.113.1") + ipv4("203.0.113.2")), (6, bytes(15) + b"\1"))
    reply = parse_reply(
        message(
            [question(kind=kind)],
            [
                record(TO_QUESTION, kind, b"\0\1" + name("") + hints),
                record(TO_QUESTION, kind, b"\0\0" + name("cdn.example")),
                record("nothing.example", kind, b"\0\0" + name("")),
            ],
        )
    )
    assert [told.address for told in reply.addresses] == ["203.0.113.1", "203.0.113.2", "::1"]
    assert {told.owner for told in reply.addresses} == {"dev.example"}
    assert reply.aliases == (Alias("dev.example", "cdn.example", 60),)


def test_a_dname_makes_the_alias_that_the_server_left_out() -> None:
    renamed = record("old.example", DNAME, name("new.example"), ttl=9)
    reply = parse_reply(message([question("x.y.old.example")], [renamed]))
    assert reply.aliases == (Alias("x.y.old.example", "x.y.new.example", 9),)


def test_a_dname_behind_an_alias_is_followed() -> None:
    reply = parse_reply(
        message(
            [question()],
            [
                record("old.example", DNAME, name("new.example")),
                record(TO_QUESTION, CNAME, name("a.old.example")),
            ],
        )
    )
    assert Alias("a.old.example", "a.new.example", 60) in reply.aliases


def test_a_dname_says_nothing_of_its_owner_nor_of_a_dot_inside_a_label() -> None:
    renamed = record("old.example", DNAME, name("new.example"))
    inside = b"\x05x.old\7example\0" + struct.pack("!HH", A, IN)
    assert parse_reply(message([question("old.example")], [renamed])).aliases == ()
    assert parse_reply(message([inside], [renamed])).aliases == ()


def test_dnames_in_a_circle_come_to_an_end() -> None:
    circle = [record("a", DNAME, name("b")), record("b", DNAME, name("a"))]
    assert len(parse_reply(message([question("x.a")], circle)).aliases) <= 16


def test_a_query_is_read() -> None:
    query = parse_query(message([question("Dev.example", AAAA)], additionals=[OPTIONS], flags=0x0120))
    assert query == (7, Question("dev.example", AAAA, IN))


@pytest.mark.parametrize(
    "wire",
    [
        message([question()]),
        message([], flags=0),
        message([question(), question()], flags=0),
        message([question()], flags=0)[:-1],
        message([question()], flags=0) + b"\0",
        b"",
        b"\0\7\1",
    ],
    ids=["reply", "no question", "two questions", "cut", "junk behind", "empty", "three bytes"],
)
def test_what_is_no_query_is_refused(wire: bytes) -> None:
    with pytest.raises(BadPacket):
        parse_query(wire)


BAD = {
    "empty": b"",
    "header cut": message()[:11],
    "a query": message([question()], flags=0),
    "question cut": message([question()])[:-1],
    "more questions promised": message([question()])[:5] + b"\2" + message([question()])[6:],
    "record cut": message([question()], [record(TO_QUESTION, A, ADDRESS)])[:-1],
    "record header cut": message([question()], [record(TO_QUESTION, A, b"")])[:-1],
    "something behind": message([question()]) + b"\0",
    "address of three bytes": message([question()], [record(TO_QUESTION, A, b"\1\2\3")]),
    "address of five bytes": message([question()], [record(TO_QUESTION, A, b"\1\2\3\4\5")]),
    "short IPv6 address": message([question()], [record(TO_QUESTION, AAAA, bytes(15))]),
    "alias with junk": message([question()], [record(TO_QUESTION, CNAME, name("a") + b"\0")]),
    "dname compressed": message([question()], [record("example", DNAME, TO_QUESTION)]),
    "bad address in authority": message([question()], [], [record(TO_QUESTION, A, b"\1")]),
    "bad text in additional": message([question()], [], [], [record(TO_QUESTION, TXT, b"")]),
    "options in answer": message([question()], [OPTIONS]),
    "options in authority": message([question()], [], [OPTIONS]),
    "options twice": message([question()], additionals=[OPTIONS, OPTIONS]),
    "options below a name": message([question()], additionals=[record("a", OPT, b"")]),
    "malformed options": message([question()], additionals=[record("", OPT, b"\0\1\0\1")]),
    "signed": message([question()], additionals=[record("k", TSIG, name("a") + bytes(16), klass=ANY)]),
    "signed in answer": message([question()], [record("k", TSIG, name("a") + bytes(16), klass=ANY)]),
}


@pytest.mark.parametrize("wire", BAD.values(), ids=BAD.keys())
def test_a_malformed_message_is_refused_whole(wire: bytes) -> None:
    with pytest.raises(BadPacket):
        parse_reply(wire)


UPDATES = {
    "of a zone": ([question("example", SOA)], [], True),
    "of no zone, changing nothing": ([], [], True),
    "of no zone": ([], [record("a", A, ADDRESS)], False),
    "of two zones": ([question("example", SOA)] * 2, [], False),
    "of what is no zone": ([question("example", A)], [], False),
    "of every class": ([question("example", SOA, ANY)], [], False),
    "adding": ([question("example", SOA)], [record("a", A, ADDRESS)], True),
    "adding badly": ([question("example", SOA)], [record("a", A, b"\1")], False),
    "deleting all": ([question("example", SOA)], [record("a", A, b"", klass=ANY)], True),
    "deleting all, with data": ([question("example", SOA)], [record("a", A, ADDRESS, klass=ANY)], False),
    "deleting one": ([question("example", SOA)], [record("a", A, ADDRESS, klass=NONE)], True),
    "deleting one, badly": ([question("example", SOA)], [record("a", A, b"\1", klass=NONE)], False),
}


@pytest.mark.parametrize(("zone", "changes", "accepted"), UPDATES.values(), ids=UPDATES.keys())
def test_dynamic_updates_have_rules_of_their_own(zone: Any, changes: Any, accepted: bool) -> None:
    wire = message(zone, [], changes, [OPTIONS], flags=REPLY | UPDATE)
    assert is_accepted_by_dnspython(wire) is accepted
    if accepted:
        assert parse_reply(wire).addresses == ()
    else:
        with pytest.raises(BadPacket):
            parse_reply(wire)


def test_what_an_update_requires_may_not_hold_data_if_it_says_none() -> None:
    for data, accepted in ((b"", True), (ADDRESS, False)):
        wire = message([question("example", SOA)], [record("a", A, data, klass=NONE)], flags=REPLY | UPDATE)
        assert is_accepted_by_dnspython(wire) is is_accepted(wire) is accepted


def test_more_records_than_any_reply_has_are_refused() -> None:
    some = [record(TO_QUESTION, A, ADDRESS)] * (MAX_RECORDS - 1)
    assert len(parse_reply(message([question()], some)).addresses) == MAX_RECORDS - 1
    with pytest.raises(BadPacket):
        parse_reply(message([question()], [*some, some[0]]))


def test_more_addresses_in_hints_than_any_reply_has_are_refused() -> None:
    for count, accepted in ((MAX_ADDRESSES, True), (MAX_ADDRESSES + 1, False)):
        hints = parameters((4, ADDRESS * count))
        wire = message([question()], [record(TO_QUESTION, HTTPS, b"\0\1\0" + hints)])
        assert is_accepted(wire) is accepted


def test_a_message_longer_than_any_reply_is_refused() -> None:
    room = MAX_MESSAGE - len(message([question()], [record(TO_QUESTION, 65400, b"")]))
    for size, accepted in ((room, True), (room + 1, False)):
        assert is_accepted(message([question()], [record(TO_QUESTION, 65400, bytes(size))])) is accepted


COSTLY = {
    "names at the end of long chains": winding(255),
    "more of them than are allowed": winding(700),
    "one name of 16,000 labels": message([b"\1a" * 16000 + b"\0\0\1\0\1"]),
    "empty strings": message([question()], [record(TO_QUESTION, TXT, bytes(32000))]),
    "empty options": message([question()], additionals=[record("", OPT, b"\xff\xff\0\0" * 8000)]),
    "empty prefixes": message([question()], [record(TO_QUESTION, 42, b"\0\1\0\0" * 8000)]),
    "root names": message([question()], [record(TO_QUESTION, 55, bytes(32000))]),
    "service parameters": message(
        [question()],
        [record(TO_QUESTION, HTTPS, b"\0\1\0" + parameters(*[(100 + n, b"") for n in range(8000)]))],
    ),
    "hints": message([question()], [record(TO_QUESTION, HTTPS, b"\0\1\0" + parameters((4, bytes(32000))))]),
    "addresses": message([question()], [record(TO_QUESTION, A, struct.pack("!I", n)) for n in range(1000)]),
    "65,535 questions promised": b"\0\7\x80\0" + b"\xff" * 65000,
}


@pytest.mark.parametrize("wire", COSTLY.values(), ids=COSTLY.keys())
def test_no_message_costs_more_than_bounded_work(wire: bytes) -> None:
    assert steps(lambda: is_accepted(wire)) < 150_000


def test_a_usual_reply_is_read_in_a_few_steps() -> None:
    answers = [
        record(TO_QUESTION, CNAME, name("mesu.apple.com.edgekey.net")),
        record("mesu.apple.com.edgekey.net", CNAME, name("e1329.g.akamaiedge.net")),
        *[record("e1329.g.akamaiedge.net", A, ipv4(f"203.0.113.{n}")) for n in range(4)],
    ]
    wire = message([question("mesu.apple.com")], answers)
    parse_reply(wire)
    assert steps(lambda: parse_reply(wire)) < 300


def test_every_dns_message_of_the_captures_is_read_as_dnspython_reads_it(shared: Path) -> None:
    messages = dns_messages(shared)
    assert len(messages) > 1000
    for wire in messages:
        assert is_accepted(wire) is is_accepted_by_dnspython(wire), wire.hex()


def is_accepted(wire: bytes) -> bool:
    try:
        if wire[2:3] < b"\x80":
            parse_query(wire)
        else:
            parse_reply(wire)
    except BadPacket:
        return False
    return True


def is_accepted_by_dnspython(wire: bytes) -> bool:
    try:
        read = dns.message.from_wire(wire)
    except dns.exception.DNSException:
        return False
    return wire[2] >= 0x80 or len(read.question) == 1


def test_an_answer_is_remembered_though_an_address_in_it_looks_like_a_pointer() -> None:
    wire = message([question("a.example")], [record(TO_QUESTION, A, ipv4("192.0.2.1"))], ident=1)
    assert b"\xc0\0" in wire
    anyhow = parse_any(wire[2:])
    assert anyhow is not None
    assert anyhow[1:] == parse_reply(wire)[1:]


@pytest.mark.parametrize("at", [0, 1])
def test_a_name_that_lies_in_the_messages_number_is_read_with_that_number(at: int) -> None:
    """Two answers that differ in it alone are not the same then, however alike they look."""
    in_number = struct.pack("!H", 0xC000 | at) + struct.pack("!HH", A, IN)
    assert parse_any(message([in_number])[2:]) is None
    assert parse_any_query(message([in_number], flags=0)[2:]) is None
    assert parse_reply(message([in_number], ident=0)).questions[0].name == ""
    with pytest.raises(BadPacket):
        parse_reply(message([in_number], ident=0x3F3F))
