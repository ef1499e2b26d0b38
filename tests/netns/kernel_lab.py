# SPDX-License-Identifier: GPL-2.0-or-later
"""The smallest network on which the packet rules can be tried: three hosts around a router.

    device  (lan0) -- router -- (wan0) outside
    pc      (lan1) --

Each host is a network namespace; `inside(host)` puts the calling thread there. Nothing of the product
but the reader of its queues is used to build it.
"""

import contextlib
import ctypes
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from smartrouter.linux.queue import FLOWS_QUEUE, Marks, Queue, Ruling

CLONE_NEWNET = 0x40000000
DEVICE_MAC, PC_MAC = "02:5a:00:00:00:01", "02:5a:00:00:00:02"
MARKS = Marks(0x40000000, 0x80000000)
HOSTS = ("router", "device", "pc", "outside")
PATIENCE = 30.0  # seconds for what must happen: in an emulated machine it takes its time
ADDRESSES = {
    4: {"device": "10.1.0.2", "pc": "10.2.0.2", "outside": "198.51.100.2", "router": "10.1.0.1"},
    6: {"device": "fd01::2", "pc": "fd02::2", "outside": "2001:db8::2", "router": "fd01::1"},
}
SETUP = """
link add lan0 type veth peer name eth0 netns {device}
link add lan1 type veth peer name eth0 netns {pc}
link add wan0 type veth peer name eth0 netns {outside}
address add 10.1.0.1/24 dev lan0
address add fd01::1/64 dev lan0 nodad
address add 10.2.0.1/24 dev lan1
address add fd02::1/64 dev lan1 nodad
address add 198.51.100.1/24 dev wan0
address add 2001:db8::1/64 dev wan0 nodad
link set lan0 up
link set lan1 up
link set wan0 up
link set lo up
"""
HOST_SETUP = """
link set dev eth0 {mac} up
link set lo up
address add {four}/24 dev eth0
address add {six}/64 dev eth0 nodad
route add default via {gateway4}
route add ::/0 via {gateway6}
"""

_libc = ctypes.CDLL(None, use_errno=True)


class Lab:
    """Namespaces and wires; `namespace[host]` is a path. Use as a context manager."""

    def __init__(self) -> None:
        self._names = {host: f"sr-{os.getpid()}-k-{host}" for host in HOSTS}
        self.namespace = {host: f"/run/netns/{name}" for host, name in self._names.items()}
        self.withheld = 0  # packets that a test's handler dropped without a word

    def __enter__(self) -> "Lab":
        try:
            for name in self._names.values():
                run("ip", "netns", "add", name)
            self._ip("router", SETUP.format(**self._names))
            macs = {"device": f"address {DEVICE_MAC}", "pc": f"address {PC_MAC}", "outside": ""}
            for host, mac in macs.items():
                four, six = ADDRESSES[4][host], ADDRESSES[6][host]
                gateways = {"gateway4": four[:-1] + "1", "gateway6": six[:-1] + "1"}
                self._ip(host, HOST_SETUP.format(mac=mac, four=four, six=six, **gateways))
            with inside(self.namespace["router"]):
                for switch in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
                    Path("/proc/sys/net", switch).write_text("1")
                # The lab's own answers must not run into the limits of a real network.
                Path("/proc/sys/net/ipv4/icmp_ratelimit").write_text("0")
                Path("/proc/sys/net/ipv6/icmp/ratelimit").write_text("0")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._names.values():
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)

    def _ip(self, host: str, batch: str) -> None:
        run("ip", "-netns", self._names[host], "-batch", "-", text=batch)

    def at(self, host: str) -> "contextlib.AbstractContextManager[None]":
        """`with lab.at('device'):` everything the calling thread opens is the device's."""
        return inside(self.namespace[host])

    def nft(self, text: str) -> None:
        """Other packet rules on the router."""
        with self.at("router"):
            run("nft", "-f", "-", text=text)

    def listed(self) -> str:
        """All packet rules of the router."""
        with self.at("router"):
            return run("nft", "list", "ruleset")


def run(*command: str, text: str = "") -> str:
    """Output of a command that must succeed."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """The calling thread in another network namespace, and then back."""
    with open("/proc/thread-self/ns/net") as home, open(namespace) as there:
        _enter(there.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Seen(NamedTuple):
    """A packet as the handler was given it. `port`: the destination's, 0 without ports."""

    protocol: int
    destination: str
    port: int
    source_port: int
    mac: str | None
    hook: int
    mark: int


class Recorder:
    """A handler that says the same of every packet, and keeps what it saw."""

    def __init__(self, verdict: Ruling = True) -> None:
        self.verdict = verdict
        self.seen: list[Seen] = []
        self.concluded = self.settled = 0
        self.errors: list[BaseException] = []

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> Ruling:
        self.seen.append(look(payload, mac, hook, mark))
        return self.verdict

    def recall(self, packets: object) -> None:
        """It remembers nothing."""

    def conclude(self) -> None:
        self.concluded += 1

    def settle(self) -> None:
        self.settled += 1

    def failed(self, error: BaseException) -> Ruling:
        self.errors.append(error)
        return self.verdict

    def at(self, port: int) -> list[Seen]:
        """What went to this port."""
        return [seen for seen in self.seen if seen.port == port]


def look(payload: bytes, mac: str | None, hook: int, mark: int) -> Seen:
    """Just enough of an IP packet (without IPv6 extension headers)."""
    if payload[0] >> 4 == 4:
        protocol, start = payload[9], (payload[0] & 15) * 4
        destination = socket.inet_ntop(socket.AF_INET, payload[16:20])
    else:
        protocol, start = payload[6], 40
        destination = socket.inet_ntop(socket.AF_INET6, payload[24:40])
    source_port, port = 0, 0
    if protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP):
        source_port = int.from_bytes(payload[start : start + 2], "big")
        port = int.from_bytes(payload[start + 2 : start + 4], "big")
    return Seen(protocol, destination, port, source_port, mac, hook, mark)


@contextlib.contextmanager
def listening(
    lab: Lab, recorder: Recorder, number: int = FLOWS_QUEUE, marks: Marks = MARKS, **options: int
) -> Iterator[Queue]:
    """A queue of the router, served by `recorder` in a thread of its own."""
    with lab.at("router"):
        queue = Queue(number, recorder, marks, **options)
    stop = threading.Event()
    thread = threading.Thread(target=queue.serve, args=(stop, lambda: None))
    thread.start()
    try:
        yield queue
    finally:
        stop.set()
        thread.join(5)
        assert not thread.is_alive()


def family(version: int) -> socket.AddressFamily:
    """The socket family of IP `version`."""
    return socket.AF_INET if version == 4 else socket.AF_INET6


def bound(lab: Lab, host: str, version: int, kind: int, port: int) -> socket.socket:
    """A socket of `host` bound to `port`; a stream one listens, so that the kernel itself completes
    connections."""
    with lab.at(host):
        server = socket.socket(family(version), kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if version == 6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    server.settimeout(PATIENCE)
    server.bind(("" if version == 4 else "::", port))
    if kind == socket.SOCK_STREAM:
        server.listen(64)
    return server


@contextlib.contextmanager
def echoing(lab: Lab, host: str, version: int, port: int) -> Iterator[None]:
    """A UDP server of `host` that sends back what it gets."""
    server = bound(lab, host, version, socket.SOCK_DGRAM, port)
    server.settimeout(0.05)
    stop = threading.Event()

    def echo() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                data, peer = server.recvfrom(2048)
                server.sendto(data, peer)

    thread = threading.Thread(target=echo)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        server.close()


def connect(lab: Lab, host: str, version: int, to: str, port: int, patience: float = PATIENCE) -> str:
    """How a TCP connection fares: 'connected', 'reset', 'prohibited' or 'silence'."""
    with lab.at(host):
        client = socket.socket(family(version), socket.SOCK_STREAM)
    with client:
        client.settimeout(patience)
        return _outcome(lambda: client.connect((ADDRESSES[version][to], port)), "connected")


def ask(
    lab: Lab, host: str, version: int, to: str, port: int, patience: float = PATIENCE, payload: bytes = b"?"
) -> str:
    """How a UDP question fares: 'answered', 'reset' (port closed), 'prohibited' or 'silence'."""
    with lab.at(host):
        client = socket.socket(family(version), socket.SOCK_DGRAM)

    def question() -> None:
        client.connect((ADDRESSES[version][to], port))
        client.send(payload)
        client.recv(2048)

    with client:
        client.settimeout(patience)
        return _outcome(question, "answered")


def _outcome(attempt: Callable[[], object], success: str) -> str:
    try:
        attempt()
    except TimeoutError:
        return "silence"
    except ConnectionRefusedError:
        return "reset"
    except (PermissionError, OSError):
        return "prohibited"
    return success


def send(lab: Lab, host: str, packet: bytes) -> None:
    """Send an IP packet as it is."""
    version = packet[0] >> 4
    destination = look(packet, None, 0, 0).destination
    with lab.at(host), socket.socket(family(version), socket.SOCK_RAW, socket.IPPROTO_RAW) as sender:
        sender.sendto(packet, (destination, 0))


def eventually(condition: Callable[[], object], patience: float = PATIENCE) -> bool:
    """Whether `condition` comes true in time."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return bool(condition())


FLOOD = """
import socket, sys
address, first_port = sys.argv[1], int(sys.argv[2])
sender = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM)
port = 0
while True:
    try:
        sender.sendto(b'x', (address, first_port + port % 64))
    except OSError:
        pass
    port += 1
"""


@contextlib.contextmanager
def flooding(lab: Lab, host: str, address: str, first_port: int) -> Iterator[None]:
    """A process of `host` that sends datagrams to 64 ports of `address`, as fast as it can."""
    with lab.at(host):
        flood = subprocess.Popen([sys.executable, "-c", FLOOD, address, str(first_port)])
    try:
        yield
    finally:
        flood.kill()
        flood.wait()
