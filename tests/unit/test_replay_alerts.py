# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole captures replayed, of devices that misbehave: what is told of it, and how it is counted."""

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether
from scapy.layers.ntp import NTPHeader
from unit.made_hellos import first_flight, from_openssl, quic_client
from unit.made_traffic import (
    DEVICE,
    DEVICE_IP,
    OTHER_SERVER,
    PHONE,
    PHONE_IP,
    ROUTER,
    ROUTER_IP,
    SERVER,
    START,
    Timed,
    arp,
    asking,
    datagram,
    in_order,
    syn,
    told,
    write_pcap,
)

from smartrouter.core.destinations import Match
from smartrouter.core.policy import Mode
from smartrouter.replay import replay
from smartrouter.replay.options import Counted, Learn, Options

HOUR = 3600.0
LEARN = Learn(None, HOUR)
ALL = Options(learn=LEARN)
KEYS = {
    "mac", "destination", "service", "evidence", "kind", "reason", "severity", "first", "last", "count",
    "addresses",
}  # fmt: skip


def everything(tmp_path: Path, packets: list[Timed], options: Options = ALL) -> dict[str, Any]:
    return replay([write_pcap(tmp_path / "made.pcap", packets)], options).to_json()


def alerts(
    tmp_path: Path, packets: list[Timed], options: Options = ALL, **wanted: object
) -> list[dict[str, Any]]:
    found = everything(tmp_path, packets, options)["alerts"]
    assert all(set(each) >= KEYS for each in found)
    return [each for each in found if all(each[key] == value for key, value in wanted.items())]


@cache
def living(hours: float = 4.0) -> list[Timed]:
    """The device asks for its cloud and connects there, each ten minutes."""
    return in_order(
        *(
            [
                *told("cloud.example.com", [SERVER], START + at, ident=at % 60000),
                (START + at + 1, syn(sequence=at)),
            ]
            for at in range(0, int(hours * HOUR), 600)
        )
    )


def target(number: int) -> str:
    return f"198.51.{100 + number // 250}.{1 + number % 250}"


def scan(start: float, gap: float, port: int = 23, *, count: int = 254) -> list[Timed]:
    """SYNs to `count` addresses, each with one retransmission."""
    return in_order(
        *(
            [
                (start + gap * number + again, syn(target(number), port, sequence=10**6 + number))
                for again in (0.0, 1.03)
            ]
            for number in range(count)
        )
    )


# -- scans -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "gap", "port"),
    [
        (Mode.MONITOR, 0.02, 23),
        (Mode.MONITOR, 1.0, 2323),
        (Mode.MONITOR, 10.0, 443),
        (Mode.ENFORCE, 0.02, 443),
        (Mode.ENFORCE, 10.0, 23),
    ],
)
def test_a_scan_is_one_entry_that_counts_each_of_its_connections(
    tmp_path: Path, mode: Mode, gap: float, port: int
) -> None:
    start = START + 2 * HOUR
    found = everything(tmp_path, in_order(living(), scan(start, gap, port)), ALL._replace(mode=mode))
    (entry,) = found["alerts"]
    assert entry["destination"] is None
    assert (entry["kind"], entry["reason"], entry["severity"]) == ("scan", "scan", "critical")
    assert (entry["count"], len(entry["addresses"])) == (254, 254)
    assert entry["first"] == pytest.approx(start, abs=0.001)
    assert entry["last"] == pytest.approx(start + 253 * gap, abs=0.001)
    figures = found["devices"][DEVICE]
    assert (figures["alerts"], figures["alerted_connections"]) == (0, 0)
    assert figures["connections"] == 24 + 254
    assert figures["learned_destinations"] == 1


def test_a_scan_while_learning_is_told_of_and_not_learned(tmp_path: Path) -> None:
    found = everything(tmp_path, in_order(living(), scan(START + 600.5, 0.1)))
    (entry,) = found["alerts"]
    assert (entry["kind"], entry["count"]) == ("scan", 254)
    assert found["devices"][DEVICE]["learned_destinations"] == 1


def test_a_scan_of_ports_that_do_not_count_is_not_judged(tmp_path: Path) -> None:
    packets = in_order(living(), scan(START + 2 * HOUR, 0.1))
    found = everything(tmp_path, packets, ALL._replace(counted=Counted.WEB))
    assert found["alerts"] == []
    figures = found["devices"][DEVICE]
    assert (figures["connections"], figures["syn_packets"]) == (24, 24 + 2 * 254)


def test_what_comes_after_a_scan_is_told_by_itself_again(tmp_path: Path) -> None:
    late = [(START + 3.5 * HOUR, syn(OTHER_SERVER, sequence=99))]
    packets = in_order(living(), scan(START + 2 * HOUR, 0.1), late)
    found = everything(tmp_path, packets)
    assert sorted((each["kind"], each["count"]) for each in found["alerts"]) == [
        ("new-destination", 1),
        ("scan", 254),
    ]
    figures = found["devices"][DEVICE]
    assert (figures["alerts"], figures["alerted_connections"]) == (1, 1)


def test_a_scan_of_the_local_network_is_told_and_is_no_connection(tmp_path: Path) -> None:
    inside = [
        (START + 2 * HOUR + n * 0.1, syn(f"192.168.1.{n}", 2323, sequence=7000 + n, receiver=PHONE))
        for n in range(2, 250)
    ]
    found = everything(tmp_path, in_order(living(), inside))
    (entry,) = found["alerts"]
    assert (entry["kind"], entry["destination"], entry["count"]) == ("scan", None, 248)
    assert found["devices"][DEVICE]["connections"] == 24


def test_a_sweep_of_echo_requests_is_a_scan_and_no_connection(tmp_path: Path) -> None:
    def echo(number: int) -> bytes:
        return bytes(
            Ether(src=DEVICE, dst=ROUTER) / IP(src=DEVICE_IP, dst=target(number)) / ICMP(type=8, id=1)
        )

    sweep = [(START + 2 * HOUR + n * 0.1, echo(n)) for n in range(100)]
    found = everything(tmp_path, in_order(living(), sweep))
    (entry,) = found["alerts"]
    assert (entry["kind"], entry["count"], entry["destination"]) == ("scan", 100, None)
    assert found["devices"][DEVICE]["connections"] == 24
    for counted in (Counted.WEB, Counted.TCP):
        assert alerts(tmp_path, in_order(living(), sweep), ALL._replace(counted=counted)) == []


def test_an_echo_request_over_ipv6_and_a_tunnel_are_new_destinations(tmp_path: Path) -> None:
    ping = IPv6(src="2001:db8:1::5", dst="2001:db8:2::7") / ICMPv6EchoRequest()
    gre = IP(src=DEVICE_IP, dst=OTHER_SERVER, proto=47) / b"\0\0\x08\0"
    odd = [
        (START + 2 * HOUR + at, bytes(Ether(src=DEVICE, dst=ROUTER) / each))
        for at, each in enumerate((ping, gre, ping))
    ]
    found = alerts(tmp_path, in_order(living(), odd))
    assert [(each["kind"], each["service"]) for each in found] == [
        ("new-destination", "icmp"),
        ("new-destination", "gre"),
    ]


def test_udp_probes_are_a_scan(tmp_path: Path) -> None:
    probes = [
        (START + 2 * HOUR + n * 0.1, datagram(target(n), 5060 + n % 2, source_port=6000)) for n in range(200)
    ]
    (entry,) = alerts(tmp_path, in_order(living(), probes))
    assert (entry["kind"], entry["count"]) == ("scan", 200)


def test_ports_of_one_host_are_a_scan(tmp_path: Path) -> None:
    probes = [
        (START + 2 * HOUR + n * 0.1, syn(OTHER_SERVER, 1 + n, sequence=5000 + n, source_port=50000 + n))
        for n in range(254)
        if 1 + n != 53
    ]
    (entry,) = alerts(tmp_path, in_order(living(), probes))
    assert (entry["kind"], entry["count"], entry["addresses"]) == ("scan", 253, [OTHER_SERVER])
    assert entry["detail"].startswith("vertical")


def test_what_is_tried_now_and_then_for_days_is_no_scan(tmp_path: Path) -> None:
    stubborn = [
        (START + 2 * HOUR + at * 300 + n, syn(target(n), 8883, sequence=at * 10 + n))
        for at in range(200)
        for n in range(6)
    ]
    found = everything(tmp_path, in_order(living(), stubborn))
    assert [each["kind"] for each in found["alerts"]] == ["new-destination"] * 6
    assert {each["count"] for each in found["alerts"]} == {200}
    figures = found["devices"][DEVICE]
    assert (figures["alerts"], figures["alerted_connections"]) == (6, 1200)


# -- server names ------------------------------------------------------------------------------------------


def hello(name: str, at: float, *, server: str = OTHER_SERVER, sequence: int = 5000) -> list[Timed]:
    """A TLS connection of the device up to its first data, in two segments."""
    data = from_openssl(name)
    begin = IP(src=DEVICE_IP, dst=server)
    ports = {"sport": 45000, "dport": 443}
    parts = [
        TCP(**ports, flags="S", seq=sequence),
        TCP(**ports, flags="A", seq=sequence + 1, ack=1),
        TCP(**ports, flags="PA", seq=sequence + 1, ack=1) / data[:100],
        TCP(**ports, flags="PA", seq=sequence + 101, ack=1) / data[100:],
    ]
    return [
        (at + 0.01 * n, bytes(Ether(src=DEVICE, dst=ROUTER) / begin / part)) for n, part in enumerate(parts)
    ]


def quic(name: str, at: float) -> list[Timed]:
    return [
        (at + 0.01 * n, datagram(OTHER_SERVER, 443, source_port=46000, data=each))
        for n, each in enumerate(first_flight(quic_client(name)))
    ]


@pytest.mark.parametrize("build", [hello, quic])
def test_an_alert_without_a_name_is_labelled_by_the_hello(
    tmp_path: Path, build: Callable[[str, float], list[Timed]]
) -> None:
    packets = in_order(living(), build("evil.example.net", START + 2 * HOUR))
    (entry,) = alerts(tmp_path, packets)
    assert (entry["kind"], entry["reason"]) == ("new-destination", "unknown-address")
    assert (entry["destination"], entry["name"], entry["evidence"]) == (
        OTHER_SERVER,
        "evil.example.net",
        "hello",
    )


def test_a_hello_in_enforce_mode_says_nothing_since_the_connection_never_begins(tmp_path: Path) -> None:
    packets = in_order(living(), hello("evil.example.net", START + 2 * HOUR))
    (entry,) = alerts(tmp_path, packets, ALL._replace(mode=Mode.ENFORCE))
    assert (entry["evidence"], entry["name"]) == ("none", "")


@pytest.mark.parametrize("mode", Mode)
def test_another_name_at_a_learned_address_is_a_notice_if_it_comes_in_time(
    tmp_path: Path, mode: Mode
) -> None:
    late = hello("late.example.net", START + 2.5 * HOUR, sequence=3)
    packets = in_order(
        living(),
        hello("first.example.net", START + 60, sequence=1),
        hello("evil.example.net", START + 2 * HOUR, sequence=2),
        [late[0], *((at + 40.0, packet) for at, packet in late[1:])],
    )
    (entry,) = alerts(tmp_path, packets, ALL._replace(mode=mode))
    assert (entry["kind"], entry["severity"], entry["count"]) == ("fronting", "notice", 1)


def test_a_forged_name_in_a_hello_makes_nothing_known(tmp_path: Path) -> None:
    packets = in_order(living(), hello("cloud.example.com", START + 2 * HOUR))
    (entry,) = alerts(tmp_path, packets)
    assert (entry["kind"], entry["severity"]) == ("new-destination", "warning")


# -- DNS, the time, addresses --------------------------------------------------------------------------------


def test_requests_for_the_time_are_no_alert(tmp_path: Path) -> None:
    request = bytes(NTPHeader(version=4, mode=3))
    asked = [
        (START + 2 * HOUR + n * 60, datagram(target(n), 123, source_port=123, data=request))
        for n in range(100)
    ]
    assert alerts(tmp_path, in_order(living(), asked)) == []
    other = [(START + 2 * HOUR, datagram(OTHER_SERVER, 123, data=request + b"exfiltrated"))]
    assert [each["kind"] for each in alerts(tmp_path, in_order(living(), other))] == ["new-destination"]


@pytest.mark.parametrize(
    "packet",
    [
        syn(OTHER_SERVER, 853, sequence=9),
        datagram(OTHER_SERVER, 853),
        syn("1.1.1.1", 443, sequence=9),
        datagram("9.9.9.9", 443),
    ],
)
@pytest.mark.parametrize("at", [60.0, 2 * HOUR])
def test_encrypted_dns_is_named_while_learning_and_after(tmp_path: Path, packet: bytes, at: float) -> None:
    (entry,) = alerts(tmp_path, in_order(living(), [(START + at, packet)]))
    assert (entry["kind"], entry["severity"]) == ("encrypted-dns", "warning")


def test_data_in_names_is_one_named_alert(tmp_path: Path) -> None:
    chance = random.Random(4)
    queries = []
    for number in range(400):
        label = "".join(chance.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(55))
        data = asking(f"{label}.t.evil.example.net", ident=number)
        queries.append((START + 2 * HOUR + number, datagram(ROUTER_IP, 53, source_port=6000, data=data)))
    (entry,) = alerts(tmp_path, in_order(living(), queries), kind="dns-tunnel")
    assert entry["severity"] == "critical"
    assert entry["destination"] is not None


def test_a_phone_behind_a_plug_is_pointed_out(tmp_path: Path) -> None:
    names = ("graph.facebook.com", "api.twitter.com", "i.instagram.com", "www.tripadvisor.com")
    asked = [each for at, name in enumerate(names) for each in told(name, [OTHER_SERVER], START + 5 + at)]
    (entry,) = alerts(tmp_path, in_order(living(), asked), kind="person")
    assert entry["severity"] == "notice"


def test_an_address_that_goes_to_and_fro_is_told(tmp_path: Path) -> None:
    fight = [(START + 100 + at, arp((DEVICE, PHONE)[at % 2], DEVICE_IP)) for at in range(6)]
    talk = [(START + 50, syn(sender=PHONE, source=PHONE_IP, sequence=77))]
    (entry,) = alerts(tmp_path, in_order(living(), fight, talk))
    assert (entry["kind"], entry["destination"], entry["severity"]) == (
        "address-conflict",
        DEVICE_IP,
        "warning",
    )


def test_a_new_lease_is_not(tmp_path: Path) -> None:
    leases = [(START + 100, arp(DEVICE, DEVICE_IP)), (START + 7200, arp(PHONE, DEVICE_IP))]
    leases.append((START + 9000, arp(DEVICE, "192.168.1.99")))
    assert alerts(tmp_path, in_order(living(1.0), leases)) == []


def test_forged_sources_are_one_entry(tmp_path: Path) -> None:
    forged = [
        (START + 2 * HOUR + n, syn(OTHER_SERVER, 80, source=f"203.0.{n}.9", sequence=n)) for n in range(50)
    ]
    found = everything(tmp_path, in_order(living(), forged))
    (entry,) = [each for each in found["alerts"] if each["kind"] == "ip-spoofing"]
    assert (entry["count"], entry["severity"]) == (50, "critical")


@pytest.mark.parametrize(("match", "count"), [(Match.CHAIN, 0), (Match.DOMAIN, 0), (Match.HOST, 1)])
def test_the_match_says_what_is_the_same(tmp_path: Path, match: Match, count: int) -> None:
    more = [
        *told("api.example.com", [OTHER_SERVER], START + 2 * HOUR),
        (START + 2 * HOUR + 1, syn(OTHER_SERVER, sequence=99)),
    ]
    found = everything(tmp_path, in_order(living(), more), ALL._replace(match=match))
    assert len(found["alerts"]) == count
    assert found["devices"][DEVICE]["alerts"] == count


def test_figures_of_a_device_are_those_of_its_alerts(tmp_path: Path) -> None:
    """The sums over `alerts` and over `devices` are the same, whatever happens."""
    chance = random.Random(1)
    packets = list(living())
    for number in range(200):
        at = START + 1.5 * HOUR + chance.random() * 2 * HOUR
        match chance.randrange(5):
            case 0:
                packets += [*told(f"h{number % 20}.made{number % 7}.example.net", [target(number % 9)], at)]
            case 1 | 2:
                packets.append((at, syn(target(number % 40), chance.choice((80, 443, 23)), sequence=number)))
            case 3:
                packets.append((at, datagram(target(number % 9), 5000, source_port=number % 5 + 1)))
            case _:
                packets += hello(f"n{number}.example.net", at, server=target(number % 60), sequence=number)
    for mode in Mode:
        found = everything(tmp_path, in_order(packets), ALL._replace(mode=mode))
        loud = [
            each
            for each in found["alerts"]
            if each["kind"] == "new-destination" and each["severity"] in ("warning", "critical")
        ]
        figures = found["devices"][DEVICE]
        assert figures["alerts"] == len(loud)
        assert figures["alerted_connections"] == sum(each["count"] for each in loud)
        assert figures["alerts"] > 0


# -- mangled -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", Mode)
def test_mangled_captures_raise_nothing(tmp_path: Path, mode: Mode, rounds: Callable[[int], int]) -> None:
    packets = in_order(
        living(1.0),
        hello("evil.example.net", START + 2000),
        quic("evil.example.net", START + 2100),
        scan(START + 2200, 0.1, count=40),
        [(START + 100 + at, arp((DEVICE, PHONE)[at % 2], DEVICE_IP)) for at in range(6)],
    )
    chance = random.Random(7)
    for number in range(rounds(10)):
        broken = []
        for at, data in packets:
            mangled = bytearray(data)
            for _ in range(chance.randrange(4)):
                mangled[chance.randrange(12 if chance.random() < 0.9 else 0, len(mangled))] = (
                    chance.randrange(256)
                )
            broken.append(
                (at, bytes(mangled[: chance.choice((len(mangled), chance.randrange(14, len(mangled) + 1)))]))
            )
        options = ALL._replace(
            mode=mode, match=chance.choice(list(Match)), counted=chance.choice(list(Counted))
        )
        found = everything(tmp_path, broken, options._replace(learn=Learn(chance.random())))
        assert found["packets"] == len(packets), number


def upload(start: float, size: int, destination: str = SERVER) -> list[Timed]:
    """So many bytes in large datagrams, on one connection, within a few minutes."""
    count = -(-size // 50_000)
    return [(start + number, datagram(destination, 443, data=bytes(50_000))) for number in range(count)]


def test_an_upload_far_above_what_was_learned_is_told(tmp_path: Path) -> None:
    learned = Options(learn=Learn(None, 8 * HOUR))
    usual = [packet for hour in range(9) for packet in upload(START + hour * HOUR + 100, 4_000_000)]
    packets = in_order(living(10), usual, upload(START + 9 * HOUR + 200, 17_000_000))
    (found,) = alerts(tmp_path, packets, learned, kind="upload")
    assert (found["destination"], found["service"]) == ("example.com", "web")
    assert (found["severity"], found["reason"], found["count"]) == ("warning", "upload", 1)
    assert START + 9 * HOUR < found["first"] < START + 10 * HOUR
    no_more = in_order(living(10), usual, upload(START + 9 * HOUR + 200, 15_000_000))
    assert alerts(tmp_path, no_more, learned, kind="upload") == []


def test_what_is_sent_to_a_device_is_no_upload(tmp_path: Path) -> None:
    learned = Options(learn=Learn(None, HOUR))
    asked = (START + 2 * HOUR, datagram(OTHER_SERVER, 443, source_port=6000))
    large = IP(src=OTHER_SERVER, dst=DEVICE_IP) / UDP(sport=443, dport=6000) / bytes(50_000)
    told = [(START + 2 * HOUR + at, bytes(Ether(src=ROUTER, dst=DEVICE) / large)) for at in range(1, 300)]
    assert alerts(tmp_path, in_order(living(4), [asked], told), learned, kind="upload") == []
    sent = upload(START + 2 * HOUR + 400, 11_000_000, OTHER_SERVER)
    (found,) = alerts(tmp_path, in_order(living(4), [asked], told, sent), learned, kind="upload")
    assert found["destination"] == OTHER_SERVER
