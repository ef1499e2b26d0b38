# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be asked through the control socket: requests in, what they do to household and file."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from smartrouter.channel import Answer, Then
from smartrouter.config import load
from smartrouter.control import Peer
from smartrouter.core.errors import BadConfig
from smartrouter.linux.privileges import User
from smartrouter.supervisor.children import Part
from smartrouter.supervisor.household import Household
from smartrouter.supervisor.orders import LONGEST_PAUSE, Orders

SERVICE = User("service", 54321, 54322)
ROOT = Peer(0, frozenset({0}))
WEB = Peer(SERVICE.uid, frozenset({SERVICE.gid}))
MEMBER = Peer(54399, frozenset({SERVICE.gid}))
CONFIG = "config smartrouter 'main'\n\tlist device 'br-lan'\n"
MAC = "3c:2e:ff:29:4d:93"
RULE: dict[str, Any] = {"do": "deny", "device": MAC, "destination": "netflix.com", "service": "web"}


class Paper(Household):
    """A household whose changes are made at once, here, and whose guard answers what a test wants."""

    def __init__(self, config: Path, *parts: str):
        super().__init__(str(config), [Part(part, ("/nonexistent",)) for part in parts], SERVICE)
        self.reloads = 0
        self.asked: list[tuple[str, Mapping[str, object]]] = []

    def change(self, write: Callable[[str], None], then: Then, now: float) -> None:
        try:
            write(self.config_path)
        except BadConfig as error:
            then({"error": str(error)})
        else:
            then({"ok": {"applied": True, "note": ""}})

    def reload(self, then: Then, now: float) -> None:
        self.reloads += 1
        then({"ok": {"applied": True, "note": ""}})


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "smartrouter"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def household(config: Path, monkeypatch: pytest.MonkeyPatch) -> Paper:
    household = Paper(config, "guard", "analyzer")
    monkeypatch.setenv("PATH", "/nonexistent")  # no `uci`: the file is written as on any Linux

    def ask(do: str, arguments: Mapping[str, object], now: float, then: Then, patience: float = 2.0) -> None:
        household.asked.append((do, arguments))
        then({"ok": {"did": do}})

    monkeypatch.setattr(household.children["guard"], "ask", ask)
    return household


def order(household: Household, request: dict[str, Any], peer: Peer = ROOT) -> Answer:
    answers: list[Answer] = []
    Orders(household).handle(dict(request), peer, answers.append, time.monotonic())
    assert len(answers) == 1
    return answers[0]


def test_a_rule_is_written_with_who_decided_and_when(household: Paper, config: Path) -> None:
    before = int(time.time())
    assert order(household, RULE) == {"ok": {"applied": True, "note": ""}}
    (rule,) = load(config).rules
    assert (rule.device, rule.destination, rule.service, rule.action) == (MAC, "netflix.com", "web", "deny")
    assert rule.by == "cli:root"
    assert rule.until is None
    assert rule.at is not None
    assert before <= rule.at <= time.time()


@pytest.mark.parametrize("device", ["3C:2E:FF:29:4D:93", "3c-2e-ff-29-4d-93", "3c2eff294d93"])
def test_a_mac_is_understood_however_it_is_written(household: Paper, config: Path, device: str) -> None:
    order(household, {**RULE, "device": device})
    assert load(config).rules[0].device == MAC


def test_a_rule_may_be_for_all_devices_and_services_and_for_a_time(household: Paper, config: Path) -> None:
    until = 1_900_000_000
    order(household, {"do": "allow", "device": "*", "destination": "*.example.com", "until": until})
    (rule,) = load(config).rules
    assert (rule.device, rule.destination, rule.service) == ("*", "*.example.com", "")
    assert rule.until == until


def test_a_rule_may_allow_one_connection(household: Paper, config: Path) -> None:
    order(household, {"do": "allow", "device": MAC, "destination": "a.example", "once": True})
    assert load(config).rules[0].once
    assert "once" in order(household, RULE | {"do": "deny", "once": True})["error"]


@pytest.mark.parametrize(
    ("peer", "claimed", "noted"),
    [
        (ROOT, None, "cli:root"),
        (ROOT, "cli:alice", "cli:alice"),
        (ROOT, "luci:admin", "luci:admin"),
        (WEB, "web:admin", "web:admin"),
        (WEB, "cli:root", f"cli:{SERVICE.uid}"),
        (MEMBER, "cli:root", f"cli:{MEMBER.uid}"),
        (MEMBER, None, f"cli:{MEMBER.uid}"),
    ],
)
def test_who_decided_is_the_kernels_word_unless_root_or_the_web_interface_says_so(
    household: Paper, config: Path, peer: Peer, claimed: str | None, noted: str
) -> None:
    order(household, {**RULE, "by": claimed}, peer)
    assert load(config).rules[0].by == noted


@pytest.mark.parametrize("peer", [ROOT, MEMBER])
def test_only_the_web_interface_speaks_for_its_users(household: Paper, config: Path, peer: Peer) -> None:
    assert "web interface" in order(household, {**RULE, "by": "web:admin"}, peer)["error"]
    assert config.read_text() == CONFIG


def test_a_mode_is_set_for_all_or_for_one_device(household: Paper, config: Path) -> None:
    order(household, {"do": "mode", "mode": "enforce"})
    order(household, {"do": "mode", "mode": "monitor", "device": MAC.upper()})
    written = load(config)
    assert written.main.mode == "enforce"
    assert [(device.mac, device.mode) for device in written.devices] == [(MAC, "monitor")]


@pytest.mark.parametrize(
    ("request_", "asked"),
    [
        ({"do": "pause", "seconds": 3600}, ("pause", {"seconds": 3600})),
        ({"do": "pause", "seconds": 0}, ("pause", {"seconds": 0})),
        (
            {"do": "forget", "device": "3C2EFF294D93", "destination": "*"},
            ("forget", {"device": MAC, "destination": "*"}),
        ),
        ({"do": "learn", "device": MAC, "finish": True}, ("learn", {"device": MAC, "finish": True})),
    ],
)
def test_what_is_the_guards_business_is_asked_of_the_guard(
    household: Paper, request_: dict[str, Any], asked: tuple[str, dict[str, Any]]
) -> None:
    assert order(household, request_) == {"ok": {"did": asked[0]}}
    assert household.asked == [asked]


def test_a_device_is_muted_for_a_time_and_who_wanted_that_is_noted(household: Paper, config: Path) -> None:
    assert order(household, {"do": "mute", "device": MAC, "seconds": 3600, "by": "cli:anna"})["ok"]["applied"]
    [device] = load(config).devices
    assert device.mute_until is not None
    assert abs(device.mute_until - time.time() - 3600) < 10
    assert device.muted_by == "cli:anna"
    order(household, {"do": "mute", "device": MAC, "seconds": 0})
    [device] = load(config).devices
    assert device.mute_until is not None
    assert device.mute_until <= time.time()
    assert device.muted_by == "cli:root"


def test_without_a_running_guard_that_is_said(config: Path) -> None:
    answer = order(Paper(config, "guard"), {"do": "pause", "seconds": 60})
    assert answer == {"error": "the guard is not running (stopped)"}


def test_reload_reads_the_configuration_again(household: Paper) -> None:
    assert "ok" in order(household, {"do": "reload"})
    assert household.reloads == 1


def test_status_has_the_supervisors_facts_and_the_guards(household: Paper) -> None:
    facts = order(household, {"do": "status"})["ok"]
    assert facts["pid"] == os.getpid()
    assert facts["rss_kib"] > 1000
    assert facts["guard"] == {"did": "status", "running": True}
    assert [(part["name"], part["state"]) for part in facts["parts"]] == [
        ("guard", "stopped"),
        ("analyzer", "stopped"),
    ]
    assert facts["config"] == {"path": household.config_path, "error": ""}


def test_status_comes_without_a_guard_too(config: Path) -> None:
    facts = order(Paper(config, "guard"), {"do": "status"})["ok"]
    assert facts["guard"] == {"running": False, "problem": "the guard is not running (stopped)"}


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "there are status, allow, deny"),
    ({"do": "reboot"}, "'reboot' is unknown"),
    ({"do": ["status"]}, "is unknown"),
    ({"do": None}, "is unknown"),
    ({"do": "status", "verbose": True}, "status: 'verbose' is unknown; it takes nothing else"),
    ({"do": "allow", "device": MAC}, "allow: destination is missing"),
    ({**RULE, "device": "the TV"}, "device: 'the TV' is no MAC"),
    ({**RULE, "device": MAC + "\n"}, "is no line"),
    ({**RULE, "device": 5}, "device has the wrong type"),
    ({**RULE, "destination": "a\nb"}, "destination is no line"),
    ({**RULE, "destination": "x" * 301}, "destination is no line"),
    ({**RULE, "destination": "no such thing!"}, "destination"),
    ({**RULE, "service": "telnet"}, "service"),
    ({**RULE, "until": True}, "until has the wrong type"),
    ({**RULE, "until": "tomorrow"}, "until"),
    ({**RULE, "until": 1e300}, "moment"),
    ({**RULE, "until": float("inf")}, "moment"),
    ({**RULE, "by": "root"}, "by: 'root' is not like"),
    ({**RULE, "by": "cli:a b"}, "is not like"),
    ({"do": "mode", "mode": "panic"}, "mode"),
    ({"do": "mode", "mode": "enforce", "device": "*"}, "device: '*' is no MAC"),
    ({"do": "pause"}, "seconds is missing"),
    ({"do": "pause", "seconds": "60"}, "seconds has the wrong type"),
    ({"do": "pause", "seconds": True}, "seconds has the wrong type"),
    ({"do": "pause", "seconds": -1}, "seconds: from 0"),
    ({"do": "pause", "seconds": LONGEST_PAUSE + 1}, "seconds: from 0"),
    ({"do": "pause", "seconds": float("inf")}, "seconds: from 0"),
    ({"do": "mute", "device": MAC, "seconds": -1}, "seconds: from 0"),
    ({"do": "mute", "device": MAC, "seconds": 1e12}, "seconds: from 0"),
    ({"do": "mute", "device": "*", "seconds": 1}, "device: '*' is no MAC"),
    ({"do": "learn", "device": MAC, "finish": "yes"}, "finish has the wrong type"),
    ({"do": "forget", "device": "*", "destination": "*"}, "device: '*' is no MAC"),
    ({"do": "x" * 10_000}, "is unknown"),
]


@pytest.mark.parametrize(("request_", "error"), BAD, ids=range(len(BAD)))
def test_what_makes_no_sense_is_refused_in_words_and_changes_nothing(
    household: Paper, config: Path, request_: dict[str, Any], error: str
) -> None:
    answer = order(household, request_)
    assert error in answer["error"]
    assert len(answer["error"]) < 500
    assert config.read_text() == CONFIG
    assert household.asked == []
