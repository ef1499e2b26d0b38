# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter doctor`, on the system that the tests run on."""

import json
import os
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.made_home import NOW, PLUG, RUNNING, TV, Home, attempt, noted, sighting

from smartrouter.cli import main
from smartrouter.cli.checks import Check, Level
from smartrouter.cli.doctor import CHECK, REPORT, household
from smartrouter.core.effects import Kind
from smartrouter.core.policy import Reason
from smartrouter.listings.known import Known
from smartrouter.store.changes import upsert_devices
from smartrouter.store.connect import open_writer
from smartrouter.terminal import display_width


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.delenv("COLUMNS", raising=False)
    home = Home(tmp_path)
    yield home
    home.close()


def report(home: Home, capsys: pytest.CaptureFixture[str]) -> Any:
    status = main(home.command("doctor", "--json"))
    found = json.loads(capsys.readouterr().out)
    assert status == (0 if found["ok"] else 1)
    return found


def about(report: Any, name: str) -> dict[str, str]:
    (check,) = [check for check in report["checks"] if check["name"] == name]
    return check  # type: ignore[no-any-return]


def test_a_report_has_exactly_the_documented_keys(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    found = report(home, capsys)
    assert list(found) == list(REPORT)
    assert all(list(check) == list(CHECK) for check in found["checks"])


def test_only_a_problem_makes_it_fail(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    found = report(home, capsys)
    assert found["ok"] is all(check["level"] != "problem" for check in found["checks"])
    assert about(found, "configuration")["level"] == "ok"
    home.config.write_text("config smartrouter 'main'\n\toption mode 'loud'\n")
    found = report(home, capsys)
    assert found["ok"] is False
    assert about(found, "configuration")["level"] == "problem"
    assert "loud" in about(found, "configuration")["text"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may ask the kernel")
def test_the_kernel_is_asked_what_it_can_do(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    names = {check["name"] for check in report(home, capsys)["checks"]}
    assert {"queue library", "nft", "queue statement", "connection tracking", "ruleset"} <= names


def test_everything_wrong_has_a_way_to_mend_it(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    for check in report(home, capsys)["checks"]:
        assert check["text"]
        if check["level"] == "warning":
            assert check["mend"] or "`" in check["text"], check


def test_a_smartrouter_that_runs_with_a_problem_is_one(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.run(status={"ok": RUNNING | {"problem": "no LAN interface"}})
    check = about(report(home, capsys), "running")
    assert check["level"] == "problem"
    assert "no LAN interface" in check["text"]


def test_a_smartrouter_that_runs_well_is_said_to(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.run(status={"ok": RUNNING})
    assert about(report(home, capsys), "running")["level"] == "ok"


@pytest.mark.parametrize("width", [50, 80, 120])
def test_it_fits_the_terminal(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    main(home.command("doctor"))
    assert max(map(display_width, capsys.readouterr().out.splitlines())) <= width


def checked(home: Home) -> list[Check]:
    arguments = Namespace(config=str(home.config), run_dir=str(home.run_dir))
    return list(household(Known.at(arguments.config)))


def test_a_usual_household_is_fine(home: Home) -> None:
    home.fill()
    (check,) = checked(home)
    assert (check.level, check.text) == (Level.OK, "2 devices are watched; nothing odd about them.")


def test_a_device_whose_names_go_past_the_router_is_noticed(home: Home) -> None:
    home.fill(*(attempt(PLUG, "", address=f"198.51.100.{number}") for number in range(25)))
    (check,) = checked(home)
    assert check.level is Level.WARNING
    assert check.name == "names"
    assert "1 device asks for do not pass through this router (smart-plug)" in check.text
    assert "list resolver" in check.mend


def test_a_name_once_in_a_while_is_enough(home: Home) -> None:
    home.fill(
        *(attempt(PLUG, "", address=f"198.51.100.{number}") for number in range(25)),
        attempt(PLUG, "a.example"),
    )
    assert [check.level for check in checked(home)] == [Level.OK]


def test_a_mac_with_many_addresses_may_be_a_repeater(home: Home) -> None:
    home.fill()
    conn = open_writer(home.database)
    upsert_devices(
        conn, [sighting(TV, "tv", True, *(f"192.168.1.{number}" for number in range(30, 36)))], NOW
    )
    conn.close()
    (check,) = checked(home)
    assert check.text.startswith("1 device hides others behind it")
    assert "(Living-room TV)" in check.text


def test_without_a_store_that_is_a_warning(home: Home) -> None:
    (check,) = checked(home)
    assert (check.name, check.level) == ("store", Level.WARNING)


def test_what_the_guard_found_hidden_is_said_once_a_topic(home: Home) -> None:
    home.fill(
        noted(TV, Kind.HIDDEN_RESOLVER, Reason.HIDDEN_RESOLVER, "for an hour"),
        noted(PLUG, Kind.HIDDEN_RESOLVER, Reason.HIDDEN_RESOLVER, "for an hour"),
        noted(PLUG, Kind.REPEATER, Reason.REPEATER, "it uses 3 addresses", address="192.168.1.30"),
    )
    names, repeaters = checked(home)
    assert "2 devices ask for do not pass through this router (Living-room TV, smart-plug)" in names.text
    assert "(smart-plug)" in repeaters.text


def test_a_host_name_cannot_write_lines_of_its_own(home: Home) -> None:
    home.fill(noted(PLUG, Kind.REPEATER, Reason.REPEATER, "it uses 3 addresses", address="192.168.1.30"))
    conn = open_writer(home.database)
    upsert_devices(conn, [sighting(PLUG, "x\nok  all: fine\x1b[2J", True)], NOW)
    conn.close()
    (check,) = checked(home)
    assert "(x\\x0aok  all: fine\\x1b[2J)" in check.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may ask the kernel")
def test_whether_the_router_can_redirect_is_asked_only_where_it_is_to(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "redirect_dns" not in {check["name"] for check in report(home, capsys)["checks"]}
    home.config.write_text(
        home.config.read_text().replace("list device", "option redirect_dns '1'\n\tlist device")
    )
    assert about(report(home, capsys), "redirect_dns")["text"]
