# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections to addresses that nobody told the device a name for: named, and judged, by their first data.

Real TLS clients and servers, real QUIC datagrams. What gets through is looked for on the wire behind the
router, not asked of the product.
"""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep

import pytest
from netns.guard_lab import (
    CAMERA,
    NAMES,
    PATIENCE,
    VERSIONS,
    Home,
    Wire,
    assert_nothing_is_lost,
    assert_what_came_went,
    eventually,
    learned_home,
)
from unit.made_hellos import first_flight, from_openssl, quic_client

from smartrouter.lab import packets
from smartrouter.lab.hosts import Host
from smartrouter.lab.traffic import Result, family_of, say

pytestmark = pytest.mark.netns

both = pytest.mark.parametrize("version", VERSIONS)

KNOWN_NAME, STRANGER = "api4.maker.example", "stranger.example"  # the first is below what was learned
# The router's own lookup leads to the first of these, the second is anybody's.
OWN = {4: ("api4.maker.example", "203.0.113.20"), 6: ("api6.maker.example", "2001:db8:20::20")}
ELSEWHERE = {4: "203.0.113.166", 6: "2001:db8:166::66"}
TLS_PORT = 10443
# An address is looked up once, and has a name from then on: a server for each test that needs one without.
SERVERS = {
    f"s{number}.maker.example": [f"203.0.113.{100 + number}", f"2001:db8:100::{number}"]
    for number in range(1, 24)
}
names = {**NAMES, **{name: [address] for name, address in OWN.values()}, **SERVERS}
unused = iter(SERVERS)


@pytest.fixture(scope="module")
def running() -> Iterator[Home]:
    with learned_home({"unnamed_tls": "hello"}, names=names) as home:
        serve_tls(home)
        yield home


@pytest.fixture
def home(running: Home) -> Iterator[Home]:
    """The home in enforce mode, whatever the test before did."""
    if running.guard()["mode"] != "enforce":
        running.mode("enforce")
    pid = running.guard_pid()
    yield running
    assert running.guard_pid() == pid, running.product.last_words()
    assert running.guard()["faults"] == 0


def serve_tls(home: Home) -> None:
    """A real TLS 1.3 server answers at 203.0.113.20 and 203.0.113.21, 2001:db8:20::20 and ::21."""
    folder, internet = home.network.folder, home.internet
    key, certificate = folder / "tls.key", folder / "tls.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-subj", "/CN=test", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    for family in ("-4", "-6"):
        internet.popen(
            ["openssl", "s_server", family, "-port", str(TLS_PORT), "-key", key, "-cert", certificate,
             "-tls1_3", "-quiet", "-www"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    rules = f"""
        table inet tls {{
            chain c {{
                type nat hook prerouting priority dstnat;
                ip daddr {{ 203.0.113.20, 203.0.113.21 }} tcp dport 443 redirect to :{TLS_PORT}
                ip6 daddr {{ 2001:db8:20::20, 2001:db8:20::21 }} tcp dport 443 redirect to :{TLS_PORT}
            }}
        }}"""
    internet.run(["nft", "-f", "-"], input=rules, check=True)
    assert eventually(lambda: internet.run(["ss", "-ltn"]).stdout.count(f":{TLS_PORT}") == 2)


def handshake(device: Host, address: str, name: str) -> bool:
    """Does a real TLS 1.3 client reach the server? One that is neither let through nor refused fails."""
    at = f"[{address}]:443" if ":" in address else f"{address}:443"
    done = device.run(
        ["openssl", "s_client", "-connect", at, "-servername", name, "-tls1_3"], timeout=PATIENCE
    )
    return "TLSv1.3, Cipher is" in done.stdout


def withheld(home: Home) -> int:
    """How many packets were held back, for their sender to send them again."""
    return int(home.guard()["withheld"])


class Client:
    """A TCP connection of a device that says what the test says."""

    def __init__(self, device: Host, address: str, port: int = 443) -> None:
        self.socket = device.new_socket(family_of(address), socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect((address, port))

    def echoed(self, *pieces: bytes) -> bool:
        """Is everything answered by the server, which says it back? False after a reset."""
        whole = b"".join(pieces)
        back = b""
        try:
            for piece in pieces:
                self.socket.sendall(piece)
                sleep(0.05)
            while len(back) < len(whole) and (heard := self.socket.recv(65535)):
                back += heard
        except ConnectionResetError:
            return False
        return back == whole

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def payloads(wire: Wire, address: str) -> list[bytes]:
    """What TCP segments toward `address` carried, over the wire behind the router."""
    found = []
    for frame in wire.to(address):
        at = 14 + (40 if ":" in address else (frame[14] & 15) * 4)
        end = 14 + (40 + int.from_bytes(frame[18:20], "big") if ":" in address
                    else int.from_bytes(frame[16:18], "big"))  # fmt: skip
        data = frame[at + (frame[at + 12] >> 4) * 4 : end]
        if data:
            found.append(data)
    return found


def another(version: int) -> tuple[str, str]:
    """A known name, and the address that only the router's own lookup of it leads to."""
    name = next(unused)
    return name, SERVERS[name][version == 6]


def labelled(home: Home, address: str, name: str) -> bool:
    """Is the attempt at `address` called `name`, by what the device said there?"""

    def stored() -> bool:
        home.store()
        found = home.attempts(home.camera, address)
        return [(each["name"], each["evidence"]) for each in found] == [(name, "hello")]

    return eventually(stored)


# -- monitor -------------------------------------------------------------------------------------------


@both
def test_in_monitor_mode_a_server_name_labels_and_delays_nothing(home: Home, version: int) -> None:
    address = {4: "203.0.113.21", 6: "2001:db8:20::21"}[version]
    home.mode("monitor")
    before = withheld(home)
    assert handshake(home.camera, address, "label.example")
    assert withheld(home) == before
    assert labelled(home, address, "label.example")
    assert home.attempt(home.camera, address)["verdict"] == "accepted"


@both
def test_the_host_of_an_http_request_labels_too(home: Home, version: int) -> None:
    address = {4: "198.51.100.44", 6: "2001:db8:44::44"}[version]
    home.mode("monitor")
    with Client(home.camera, address, 80) as client:
        assert client.echoed(b"GET / HTTP/1.1\r\nHost: plain.example\r\n\r\n")
    assert labelled(home, address, "plain.example")


@both
def test_quic_is_labelled_by_its_first_datagram(home: Home, version: int) -> None:
    address = {4: "198.51.100.45", 6: "2001:db8:45::45"}[version]
    home.mode("monitor")
    (first, *_) = first_flight(quic_client("video.example"))
    assert home.camera.udp(address, 443, first).ok
    assert labelled(home, address, "video.example")


# -- enforce -------------------------------------------------------------------------------------------


@both
def test_a_known_name_passes_where_the_routers_own_lookup_leads_there(home: Home, version: int) -> None:
    (name, address), before = OWN[version], home.judged().get("known-hello", 0)
    assert handshake(home.camera, address, name)
    assert eventually(lambda: home.judged().get("known-hello", 0) > before)
    held = withheld(home)
    assert handshake(home.camera, address, name)
    assert withheld(home) == held  # the name has been looked up by now


@both
@pytest.mark.parametrize("name", [STRANGER, KNOWN_NAME], ids=["unknown", "known, but not there"])
def test_any_other_name_is_cut_and_no_byte_of_it_reaches_the_server(
    home: Home, version: int, name: str
) -> None:
    address, hello = ELSEWHERE[version], from_openssl(name)
    with home.wire() as wire:
        with Client(home.camera, address) as client:
            assert not client.echoed(hello)
        assert not handshake(home.camera, address, name)
        assert wire.to(address)
        assert payloads(wire, address) == []
    assert eventually(lambda: (address, "unknown-hello") in told(home))


def told(home: Home) -> set[tuple[str, str]]:
    """(address, reason) of the camera's alerts."""
    return {
        (address, alert["reason"]) for alert in home.alerts(home.camera) for address in alert["addresses"]
    }


@both
@pytest.mark.parametrize("at", [1, 5, 60, 200])
def test_a_hello_in_two_segments_is_joined(home: Home, version: int, at: int) -> None:
    name, address = another(version)
    hello = from_openssl(name)
    with Client(home.camera, address) as client:
        assert client.echoed(hello[:at], hello[at:])
    with home.wire() as wire, Client(home.camera, ELSEWHERE[version]) as client:
        assert not client.echoed(hello[:at], hello[at:])
        assert payloads(wire, ELSEWHERE[version]) == []


@both
def test_a_client_that_never_finishes_its_hello_gets_nothing_through(home: Home, version: int) -> None:
    with home.wire() as wire, Client(home.camera, ELSEWHERE[version]) as client:
        client.socket.sendall(from_openssl(KNOWN_NAME)[:50])
        sleep(1.0)
        assert payloads(wire, ELSEWHERE[version]) == []


@both
@pytest.mark.parametrize("said", [b"\x00\x01\x02\x03", b"SSH-2.0-x\r\n", b"\x16\x03\x01\x00\x04evil"])
def test_what_is_no_hello_is_cut(home: Home, version: int, said: bytes) -> None:
    with home.wire() as wire, Client(home.camera, ELSEWHERE[version]) as client:
        assert not client.echoed(said)
        assert payloads(wire, ELSEWHERE[version]) == []


@both
def test_a_client_that_ignores_its_reset_gets_nothing_through(home: Home, version: int) -> None:
    address = ELSEWHERE[version]
    with home.wire() as wire, deaf_to_resets(home.camera), Client(home.camera, address) as client:
        client.socket.sendall(from_openssl(STRANGER))
        for _ in range(8):  # its kernel keeps sending that
            sleep(0.25)
            client.socket.send(b"and this")
        assert payloads(wire, address) == []
        assert eventually(lambda: home.counters()["cut"] > 0)


@contextmanager
def deaf_to_resets(device: Host) -> Iterator[None]:
    table = """
        table inet deaf {
            chain c { type filter hook input priority 0; tcp flags & rst == rst drop; }
        }"""
    device.run(["nft", "-f", "-"], input=table, check=True)
    try:
        yield
    finally:
        device.run(["nft", "delete table inet deaf"], check=True)


@both
def test_a_syn_that_brings_data_is_judged_by_that(home: Home, version: int) -> None:
    """TCP Fast Open: the data would be through before anybody looked (RFC 7413)."""
    way = home.network.way_out(home.camera, ELSEWHERE[version])
    with home.wire() as wire:
        for number, name in enumerate((STRANGER, KNOWN_NAME)):
            home.camera.send(packets.syn_with_data(way, 443, from_openssl(name), 50000 + number))
        home.barrier(home.camera)
        assert payloads(wire, ELSEWHERE[version]) == []


@both
def test_quic_is_judged_by_its_first_datagram(home: Home, version: int) -> None:
    def sent(address: str, name: str) -> Result:
        (first, *_) = first_flight(quic_client(name))
        return home.camera.udp(address, 443, first).result

    servers = home.network.servers
    name, address = another(version)
    with home.camera.new_socket(family_of(address), socket.SOCK_DGRAM) as sock:
        (first, *_) = first_flight(quic_client(name))
        sock.connect((address, 443))
        assert say(sock, first, 0.3).result == Result.TIMED_OUT  # withheld until the name has been looked up
        assert eventually(lambda: say(sock, first, 0.3).answer == first)
    assert sent(ELSEWHERE[version], name) == Result.PROHIBITED
    assert sent(ELSEWHERE[version], STRANGER) == Result.PROHIBITED
    assert home.camera.udp(ELSEWHERE[version], 443, b"no hello at all").result == Result.PROHIBITED
    assert servers.arrived(ELSEWHERE[version], 443, "udp") == []


@both
def test_a_quic_hello_in_two_datagrams_is_held_until_it_is_whole(home: Home, version: int) -> None:
    name, address = another(version)
    first, second, *_ = first_flight(quic_client(name, *(f"h3-{number:0200}" for number in range(6))))
    servers, before = home.network.servers, withheld(home)
    with home.camera.new_socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.connect((address, 443))
        sock.send(first)
        sock.send(second)
        assert eventually(lambda: withheld(home) >= before + 2)
        assert servers.arrived(address, 443, "udp") == []
        assert eventually(lambda: say(sock, first, 0.3).answer == first)  # sent again, until looked up
    with home.camera.new_socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.connect((ELSEWHERE[version], 443))
        sock.send(first)
        assert say(sock, second, PATIENCE).result == Result.PROHIBITED
    assert servers.arrived(ELSEWHERE[version], 443, "udp") == []


@both
def test_only_https_may_begin_without_a_name(home: Home, version: int) -> None:
    for port in (80, 8443, 22):
        assert home.camera.connect(ELSEWHERE[version], port).result == Result.REFUSED


def test_what_judging_by_the_hello_blocks_it_does_not_learn(home: Home) -> None:
    learned = home.product.json("device", CAMERA)["destinations"]
    assert {each["name"] for each in learned} == {"maker.example"}


def test_every_packet_that_was_queued_was_judged(home: Home) -> None:
    assert_nothing_is_lost(home)
    assert_what_came_went(home)
    assert withheld(home) > 0


# -- what is usual -------------------------------------------------------------------------------------


def test_unless_asked_for_nothing_begins_without_a_name() -> None:
    with learned_home(names=names) as found:
        for version in VERSIONS:
            assert found.camera.connect(OWN[version][1], 443).result == Result.REFUSED
        assert found.kernel()["queued_hellos"] == 0
