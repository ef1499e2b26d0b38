# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel counted is judged, recorded or passed, across restarts; and what somebody takes away on the
way is told."""

import os
import signal
from collections.abc import Iterator

import pytest
from netns.guard_lab import KNOWN, STRANGER, VERSIONS, Home, eventually, learned_home

pytestmark = pytest.mark.netns

THIEF = "insert rule inet smartrouter gate ip daddr 203.0.113.10 drop"
LOOKS = 12.0  # seconds: three looks, and time for a busy machine


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with learned_home() as running:
        yield running


def traffic(found: Home) -> None:
    """Known, unknown, blocked again, DNS, and what is to nobody."""
    for version in VERSIONS:
        for _ in range(5):
            found.camera.connect(KNOWN[version == 6], 443)
            found.camera.connect(STRANGER[version == 6], 443)
        found.visit(found.tv, "other.example", version)
        found.camera.udp(STRANGER[version == 6], 5683, timeout=0.1)


def accounts(found: Home) -> dict[str, int]:
    figures: dict[str, int] = found.status()["guard"]["accounts"]
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
    assert eventually(lambda: home.product.is_guarding() and home.guard_pid() != pid, 10.0)
    traffic(home)
    assert eventually(lambda: accounts(home)["recorded"] > 0, LOOKS)
    again = until_looked_at(home)
    assert (again["gap_at_gate"], again["gap_in_log"]) == (0, 0)
    assert 0 < again["entered"] < home.kernel()["known"] + home.kernel()["passed"] + home.kernel()["blocked"]
    assert home.product.json("status")["unaccounted"] == 0


def test_what_somebody_else_takes_away_on_the_way_is_missing_and_said_so(home: Home) -> None:
    """The last test here: his rule stays."""
    assert home.router.run(["nft", THIEF]).returncode == 0
    for _ in range(3):
        home.camera.connect(KNOWN[0], 443, timeout=0.3)
    assert eventually(lambda: home.product.json("status")["unaccounted"] >= 3, LOOKS), accounts(home)
    assert "seen by nobody" in " ".join(home.product.command("status").stdout.split())
