# SPDX-License-Identifier: GPL-2.0-or-later
"""The data of every type of record: well-formed, cut, too long, and bent, against dnspython."""

import random
from collections.abc import Callable

import dns.exception
import dns.rdata
import dns.wire
import pytest
from dns.rdataclass import RdataClass
from dns.rdatatype import OPT, TSIG, RdataType
from unit.made_messages import CH, IN, RECORDS_AS_TEXT, name

from smartrouter.core.errors import BadPacket
from smartrouter.wire.dns_records import check_record

EXAMPLES: dict[int, bytes] = {
    int(rdata.rdtype): rdata.to_wire() or b""
    for rdata in (dns.rdata.from_text("IN", kind, text) for kind, text in RECORDS_AS_TEXT.items())
} | {249: name("alg") + bytes(12) + b"\0\2ab\0\1c", 66: b"\0\x3b\1\x14\xb4" + name("a"), 65400: b"any"}
TYPES = sorted(EXAMPLES)
BEFORE = name("a.example")  # for pointers to lead to


def is_accepted(kind: int, klass: int, data: bytes) -> bool:
    try:
        check_record(BEFORE + data, kind, klass, len(BEFORE), len(BEFORE) + len(data), {})
    except (BadPacket, IndexError):
        return False
    return True


def is_accepted_by_dnspython(kind: int, klass: int, data: bytes) -> bool:
    parser = dns.wire.Parser(BEFORE + data, len(BEFORE))
    try:
        with parser.restrict_to(len(data)):
            dns.rdata.from_wire_parser(RdataClass.make(klass), RdataType.make(kind), parser)
    except dns.exception.DNSException:
        return False
    return True


def test_every_type_that_dnspython_knows_has_an_example() -> None:
    known = {
        kind
        for kind in RdataType
        if dns.rdata.get_rdata_class(RdataClass.IN, kind) is not dns.rdata.GenericRdata  # type: ignore[no-untyped-call]
    }
    assert len(known) > 60
    assert known - {OPT, TSIG} <= EXAMPLES.keys()


@pytest.mark.parametrize("kind", TYPES)
def test_an_example_is_accepted_whole_and_as_dnspython_judges_when_cut_or_longer(kind: int) -> None:
    data = EXAMPLES[kind]
    assert is_accepted(kind, IN, data)
    for size in range(len(data)):
        assert is_accepted(kind, IN, data[:size]) is is_accepted_by_dnspython(kind, IN, data[:size]), size
    for tail in (b"\0", b"\1", b"\xff", b"\0\0", data):
        assert is_accepted(kind, IN, data + tail) is is_accepted_by_dnspython(kind, IN, data + tail), tail


@pytest.mark.parametrize("kind", TYPES)
def test_bent_data_are_accepted_and_refused_as_by_dnspython(kind: int, rounds: Callable[[int], int]) -> None:
    chance = random.Random(kind)
    for _ in range(rounds(150)):
        data = bytearray(EXAMPLES[kind])
        for _ in range(chance.choice([1, 1, 2, 3])):
            at = chance.randrange(len(data))
            match chance.randrange(4):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    data[at] = (data[at] + chance.choice([-1, 1])) % 256
                case 2 if len(data) > 1:
                    del data[at]
                case _:
                    data[at:at] = chance.choice([b"\0", b"\1", b"\xc0\0", b"\xc0\2", b"\xff"])
        klass = chance.choice([IN, IN, IN, CH, 4])
        wire = bytes(data)
        assert is_accepted(kind, klass, wire) is is_accepted_by_dnspython(kind, klass, wire), wire.hex()


@pytest.mark.parametrize("klass", [CH, 4, 254, 255])
@pytest.mark.parametrize("kind", TYPES)
def test_other_classes_have_other_formats_for_some_types(kind: int, klass: int) -> None:
    for data in (EXAMPLES[kind], b"", b"\1a\0\0\1"):
        assert is_accepted(kind, klass, data) is is_accepted_by_dnspython(kind, klass, data), data


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (27, b"\x0590.01\x010\x010"),
        (27, b"\x010\x04-181\x010"),
        (27, b"\x02+-\x010\x010"),
        (29, b"\1\x12\x16\x13" + b"\x80\0\0\0" * 3),
        (29, b"\0\xa2\x16\x13" + b"\x80\0\0\0" * 3),
        (29, b"\0\x02\x16\x13" + b"\x80\0\0\0" * 3),
        (29, b"\0\x12\x16\x13" + b"\xff\0\0\0" + b"\x80\0\0\0" * 2),
        (42, b"\0\1\x21\1\1"),
        (42, b"\0\1\x08\2\1\0"),
        (42, b"\0\1\x08\5\1\1\1\1\1"),
        (43, b"\0\1\1\0ab"),
        (45, b"\1\4\2abcd"),
        (47, name("a") + b"\1\1\1" + b"\0\1\1"),
        (47, name("a") + b"\0\1\0"),
        (47, name("a") + b"\0\x21" + b"\1" * 33),
        (50, b"\1\0\0\0\0\0"),
        (63, b"\0\0\0\1\0\1" + b"a" * 48),
        (63, b"\0\0\0\1\1\0" + b"a" * 48),
        (63, b"\0\0\0\1\1\3" + b"a" * 11),
        (257, b"\0\2a-x"),
        (257, b"\0\0x"),
    ],
)
def test_values_that_a_type_forbids_are_refused(kind: int, data: bytes) -> None:
    assert not is_accepted_by_dnspython(kind, IN, data)
    assert not is_accepted(kind, IN, data)


def test_a_type_that_nobody_knows_may_hold_anything() -> None:
    check_record(b"abc", 65400, IN, 0, 3, {})
    check_record(b"", 65400, IN, 0, 0, {})
