# SPDX-License-Identifier: GPL-2.0-or-later
"""What is kept on flash, with the whole product: a router whose memory is gone knows what it knew, and with
`closed` lets nothing else through before the guard is up.
"""

import os
import shutil
import signal
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import sleep

import pytest
from netns.guard_lab import KNOWN, STRANGER, VERSIONS, Home, alive, eventually, home, learned_home

from smartrouter.lab.traffic import Result
from smartrouter.supervisor.keeping import STATE

pytestmark = pytest.mark.netns

CLOSED = {"on_failure": "closed", "snapshot_interval": "1s"}


@pytest.fixture
def flash() -> Iterator[Path]:
    """A directory that the service user can reach; pytest's own are closed to it."""
    folder = Path(tempfile.mkdtemp(prefix="sr-flash-"))
    folder.chmod(0o755)
    yield folder / "smartrouter"
    shutil.rmtree(folder)


def lose_power(home: Home) -> None:
    """All memory is gone: processes, rules, the store."""
    assert home.product.process is not None
    parts = [part["pid"] for part in home.status()["parts"]]
    home.product.process.send_signal(signal.SIGSTOP)  # it starts none of them again
    for pid in parts:
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not any(map(alive, parts)))
    home.product.process.kill()
    home.product.process.wait()
    home.router.run(["nft", "flush", "ruleset"])
    shutil.rmtree(home.product.database.parent)


def is_kept(home: Home, flash: Path) -> bool:
    """Has the copy what was learned, and who is protected?"""
    copy = flash / STATE / "smartrouter.db"
    if not copy.exists():
        return False
    facts = ("SELECT device, name, service FROM learned", "SELECT device, state FROM progress")
    with closing(sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)) as kept:
        return all(kept.execute(fact).fetchall() == home.product.rows(fact) != [] for fact in facts)


def load_as_at_boot(home: Home, flash: Path) -> None:
    done = home.router.run(["nft", "-f", str(flash / "ruleset.nft")])
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stop_keeps_everything_and_the_next_start_takes_it_up(flash: Path) -> None:
    with learned_home({"snapshot": str(flash)}) as home:
        attempts = home.product.json("status")["store"]["attempts"]
        assert home.product.stop() == 0
        assert not home.product.has_table()
        assert not (flash / "ruleset.nft").exists()  # with `open` nothing is to be loaded at boot
        shutil.rmtree(home.product.database.parent)
        home.product.start()
        for version in VERSIONS:
            assert home.camera.connect(KNOWN[version == 6], 443).ok
            assert home.visit(home.camera, "stranger.example", version).result == Result.REFUSED
        assert home.product.json("status")["store"]["attempts"] >= attempts > 0
        assert "took up the store" in home.product.last_words(60)


def test_closed_holds_between_power_and_guard_and_what_was_learned_survives(flash: Path) -> None:
    with learned_home(CLOSED | {"snapshot": str(flash)}) as home:
        for version in VERSIONS:  # pairs that the kernel knows
            assert home.camera.connect(KNOWN[version == 6], 443).ok
        ruleset = flash / "ruleset.nft"
        kept = (KNOWN[0], home.camera.mac, home.tv.mac)
        assert eventually(lambda: ruleset.exists() and all(each in ruleset.read_text() for each in kept), 40)
        assert eventually(lambda: is_kept(home, flash), 40)
        assert stat.S_IMODE(ruleset.stat().st_mode) == 0o600
        assert ruleset.stat().st_uid == 0
        lose_power(home)
        assert home.camera.connect(STRANGER[0], 443).ok  # no rules: this is why they are loaded first
        load_as_at_boot(home, flash)
        for version in VERSIONS:
            assert home.camera.connect(KNOWN[version == 6], 443).ok
            assert home.camera.connect(STRANGER[version == 6], 443).result == Result.REFUSED
        assert home.phone.connect(STRANGER[0], 443).ok
        home.product.start()
        for version in VERSIONS:
            assert home.camera.connect(KNOWN[version == 6], 443).ok
            assert home.visit(home.camera, "stranger.example", version).result == Result.REFUSED
        assert home.status()["not_kept"] == ""


def test_a_disk_that_takes_nothing_is_said(flash: Path) -> None:
    flash.mkdir()
    with learned_home({"snapshot": str(flash), "snapshot_interval": "1s"}) as home:
        assert eventually(lambda: (flash / STATE / "smartrouter.db").exists(), 20)
        (flash / STATE).chmod(0o700)  # the service user cannot write there any more
        assert home.visit(home.camera, "cloud.maker.example").ok
        assert eventually(lambda: home.status()["not_kept"], 20)
        assert "would not survive a restart" in home.product.command("status").stdout
        (flash / STATE).chmod(0o2770)
        assert eventually(lambda: not home.status()["not_kept"], 20)


def test_a_reload_that_comes_too_early_ends_nothing(flash: Path) -> None:
    """procd's triggers come in numbers while a router boots."""
    with home({"snapshot": str(flash)}) as found:
        assert found.product.stop() == 0
        with found.product.log.open("ab") as log:
            process = found.product.process = found.router.popen(
                found.product._argv("run"), stdout=log, stderr=log
            )
        assert eventually(lambda: _ignores_hup(process.pid) or process.poll() is not None, 30.0)
        for _ in range(200):
            if process.poll() is not None or found.product.run_dir.joinpath("control.sock").exists():
                break
            process.send_signal(signal.SIGHUP)
            sleep(0.005)
        assert eventually(found.product.is_guarding, 60.0), found.product.last_words()


def _ignores_hup(pid: int) -> bool:
    """Of the process and what it started: the test's own programs run before it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    line = next(line for line in status.splitlines() if line.startswith("SigIgn:"))
    return bool(int(line.split()[1], 16) >> (signal.SIGHUP - 1) & 1)
