# SPDX-License-Identifier: GPL-2.0-or-later
"""What DHCP clients say, as real ones say it and as none should."""

import json
from pathlib import Path
from typing import Any

import pytest
from counting import steps
from scapy.utils import RawPcapReader
from unit.made_dhcp import END, MAC, dhcp, dhcp6, option, option6, relayed

from smartrouter.core.errors import BadPacket
from smartrouter.wire.dhcp import MAX_MESSAGE, parse_dhcp, parse_dhcp6
from smartrouter.wire.packet import parse_ethernet, parse_ip

NAME_ON_THE_WIRE = b"\7My-Lamp\3lan\0"


def test_a_message_is_read() -> None:
    asked = parse_dhcp(
        dhcp(
            option(53, b"\3"),
            option(61, b"\1\2\0\x5e\0\x53\x2a"),
            option(50, b"\xc0\xa8\1\x09"),
            option(12, b"My-Lamp"),
            b"\0\0",
            option(60, b"udhcp 1.19"),
            option(55, b"\1\3\6\x0f"),
        )
    )
    assert asked == (
        MAC, 4, 3, "My-Lamp", "udhcp 1.19", "", (1, 3, 6, 15), "0102005e00532a", "192.168.1.9",
    )  # fmt: skip


def test_what_is_not_said_is_empty() -> None:
    assert parse_dhcp(dhcp()) == (MAC, 4, 1, "", "", "", (), "", "")


@pytest.mark.parametrize(
    ("options", "hostname"),
    [
        ([option(12, b"lamp")], "lamp"),
        ([option(12, b"lamp\0\0")], "lamp"),
        ([option(12, b"Lampe f\xc3\xbcr alle")], "Lampe für alle"),
        ([option(12, b"lam\xffpe")], "lam\ufffdpe"),
        ([option(12, b"")], ""),
        ([option(12, b"x" * 255)], "x" * 253),
        ([option(12, b"livi"), option(60, b"v"), option(12, b"ng")], "living"),
        ([option(81, b"\1\0\0lamp.lan")], "lamp.lan"),
        ([option(81, b"\5\0\0" + NAME_ON_THE_WIRE)], "My-Lamp.lan"),
        ([option(81, b"\5\0\0\7My-Lamp")], "My-Lamp"),
        ([option(81, b"\5\0\0\0")], ""),
        ([option(81, b"\5\0\0")], ""),
        ([option(81, b"\0\0\0")], ""),
        ([option(81, b"\1\0\0other"), option(12, b"lamp")], "lamp"),
    ],
)
def test_host_names(options: list[bytes], hostname: str) -> None:
    assert parse_dhcp(dhcp(*options)).hostname == hostname


@pytest.mark.parametrize(
    ("said", "user_class"),
    [
        (b"android-dhcp", "android-dhcp"),
        (b"\4iPXE", "iPXE"),
        (b"\3foo\4barr", "foo barr"),
        (b"\3foo\7barr", "\3foo\7barr"),
        (b"\0\3foo", "\0\3foo"),
        (b"", ""),
    ],
)
def test_user_classes_are_plain_or_have_their_lengths_before_them(said: bytes, user_class: str) -> None:
    assert parse_dhcp(dhcp(option(77, said))).user_class == user_class


@pytest.mark.parametrize(
    ("wanted", "has", "address"),
    [
        (b"\xc0\xa8\1\x09", b"", "192.168.1.9"),
        (b"\xc0\xa8\1\x09", b"\xc0\xa8\1\7", "192.168.1.9"),
        (None, b"\xc0\xa8\1\7", "192.168.1.7"),
        (None, b"", ""),
        (bytes(4), b"", ""),
    ],
)
def test_the_address_is_the_one_wanted_else_the_one_it_has(
    wanted: bytes | None, has: bytes, address: str
) -> None:
    options = [] if wanted is None else [option(50, wanted)]
    assert parse_dhcp(dhcp(*options, ciaddr=has.ljust(4, b"\0"))).address == address


def test_options_go_on_in_the_fields_that_are_said_to_hold_some() -> None:
    file, sname = option(12, b"ng-ro") + END, b"\0" + option(12, b"om") + END
    for overload, hostname in ((b"\1", "living-ro"), (b"\2", "liviom"), (b"\3", "living-room")):
        message = dhcp(option(52, overload), option(12, b"livi"), file=file, sname=sname)
        assert parse_dhcp(message).hostname == hostname
    assert parse_dhcp(dhcp(option(12, b"livi"), file=file, sname=sname)).hostname == "livi"


def test_long_lists_are_cut() -> None:
    every = bytes(range(1, 256))
    asked = parse_dhcp(dhcp(option(55, every), option(55, every), option(61, every)))
    assert asked.params == tuple(every)
    assert asked.client_id == every[:130].hex()


@pytest.mark.parametrize(
    ("hardware", "mac", "said"),
    [((1, 6), MAC, MAC), ((6, 6), MAC, MAC), ((32, 6), MAC, ""), ((1, 0), MAC, ""), ((1, 6), "00" * 6, "")],
)
def test_only_a_mac_is_one(hardware: tuple[int, int], mac: str, said: str) -> None:
    assert parse_dhcp(dhcp(hardware=hardware, mac=mac)).mac == said


BAD = {
    "empty": b"",
    "no options": dhcp(end=b"")[:240],
    "BOOTP without a cookie": dhcp(cookie=bytes(4)),
    "a server's": dhcp(begin=b"\2"),
    "an offer": dhcp(option(53, b"\2")),
    "no kind": dhcp()[:240] + option(12, b"lamp") + END,
    "a kind of two bytes": dhcp(option(53, b"\1\1")),
    "a kind of no byte": dhcp(option(53, b"")),
    "the kind twice": dhcp(option(53, b"\1"), option(53, b"\1")),
    "an address of three bytes": dhcp(option(50, b"\1\2\3")),
    "an address of no byte": dhcp(option(50, b"")),
    "a hardware address longer than its field": dhcp(hardware=(1, 17)),
    "no end": dhcp(end=b""),
    "an option beyond the end": dhcp(option(12, b"lamp")[:-1], end=b""),
    "overloading what is not there": dhcp(option(52, b"\4")),
    "overloading twice": dhcp(option(52, b"\1"), option(52, b"\1"), file=END),
    "no end in the file": dhcp(option(52, b"\1"), file=bytes(128)),
    "no end in the server's name": dhcp(option(52, b"\2"), sname=b"\x0c\x3flamp"),
    "half a full name": dhcp(option(81, b"\5\0")),
    "a name that overruns": dhcp(option(81, b"\5\0\0\x09lamp")),
    "a name with a pointer": dhcp(option(81, b"\5\0\0\xc0\0")),
    "something behind a name": dhcp(option(81, b"\5\0\0" + NAME_ON_THE_WIRE + b"x")),
    "longer than any": dhcp() + bytes(MAX_MESSAGE),
}


@pytest.mark.parametrize("payload", BAD.values(), ids=BAD.keys())
def test_a_malformed_message_is_refused(payload: bytes) -> None:
    with pytest.raises(BadPacket):
        parse_dhcp(payload)


def test_a_message_that_breaks_off_anywhere_is_refused() -> None:
    whole = dhcp(option(12, b"lamp"), option(55, b"\1\3"))
    for size in range(len(whole)):
        with pytest.raises(BadPacket):
            parse_dhcp(whole[:size])


# RFC 9915 sections 11.2 to 11.5: of the link's address and a time, of an enterprise, of the link's address
LLT = bytes.fromhex("0001 0001 2a2b2c2d 02005e00532a")
EN = bytes.fromhex("0002 00000009 0cc084d303000912")
LL = bytes.fromhex("0003 0001 02005e00532a")
ADDRESS = bytes.fromhex("20010db8000000000000000000000009") + bytes(8)


def test_a_message_of_version_6_is_read() -> None:
    asked = parse_dhcp6(
        dhcp6(
            option6(1, LLT),
            option6(6, b"\0\x17\0\x18\1\x6f"),
            option6(3, bytes(12) + option6(5, ADDRESS)),
            option6(16, b"\0\0\1\x37" + b"\0\x08MSFT 5.0"),
            option6(15, b"\0\3foo\0\3bar"),
            option6(39, b"\1" + NAME_ON_THE_WIRE),
            kind=3,
        )
    )
    assert asked == (
        MAC, 6, 3, "My-Lamp.lan", "MSFT 5.0", "foo bar", (23, 24, 367), LLT.hex(), "2001:db8::9",
    )  # fmt: skip


def test_what_is_not_said_in_version_6_is_empty() -> None:
    assert parse_dhcp6(dhcp6(kind=11)) == ("", 6, 11, "", "", "", (), "", "")


@pytest.mark.parametrize(
    ("duid", "mac"),
    [
        (LLT, MAC), (LL, MAC), (EN, ""), (LL[:-1], ""), (LL[:2] + b"\0\x20" + LL[4:], ""), (b"\0", ""),
        (b"", ""),
    ],
)  # fmt: skip
def test_the_mac_stands_in_some_identifiers(duid: bytes, mac: str) -> None:
    asked = parse_dhcp6(dhcp6(option6(1, duid)))
    assert (asked.mac, asked.client_id) == (mac, duid.hex())


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ([option6(3, bytes(12))], ""),
        ([option6(3, bytes(12) + option6(5, bytes(24)))], ""),
        ([option6(3, bytes(12)), option6(3, bytes(12) + option6(5, ADDRESS))], "2001:db8::9"),
        ([option6(4, bytes(4) + option6(5, ADDRESS))], "2001:db8::9"),
    ],
)
def test_the_address_stands_in_an_association(options: list[bytes], address: str) -> None:
    assert parse_dhcp6(dhcp6(*options)).address == address


@pytest.mark.parametrize("name", [b"", b"\0", b"\0\0"])
def test_no_name_is_none(name: bytes) -> None:
    assert parse_dhcp6(dhcp6(option6(39, name))).hostname == ""


def test_what_relays_forward_is_read_up_to_four_of_them() -> None:
    message = dhcp6(option6(1, LL))
    for times in range(5):
        assert parse_dhcp6(relayed(message, times)).mac == MAC
    with pytest.raises(BadPacket):
        parse_dhcp6(relayed(message, 5))


BAD_6 = {
    "empty": b"",
    "header cut": b"\1\2\3",
    "a server's": dhcp6(kind=2),
    "a relay's reply": dhcp6(kind=13),
    "an option beyond the end": dhcp6(option6(1, LL)[:-1]),
    "half an option's header": dhcp6(b"\0\1\0"),
    "half a parameter": dhcp6(option6(6, b"\0\x17\0")),
    "a vendor class without an enterprise": dhcp6(option6(16, b"\0\0\1")),
    "a vendor class that overruns": dhcp6(option6(16, b"\0\0\1\x37\0\x09MSFT 5.0")),
    "a user class that overruns": dhcp6(option6(15, b"\0\4foo")),
    "an association that is cut": dhcp6(option6(3, bytes(11))),
    "an address that is cut": dhcp6(option6(3, bytes(12) + option6(5, bytes(15)))),
    "something behind a name": dhcp6(option6(39, b"\1" + NAME_ON_THE_WIRE + b"x")),
    "a relay that forwards nothing": b"\x0c\0" + bytes(32),
    "a relay that forwards an empty message": b"\x0c\0" + bytes(32) + option6(9, b""),
    "a relay cut": relayed(dhcp6())[:20],
    "longer than any": dhcp6(*[option6(65000, bytes(60000))]),
}


@pytest.mark.parametrize("payload", BAD_6.values(), ids=BAD_6.keys())
def test_a_malformed_message_of_version_6_is_refused(payload: bytes) -> None:
    with pytest.raises(BadPacket):
        parse_dhcp6(payload)


COSTLY = {
    "pads": dhcp(bytes(MAX_MESSAGE - 300)),
    "empty options": dhcp(*[option(12, b"")] * 1900),
    "one option in many parts": dhcp(*[option(81, b"\4")] * 1200),
    "user classes": dhcp(*[option(77, b"\1x" * 127)] * 14),
    "empty user classes": dhcp(*[option(77, bytes(254))] * 14),
}
COSTLY_6 = {
    "empty options": dhcp6(*[option6(6, b"")] * 1000),
    "associations": dhcp6(*[option6(3, bytes(12))] * 250),
    "addresses": dhcp6(option6(3, bytes(12) + option6(5, bytes(24)) * 140)),
    "texts": dhcp6(option6(15, b"\0\1x" * 1300)),
    "empty texts": dhcp6(option6(15, bytes(4000))),
    "relays": relayed(dhcp6(*[option6(6, b"")] * 900), 5),
}


@pytest.mark.parametrize("payload", COSTLY.values(), ids=COSTLY.keys())
def test_no_message_costs_more_than_bounded_work(payload: bytes) -> None:
    assert len(payload) <= MAX_MESSAGE
    assert steps(lambda: is_read(parse_dhcp, payload)) < 60_000


@pytest.mark.parametrize("payload", COSTLY_6.values(), ids=COSTLY_6.keys())
def test_no_message_of_version_6_costs_more_than_bounded_work(payload: bytes) -> None:
    assert len(payload) <= MAX_MESSAGE
    assert steps(lambda: is_read(parse_dhcp6, payload)) < 60_000


def is_read(parse: Any, payload: bytes) -> bool:
    try:
        parse(payload)
    except BadPacket:
        return False
    return True


def test_the_clients_in_the_captures_are_read(shared: Path) -> None:
    expected = json.loads((shared / "traces" / "expected.json").read_text())
    for file, facts in expected.items():
        said = what_clients_said(shared / "traces" / file)
        for mac, device in facts["devices"].items():
            asked = said.get(mac, [])
            names = {it.hostname for it in asked} - {""}
            assert (device["hostname"] or "") in (names or {""}), file
            assert (device["dhcp_vendor"] or "") in ({it.vendor_class for it in asked} or {""}), file
            params = {",".join(map(str, it.params)) for it in asked}
            assert (device["dhcp_prl"] or "") in (params or {""}), file


def what_clients_said(capture: Path) -> dict[str, list[Any]]:
    said: dict[str, list[Any]] = {}
    for data, _ in RawPcapReader(str(capture)):
        frame = parse_ethernet(data)
        if frame.ethertype != 0x0800:
            continue
        packet = parse_ip(data[frame.payload :])
        if (packet.protocol, packet.destination_port) == (17, 67):
            asked = parse_dhcp(data[frame.payload + packet.payload : frame.payload + packet.end])
            said.setdefault(asked.mac, []).append(asked)
    return said
