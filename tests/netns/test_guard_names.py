# SPDX-License-Identifier: GPL-2.0-or-later
"""Names that reach a household in other ways than from the resolver that DHCP gave: DNS that the router takes
over, a resolver on the local network, and those who would abuse either. Real dnsmasqs answer."""

import socket
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pytest
from netns.guard_lab import (
    CAMERA,
    KINDS,
    NAMES,
    PATIENCE,
    VERSIONS,
    Home,
    Resolver,
    Wire,
    answer,
    assert_nothing_is_lost,
    eventually,
    learned_home,
    query,
    resent,
)

from smartrouter.lab import packets
from smartrouter.lab.dnsmasq import serve_neighbours
from smartrouter.lab.hosts import Host
from smartrouter.lab.plan import Way
from smartrouter.lab.traffic import Result
from smartrouter.wire.packet import Packet

pytestmark = pytest.mark.netns

both = pytest.mark.parametrize("version", VERSIONS)

PUBLIC = {4: "8.8.8.8", 6: "2606:4700:4700::1111"}
OTHER_PUBLIC = {4: ("8.8.4.4", "1.1.1.1"), 6: ("2606:4700:4700::1001", "2001:4860:4860::8888")}
ROUTER = {4: "192.168.77.1", 6: "fd77::1"}
PIHOLE = {4: "192.168.77.53", 6: "fd77::53"}
PIHOLE_MAC = "02:00:00:00:6a:53"
OTHERS = ["other.example", "third.example", "fourth.example", "stranger.example"]


def dns(wire: Wire, address: str) -> list[bytes]:
    """The frames to port 53 of `address`."""
    at = 14 + (40 if ":" in address else 20)
    return [frame for frame in wire.to(address) if int.from_bytes(frame[at + 2 : at + 4], "big") == 53]


@pytest.fixture(autouse=True)
def _nothing_went_wrong(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    for name in ("taken_over", "shared", "plain"):
        if name in request.fixturenames:
            home: Home = request.getfixturevalue(name)
            assert home.status()["guard"]["faults"] == 0, home.product.last_words()
            assert_nothing_is_lost(home)


# -- the router answers, whomever a device asks --------------------------------------------------------


@pytest.fixture(scope="module")
def taken_over() -> Iterator[Home]:
    with learned_home({"redirect_dns": "1", "block_action": "drop"}) as home:
        yield home


@both
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_the_router_answers_in_the_name_of_any_resolver(taken_over: Home, version: int, tcp: bool) -> None:
    home = taken_over
    name = OTHERS[2 * tcp]
    with home.wire() as wire:
        answered = home.camera.resolve(name, KINDS[version], server=PUBLIC[version], tcp=tcp)
        assert answered.addresses == (NAMES[name][version == 6],)
        assert dns(wire, PUBLIC[version]) == []
    home.camera.connect(answered.addresses[0], 443, timeout=0.3)
    seen = home.attempt(home.camera, answered.addresses[0])
    assert (seen["name"], seen["evidence"]) == (name, "dns")


@both
def test_even_a_resolver_that_is_not_there_answers(taken_over: Home, version: int) -> None:
    """And a foreign one is no alert, for it was not asked."""
    home = taken_over
    nobody = {4: "198.51.100.53", 6: "2001:db8:98::53"}[version]
    answered = home.camera.resolve("cloud.maker.example", KINDS[version], server=nobody)
    assert answered.addresses == (NAMES["cloud.maker.example"][version == 6],)
    assert home.camera.connect(answered.addresses[0], 443).ok
    assert "foreign-resolver" not in home.judged()


@both
def test_a_resolver_that_was_not_asked_names_nothing(taken_over: Home, version: int) -> None:
    """Its forged answer comes with the right number, from where the device believes that it asked."""
    home = taken_over
    lie = {4: "203.0.113.222", 6: "2001:db8:222::1"}[version]
    with home.camera.new_socket(*_datagrams(version)) as sock:
        sock.settimeout(PATIENCE)
        sock.sendto(query("cloud.maker.example", KINDS[version], ident=7), (PUBLIC[version], 53))
        forged = answer("cloud.maker.example", [lie], ident=7)
        way = home.network.way_in(PUBLIC[version], home.camera)
        port = sock.getsockname()[1]
        home.internet.send(packets.datagram(way, port, forged, source_port=53), interface="wan")
        assert sock.recv(1000)
    sleep(0.2)
    assert home.camera.connect(lie, 443, timeout=0.3).result == Result.TIMED_OUT
    assert home.attempt(home.camera, lie)["name"] == ""


@both
def test_a_device_that_is_not_watched_asks_whom_it_likes(taken_over: Home, version: int) -> None:
    with taken_over.wire() as wire:
        assert taken_over.phone.resolve("other.example", KINDS[version], server=PUBLIC[version]).addresses
        assert eventually(lambda: dns(wire, PUBLIC[version]))


@both
def test_dns_over_tls_is_refused_in_words(taken_over: Home, version: int) -> None:
    """Though blocked packets are else dropped silently, and in monitor mode too: so devices fall back."""
    home = taken_over
    stranger = NAMES["stranger.example"][version == 6]
    assert home.camera.connect(stranger, 22, timeout=0.3).result == Result.TIMED_OUT

    def told_at_once(address: str) -> bool:
        before = resent(home.camera)
        assert home.camera.connect(address, 853).result == Result.REFUSED
        return resent(home.camera) == before

    for mode in ("enforce", "monitor"):
        home.mode(mode)
        assert any(map(told_at_once, (PUBLIC[version], *OTHER_PUBLIC[version])))
        assert home.camera.udp(PUBLIC[version], 853).result == Result.PROHIBITED
        assert home.camera.resolve("other.example", KINDS[version], server=PUBLIC[version]).addresses
    home.mode("enforce")

    def refusals() -> int:
        guard = home.status()["guard"]
        return int(guard["judged"]["encrypted-dns"] + guard["recorded"]["blocked"])

    assert eventually(lambda: refusals() >= 4)
    assert home.network.servers.arrived(PUBLIC[version], 853) == []


def test_turning_it_off_lets_queries_go_where_they_are_sent() -> None:
    with learned_home({"redirect_dns": "1"}) as home, home.wire() as wire:
        assert home.camera.resolve("other.example", server=PUBLIC[4]).addresses
        assert dns(wire, PUBLIC[4]) == []
        before, after = (f"option redirect_dns '{value}'" for value in (1, 0))
        configuration = home.product.config.read_text()
        home.product.config.write_text(configuration.replace(before, after))
        home.ask("reload")
        assert home.camera.resolve("other.example", server=PUBLIC[4]).addresses
        assert eventually(lambda: dns(wire, PUBLIC[4]))


# -- a resolver on the local network -------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared() -> Iterator[Home]:
    more = "config smartrouter 'main'\n" + "".join(f"\tlist resolver '{it}'\n" for it in PIHOLE.values())
    with learned_home(more=more) as home:
        pihole = home.network.add_device("pihole", mac=PIHOLE_MAC, ipv4=PIHOLE[4], ipv6=PIHOLE[6])
        serve_neighbours(pihole, home.network.folder / "pihole.conf", PUBLIC[4])
        bridge = Path("/proc/sys/net/bridge")
        if bridge.is_dir():  # else what stays on one bridge is in nobody's sight anyway, as on most routers
            home.router.sysctl({f"net/bridge/bridge-nf-call-{kind}": 0 for kind in ("iptables", "ip6tables")})
        yield home


@pytest.fixture
def pihole(shared: Home) -> Host:
    return shared.network.hosts["pihole"]


@both
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_what_a_local_resolver_is_told_names_for_every_device(shared: Home, version: int, tcp: bool) -> None:
    """The router never sees the device's own question: it does not leave the local network."""
    home = shared
    name = OTHERS[2 * tcp + (version == 6)]
    device = home.camera
    answered = device.resolve(name, KINDS[version], server=PIHOLE[version], tcp=tcp)
    assert answered.addresses == (NAMES[name][version == 6],)
    for watched in (home.camera, home.tv):
        assert watched.connect(answered.addresses[0], 443).result == Result.REFUSED  # named, and not learned
        seen = home.attempt(watched, answered.addresses[0])
        assert (seen["name"], seen["evidence"], seen["reason"]) == (name, "shared", "unknown-name")


def test_what_is_learned_is_known_by_a_local_resolvers_word(shared: Home) -> None:
    home = shared
    address = NAMES["time.maker.example"][0]
    assert home.camera.connect(address, 443).result == Result.REFUSED
    assert home.camera.resolve("time.maker.example", server=PIHOLE[4]).addresses == (address,)
    assert home.camera.connect(address, 443).ok
    assert home.camera.connect(address, 22).result == Result.REFUSED


def test_its_queries_pass_though_enforced_and_never_wait_for_a_guard(shared: Home, pihole: Host) -> None:
    """Whoever it asks, and whether anybody judges."""
    home = shared
    assert home.kernel()["queued_shared"] > 0
    for server in (PUBLIC[4], PUBLIC[6]):
        assert pihole.resolve("other.example", KINDS[6 if ":" in server else 4], server=server).addresses


def test_forged_answers_to_a_local_resolver_name_nothing(shared: Home, pihole: Host) -> None:
    """From the outside with another number, or from the local network in a public resolver's name."""
    home = shared
    lie = ["203.0.113.222", "2001:db8:222::1"]
    for version, trusted in PUBLIC.items():
        with pihole.new_socket(*_datagrams(version)) as sock:
            sock.sendto(query("cloud.maker.example", KINDS[version], ident=7), (trusted, 53))
            port = sock.getsockname()[1]
            wrong = answer("cloud.maker.example", [lie[version == 6]], ident=8)
            way = home.network.way_in(trusted, pihole)
            home.internet.send(packets.datagram(way, port, wrong, source_port=53), interface="wan")
            right = answer("cloud.maker.example", [lie[version == 6]], ident=7)
            from_iot = home.network.way_out(home.printer, PIHOLE[version], source=trusted)
            home.printer.send(packets.datagram(from_iot, port, right, source_port=53))
        sleep(0.2)
        assert home.camera.connect(lie[version == 6], 443).result == Result.REFUSED
        assert home.attempt(home.camera, lie[version == 6])["name"] == ""


def test_a_foreign_resolver_names_nothing_for_a_local_one(shared: Home, pihole: Host) -> None:
    home = shared
    with Resolver(home.internet, "198.51.100.99") as foreign, pihole.new_socket(*_datagrams(4)) as sock:
        sock.settimeout(PATIENCE)
        sock.sendto(query("cloud.maker.example", ident=9), (foreign.address, 53))
        foreign.say(foreign.take(), answer("cloud.maker.example", ["203.0.113.223"], ident=9))
        assert sock.recv(1000)
    assert home.camera.connect("203.0.113.223", 443).result == Result.REFUSED


def _datagrams(version: int) -> tuple[int, int]:
    return (socket.AF_INET6 if version == 6 else socket.AF_INET), socket.SOCK_DGRAM


# -- forged sources ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain() -> Iterator[Home]:
    with learned_home() as home:
        yield home


def forged(home: Home, version: int) -> list[Way]:
    """From the camera to what it knows, in the name of somebody outside, and of another local network's."""
    sources = {4: ("203.0.113.99", "192.168.78.99"), 6: ("2001:db8:99::9", "fd78::99")}[version]
    known = NAMES["cloud.maker.example"][version == 6]
    return [home.network.way_out(home.camera, known, source=source) for source in sources]


def forged_out(home: Home, wire: Wire, version: int) -> list[Packet]:
    """What of that got out; what others say to the forged sources does not count."""
    sources = [way.source for way in forged(home, version)]
    known = NAMES["cloud.maker.example"][version == 6]
    return [packet for packet in wire.by(*sources) if packet.destination == known]


@both
def test_a_forged_source_passes_in_monitor_and_is_told_and_stops_in_enforce_mode(
    plain: Home, version: int
) -> None:
    home = plain
    known = NAMES["cloud.maker.example"][version == 6]
    for mode, passes in (("enforce", False), ("monitor", True)):
        home.mode(mode)
        home.camera.ping(ROUTER[version])
        with home.wire() as wire:
            for way in forged(home, version):
                home.camera.send(packets.datagram(way, 5000, b"forged", 1000), packets.syn(way, 443))
            home.barrier(home.camera)
            if passes:
                assert eventually(lambda: len(forged_out(home, wire, version)) == 4)
            else:  # not even in an error message
                assert not forged_out(home, wire, version)
                assert not any(wire.to(way.source) for way in forged(home, version))
    home.mode("enforce")
    assert eventually(lambda: home.judged()["spoofed-source"] >= 8)
    assert eventually(lambda: "ip-spoofing" in {alert["kind"] for alert in home.alerts(home.camera)})
    assert home.camera.connect(known, 443).ok  # its own source is as good as ever


def test_nothing_here_was_learned_by_a_forged_source(plain: Home) -> None:
    learned = plain.product.json("device", CAMERA)["destinations"]
    assert [each["name"] for each in learned] == ["maker.example"]
