# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of surveys: errands are answered by the test, at once. Processes are in tests/netns."""

import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from smartrouter.channel import Answer, Then
from smartrouter.linux.privileges import User
from smartrouter.supervisor import household as module
from smartrouter.supervisor import survey
from smartrouter.supervisor.children import Part
from smartrouter.supervisor.errands import Errands, Work
from smartrouter.supervisor.household import GLANCE, LOOK_AROUND, RETRY, Household

AROUND = {"lan": ["br-lan"], "iot": [], "missing": [], "upstreams": ["192.0.2.1"], "queues": [7370, 7371]}
FOUND: dict[str, Any] = {
    "enabled": True,
    "shares": {},
    "networks": [[], ["br-lan"], []],
    "database": "/nonexistent/store.db",
    "mode_until": None,
    "around": AROUND,
}
OFF = {key: value for key, value in FOUND.items() if key != "around"} | {"enabled": False}


class Desk(Errands):
    """Answers errands with what the test has put there, by the errand's kind; counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Answer] = {"whole": {"ok": FOUND}}
        self.done: list[str] = []

    def send(self, work: Work, then: Then, now: float) -> None:
        kind = str(work())
        self.done.append(kind)
        then(self.answers.get(kind, {"ok": {}}))


class World:
    """A household without parts, at a moment of its own, in surroundings that the test changes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for kind in ("whole", "around", "change"):
            monkeypatch.setattr(survey, kind, self._kind(kind))
        monkeypatch.setattr(survey, "remove_table", self._kind("remove_table"))
        self.interfaces = ["lo", "br-lan"]
        self.upstreams = frozenset({"192.0.2.1"})
        monkeypatch.setattr(socket, "if_nameindex", lambda: list(enumerate(self.interfaces)))
        monkeypatch.setattr(module, "upstreams", lambda: self.upstreams)
        self.household = Household("/etc/config/smartrouter", (), User("nobody", 65534, 65534))
        self.desk = Desk()
        self.household.errands = self.desk
        self.now = time.monotonic()

    @staticmethod
    def _kind(kind: str) -> Callable[..., Callable[[], str]]:
        return lambda *_: lambda: kind

    def reload(self) -> Answer:
        answers: list[Answer] = []
        self.household.reload(answers.append, self.now)
        return answers[0]

    def later(self, seconds: float) -> list[str]:
        """Let time pass; gives the errands that this took."""
        before = len(self.desk.done)
        self.now += seconds
        self.household.step(self.now)
        return self.desk.done[before:]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def found(**changes: object) -> Mapping[str, Any]:
    return {"ok": {**FOUND, **changes}}


def test_a_sound_configuration_is_taken(world: World) -> None:
    assert world.reload() == {"ok": {"applied": True, "note": ""}}
    assert world.household.enabled
    assert world.household.is_settled


def test_nothing_changes_while_nothing_changes(world: World) -> None:
    world.reload()
    assert world.later(LOOK_AROUND) == []
    assert world.later(LOOK_AROUND) == []


def test_a_resolver_that_came_or_went_is_told(world: World) -> None:
    world.reload()
    world.upstreams = frozenset({"192.0.2.2"})
    world.desk.answers["around"] = {"ok": {**AROUND, "upstreams": ["192.0.2.2"]}}
    assert world.later(LOOK_AROUND) == ["around"]
    assert world.household.found["around"]["upstreams"] == ["192.0.2.2"]
    assert world.later(LOOK_AROUND) == []


def test_an_interface_that_was_missing_is_found_when_it_comes(world: World) -> None:
    without = {**AROUND, "missing": ["wlan0"]}
    world.desk.answers |= {"whole": found(around=without), "around": {"ok": without}}
    world.reload()
    world.later(LOOK_AROUND)
    assert world.later(LOOK_AROUND) == []
    world.interfaces.append("wlan0")
    world.desk.answers["around"] = {"ok": {**AROUND, "lan": ["br-lan", "wlan0"]}}
    assert world.later(LOOK_AROUND) == ["around"]
    assert world.household.found["around"]["lan"] == ["br-lan", "wlan0"]


def test_an_interface_that_went_is_a_problem_until_it_is_back(world: World) -> None:
    world.reload()
    world.interfaces.remove("br-lan")
    world.desk.answers["around"] = {"error": "none of the configured devices is here"}
    assert world.later(LOOK_AROUND) == ["around"]
    assert world.household.problem == "none of the configured devices is here"
    assert world.household.found["around"] == AROUND
    assert world.later(GLANCE) == []
    world.interfaces.append("br-lan")
    world.desk.answers["around"] = {"ok": AROUND}
    assert world.later(GLANCE) == ["around"]
    assert world.household.problem == ""


def test_what_keeps_it_from_starting_is_tried_again_until_it_is_gone(world: World) -> None:
    waiting = {key: value for key, value in FOUND.items() if key != "around"}
    world.desk.answers["whole"] = {"ok": {**waiting, "problem": "the disk is not there"}}
    answer = world.reload()
    assert answer["ok"]["applied"] is False
    assert "the disk is not there" in answer["ok"]["note"]
    assert world.household.is_settled
    assert world.later(RETRY - 1) == []
    assert world.later(1) == ["whole"]
    world.desk.answers["whole"] = found()
    assert world.later(RETRY) == ["whole"]
    assert world.household.problem == ""
    assert world.household.found["around"] == AROUND


def test_an_interface_that_it_waits_for_is_seen_at_once(world: World) -> None:
    world.interfaces.remove("br-lan")
    waiting = {key: value for key, value in FOUND.items() if key != "around"}
    world.desk.answers["whole"] = {"ok": {**waiting, "problem": "none of the configured devices is here"}}
    world.reload()
    assert world.later(GLANCE) == []
    world.interfaces.append("br-lan")
    world.desk.answers["whole"] = found()
    assert world.later(GLANCE) == ["whole"]
    assert world.household.problem == ""


def test_a_reload_that_would_end_a_running_household_is_refused(world: World) -> None:
    world.reload()
    waiting = {key: value for key, value in FOUND.items() if key != "around"}
    world.desk.answers["whole"] = {"ok": {**waiting, "problem": "no such interface", "database": "/else"}}
    assert world.reload() == {"error": "no such interface"}
    assert world.household.config_error == "no such interface"
    assert world.household.found == FOUND
    world.desk.answers["whole"] = found()
    world.reload()
    assert world.household.config_error == ""


def test_a_broken_configuration_is_fatal_at_the_start_only(world: World) -> None:
    world.desk.answers["whole"] = {"error": "mode: panic", "kind": "BadConfig"}
    world.reload()
    assert str(world.household.fatal) == "mode: panic"
    assert world.later(0) == ["remove_table"]
    assert world.household.is_over


def test_a_broken_configuration_later_changes_nothing(world: World) -> None:
    world.reload()
    world.desk.answers["whole"] = {"error": "mode: panic", "kind": "BadConfig"}
    assert world.reload() == {"error": "mode: panic"}
    assert world.household.fatal is None
    assert world.household.config_error == "mode: panic"
    assert world.household.enabled


def test_switched_off_the_table_goes_and_nobody_looks_around(world: World) -> None:
    world.reload()
    world.desk.answers["whole"] = {"ok": OFF}
    assert "not enabled" in world.reload()["ok"]["note"]
    assert world.later(0) == ["remove_table"]
    assert world.later(LOOK_AROUND) == []
    assert world.household.is_settled


def test_switched_on_again_it_looks_around_anew(world: World) -> None:
    world.desk.answers["whole"] = {"ok": OFF}
    world.reload()
    world.desk.answers["whole"] = found()
    assert world.reload() == {"ok": {"applied": True, "note": ""}}
    assert world.later(0) == []  # the table of before stays: the guard takes it over


def test_a_change_is_taken_up_without_looking_around(world: World) -> None:
    world.reload()
    changed = {key: value for key, value in FOUND.items() if key != "around"} | {"shares": {"guard": {}}}
    world.desk.answers["change"] = {"ok": changed}
    answers: list[Answer] = []
    world.household.change(lambda _: None, answers.append, world.now)
    assert answers == [{"ok": {"applied": True, "note": ""}}]
    assert world.household.found["shares"] == {"guard": {}}
    assert world.desk.done == ["whole", "change"]


def test_a_change_that_finds_other_networks_in_the_file_reads_all_of_it(world: World) -> None:
    world.reload()
    changed = {key: value for key, value in FOUND.items() if key != "around"} | {
        "networks": [["lan"], [], []]
    }
    world.desk.answers["change"] = {"ok": changed}
    world.household.change(lambda _: None, lambda _: None, world.now)
    assert world.desk.done == ["whole", "change", "whole"]


def test_a_refused_change_is_answered_and_is_no_fault_of_the_configuration(world: World) -> None:
    world.reload()
    world.desk.answers["change"] = {"error": "rule: service: telnet", "kind": "BadConfig"}
    answers: list[Answer] = []
    world.household.change(lambda _: None, answers.append, world.now)
    assert answers == [{"error": "rule: service: telnet", "kind": "BadConfig"}]
    assert world.household.config_error == ""


def test_at_the_end_nothing_is_begun_any_more(world: World) -> None:
    world.reload()
    world.household.end(world.now)
    assert world.reload() == {"error": "smartrouter is stopping"}
    assert world.later(LOOK_AROUND) == ["remove_table"]
    assert world.household.is_over


def test_a_table_that_could_not_be_removed_is_not_passed_over(world: World) -> None:
    world.reload()
    world.desk.answers["remove_table"] = {"error": "no right to"}
    world.household.end(world.now)
    world.later(0)
    assert "may still be there: no right to" in str(world.household.fatal)


# -- a mode on trial ---------------------------------------------------------------------------------------


def test_a_mode_that_nobody_kept_is_taken_back(world: World) -> None:
    world.desk.answers["whole"] = found(mode_until=time.time() - 1)
    world.desk.answers["change"] = found(mode_until=None)
    world.reload()
    assert world.later(1.0) == ["change"]
    assert world.household.trial.until is None
    assert world.later(60.0).count("change") == 0


def test_a_trial_that_lasts_is_left_alone(world: World) -> None:
    world.desk.answers["whole"] = found(mode_until=time.time() + 300)
    world.desk.answers["change"] = found(mode_until=None)
    world.reload()
    assert world.later(200.0).count("change") == 0
    assert world.later(200.0).count("change") == 1, "by the time since, whatever the clock says"


def test_what_could_not_be_taken_back_is_tried_again(world: World) -> None:
    world.desk.answers["whole"] = found(mode_until=time.time() - 1)
    world.desk.answers["change"] = {"error": "no room left"}
    world.reload()
    assert world.later(1.0).count("change") == 1
    assert world.later(RETRY / 2).count("change") == 0
    assert world.later(RETRY).count("change") == 1


# -- a part that is there only if it is wanted -------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "wanted"),
    [([{"listen": "lan"}], ["guard", "web"]), ([], ["guard"])],
    ids=["there", "not there"],
)
def test_an_optional_part_is_wanted_while_its_section_is_there(
    section: list[object], wanted: list[str]
) -> None:
    parts = [Part("guard", ("/nonexistent",)), Part("web", ("/nonexistent",), optional=True)]
    household = Household("/etc/config/smartrouter", parts, User("nobody", 65534, 65534))
    assert [child.part.name for child in household.wanted()] == ["guard"], "nothing is known yet"
    household.found = {"shares": {"guard": {}, "web": {"web": section}}}
    assert [child.part.name for child in household.wanted()] == wanted


class Hearer:
    """A part that runs, and answers when the test wants."""

    def __init__(self, name: str) -> None:
        self.part = Part(name, ("/nonexistent",))
        self.then: list[Then] = []

    def configure(self, _share: object, _now: float, then: Then) -> None:
        self.then.append(then)

    def outage(self, _now: float) -> float:
        return 0.0

    def start(self, _now: float) -> None:
        """It runs."""

    stop = start


@pytest.mark.parametrize(
    ("part", "changed"),
    [("guard", {"smartrouter": [{"mode": "enforce"}]}), ("web", {"web": [{"password_hash": "scrypt$2"}]})],
    ids=["a rule or a mode counts once the guard has it", "a password once the web interface has it"],
)
def test_a_change_is_answered_when_it_counts(part: str, changed: dict[str, Any], world: World) -> None:
    hearers = {name: Hearer(name) for name in ("guard", "web")}
    world.household.children = hearers  # type: ignore[assignment]
    before: dict[str, Any] = {"smartrouter": [{}], "web": [{}]}
    world.desk.answers["whole"] = found(shares={"guard": {}, "web": before})
    world.household.reload(lambda _: None, world.now)
    world.desk.answers["change"] = found(shares={"guard": {}, "web": {**before, **changed}})
    answers: list[Answer] = []
    world.household.change(lambda _path: None, answers.append, world.now)
    for name in ("guard", "web"):
        if name != part:
            hearers[name].then[-1]({"ok": {}})
    assert answers == []
    hearers[part].then[-1]({"ok": {}})
    assert answers == [{"ok": {"applied": True, "note": ""}}]
