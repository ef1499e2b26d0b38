# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter status`: is it working, what is it doing, what needs me?"""

import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.made_home import NOW, PLUG, RUNNING, TV, Home, noted, sighting

from smartrouter.cli import main
from smartrouter.core.effects import Kind, Severity
from smartrouter.core.policy import Reason
from smartrouter.listings.status import STATUS
from smartrouter.store.changes import set_meta, upsert_devices
from smartrouter.store.connect import open_writer
from smartrouter.store.runs import Run, keep_run
from smartrouter.terminal import display_width


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.delenv("COLUMNS", raising=False)
    home = Home(tmp_path)
    yield home
    home.close()


def run(home: Home, **changes: Any) -> None:
    """It runs; `guard__paused=5` changes what it says of its guard."""
    status = copy.deepcopy(RUNNING)
    for path, value in changes.items():
        *above, key = path.split("__")
        place = status
        for step in above:
            place = place[step]
        place[key] = value
    home.run(status={"ok": status})


def shown(home: Home, capsys: pytest.CaptureFixture[str], exit_status: int = 0) -> str:
    assert main(home.command("status")) == exit_status
    return capsys.readouterr().out


def told(home: Home, capsys: pytest.CaptureFixture[str]) -> Any:
    main(home.command("status", "--json"))
    return json.loads(capsys.readouterr().out)


def test_it_has_exactly_the_documented_keys_whether_it_runs_or_not(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(told(home, capsys)) == list(STATUS)
    home.fill()
    run(home)
    assert list(told(home, capsys)) == list(STATUS)


def test_when_all_is_well_it_says_so(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    open_writer(home.database).close()
    run(home)
    out = shown(home, capsys)
    assert out.startswith("smartrouter is working: what is not known is reported, not blocked\n")
    assert "2 watched: 1 protected, 1 learning, 0 new" in out
    assert "93 judged, 2 blocked: 90 learned, 3 unknown-name" in out
    assert "guard running (23 MiB), analyzer running (43 MiB)" in out
    assert out.endswith("Nothing needs you.\n")


def test_it_fits_one_screen(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home.fill()
    run(home)
    monkeypatch.setenv("COLUMNS", "80")
    lines = shown(home, capsys).splitlines()
    assert len(lines) <= 24
    assert max(map(display_width, lines)) <= 80


@pytest.mark.parametrize(
    ("changes", "working", "words"),
    [
        ({"guard__mode": "enforce"}, True, "what is not known is blocked and reported"),
        ({"guard__paused": 1800.0}, True, "but blocking is paused for 30 min more"),
        ({"enabled": False}, False, "it is switched off"),
        (
            {"guard": {"running": False, "problem": "the guard is not running (waiting: no kernel)"}},
            False,
            "no kernel",
        ),
        ({"problem": "none of the networks is here"}, False, "none of the networks is here"),
        ({"config__error": "line 3 is wrong"}, True, "not the one in use: line 3 is wrong"),
        ({"missing": ["iot"]}, True, "Configured, but not there: iot."),
        ({"guard__store": {"trouble": "disk full"}}, True, "cannot store what it sees: disk full"),
        ({"guard__faults": 2}, True, "2 faults of smartrouter's own"),
        ({"guard__mended": {"table": 1}}, True, "they were put back"),
        ({"queues": {"1": {"dropped": 3, "user_dropped": 4}}}, True, "7 packets were lost"),
        (
            {"parts": [{"name": "analyzer", "state": "waiting", "rss_kib": 0, "problem": "no pyroute2"}]},
            True,
            "The analyzer has a problem: no pyroute2.",
        ),
    ],
)
def test_what_is_the_matter_is_said(
    home: Home, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], working: bool, words: str
) -> None:
    open_writer(home.database).close()
    run(home, **changes)
    out = shown(home, capsys, 0 if working else 1)
    assert words in out
    assert out.startswith("smartrouter is working" if working else "smartrouter is not working")
    assert told(home, capsys)["working"] is working


def test_when_it_does_not_run_it_says_so_and_what_is_stored(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.fill()
    out = shown(home, capsys, 1)
    assert out.startswith("smartrouter is not working: smartrouter is not running")
    assert "3 devices, 1 learned destinations, 2 attempts (1 blocked)" in out
    status = told(home, capsys)
    assert (status["running"], status["working"], status["guard"]) == (False, False, {"running": False})
    assert status["mode"] == "monitor"


def test_without_a_store_too(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no store at" in shown(home, capsys, 1)
    assert told(home, capsys)["store"] is None


def test_with_a_configuration_that_has_faults_too(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    run(home)
    home.config.write_text("config smartrouter 'main'\n\toption mode 'loud'\n")
    assert "The configuration has faults:" in shown(home, capsys)
    assert "loud" in told(home, capsys)["config"]["error"]


def test_alerts_undecided_devices_and_troubles_need_you(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.fill()
    conn = open_writer(home.database)
    upsert_devices(conn, [sighting("00:00:00:00:00:09", "", None)], NOW)
    set_meta(conn, "analyzer_trouble", '{"alert file": "the disk is full"}')
    conn.close()
    run(home)
    needs = told(home, capsys)["needs"]
    assert needs[0] == "2 alerts wait for you (2 warning): `smartrouter alerts`."
    assert told(home, capsys)["alerts"] == {"critical": 0, "warning": 2, "notice": 0}
    assert needs[1].startswith("1 device of unknown kind")
    assert needs[2] == "The analyzer's alert file fails: the disk is full."


def test_a_device_of_unknown_kind_that_was_decided_about_needs_nobody(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    conn = open_writer(home.database)
    upsert_devices(conn, [sighting(PLUG, "", None)], NOW)
    conn.close()
    with home.config.open("a") as config:
        config.write(f"config device\n\toption mac '{PLUG}'\n\toption watch 'never'\n")
    run(home)
    assert told(home, capsys)["needs"] == []


def test_the_last_run_of_the_analyzer_is_shown(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    conn = open_writer(home.database)
    runs = [
        Run(time.time() - 125 - 300 * ago, 0.31 + ago, 12, ("One finding.",), {"protected": 1})
        for ago in reversed(range(15))
    ]
    for each in runs:
        keep_run(conn, each)
    conn.close()
    run(home)
    out = shown(home, capsys)
    assert "2 min ago: 12 new attempts in 0.3 s. One finding." in out
    assert "12 in the last hour: 144 attempts, 11.3 s at most" in out
    found = told(home, capsys)
    assert found["analysis"] == found["runs"][0] == {**runs[-1]._asdict(), "findings": ["One finding."]}
    assert [each["at"] for each in found["runs"]] == [each.at for each in reversed(runs)][:10]


def test_a_run_that_failed_is_shown(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    conn = open_writer(home.database)
    keep_run(conn, Run(time.time() - 425, 0.2, 5, (), {}))
    keep_run(conn, Run(time.time() - 125, 0.2, 0, (), {}, "OSError: disk on fire"))
    conn.close()
    run(home)
    out = shown(home, capsys)
    assert "2 min ago it failed: OSError: disk on fire" in out
    assert "2 in the last hour: 5 attempts, 0.2 s at most; 1 failed" in out
    assert told(home, capsys)["analysis"]["failure"] == "OSError: disk on fire"


def test_alerts_are_counted_by_how_loud_they_are(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.fill(
        noted(TV, Kind.SCAN, Reason.SCAN, "wide", severity=Severity.CRITICAL, address="203.0.113.1", port=23)
    )
    run(home)
    assert "3 alerts wait for you (1 critical, 2 warning)" in shown(home, capsys)


HIDDEN_NAMES = noted(TV, Kind.HIDDEN_RESOLVER, Reason.HIDDEN_RESOLVER, "for an hour or more")
REPEATER = noted(PLUG, Kind.REPEATER, Reason.REPEATER, "it uses 4 addresses", address="192.168.1.30")


def test_what_the_household_hides_is_said_with_what_to_do(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.fill(HIDDEN_NAMES, REPEATER)
    run(home)
    found = told(home, capsys)
    assert (found["nameless"], found["repeaters"]) == ([TV], [PLUG])
    names, devices = found["needs"][1:]
    assert names.startswith(
        "The names that 1 device asks for do not pass through this router (Living-room TV): their resolver"
    )
    assert "`list resolver`" in names
    assert "`option redirect_dns '1'`" in names
    assert devices.startswith("1 device hides others behind it")
    assert "(smart-plug)" in devices


def test_where_the_router_answers_all_plain_dns_hidden_names_are_encrypted(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.config.write_text(
        home.config.read_text().replace("list device", "option redirect_dns '1'\n\tlist device")
    )
    home.fill(HIDDEN_NAMES)
    run(home)
    assert "they use encrypted DNS" in told(home, capsys)["needs"][1]
    assert "redirect_dns" not in told(home, capsys)["needs"][1]


def test_all_of_that_still_fits_one_screen(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home.fill(HIDDEN_NAMES, REPEATER)
    run(home)
    monkeypatch.setenv("COLUMNS", "80")
    lines = shown(home, capsys).splitlines()
    assert len(lines) <= 24
    assert max(map(display_width, lines)) <= 80
