# SPDX-License-Identifier: GPL-2.0-or-later
"""EDNS options, against dnspython."""

import dns.exception
import dns.rdata
import pytest
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType
from unit.made_messages import name, parameters

from smartrouter.core.errors import BadPacket
from smartrouter.wire.dns_edns import check_options

GOOD = {
    "none": b"",
    "unknown": parameters((65001, b""), (65001, b"anything")),
    "cookie of the client": parameters((10, b"12345678")),
    "cookies of both": parameters((10, b"12345678" * 2)),
    "longest cookies": parameters((10, b"12345678" * 5)),
    "subnet": parameters((8, b"\0\1\x18\0\xcb\0\x71")),
    "subnet of odd size": parameters((8, b"\0\1\x17\0\xcb\0\x70")),
    "subnet of IPv6": parameters((8, b"\0\2\x38\0\x20\1\x0d\xb8\0\0\0")),
    "no subnet": parameters((8, b"\0\1\0\0")),
    "error": parameters((15, b"\0\x0f")),
    "error with text": parameters((15, b"\0\x0fblocked\xc3\xa9\0")),
    "error with an empty text": parameters((15, b"\0\x0f\0")),
    "report channel": parameters((18, name("agent.example"))),
    "filtering contact": parameters((23, "straße".encode())),
    "name server's name": parameters((3, b"\xff\xfe")),
}
BAD = {
    "half a header": b"\0\x0a\0",
    "overrun": b"\0\x0a\0\x09abcdefgh",
    "cookie too short": parameters((10, b"1234567")),
    "cookie of no size": parameters((10, b"12345678a")),
    "cookie too long": parameters((10, b"1" * 41)),
    "subnet cut": parameters((8, b"\0\1\x18")),
    "subnet of no family": parameters((8, b"\0\3\x08\0a")),
    "subnet wider than IPv4": parameters((8, b"\0\1\x21\0abcde")),
    "scope wider than IPv4": parameters((8, b"\0\1\x08\x21a")),
    "subnet with too short an address": parameters((8, b"\0\1\x18\0\xcb\0")),
    "subnet with too long an address": parameters((8, b"\0\1\x08\0\xcb\0")),
    "subnet with more bits": parameters((8, b"\0\1\x17\0\xcb\0\x71")),
    "error cut": parameters((15, b"\0")),
    "error not in UTF-8": parameters((15, b"\0\0\xff")),
    "report channel with junk": parameters((18, name("a") + b"x")),
    "report channel compressed": parameters((18, b"\xc0\0")),
    "filtering database not in UTF-8": parameters((25, b"\x80")),
}


def is_accepted_by_dnspython(data: bytes) -> bool:
    try:
        dns.rdata.from_wire(RdataClass.IN, RdataType.OPT, data, 0, len(data))
    except dns.exception.DNSException:
        return False
    return True


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD.keys())
def test_good_options_are_accepted(data: bytes) -> None:
    assert is_accepted_by_dnspython(data)
    check_options(data + b"more", 0, len(data), {})


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_bad_options_are_refused(data: bytes) -> None:
    assert not is_accepted_by_dnspython(data)
    with pytest.raises((BadPacket, IndexError)):
        check_options(data, 0, len(data), {})
    with pytest.raises(BadPacket):
        check_options(data + b"\0" * 100, 0, len(data), {})
