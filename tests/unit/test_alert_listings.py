# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter alerts` and `smartrouter alert`."""

import json
from pathlib import Path
from typing import Any

import pytest
from unit.made_home import PLUG, TV, Home, alert, noted

from smartrouter.cli import main
from smartrouter.cli.packets import PACKETS
from smartrouter.core.effects import Kind, Severity, Withdraw
from smartrouter.core.explanations import EXPLANATIONS
from smartrouter.core.policy import Reason
from smartrouter.listings.alerts import ALERT, EXPLAINED
from smartrouter.store.alerts import AlertState, set_alert_state, set_reverse
from smartrouter.store.connect import open_writer
from smartrouter.terminal import display_width


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.delenv("COLUMNS", raising=False)
    home = Home(tmp_path)
    home.fill(*(alert(TV, "evil.example", blocked=True) for _ in range(4)))
    return home


def listed(home: Home, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(home.command(*arguments, "--json")) == 0
    return json.loads(capsys.readouterr().out)


def shown(home: Home, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(home.command(*arguments)) == 0
    return capsys.readouterr().out


def decide(home: Home, number: int, state: AlertState) -> None:
    conn = open_writer(home.database)
    assert set_alert_state(conn, number, state)
    conn.close()


def test_alerts_have_exactly_the_documented_keys(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert [list(each) for each in listed(home, capsys, "alerts")] == [list(ALERT), list(ALERT)]
    assert list(listed(home, capsys, "alert", "1")) == [*ALERT, *EXPLAINED, *PACKETS]
    assert listed(home, capsys, "alerts", "1") == listed(home, capsys, "alert", "1")


def test_an_alert_is_listed_as_it_was_raised(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    one = listed(home, capsys, "alert", "1")
    assert (one["mac"], one["device"]) == (TV, "Living-room TV")
    assert (one["destination"], one["service"], one["evidence"]) == ("evil.example", "web", "dns")
    assert (one["count"], one["blocked"], one["state"], one["reverse"]) == (5, 5, "open", None)
    assert one["addresses"] == ["198.51.100.7"]
    assert one["targets"] == [{"address": "198.51.100.7", "port": 443, "protocol": 6, "count": 5}]


def test_only_what_waits_is_listed_unless_all_is_wanted(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    decide(home, 1, AlertState.ALLOWED)
    assert [each["id"] for each in listed(home, capsys, "alerts")] == [2]
    assert {each["id"]: each["state"] for each in listed(home, capsys, "alerts", "--all")} == {
        1: "allowed", 2: "open",
    }  # fmt: skip
    assert "STATE" not in shown(home, capsys, "alerts")
    assert "allowed" in shown(home, capsys, "alerts", "--all")


def test_a_part_of_the_alerts_is_listed_the_latest_first(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(home.command("alerts", "--json")) == 0
    everything = json.loads(capsys.readouterr().out)
    assert len(everything) > 1
    for part, wanted in ((["--limit", "1"], everything[:1]), (["--skip", "1"], everything[1:])):
        assert main(home.command("alerts", "--json", *part)) == 0
        assert json.loads(capsys.readouterr().out) == wanted


def test_when_nothing_waits_that_is_said(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    decide(home, 1, AlertState.DENIED)
    decide(home, 2, AlertState.DISMISSED)
    assert shown(home, capsys, "alerts") == "No alert waits for you.\n"
    assert listed(home, capsys, "alerts") == []


def test_a_reverse_name_is_shown_as_the_label_that_it_is(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    conn = open_writer(home.database)
    set_reverse(conn, [(2, "host.cloud.example")])
    conn.close()
    assert "198.51.100.99 [host.cloud.example]" in shown(home, capsys, "alerts")
    assert listed(home, capsys, "alert", "2")["evidence"] == "reverse"


def test_one_alert_is_explained_with_what_to_do(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(home, capsys, "alert", "1")
    assert "The device has not used this name and service before." in out
    assert "It tried evil.example, 198.51.100.7 tcp/443. (unknown-name)" in out
    assert "5 times, blocked" in out
    assert "198.51.100.7 tcp/443 (5)" in out
    assert "smartrouter allow 1 " in out
    decide(home, 1, AlertState.ALLOWED)
    assert "smartrouter allow 1" not in shown(home, capsys, "alert", "1")


def test_an_alert_of_another_version_is_still_shown(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    conn = open_writer(home.database)
    conn.execute("UPDATE alerts SET reason = 'new-reason', severity = 'dire', kind = 'new-kind'")
    conn.close()
    assert "new-reason" in shown(home, capsys, "alert", "1")
    assert "dire" in shown(home, capsys, "alerts")


def test_an_alert_that_is_not_there_is_an_error(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(home.command("alert", "77")) == 1
    assert "there is no alert 77" in capsys.readouterr().err


@pytest.mark.parametrize("width", [50, 80, 120])
@pytest.mark.parametrize("arguments", [["alerts"], ["alerts", "--all"], ["alert", "1"]])
def test_listings_fit_the_terminal(
    home: Home,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    width: int,
    arguments: list[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = shown(home, capsys, *arguments).splitlines()
    assert max(map(display_width, lines)) <= max(width, 70)


def test_blocked_is_red_and_passed_is_yellow_at_a_terminal(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smartrouter.terminal._colour_wanted", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    lines = {line.split("m")[0]: line for line in shown(home, capsys, "alerts").splitlines()}
    everything = "\n".join(lines.values())
    assert "\x1b[31mblocked\x1b[0m" in everything
    assert "\x1b[33mpassed\x1b[0m" in everything
    assert PLUG not in everything


SCAN = noted(
    PLUG, Kind.SCAN, Reason.SCAN, "horizontal scan: 254 attempts, 254 addresses, tcp/23",
    severity=Severity.CRITICAL, address="203.0.113.1", port=23,
)  # fmt: skip


def test_a_scan_is_shown_by_how_wide_it_is(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.fill(SCAN)
    assert "254 addresses, tcp/23" in shown(home, capsys, "alerts")
    found = listed(home, capsys, "alert", "3")
    assert (found["kind"], found["destination"], found["severity"]) == ("scan", "", "critical")
    assert found["detail"] == "horizontal scan: 254 attempts, 254 addresses, tcp/23"
    assert found["detail"][1:] in found["why"]


def test_alerts_may_be_chosen_by_kind_and_by_how_loud_they_are(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.fill(SCAN, noted(PLUG, Kind.PERSON, Reason.PERSON, "many", severity=Severity.NOTICE))
    for arguments, kinds in (
        (["--kind", "scan"], {"scan"}),
        (["--kind", "scan", "--kind", "person"], {"scan", "person"}),
        (["--severity", "warning"], {"scan", "new-destination"}),
        (["--severity", "critical"], {"scan"}),
        (["--kind", "person", "--severity", "critical"], set()),
    ):
        assert {each["kind"] for each in listed(home, capsys, "alerts", *arguments)} == kinds
    assert shown(home, capsys, "alerts", "--kind", "repeater") == "No such alert.\n"


def test_what_has_become_part_of_a_greater_alert_waits_for_nobody(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.fill(SCAN, Withdraw(PLUG, Kind.NEW_DESTINATION, "198.51.100.99", "web"))
    assert {each["id"] for each in listed(home, capsys, "alerts")} == {1, 3}
    assert {each["id"]: each["state"] for each in listed(home, capsys, "alerts", "--all")} == {
        1: "open", 2: "merged", 3: "open",
    }  # fmt: skip


def test_an_alert_about_the_device_alone_has_no_addresses(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.fill(noted(PLUG, Kind.PERSON, Reason.PERSON, "12 different domains"))
    found = listed(home, capsys, "alert", "3")
    assert (found["addresses"], found["targets"]) == ([], [])
    out = shown(home, capsys, "alert", "3")
    assert "12 different domains." in out
    assert "evidence" not in out
    assert f"smartrouter forget {PLUG} --all" in out


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("width", [80, 120])
def test_every_kind_is_explained_on_one_screen(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: Kind, width: int
) -> None:
    detail = "180 different names under t.evil.example within 60 s, 48 characters long on average, all TXT"
    home.fill(noted(TV, kind, Reason.UNKNOWN_NAME, detail, destination="evil.net", address="203.0.113.1"))
    monkeypatch.setenv("COLUMNS", str(width))
    lines = shown(home, capsys, "alert", "3").splitlines()
    assert len(lines) <= 24
    assert max(map(display_width, lines)) <= width
    text = " ".join(" ".join(lines).split())
    assert all(sentence in text for sentence in EXPLANATIONS[kind])
    assert "smartrouter alert 3 --dismiss" in text


HOSTILE = "\x1b[31mx\x07\n  all is well.\u202e'$(reboot)'" + "a" * 60 + ".evil.example"


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("arguments", [["alerts"], ["alert", "3"]])
def test_hostile_text_is_inert_and_in_no_command(
    home: Home,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    width: int,
    arguments: list[str],
) -> None:
    home.fill(alert(TV, HOSTILE), noted(TV, Kind.DNS_TUNNEL, Reason.DNS_TUNNEL, HOSTILE, destination=HOSTILE))
    monkeypatch.setenv("COLUMNS", str(width))
    out = shown(home, capsys, *arguments)
    assert not set("\x1b\x07\u202e") & set(out)
    assert not [line for line in out.splitlines() if line.startswith("  all is well")]
    commands = [
        way["command"] for each in ("3", "4") for way in listed(home, capsys, "alert", each)["commands"]
    ]
    assert len(commands) == 5
    assert not [command for command in commands if "reboot" in command]


def test_a_dismissed_alert_waits_no_more_and_still_counts(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(home, capsys, "alert", "1", "--dismiss").startswith("Alert 1 is dismissed")
    assert [each["id"] for each in listed(home, capsys, "alerts")] == [2]
    home.fill(alert(TV, "evil.example"))
    found = listed(home, capsys, "alert", "1")
    assert (found["state"], found["count"], found["commands"]) == ("dismissed", 7, [])
    assert listed(home, capsys, "alert", "1", "--dismiss")["state"] == "dismissed"


def test_what_was_decided_cannot_be_dismissed(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    decide(home, 1, AlertState.DENIED)
    assert main(home.command("alert", "1", "--dismiss")) == 1
    assert "it is denied" in capsys.readouterr().err


def test_severity_is_a_colour_at_a_terminal(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home.fill(SCAN)
    monkeypatch.setattr("smartrouter.terminal._colour_wanted", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    assert "\x1b[31mscan\x1b[0m" in shown(home, capsys, "alerts")
    assert "\x1b[31mcritical\x1b[0m" in shown(home, capsys, "alert", "3")
