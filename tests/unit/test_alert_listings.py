# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter alerts` and `smartrouter alert`."""

import json
from pathlib import Path
from typing import Any

import pytest
from unit.made_home import PLUG, TV, Home, alert

from smartrouter.cli import main
from smartrouter.cli.alerts import ALERT
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
    assert list(listed(home, capsys, "alert", "1")) == list(ALERT)
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
    assert "The device has not used this name and service before. (unknown-name)" in out
    assert "5, of which 5 were blocked" in out
    assert "198.51.100.7 tcp/443 (5)" in out
    assert "`smartrouter allow 1` allows it" in out
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
