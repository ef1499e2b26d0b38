# SPDX-License-Identifier: GPL-2.0-or-later
"""What is asked of a kernel that has nft_queue; pytest runs this inside the guest (see `guest.py`).

Not collected on the host, whose kernel may be any.
"""

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from netns.kernel_lab import DEVICE_MAC, Lab, Recorder, bound, connect, eventually, listening, run

from smartrouter.core.errors import Unavailable
from smartrouter.linux import probe, queue_stats, ruleset
from smartrouter.linux.queue_rule import FLOWS_QUEUE
from smartrouter.linux.ruleset import Plan

GOLDEN = sorted((Path(__file__).resolve().parents[1] / "golden").glob("*/native.nft"))
PLAN = Plan(("lan0",), watched=frozenset({DEVICE_MAC}), on_failure="closed")
NATIVE = "nft's own `queue` (nft_queue)."
JUDGED = {"queued_flows": 2, "blocked": 1, "unjudged_down": 0}
SMARTROUTER = str(Path(sys.executable).with_name("smartrouter"))
GUARDED = f"""
config smartrouter 'main'
	list device 'lan0'
	option mode 'enforce'
	option database '{{database}}'
config device
	option mac '{DEVICE_MAC}'
	option watch 'always'
config rule
	option device '*'
	option destination '*'
	option service 'tcp/23'
	option action 'deny'
"""


@pytest.fixture(autouse=True)
def no_rules() -> Iterator[None]:
    """The guest's own packet rules are nobody's: each test leaves none."""
    yield
    nft("flush ruleset")


def nft(text: str, *options: str) -> str:
    """What `nft` says about `text`, which it must take without complaint."""
    done = subprocess.run(["nft", *options, "-f", "-"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_this_kernel_has_nft_queue() -> None:
    assert probe.has_native_queue()
    assert probe.has_xt_target()  # so that the choice between them is one


def test_the_probe_finds_everything_and_leaves_nothing() -> None:
    findings = {finding.name: finding for finding in probe.examine()}
    assert [finding for finding in findings.values() if not finding.ok] == []
    assert findings["queue statement"].text == NATIVE
    assert nft("list ruleset") == ""


def test_the_doctor_says_which_statement_is_used_and_finds_no_fault(tmp_path: Path) -> None:
    config = tmp_path / "smartrouter"
    config.write_text("config smartrouter 'main'\n\tlist device 'br-lan'\n")
    run("ip", "link", "add", "br-lan", "type", "bridge")
    files = ["--config", str(config), "--run-dir", str(tmp_path)]
    done = subprocess.run([SMARTROUTER, "doctor", "--json", *files], capture_output=True, text=True)
    assert done.stderr == ""
    said = json.loads(done.stdout)
    assert [check for check in said["checks"] if check["level"] == "problem"] == []
    assert said["ok"]
    assert done.returncode == 0
    assert NATIVE in [check["text"] for check in said["checks"] if check["name"] == "queue statement"]


def test_there_are_golden_rulesets() -> None:
    assert len(GOLDEN) >= 5


@pytest.mark.parametrize("case", GOLDEN, ids=lambda path: path.parent.name)
def test_nft_and_the_kernel_take_each_golden_ruleset(case: Path) -> None:
    wanted = case.read_text()
    nft(wanted, "--check")
    nft(wanted)
    once = nft("list ruleset")
    listed = [line.strip() for line in once.splitlines() if "queue flags" in line]
    rules = [line.split() for line in wanted.splitlines() if "queue flags" in line]
    assert listed == [" ".join(rule[5:]) for rule in rules]
    nft(f"{wanted}\n{wanted}")  # two reloads
    assert nft("list ruleset") == once


def test_what_is_listed_can_be_loaded_again() -> None:
    ruleset.load(PLAN)
    once = nft("list ruleset")
    nft(f"flush ruleset\n{once}")
    assert nft("list ruleset") == once
    assert ruleset.is_present()


def test_either_statement_takes_the_place_of_the_other_and_works() -> None:
    """As when the module nft_queue comes, or goes, while the table is loaded."""
    with Lab() as lab, bound(lab, "outside", 4, socket.SOCK_STREAM, 443):
        for native_queue in (False, True, False, True, True):
            with lab.at("router"):
                ruleset.load(PLAN, native_queue)
                assert ruleset.is_present()
            assert lab.listed().count("queue flags bypass to 737") == (2 if native_queue else 0)
            for verdict, outcome in ((True, "connected"), (False, "reset")):
                with listening(lab, recorder := Recorder(verdict)):
                    assert connect(lab, "device", 4, "outside", 443) == outcome
                assert [seen.mac for seen in recorder.seen] == [DEVICE_MAC]
            assert connect(lab, "device", 4, "outside", 443) == "reset"  # nobody listens


def test_the_real_guard_judges_what_this_statement_hands_it(tmp_path: Path) -> None:
    """Without its supervisor, which would take a guard on so slow a machine for one that hangs."""
    config = tmp_path / "smartrouter"
    config.write_text(GUARDED.format(database=tmp_path / "smartrouter.db"))
    with contextlib.ExitStack() as stack:
        lab = stack.enter_context(Lab())
        for port in (23, 443):
            stack.enter_context(bound(lab, "outside", 4, socket.SOCK_STREAM, port))
        stack.enter_context(lab.at("router"))
        guard = subprocess.Popen([SMARTROUTER, "guard", "--config", str(config), "--run-dir", str(tmp_path)])
        try:
            assert eventually(lambda: ruleset.is_present() and somebody_listens(), 120)
            assert connect(lab, "device", 4, "outside", 443) == "connected"
            assert connect(lab, "device", 4, "outside", 23) == "reset"
            found = ruleset.read_counters()
        finally:
            guard.terminate()
            assert guard.wait(120) == 0
        assert not ruleset.is_present()
    assert {name: count for name, count in found.items() if name in JUDGED} == JUDGED
    assert found["passed"] == 1 + found["queued_hellos"]  # what the client said first was looked at, too


def somebody_listens() -> bool:
    try:
        return FLOWS_QUEUE in queue_stats.read("/proc/thread-self/net/netfilter/nfnetlink_queue")
    except Unavailable:  # the module comes with the first listener
        return False
