# SPDX-License-Identifier: GPL-2.0-or-later
"""The faults that smartrouter must live with, how each is made, and what devices are to see of it.

One table, `FAULTS`: the tests go through it in each mode and with each `on_failure`, and docs/reliability.md
is written from it.
"""

import os
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from enum import StrEnum
from itertools import count, product
from pathlib import Path
from typing import NamedTuple

from netns.guard_lab import PATIENCE, STRANGER, Home, alive, eventually, processes_mentioning

from smartrouter.lab.hosts import Host
from smartrouter.lab.plan import HOME, RESOLVER4
from smartrouter.linux import conntrack
from smartrouter.linux.netlink import Netlink

DISK_SIZE = "8m"  # of the store's file system
_HOOK = "203.0.113.200"  # where alerts are sent to
_PORTS = count(20_001)  # each is news to a device, and an alert


class Seen(StrEnum):
    """What a device sees of an attempt."""

    PASSES = "passes"
    BLOCKED = "blocked"
    WAITS = "waits"  # and succeeds once the fault is over
    CUT = "cut off"


class Probe(StrEnum):
    """What is tried while a fault lasts."""

    OPEN = "open"  # a connection that was open before says something and is answered
    KNOWN = "known"  # a new connection to a learned destination
    UNKNOWN = "unknown"  # a new connection to a destination that was never learned
    NAMES = "names"  # a question to the router's resolver


class Setting(NamedTuple):
    """A mode, and what happens without a guard."""

    mode: str
    on_failure: str

    def __str__(self) -> str:
        return f"{self.mode}, {self.on_failure}"


SETTINGS = tuple(Setting(*each) for each in product(("monitor", "enforce"), ("open", "closed")))
Expected = Mapping[Probe, Seen]


class Fault(NamedTuple):
    """`making(home)` makes it as a context manager; it is over at the end of the block, or passes by itself:
    then the block may be given what says whether it has not yet. `expected(setting)`: what is seen while it
    lasts. `back`: seconds after its end, at the most, until all is as before, where nothing else keeps the
    machine busy. `told`: how the user hears of it."""

    key: str
    what: str
    making: Callable[[Home], AbstractContextManager[object]]
    expected: Callable[[Setting], Expected]
    back: float
    told: str


# -- what is to be seen --------------------------------------------------------------------------------


def healthy(setting: Setting) -> dict[Probe, Seen]:
    """As if there were no fault."""
    unknown = Seen.PASSES if setting.mode == "monitor" else Seen.BLOCKED
    return dict.fromkeys(Probe, Seen.PASSES) | {Probe.UNKNOWN: unknown}


def without_guard(setting: Setting) -> dict[Probe, Seen]:
    """Nobody judges: `on_failure` says what happens to what is not known."""
    unknown = Seen.PASSES if setting.on_failure == "open" else Seen.BLOCKED
    return dict.fromkeys(Probe, Seen.PASSES) | {Probe.UNKNOWN: unknown}


def held(setting: Setting) -> dict[Probe, Seen]:
    """Who is to judge holds what comes: names, and whatever is not known."""
    return healthy(setting) | {Probe.UNKNOWN: Seen.WAITS, Probe.NAMES: Seen.WAITS}


def passing(_: Setting) -> dict[Probe, Seen]:
    """It is over before more could be tried."""
    return {Probe.OPEN: Seen.PASSES, Probe.KNOWN: Seen.PASSES}


def nameless(setting: Setting) -> dict[Probe, Seen]:
    """Nobody answers questions; all else is as it was."""
    return healthy(setting) | {Probe.NAMES: Seen.WAITS}


def unwatched(_: Setting) -> dict[Probe, Seen]:
    """It is no LAN of the configuration any more: nobody looks."""
    return dict.fromkeys(Probe, Seen.PASSES)


def cut_off(_: Setting) -> dict[Probe, Seen]:
    """The network itself is away."""
    return dict.fromkeys(Probe, Seen.CUT)


# -- how they are made ---------------------------------------------------------------------------------


def part_pid(home: Home, name: str) -> int:
    """The process of a part, once it has one."""

    def running() -> list[int]:
        parts = [part for part in home.status()["parts"] if part["name"] == name]
        return [int(part["pid"]) for part in parts if part["state"] == "running" and part["pid"]]

    return home.product.wait_for(running)[0]


def stopped(pid: int) -> bool:
    """Does SIGSTOP keep each thread of this process? Or has it been ended because of that?"""
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T" for task in tasks)
    except OSError:
        return not alive(pid)


@contextmanager
def no_guard(home: Home) -> Iterator[None]:
    """Killed, with nobody who would start another."""
    supervisor, guard = int(home.status()["pid"]), home.guard_pid()
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(guard, signal.SIGKILL)
    try:
        # Its queues outlive it for a moment, and what is in them then is lost.
        queues = ["cat", "/proc/net/netfilter/nfnetlink_queue"]
        assert eventually(lambda: not alive(guard) and not home.router.run(queues).stdout)
        yield
    finally:
        os.kill(supervisor, signal.SIGCONT)


def _killed(name: str) -> Callable[[Home], AbstractContextManager[None]]:
    @contextmanager
    def making(home: Home) -> Iterator[None]:
        pid = part_pid(home, name)
        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: not alive(pid))
        yield

    return making


def _stopped(name: str) -> Callable[[Home], AbstractContextManager[Callable[[], bool]]]:
    """Hanging: neither dead nor doing anything. `name`: of a part, or `supervisor`."""

    @contextmanager
    def making(home: Home) -> Iterator[Callable[[], bool]]:
        pid = int(home.status()["pid"]) if name == "supervisor" else part_pid(home, name)
        os.kill(pid, signal.SIGSTOP)
        assert eventually(lambda: stopped(pid))
        try:
            yield lambda: alive(pid)
        finally:
            if name == "supervisor":
                os.kill(pid, signal.SIGCONT)

    return making


def _nft(*command: str) -> Callable[[Home], AbstractContextManager[None]]:
    @contextmanager
    def making(home: Home) -> Iterator[None]:
        assert home.router.run(["nft", *command]).returncode == 0
        yield

    return making


@contextmanager
def _tracking_forgotten(home: Home) -> Iterator[None]:
    def forget() -> int:
        with Netlink() as link:
            return conntrack.forget_all(link, list(conntrack.flows(link)))

    assert home.router.inside(forget)
    yield


@contextmanager
def _disk_full(home: Home) -> Iterator[None]:
    filler = home.product.database.with_name("filler")
    subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=64k"], capture_output=True)
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def _disk_stuck(home: Home) -> Iterator[None]:
    """Another process has the store locked, and keeps it so."""
    with closing(sqlite3.connect(home.product.database, isolation_level=None, timeout=10.0)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def _store_newer(home: Home) -> Iterator[None]:
    """An older version was installed over a newer one, which has changed the store."""
    with closing(sqlite3.connect(home.product.database, isolation_level=None, timeout=10.0)) as other:
        known = other.execute("PRAGMA user_version").fetchone()[0]
        other.execute(f"PRAGMA user_version = {known + 1}")
        try:
            os.kill(part_pid(home, "guard"), signal.SIGKILL)
            assert eventually(lambda: "newer smartrouter" in _problem(home, "guard"))
            yield
        finally:
            other.execute(f"PRAGMA user_version = {known}")


def _problem(home: Home, name: str) -> str:
    """Why a part does not run, as the supervisor has it."""
    return str(next(part["problem"] for part in home.status()["parts"] if part["name"] == name))


@contextmanager
def _service_hangs(home: Home) -> Iterator[None]:
    """It takes the connection and the message, and never answers."""
    text = home.product.config.read_text()
    with home.internet.new_socket(socket.AF_INET, socket.SOCK_STREAM) as service:
        service.bind((_HOOK, 0))
        service.listen()
        service.settimeout(PATIENCE)
        place = f"http://{_HOOK}:{service.getsockname()[1]}/hook"
        notify = f"config notify\n\toption type 'webhook'\n\toption channel '{place}'\n"
        home.product.config.write_text(f"{text}{notify}")
        assert home.ask("reload")["applied"]
        try:
            assert eventually(lambda: "webhook" in _channels(home))
            home.camera.connect(STRANGER[0], next(_PORTS))
            with service.accept()[0] as taken:
                taken.settimeout(PATIENCE)
                assert taken.recv(1)
                yield
                assert _channels(home)["webhook"]["waiting"]
        finally:
            home.product.config.write_text(text)
            assert home.ask("reload")["applied"]


def _channels(home: Home) -> dict[str, dict[str, object]]:
    """How each channel is, by its name."""
    return {channel["name"]: channel for channel in home.product.json("status")["channels"]}


def _resolver(verdict: str) -> Callable[[Home], AbstractContextManager[None]]:
    """The resolver that the router asks is away: `reject`, or hanging: `drop`. The router has forgotten what
    it was told before."""

    @contextmanager
    def making(home: Home) -> Iterator[None]:
        chain = f"type filter hook input priority 0; udp dport 53 {verdict};"
        rules = f"table inet away {{\nchain input {{ {chain} }}\n}}\n"
        home.internet.run(["nft", "-f", "-"], input=rules, check=True)
        try:
            [dnsmasq] = processes_mentioning(str(home.network.folder / "router.conf"))
            os.kill(dnsmasq, signal.SIGHUP)
            for server in (RESOLVER4, home.router.resolver):
                assert eventually(lambda: not _is_told(home.router, server))  # noqa: B023 - at once
            yield
        finally:
            home.internet.run(["nft", "delete", "table", "inet", "away"], check=True)

    return making


def _is_told(device: Host, server: str) -> bool:
    return bool(device.resolve("cloud.maker.example", server=server, timeout=0.3).addresses)


@contextmanager
def _config_broken(home: Home) -> Iterator[None]:
    """The end is missing, as after a cut while it was written."""
    text = home.product.config.read_text()
    home.product.config.write_text(text[: text.rindex("'")])
    os.kill(int(home.status()["pid"]), signal.SIGHUP)
    assert eventually(lambda: home.status()["config"]["error"])
    try:
        yield
    finally:
        home.product.config.write_text(text)
        os.kill(int(home.status()["pid"]), signal.SIGHUP)


@contextmanager
def _lan_down(home: Home) -> Iterator[None]:
    home.router.ip(f"link set {HOME.bridge} down")
    try:
        yield
    finally:
        home.router.ip(f"link set {HOME.bridge} up")


@contextmanager
def _lan_renamed(home: Home) -> Iterator[None]:
    home.router.ip(f"link set {HOME.bridge} name br-away")
    try:
        assert eventually(lambda: HOME.bridge in home.status()["missing"])
        yield
    finally:
        home.router.ip(f"link set br-away name {HOME.bridge}")


@contextmanager
def disk_of_its_own(folder: Path) -> Iterator[None]:
    """A small file system in `folder`, for faults of the disk."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


_STATUS = "`status` says so, and the log"
_FLUSHED = "`status`: the rules were removed, and put back"
UNSTORED = "`status`: the guard cannot store, and why"
_EMPTY_WATCHED = ("flush", "set", "inet", "smartrouter", "watched")
FAULTS = (
    Fault("guard-dead", "The guard is killed, and nothing starts another", no_guard, without_guard, 3.0,
          "`status`; what passed is counted as `unjudged_down`, never as judged"),
    Fault("guard-killed", "The guard is killed (kill -9)", _killed("guard"), passing, 1.0, _STATUS),
    Fault("guard-hangs", "The guard hangs (SIGSTOP)", _stopped("guard"), held, 4.0, _STATUS),
    Fault("analyzer-killed", "The analyzer is killed", _killed("analyzer"), healthy, 1.0, _STATUS),
    Fault("analyzer-hangs", "The analyzer hangs", _stopped("analyzer"), healthy, 4.0, _STATUS),
    Fault("web-killed", "The web interface is killed", _killed("web"), healthy, 1.0, _STATUS),
    Fault("web-hangs", "The web interface hangs", _stopped("web"), healthy, 4.0, _STATUS),
    Fault("supervisor-hangs", "The supervisor hangs", _stopped("supervisor"), healthy, 1.0,
          "commands say that it does not answer"),
    Fault("ruleset-flushed", "Somebody flushes all of nftables (`fw4 flush`)", _nft("flush", "ruleset"),
          passing, 1.0, _FLUSHED),
    Fault("set-emptied", "Somebody empties the set of watched devices", _nft(*_EMPTY_WATCHED),
          passing, 1.0, _FLUSHED),
    Fault("tracking-flushed", "Connection tracking forgets everything", _tracking_forgotten,
          healthy, 0.0, "-"),
    Fault("disk-full", "The store's disk is full", _disk_full, healthy, 6.0, UNSTORED),
    Fault("disk-stuck", "The store is locked by somebody else", _disk_stuck, healthy, 6.0, UNSTORED),
    Fault("store-newer", "The store was written by a newer version (downgrade)", _store_newer, without_guard,
          10.0, "`status`, and the log: which schema, and what to do"),
    Fault("service-hangs", "The service that gets alerts takes them and never answers", _service_hangs,
          healthy, 0.0, "`status`: alerts wait"),
    Fault("resolver-down", "The resolver that the router asks is away", _resolver("reject"),
          nameless, 2.0, "-"),
    Fault("resolver-hangs", "The resolver that the router asks never answers", _resolver("drop"),
          nameless, 2.0, "-"),
    Fault("config-half-written", "The configuration is cut off in the middle, and read", _config_broken,
          healthy, 0.0, "`status`: it was refused: file, section, option, what is allowed"),
    Fault("lan-down", "The LAN interface goes down and comes up again", _lan_down, cut_off, 3.0, "-"),
    Fault("lan-renamed", "The LAN interface gets another name, and its own again", _lan_renamed,
          unwatched, 3.0, "`status`: configured, but not there"),
)  # fmt: skip
