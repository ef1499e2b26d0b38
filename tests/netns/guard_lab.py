# SPDX-License-Identifier: GPL-2.0-or-later
"""A home with the real smartrouter on its router: what tests of the guard on real packets stand on.

Learning never ends by itself here; `protect` ends it. What a test wants to know of the product it asks the
control socket, the store, or the kernel; what a device did is seen on the wire behind the router.
"""

import os
import socket
import sqlite3
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any, NamedTuple

import dns.flags
import dns.message
import dns.name
import dns.rrset

from smartrouter.control import ask
from smartrouter.guard.accounts import ENTERED
from smartrouter.lab import traffic
from smartrouter.lab.dnsmasq import Names
from smartrouter.lab.hosts import Host
from smartrouter.lab.network import Network
from smartrouter.lab.plan import IOT
from smartrouter.lab.product import Product
from smartrouter.lab.traffic import family_of
from smartrouter.linux import ruleset
from smartrouter.wire.packet import Packet, parse_ip

CAMERA, TV, PHONE, PC = (f"02:00:00:00:6a:0{number}" for number in range(1, 5))
VERSIONS = (4, 6)
PATIENCE = 20.0  # seconds for what must happen, and happens in a moment where the machine is free
_SO_RCVBUFFORCE = 33  # asm-generic/socket.h
_SYN = 0x02
KINDS = {4: "A", 6: "AAAA"}

NAMES: Names = {
    "cloud.maker.example": ["203.0.113.10", "2001:db8:10::10"],
    "time.maker.example": ["203.0.113.12", "2001:db8:10::12"],
    "stranger.example": ["203.0.113.66", "2001:db8:66::66"],
    "other.example": ["203.0.113.67", "2001:db8:66::67"],
    "third.example": ["203.0.113.68", "2001:db8:66::68"],
    "fourth.example": ["203.0.113.69", "2001:db8:66::69"],
}
KNOWN, STRANGER = NAMES["cloud.maker.example"], NAMES["stranger.example"]


_OTHER_LAN = f"config smartrouter 'main'\n\tlist device '{IOT.bridge}'\n"  # sections of one name are one
PRINTER = {4: "192.168.78.14", 6: "fd78::e"}


class Home:
    """The lab with smartrouter running: a camera and a TV that are watched, a phone and a PC that are not.

    On another local network is a printer, which is not watched either.
    """

    def __init__(self, network: Network, options: Mapping[str, str], more: str = "") -> None:
        self.network = network
        self.router, self.internet = network.router, network.internet
        self.camera = network.add_device("camera", mac=CAMERA)
        self.tv = network.add_device("tv", mac=TV)
        self.phone = network.add_device("phone", mac=PHONE)
        self.pc = network.add_device("pc", mac=PC)
        network.add_lan(IOT)
        self.printer = network.add_device("printer", lan=IOT)
        assert (self.printer.ipv4, self.printer.ipv6) == (PRINTER[4], PRINTER[6])
        own = {"mode": "enforce", "learning": "14d", "analysis_interval": "1h"}
        self.product = Product(network, own | dict(options))
        watched = {"camera": CAMERA, "tv": TV}
        sections = [
            f"config device\n\toption mac '{mac}'\n\toption name '{name}'\n\toption watch 'always'\n"
            for name, mac in watched.items()
        ]
        with self.product.config.open("a") as config:
            config.write("\n".join([*sections, _OTHER_LAN, more]))

    # -- asking the product ----------------------------------------------------------------------------

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """One request at the control socket; raises SmartrouterError as the product words it."""
        return ask(str(self.product.run_dir), {"do": do, **arguments}, PATIENCE)

    def status(self) -> dict[str, Any]:
        """Without the guard's part, if that does not answer at once."""
        return self.ask("status")

    def whole_status(self) -> dict[str, Any]:
        """With the guard's part, once it answers."""
        found: dict[str, Any] = {}

        def is_whole() -> bool:
            found.update(self.status())
            return bool(found["guard"]["running"])

        assert eventually(is_whole), found["guard"]
        return found

    def guard(self) -> dict[str, Any]:
        """What the guard says of itself."""
        found: dict[str, Any] = self.whole_status()["guard"]
        return found

    def judged(self) -> dict[str, int]:
        """Packets that the guard judged, by reason."""
        found: dict[str, int] = self.guard()["judged"]
        return found

    def kernel(self) -> dict[str, int]:
        """The ruleset's counters."""
        found: dict[str, int] = self.guard()["kernel"]
        return found

    def counters(self) -> dict[str, int]:
        """The same, asked of the kernel itself: quick, and with no guard too."""
        return self.router.inside(ruleset.read_counters)

    def pairs(self) -> dict[str, int]:
        """How many pairs the kernel settles by itself, by how, as the guard has it."""
        found: dict[str, int] = self.guard()["pairs"]
        return found

    def guard_pid(self) -> int:
        return next(int(part["pid"]) for part in self.status()["parts"] if part["name"] == "guard")

    def learn(self, device: Host) -> None:
        self.ask("learn", device=device.mac)

    def protect(self, device: Host) -> None:
        self.ask("learn", device=device.mac, finish=True)

    def mode(self, mode: str, device: Host | None = None) -> None:
        self.ask("mode", mode=mode, device=device.mac if device else None)

    def attempts(self, device: Host, address: str) -> list[dict[str, Any]]:
        """What is stored of the attempts of `device` to `address`, oldest first."""
        file = f"file:{self.product.database}?mode=ro"
        with closing(sqlite3.connect(file, uri=True, timeout=PATIENCE)) as connection:
            connection.row_factory = sqlite3.Row
            rows = connection.execute(
                "SELECT * FROM timeline WHERE mac = ? AND address = ? ORDER BY id", (device.mac, address)
            ).fetchall()
        return [dict(row) for row in rows]

    def attempt(self, device: Host, address: str, count: int = 1) -> dict[str, Any]:
        """The newest of at least `count` attempts, once they are judged, and stored."""

        def stored() -> bool:
            self.store()
            return len(self.attempts(device, address)) >= count

        eventually(stored)
        found = self.attempts(device, address)
        assert len(found) >= count, f"{len(found)} of {count} attempts at {address} are stored"
        return found[-1]

    def told(self, device: Host) -> set[tuple[str, str]]:
        """Which (address, name) the device was told, as far as it is stored."""
        rows = self.product.rows(
            "SELECT address, name FROM names JOIN devices ON devices.id = names.device WHERE mac = ?",
            device.mac,
        )
        return {(row[0], row[1]) for row in rows}

    def alerts(self, device: Host) -> list[dict[str, Any]]:
        found = self.product.json("alerts")
        return [alert for alert in found if alert["mac"] == device.mac]

    def store(self) -> None:
        """Have all that came of packets so far stored: a decision is, before it is answered for."""
        self.ask("forget", device=CAMERA, destination="nobody.example")

    def settled(self) -> tuple[dict[str, int], dict[str, int]]:
        """(judged, kernel), once no packet waits in a queue any more."""
        assert eventually(lambda: not any(q["waiting"] for q in self.whole_status()["queues"].values()))
        found = self.guard()
        return found["judged"], found["kernel"]

    # -- what devices do -------------------------------------------------------------------------------

    def visit(self, device: Host, name: str, version: int = 4, port: int = 443) -> Any:
        """Ask for `name`, and connect to what was answered at once."""
        answer = device.resolve(name, KINDS[version])
        assert answer.addresses, (name, answer)
        return device.connect(answer.addresses[0], port)

    @contextmanager
    def wire(self) -> Iterator["Wire"]:
        """What crosses the wire behind the router from now on."""
        with self.internet.frames("wan") as sock:
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 16 << 20)
            yield Wire(sock)

    def barrier(self, device: Host) -> None:
        """Return when everything that `device` sent before has been judged: its next one was."""
        source = device.connect("198.51.100.250", 9, timeout=PATIENCE)
        assert source.result, "judged"


class Wire:
    """Frames on the wire to the Internet."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._frames: list[bytes] = []

    def to(self, address: str) -> list[bytes]:
        """The frames that crossed it toward `address`, so far."""
        self._take()
        packed = socket.inet_pton(family_of(address), address)
        at = slice(38, 54) if ":" in address else slice(30, 34)  # in Ethernet, without VLAN tags
        return [frame for frame in self._frames if frame[at] == packed]

    def pressing(self, address: str) -> list[Packet]:
        """Those packets of them that begin a connection or carry data: not the end of an earlier one, which
        may come late."""
        packets = [parse_ip(frame[14:]) for frame in self.to(address)]
        return [packet for packet in packets if packet.flags & _SYN or packet.payload < packet.end]

    def by(self, *addresses: str) -> list[Packet]:
        """The IP packets that crossed it and come from one of `addresses`, so far."""
        self._take()
        packets = [frame[14:] for frame in self._frames if frame[12:14] in (b"\x08\x00", b"\x86\xdd")]
        return [packet for packet in map(parse_ip, packets) if packet.source in addresses]

    def _take(self) -> None:
        self._sock.setblocking(False)
        while True:
            try:
                self._frames.append(self._sock.recv(65535))
            except BlockingIOError:
                return


@contextmanager
def home(
    options: Mapping[str, str] | None = None,
    more: str = "",
    names: Names = NAMES,
    resolving: Sequence[str] = (),
) -> Iterator[Home]:
    """A home that smartrouter guards, where the router's dnsmasq answers. `more`: of the configuration;
    `resolving`: of dnsmasq's."""
    with Network(names) as network:
        found = Home(network, options or {}, more)
        network.start_router_dnsmasq(options=resolving)
        found.product.start()
        yield found


@contextmanager
def learned_home(
    options: Mapping[str, str] | None = None,
    more: str = "",
    names: Names = NAMES,
    resolving: Sequence[str] = (),
) -> Iterator[Home]:
    """The same; camera and TV have learned cloud.maker.example as `web`, and are protected."""
    with home(options, more, names, resolving) as found:
        for device in (found.camera, found.tv):
            for version in VERSIONS:
                assert found.visit(device, "cloud.maker.example", version).ok
            found.protect(device)
        yield found


def assert_nothing_is_lost(found: Home, *, is_first: bool = True) -> None:
    """Every packet that the kernel queued was judged, and every one that it settled by itself recorded: to be
    asked with no packet on its way. `is_first`: no guard was there before, whose records the ruleset counts
    too.

    The kernel's own count of a queue is what the handler was given. The ruleset's counters may be less:
    there, several segments of TCP that travel as one are one packet.
    """
    queues: dict[str, dict[str, int]] = {}
    guard: dict[str, Any] = {}

    def agree() -> bool:
        nonlocal queues, guard
        status = found.whole_status()
        queues, guard = status["queues"], status["guard"]
        waiting = any(queue["waiting"] for queue in queues.values())
        judged = sum(guard["judged"].values()) == sum(q["queued"] for q in queues.values())
        recorded = not is_first or sum(guard["recorded"].values()) == logged(guard["kernel"])
        return not waiting and judged and recorded

    assert eventually(agree), (guard["judged"], queues, guard["recorded"], guard["kernel"])
    assert guard["unrecorded"] == 0
    assert (guard["accounts"]["gap_at_gate"], guard["accounts"]["gap_in_log"]) == (0, 0), guard["accounts"]
    assert not any(queue["dropped"] + queue["user_dropped"] for queue in queues.values())
    assert guard["faults"] == guard["judged"].get("our-error", 0) == 0
    assert sum(guard["judged"].values()) > 0


def assert_what_came_went(found: Home) -> dict[str, int]:
    """Every packet that the ruleset gave to the guard was judged, and every one that entered its gate left
    it, or was withheld: to be asked as above. Gives its counters."""
    guard: dict[str, Any] = {}

    def agree() -> bool:
        guard.update(found.guard())
        kernel = guard["kernel"]
        came = sum(kernel[name] for name in ENTERED)
        went = kernel["passed"] + kernel["blocked"] + kernel["unjudged_down"] + guard["withheld"]
        return bool(sum(guard["judged"].values()) == queued(kernel) and came == went)

    assert eventually(agree), guard
    kernel: dict[str, int] = guard["kernel"]
    return kernel


def queued(kernel: Mapping[str, int]) -> int:
    """How many packets the ruleset gave to the guard, by its counters."""
    return sum(
        kernel[name] for name in kernel if name.startswith(("queued_", "router_flows", "router_queries"))
    )


def logged(kernel: Mapping[str, int]) -> int:
    """How many packets the ruleset settled by itself, and logged, by its counters."""
    return kernel["known"] + kernel["blocked_again"] + kernel["denied"]


def opened(device: Host, address: str) -> socket.socket:
    """A connection of `device` to an echo server there, over which something was said."""
    sock = device.new_socket(family_of(address), socket.SOCK_STREAM)
    assert traffic.connect(sock, address, 443, PATIENCE, b"hello").ok
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # nothing of it is still to be sent
    return sock


class Background:
    """Something that a thread does (`_run`, until `_over` is set) while a block lasts."""

    def __init__(self) -> None:
        self._over = Event()

    def _run(self) -> None:
        raise NotImplementedError

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Within, it is done."""
        thread = Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()


def eventually(condition: Callable[[], object], patience: float = PATIENCE) -> bool:
    """Whether `condition` comes true in time."""
    end = monotonic() + patience
    while monotonic() < end:
        if condition():
            return True
        sleep(0.02)
    return bool(condition())


def whole_lines(path: Path) -> list[str]:
    """Those of a file that another process writes; none if there is no file yet."""
    text = path.read_text() if path.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines()


def resent(device: Host) -> int:
    """How many SYNs `device` has sent again, a second after one that nobody answered."""
    names, values = (
        line.split()
        for line in device.run(["cat", "/proc/net/netstat"]).stdout.splitlines()
        if line.startswith("TcpExt:")
    )
    return int(values[names.index("TCPSynRetrans")])


def alive(pid: int) -> bool:
    """Is there a process with this number that has not ended?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


# -- a resolver that does as a test says -------------------------------------------------------------------


class Asked(NamedTuple):
    """A query that reached the resolver under a test's control."""

    data: bytes
    peer: tuple[Any, ...]

    @property
    def ident(self) -> int:
        return int.from_bytes(self.data[:2], "big")


class Resolver:
    """A DNS server at `address` of the Internet, in the test's own hands: it answers nothing by itself."""

    def __init__(self, internet: Host, address: str) -> None:
        self.address = address
        self.socket = internet.new_socket(family_of(address), socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, 53))
        self.socket.settimeout(PATIENCE)

    def take(self) -> Asked:
        """The next query. Raises TimeoutError."""
        return Asked(*self.socket.recvfrom(65535))

    def say(self, asked: Asked, message: bytes) -> None:
        self.socket.sendto(message, asked.peer)

    def tell(self, device: Host, name: str, address: str) -> None:
        """Have `device` ask for `name`; returns when it has heard that this is `address`."""
        with device.new_socket(family_of(self.address), socket.SOCK_DGRAM) as sock:
            sock.settimeout(PATIENCE)
            sock.sendto(query(name, KINDS[6 if ":" in address else 4]), (self.address, 53))
            asked = self.take()
            self.say(asked, answer(name, [address], asked.ident))
            sock.recv(65535)

    def __enter__(self) -> "Resolver":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def query(name: str, kind: str = "A", ident: int = 4711) -> bytes:
    message = dns.message.make_query(name, kind, use_edns=False)
    message.id = ident
    return message.to_wire()


def answer(name: str, addresses: Iterable[str], ident: int = 4711, ttl: int = 300) -> bytes:
    """A reply that says so, and nothing else."""
    found = list(addresses)
    kind = "AAAA" if ":" in found[0] else "A"
    message = dns.message.make_query(name, kind, use_edns=False)
    message.id = ident
    message.flags |= dns.flags.QR | dns.flags.RA
    message.answer.append(dns.rrset.from_text(dns.name.from_text(name), ttl, "IN", kind, *found))
    return message.to_wire()


def framed(message: bytes) -> bytes:
    """As it is sent over TCP (RFC 1035 section 4.2.2)."""
    return struct.pack("!H", len(message)) + message


def status_of(pid: int) -> dict[str, str]:
    """/proc/PID/status (proc(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def processes_mentioning(text: str) -> list[int]:
    """The processes whose command line holds `text`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text in path.read_text() and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found
