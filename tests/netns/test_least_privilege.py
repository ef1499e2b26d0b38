# SPDX-License-Identifier: GPL-2.0-or-later
"""What the processes of a running smartrouter may do, and what they hold open: each against a list.

Whoever adds to a list here says why a part needs it.
"""

import ctypes
import os
import re
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from netns.guard_lab import (
    Home,
    eventually,
    home,
    learned_home,
    status_of,
)

from smartrouter.lab.plan import WAN_ROUTER
from smartrouter.linux import seccomp
from smartrouter.linux.privileges import service_user

pytestmark = pytest.mark.netns

ICMP = (1, 58)  # as the kernel answers to what comes late
NET_ADMIN = 1 << 12  # linux/capability.h
NETFILTER, ROUTE = 12, 0  # linux/netlink.h
_PIDFD_GETFD, _SO_DOMAIN, _SO_PROTOCOL = 438, 39, 38
_INODE = re.compile(r"socket:\[\d+\]")


class Rights(NamedTuple):
    """`families`: of sockets, with netlink's protocols; `files`: what else may be open, by its name's end."""

    uid: int
    capabilities: int | None  # None: all
    confined: bool
    families: frozenset[tuple[int, int]]
    files: frozenset[str]


UNIX = (socket.AF_UNIX, 0)
STORE = frozenset({"smartrouter.db", "smartrouter.db-wal", "smartrouter.db-shm"})
USUAL = frozenset({"null", "smartrouter.log"})
USER = service_user().uid
ALLOWED = {
    "supervisor": Rights(0, None, False, frozenset({UNIX}), USUAL | {"lock"}),
    "guard": Rights(
        USER, NET_ADMIN, True, frozenset({UNIX, (socket.AF_NETLINK, NETFILTER)}), USUAL | STORE
    ),
    "analyzer": Rights(
        USER,
        0,
        True,
        # UDP: the router's own lookups, which ask its resolvers.
        frozenset({
            UNIX, (socket.AF_NETLINK, ROUTE), (socket.AF_INET, socket.IPPROTO_UDP),
            (socket.AF_INET6, socket.IPPROTO_UDP),
        }),
        USUAL | STORE | {"alerts.txt", "anon_inode:inotify", "anon_inode:[eventfd]"},
    ),
    "web": Rights(
        USER,
        0,
        True,
        frozenset({
            UNIX, (socket.AF_NETLINK, ROUTE), (socket.AF_INET, socket.IPPROTO_TCP),
            (socket.AF_INET6, socket.IPPROTO_TCP),
        }),
        USUAL | STORE | {"anon_inode:[eventpoll]", "anon_inode:[eventfd]"},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def running() -> Iterator[Home]:
    """With an alert and its reverse lookup behind it."""
    with learned_home(more="config web\n\toption listen 'lan'\n") as found:
        assert eventually(lambda: found.status()["parts"][-1]["state"] == "running")
        found.visit(found.camera, "stranger.example")
        found.camera.connect("198.51.100.90", 443)
        assert eventually(lambda: found.alerts(found.camera))
        yield found


def pids(found: Home) -> dict[str, int]:
    status = found.status()
    return {"supervisor": status["pid"], **{part["name"]: part["pid"] for part in status["parts"]}}


def test_there_is_a_list_for_each_process(running: Home) -> None:
    assert pids(running).keys() == ALLOWED.keys()


@pytest.mark.parametrize("name", ALLOWED)
def test_who_it_is_and_what_it_may(running: Home, name: str) -> None:
    found, allowed = status_of(pids(running)[name]), ALLOWED[name]
    assert found["Uid"].split() == [str(allowed.uid)] * 4
    assert found.get("Groups", "").split() in ([], ["0"])
    if allowed.capabilities is None:
        return
    assert found["Gid"].split() == [str(service_user().gid)] * 4
    assert found.get("Groups", "") == ""
    for which in ("CapPrm", "CapEff", "CapBnd", "CapAmb", "CapInh"):
        assert int(found[which], 16) == allowed.capabilities, which
    assert found["NoNewPrivs"] == "1"
    assert found["Umask"] == "0007"


@pytest.mark.skipif(seccomp.architecture() is None, reason="no table of system calls for this machine")
@pytest.mark.parametrize("name", [name for name, allowed in ALLOWED.items() if allowed.confined])
def test_its_system_calls_are_filtered(running: Home, name: str) -> None:
    pid = pids(running)[name]
    for task in Path(f"/proc/{pid}/task").iterdir():
        assert "\nSeccomp:\t2\n" in (task / "status").read_text(), task


@pytest.mark.parametrize("name", ALLOWED)
def test_what_it_holds_open(running: Home, name: str) -> None:
    pid, allowed = pids(running)[name], ALLOWED[name]

    def holds_no_more() -> bool:  # than for the moment in which it reads a file
        sockets, files = opened(pid)
        return sockets <= allowed.families and {Path(path).name for path in files} <= allowed.files

    assert eventually(holds_no_more), opened(pid)


def opened(pid: int) -> tuple[set[tuple[int, int]], set[str]]:
    """(family and, of netlink and the Internet, protocol) of its sockets; its other files."""
    sockets, files = set(), set()
    pidfd = os.pidfd_open(pid)
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = os.readlink(entry)
            except FileNotFoundError:
                continue
            if not _INODE.fullmatch(target):
                files.add(target)
                continue
            own = ctypes.CDLL(None).syscall(_PIDFD_GETFD, pidfd, int(entry.name), 0)
            if own < 0:
                continue  # closed meanwhile
            try:
                taken = socket.socket(fileno=own)
            except OSError:
                os.close(own)
                continue  # another file has its number meanwhile
            with taken:
                family = taken.getsockopt(socket.SOL_SOCKET, _SO_DOMAIN)
                protocol = taken.getsockopt(socket.SOL_SOCKET, _SO_PROTOCOL)
                sockets.add((family, protocol))
    finally:
        os.close(pidfd)
    return sockets, files


def test_what_others_on_the_router_may_see_of_it(running: Home) -> None:
    """Neither the store, nor the control socket, nor the configuration; nor what stands in its memory."""
    folder = running.product.database.parent
    for path in (folder, *folder.iterdir()):
        with suppress(FileNotFoundError):  # it was of a moment's
            assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0, path
    control = running.product.run_dir / "control.sock"
    assert stat.S_IMODE(control.stat().st_mode) & 0o007 == 0
    for name, pid in pids(running).items():
        assert Path(f"/proc/{pid}/mem").stat().st_uid == 0, name


def test_another_user_of_the_router_gets_nothing_out_of_it(running: Home) -> None:
    """Asked as that user, with its own programs: the socket, the store, the configuration of channels."""
    stranger, control = 54321, str(running.product.run_dir / "control.sock")

    def as_stranger(what: str) -> str:
        code = (
            f"import os, socket, sqlite3; os.setgroups([]); os.setresgid({stranger}, {stranger}, {stranger});"
            f" os.setresuid({stranger}, {stranger}, {stranger})\n"
            "try:\n"
            f"    {what}\n"
            "    print('let in')\n"
            "except (OSError, sqlite3.Error) as error:\n"
            "    print(type(error).__name__)\n"
        )
        return running.router.run(["/usr/bin/python3", "-I", "-c", code]).stdout.strip()

    running.network.folder.chmod(0o755)
    assert as_stranger("pass") == "let in"
    assert as_stranger(f"socket.socket(socket.AF_UNIX).connect({control!r})") == "PermissionError"
    database = str(running.product.database)
    folders = (running.product.database.parent, running.product.run_dir)

    def files() -> list[Path]:
        return [path for folder in folders for path in folder.rglob("*") if path.is_file()]

    assert eventually(lambda: {"smartrouter.db", "alerts.txt"} <= {path.name for path in files()})
    for path in files():
        for mode in ("rb", "r+b"):
            assert as_stranger(f"open({str(path)!r}, {mode!r})") == "PermissionError", path
    for folder in folders[:1]:
        assert as_stranger(f"os.listdir({str(folder)!r})") == "PermissionError"
    # The configuration is the administrator's; what is closed to others stays so when we write it.
    config = running.product.config
    config.chmod(0o600)
    assert running.product.command("deny", "tv", "ads.example").returncode == 0
    assert "ads.example" in config.read_text()
    assert as_stranger(f"open({str(config)!r}, 'rb')") == "PermissionError"
    uri = f"sqlite3.connect('file:{database}?mode=ro', uri=True).execute('SELECT * FROM devices')"
    assert as_stranger(uri) == "OperationalError"


def test_by_itself_it_asks_nobody_but_the_routers_resolvers() -> None:
    """From its start to its stop, with alerts, lookups and a restart of the guard: what leaves the router in
    its own name is DNS."""
    with home() as found, found.wire() as wire:
        for name in ("cloud.maker.example", "stranger.example"):
            found.visit(found.camera, name)
        found.protect(found.camera)
        found.visit(found.camera, "stranger.example")
        found.camera.connect("198.51.100.90", 443)
        assert eventually(lambda: found.alerts(found.camera))
        os.kill(found.guard_pid(), 9)
        assert eventually(found.product.is_guarding)
        assert found.product.stop() == 0
        sent = [packet for packet in wire.by(WAN_ROUTER.ipv4, WAN_ROUTER.ipv6) if packet.protocol not in ICMP]
        assert {(packet.protocol, packet.destination_port) for packet in sent} == {(17, 53)}


SECRET = "xoxb-4711-not-for-other-eyes"


def test_a_secret_is_with_the_part_that_needs_it_and_in_no_output() -> None:
    """Neither on a command line nor in an environment, a log, the store, an answer; nor anywhere in the
    memory of the guard, which reads what devices send."""
    channel = f"config notify\n\toption type 'slack'\n\toption token '{SECRET}'\n\toption channel '#alerts'\n"
    with home(more=channel) as found:
        found.visit(found.camera, "cloud.maker.example")
        outputs = [
            found.product.command(*words).stdout
            for words in (
                ("status", "--json"),
                ("doctor", "--json"),
                ("notify", "--json"),
                ("devices", "--json"),
                ("alerts", "--all", "--json"),
                ("digest", "--json"),
                ("metrics",),
            )
        ]
        assert all(outputs)
        text = found.product.config.read_text()
        for fault in (f"\toption token '{SECRET}\n", f"\toption token\n{SECRET}\n", f"\tlist {SECRET} 'x'\n"):
            found.product.config.write_text(text + fault)
            os.kill(int(found.status()["pid"]), signal.SIGHUP)
            assert eventually(lambda: found.status()["config"]["error"])
            for words in (("status",), ("doctor",), ("devices",), ("notify",)):
                done = found.product.command(*words)
                outputs += [done.stdout, done.stderr]
            outputs.append(str(found.status()))
            found.product.config.write_text(text)
            os.kill(int(found.status()["pid"]), signal.SIGHUP)
            assert eventually(lambda: not found.status()["config"]["error"])
        outputs.append(found.product.log.read_text())
        for pid in pids(found).values():
            outputs += [
                Path(f"/proc/{pid}/{name}").read_text(errors="replace") for name in ("cmdline", "environ")
            ]
        kept = [path.read_bytes() for path in found.product.database.parent.iterdir()]
        assert not any(SECRET in text for text in outputs)
        assert not any(SECRET.encode() in data for data in kept)
        assert memory_holds(pids(found)["analyzer"], SECRET.encode()), "else this could find nothing"
        assert not memory_holds(pids(found)["guard"], SECRET.encode())


def memory_holds(pid: int, what: bytes) -> bool:
    """Does what a process has written into its memory hold `what`?"""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            place, rights, *_ = line.split()
            if not rights.startswith("rw"):
                continue
            start, end = (int(each, 16) for each in place.split("-"))
            try:
                memory.seek(start)
                if what in memory.read(end - start):
                    return True
            except (OSError, ValueError, OverflowError):
                continue
    return False
