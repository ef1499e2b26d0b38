# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter devices` and `smartrouter device`."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from unit.made_home import NOW, PHONE, PLUG, RUNNING, TV, Home, sighting

from smartrouter.cli import main
from smartrouter.config.changes import set_mute
from smartrouter.core.destinations import Destination
from smartrouter.core.effects import AddVolume, Keep
from smartrouter.core.learning import Progress, State
from smartrouter.listings.devices import DETAILS, DEVICE
from smartrouter.listings.forecast import LEARNING, NOVELTY
from smartrouter.store.changes import upsert_devices
from smartrouter.store.connect import open_writer
from smartrouter.terminal import display_width


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.delenv("COLUMNS", raising=False)
    home = Home(tmp_path)
    home.fill()
    return home


def listed(home: Home, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(home.command(*arguments, "--json")) == 0
    return json.loads(capsys.readouterr().out)


def test_devices_have_exactly_the_documented_keys(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    devices = listed(home, capsys, "devices")
    assert {device["mac"] for device in devices} == {TV, PLUG, PHONE}
    assert all(list(device) == list(DEVICE) for device in devices)


def test_a_device_has_exactly_the_documented_keys(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(listed(home, capsys, "device", TV)) == list(DETAILS)
    assert list(listed(home, capsys, "device", PHONE)) == list(DETAILS)


def test_a_part_of_the_devices_is_listed_in_the_order_of_all(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    def macs(*part: str) -> list[str]:
        return [device["mac"] for device in listed(home, capsys, "devices", *part)]

    everything = macs()
    assert macs("--limit", "2") == everything[:2]
    assert macs("--skip", "1", "--limit", "1") == everything[1:2]
    assert macs("--skip", "3") == []


def test_a_device_is_listed_as_store_and_configuration_have_it(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    devices = {device["mac"]: device for device in listed(home, capsys, "devices")}
    tv = devices[TV]
    assert (tv["name"], tv["hostname"], tv["maker"]) == ("Living-room TV", "tv", "Apple, Inc.")
    assert (tv["watched"], tv["state"], tv["mode"]) == (True, "protected", "enforce")
    assert (tv["attempts"], tv["blocked"], tv["learned"], tv["open_alerts"]) == (2, 1, 1, 1)
    plug = devices[PLUG]
    assert (plug["watched"], plug["state"], plug["mode"], plug["name"]) == (True, "learning", "monitor", "")
    assert devices[PHONE]["watched"] is False


@pytest.mark.parametrize(
    ("option", "iot", "watched"),
    [
        ("option watch 'always'", False, True),
        ("option watch 'never'", True, False),
        ("option watch 'auto'", True, True),
        ("option watch 'auto'", None, False),
    ],
)
def test_who_is_watched_follows_the_users_word_and_then_the_kind(
    home: Home, capsys: pytest.CaptureFixture[str], option: str, iot: bool | None, watched: bool
) -> None:
    with home.config.open("a") as config:
        config.write(f"config device\n\toption mac '{PLUG}'\n\t{option}\n")
    conn = open_writer(home.database)
    upsert_devices(conn, [sighting(PLUG, "plug", iot)], 1.0)
    conn.close()
    assert listed(home, capsys, "device", PLUG)["watched"] is watched


def test_details_hold_what_was_learned_ruled_and_tried(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    tv = listed(home, capsys, "device", "living-room tv")
    assert tv["progress"]["attempts"] == 40
    assert [(d["name"], d["service"], d["units"]) for d in tv["destinations"]] == [
        ("films.example", "web", 8)
    ]
    assert [(r["action"], r["device"], r["destination"]) for r in tv["rules"]] == [
        ("deny", TV, "ads.example"), ("allow", "*", "198.51.100.0/24"),
    ]  # fmt: skip
    assert [(a["name"], a["accepted"]) for a in tv["latest"]] == [
        ("evil.example", False),
        ("a.films.example", True),
    ]
    assert [a["destination"] for a in tv["alerts"]] == ["evil.example"]


def test_a_device_that_was_never_seen_is_an_error(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(home.command("device", "00:00:00:00:00:01")) == 1
    assert "was ever seen" in capsys.readouterr().err


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("arguments", [["devices"], ["device", TV], ["device", PLUG], ["device", PHONE]])
def test_listings_fit_the_terminal(
    home: Home,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    width: int,
    arguments: list[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(home.command(*arguments)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(display_width, lines)) <= max(width, 60)


def test_that_a_device_is_muted_is_shown_with_until_when_and_by_whom(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert listed(home, capsys, "device", TV)["mute_until"] is None
    set_mute(home.config, TV, NOW + 3600, "slack:U024BE7LH")
    tv = listed(home, capsys, "device", TV)
    assert (tv["mute_until"], tv["muted_by"]) == (int(NOW + 3600), "slack:U024BE7LH")
    assert main(home.command("device", TV)) == 0
    assert "(by slack:U024BE7LH)" in capsys.readouterr().out
    set_mute(home.config, TV, NOW - 1, "cli:root")
    assert listed(home, capsys, "device", TV)["mute_until"] is None


def test_the_table_shows_the_address_that_people_know(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(home.command("devices")) == 0
    out = capsys.readouterr().out
    assert "192.168.1.22" in out
    assert "fe80::4" not in out


def test_watched_devices_come_first(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert [device["mac"] for device in listed(home, capsys, "devices")] == [TV, PLUG, PHONE]


def test_a_hostile_host_name_is_inert(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    conn = open_writer(home.database)
    upsert_devices(conn, [sighting(PLUG, "\x1b]0;owned\x07\u202e\nx", True)], 1.0)
    conn.close()
    for arguments in (["devices"], ["device", PLUG]):
        assert main(home.command(*arguments)) == 0
        out = capsys.readouterr().out
        assert not set("\x1b\x07\u202e") & set(out)
        assert "\\x1b]0;owned\\x07\\u202e\\x0ax" in out


def test_the_device_page_says_how_learning_goes(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    main(home.command("device", TV))
    out = capsys.readouterr().out
    assert "observed for 1 d 1 h, 40 attempts; settled" in out
    assert "0.2 new destinations expected in the next day (90 %: 0 to 1), 0.8 in the next week" in out
    main(home.command("device", PLUG))
    out = capsys.readouterr().out
    assert "8% done, ends about " in out
    assert "in 2 different hours, the last 0 without anything new" in out
    main(home.command("device", PHONE))
    assert "has not begun" in capsys.readouterr().out


def test_learning_and_what_is_still_to_come_are_there_as_json(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    devices = {device["mac"]: device for device in listed(home, capsys, "devices")}
    plug, tv, phone = devices[PLUG], devices[TV], devices[PHONE]
    assert list(plug["learning"]) == list(LEARNING)
    assert time.time() < plug["learning"]["earliest"] <= plug["learning"]["expected"]
    assert plug["learning"]["expected"] <= plug["learning"]["latest"] <= time.time() + 14 * 86400
    assert (plug["novelty"], plug["settled"]) == (None, None)
    assert (tv["learning"], tv["settled"]) == (None, True)
    assert [list(tv["novelty"][span]) for span in ("day", "week")] == [list(NOVELTY), list(NOVELTY)]
    assert 0 < tv["novelty"]["day"]["expected"] < tv["novelty"]["week"]["expected"]
    assert (phone["learning"], phone["novelty"]) == (None, None)


def test_a_device_whose_time_was_up_is_said_not_to_be_settled(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.fill(Keep(TV, Progress(State.PROTECTED, 14 * 86400.0, 4000, 120, 320, new_since_second=30)))
    main(home.command("device", TV))
    assert "not settled: its time was up while it still had news" in capsys.readouterr().out
    main(home.command("devices"))
    assert "not settled, 1.4 new a day" in capsys.readouterr().out


def test_a_learned_destination_shows_when_it_was_used_last(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    main(home.command("device", TV))
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("films.example")]
    assert line.split() == ["films.example", "web", "8", "1", "h", "ago"]


def test_an_empty_home_is_said_to_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    home = Home(folder)
    open_writer(home.database).close()
    assert main(home.command("devices")) == 0
    assert capsys.readouterr().out == "No device was seen yet.\n"
    assert listed(home, capsys, "devices") == []


def test_what_a_device_sent_and_received_is_listed_by_destination(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    hour = int(time.time() // 3600)
    home.fill(
        AddVolume(TV, hour, Destination("netflix.com", "web"), 2_000_000, 900_000_000, 10, 20, 3),
        AddVolume(TV, hour - 1, Destination("netflix.com", "web"), 1_000_000, 1_000, 1, 2, 1),
        AddVolume(TV, hour - 30, Destination("pool.ntp.org", "udp/123"), 76, 76, 1, 1, 1),
        AddVolume(PLUG, hour, Destination("(incoming)", "tcp/80"), 7, 8, 1, 1, 1),
    )
    volume = listed(home, capsys, "device", TV)["volume"]
    assert [each["name"] for each in volume["destinations"]] == ["netflix.com", "pool.ntp.org"]
    assert volume["destinations"][0]["day"] == {
        "bytes_out": 3_000_000, "bytes_in": 900_001_000, "packets_out": 11, "packets_in": 22, "flows": 4,
    }  # fmt: skip
    assert volume["destinations"][1]["day"]["bytes_out"] == 0
    assert volume["total"]["bytes_out"] == 3_000_076
    assert volume["since"] == (hour - 30) * 3600
    assert volume["offloaded"] is None  # nobody answers
    of_all = {each["mac"]: each["volume"] for each in listed(home, capsys, "devices")}
    assert of_all[TV] == {key: volume[key] for key in ("day", "total", "since")}
    assert of_all[PLUG]["total"]["bytes_in"] == 8
    assert of_all[PHONE]["total"]["flows"] == 0
    assert main(home.command("device", TV)) == 0
    shown = capsys.readouterr().out
    assert "Together 3.0 MB sent and 900.0 MB received" in shown
    assert "offloaded" not in shown


def test_it_is_said_what_offloading_hides(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.fill(AddVolume(TV, int(time.time() // 3600), Destination("netflix.com", "web"), 1, 1, 1, 1, 1))
    status = RUNNING | {"guard": RUNNING["guard"] | {"volume": {"offloaded": {TV: 3}}}}
    home.run(status={"ok": status})
    assert main(home.command("device", TV)) == 0
    home.close()
    assert "Open connections that are offloaded: 3." in capsys.readouterr().out
