# SPDX-License-Identifier: GPL-2.0-or-later
"""LuCI's views: what they show of the answers of the ubus object, what they ask of it, and that no name that
somebody else chose becomes a part of the page."""

import contextlib
import copy
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from openwrt.rpcd import needs_node, run_node, signature, ubus
from openwrt.template import APPLICATION
from unit.made_home import PLUG, RUNNING, TV, Home, alert

from smartrouter.cli import main
from smartrouter.config import options as kinds
from smartrouter.config.options import options_of
from smartrouter.config.sections import SECTIONS
from smartrouter.core.effects import Kind
from smartrouter.core.explanations import is_about_destination

RESOURCES = APPLICATION / "htdocs" / "luci-static" / "resources"
RIGHTS = json.loads((APPLICATION / "root" / "usr/share/rpcd/acl.d/luci-app-smartrouter.json").read_text())[
    "luci-app-smartrouter"
]
HOSTILE = "<img src=x onerror=alert(1)>\"'&`${x}%s"
# Where there is one of our own words; any other text may be somebody else's.
OURS = {
    "state",
    "mode",
    "class",
    "severity",
    "kind",
    "action",
    "mac",
    "last",
    "command",
    "reason",
    "evidence",
}
DONE: dict[str, Any] = {"applied": True, "note": ""}

pytestmark = needs_node


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the ubus object answers in a home: of the TV, and of its first alert. And two answers more."""
    home = Home(tmp_path_factory.mktemp("home"))
    home.fill(alert(TV, "", address="203.0.113.5", kind=Kind.SCAN))

    def asked(*command: str) -> Any:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            main(home.command(*command, "--json"))
        return json.loads(printed.getvalue())

    stopped = asked("status")
    home.run(status={"ok": RUNNING})
    found = {
        "status": asked("status"),
        "devices": {"devices": asked("devices"), "more": False},
        "device": asked("device", TV),
        "alerts": {"alerts": asked("alerts"), "more": False},
        "alert": asked("alert", "1"),
    }
    home.close()
    return found | {"stopped": stopped, "scan": asked("alert", "3")}


@pytest.fixture
def answers(recorded: dict[str, Any]) -> dict[str, Any]:
    """The same, to be changed."""
    return copy.deepcopy(recorded)


def show(view: str, answers: Mapping[str, Any], steps: Sequence[object] = (), **more: Any) -> dict[str, Any]:
    """What there is to see of a view after it was opened and after each step."""
    given = {"answers": answers, "steps": steps, **more}
    shown: dict[str, Any] = run_node("luci.js", str(RESOURCES), f"view.smartrouter.{view}", given=given)
    return shown


def calls(shown: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(call["method"], call["args"]) for moment in shown["moments"] for call in moment["calls"]]


def poisoned(value: Any, key: str = "") -> Any:
    """The same answer with every text that may come from the network made as hostile as it can be."""
    if isinstance(value, dict):
        return {name: poisoned(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [poisoned(each, key) for each in value]
    return HOSTILE + value if isinstance(value, str) and key not in OURS else value


# -- what is asked -----------------------------------------------------------------------------------------


def test_each_declared_call_is_a_method_with_these_arguments_and_granted() -> None:
    declared = show("overview", {"status": "gone"})["declared"]
    methods = signature()
    for each in declared:
        assert each["object"] == "smartrouter"
        assert set(each["params"]) == set(methods[each["method"]]), each["method"]
    assert {each["method"] for each in declared} == set(methods)
    granted = [*RIGHTS["read"]["ubus"]["smartrouter"], *RIGHTS["write"]["ubus"]["smartrouter"]]
    assert sorted(granted) == sorted(methods)


PRESSED: list[tuple[str, list[object], list[tuple[str, dict[str, Any]]]]] = [
    ("overview", ["poll"], [("status", {}), ("status", {})]),
    ("overview", ["Block what is not known…", "Cancel"], [("status", {}), ("devices", {"limit": 500})]),
    (
        "overview",
        ["Block what is not known…", "Block"],
        [("status", {}), ("devices", {"limit": 500}), ("mode", {"mode": "enforce"}), ("status", {})],
    ),
    ("devices", ["poll"], [("devices", {"limit": 50, "skip": 0})] * 2),
    (
        "devices",
        ["Details…", "Learn again"],
        [
            ("devices", {"limit": 50, "skip": 0}), ("device", {"device": TV}), ("learn", {"device": TV}),
            ("devices", {"limit": 50, "skip": 0}), ("device", {"device": TV}),
        ],
    ),
    ("devices", ["Details…", "Only report"], [("mode", {"mode": "monitor", "device": TV})]),
    ("devices", ["Details…", "Only report", "Block what is not known…", "Cancel"], []),
    (
        "devices",
        ["Details…", "Only report", "Block what is not known…", "Block"],
        [("mode", {"mode": "monitor", "device": TV}), ("mode", {"mode": "enforce", "device": TV})],
    ),
    ("devices", ["Details…", "Leave it alone"], [("watch", {"device": TV, "watch": "never"})]),
    ("devices", ["Details…", "Go by its kind"], [("watch", {"device": TV, "watch": "auto"})]),
    ("devices", ["Details…", "Mute for a day"], [("mute", {"device": TV, "duration": "1d"})]),
    (
        "devices",
        ["Details…", "Forget"],
        [("forget", {"device": TV, "destination": "films.example", "service": "web"})],
    ),
    ("alerts", ["Allow"], [("allow", {"alert": 2})]),
    ("alerts", ["Deny"], [("deny", {"alert": 2})]),
    ("alerts", ["Details…", "Allow"], [("alert", {"id": 3}), ("allow", {"alert": 1})]),
    (
        "alerts",
        [
            "Details…", {"set": "", "of": "select", "to": {"value": "1h"}},
            {"set": "just the name", "of": "input", "to": {"checked": True}},
            {"set": "every device", "of": "input", "to": {"checked": True}}, "Deny",
        ],
        [("deny", {"alert": 1, "duration": "1h", "exact": True, "all_devices": True})],
    ),
    ("alerts", ["Details…", "Dismiss"], [("dismiss", {"id": 1})]),
    ("alerts", ["Details…", "Mute the device for a day"], [("mute", {"device": TV, "duration": "1d"})]),
    (
        "alerts",
        [{"set": "decided about", "of": "input", "to": {"checked": True}}],
        [("alerts", {"all": all_, "limit": 25, "skip": 0}) for all_ in (False, True)],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("view", "steps", "wanted"),
    PRESSED,
    ids=[f"{view}-{number}" for number, (view, *_) in enumerate(PRESSED)],
)
def test_a_button_asks_what_it_says(
    answers: dict[str, Any],
    view: str,
    steps: list[object],
    wanted: list[tuple[str, dict[str, Any]]],
) -> None:
    answers |= dict.fromkeys(("mode", "learn", "watch", "mute", "forget", "allow", "deny", "dismiss"), DONE)
    answers["device"] = [answers["device"], answers["device"] | {"mode": "monitor"}]
    made = calls(show(view, answers, steps))
    assert [call for call in made if call in wanted] == wanted
    # The plugin takes each of them, and makes a command of it.
    replies = ubus(*made, outcomes=[{"code": 0, "stdout": "[]", "stderr": ""}] * len(made))
    assert [reply["status"] for reply in replies] == [0] * len(made)


def test_pause_and_its_end_and_reporting_only(answers: dict[str, Any]) -> None:
    status = answers["status"] | {"mode": "enforce"}
    answers = {"status": [status, status | {"paused": 3600.0}, status], "pause": DONE, "mode": DONE}
    shown = show("overview", answers, ["Pause for 1 hour", "End the pause", "Only report"])
    assert [call for call in calls(shown) if call[0] != "status"] == [
        ("pause", {"duration": "1h"}),
        ("pause", {"end": True}),
        ("mode", {"mode": "monitor"}),
    ]
    assert "blocking is paused for 1h more" in shown["moments"][1]["text"]
    said = [each["text"] for moment in shown["moments"] for each in moment["notifications"]]
    assert said[:2] == ["Blocking is paused for 1h.", "The pause is over."]


def test_who_may_only_look_has_no_buttons_that_decide(answers: dict[str, Any]) -> None:
    for view, shown, opened in (
        ("overview", [], None),
        ("devices", ["Details…"] * 3, ["Close"]),
        ("alerts", ["Details…"] * 3, ["Close"]),
    ):
        moments = show(view, answers, [] if opened is None else ["Details…"], readonly=True)["moments"]
        assert moments[0]["buttons"] == shown
        assert opened is None or moments[1]["buttons"] == opened


def test_what_is_refused_is_said_and_changes_nothing(answers: dict[str, Any]) -> None:
    answers |= {"allow": {"error": HOSTILE}, "deny": "offline"}
    shown = show("alerts", answers, ["Allow", "Deny"])
    said = [each for moment in shown["moments"] for each in moment["notifications"]]
    assert said == [{"style": "error", "text": HOSTILE}, {"style": "error", "text": "offline"}]


def test_a_note_of_the_supervisor_is_told(answers: dict[str, Any]) -> None:
    answers |= {"allow": DONE | {"note": "the guard will follow"}}
    (said,) = show("alerts", answers, ["Allow"])["moments"][1]["notifications"]
    assert said["style"] == "info"
    assert said["text"].endswith("But the guard will follow.")


# -- what is shown -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["overview", "devices", "alerts"])
def test_without_an_answer_that_is_said_and_without_footer(view: str) -> None:
    for answer, text in (("unreachable", "unreachable"), ({"error": HOSTILE}, HOSTILE)):
        shown = show(view, {"status": answer, "devices": answer, "alerts": answer})
        assert text in shown["moments"][0]["text"]
        assert shown["footer"] == [None, None, None]
    shown = show(view, {})
    assert "smartrouter did not answer." in shown["moments"][0]["text"]
    assert min(shown["polls"]) >= 10


def test_the_overview_says_in_a_sentence_how_it_is(answers: dict[str, Any]) -> None:
    status = answers["status"]
    text = show("overview", {"status": status})["moments"][0]["text"]
    assert "smartrouter is working: what is not known is reported, not blocked." in text
    assert "2 watched: 1 protected, 1 learning, 0 new" in text
    assert "93 judged, 0 settled in the kernel, 2 blocked" in text
    assert "guard running (23 MiB), analyzer running (43 MiB)" in text
    assert "What needs you" in text
    assert "3 alerts wait for you" in text
    enforcing = show("overview", {"status": status | {"mode": "enforce", "needs": []}})["moments"][0]
    assert "what is not known is blocked and reported." in enforcing["text"]
    assert "Nothing needs you." in enforcing["text"]


def test_the_overview_of_what_does_not_run_says_why(answers: dict[str, Any]) -> None:
    status = answers["stopped"]
    shown = show("overview", {"status": status})["moments"][0]
    assert "smartrouter is not working: smartrouter is not running" in shown["text"]
    assert shown["buttons"] == []


def test_before_blocking_what_it_will_meet_is_said(answers: dict[str, Any]) -> None:
    dialogue = show("overview", answers, ["Block what is not known…"])["moments"][1]["dialogue"]
    assert "Alerts that wait for you: 3. " in dialogue
    assert "Protected devices: 1. New destinations that are expected of them: " in dialogue
    assert "Still learning, and not blocked until that ends: smart-plug." in dialogue
    unknown = show("overview", answers | {"devices": {"error": "no store"}}, ["Block what is not known…"])
    assert "What this will block is not known: no store" in unknown["moments"][1]["dialogue"]


def test_devices_are_shown_with_how_they_stand(answers: dict[str, Any]) -> None:
    shown = show("devices", answers, ["Details…"])["moments"]
    for text in (
        "Living-room TV", TV, "192.168.1.20", "IoT, 90 % sure", "protected", "block and report", "Pixel-8",
        "not watched", "learning, 7 % done", "192.168.1.22fe80::4",
    ):  # fmt: skip
        assert text in shown[0]["text"]
    for text in ("films.example", "ads.example", "What it needs (1)", "evil.example", "Apple, Inc.", "ended"):
        assert text in shown[1]["dialogue"]


def test_a_device_that_was_probably_here_before_may_be_said_to_be_that(answers: dict[str, Any]) -> None:
    answers |= {"same": DONE}
    answers["devices"]["devices"][0]["probably"] = {"mac": PLUG, "label": "Old", "reasons": ["its name"]}
    shown = show("devices", answers, ["It is the same device"])
    assert "Living-room TV is probably Old (its name)." in shown["moments"][0]["text"]
    assert ("same", {"device": TV, "before": PLUG}) in calls(shown)


def test_a_long_list_comes_in_parts(answers: dict[str, Any]) -> None:
    answers["devices"]["more"] = True
    shown = show("devices", answers, ["More", "Back"])
    assert [args["skip"] for _, args in calls(shown)] == [0, 50, 0]
    assert "Back" not in shown["moments"][0]["buttons"]
    answers["alerts"]["more"] = True
    assert [args["skip"] for _, args in calls(show("alerts", answers, ["More"]))] == [0, 25]


def test_rules_are_offered_for_just_the_kinds_that_they_can_decide_about() -> None:
    view = (RESOURCES / "view" / "smartrouter" / "alerts.js").read_text()
    listed = re.search(r"const DECIDABLE = \[(.*?)\];", view, re.DOTALL)
    assert listed is not None
    assert set(re.findall("'(.+?)'", listed[1])) == {kind for kind in Kind if is_about_destination(kind, "")}


def test_an_alert_is_explained_and_offers_what_can_be_decided(answers: dict[str, Any]) -> None:
    opened = show("alerts", answers, ["Details…"])["moments"][1]
    for key in ("means", "why", "perhaps", "advice"):
        assert answers["alert"][key] in opened["dialogue"]
    assert opened["buttons"] == ["Allow", "Deny", "Dismiss", "Mute the device for a day", "Close"]
    scan = answers["scan"]
    shown = show(
        "alerts", answers | {"alert": scan, "deny": DONE}, ["Details…", "Cut the device off for a day"]
    )
    assert "Allow" not in shown["moments"][1]["buttons"]
    assert ("deny", {"device": TV, "destination": "*", "duration": "1d"}) in calls(shown)


@pytest.mark.parametrize(
    ("view", "steps"),
    [
        ("overview", ["Block what is not known…", "Block"]),
        ("devices", ["It is the same device", "Details…", "Learn again"]),
        ("alerts", ["Allow", "Details…", "Allow"]),
    ],
)
def test_hostile_texts_are_shown_as_what_they_are(
    answers: dict[str, Any], view: str, steps: list[object]
) -> None:
    done = DONE | {"note": HOSTILE}
    answers = poisoned(answers) | {"mode": done, "learn": done, "allow": done, "same": done}
    answers["devices"]["devices"][0]["probably"] = {"mac": PLUG, "label": HOSTILE, "reasons": [HOSTILE]}
    answers["alert"]["commands"] = [{"command": "smartrouter allow 1", "does": HOSTILE}]
    shown = show(view, answers, steps)
    assert HOSTILE in shown["moments"][0]["text"]
    tags = {node["tag"] for moment in shown["moments"] for node in nodes(moment["tree"])}
    assert not tags & {"img", "script", "iframe"}
    attributes = {name for moment in shown["moments"] for node in nodes(moment["tree"]) for name in node}
    assert attributes <= {
        "tag",
        "children",
        "class",
        "style",
        "href",
        "width",
        "type",
        "value",
        "data-title",
    }
    links = [node["href"] for moment in shown["moments"] for node in nodes(moment["tree"]) if "href" in node]
    assert all(link == "/cgi-bin/luci/admin/services/smartrouter/alerts" for link in links)


def nodes(tree: dict[str, Any]) -> list[dict[str, Any]]:
    below = [node for child in tree["children"] if isinstance(child, dict) for node in nodes(child)]
    return [tree, *below]


# -- settings ----------------------------------------------------------------------------------------------


def test_the_form_has_every_option_of_the_table_with_its_default() -> None:
    (form,) = show("settings", {})["forms"]
    assert form["config"] == "smartrouter"
    sections = {section["type"]: section for section in form["sections"]}
    assert list(sections) == list(SECTIONS)
    for name, section in SECTIONS.items():
        shown = {option["option"]: option for option in sections[name]["options"]}
        assert list(shown) == [option.name for option in options_of(section)]
        for option in options_of(section):
            default = shown[option.name].get("default", shown[option.name].get("placeholder", ""))
            assert option.secret or default == option.default, option.name
            is_set = option.kind.allowed == kinds.BOOLEAN.allowed and option.default != ""
            assert shown[option.name]["rmempty"] is not (option.required or is_set)
            assert option.secret or (shown[option.name]["widget"] == "DynamicList") is option.many
    assert sections["smartrouter"]["name"] == "main"
    assert all(option["tab"] for option in sections["smartrouter"]["options"])


def test_choices_are_those_that_the_reader_takes() -> None:
    (form,) = show("settings", {})["forms"]
    for section in form["sections"]:
        for option in section["options"]:
            (known,) = [one for one in options_of(SECTIONS[section["type"]]) if one.name == option["option"]]
            values = [value for value, _ in option["choices"] if value]
            for value in values:
                known.read(value)
            assert bool(values) == (
                option["widget"] == "ListValue" or (section["type"], option["option"]) == ("rule", "device")
            )


def test_devices_and_networks_that_there_are_may_be_chosen(answers: dict[str, Any]) -> None:
    for device in answers["devices"]["devices"]:
        device["label"] = HOSTILE
    (form,) = show("settings", answers, networks=["loopback", "lan", "iot"])["forms"]
    choices = {
        f"{section['type']}.{option['option']}": [value for value, _ in option["choices"]]
        for section in form["sections"]
        for option in section["options"]
        if option["widget"] in ("Value", "DynamicList") and option["choices"]
    }
    labels = [
        label for section in form["sections"] for each in section["options"] for _, label in each["choices"]
    ]
    assert any("img src=x onerror=alert(1)" in label for label in labels)
    assert not any(sign in label for label in labels for sign in "<>&")
    macs = [device["mac"] for device in answers["devices"]["devices"]]
    assert choices == {
        "smartrouter.network": ["lan", "iot"],
        "smartrouter.iot_network": ["lan", "iot"],
        "device.mac": macs,
        "rule.device": ["*", *macs],
    }


def test_secrets_are_neither_shown_nor_lost() -> None:
    (form,) = show("settings", {}, uci={"main": {"token": "xoxb-1", "channel": "#x"}})["forms"]
    secret = {
        f"{section['type']}.{option['option']}"
        for section in form["sections"]
        for option in section["options"]
        if option.get("password")
    }
    assert secret == {
        f"{name}.{option.name}"
        for name, section in SECTIONS.items()
        for option in options_of(section)
        if option.secret
    }
    for section in form["sections"]:
        for option in section["options"]:
            if option.get("password"):
                assert (option["shown"], option["removes"]) == ("", False)
                assert section["kind"] != "GridSection" or option["modalonly"] is True


@pytest.mark.parametrize(("written", "shown"), [("yes", "1"), ("1", "1"), ("off", "0"), (None, None)])
def test_a_switch_reads_uci_s_words(written: str | None, shown: str | None) -> None:
    (form,) = show("settings", {}, uci={"main": {"enabled": written}})["forms"]
    (option,) = [one for one in form["sections"][0]["options"] if one["option"] == "enabled"]
    assert (option["widget"], option["shown"], option["rmempty"]) == ("Flag", shown, False)


def test_what_is_no_value_is_refused_with_what_is() -> None:
    checks = [
        {"section": "smartrouter", "option": "max_size", "value": "many"},
        {"section": "smartrouter", "option": "max_size", "value": "16M"},
        {"section": "smartrouter", "option": "max_size", "value": ""},
        {"section": "rule", "option": "destination", "value": "*.bücher.example"},
        {"section": "device", "option": "mac", "value": "x"},
    ]
    assert show("settings", {}, checks=checks)["checks"] == [
        "Give a size such as 512M, with K, M or G (1024 each).",
        True,
        True,
        True,
        "Give a device's MAC address such as 3c:2e:ff:29:4d:93.",
    ]
