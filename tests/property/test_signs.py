# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds of the readers of devices' own words whatever the bytes: bounded values or BadPacket, and the
same as scapy's messages say."""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.compat import raw
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dhcp6 import (
    DUID_LL,
    USER_CLASS_DATA,
    VENDOR_CLASS_DATA,
    DHCP6_RelayForward,
    DHCP6_Solicit,
    DHCP6OptClientFQDN,
    DHCP6OptClientId,
    DHCP6OptIA_NA,
    DHCP6OptIAAddress,
    DHCP6OptOptReq,
    DHCP6OptRelayMsg,
    DHCP6OptUserClass,
    DHCP6OptVendorClass,
)
from scapy.layers.dns import DNS, DNSRR, DNSRRSRV
from scapy.layers.inet import IP, TCP
from unit.made_dhcp import dhcp, dhcp6, option, option6, relayed

from smartrouter.core.classification.portrait import Portrait
from smartrouter.core.classification.signs import Announced, DhcpAsked, SynShape
from smartrouter.core.errors import BadPacket
from smartrouter.wire.dhcp import parse_dhcp, parse_dhcp6
from smartrouter.wire.mdns import MAX_TEXTS, parse_announcement
from smartrouter.wire.packet import parse_ip
from smartrouter.wire.ssdp import parse_notice
from smartrouter.wire.syn import syn_shape
from smartrouter.wire.texts import MAX_TEXT

EXAMPLES = 300 * max(1, round(float(os.environ.get("ROUNDS", "1"))))
MAC = "02:00:5e:00:53:2a"

host_labels = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", min_size=1, max_size=63
)
said = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60)


def shape(packet: bytes) -> SynShape:
    return syn_shape(packet, parse_ip(packet))


def is_bounded(value: DhcpAsked | Announced | SynShape) -> bool:
    match value:
        case DhcpAsked():
            texts: tuple[str, ...] = (value.hostname, value.vendor_class, value.user_class)
            return (
                max(map(len, texts)) <= MAX_TEXT and len(value.params) <= 255 and len(value.client_id) <= 260
            )
        case Announced():
            texts = (value.hostname, *value.services, *value.models, *value.names, *value.ids)
            return max(map(len, texts)) <= MAX_TEXT and max(map(len, value[1:])) <= MAX_TEXTS
        case SynShape():
            return len(value.options) <= 40


WELL_FORMED: dict[Callable[[bytes], DhcpAsked | Announced | SynShape], list[bytes]] = {
    parse_dhcp: [
        dhcp(
            option(52, b"\3"),
            option(81, b"\5\0\0\4lamp\0"),
            option(55, b"\1\3"),
            option(77, b"\3foo\3bar"),
            file=option(12, b"lamp") + b"\xff",
            sname=option(60, b"udhcp 1.19") + option(50, b"\xc0\xa8\1\2") + b"\xff",
        )
    ],
    parse_dhcp6: [
        relayed(
            dhcp6(
                option6(1, bytes.fromhex("0003000102005e00532a")),
                option6(3, bytes(12) + option6(5, bytes(15) + b"\1" + bytes(8))),
                option6(6, b"\0\x17\0\x18"),
                option6(16, b"\0\0\1\x37\0\x08MSFT 5.0"),
                option6(15, b"\0\3foo"),
                option6(39, b"\1\4lamp\0"),
            )
        )
    ],
    parse_announcement: [
        bytes(
            DNS(
                qr=1,
                an=[
                    DNSRR(rrname="_hap._tcp.local", ttl=120, type="PTR", rdata="Lamp._hap._tcp.local"),
                    DNSRRSRV(rrname="Lamp._hap._tcp.local", ttl=120, port=80, target="lamp.local"),
                    DNSRR(
                        rrname="Lamp._hap._tcp.local",
                        ttl=120,
                        type="TXT",
                        rdata=[b"md=X1", b"id=AA:BB:CC:DD:EE:FF"],
                    ),
                    DNSRR(rrname="lamp.local", ttl=120, type="A", rdata="192.168.1.2"),
                ],
            )
        )
    ],
    parse_notice: [
        b"NOTIFY * HTTP/1.1\r\nNT: urn:schemas-upnp-org:device:Basic:1\r\nNTS: ssdp:alive\r\n"
        b"SERVER: Linux/3.14.0 UPnP/1.0\r\nUSN: uuid:2f402f80-da50::upnp:rootdevice\r\n\r\n"
    ],
    shape: [
        bytes(
            IP(src="192.168.1.2", dst="203.0.113.7")
            / TCP(flags="S", options=[("MSS", 1460), ("SAckOK", b""), ("NOP", None), ("WScale", 7)])
        )
    ],
}  # fmt: skip


@pytest.mark.parametrize("parse", WELL_FORMED)
def test_what_the_mangled_bytes_are_made_of_is_well_formed(parse: Callable[[bytes], Any]) -> None:
    for wire in WELL_FORMED[parse]:
        assert any(parse(wire))


@pytest.mark.parametrize("parse", WELL_FORMED)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_any_bytes_give_a_bounded_value_or_bad_packet(
    parse: Callable[[bytes], Any], data: st.DataObject
) -> None:
    wire = bytearray(data.draw(st.sampled_from(WELL_FORMED[parse])))
    for _ in range(data.draw(st.integers(0, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    cut, tail = data.draw(st.integers(0, len(wire))), data.draw(st.binary(max_size=300))
    for variant in (bytes(wire), bytes(wire[:cut]), bytes(wire[:cut]) + tail, bytes(wire) + tail, tail):
        try:
            assert is_bounded(parse(variant))
        except BadPacket:
            pass


@settings(max_examples=EXAMPLES)
@given(
    host_labels,
    said,
    st.lists(st.integers(1, 254), max_size=255, min_size=1),
    st.binary(min_size=2, max_size=60),
)
def test_what_scapy_says_in_dhcp_is_read(hostname: str, vendor: str, params: list[int], ident: bytes) -> None:
    options = [
        ("message-type", "request"),
        ("hostname", hostname.encode()),
        ("vendor_class_id", vendor.encode()),
        ("param_req_list", params),
        ("client_id", ident),
        ("requested_addr", "192.168.1.9"),
        "end",
    ]
    wire = raw(BOOTP(chaddr=bytes.fromhex(MAC.replace(":", ""))) / DHCP(options=options))
    assert parse_dhcp(wire) == DhcpAsked(
        MAC, 4, 3, hostname, vendor[:MAX_TEXT], "", tuple(params), ident.hex(), "192.168.1.9"
    )


@settings(max_examples=EXAMPLES)
@given(
    st.lists(host_labels, min_size=1, max_size=3),
    said,
    st.lists(st.integers(1, 65535), max_size=40),
    st.integers(0, 4),
)
def test_what_scapy_says_in_dhcp6_is_read(
    parts: list[str], vendor: str, params: list[int], relays: int
) -> None:
    name = ".".join(parts)
    message = (
        DHCP6_Solicit()
        / DHCP6OptClientId(duid=DUID_LL(lladdr=MAC))
        / DHCP6OptIA_NA(ianaopts=[DHCP6OptIAAddress(addr="2001:db8::9")])
        / DHCP6OptOptReq(reqopts=params)
        / DHCP6OptVendorClass(enterprisenum=311, vcdata=[VENDOR_CLASS_DATA(data=vendor.encode())])
        / DHCP6OptUserClass(userclassdata=[USER_CLASS_DATA(data=b"one"), USER_CLASS_DATA(data=b"two")])
        / DHCP6OptClientFQDN(fqdn=name)
    )
    for _ in range(relays):
        message = DHCP6_RelayForward() / DHCP6OptRelayMsg(message=message)
    asked = parse_dhcp6(raw(message))
    assert asked._replace(client_id="") == DhcpAsked(
        MAC, 6, 1, name, vendor[:MAX_TEXT], "one two", tuple(params), "", "2001:db8::9"
    )


@settings(max_examples=EXAMPLES)
@given(host_labels, host_labels, said.filter(lambda text: any(map(str.isalpha, text))), st.booleans())
def test_what_scapy_announces_is_read(host: str, instance: str, model: str, probes: bool) -> None:
    of = f"{instance}._hap._tcp.local"
    records = [
        DNSRRSRV(rrname=of, ttl=120, port=80, target=f"{host}.local"),
        DNSRR(rrname=of, ttl=120, type="TXT", rdata=[b"md=" + model.encode(), b"id=AA:BB:CC:DD:EE:FF"]),
        DNSRR(rrname=f"{host}.local", ttl=120, type="A", rdata="192.168.1.2"),
    ]
    message = DNS(qr=0, ns=records) if probes else DNS(qr=1, an=records)
    assert parse_announcement(raw(message)) == Announced(
        host, ("_hap._tcp",), (model,), (instance,), ("aa:bb:cc:dd:ee:ff",)
    )


@settings(max_examples=EXAMPLES)
@given(
    st.lists(
        st.sampled_from(
            [
                ("MSS", 1460),
                ("SAckOK", b""),
                ("WScale", 7),
                ("NOP", None),
                ("Timestamp", (1, 0)),
                (254, b"ab"),
            ]
        ),
        max_size=4,
    ),
    st.integers(1, 255),
    st.integers(0, 65535),
)
def test_what_scapy_opens_is_read(options: list[Any], ttl: int, window: int) -> None:
    letters = {"MSS": "M", "SAckOK": "S", "WScale": "W", "NOP": "N", "Timestamp": "T", 254: "?"}
    packet = raw(
        IP(src="192.168.1.2", dst="203.0.113.7", ttl=ttl) / TCP(flags="S", window=window, options=options)
    )
    read = shape(packet)
    assert (read.window, read.options.rstrip("E")) == (window, "".join(letters[kind] for kind, _ in options))
    assert ttl <= read.ttl
    assert read.ttl in (32, 64, 128, 255)
    assert read.mss == (1460 if any(kind == "MSS" for kind, _ in options) else 0)


KEYS = [
    "mac", "dhcp4", "dhcp6", "hostname", "params", "client_id", "services", "ids", "shapes", "habits", "span",
    "last", "hours", "busiest", "opened", "asked", "times", "again", "groups", "personal",
]  # fmt: skip
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=EXAMPLES)
@given(junk)
def test_a_portrait_is_made_of_anything_and_stays_as_it_is_when_stored(stored: Any) -> None:
    portrait = Portrait.from_json(stored, MAC)
    again = Portrait.from_json(json.loads(json.dumps(portrait.to_json())))
    assert again.evidence("Maker") == portrait.evidence("Maker")
    again.named("www.maker.example", 1_700_000_000.0)
    assert again.evidence("").behaviour is not None


@settings(max_examples=EXAMPLES)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a.example", "b.example", "facebook.com", "203.0.113.7"]),
            st.booleans(),
            st.floats(0, 4e9),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_behaviour_is_consistent_whatever_the_clock_does(visits: list[tuple[str, bool, float]]) -> None:
    portrait = Portrait(MAC)
    for group, asks, at in visits:
        if asks:
            portrait.named(f"www.{group}", at)
        else:
            portrait.opened(None, group, at)
    found = portrait.evidence("").behaviour
    assert found is not None
    assert found.span >= 0
    assert 1 <= found.hours <= len(visits)
    assert found.busiest_hour <= found.groups <= len(visits)
    assert 1 <= found.attempts <= len(visits)
    assert 0 <= found.repeated < 1
