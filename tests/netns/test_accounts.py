# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel counted is judged, recorded or passed, across restarts; and what somebody takes away on the
way, or finds no room, is told: by `status`, and by an alert about the router itself."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from time import sleep
from typing import Any

import pytest
from netns.faults import part_pid
from netns.guard_lab import KNOWN, PC, PHONE, STRANGER, VERSIONS, Home, eventually, learned_home

from smartrouter.guard.losses import LOOKS as LOOKS_THAT_LAST

pytestmark = pytest.mark.netns

THIEF = "insert rule inet smartrouter gate ip daddr 203.0.113.10 drop"
LOOKS = 30.0  # seconds: three looks, and time for a busy machine
LASTING = 60.0  # seconds: until a gap is one that lasts, and time for a busy machine
MORE_WATCHED = "".join(
    f"config device\n\toption mac '{mac}'\n\toption watch 'always'\n" for mac in (PHONE, PC)
)


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with learned_home({"on_failure": "open"}, MORE_WATCHED) as running:
        yield running


def alerts(found: Home) -> dict[str, Any]:
    """The open alerts about the router itself, by kind."""
    return {alert["kind"]: alert for alert in found.product.json("alerts") if alert["mac"] == ""}


def traffic(found: Home) -> None:
    """Known, unknown, blocked again, DNS, and what is to nobody."""
    for version in VERSIONS:
        for _ in range(5):
            found.camera.connect(KNOWN[version == 6], 443)
            found.camera.connect(STRANGER[version == 6], 443)
        found.visit(found.tv, "other.example", version)
        found.camera.udp(STRANGER[version == 6], 5683, timeout=0.1)


def accounts(found: Home) -> dict[str, int]:
    figures: dict[str, int] = found.guard()["accounts"]
    return figures


def until_looked_at(found: Home) -> dict[str, int]:
    """The figures, once the kernel's counters stand still in them."""
    seen: list[dict[str, int]] = []

    def twice() -> bool:
        seen.append(accounts(found))
        return len(seen) > 1 and seen[-1] == seen[-2] and seen[-1]["entered"] > 0

    assert eventually(twice, LOOKS)
    return seen[-1]


def test_all_is_accounted_for_before_and_after_a_restart_of_the_guard(home: Home) -> None:
    traffic(home)
    assert eventually(lambda: accounts(home)["recorded"] > 0, LOOKS)
    figures = until_looked_at(home)
    assert (figures["gap_at_gate"], figures["gap_in_log"]) == (0, 0)
    pid = home.guard_pid()
    os.kill(pid, signal.SIGKILL)
    assert eventually(partial(another_guards, home, pid))
    traffic(home)
    assert eventually(lambda: accounts(home)["recorded"] > 0, LOOKS)
    again = until_looked_at(home)
    assert (again["gap_at_gate"], again["gap_in_log"]) == (0, 0)
    assert 0 < again["entered"] < home.kernel()["known"] + home.kernel()["passed"] + home.kernel()["blocked"]
    assert home.product.json("status")["unaccounted"] == 0


def another_guards(found: Home, pid: int) -> bool:
    return found.product.is_guarding() and found.guard_pid() != pid


def test_restarts_flushes_and_load_are_no_gap_and_no_alert(home: Home) -> None:
    for trouble in ("kill", "delete table inet smartrouter", "flush ruleset", "reload"):
        traffic(home)
        if trouble == "kill":
            pid = home.guard_pid()
            os.kill(pid, signal.SIGKILL)
            assert eventually(partial(another_guards, home, pid))
        elif trouble == "reload":
            home.ask("reload")
        else:
            assert home.router.run(["nft", trouble]).returncode == 0
            assert eventually(home.product.has_table)
        traffic(home)
    for _ in range(300):
        home.camera.connect(KNOWN[0], 443)
    sleep(3.0 * (LOOKS_THAT_LAST + 1))  # what there is would be told by now
    assert home.product.json("status")["unaccounted"] == 0
    assert alerts(home) == {}


def test_more_than_a_queue_holds_is_counted_and_told(home: Home) -> None:
    """The guard does not judge for a second, while four devices send as much as each of them may."""

    def overflow() -> bool:
        pid = part_pid(home, "guard")
        os.kill(pid, signal.SIGSTOP)
        try:
            for device in (home.camera, home.tv, home.phone, home.pc):
                device.inside(fat_datagrams)
        finally:
            with suppress(ProcessLookupError):  # it may have been taken for one that hangs
                os.kill(pid, signal.SIGCONT)
        return eventually(
            lambda: sum(q["user_dropped"] for q in home.whole_status()["queues"].values()) > 0, 2.0
        )

    assert eventually(overflow, LASTING), home.whole_status()["queues"]
    assert eventually(lambda: "overflow" in alerts(home), LOOKS)
    alert = alerts(home)["overflow"]
    assert (alert["device"], alert["severity"], alert["state"]) == ("the router", "warning", "open")
    assert alert["reason"] == "queue-full"
    assert "found a queue full" in alert["detail"]


def fat_datagrams() -> None:
    """As many as a device may send at once, each with its own place in the queue."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(2200):
            sender.sendto(bytes(1400), (STRANGER[0], 10_000 + number))


def test_what_somebody_else_takes_away_on_the_way_is_missing_and_said_so(home: Home) -> None:
    """The last test here: his rule stays."""
    assert home.router.run(["nft", THIEF]).returncode == 0
    before = home.product.json("status")["unaccounted"]
    for _ in range(3):
        home.camera.connect(KNOWN[0], 443, timeout=0.3)
    wanted = before + 3
    assert eventually(lambda: home.product.json("status")["unaccounted"] >= wanted, LOOKS), accounts(home)
    assert "seen by nobody" in " ".join(home.product.command("status").stdout.split())
    assert eventually(lambda: "accounting" in alerts(home), LASTING)
    alert = alerts(home)["accounting"]
    assert (alert["device"], alert["severity"], alert["reason"]) == ("the router", "warning", "unaccounted")
    assert alert["detail"].endswith("packets that the kernel counted were dealt with by nobody")
    number = str(alert["id"])
    shown = " ".join(home.product.command("alert", number).stdout.split())
    assert "Packets that smartrouter's rules counted were then dealt with by nobody" in shown
    listed = home.product.command("alerts").stdout
    assert any("accounting" in line and "the router" in line for line in listed.splitlines())
    told = home.product.database.with_name("alerts.txt")
    assert eventually(lambda: told.exists() and "router -> accounting (" in told.read_text(), LOOKS)
    assert all(device["mac"] for device in home.product.json("devices"))
    assert home.product.command("alert", number, "--dismiss").returncode == 0
    assert eventually(lambda: "accounting" not in alerts(home), LOOKS)
    sleep(3.0 * LOOKS_THAT_LAST)
    assert "accounting" not in alerts(home), "what was dismissed is told no more"
