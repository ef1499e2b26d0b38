# SPDX-License-Identifier: GPL-2.0-or-later
"""What the running product does with a device's packets: learned, reported, blocked, left alone.

What gets through is looked for on the wire behind the router, not asked of the product.
"""

import socket
from collections.abc import Callable, Iterator
from time import sleep, time

import pytest
from netns.guard_lab import (
    CAMERA,
    KINDS,
    KNOWN,
    NAMES,
    PATIENCE,
    PHONE,
    STRANGER,
    VERSIONS,
    Home,
    assert_nothing_is_lost,
    eventually,
    learned_home,
    queued,
    resent,
)

from smartrouter.lab import packets
from smartrouter.lab.plan import Way
from smartrouter.lab.traffic import Result

pytestmark = pytest.mark.netns

both = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture(scope="module")
def running() -> Iterator[Home]:
    with learned_home() as home:
        yield home


@pytest.fixture
def home(running: Home) -> Iterator[Home]:
    """The home in enforce mode, whatever the test before did."""
    if running.status()["guard"]["mode"] != "enforce":
        running.mode("enforce")
    yield running
    for device in (running.camera, running.tv):
        assert running.visit(device, "cloud.maker.example").ok, "what was learned always works"


# -- from learning to protecting -----------------------------------------------------------------------


@both
def test_a_device_learns_then_reports_in_monitor_mode_then_is_refused(home: Home, version: int) -> None:
    tv, (stranger, other) = home.tv, ("stranger.example", "other.example")
    home.mode("monitor")
    assert home.visit(tv, stranger, version).result == Result.CONNECTED
    address = NAMES[stranger][version == 6]
    seen = home.attempt(tv, address)
    assert (seen["verdict"], seen["reason"], seen["name"]) == ("accepted", "unknown-name", stranger)
    assert seen["evidence"] == "dns"
    home.mode("enforce")

    def told_at_once(name: str) -> bool:
        before = resent(tv)
        assert home.visit(tv, name, version).result == Result.REFUSED
        return resent(tv) == before

    assert any(map(told_at_once, (stranger, "third.example", "fourth.example")))
    seen = home.attempt(tv, address, 2)
    assert (seen["verdict"], seen["reason"]) == ("blocked", "unknown-name")
    home.learn(tv)
    assert home.visit(tv, other, version).ok
    assert home.attempt(tv, NAMES[other][version == 6])["reason"] in ("learning", "learned")
    home.protect(tv)
    assert home.visit(tv, other, version).ok
    assert home.attempt(tv, NAMES[other][version == 6], 2)["reason"] == "learned"
    assert home.visit(tv, stranger, version).result == Result.REFUSED
    for name in (other,):
        home.ask("forget", device=tv.mac, destination=name)
    assert home.visit(tv, other, version).result == Result.REFUSED


@both
def test_another_port_of_a_learned_name_is_unknown(home: Home, version: int) -> None:
    with home.wire() as wire:
        assert home.visit(home.camera, "cloud.maker.example", version, port=80).ok
        assert home.visit(home.camera, "cloud.maker.example", version, port=8883).result == Result.REFUSED
        assert home.visit(home.camera, "cloud.maker.example", version, port=23).result == Result.REFUSED
        at = slice(56, 58) if version == 6 else slice(36, 38)
        ports = {int.from_bytes(frame[at], "big") for frame in wire.to(KNOWN[version == 6])}
    assert ports - {443} == {80}  # the end of an earlier connection may come late


@both
def test_what_is_refused_hears_of_it_by_icmp(home: Home, version: int) -> None:
    address = ("198.51.100.71", "2001:db8:71::1")[version == 6]
    with home.camera.new_socket(
        socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_DGRAM
    ) as sock:
        sock.settimeout(PATIENCE)
        sock.connect((address, 5683))
        sock.send(b"hello")
        with pytest.raises((PermissionError, OSError)) as refused:
            sock.recv(100)
    assert not isinstance(refused.value, TimeoutError)
    assert home.camera.ping(address).result in (Result.PROHIBITED, Result.UNREACHABLE)
    assert not home.network.servers.arrived(address)
    assert home.attempt(home.camera, address, 2)["service"] in ("icmp", "icmpv6")


# -- odd packets ---------------------------------------------------------------------------------------

Odd = Callable[[Way], list[bytes]]

FIT: dict[str, tuple[tuple[int, ...], Odd]] = {
    "a SYN": (VERSIONS, lambda way: [packets.syn(way, 443)]),
    "a SYN behind options": (VERSIONS, lambda way: [packets.syn_with_ip_options(way, 443)]),
    "a SYN behind a routing header": ((6,), lambda way: [packets.syn_behind_routing_header(way, 443)]),
    "a SYN in an atomic fragment": ((6,), lambda way: [packets.atomic_fragment(way, 443)]),
    "a SYN cut into fragments": ((4,), lambda way: packets.tiny_fragments(way, 443)),
    "data without a connection": (VERSIONS, lambda way: [packets.bare_data(way, 443)]),
    "data to port 53 without one": (VERSIONS, lambda way: [packets.bare_data(way, 53)]),
    "one-way datagrams": (
        VERSIONS,
        lambda way: [packets.datagram(way, 7777, data=b"%d" % n) for n in range(5)],
    ),
    "a datagram to udp/443": (VERSIONS, lambda way: [packets.datagram(way, 443)]),
    "a datagram from port 53": (VERSIONS, lambda way: [packets.datagram(way, 4444, source_port=53)]),
    "a datagram to port 53 that is no query": (VERSIONS, lambda way: [packets.datagram(way, 53)]),
    "a query": (VERSIONS, lambda way: [packets.dns_query(way, "data.stranger.example")]),
    "a reply of its own": (
        VERSIONS,
        lambda way: [packets.dns_reply(way, "cloud.maker.example", "203.0.113.99")],
    ),
    "a DHCP request to the outside": (VERSIONS, lambda way: [packets.datagram(way, 67, source_port=68)]),
    "a datagram of no bytes": (VERSIONS, lambda way: [packets.datagram(way, 9999, data=b"")]),
    "a datagram in fragments": (VERSIONS, lambda way: packets.fragments(way, 5683)),
    "an echo request": (VERSIONS, lambda way: [packets.echo(way)]),
    "GRE": (VERSIONS, lambda way: [packets.gre(way)]),
    "IP in IP": (VERSIONS, lambda way: [packets.ip_in_ip(way)]),
    "SCTP": (VERSIONS, lambda way: [packets.sctp(way, 443)]),
    "an unknown protocol": (VERSIONS, lambda way: [packets.of_protocol(way, 253, b"\x01\xbb" * 20)]),
    "a protocol with nothing in it": (VERSIONS, lambda way: [packets.of_protocol(way, 254, b"")]),
    "no next header": ((6,), lambda way: [packets.of_protocol(way, 59, b"smuggled")]),
}
UNFIT: dict[str, tuple[tuple[int, ...], Odd]] = {
    "SYN and FIN": (VERSIONS, lambda way: [packets.strange_flags(way, 443, "SF")]),
    "no flags": (VERSIONS, lambda way: [packets.strange_flags(way, 443, "")]),
    "FIN, PSH and URG": (VERSIONS, lambda way: [packets.strange_flags(way, 443, "FPU")]),
    "a bad checksum": (VERSIONS, lambda way: [packets.bad_checksum(way, 443)]),
    "half a TCP header": (VERSIONS, lambda way: [packets.of_protocol(way, 6, b"\x9c\x40\x01\xbb" * 2)]),
    "a bare reset": (VERSIONS, lambda way: [packets.strange_flags(way, 443, "R")]),
    "an echo reply": (VERSIONS, lambda way: [packets.echo_reply(way)]),
}
ODD = FIT | UNFIT


def test_nothing_unknown_gets_out_in_enforce_mode_however_odd(home: Home) -> None:
    """Each kind of packet to an address of its own, so that a leak has a name."""
    addresses = odd_addresses(0x100)
    before = home.settled()[1]
    with home.wire() as wire:
        send_odd(home, addresses)
        sleep(0.2)
        leaked = {what for what, address in addresses.items() if wire.to(address)}
    assert not leaked
    after = home.settled()[1]
    assert after["invalid_dropped"] - before["invalid_dropped"] >= 8
    assert after["blocked"] - before["blocked"] >= 30
    assert after["unjudged_down"] == 0


def test_all_of_it_gets_out_in_monitor_mode(home: Home) -> None:
    addresses = odd_addresses(0x200)
    home.mode("monitor")
    with home.wire() as wire:
        send_odd(home, addresses)
        all_out = eventually(lambda: all(wire.to(address) for address in addresses.values()))
        kept = {what for what, address in addresses.items() if not wire.to(address)}
        five = addresses["one-way datagrams", 4], addresses["one-way datagrams", 6]
        assert all_out, kept
        assert eventually(lambda: [len(wire.to(address)) for address in five] == [5, 5])


def test_what_is_odd_but_to_a_known_destination_gets_out(home: Home) -> None:
    with home.wire() as wire:
        for version in VERSIONS:
            way = home.network.way_out(home.camera, KNOWN[version == 6])
            home.camera.send(
                packets.syn_with_ip_options(way, 443, source_port=41001),
                packets.bare_data(way, 443, source_port=41002),
            )
        assert eventually(lambda: all(len(wire.to(address)) >= 2 for address in KNOWN))


def odd_addresses(block: int) -> dict[tuple[str, int], str]:
    """An address for each kind of packet and version."""
    kinds = [(what, version) for what, (versions, _) in ODD.items() for version in versions]
    net = "198.51.100" if block == 0x100 else "192.0.2"
    return {
        kind: f"2001:db8:{block:x}::{number + 1:x}" if kind[1] == 6 else f"{net}.{100 + number}"
        for number, kind in enumerate(kinds)
    }


def send_odd(home: Home, addresses: dict[tuple[str, int], str]) -> None:
    for (what, _), address in addresses.items():
        home.camera.send(*ODD[what][1](home.network.way_out(home.camera, address)))
    home.barrier(home.camera)


def test_a_source_that_is_not_its_own_helps_no_device(home: Home) -> None:
    with home.wire() as wire:
        for version, forged in ((4, home.phone.ipv4), (4, "8.8.8.8"), (6, home.phone.ipv6)):
            address = ("198.51.100.72", "2001:db8:72::1")[version == 6]
            way = home.network.way_out(home.camera, address, source=forged)
            home.camera.send(packets.syn(way, 443), packets.datagram(way, 5683))
        home.barrier(home.camera)
        sleep(0.1)
        assert not wire.to("198.51.100.72")
        assert not wire.to("2001:db8:72::1")


def test_a_frame_to_everybody_is_no_way_out(home: Home) -> None:
    with home.wire() as wire:
        for version in VERSIONS:
            address = ("198.51.100.73", "2001:db8:73::1")[version == 6]
            for mac in ("ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "33:33:00:00:00:01"):
                way = home.network.way_out(home.camera, address)._replace(next_mac=mac)
                home.camera.send(packets.syn(way, 443), packets.datagram(way, 5683))
        home.barrier(home.camera)
        sleep(0.1)
        assert not wire.to("198.51.100.73")
        assert not wire.to("2001:db8:73::1")


FORGERY = """
table inet forgery {
    chain before {
        type filter hook prerouting priority raw; policy accept;
        iifname "br-lan" meta mark set 0x40010000
    }
    chain after {
        type filter hook postrouting priority filter; policy accept;
        oifname "wan" ip daddr 203.0.113.10 meta mark & 0xffff0000 == 0x00010000 counter
        oifname "wan" ip daddr 203.0.113.10 meta mark & 0xc0000000 != 0 counter
    }
}
"""


@both
def test_a_mark_that_somebody_else_set_opens_nothing_and_survives(home: Home, version: int) -> None:
    assert home.router.run(["nft", "-f", "-"], input=FORGERY).returncode == 0
    try:
        address = ("198.51.100.74", "2001:db8:74::1")[version == 6]
        assert home.camera.connect(address, 443).result == Result.REFUSED
        assert home.camera.udp(address, 5683, timeout=0.3).result != Result.ANSWERED
        assert not home.network.servers.arrived(address)
        assert home.visit(home.camera, "cloud.maker.example").ok
        listed = home.router.run(["nft", "list", "chain", "inet", "forgery", "after"]).stdout.splitlines()
        counted = [int(line.split("packets ")[1].split()[0]) for line in listed if "packets" in line]
        assert counted[0] > 0
        assert counted[1] == 0
    finally:
        home.router.run(["nft", "delete", "table", "inet", "forgery"])


# -- who and what is left alone ------------------------------------------------------------------------


def test_a_device_that_is_not_watched_is_in_no_queue_and_on_no_record(home: Home) -> None:
    assert_nothing_is_lost(home)  # nor still to be counted
    before_judged, before = home.settled()
    for version in VERSIONS:
        assert home.visit(home.phone, "stranger.example", version).ok
        assert home.phone.connect(("198.51.100.75", "2001:db8:75::1")[version == 6], 23).ok
        assert home.phone.udp(STRANGER[version == 6], 5683).ok
        assert home.phone.ping(STRANGER[version == 6]).ok
        assert home.phone.resolve("other.example", KINDS[version], server="9.9.9.9", tcp=True).addresses
    judged, kernel = home.settled()
    assert judged == before_judged
    assert kernel == before
    home.store()
    tables = ("names", "learned", "progress", "activity", "alerts")
    for table in tables:
        sql = f"SELECT count(*) FROM {table} JOIN devices ON devices.id = {table}.device WHERE mac = ?"
        assert home.product.rows(sql, PHONE) == [(0,)], table
        assert home.product.rows(sql, CAMERA) != [(0,)] or table == "alerts"


@both
def test_between_local_devices_and_to_the_router_nothing_is_blocked(home: Home, version: int) -> None:
    camera, pc = home.camera, home.pc
    here = (pc.ipv4, pc.ipv6)[version == 6]
    router = ("192.168.77.1", "fd77::1")[version == 6]
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    with home.router.new_socket(family, socket.SOCK_STREAM) as server:
        if version == 6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.bind((router, 2222))
        server.listen()
        assert camera.connect(router, 2222).ok
    assert camera.ping(router).ok
    assert camera.ping(here).ok
    assert camera.connect(here, 8080).result == Result.REFUSED  # by the PC itself: nobody serves there
    assert camera.resolve("cloud.maker.example", KINDS[version], server=router).addresses
    assert camera.resolve("cloud.maker.example", KINDS[version], server=router, tcp=True).addresses
    seen = home.attempt(camera, router)
    assert (seen["verdict"], seen["reason"], seen["scope"]) == ("accepted", "to-router", "router")
    assert seen["service"] == "tcp/2222"


@both
def test_to_another_local_network_nothing_is_blocked(home: Home, version: int) -> None:
    there = (home.printer.ipv4, home.printer.ipv6)[version == 6]
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    with home.printer.new_socket(family, socket.SOCK_STREAM) as server:
        server.bind((there, 9100))
        server.listen()
        assert home.camera.connect(there, 9100).ok
    assert home.camera.ping(there).ok
    seen = home.attempt(home.camera, there, 2)
    assert (seen["verdict"], seen["reason"], seen["scope"]) == ("accepted", "lan", "lan")
    assert not [alert for alert in home.alerts(home.camera) if there in alert["addresses"]]


# -- modes, rules, pause -------------------------------------------------------------------------------


@both
def test_a_device_may_have_a_mode_of_its_own(home: Home, version: int) -> None:
    address = ("198.51.100.76", "2001:db8:76::1")[version == 6]
    home.mode("monitor", home.tv)
    assert home.tv.connect(address, 443).ok
    assert home.camera.connect(address, 443).result == Result.REFUSED
    home.mode("enforce", home.tv)
    home.mode("monitor")
    assert home.tv.connect(address, 443).result == Result.REFUSED
    assert home.camera.connect(address, 443).ok
    home.mode("enforce")
    assert home.camera.connect(address, 443).result == Result.REFUSED


def test_a_rule_ends_by_itself(home: Home) -> None:
    network = "198.51.100.208/28"

    def counts(seconds: int) -> bool:
        until = float(int(time()) + seconds)
        home.ask("allow", device=CAMERA, destination=network, service="tcp/8883", until=until)
        passed = home.camera.connect("198.51.100.210", 8883).ok
        assert passed or time() > until
        return passed

    assert any(map(counts, (2, 10, 40)))
    assert home.camera.connect("198.51.100.210", 443).result == Result.REFUSED
    assert home.camera.connect("198.51.100.224", 8883).result == Result.REFUSED
    assert home.tv.connect("198.51.100.210", 8883).result == Result.REFUSED
    over = eventually(lambda: home.camera.connect("198.51.100.210", 8883).result == Result.REFUSED, 60.0)
    assert over


def test_a_pause_ends_by_itself_and_stands_above_no_denial(home: Home) -> None:
    home.ask("deny", device="*", destination="198.51.100.215")

    def counts(seconds: int) -> bool:
        begun = time()
        home.ask("pause", seconds=seconds)
        passed = home.camera.connect("198.51.100.216", 443).ok
        assert passed or time() > begun + seconds
        return passed

    assert any(map(counts, (2, 10, 40)))
    assert home.attempt(home.camera, "198.51.100.216")["reason"] == "paused"
    assert home.camera.connect("198.51.100.215", 443).result == Result.REFUSED
    assert eventually(lambda: not home.status()["guard"]["paused"], 60.0)
    assert eventually(lambda: home.camera.connect("198.51.100.216", 443).result == Result.REFUSED)


# -- the very end: the same packets again with `block_action drop`, and the books ----------------------


def test_what_is_dropped_is_dropped_in_silence(home: Home) -> None:
    configuration = home.product.config.read_text()
    home.product.config.write_text(
        configuration.replace("\toption enabled '1'", "\toption enabled '1'\n\toption block_action 'drop'")
    )
    home.ask("reload")
    try:
        for address in ("198.51.100.77", "2001:db8:77::1"):
            assert home.camera.connect(address, 443, timeout=0.3).result == Result.TIMED_OUT
            assert home.camera.udp(address, 5683, timeout=0.3).result == Result.TIMED_OUT
            assert not home.network.servers.arrived(address)
    finally:
        home.product.config.write_text(configuration)
        home.ask("reload")
    assert home.camera.connect("198.51.100.77", 443).result == Result.REFUSED


def test_every_packet_that_was_queued_was_judged(home: Home) -> None:
    assert_nothing_is_lost(home)
    judged, kernel = home.settled()
    assert sum(judged.values()) == queued(kernel)
    let_go = kernel["passed"] + kernel["blocked"] + kernel["unjudged_down"]
    came = sum(
        kernel[f"queued_{what}"] for what in ("flows", "lan", "queries", "shared", "hellos", "spoofed")
    )
    came += kernel["known"] + kernel["known_again"] + kernel["invalid_passed"] + kernel["over_limit_passed"]
    assert let_go == came - home.status()["guard"]["withheld"]
