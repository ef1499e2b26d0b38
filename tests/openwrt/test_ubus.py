# SPDX-License-Identifier: GPL-2.0-or-later
"""The ubus object: what a call makes of its arguments, and what it answers."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openwrt.rpcd import PACKAGES, PLUGIN, needs_node, signature, ubus, ubus_at
from unit.made_home import PLUG, RUNNING, TV, Home

from smartrouter.listings.alerts import ALERT, EXPLAINED
from smartrouter.listings.devices import DETAILS, DEVICE
from smartrouter.listings.status import STATUS
from smartrouter.store import open_reader
from smartrouter.store.alerts import alert as stored

OK, INVALID_ARGUMENT, METHOD_NOT_FOUND, TIMEOUT, NOT_SUPPORTED, UNKNOWN_ERROR = 0, 2, 3, 7, 8, 9
EMPTY = {"code": 0, "stdout": "{}", "stderr": ""}
# What ucode has, of what the plugin may call; its own functions come on top.
UCODE = {"connect", "length", "match", "die", "json", "map", "split", "join", "replace", "trim", "slice"}
KEYWORDS = {"if", "function", "switch", "catch", "return", "while", "for"}

pytestmark = needs_node


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    home.fill()
    yield home
    home.close()


# -- the file ----------------------------------------------------------------------------------------------


def test_the_plugin_keeps_to_what_ucode_and_javascript_have_in_common() -> None:
    code = re.sub(r"//[^\n]*|'(?:[^'\\]|\\.)*'", "", PLUGIN.read_text())
    javascript_only = (
        r"\b(new|class|async|await|yield|var|typeof|instanceof|undefined|of|throw|finally)\b"
        r"|\.(push|map|length|test|replace|split|join|slice|includes|indexOf|forEach)\b"
        r"|\b(let|const)\s*[\[{]"  # ucode takes nothing apart
        r"|\(\s*[\[{][^()]*\)\s*=>"
    )
    assert re.findall(javascript_only, code) == []
    own = set(re.findall(r"\bfunction (\w+)\(|const (\w+) = ", code))
    own_names = {name for pair in own for name in pair if name}
    parameters = set(re.findall(r"\b(act|command|done|told|named)\b", code))
    called = set(re.findall(r"(?<![.\w])(\w+)\(", code)) - KEYWORDS
    assert called - own_names - parameters <= UCODE


def test_each_function_stands_before_what_calls_it() -> None:
    code = PLUGIN.read_text()
    for found in re.finditer(r"^function (\w+)\(", code, re.MULTILINE):
        assert not re.search(rf"(?<!function )\b{found[1]}\(", code[: found.start()]), found[1]


def test_every_method_is_granted_to_read_or_to_write_and_nothing_else_is() -> None:
    granted = json.loads((PACKAGES / "smartrouter" / "files" / "smartrouter.rpcd.json").read_text())
    looks = set(granted["smartrouter"]["read"]["ubus"]["smartrouter"])
    decides = set(granted["smartrouter"]["write"]["ubus"]["smartrouter"])
    assert looks | decides == set(signature())
    assert looks == {"status", "devices", "device", "alerts", "alert"}
    assert not looks & decides


def test_the_documentation_has_each_method_with_its_arguments() -> None:
    page = (PACKAGES.parent / "docs" / "luci.md").read_text()
    rows = re.findall(r"^\| (`[a-z`, ]+`) \|([^|]*)\|[^|]+\|$", page.partition("| method |")[2], re.MULTILINE)
    documented: dict[str, set[str]] = {}
    for methods, arguments in rows:
        for method in re.findall("`([a-z]+)`", methods):
            documented[method] = set(re.findall("`([a-z_]+)`", arguments)) - {"always", "never", "auto"}
    assert documented == {method: set(args) for method, args in signature().items()}


def test_the_examples_of_the_documentation_are_taken() -> None:
    page = (PACKAGES.parent / "docs" / "luci.md").read_text()
    examples = re.findall(r"^    # ubus call smartrouter ([a-z]+)(?: '(.+)')?$", page, re.MULTILINE)
    calls = [(method, json.loads(args or "{}")) for method, args in examples]
    answers = ubus(*calls, outcomes=[EMPTY | {"stdout": "[]"}] * len(calls))
    assert [answer["status"] for answer in answers] == [OK] * 5 + [INVALID_ARGUMENT]
    assert answers[-1]["reply"]["error"] in page


def test_types_of_arguments_are_published() -> None:
    assert {"status", "devices", "alerts", "allow", "deny", "learn"} <= set(signature())
    assert signature()["learn"] == {"device": "", "finish": False}
    hints = [hint for args in signature().values() for hint in args.values()]
    assert {type(hint) for hint in hints} == {str, int, bool}
    # To rpcd the integers 8, 16 and 64 are other types; all else is the one that a number of JSON has.
    assert not {hint for hint in hints if type(hint) is int} & {8, 16, 64}


# -- from a call to a command ------------------------------------------------------------------------------

COMMANDS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("status", {}, ["status"]),
    ("device", {"device": TV}, ["device", TV]),
    ("alert", {"id": 12}, ["alert", "12"]),
    ("devices", {}, ["devices", "--limit", "101", "--skip", "0"]),
    ("devices", {"limit": 5, "skip": 10}, ["devices", "--limit", "6", "--skip", "10"]),
    (
        "alerts",
        {"all": True, "severity": "warning", "kind": "scan", "limit": 1},
        ["alerts", "--all", "--severity", "warning", "--kind", "scan", "--limit", "2", "--skip", "0"],
    ),
    ("alerts", {"all": False, "kind": ""}, ["alerts", "--limit", "101", "--skip", "0"]),
    ("allow", {"alert": 12}, ["allow", "12"]),
    (
        "allow",
        {"alert": 12, "duration": "1h30m", "exact": True, "all_devices": True},
        ["allow", "12", "--for", "1h30m", "--exact", "--all-devices"],
    ),
    (
        "deny",
        {"device": TV, "destination": "*.ads.example", "service": "tcp/8883"},
        ["deny", TV, "*.ads.example", "--service", "tcp/8883"],
    ),
    ("deny", {"device": "*", "destination": "2001:db8::/32"}, ["deny", "*", "2001:db8::/32"]),
    ("deny", {"device": "*", "destination": "::1"}, ["deny", "*", "::1"]),
    ("allow", {"device": TV, "destination": "*"}, ["allow", TV, "*"]),
    ("allow", {"device": TV, "destination": "_dns.example."}, ["allow", TV, "_dns.example."]),
    ("dismiss", {"id": 3}, ["alert", "3", "--dismiss"]),
    ("learn", {"device": TV}, ["learn", TV]),
    ("learn", {"device": "3C-2E-FF-29-4D-93", "finish": True}, ["learn", "3C-2E-FF-29-4D-93", "--finish"]),
    ("forget", {"device": TV, "destination": "a.example"}, ["forget", TV, "a.example"]),
    ("watch", {"device": TV, "watch": "never"}, ["watch", TV, "never"]),
    ("same", {"device": PLUG, "before": TV}, ["same", PLUG, TV]),
    ("mode", {"mode": "enforce"}, ["mode", "enforce"]),
    ("mode", {"mode": "monitor", "device": TV}, ["mode", "monitor", TV]),
    ("mute", {"device": TV, "duration": "1d"}, ["mute", TV, "1d"]),
    ("mute", {"device": TV, "end": True}, ["mute", TV, "--end"]),
    ("pause", {"duration": "90s"}, ["pause", "90s"]),
    ("pause", {"end": True}, ["pause", "--end"]),
]  # fmt: skip


def test_each_call_runs_its_command() -> None:
    outcomes = [
        EMPTY if method not in ("devices", "alerts") else EMPTY | {"stdout": "[]"}
        for method, _, _ in COMMANDS
    ]
    answers = ubus(*((method, args) for method, args, _ in COMMANDS), outcomes=outcomes)
    for (method, args, command), answer in zip(COMMANDS, answers, strict=True):
        assert answer["status"] == OK, (method, args, answer)
        assert [ran["params"] for ran in answer["ran"]] == [[*command, "--json"]], (method, args)
        assert answer["ran"][0]["command"] == "/usr/bin/smartrouter"
    assert {method for method, _, _ in COMMANDS} == set(signature())


def test_each_of_these_commands_is_one() -> None:
    from smartrouter.cli.commands import parser

    for _, _, command in COMMANDS:
        parser().parse_args([*command, "--json"])


HOSTILE = [
    "; reboot",
    "$(reboot)",
    "`reboot`",
    "a b",
    "--config=/tmp/x",
    "-x",
    "a\nb",
    "é.example",
    "a'b",
    "x" * 256,
]
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    *(("allow", {"device": TV, "destination": text}, "destination: this is no name") for text in HOSTILE),
    *(("device", {"device": text}, "device: this is no MAC") for text in [*HOSTILE, "*", TV + "\n", "tv"]),
    *(("allow", {"alert": 1, "duration": text}, "duration: this is no time") for text in (*HOSTILE, "1w")),
    *(("allow", {"alert": 1, "service": text}, "service: this is nothing like") for text in HOSTILE),
    *(("mode", {"mode": text}, "mode: this is neither") for text in HOSTILE),
    ("device", {}, "device is missing"),
    ("allow", {"device": TV}, "destination is missing"),
    ("allow", {"destination": "a.example"}, "device is missing"),
    ("allow", {"alert": 0}, "alert: give a number from 1 to"),
    ("allow", {"alert": 1, "device": TV}, "give either alert, or device and destination"),
    ("alert", {"id": -1}, "id: give a number from 1 to"),
    ("alert", {}, "id is missing"),
    ("devices", {"limit": 0}, "limit: give a number from 1 to 500"),
    ("alerts", {"skip": -1}, "skip: give a number from 0 to"),
    ("mute", {"device": TV}, "give either duration or end"),
    ("pause", {"duration": "1h", "end": True}, "give either duration or end"),
]  # fmt: skip


def test_what_is_of_no_form_runs_nothing() -> None:
    answers = ubus(*((method, args) for method, args, _ in REFUSED))
    for (method, args, error), answer in zip(REFUSED, answers, strict=True):
        assert answer["status"] == INVALID_ARGUMENT, (method, args)
        assert answer["reply"]["error"].startswith(error), (method, args, answer)
        assert answer["ran"] == [], (method, args)


def test_an_argument_of_another_type_and_one_that_is_unknown_do_not_reach_the_plugin() -> None:
    answers = ubus(("alert", {"id": "1"}), ("status", {"verbose": True}), ("reboot", {}))
    assert [answer["status"] for answer in answers] == [INVALID_ARGUMENT, INVALID_ARGUMENT, METHOD_NOT_FOUND]


# -- who decided -------------------------------------------------------------------------------------------


def test_decisions_are_taken_in_the_name_of_who_is_logged_in() -> None:
    calls = [("allow", {"alert": 1, "ubus_rpc_session": session}) for session in ("hers", "odd", "gone")]
    answers = ubus(
        *calls, ("pause", {"end": True}), ("status", {"ubus_rpc_session": "hers"}),
        outcomes=[EMPTY] * 5, sessions={"hers": "anna", "odd": "a b; c"},
    )  # fmt: skip
    by = [answer["ran"][0]["env"] for answer in answers]
    names = ["luci:anna", "luci:unknown", "luci:unknown", "ubus:root"]
    assert by == [*({"SMARTROUTER_BY": name} for name in names), {}]


# -- what is answered --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "status", "error"),
    [
        pytest.param(
            {"code": 1, "stderr": "smartrouter: no\nsmartrouter: never\n"},
            UNKNOWN_ERROR,
            "no\nnever",
            id="refused",
        ),
        pytest.param(
            {"code": 2, "stdout": "", "stderr": "usage: x\nsmartrouter allow: error: what?\n"},
            INVALID_ARGUMENT,
            "usage: x\nwhat?",
            id="usage",
        ),
        pytest.param({"code": 137}, UNKNOWN_ERROR, "smartrouter said nothing", id="killed"),
        pytest.param({"code": 0, "stdout": '{"a":'}, UNKNOWN_ERROR, "smartrouter said nothing", id="torn"),
        pytest.param(None, UNKNOWN_ERROR, "smartrouter said nothing", id="mute"),
        pytest.param(4, 4, "there is no /usr/bin/smartrouter", id="absent"),
        pytest.param(TIMEOUT, TIMEOUT, "smartrouter did not answer in time", id="late"),
        pytest.param(NOT_SUPPORTED, NOT_SUPPORTED, "this answer is too long for ubus", id="long"),
        pytest.param(10, 10, "smartrouter could not be run", id="other"),
    ],
)
def test_what_went_wrong_is_a_status_and_words(outcome: object, status: int, error: str) -> None:
    answer = ubus(("allow", {"alert": 1}), outcomes=[outcome])[0]
    assert (answer["status"], answer["reply"]) == (status, {"error": error})


def test_without_rpcds_file_module_that_is_said() -> None:
    for method, args in (("status", {}), ("devices", {}), ("pause", {"end": True})):
        answer = ubus((method, args), no_file_module=True)[0]
        assert answer["status"] == NOT_SUPPORTED
        assert "rpcd-mod-file" in answer["reply"]["error"]


def test_a_list_says_whether_there_is_more() -> None:
    answers = ubus(
        *[("devices", {"limit": 2})] * 2,
        outcomes=[EMPTY | {"stdout": "[1, 2, 3]"}, EMPTY | {"stdout": "[1, 2]"}],
    )
    assert [answer["reply"] for answer in answers] == [
        {"more": True, "devices": [1, 2]},
        {"more": False, "devices": [1, 2]},
    ]


def test_a_list_that_is_too_long_for_one_answer_comes_in_shorter_parts() -> None:
    outcomes = [NOT_SUPPORTED, NOT_SUPPORTED, EMPTY | {"stdout": "[1, 2, 3]"}]
    answer = ubus(("alerts", {"limit": 8}), outcomes=outcomes)[0]
    assert (answer["status"], answer["reply"]) == (OK, {"more": True, "alerts": [1, 2]})
    assert [ran["params"][2] for ran in answer["ran"]] == ["9", "5", "3"]
    answer = ubus(("alerts", {"limit": 2}), outcomes=[NOT_SUPPORTED] * 2)[0]
    assert (answer["status"], len(answer["ran"])) == (NOT_SUPPORTED, 2)


# -- with the real commands --------------------------------------------------------------------------------


def test_status_is_answered_whether_it_works_or_not(home: Home) -> None:
    status, found = ubus_at(home, "status")
    assert (status, list(found), found["working"]) == (OK, list(STATUS), False)
    assert "is not running" in found["problem"]
    home.run(status={"ok": RUNNING})
    status, found = ubus_at(home, "status")
    assert (status, found["working"], found["guard"]["devices"]["watched"]) == (OK, True, 2)


def test_listings_have_the_keys_of_the_commands(home: Home) -> None:
    _, devices = ubus_at(home, "devices", limit=2)
    assert (len(devices["devices"]), devices["more"]) == (2, True)
    assert all(list(device) == list(DEVICE) for device in devices["devices"])
    _, alerts = ubus_at(home, "alerts")
    assert (len(alerts["alerts"]), alerts["more"]) == (2, False)
    assert all(list(found) == list(ALERT) for found in alerts["alerts"])
    _, device = ubus_at(home, "device", device=TV)
    assert list(device) == list(DETAILS)
    _, alert = ubus_at(home, "alert", id=1)
    assert list(alert)[: len(ALERT) + len(EXPLAINED)] == [*ALERT, *EXPLAINED]


def test_what_is_decided_reaches_the_supervisor_with_its_name(home: Home) -> None:
    done = {"ok": {"applied": True, "note": ""}}
    home.run(allow=done, learn={"ok": {"state": "learning"}})
    assert ubus_at(home, "allow", alert=1, ubus_rpc_session="a-session") == (OK, done["ok"])
    assert home.asked.pop() == {
        "do": "allow", "device": TV, "destination": "evil.example", "service": "web", "until": None,
        "by": "luci:anna",
    }  # fmt: skip
    assert ubus_at(home, "learn", device=PLUG) == (OK, {"state": "learning"})
    assert home.asked.pop() == {"do": "learn", "device": PLUG, "finish": False}


def test_who_dismissed_an_alert_is_kept(home: Home) -> None:
    status, found = ubus_at(home, "dismiss", id=1, ubus_rpc_session="a-session")
    assert (status, found["state"]) == (OK, "dismissed")
    conn = open_reader(home.database)
    kept = stored(conn, 1)
    conn.close()
    assert kept is not None
    assert kept.decided_by == "luci:anna"


def test_what_the_supervisor_refuses_is_said_in_its_words(home: Home) -> None:
    home.run()
    assert ubus_at(home, "pause", duration="1h") == (UNKNOWN_ERROR, {"error": "not today"})
    status, found = ubus_at(home, "alert", id=99)
    assert (status, found["error"][:22]) == (UNKNOWN_ERROR, "there is no alert 99; ")
