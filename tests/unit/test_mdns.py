# SPDX-License-Identifier: GPL-2.0-or-later
"""What devices announce by multicast DNS, and what they only ask for."""

import struct
from pathlib import Path

import pytest
from counting import steps
from unit.made_messages import (
    AAAA,
    CH,
    PTR,
    REPLY,
    SRV,
    TO_QUESTION,
    TXT,
    UPDATE,
    A,
    dns_messages,
    ipv4,
    message,
    name,
    question,
    record,
    winding,
)

from smartrouter.core.classification.signs import Announced
from smartrouter.core.errors import BadPacket
from smartrouter.wire.mdns import MAX_MESSAGE, MAX_RECORDS, MAX_TEXTS, parse_announcement

ADDRESS = ipv4("192.168.1.9")
FLUSH = 0x8001  # class IN; forget what you knew


def texts(*pairs: str) -> bytes:
    """The data of a TXT record."""
    return b"".join(bytes([len(pair.encode())]) + pair.encode() for pair in pairs)


def service(instance: str, of: str) -> bytes:
    """The record that says that there is one."""
    return record(f"{of}.local", PTR, name(f"{instance}.{of}.local"))


def server(instance: str, at: str = "lamp.local") -> bytes:
    """… and where it is."""
    return record(f"{instance}.local", SRV, struct.pack("!3H", 0, 0, 80) + name(at), klass=FLUSH)


def response(*records: bytes) -> Announced:
    return parse_announcement(message([], records))


def test_an_announcement_is_read() -> None:
    announced = parse_announcement(
        message(
            [],
            [
                service("Kitchen Lamp", "_hap._tcp"),
                record("_services._dns-sd._udp.local", PTR, name("_hap._tcp.local")),
            ],
            [],
            [
                server("Kitchen Lamp._hap._tcp"),
                record(
                    "Kitchen Lamp._hap._tcp.local",
                    TXT,
                    texts("c#=1", "ID=AA:BB:CC:DD:EE:FF", "md=LCT015", "pv=1.1"),
                    klass=FLUSH,
                ),
                record("Lamp-1.local", A, ADDRESS, klass=FLUSH),
            ],
        )
    )
    assert announced == Announced(
        "Lamp-1", ("_hap._tcp",), ("LCT015",), ("Kitchen Lamp",), ("aa:bb:cc:dd:ee:ff",)
    )


@pytest.mark.parametrize(
    ("owner", "kind", "data", "hostname"),
    [
        ("Lamp.local", A, ADDRESS, "Lamp"),
        ("Lamp.local", AAAA, bytes(15) + b"\1", "Lamp"),
        (b"\7Lam\xc3\xbcpe\5local\0", A, ADDRESS, "Lamüpe"),
        ("lamp.example", A, ADDRESS, ""),
        ("a.lamp.local", A, ADDRESS, ""),
        ("local", A, ADDRESS, ""),
        ("", A, ADDRESS, ""),
    ],
)
def test_its_host_name_has_its_address(owner: bytes | str, kind: int, data: bytes, hostname: str) -> None:
    assert response(record(owner, kind, data)) == Announced(hostname)


def test_the_first_host_name_counts() -> None:
    assert response(record("a.local", A, ADDRESS), record("b.local", A, ADDRESS)).hostname == "a"


@pytest.mark.parametrize(
    ("given", "services", "names"),
    [
        (service("Lamp", "_hap._tcp"), ("_hap._tcp",), ("Lamp",)),
        (record("_universal._sub._ipp._tcp.local", PTR, name("P._ipp._tcp.local")), ("_ipp._tcp",), ("P",)),
        (server("Lamp._matter._udp"), ("_matter._udp",), ("Lamp",)),
        (record("_services._dns-sd._udp.local", PTR, name("_hap._tcp.local")), ("_hap._tcp",), ()),
        (record("_services._dns-sd._udp.local", PTR, name("x.local")), (), ()),
        (record("9.1.168.192.in-addr.arpa", PTR, name("lamp.local")), (), ()),
        (record("_hap._tcp.example", PTR, name("x._hap._tcp.example")), (), ()),
        (record("_HAP._TCP.local", PTR, name("Lamp._HAP._TCP.local")), ("_hap._tcp",), ("Lamp",)),
        (record("_hap._tcp.local", PTR, b"\4Lamp" + TO_QUESTION), ("_hap._tcp",), ("Lamp",)),
        (
            record(b"\x05a.b;c\4_hap\4_tcp\5local\0", TXT, b"\0"),
            ("_hap._tcp",),
            ("a.b;c",),
        ),
        (
            service("AABBCCDDEEFF@Living Room", "_raop._tcp"),
            ("_raop._tcp",),
            ("Living Room",),
        ),
        (service("AABBCCDDEEFF@", "_raop._tcp"), ("_raop._tcp",), ()),
        (record("_hap._tcp.local", PTR, name("_tcp.local")), ("_hap._tcp",), ()),
    ],
)
def test_services_and_their_names(given: bytes, services: tuple[str, ...], names: tuple[str, ...]) -> None:
    announced = response(given)
    assert (announced.services, announced.names) == (services, names)


@pytest.mark.parametrize(
    ("pair", "announced"),
    [
        ("md=Chromecast", Announced(models=("Chromecast",))),
        ("model=MacBookPro14,1", Announced(models=("MacBookPro14,1",))),
        ("ty=Brother HL-L2350DW", Announced(models=("Brother HL-L2350DW",))),
        ("am=AppleTV3,2", Announced(models=("AppleTV3,2",))),
        ("rpMd=iPhone14,5", Announced(models=("iPhone14,5",))),
        ("MD=X1", Announced(models=("X1",))),
        ("md=0,1,2", Announced()),
        ("md=", Announced()),
        ("md", Announced()),
        ("=md", Announced()),
        ("", Announced()),
        ("fn=Living Room TV", Announced(names=("Living Room TV",))),
        ("n=Echo", Announced(names=("Echo",))),
        ("name=Lamp=1", Announced(names=("Lamp=1",))),
        ("id=0F0E0D0C0B0A", Announced(ids=("0f0e0d0c0b0a",))),
        ("id=1", Announced()),
        ("deviceid=AA:BB:CC:DD:EE:FF", Announced(ids=("aa:bb:cc:dd:ee:ff",))),
        ("rpBA=AA:BB:CC:DD:EE:FF", Announced()),
        ("other=thing", Announced()),
        ("md=" + "x" * 252, Announced(models=("x" * 252,))),
    ],
)
def test_descriptions(pair: str, announced: Announced) -> None:
    assert response(record("lamp.example", TXT, texts(pair))) == announced


def test_of_a_key_that_comes_again_the_first_counts() -> None:
    assert response(record("x.local", TXT, texts("md=A1", "MD=B2", "ty=C3"))).models == ("A1", "C3")


def test_what_is_taken_back_is_not_announced() -> None:
    assert response(record("lamp.local", A, ADDRESS, ttl=0)) == Announced()


def test_other_classes_announce_nothing() -> None:
    assert response(record("lamp.local", A, b"", klass=CH)) == Announced()


def test_what_it_asks_for_or_knows_already_is_not_its_own() -> None:
    query = message(
        [question("_googlecast._tcp.local", PTR)],
        [service("Living Room TV", "_googlecast._tcp")],
        [],
        [record("other.local", A, ADDRESS)],
        flags=0,
    )
    assert parse_announcement(query) == Announced()


def test_a_probe_says_what_it_is_going_to_claim() -> None:
    probe = message(
        [question("Lamp.local", 255)],
        [],
        [record(TO_QUESTION, A, ADDRESS), server("Lamp._hap._tcp")],
        flags=0,
    )
    assert parse_announcement(probe) == Announced("Lamp", ("_hap._tcp",), (), ("Lamp",))


def test_what_is_not_used_may_hold_anything() -> None:
    nsec = record("lamp.local", 47, TO_QUESTION + b"\0\1\x40")  # RFC 6762 section 18.14 has it compressed
    assert (
        parse_announcement(message([question()], [nsec, record("lamp.local", A, ADDRESS)])).hostname == "lamp"
    )


BAD = {
    "empty": b"",
    "header cut": message()[:11],
    "question cut": message([question()])[:-1],
    "more records promised": message()[:7] + b"\1" + message()[8:],
    "record cut": message([], [record("lamp.local", A, ADDRESS)])[:-1],
    "record header cut": message([], [record("lamp.local", 99, b"")])[:-1],
    "something behind": message() + b"\0",
    "an update": message(flags=REPLY | UPDATE),
    "an address of three bytes": message([], [record("lamp.local", A, b"\1\2\3")]),
    "an address of 15 bytes": message([], [record("lamp.local", AAAA, bytes(15))]),
    "a pointer with junk": message([], [record("_hap._tcp.local", PTR, name("x.local") + b"\0")]),
    "a name that overruns": message([], [record("_hap._tcp.local", PTR, b"\1x")]),
    "a text that overruns": message([], [record("lamp.local", TXT, b"\4md=")]),
    "a name that leads to itself": message([], [record(b"\xc0\x0c", A, ADDRESS)]),
    "too many records": message([], [record("", 99, b"")] * (MAX_RECORDS + 1)),
    "longer than any": message([], [record("", 99, bytes(MAX_MESSAGE))]),
}  # fmt: skip


@pytest.mark.parametrize("wire", BAD.values(), ids=BAD.keys())
def test_a_malformed_message_is_refused(wire: bytes) -> None:
    with pytest.raises(BadPacket):
        parse_announcement(wire)


def test_a_message_that_breaks_off_anywhere_is_refused() -> None:
    whole = message([question()], [service("Lamp", "_hap._tcp"), record("Lamp.local", A, ADDRESS)])
    for size in range(len(whole)):
        with pytest.raises(BadPacket):
            parse_announcement(whole[:size])


COSTLY = {
    "names at the end of long chains": winding(120, 6000),
    "many services": message([], [service(f"i{n}", f"_s{n}._tcp") for n in range(120)]),
    "empty texts": message([], [record("", TXT, bytes(8900))]),
    "many keys": message([], [record("", TXT, texts(*[f"id={n:08}" for n in range(700)]))]),
    "different keys": message([], [record("", TXT, texts(*[f"k{n}=1" for n in range(1100)]))]),
    "many names": message([], [record("", TXT, texts(f"fn={n}", f"md=m{n}")) for n in range(250)]),
    "65,535 questions promised": b"\0\7\x80\0" + b"\xff" * 8000,
}


@pytest.mark.parametrize("wire", COSTLY.values(), ids=COSTLY.keys())
def test_no_message_costs_more_than_bounded_work_or_says_more_than_is_kept(wire: bytes) -> None:
    announced = Announced()

    def read() -> None:
        nonlocal announced
        try:
            announced = parse_announcement(wire)
        except BadPacket:
            pass

    assert len(wire) <= MAX_MESSAGE
    assert steps(read) < 100_000
    assert all(len(found) <= MAX_TEXTS for found in announced[1:])


def test_the_announcements_in_the_captures_are_read(shared: Path) -> None:
    read = []
    for wire in dns_messages(shared):
        try:
            read.append(parse_announcement(wire))
        except BadPacket:
            pass
    assert {"Philips hue - 2476FF", "D-Link HNAP Service"} <= {name for it in read for name in it.names}
    assert {"_hap._tcp", "_dhnap._tcp", "_http._tcp"} <= {found for it in read for found in it.services}
    assert {"DCS-935L-B0C554255B0E", "Lightify-017b5f6b"} <= {it.hostname for it in read}
