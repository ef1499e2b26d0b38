# SPDX-License-Identifier: GPL-2.0-or-later
"""Somebody starts the parts by hand, and `smartrouter run` beside them, over one store, in any order.

Two guards cannot serve one queue, and two web interfaces not one port: who comes second waits, or ends and
says why. Once those that were started by hand are gone, the product is whole.
"""

import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import permutations
from typing import Any

import pytest
from netns.guard_lab import KNOWN, NAMES, VERSIONS, Home, eventually
from netns.test_four_processes import answers
from netns.test_web import PASSWORD, Browser

from smartrouter.core.errors import Unavailable
from smartrouter.lab.network import Network
from smartrouter.lab.traffic import Result
from smartrouter.web.passwords import hashed

pytestmark = [pytest.mark.netns, pytest.mark.timeout(180)]

ORDERS = tuple(permutations(("run", "guard", "analyzer", "web")))
_ALL = float(os.environ.get("ROUNDS", "1")) > 1
CASES = [order for number, order in enumerate(ORDERS) if _ALL or number % 8 == 0]
UP = 60.0


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with Network(NAMES) as network:
        found = Home(network, {}, f"config web\n\toption password_hash '{hashed(PASSWORD)}'\n")
        network.start_router_dnsmasq()
        found.product.start()
        for version in VERSIONS:
            assert found.visit(found.camera, "cloud.maker.example", version).ok
        found.protect(found.camera)
        found.product.stop()
        yield found


def begin(home: Home, command: str) -> subprocess.Popen[Any]:
    """Start a command; returns once it is at work, or has ended."""
    log = home.network.folder / f"{command}.log"
    log.unlink(missing_ok=True)
    with log.open("ab") as out:
        started = home.router.popen(home.product._argv(command), stdout=out, stderr=out)
    signs = {
        "run": lambda: has_tried(home),
        "guard": lambda: b"judging" in log.read_bytes(),
        "analyzer": lambda: b"analyzing" in log.read_bytes(),
        "web": lambda: b"listen" in log.read_bytes(),  # or "cannot listen"
    }
    assert eventually(lambda: started.poll() is not None or signs[command](), UP), log.read_text()
    return started


def has_tried(home: Home) -> bool:
    """Does the supervisor's guard run, or has it failed to?"""
    with suppress(Unavailable):
        guards = [part for part in home.status()["parts"] if part["name"] == "guard"]
        return any(guard["state"] == "running" or guard["problem"] for guard in guards)
    return False


@pytest.mark.parametrize("order", CASES, ids="-".join)
def test_beside_parts_that_were_started_by_hand_it_comes_up_once_they_are_gone(
    home: Home, order: tuple[str, ...]
) -> None:
    started = {command: begin(home, command) for command in order}
    home.product.process = started.pop("run")
    assert home.product.process.poll() is None
    assert home.camera.connect(KNOWN[0], 443).ok
    first = min(("run", "guard"), key=order.index)
    if first == "run":
        assert started["guard"].wait(UP) == 1
        assert "smartrouter: " in (home.network.folder / "guard.log").read_text()
    else:
        assert home.status()["parts"][0]["problem"], "why it does not run"
    for process in started.values():
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()

    def whole() -> bool:
        status = home.status()
        return all(part["state"] == "running" for part in status["parts"]) and status["guard"]["running"]

    assert eventually(whole, UP), (home.status()["parts"], home.product.last_words())
    assert home.camera.connect(KNOWN[0], 443).ok
    assert home.visit(home.camera, "cloud.maker.example", 6).ok
    assert home.visit(home.camera, "stranger.example").result == Result.REFUSED
    assert eventually(lambda: home.alerts(home.camera))
    browser = Browser(home.phone)
    assert eventually(lambda: answers(browser), UP), home.product.last_words()
    assert browser.log_in().status == 303
    assert eventually(lambda: "stranger.example" in browser.get("/inbox").text)
    assert home.product.stop() == 0
    assert not home.product.has_table()
    with closing(sqlite3.connect(home.product.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
