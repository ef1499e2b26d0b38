# SPDX-License-Identifier: GPL-2.0-or-later
"""A start on a disk that has become read-only, with the last changes still in SQLite's log: what was learned
counts, `status` says that nothing can be stored, and storing goes on once it can."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from netns.faults import disk_of_its_own
from netns.guard_lab import NAMES, STRANGER, VERSIONS, Home, eventually

from smartrouter.lab.network import Network
from smartrouter.lab.traffic import Result

pytestmark = pytest.mark.netns


@pytest.fixture
def home() -> Iterator[Home]:
    """Camera and TV have learned cloud.maker.example, on a disk of its own."""
    with Network(NAMES) as network:
        found = Home(network, {})
        network.start_router_dnsmasq()
        with disk_of_its_own(found.product.database.parent):
            found.product.start()
            for device in (found.camera, found.tv):
                for version in VERSIONS:
                    assert found.visit(device, "cloud.maker.example", version).ok
                found.protect(device)
            yield found
            found.product.stop()


def lose_all_processes(home: Home) -> None:
    """Nobody had the time to write the log into the database; and no rule is left."""
    assert home.product.process is not None
    parts = [part["pid"] for part in home.status()["parts"]]
    home.product.process.send_signal(signal.SIGSTOP)  # it starts none of them again
    for pid in parts:
        os.kill(pid, signal.SIGKILL)
    home.product.process.kill()
    home.product.process.wait()
    home.router.run(["nft", "flush", "ruleset"])


def remount(folder: Path, how: str, *where: str) -> None:
    def done() -> bool:
        command = [*where, "mount", "-o", f"remount,{how}", str(folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    assert eventually(done), "somebody holds a file open"


def storing_trouble(home: Home) -> str:
    return str(home.status()["guard"]["store"]["trouble"])


@pytest.mark.parametrize("shared", ["there", "gone"])
def test_what_was_learned_counts_and_what_cannot_be_stored_is_said(home: Home, shared: str) -> None:
    """`shared`: the file that readers of the store share, which a power cut may have taken."""
    folder = home.product.database.parent
    lose_all_processes(home)
    assert (folder / "smartrouter.db-wal").stat().st_size > 0
    if shared == "gone":
        (folder / "smartrouter.db-shm").unlink()
    remount(folder, "ro")

    home.product.start()
    for device in (home.camera, home.tv):
        for version in VERSIONS:
            assert home.visit(device, "cloud.maker.example", version).ok
            assert home.visit(device, "stranger.example", version).result == Result.REFUSED
    guard = home.status()["guard"]
    assert guard["devices"]["protected"] == 2
    assert guard["judged"].get("learning", 0) == 0
    assert eventually(lambda: "read-only" in storing_trouble(home))
    status = home.product.json("status")
    assert any("cannot store what it sees" in need and "read-only" in need for need in status["needs"])
    assert status["store"]["learned"] > 0
    assert {device["state"] for device in home.product.json("devices") if device["learned"]} == {"protected"}

    before = status["store"]["attempts"]
    # A process that began while it was read-only has mounts of its own that say so.
    remount(folder, "rw", "nsenter", "--mount", "--target", str(home.status()["pid"]))
    assert eventually(lambda: storing_trouble(home) == "")
    assert eventually(lambda: home.product.json("status")["store"]["attempts"] > before)
    assert eventually(lambda: bool(home.attempts(home.camera, STRANGER[0]))), "what waited is stored"
