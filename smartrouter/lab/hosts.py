# SPDX-License-Identifier: GPL-2.0-or-later
"""One machine of the lab: a network namespace with a thread that lives in it.

A socket belongs for ever to the namespace of the thread that made it, so the thread makes sockets and
anybody uses them: an attempt costs no process. Programs are started with `ip netns exec`, which also
gives them a resolv.conf of their own. Knows nothing of who is connected to whom (`network.py`).
"""

import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from time import monotonic, sleep
from typing import Any, TypeVar

from smartrouter.core.errors import Unavailable
from smartrouter.lab import traffic
from smartrouter.lab.traffic import Answer, Outcome, family_of

T = TypeVar("T")

PREFIX = "sr-"
PACKAGES = {"ip": "iproute2", "nft": "nftables", "dnsmasq": "dnsmasq-base"}  # program -> Debian's package
PATIENCE = 20.0  # seconds for an attempt: who hears nothing sends a SYN again after 1, 3, 7 and 15
_NETNS = Path("/run/netns")  # where iproute2 keeps namespaces
_ETC_NETNS = Path("/etc/netns")  # and what it lays over /etc in them (ip-netns(8))
_CLONE_NEWNET = 0x40000000  # linux/sched.h
_ETH_P_ALL = 3  # linux/if_ether.h
_libc = ctypes.CDLL(None, use_errno=True)


class Host:
    """A machine: `mac`, `ipv4` and `ipv6` are those of its `eth0`, '' where it has none (yet)."""

    def __init__(self, name: str, namespace: str) -> None:
        self.name = name
        self.namespace = namespace
        self.mac = self.ipv4 = self.ipv6 = ""
        self.resolver = ""  # whom `resolve` asks if nobody else is named
        self.processes: list[subprocess.Popen[Any]] = []
        command(["ip", "netns", "add", namespace])
        self._work: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        # A daemon, so that an interruption at any moment leaves no thread that the process would wait for.
        self._resident = threading.Thread(target=self._reside, name=namespace, daemon=True)
        self._resident.start()
        self.ip("link set lo up")
        self.sysctl(
            {
                "net/ipv6/conf/all/disable_ipv6": 0,
                "net/ipv6/conf/default/disable_ipv6": 0,
                "net/ipv6/conf/all/accept_dad": 0,  # addresses are usable at once
                "net/ipv6/conf/default/accept_dad": 0,
                "net/ipv4/ping_group_range": "0 0",
            }
        )

    # -- setting up ------------------------------------------------------------------------------------

    def ip(self, batch: str) -> None:
        """Run `ip` commands in the namespace, one a line."""
        command(["ip", "-n", self.namespace, "-batch", "-"], input=batch)

    def sysctl(self, values: Mapping[str, int | str]) -> None:
        """Set kernel parameters (`net/ipv4/ip_forward`) in the namespace."""

        def write() -> None:
            for path, value in values.items():
                Path("/proc/sys", path).write_text(str(value))

        self.inside(write)

    def set_resolver(self, address: str) -> None:
        """Ask this resolver from now on; programs started in the namespace do too."""
        self.resolver = address
        folder = _ETC_NETNS / self.namespace
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "resolv.conf").write_text(f"nameserver {address}\n")

    # -- programs --------------------------------------------------------------------------------------

    def run(
        self,
        argv: Sequence[str | Path],
        timeout: float = 20.0,
        input: str = "",  # noqa: A002 - as subprocess calls it
        check: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the namespace to its end and keep what it prints, as subprocess.run does."""
        return subprocess.run(
            self._in_namespace(argv),
            timeout=timeout,
            input=input,
            check=check,
            env=env,
            capture_output=True,
            text=True,
        )

    def popen(self, argv: Sequence[str | Path], **options: Any) -> subprocess.Popen[Any]:
        """Start a program in the namespace, in a session of its own; it ends with the host at the latest."""
        options = {"stdin": subprocess.DEVNULL, "start_new_session": True} | options
        process = subprocess.Popen(self._in_namespace(argv), **options)
        self.processes.append(process)
        return process

    def _in_namespace(self, argv: Sequence[str | Path]) -> list[str]:
        return ["ip", "netns", "exec", self.namespace, *map(str, argv)]

    # -- sockets ---------------------------------------------------------------------------------------

    def inside(self, what: Callable[..., T], *arguments: Any) -> T:
        """Call `what` in the thread that lives in the namespace. It must be quick: there is one thread."""
        done: Future[T] = Future()
        self._work.put((partial(what, *arguments), done))
        return done.result(timeout=20.0)

    def _reside(self) -> None:
        trouble: OSError | None = None
        try:
            _enter(self.namespace)
        except OSError as error:
            trouble = error
        while (item := self._work.get()) is not None:
            what, done = item
            try:
                if trouble:
                    raise trouble
                done.set_result(what())
            except Exception as error:  # the caller's, in the caller's thread
                done.set_exception(error)

    def new_socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket that belongs to this host."""
        return self.inside(socket.socket, family, kind, protocol)

    def connect(
        self, address: str, port: int, timeout: float = PATIENCE, say: bytes = b"", source_port: int = 0
    ) -> Outcome:
        """Try a TCP connection and close it; with `say`, also send that and wait for an answer."""
        with self.new_socket(family_of(address), socket.SOCK_STREAM) as sock:
            if source_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind(("", source_port))
            return traffic.connect(sock, address, port, timeout, say)

    def udp(
        self, address: str, port: int, data: bytes = b"hello", timeout: float = PATIENCE, source_port: int = 0
    ) -> Outcome:
        """Send one datagram and wait for one back."""
        with self.new_socket(family_of(address), socket.SOCK_DGRAM) as sock:
            if source_port:
                sock.bind(("", source_port))
            return traffic.udp(sock, address, port, data, timeout)

    def ping(self, address: str, timeout: float = PATIENCE) -> Outcome:
        """One ICMP or ICMPv6 echo."""
        family = family_of(address)
        protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
        with self.new_socket(family, socket.SOCK_DGRAM, protocol) as sock:
            return traffic.ping(sock, address, timeout)

    def resolve(
        self, name: str, kind: str = "A", server: str = "", timeout: float = PATIENCE, tcp: bool = False
    ) -> Answer:
        """Look `name` up at `server` (by default the host's own resolver)."""
        server = server or self.resolver
        kind_of_socket = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
        with self.new_socket(family_of(server), kind_of_socket) as sock:
            return traffic.resolve(sock, server, name, kind, timeout)

    def frames(self, interface: str = "eth0") -> socket.socket:
        """A packet socket: `send` puts an Ethernet frame on `interface`, `recv` gives what crosses it."""

        def make() -> socket.socket:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
            sock.bind((interface, 0))
            return sock

        return self.inside(make)

    def send(self, *frames: bytes, interface: str = "eth0") -> None:
        """Put Ethernet frames on the wire as they are."""
        with self.frames(interface) as sock:
            for frame in frames:
                sock.send(frame)

    # -- the end ---------------------------------------------------------------------------------------

    def stop(self, process: subprocess.Popen[Any], patience: float = 5.0) -> int:
        """End a program of `popen` and give its exit status: SIGTERM, SIGKILL after `patience` seconds."""
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process in self.processes:
            self.processes.remove(process)
        return process.returncode

    def end_processes(self) -> None:
        """End what `popen` started, the youngest first."""
        for process in reversed(self.processes.copy()):
            self.stop(process)

    def close(self) -> None:
        """End every process, and remove the namespace."""
        self.end_processes()
        self._work.put(None)
        self._resident.join(5.0)
        remove_namespace(self.namespace)


def obstacle() -> str:
    """Why no lab can be built here, and what to do; '' if it can."""
    if os.geteuid():
        return "the lab builds network namespaces: run it as root"
    missing = {program: package for program, package in PACKAGES.items() if not shutil.which(program)}
    if missing:
        return (
            f"the lab needs {', '.join(missing)}, which this system does not have;"
            f" on Debian: apt-get install {' '.join(missing.values())}"
        )
    return ""


def remove_namespace(namespace: str) -> None:
    """Kill what still runs in a namespace of ours, and remove it with all that belongs to it."""
    end = monotonic() + 5.0
    while (_NETNS / namespace).exists() and monotonic() < end:
        if pids := _pids_in(namespace):
            for pid in pids:
                _kill(pid)
            sleep(0.02)  # until they are gone, they may still start others
            continue
        try:
            command(["ip", "netns", "del", namespace])
        except Unavailable:  # somebody else was faster
            sleep(0.02)
    shutil.rmtree(_ETC_NETNS / namespace, ignore_errors=True)


def _pids_in(namespace: str) -> list[int]:
    """The processes in a namespace; none in one that was interrupted while it was made."""
    try:
        return [int(pid) for pid in command(["ip", "netns", "pids", namespace]).split()]
    except Unavailable:
        return []


def leftovers(prefix: str = PREFIX) -> list[Path]:
    """Namespaces of labs, and folders of theirs, whose names begin with `prefix`."""
    folders = (_NETNS, _ETC_NETNS, Path(tempfile.gettempdir()))
    return [path for folder in folders for path in folder.glob(f"{prefix}*")]


def remove_leftovers() -> None:
    """Remove what labs left behind whose process is dead."""
    for path in leftovers():
        owner = re.match(rf"{PREFIX}(\d+)-\d+-", path.name)
        if owner and not Path("/proc", owner[1]).exists():
            remove(path)


def remove(path: Path) -> None:
    """Remove one of `leftovers`."""
    if path.parent == _NETNS:
        remove_namespace(path.name)
    else:
        shutil.rmtree(path, ignore_errors=True)


def command(argv: Sequence[str], input: str = "", timeout: float = 20.0) -> str:  # noqa: A002 - as subprocess
    """Run a program of the system to its end and give what it printed. Raises Unavailable if it fails."""
    done = subprocess.run(argv, input=input, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        raise Unavailable(f"the lab cannot be built here: {' '.join(argv)}: {done.stderr.strip()}\n{input}")
    return done.stdout


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _enter(namespace: str) -> None:
    """Move the calling thread, and it alone, into `namespace` (setns(2))."""
    with open(_NETNS / namespace) as handle:
        if _libc.setns(handle.fileno(), _CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, f"cannot enter the namespace {namespace}: {os.strerror(number)}")
