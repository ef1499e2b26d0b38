# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of packets while the guard dies, hangs, restarts or loses its rules; and what it is allowed.

The guard and the supervisor here are the real processes of `smartrouter run`, hit with real signals.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest
from netns.faults import no_guard
from netns.guard_lab import (
    KNOWN,
    PATIENCE,
    STRANGER,
    VERSIONS,
    Home,
    alive,
    assert_nothing_is_lost,
    eventually,
    learned_home,
    opened,
    processes_mentioning,
    status_of,
)
from tries import within

import smartrouter
from smartrouter.lab import traffic
from smartrouter.lab.traffic import Result

pytestmark = pytest.mark.netns

UNKNOWN = ("198.51.100.90", "2001:db8:90::90")


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with learned_home() as running:
        yield running


@pytest.fixture(autouse=True)
def _it_is_as_before(home: Home) -> Iterator[None]:
    yield
    assert eventually(lambda: home.status()["guard"]["running"]), home.product.last_words()
    assert_it_guards(home)


def assert_it_guards(home: Home) -> None:
    """What was learned works, by the names that were told before; a known stranger is refused."""
    for version in VERSIONS:
        assert home.camera.connect(KNOWN[version == 6], 443).ok
        assert home.visit(home.camera, "stranger.example", version).result == Result.REFUSED


def assert_only_the_unnamed_may_pass(home: Home) -> None:
    """After an outage an attempt without a name may pass for a while, and is then called so."""
    if home.camera.connect(UNKNOWN[0], 443).ok:

        def is_called_so() -> bool:
            home.store()
            newest = home.attempts(home.camera, UNKNOWN[0])[-1:]
            return [each["reason"] for each in newest] == ["after-outage"]

        assert eventually(is_called_so), home.attempts(home.camera, UNKNOWN[0])
    assert home.camera.connect(STRANGER[0], 443).result == Result.REFUSED


def until_another_guard_runs(home: Home, pid: int) -> float:
    """Seconds until a guard runs that is not `pid`."""
    begun = monotonic()

    def back() -> bool:
        part = next(part for part in home.status()["parts"] if part["name"] == "guard")
        return bool(part["state"] == "running" and part["pid"] != pid)

    assert eventually(back), home.product.last_words()
    return monotonic() - begun


# A guard that dies young comes back the later the oftener it does: so deaths are far apart here.

# -- hanging ---------------------------------------------------------------------------------------------


def test_a_guard_that_hangs_is_killed_and_back_in_time(home: Home) -> None:
    def hang() -> float:
        pid, begun = home.guard_pid(), monotonic()
        os.kill(pid, signal.SIGSTOP)
        assert eventually(lambda: not alive(pid))
        took = monotonic() - begun
        until_another_guard_runs(home, pid)
        return took

    with opened(home.camera, KNOWN[1]) as old:
        assert within(3.0, hang)
        assert traffic.say(old, b"still there", PATIENCE).answer == b"still there"


# -- configuration -------------------------------------------------------------------------------------


def test_a_broken_configuration_changes_nothing_and_is_told(home: Home) -> None:
    before, pid = home.product.config.read_text(), home.guard_pid()
    home.product.config.write_text(before.replace("option mode 'enforce'", "option mode 'permissive'"))
    os.kill(home.status()["pid"], signal.SIGHUP)
    assert eventually(lambda: home.status()["config"]["error"])
    error = home.status()["config"]["error"]
    for word in (str(home.product.config), "mode", "permissive", "monitor", "enforce"):
        assert word in error
    assert home.guard_pid() == pid
    assert_it_guards(home)
    home.product.config.write_text(before)
    os.kill(home.status()["pid"], signal.SIGHUP)
    assert eventually(lambda: not home.status()["config"]["error"])


def test_a_changed_configuration_counts_at_once_in_the_same_guard(home: Home) -> None:
    before, pid = home.product.config.read_text(), home.guard_pid()
    home.product.config.write_text(before.replace("option mode 'enforce'", "option mode 'monitor'"))
    os.kill(home.status()["pid"], signal.SIGHUP)
    assert eventually(lambda: home.status()["guard"]["mode"] == "monitor")
    assert home.visit(home.camera, "stranger.example").ok
    home.product.config.write_text(before)
    os.kill(home.status()["pid"], signal.SIGHUP)
    assert eventually(lambda: home.status()["guard"]["mode"] == "enforce")
    assert home.visit(home.camera, "stranger.example").result == Result.REFUSED
    assert home.guard_pid() == pid


# -- the rules -----------------------------------------------------------------------------------------

DAMAGE = {
    "all rulesets flushed": ["nft", "flush", "ruleset"],
    "our table deleted": ["nft", "delete", "table", "inet", "smartrouter"],
    "our table emptied": ["nft", "flush", "table", "inet", "smartrouter"],
    "one chain emptied": ["nft", "flush", "chain", "inet", "smartrouter", "gate"],
    "the set of watched devices emptied": ["nft", "flush", "set", "inet", "smartrouter", "watched"],
    "the set of enforced devices emptied": ["nft", "flush", "set", "inet", "smartrouter", "enforced"],
    "the set of held replies emptied": ["nft", "flush", "set", "inet", "smartrouter", "dns_clients4"],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_rules_that_somebody_takes_away_are_back_in_a_moment(home: Home, damage: str) -> None:
    pid = home.guard_pid()

    def mend() -> float:
        mended = sum(home.status()["guard"]["mended"].values())
        assert home.router.run(DAMAGE[damage]).returncode == 0
        begun = monotonic()
        assert eventually(lambda: sum(home.status()["guard"]["mended"].values()) > mended)
        return monotonic() - begun

    assert within(2.0, mend)
    assert_it_guards(home)
    assert home.visit(home.tv, "stranger.example").result == Result.REFUSED
    assert home.guard_pid() == pid


# -- what it is allowed, and how large it is -----------------------------------------------------------


def test_the_guard_may_configure_the_network_and_nothing_else(home: Home) -> None:
    found = status_of(home.guard_pid())
    net_admin = 1 << 12  # linux/capability.h
    for which in ("CapPrm", "CapEff", "CapBnd", "CapAmb", "CapInh"):
        assert int(found[which], 16) == net_admin, which
    assert found["NoNewPrivs"] == "1"
    assert "0" not in found["Uid"].split() + found["Gid"].split()
    assert found.get("Groups", "") == ""
    assert int(found["VmRSS"].split()[0]) <= 32 * 1024  # KiB


# -- death -----------------------------------------------------------------------------------------------


def test_a_killed_guard_is_back_within_a_second_and_nothing_is_forgotten(home: Home) -> None:
    home.visit(home.camera, "stranger.example", 4)
    home.visit(home.camera, "stranger.example", 6)
    learned = home.product.rows("SELECT device, name, service FROM learned")

    def kill() -> float:
        pid = home.guard_pid()
        os.kill(pid, signal.SIGKILL)
        return until_another_guard_runs(home, pid)

    home.store()
    with opened(home.camera, KNOWN[0]) as old4, opened(home.camera, KNOWN[1]) as old6:
        assert within(1.0, kill)
        for old in (old4, old6):
            assert traffic.say(old, b"still there", PATIENCE).answer == b"still there"
    for version in VERSIONS:
        assert home.camera.connect(KNOWN[version == 6], 443).ok, "names are kept"
        assert home.camera.connect(STRANGER[version == 6], 443).result == Result.REFUSED, "of strangers too"
    assert_only_the_unnamed_may_pass(home)
    assert home.product.rows("SELECT device, name, service FROM learned") == learned
    assert home.status()["guard"]["devices"]["protected"] == 2


# -- beginning and end ---------------------------------------------------------------------------------


def test_stopping_leaves_nothing_and_starting_again_knows_everything(home: Home) -> None:
    learned = home.product.rows("SELECT device, name, service FROM learned")
    pids = [part["pid"] for part in home.status()["parts"]] + [home.status()["pid"]]
    home.product.stop()
    assert home.router.run(["nft", "list", "ruleset"]).stdout.find("smartrouter") == -1
    assert not home.product.run_dir.exists() or not list(home.product.run_dir.iterdir())
    assert not any(alive(pid) for pid in pids)
    assert not processes_mentioning(str(home.product.config))
    assert home.camera.connect(UNKNOWN[0], 443).ok, "the router forwards as any other"
    home.product.start()
    assert home.product.rows("SELECT device, name, service FROM learned") == learned
    assert home.status()["guard"]["devices"]["protected"] == 2
    assert_it_guards(home)
    assert_only_the_unnamed_may_pass(home)


def test_a_supervisor_that_was_killed_leaves_the_rules_and_the_next_one_takes_over(home: Home) -> None:
    status = home.status()
    parts = [part["pid"] for part in status["parts"]]
    os.kill(status["pid"], signal.SIGKILL)
    assert eventually(lambda: not any(alive(pid) for pid in parts)), "nobody is left without a parent"
    assert home.product.has_table()
    home.product.start()
    assert_it_guards(home)


WITNESS = """
import atexit, os, sys
def tell():
    with open(os.path.join({folder!r}, f"{{os.getpid()}}"), "w") as file:
        file.write("\\n".join([" ".join(sys.orig_argv), *sys.modules]))
atexit.register(tell)
"""


def test_it_runs_from_a_directory_that_only_root_may_enter(home: Home) -> None:
    """And the guard, wherever it runs from, loads nothing that makes it large or slow to start."""
    home.product.stop()
    private, told = home.network.folder / "private", home.network.folder / "told"
    told.mkdir()
    told.chmod(0o777)
    shutil.copytree(Path(smartrouter.__file__).parent, private / "smartrouter")
    init = private / "smartrouter" / "__init__.py"
    changed = init.read_text().replace(smartrouter.__version__, "0.0.7")
    init.write_text(changed + WITNESS.format(folder=str(told)))
    private.chmod(0o700)
    environment = os.environ | {"PYTHONPATH": str(private), "PYTHONDONTWRITEBYTECODE": "1"}
    with home.product.log.open("ab") as log:
        argv = home.product._argv("run")
        process = home.router.popen(argv, stdout=log, stderr=log, cwd=private, env=environment)
    home.product.process = process
    assert eventually(home.product.is_guarding, 3 * PATIENCE), home.product.last_words()
    assert home.status()["version"] == "0.0.7"
    assert_it_guards(home)
    guard = home.guard_pid()
    home.product.stop()
    command, *modules = (told / str(guard)).read_text().splitlines()
    assert "guard" in command
    assert {"sqlite3", "netfilterqueue"} <= set(modules)
    large = {"asyncio", "scapy", "pyroute2", "slack_sdk", "dns", "smartrouter.lab", "smartrouter.analyzer"}
    assert not large & set(modules)
    home.product.start()


# -- no guard at all -------------------------------------------------------------------------------------


@contextmanager
def dead_guard(home: Home) -> Iterator[None]:
    """While entered, there is no guard, and nobody who would start another."""
    guard = home.guard_pid()
    try:
        with no_guard(home):
            yield
    finally:
        until_another_guard_runs(home, guard)


def test_without_a_guard_on_failure_open_lets_everything_through(home: Home) -> None:
    with opened(home.camera, KNOWN[0]) as old, dead_guard(home):
        for address in UNKNOWN:
            assert traffic.say(old, b"still there", PATIENCE).ok
            assert home.camera.connect(address, 443).ok
            assert home.camera.udp(address, 5683).ok
        assert home.camera.resolve("other.example", server="9.9.9.9").addresses
    assert eventually(lambda: home.kernel()["unjudged_down"] >= 4)
    assert_only_the_unnamed_may_pass(home)


def test_without_a_guard_on_failure_closed_lets_nothing_new_through(home: Home) -> None:
    before = home.product.config.read_text()
    home.product.config.write_text(f"{before}config smartrouter 'main'\n\toption on_failure 'closed'\n")
    assert home.ask("reload")["applied"]
    try:
        with opened(home.camera, KNOWN[0]) as old, home.wire() as wire, dead_guard(home):
            for address in UNKNOWN:
                assert home.camera.connect(address, 443, timeout=PATIENCE).result == Result.REFUSED
                assert not home.camera.udp(address, 5683, timeout=0.3).ok
                assert not home.camera.ping(address, timeout=0.3).ok
                assert not wire.to(address)
            assert traffic.say(old, b"still there", PATIENCE).ok
            assert home.phone.connect(UNKNOWN[0], 443).ok, "who is not watched is left alone"
            assert home.camera.resolve("cloud.maker.example").addresses, "the router itself answers"
    finally:
        home.product.config.write_text(before)
        home.ask("reload")
    assert home.camera.connect(KNOWN[0], 443).ok


def test_every_packet_that_was_queued_was_judged(home: Home) -> None:
    assert_nothing_is_lost(home, is_first=False)
