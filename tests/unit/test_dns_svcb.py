# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTPS and SVCB records, against dnspython."""

import dns.exception
import dns.rdata
import pytest
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType
from unit.made_messages import ipv4, name, parameters

from smartrouter.core.errors import BadPacket
from smartrouter.wire.dns_svcb import Service, read_service

FOUR, SIX = ipv4("203.0.113.1"), bytes.fromhex("20010db8" + "0" * 23 + "1")
GOOD = {
    "alias": b"\0\0" + name("cdn.example"),
    "no such service": b"\0\0" + name(""),
    "nothing more": b"\0\1" + name(""),
    "all of them": b"\0\1"
    + name("a")
    + parameters(
        (0, b"\0\1\0\4"), (1, b"\2h2\2h3"), (2, b""), (3, b"\1\xbb"), (4, FOUR), (5, b"\0\4abcd"), (6, SIX),
        (7, b"/dns{?dns}"), (8, b""), (9, b"x25519"), (10, b"\1a\1b"), (65535, b""),
    ),
    "empty path": b"\0\1\0" + parameters((10, b"")),
    "empty of an unknown kind": b"\0\1\0" + parameters((7, b""), (667, b"")),
}  # fmt: skip
BAD = {
    "priority cut": b"\0",
    "no target": b"\0\1",
    "target compressed": b"\0\1\xc0\0",
    "alias with parameters": b"\0\0\0" + parameters((3, b"\0\1")),
    "out of order": b"\0\1\0" + parameters((4, FOUR), (3, b"\0\1")),
    "twice": b"\0\1\0" + parameters((3, b"\0\1"), (3, b"\0\1")),
    "key cut": b"\0\1\0\0\3\0",
    "value cut": b"\0\1\0\0\3\0\2\0",
    "empty list of mandatory keys": b"\0\1\0" + parameters((0, b"")),
    "half a mandatory key": b"\0\1\0" + parameters((0, b"\0\3\0"), (3, b"\0\1")),
    "mandatory key absent": b"\0\1\0" + parameters((0, b"\0\4"), (3, b"\0\1")),
    "mandatory keys out of order": b"\0\1\0" + parameters((0, b"\0\4\0\3"), (3, b"\0\1"), (4, FOUR)),
    "mandatory names itself": b"\0\1\0" + parameters((0, b"\0\0")),
    "no protocols": b"\0\1\0" + parameters((1, b"")),
    "empty protocol": b"\0\1\0" + parameters((1, b"\2h2\0")),
    "protocol cut": b"\0\1\0" + parameters((1, b"\3h2")),
    "no default, without protocols": b"\0\1\0" + parameters((2, b"")),
    "no default, with a value": b"\0\1\0" + parameters((1, b"\2h2"), (2, b"x")),
    "port of three bytes": b"\0\1\0" + parameters((3, b"\0\0\1")),
    "no hints": b"\0\1\0" + parameters((4, b"")),
    "hint of five bytes": b"\0\1\0" + parameters((4, FOUR + b"\1")),
    "hint of IPv6 cut": b"\0\1\0" + parameters((6, SIX[:-1])),
    "keys for encryption too short": b"\0\1\0" + parameters((5, b"\0\3abc")),
    "keys for encryption of another length": b"\0\1\0" + parameters((5, b"\0\5abcd")),
    "oblivious, with a value": b"\0\1\0" + parameters((8, b"x")),
    "path with an empty part": b"\0\1\0" + parameters((10, b"\0")),
}


def is_accepted_by_dnspython(data: bytes) -> bool:
    try:
        dns.rdata.from_wire(RdataClass.IN, RdataType.HTTPS, data, 0, len(data))
    except dns.exception.DNSException:
        return False
    return True


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD.keys())
def test_a_good_record_is_accepted(data: bytes) -> None:
    assert is_accepted_by_dnspython(data)
    read_service(data + b"more", 0, len(data), {})


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_a_bad_record_is_refused(data: bytes) -> None:
    assert not is_accepted_by_dnspython(data)
    with pytest.raises((BadPacket, IndexError)):
        read_service(data, 0, len(data), {})
    with pytest.raises(BadPacket):
        read_service(data + b"\0" * 100, 0, len(data), {})


def test_an_alias_names_its_target() -> None:
    assert read_service(GOOD["alias"], 0, 15, {}) == Service(True, "cdn.example", b"", b"")
    assert read_service(GOOD["no such service"], 0, 3, {}).target == ""


def test_hints_are_addresses() -> None:
    data = b"\0\1\0" + parameters((4, FOUR + FOUR), (6, SIX))
    service = read_service(data, 0, len(data), {})
    assert not service.alias
    assert service.hints() == ["203.0.113.1", "203.0.113.1", "2001:db8::1"]
