# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands as a user types them, and what becomes of the very next packet; listings, and the alert file."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from time import time
from typing import Any

import pytest
from netns.guard_lab import (
    CAMERA,
    PHONE,
    STRANGER,
    TV,
    VERSIONS,
    Home,
    assert_nothing_is_lost,
    eventually,
    learned_home,
    whole_lines,
)

from smartrouter.lab.traffic import Result
from smartrouter.listings.alerts import ALERT
from smartrouter.listings.devices import DETAILS, DEVICE
from smartrouter.listings.status import STATUS

pytestmark = pytest.mark.netns

UNNAMED = "198.51.100.127"


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with learned_home() as running:
        yield running


def told(home: Home, *words: str) -> str:
    """What a command says that must succeed."""
    done = home.product.command(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(home: Home, *words: str) -> str:
    """What a command says that must fail: one line or more that begin with our name, and no traceback."""
    done = home.product.command(*words)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    return done.stderr


def results(home: Home, name: str, port: int = 443) -> list[Result]:
    """How the camera fares at `name`, over IPv4 and IPv6."""
    return [home.visit(home.camera, name, version, port).result for version in VERSIONS]


CONNECTED, REFUSED = [Result.CONNECTED] * 2, [Result.REFUSED] * 2


# -- decisions -----------------------------------------------------------------------------------------


def test_allow_and_deny_count_for_the_very_next_packet(home: Home) -> None:
    assert results(home, "other.example") == REFUSED
    told(home, "allow", "camera", "other.example")
    assert results(home, "other.example") == CONNECTED
    assert home.visit(home.tv, "other.example").result == Result.REFUSED
    told(home, "deny", "camera", "other.example", "--service", "web")
    assert results(home, "other.example") == REFUSED
    assert results(home, "other.example", 8883) == CONNECTED
    told(home, "deny", "*", "cloud.maker.example")
    assert results(home, "cloud.maker.example") == REFUSED
    assert home.visit(home.tv, "cloud.maker.example").result == Result.REFUSED
    told(home, "allow", "*", "cloud.maker.example")
    assert results(home, "cloud.maker.example") == CONNECTED


def test_what_is_denied_is_blocked_in_monitor_mode_too(home: Home) -> None:
    told(home, "mode", "monitor")
    told(home, "deny", CAMERA.upper(), "203.0.113.68/32")
    told(home, "deny", "camera", "2001:db8:66::68")
    assert results(home, "third.example") == REFUSED
    assert results(home, "fourth.example") == CONNECTED
    told(home, "mode", "enforce", "--yes")
    assert results(home, "fourth.example") == REFUSED


def test_a_rule_with_a_wildcard_is_for_the_names_below(home: Home) -> None:
    told(home, "allow", "tv", "*.maker.example", "--for", "1h")
    assert home.visit(home.tv, "time.maker.example", port=8883).ok
    assert home.visit(home.tv, "third.example").result == Result.REFUSED


def test_forget_takes_back_and_learn_gives_back(home: Home) -> None:
    assert home.visit(home.tv, "cloud.maker.example").ok
    device = home.product.json("device", "tv")
    learned = [destination["name"] for destination in device["destinations"]]
    assert learned == ["maker.example"]
    assert "not learned" in refused(home, "forget", "tv", "nobody.example")
    told(home, "forget", "tv", "maker.example")
    assert home.product.json("device", "tv")["destinations"] == []
    told(home, "learn", "tv")
    assert home.product.json("device", "tv")["state"] == "learning"
    assert home.visit(home.tv, "stranger.example").ok
    told(home, "learn", "tv", "--finish")
    assert home.product.json("device", "tv")["state"] == "protected"
    assert home.visit(home.tv, "stranger.example").ok
    assert home.visit(home.tv, "third.example").result == Result.REFUSED
    told(home, "forget", "tv", "--all")
    assert home.visit(home.tv, "stranger.example").result == Result.REFUSED


def test_mode_for_one_device_and_a_pause_count_at_once(home: Home) -> None:
    told(home, "mode", "monitor", "tv")
    assert home.tv.connect(UNNAMED, 443).ok
    assert home.camera.connect(UNNAMED, 443).result == Result.REFUSED
    told(home, "mode", "enforce", "tv", "--yes")
    assert home.tv.connect(UNNAMED, 443).result == Result.REFUSED
    told(home, "pause", "1h")
    assert home.camera.connect(UNNAMED, 443).ok
    assert home.product.json("status")["paused"] > 3500
    told(home, "pause", "--end")
    assert home.camera.connect(UNNAMED, 443).result == Result.REFUSED


@pytest.mark.parametrize(
    "words",
    [
        ("allow", "camera"),
        ("allow", "nobody", "x.example"),
        ("allow", "camera", "no name"),
        ("allow", "camera", "x.example; nft flush ruleset"),
        ("allow", "camera", "x.example\noption mode 'monitor'"),
        ("allow", "camera", "x.example", "--service", "tcp/99999"),
        ("deny", "camera", "x.example", "--for", "soon"),
        ("allow", "4711"),
        ("mode", "permissive"),
        ("pause",),
        ("forget", "camera"),
    ],
    ids=lambda words: " ".join(words[:3])[:40].replace("\n", " "),
)
def test_what_makes_no_sense_changes_nothing(home: Home, words: tuple[str, ...]) -> None:
    before = home.product.config.read_text()
    assert "smartrouter" in refused(home, *words)
    assert home.product.config.read_text() == before
    assert home.product.has_table()
    assert home.guard()["mode"] == "enforce"


# -- alerts --------------------------------------------------------------------------------------------


def test_a_hundred_attempts_at_one_new_destination_are_one_alert(
    home: Home, rounds: Callable[[int], int]
) -> None:
    attempts = rounds(100)
    answer = home.camera.resolve("stranger.example")
    before = {alert["id"]: alert["count"] for alert in home.alerts(home.camera)}
    for _ in range(attempts):
        home.camera.connect(answer.addresses[0], 9527)

    def found() -> list[int]:
        return [
            alert["count"]
            for alert in home.alerts(home.camera)
            if (alert["destination"], alert["service"]) == ("stranger.example", "tcp/9527")
        ]

    assert eventually(lambda: found() == [attempts]), found()
    news = [alert for alert in home.alerts(home.camera) if alert["id"] not in before]
    assert len(news) == 1
    assert (news[0]["mac"], news[0]["device"], news[0]["kind"]) == (CAMERA, "camera", "new-destination")
    assert (news[0]["blocked"], news[0]["evidence"]) == (attempts, "dns")
    assert news[0]["targets"] == [{"address": STRANGER[0], "port": 9527, "protocol": 6, "count": attempts}]
    number = str(news[0]["id"])
    told(home, "allow", number)
    assert home.camera.connect(answer.addresses[0], 9527).ok
    assert home.camera.connect(answer.addresses[0], 8443).result == Result.REFUSED


LINE = re.compile(r"([0-9a-f]{2}(?::[0-9a-f]{2}){5}) -> (\S+) @ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6})")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_packets_behind_an_alert_say_the_same_when_they_are_replayed(
    home: Home, tmp_path: Path, version: int
) -> None:
    port = 5000 + version

    def numbers() -> list[int]:
        listed = home.alerts(home.camera)
        return [alert["id"] for alert in listed if alert["service"] == f"tcp/{port}"]

    assert home.visit(home.camera, "stranger.example", version, port).result == Result.REFUSED
    assert eventually(numbers)
    (number,) = numbers()
    alert: dict[str, Any] = {}

    def has_its_packets() -> bool:
        alert.update(home.product.json("alert", str(number)))
        return [packet["role"] for packet in alert["packets"]] == ["reply", "first"]

    assert eventually(has_its_packets), alert["packets"]
    assert alert["name"] == "stranger.example"
    assert "stranger.example" in " ".join(alert["packets"][0]["dissection"])
    file = str(tmp_path / "alert.pcap")
    exported = home.product.json("alert", str(number), "--pcap", file)
    program, *words = shlex.split(exported["replay"])
    replayed = subprocess.run(
        [Path(sys.executable).with_name(program), *words, "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    (again,) = json.loads(replayed.stdout)["alerts"]
    same = ("mac", "kind", "reason", "severity", "destination", "service", "evidence", "name", "count")
    assert {key: again[key] for key in same} == {key: alert[key] for key in same}
    assert (again["blocked"], alert["blocked"]) == (1, 1)


def test_the_alert_file_has_its_line_for_each_alert(home: Home) -> None:
    began = time()
    unnamed = "2001:db8:129::1"
    for _ in range(2):
        assert home.visit(home.tv, "fourth.example").result == Result.REFUSED
    assert home.tv.connect(unnamed, 2323).result == Result.REFUSED
    path = Path(home.product.database.with_name("alerts.txt"))

    def lines() -> dict[str, str]:
        found = [LINE.fullmatch(line) for line in whole_lines(path)]
        assert all(found), path.read_text()
        return {match[2]: match[3] for match in found if match and match[1] == TV}

    wanted = {"fourth.example", f"UNRESOLVED({unnamed})"}
    assert eventually(lambda: wanted <= set(lines())), lines()
    for destination in wanted:
        at = datetime.fromisoformat(lines()[destination]).timestamp()
        assert began - 1 <= at <= time()
    lines_of_it = [line for line in path.read_text().splitlines() if f"{TV} -> fourth.example @" in line]
    assert len(lines_of_it) == 1, "two attempts, one alert, one line"


# -- listings ------------------------------------------------------------------------------------------


def test_every_listing_has_its_keys(home: Home) -> None:
    status = home.product.json("status")
    assert set(status) == set(STATUS)
    assert status["working"] is True
    assert status["mode"] == "enforce"
    devices = home.product.json("devices")
    assert {CAMERA, TV} <= {device["mac"] for device in devices if device["watched"]}
    assert all(set(device) == set(DEVICE) for device in devices)
    camera = home.product.json("device", "camera")
    assert set(camera) == set(DETAILS)
    assert (camera["mac"], camera["state"], camera["mode"]) == (CAMERA, "protected", "enforce")
    assert camera["latest"]
    alerts = home.product.json("alerts", "--all")
    assert alerts
    assert all(set(alert) == set(ALERT) for alert in alerts)
    in_detail = home.product.json("alert", str(alerts[0]["id"]))
    assert {**in_detail, **alerts[0]} == in_detail


def test_every_listing_fits_a_narrow_terminal(home: Home) -> None:
    for words in (("status",), ("devices",), ("device", "camera"), ("alerts",)):
        done = home.product.command(*words, width=80)
        assert done.returncode == 0, done.stderr
        assert max(len(line) for line in done.stdout.splitlines()) <= 80
        assert "\x1b" not in done.stdout, "colours outside a terminal"


def test_the_phone_is_in_no_listing_but_the_inventory(home: Home) -> None:
    assert home.visit(home.phone, "stranger.example").ok
    home.store()
    for device in home.product.json("devices"):
        if device["mac"] == PHONE:
            assert (device["watched"], device["attempts"], device["state"]) == (False, 0, "new")
    assert not home.alerts(home.phone)


def test_commands_without_a_running_smartrouter_say_so(home: Home) -> None:
    directory = str(home.network.folder / "nobody")
    for words in (("mode", "monitor"), ("allow", "camera", "x.example"), ("pause", "1h")):
        said = refused(home, *words, "--run-dir", directory)
        assert "smartrouter run" in said or "running" in said or "not run" in said, said


def test_every_packet_that_was_queued_was_judged(home: Home) -> None:
    assert_nothing_is_lost(home)
