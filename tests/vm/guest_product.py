# SPDX-License-Identifier: GPL-2.0-or-later
"""The guard in a home, under a kernel with nft_queue and flow tables; pytest runs this inside the guest (see
`guest.py`). Not collected on the host.

Without its supervisor, which would take a guard on so slow a machine for one that hangs: this is about what
the kernel does with what the guard says. Learning ends when the guard is started anew with another
configuration. The tests stand on one another's home, in this order.
"""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest
from netns.guard_lab import KINDS, KNOWN, NAMES, STRANGER, VERSIONS, Home, Resolver, eventually

from smartrouter.lab.network import Network
from smartrouter.lab.traffic import Result
from smartrouter.linux import ruleset

PATIENCE = 90.0  # seconds for what takes one on a real machine
SLOW = 30.0  # seconds for a connection
READY = "judging; without a supervisor"
OUTSIDE = {4: "8.8.8.8", 6: "2001:4860:4860::8888"}  # resolvers that everybody trusts
ELSEWHERE = {4: ("203.0.113.71", "203.0.113.72"), 6: ("2001:db8:71::1", "2001:db8:72::1")}
UNKNOWN = {"open": "198.51.100.90", "closed": "198.51.100.91"}
OFFLOAD = """
table inet fw4 {{
	flowtable ft {{ hook ingress priority filter; devices = {{ {devices} }}; }}
	chain forward {{
		type filter hook forward priority filter; policy accept;
		meta l4proto {{ tcp, udp }} flow add @ft
	}}
}}
"""


class Guarded:
    """A home with a guard of one configuration, and after `anew` of another."""

    def __init__(self, network: Network):
        self.home = Home(network, {})
        network.start_router_dnsmasq()
        self.text = self.home.product.config.read_text()
        self.home.product.database.parent.mkdir()
        self.guard: subprocess.Popen[bytes] | None = None

    def anew(self, **options: str) -> None:
        """Start a guard, after the end of the one before."""
        self.kill(signal.SIGTERM)
        lines = [f"\toption {name} '{value}'" for name, value in options.items()]
        more = "\n".join(["config smartrouter 'main'", *lines, ""])  # what comes last counts
        self.home.product.config.write_text(f"{self.text}\n{more}")
        files = ["--config", str(self.home.product.config), "--run-dir", str(self.home.product.run_dir)]
        self.home.product.log.touch()
        before = self.home.product.log.read_text(errors="replace").count(READY)
        with self.home.product.log.open("ab") as log:
            self.guard = self.home.router.popen(
                [sys.executable, "-m", "smartrouter", "guard", *files], stdout=log, stderr=log
            )
        assert eventually(lambda: self.is_ready(before), PATIENCE), self.home.product.last_words()

    def is_ready(self, before: int) -> bool:
        """Has it said once more that it judges? It has its rules in the kernel then."""
        return self.home.product.log.read_text(errors="replace").count(READY) > before

    def kill(self, number: signal.Signals) -> None:
        if self.guard is not None:
            self.guard.send_signal(number)
            self.guard.wait(PATIENCE)
            self.home.router.processes.remove(self.guard)
            self.guard = None

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(f"file:{self.home.product.database}?mode=ro", uri=True)) as connection:
            return connection.execute(sql).fetchall()

    def is_known(self, version: int) -> bool:
        return self.home.camera.connect(KNOWN[version == 6], 443, timeout=SLOW).ok

    def is_settled(self, version: int) -> bool:
        """Does the kernel let the known pair through by itself?"""
        listed = self.home.router.run(["nft", "list", "set", "inet", "smartrouter", f"known{version}"])
        return KNOWN[version == 6] in listed.stdout

    def is_reset(self, address: str) -> bool:
        return self.home.camera.connect(address, 443, timeout=SLOW).result == Result.REFUSED


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    with Network(NAMES) as network:
        found = Guarded(network)
        found.anew(learning="14d")
        yield found


def asked(guarded: Guarded, name: str, version: int) -> str:
    """The address of `name`, from the router's own resolver."""
    answer = guarded.home.camera.resolve(name, KINDS[version], timeout=SLOW)
    assert answer.addresses, (name, answer)
    return answer.addresses[0]


def test_what_is_learned_passes_and_all_else_is_reset_and_reported(guarded: Guarded) -> None:
    for version in VERSIONS:
        address = asked(guarded, "cloud.maker.example", version)
        assert guarded.home.camera.connect(address, 443, timeout=SLOW).ok
    guarded.anew(learning="1s")
    assert eventually(lambda: guarded.rows("SELECT 1 FROM progress WHERE state = 'protected'"), PATIENCE)
    for version in VERSIONS:
        assert guarded.is_known(version)
        assert guarded.is_reset(asked(guarded, "stranger.example", version))
    reported = "SELECT destination, blocked FROM alerts WHERE kind = 'new-destination'"
    assert eventually(lambda: guarded.rows(reported), PATIENCE)
    assert guarded.rows(reported)[0][0] == "stranger.example"


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_resolver_on_the_internet_says_counts_as_well(version: int, guarded: Guarded) -> None:
    known, strange = ELSEWHERE[version]
    with Resolver(guarded.home.internet, OUTSIDE[version]) as resolver:
        resolver.socket.settimeout(SLOW)
        resolver.tell(guarded.home.camera, "cloud.maker.example", known)
        assert guarded.home.camera.connect(known, 443, timeout=SLOW).ok
        resolver.tell(guarded.home.camera, "other.example", strange)
        assert guarded.is_reset(strange)


def test_a_flush_of_all_rules_is_healed(guarded: Guarded) -> None:
    guarded.home.router.run(["nft", "flush", "ruleset"], check=True)
    assert eventually(lambda: guarded.home.router.inside(ruleset.is_present), PATIENCE)
    assert guarded.is_known(4)
    assert guarded.is_reset(STRANGER[0])


def test_with_flows_offloaded_to_software_the_verdicts_hold(guarded: Guarded) -> None:
    links = guarded.home.router.run(["ip", "-o", "link"]).stdout.splitlines()
    names = [line.split(": ")[1].partition("@")[0] for line in links]
    devices = ", ".join(f'"{name}"' for name in names if name != "lo")
    rules = OFFLOAD.format(devices=devices)
    loaded = guarded.home.router.run(["nft", "-f", "-"], input=rules)
    assert (loaded.returncode, loaded.stderr) == (0, "")
    try:
        for version in VERSIONS:
            assert guarded.is_known(version)
            assert guarded.is_reset(STRANGER[version == 6])
    finally:
        guarded.home.router.run(["nft", "delete", "table", "inet", "fw4"], check=True)


@pytest.mark.parametrize("on_failure", ["open", "closed"])
def test_a_guard_that_was_killed(on_failure: str, guarded: Guarded) -> None:
    guarded.anew(learning="1s", on_failure=on_failure)
    for version in VERSIONS:
        assert guarded.is_known(version)
        assert eventually(partial(guarded.is_settled, version), PATIENCE)
    guarded.kill(signal.SIGKILL)
    for version in VERSIONS:
        assert guarded.is_known(version)
    passed = guarded.home.camera.connect(UNKNOWN[on_failure], 443, timeout=SLOW)
    assert passed.ok if on_failure == "open" else passed.result == Result.REFUSED
    assert guarded.home.phone.connect(UNKNOWN[on_failure], 443, timeout=SLOW).ok
