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

    for child in household.children.values():
        monkeypatch.setattr(child, "ask", ask)
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


def test_a_rule_is_taken_back(household: Paper, config: Path) -> None:
    order(household, RULE)
    order(household, {**RULE, "service": None})
    back = {key: RULE[key] for key in ("device", "destination", "service")}
    assert order(household, {"do": "remove-rule", **back}) == {"ok": {"applied": True, "note": ""}}
    assert [rule.service for rule in load(config).rules] == [""]
    assert "there is no rule" in order(household, {"do": "remove-rule", **back})["error"]


def test_a_device_is_renamed_and_its_name_taken_back(household: Paper, config: Path) -> None:
    assert order(household, {"do": "rename", "device": MAC, "name": " Bob's <TV> "})["ok"]["applied"]
    assert [(each.mac, each.name) for each in load(config).devices] == [(MAC, "Bob's <TV>")]
    order(household, {"do": "rename", "device": MAC, "name": ""})
    assert [each.name for each in load(config).devices] == [""]


@pytest.mark.parametrize("do", ["dismiss", "reopen"])
def test_that_an_alert_was_seen_is_the_analyzers_business(household: Paper, do: str) -> None:
    assert order(household, {"do": do, "alert": 7, "by": "web:admin"}, WEB) == {"ok": {"did": do}}
    assert household.asked == [(do, {"alert": 7, "by": "web:admin"})]


def test_the_analyzer_hears_whose_place_a_device_takes(household: Paper) -> None:
    other = "3c:2e:ff:29:4d:94"
    assert order(household, {"do": "same", "device": MAC, "other": other})["ok"]["applied"]
    assert household.asked == [
        ("same", {"device": MAC, "other": other}),
        ("succeeded", {"before": other, "now": MAC}),
    ]


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
    ({"do": "dismiss", "alert": "7"}, "alert has the wrong type"),
    ({"do": "dismiss", "alert": True}, "alert has the wrong type"),
    ({"do": "remove-rule", "device": MAC, "destination": "no.rule"}, "there is no rule"),
    ({"do": "rename", "device": MAC, "name": "a\x07b"}, "name is no line"),
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


# -- what a settings page asks for -------------------------------------------------------------------------


def test_several_options_are_set_as_one_change(household: Paper, config: Path) -> None:
    options = {"retention": "30d", "resolver": ["9.9.9.9"]}
    request = {"do": "set", "section": "smartrouter", "options": options, "place": 0}
    assert order(household, request, WEB) == {"ok": {"applied": True, "note": ""}}
    main = load(config).main
    assert (main.retention, main.resolver) == (30 * 86400, ("9.9.9.9",))


def test_only_root_says_where_root_writes(household: Paper, config: Path) -> None:
    request = {"do": "set", "section": "smartrouter", "options": {"database": "/srv/x.db"}}
    assert "only root" in order(household, request, WEB)["error"]
    assert "only root" in order(household, request, MEMBER)["error"]
    order(household, request, ROOT)
    assert load(config).main.database == "/srv/x.db"


@pytest.mark.parametrize(
    "options",
    [{"a": 1}, {"a": ["b", 2]}, {"a": "x\ny"}, {"a": "x" * 5000}, {"a": ["x"] * 300},
     {str(n): "" for n in range(70)}],
    ids=["a number", "a number in a list", "two lines", "long", "many", "many options"],
)  # fmt: skip
def test_options_that_are_no_texts_are_refused(
    household: Paper, config: Path, options: dict[str, object]
) -> None:
    answer = order(household, {"do": "set", "section": "smartrouter", "options": options})
    assert "options:" in answer["error"]
    assert config.read_text() == CONFIG


def test_sections_come_and_go(household: Paper, config: Path) -> None:
    order(household, {"do": "add-section", "section": "notify", "options": {"type": "ntfy", "channel": "x"}})
    assert load(config).notify[0].channel == "x"
    order(household, {"do": "drop-section", "section": "notify", "place": 0})
    assert load(config).notify == ()


def test_a_trial_is_written_with_its_end_and_can_be_kept(household: Paper, config: Path) -> None:
    order(household, {"do": "try-mode", "mode": "enforce", "seconds": 600})
    main = load(config).main
    assert main.mode_until is not None
    assert 590 < main.mode_until - time.time() <= 600
    order(household, {"do": "keep"})
    assert (load(config).main.mode, load(config).main.mode_until) == ("enforce", None)
    assert "no mode is on trial" in order(household, {"do": "keep"})["error"]


@pytest.mark.parametrize("seconds", [0, -1, 3601, 1e9])
def test_a_trial_lasts_an_hour_at_most(household: Paper, config: Path, seconds: float) -> None:
    assert "seconds" in order(household, {"do": "try-mode", "mode": "enforce", "seconds": seconds})["error"]
    assert config.read_text() == CONFIG


def test_the_passwords_hash_is_written(household: Paper, config: Path) -> None:
    order(household, {"do": "set-password", "hash": "scrypt$1"}, WEB)
    web = load(config).web
    assert web is not None
    assert web.password_hash == "scrypt$1"
    assert "scrypt$x y" not in str(order(household, {"do": "set-password", "hash": "scrypt$x y"}, WEB))


def test_a_channel_is_tried_by_the_analyzer(household: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Mapping[str, object]]] = []

    def ask(do: str, arguments: Mapping[str, object], now: float, then: Then, patience: float = 2.0) -> None:
        asked.append((do, arguments))
        then({"ok": {"error": ""}})

    monkeypatch.setattr(household.children["analyzer"], "ask", ask)
    assert order(household, {"do": "test-channel", "name": "hook"}) == {"ok": {"error": ""}}
    assert asked == [("test_channel", {"name": "hook"})]
