# SPDX-License-Identifier: GPL-2.0-or-later
"""What the commands ask of the running smartrouter, and what they say came of it."""

import contextlib
import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.made_home import PHONE, PLUG, TV, Home, alert, noted

from smartrouter.cli import main
from smartrouter.core.effects import Keep, Kind, Withdraw
from smartrouter.core.learning import Progress, State
from smartrouter.core.policy import Reason
from smartrouter.store import open_reader
from smartrouter.store.alerts import alert as stored

DONE = {"ok": {"applied": True, "note": ""}}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.delenv("SMARTROUTER_BY", raising=False)
    home = Home(tmp_path)
    home.fill(alert(TV, "", address="192.168.1.1", kind=Kind.ROUTER_SERVICE))
    home.run(
        allow=DONE, deny=DONE, mode=DONE, learn={"ok": {"state": "learning"}}, pause={"ok": {"seconds": 1.0}},
        forget={"ok": {"forgotten": 1}},
    )  # fmt: skip
    yield home
    home.close()


def asked(home: Home, *arguments: str) -> dict[str, Any]:
    assert main(home.command(*arguments)) == 0
    request: dict[str, Any] = home.asked.pop()
    assert home.asked == []
    return request


@pytest.mark.parametrize(
    "device", [TV, TV.upper(), TV.replace(":", "-"), "living-room tv", "Living-room TV", "tv"]
)
def test_a_device_may_be_meant_by_its_mac_and_its_names(home: Home, device: str) -> None:
    assert asked(home, "allow", device, "example.com") == {
        "do": "allow", "device": TV, "destination": "example.com", "service": "", "until": None,
    }  # fmt: skip


def test_one_connection_may_be_allowed(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    request = asked(home, "allow", "1", "--once")
    assert request["once"] is True
    assert abs(request["until"] - (time.time() + 3600)) < 10
    assert "Living-room TV may use evil.example (web) once, and not after " in capsys.readouterr().out
    assert main(home.command("allow", "1", "--once", "--for", "1h")) == 2


def test_a_denial_may_be_for_a_try(home: Home) -> None:
    request = asked(home, "deny", "1", "--once")
    assert "once" not in request
    assert abs(request["until"] - (time.time() + 120)) < 10


def test_of_an_alert_the_exact_name_and_every_device_may_be_meant(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(home, "deny", "1", "--exact", "--all-devices") == {
        "do": "deny", "device": "*", "destination": "evil.example", "service": "web", "until": None,
    }  # fmt: skip
    assert main(home.command("allow", "2", "--exact")) == 1
    assert "alert 2 has no name; it is about 198.51.100.99" in capsys.readouterr().err
    assert main(home.command("allow", "tv", "example.com", "--exact")) == 2
    assert main(home.command("allow", "tv", "example.com", "--all-devices")) == 2


def test_a_device_is_muted_for_a_time(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.answers = {"mute": DONE}
    assert asked(home, "mute", "tv", "1d") == {"do": "mute", "device": TV, "seconds": 86400.0}
    assert "Nothing of Living-room TV is sent until " in capsys.readouterr().out
    assert asked(home, "mute", "tv", "--end")["seconds"] == 0.0
    assert "What Living-room TV does is sent again." in capsys.readouterr().out
    assert main(home.command("mute", "tv")) == 2
    assert main(home.command("mute", "tv", "1d", "--end")) == 2


def test_who_dismissed_an_alert_is_kept(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "anna")
    assert main(home.command("alert", "1", "--dismiss")) == 0
    conn = open_reader(home.database)
    found = stored(conn, 1)
    conn.close()
    assert found is not None
    assert (found.state, found.decided_by) == ("dismissed", "cli:anna")
    assert found.decided_at is not None
    assert abs(found.decided_at - time.time()) < 10


@pytest.mark.parametrize("word", ["*", "all"])
def test_all_devices_may_be_meant(home: Home, word: str) -> None:
    assert asked(home, "deny", word, "*.example.com", "--service", "web")["device"] == "*"


def test_a_decision_may_be_for_a_time(home: Home) -> None:
    until = asked(home, "allow", "tv", "example.com", "--for", "1h30m")["until"]
    assert abs(until - (time.time() + 5400)) < 10


def test_an_alerts_number_stands_for_what_it_is_about(home: Home) -> None:
    request = asked(home, "allow", "1")
    assert (request["device"], request["destination"], request["service"]) == (TV, "evil.example", "web")
    request = asked(home, "deny", "2", "--service", "tcp/443")
    assert (request["device"], request["destination"], request["service"]) == (
        PLUG,
        "198.51.100.99",
        "tcp/443",
    )


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Kind.NEW_PORT, Reason.NEW_PORT),
        (Kind.FOREIGN_RESOLVER, Reason.FOREIGN_RESOLVER),
        (Kind.ENCRYPTED_DNS, Reason.ENCRYPTED_DNS),
        (Kind.NEW_NAME, Reason.NEW_NAME),
        (Kind.AFTER_OUTAGE, Reason.AFTER_OUTAGE),
        (Kind.UNUSED, Reason.UNUSED),
    ],
)
def test_an_alert_about_a_destination_can_be_decided_by_its_number(
    home: Home, kind: Kind, reason: Reason
) -> None:
    home.fill(noted(TV, kind, reason, "", destination="some.example", address="203.0.113.5", port=8443))
    for action in ("allow", "deny"):
        request = asked(home, action, "4")
        assert (request["device"], request["destination"]) == (TV, "some.example")


def test_fronting_is_allowed_by_the_name_and_denied_by_the_address(home: Home) -> None:
    home.fill(
        noted(
            TV, Kind.FRONTING, Reason.FRONTING, "", destination="x.example", address="203.0.113.5", port=443
        )
    )
    assert asked(home, "allow", "4")["destination"] == "x.example"
    assert asked(home, "deny", "4")["destination"] == "203.0.113.5"


@pytest.mark.parametrize(
    ("kind", "reason", "instead"),
    [
        (Kind.SCAN, Reason.SCAN, "one can name an address of it"),
        (Kind.DNS_TUNNEL, Reason.DNS_TUNNEL, "address=/DOMAIN/"),
        (Kind.ENCRYPTED_DNS, Reason.DNS_CANARY, "Switch it off on the device"),
        (Kind.IP_SPOOFING, Reason.SPOOFED_SOURCE, "No rule can allow it"),
        (Kind.ADDRESS_CONFLICT, Reason.ADDRESS_CONFLICT, "Give one of them another address"),
        (Kind.HIDDEN_RESOLVER, Reason.HIDDEN_RESOLVER, "`list resolver`"),
        (Kind.REPEATER, Reason.REPEATER, "plain access point"),
        (Kind.PERSON, Reason.PERSON, "have it forget what it learned"),
    ],
)
@pytest.mark.parametrize("action", ["allow", "deny"])
def test_an_alert_that_no_rule_can_decide_says_what_to_do_instead(
    home: Home, kind: Kind, reason: Reason, instead: str, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    home.fill(noted(TV, kind, reason, "a detail", destination="some.example"))
    assert main(home.command(action, "4")) == 1
    error = capsys.readouterr().err
    assert "no destination that a rule could name" in error
    assert instead in error
    assert "--dismiss" in error
    assert home.asked == []
    assert main(home.command("alert", "4", "--dismiss")) == 0


def test_part_of_a_scan_is_not_decided_by_itself(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.fill(Withdraw(TV, Kind.NEW_DESTINATION, "evil.example", "web"))
    assert main(home.command("allow", "1")) == 1
    assert "part of a greater one" in capsys.readouterr().err


def test_who_decided_is_told_where_sudo_knows(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "alice")
    assert asked(home, "allow", "tv", "example.com")["by"] == "cli:alice"
    monkeypatch.setenv("SUDO_USER", "bad name'")
    assert "by" not in asked(home, "allow", "tv", "example.com")


def test_a_program_that_decides_for_somebody_says_for_whom(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SUDO_USER", "alice")
    monkeypatch.setenv("SMARTROUTER_BY", "luci:anna")
    assert asked(home, "allow", "tv", "example.com")["by"] == "luci:anna"
    monkeypatch.setenv("SMARTROUTER_BY", "anna")
    assert main(home.command("allow", "tv", "example.com")) == 2
    assert "SMARTROUTER_BY is not like luci:root, but 'anna'" in capsys.readouterr().err
    assert home.asked == []


@pytest.mark.parametrize(
    ("arguments", "request_"),
    [
        (
            ["forget", "tv", "films.example"],
            {"do": "forget", "device": TV, "destination": "films.example", "service": ""},
        ),
        (["forget", "tv", "--all"], {"do": "forget", "device": TV, "destination": "*", "service": ""}),
        (["learn", "smart-plug"], {"do": "learn", "device": PLUG, "finish": False}),
        (["learn", "smart-plug", "--finish"], {"do": "learn", "device": PLUG, "finish": True}),
        (["mode", "monitor"], {"do": "mode", "mode": "monitor", "device": None}),
        (["mode", "enforce", "tv"], {"do": "mode", "mode": "enforce", "device": TV}),
        (["pause", "1h"], {"do": "pause", "seconds": 3600.0}),
        (["pause", "--end"], {"do": "pause", "seconds": 0.0}),
    ],
)
def test_each_command_is_one_request(home: Home, arguments: list[str], request_: dict[str, Any]) -> None:
    assert asked(home, *arguments) == request_


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["allow", "nobody", "example.com"], 1, "no device is called nobody"),
        (["allow", "99"], 1, "there is no alert 99"),
        (["allow", "3"], 1, "about no destination"),
        (["deny", "3"], 1, "close it in the router's own firewall"),
        (["allow", "tv"], 2, "DESTINATION"),
        (["allow", "tv", "example.com", "--for", "a while"], 2, "is no time"),
        (["allow", "tv", "example.com", "--for", "0s"], 2, "one second or more"),
        (["forget", "tv"], 2, "either"),
        (["forget", "tv", "x", "--all"], 2, "either"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anybody_is_asked(
    home: Home, arguments: list[str], status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(home.command(*arguments)) == status
    assert words in capsys.readouterr().err
    assert home.asked == []


def test_a_name_that_two_devices_use_names_none(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    with home.config.open("a") as config:
        config.write(f"config device\n\toption mac '{PLUG}'\n\toption name 'living-room tv'\n")
    assert main(home.command("learn", "Living-room TV")) == 1
    assert f"{TV} or {PLUG}" in capsys.readouterr().err


def test_a_given_name_stands_above_a_host_name(home: Home) -> None:
    with home.config.open("a") as config:
        config.write(f"config device\n\toption mac '{PHONE}'\n\toption name 'tv'\n")
    assert asked(home, "learn", "tv")["device"] == PHONE


def test_a_refusal_is_passed_on(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.answers = {"allow": {"error": "the guard is\x1b[31m away"}}
    assert main(home.command("allow", "tv", "example.com")) == 1
    assert capsys.readouterr().err == "smartrouter: the guard is\\x1b[31m away\n"


def test_nothing_to_forget_is_an_error(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.answers = {"forget": {"ok": {"forgotten": 0}}}
    assert main(home.command("forget", "tv", "nothing.example")) == 1
    assert "has not learned nothing.example" in capsys.readouterr().err


def test_what_counts_only_later_says_so(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.answers = {"deny": {"ok": {"applied": False, "note": "this counts once the guard has it"}}}
    assert main(home.command("deny", "tv", "example.com")) == 0
    out = capsys.readouterr().out
    assert "Living-room TV may not use example.com." in out
    assert "But this counts once the guard has it." in out


def test_the_answer_itself_is_there_as_json(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(home.command("mode", "enforce", "--json")) == 0
    assert json.loads(capsys.readouterr().out) == DONE["ok"]


def test_without_a_running_smartrouter_a_command_says_how_to_start_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(Home(tmp_path).command("pause", "1h")) == 1
    assert "start it with `smartrouter run`" in capsys.readouterr().err


def test_before_enforcing_the_consequences_are_shown(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(home.command("mode", "enforce")) == 0
    out = capsys.readouterr().out
    assert "2 destinations that nobody has decided about will be blocked:" in out
    assert "Living-room TV: evil.example (web)" in out
    assert "Of 1 protected device, 0.2 new destinations are expected in the next day and 0.8 in the" in out
    assert "Living-room TV: 0.2 new destinations expected in the next day (90 %: 0 to 1), 0.8 in the" in out
    assert "Still learning, and not blocked until that ends: smart-plug." in out


def test_what_passes_in_enforce_mode_too_is_not_said_to_be_blocked(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.fill(
        noted(TV, Kind.NEW_PORT, Reason.NEW_PORT, "", destination="port.example"),
        noted(TV, Kind.NEW_NAME, Reason.NEW_NAME, "", destination="name.example"),
        noted(TV, Kind.ENCRYPTED_DNS, Reason.DNS_CANARY, "", destination="canary.example"),
    )
    assert main(home.command("mode", "enforce")) == 0
    out = capsys.readouterr().out
    assert "port.example" in out
    assert "name.example" not in out
    assert "canary.example" not in out


def test_enforcing_says_who_is_not_settled_and_whose_names_are_hidden(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.fill(
        Keep(TV, Progress(State.PROTECTED, 14 * 86400.0, 4000, 120, 320, settled=False, new_since_second=30)),
        noted(PLUG, Kind.HIDDEN_RESOLVER, Reason.HIDDEN_RESOLVER, "for an hour"),
    )
    assert main(home.command("mode", "enforce")) == 0
    out = capsys.readouterr().out
    assert "not settled: its time was up while it still had news." in out
    assert "as their names do not pass here; much may be blocked: smart-plug." in out


def test_of_one_device_only_its_own_consequences_are_shown(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(home.command("mode", "enforce", "tv")) == 0
    out = capsys.readouterr().out
    assert "evil.example" in out
    assert "198.51.100.99" not in out
    assert "smart-plug" not in out


@pytest.mark.parametrize(
    ("typed", "options", "requests", "status"),
    [("y\n", [], 1, 0), ("n\n", [], 0, 1), ("\n", [], 0, 1), ("", ["--yes"], 1, 0)],
)
def test_at_a_terminal_enforcing_wants_a_yes(
    home: Home, typed: str, options: list[str], requests: int, status: int
) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())
    process = subprocess.Popen(
        [sys.executable, "-m", "smartrouter", *home.command("mode", "enforce", *options)],
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    assert process.wait(30) == status
    shown = b""
    with contextlib.suppress(OSError):  # that is how it ends
        while chunk := os.read(ours, 4096):
            shown += chunk
    os.close(ours)
    assert len(home.asked) == requests
    assert (b"[y/N]" in shown) is not bool(options)
