# SPDX-License-Identifier: GPL-2.0-or-later
"""What the product says that devices sent and received, beside what they did, on real connections: behind
address translation, while they are open and once they have ended."""

import os
import signal
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest
from netns.guard_lab import KNOWN, PATIENCE, STRANGER, VERSIONS, Home, eventually
from netns.kernel_lab import inside
from netns.test_guard_life import until_another_guard_runs

from smartrouter.core.events import Carried
from smartrouter.guard.volume import Volume
from smartrouter.lab.hosts import Host
from smartrouter.lab.network import Network
from smartrouter.lab.traffic import family_of
from smartrouter.linux import accounting, conntrack
from smartrouter.linux.netlink import Netlink
from smartrouter.store.volumes import Sums, volumes_of

pytestmark = pytest.mark.netns

HEADERS = {4: 20 + 8, 6: 40 + 8}  # bytes of a datagram's
MAKER = "maker.example"
UDP_PORT, TCP_PORT = 5000, 9100
NAMES = {"cloud.maker.example": KNOWN, "stranger.example": STRANGER}


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """Behind a router that translates addresses; nothing learns any more."""
    with Network(NAMES, masquerade=True) as network:
        found = Home(network, {"mode": "monitor"})
        network.start_router_dnsmasq()
        echo = Echo(network.internet)
        found.product.start()
        yield found
        echo.close()


class Echo:
    """Servers of the Internet, at any address, that send back whatever comes, however much."""

    def __init__(self, internet: Host) -> None:
        self._sockets = [
            internet.new_socket(family_of(any_), socket.SOCK_STREAM) for any_ in ("0.0.0.0", "::")
        ]
        for sock in self._sockets:
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(("", TCP_PORT))
            sock.listen()
            threading.Thread(target=self._accept, args=(sock,), daemon=True).start()

    def _accept(self, sock: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._echo, args=(sock.accept()[0],), daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while data := connection.recv(1 << 16):
                connection.sendall(data)

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()


class Stream:
    """A TCP connection of a device to an address that echoes."""

    def __init__(self, device: Host, address: str, port: int = TCP_PORT) -> None:
        self._socket = device.new_socket(family_of(address), socket.SOCK_STREAM)
        self._socket.settimeout(PATIENCE)
        self._socket.connect((address, port))

    def send(self, size: int) -> None:
        """Send so many bytes, and return when they have come back."""
        thread = threading.Thread(target=self._socket.sendall, args=(bytes(size),))
        thread.start()
        while size:
            size -= len(self._socket.recv(1 << 16))
        thread.join()

    def close(self) -> None:
        self._socket.close()


def datagrams(device: Host, address: str, count: int, size: int) -> None:
    """Send so many datagrams of so many bytes; each comes back."""
    with device.new_socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        for _ in range(count):
            sock.sendto(bytes(size), (address, UDP_PORT))
            assert len(sock.recv(1 << 16)) == size


def end_connections(router: Host, but: str = "") -> None:
    """Have the router's kernel end all connections that it knows, but those to one address."""

    def end() -> None:
        with Netlink() as link:
            conntrack.forget_all(link, [each for each in conntrack.flows(link) if each.address != but])

    router.inside(end)


def report(home: Home) -> None:
    """Have the guard say what it has counted: one that ends does."""
    pid = home.guard_pid()
    os.kill(pid, signal.SIGTERM)
    until_another_guard_runs(home, pid)
    assert eventually(lambda: counts(home))


def counts(home: Home) -> bool:
    """Does the guard run, and count?"""
    return bool(home.status()["guard"].get("volume", {}).get("problem") == "")


def sums(home: Home, device: Host) -> dict[tuple[str, str], Sums]:
    """What is stored of a device, by destination and service."""
    with closing(sqlite3.connect(f"file:{home.product.database}?mode=ro", uri=True)) as conn:
        return {(each.destination, each.service): each.total for each in volumes_of(conn, device.mac, 0.0)}


def test_what_was_carried_is_kept_as_it_was(home: Home) -> None:
    assert eventually(lambda: home.router.inside(accounting.is_on))
    assert eventually(lambda: counts(home))
    for version in VERSIONS:
        assert home.camera.resolve("cloud.maker.example", {4: "A", 6: "AAAA"}[version]).addresses
        datagrams(home.camera, KNOWN[version == 6], 10 * version, 1000)
        assert home.phone.resolve("cloud.maker.example").addresses
        datagrams(home.phone, KNOWN[version == 6], 3, 500)  # nobody watches that one
    with ExitStack() as closing_all:
        for device, address in ((home.camera, KNOWN[0]), (home.camera, KNOWN[1]), (home.tv, KNOWN[0])):
            stream = Stream(device, address)
            closing_all.callback(stream.close)
            stream.send(2_000_000)
    endless = Stream(home.camera, STRANGER[0])
    endless.send(300_000)
    assert eventually(lambda: home.status()["guard"]["volume"]["addresses"] >= 3, 20.0)  # of camera and TV
    end_connections(home.router, but=STRANGER[0])
    endless.send(300_000)
    report(home)
    found = sums(home, home.camera)
    datagrams_out = {version: 10 * version * (1000 + HEADERS[version]) for version in VERSIONS}
    assert found[MAKER, f"udp/{UDP_PORT}"] == Sums(
        sum(datagrams_out.values()), sum(datagrams_out.values()), 100, 100, 2
    )
    tcp = found[MAKER, f"tcp/{TCP_PORT}"]
    assert tcp.flows == 2
    for size in (tcp.bytes_out, tcp.bytes_in):
        assert 4_000_000 < size < 4_400_000
    tv = sums(home, home.tv)[KNOWN[0], f"tcp/{TCP_PORT}"]  # the TV has not asked for the name
    assert 2_000_000 < tv.bytes_out < 2_200_000
    assert sums(home, home.phone) == {}
    open_one = found[STRANGER[0], f"tcp/{TCP_PORT}"]
    assert 600_000 < open_one.bytes_out < 660_000
    assert open_one.flows == 1
    # The next guard goes on from there: nothing counts twice.
    endless.send(200_000)
    end_connections(home.router)
    endless.close()
    report(home)
    assert 800_000 < sums(home, home.camera)[STRANGER[0], f"tcp/{TCP_PORT}"].bytes_out < 880_000
    assert sums(home, home.camera)[MAKER, f"tcp/{TCP_PORT}"] == tcp


def test_what_is_shown_is_what_is_kept(home: Home) -> None:
    kept = sums(home, home.camera)
    shown = home.product.json("device", home.camera.mac)["volume"]
    assert {(each["name"], each["service"]): Sums(**each["total"]) for each in shown["destinations"]} == kept
    assert shown["total"]["bytes_out"] == sum(each.bytes_out for each in kept.values())
    assert shown["day"] == shown["total"]
    listed = {each["mac"]: each["volume"] for each in home.product.json("devices")}
    assert listed[home.camera.mac]["total"] == shown["total"]
    screen = home.product.command("device", home.camera.mac, width=100).stdout
    assert MAKER in screen.partition("What it sent and received")[2]


def test_an_upload_far_above_what_was_learned_is_told(home: Home) -> None:
    home.protect(home.tv)
    assert home.tv.resolve("stranger.example").addresses
    stream = Stream(home.tv, STRANGER[0])
    stream.send(11_000_000)
    stream.close()
    report(home)
    assert eventually(lambda: any(each["kind"] == "upload" for each in home.alerts(home.tv)))
    (alert,) = [each for each in home.alerts(home.tv) if each["kind"] == "upload"]
    assert (alert["destination"], alert["service"]) == ("stranger.example", f"tcp/{TCP_PORT}")
    assert (alert["severity"], alert["reason"], alert["blocked"]) == ("warning", "upload", 0)
    assert "11." in alert["detail"]
    said = home.product.command("alert", str(alert["id"])).stdout
    assert "Within an hour a device sent far more" in said
    assert not any(each["kind"] == "upload" for each in home.alerts(home.camera))


def test_with_counting_switched_off_it_is_said(home: Home) -> None:
    home.router.inside(lambda: accounting.turn(on=False))
    status = home.product.json("status")
    assert status["guard"]["volume"]["accounting"] is False
    assert any("does not count bytes" in need for need in status["needs"])
    checks = {each["name"]: each for each in home.product.json("doctor")["checks"]}
    assert checks["volume"]["level"] == "warning"
    assert "nf_conntrack_acct" in checks["volume"]["mend"]
    home.router.inside(lambda: accounting.turn(on=True))


def test_the_switch_is_left_as_it_was_found() -> None:
    with Network(NAMES) as network:
        found = Home(network, {})
        network.start_router_dnsmasq()
        found.product.start()
        assert eventually(lambda: network.router.inside(accounting.is_on))
        found.product.stop()
        assert network.router.inside(accounting.is_on) is False
        network.router.inside(lambda: accounting.turn(on=True))
        found.product.start()
        found.product.stop()
        assert network.router.inside(accounting.is_on) is True


def test_what_comes_too_fast_is_lost_and_counted(home: Home) -> None:
    flows = 3000
    carried: list[Carried] = []
    volume = Volume(("br-lan",), lambda: {home.pc.ipv4: home.pc.mac}, carried.append, room=64 << 10)
    stop = threading.Event()

    def serve() -> None:
        with inside(f"/run/netns/{home.router.namespace}"):
            volume.serve(stop)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert eventually(lambda: volume.status()["problem"] == "")
        flood(home.pc, flows)
        end_connections(home.router)
        assert eventually(lambda: volume.status()["lost"] > 0)
    finally:
        stop.set()
        thread.join(PATIENCE)
    seen = sum(transfer.flows for each in carried for transfer in each.transfers)
    assert 0 < seen < flows
    assert seen + volume.status()["lost"] >= flows


def flood(device: Host, flows: int) -> None:
    """So many connections of one datagram each."""
    for number in range(flows):
        with device.new_socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"x", (f"198.51.100.{number % 250}", 1000 + number))
