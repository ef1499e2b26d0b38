# SPDX-License-Identifier: GPL-2.0-or-later
"""When what is known is kept on flash, and what is said where it cannot be."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from smartrouter.config import from_text
from smartrouter.linux import kept_ruleset
from smartrouter.linux.privileges import User
from smartrouter.linux.ruleset import Plan
from smartrouter.supervisor.errands import Errands, Then, Work
from smartrouter.supervisor.keeping import NOTE_EVERY, RULESET_AFTER, Keeping, keep_ruleset

FOUND = {"enabled": True, "snapshot": "/flash", "snapshot_interval": 900.0, "database": "/ram/store.db"}
AROUND = {"lan": ["br-lan"], "iot": ["br-iot"], "upstreams": []}


class Desk(Errands):
    """Does no errand; says how it ended when the test wants it to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[tuple[str, Then]] = []

    def send(self, work: Work, then: Then, now: float) -> None:
        self.waiting.append((work.func.__name__, then))  # type: ignore[attr-defined]

    def answer(self, answer: Mapping[str, Any] | None = None) -> str:
        """The errand that was sent, which now ends."""
        (name, then), *self.waiting = self.waiting
        then(answer or {"ok": {}})
        return name


class Clock:
    def __init__(self, found: Mapping[str, Any]) -> None:
        self.desk = Desk()
        self.keeping = Keeping(self.desk, User("nobody", 65534, 65534))
        self.now = 1000.0
        self.keeping.configure(found, self.now)

    def sent_after(self, seconds: float, answer: Mapping[str, Any] | None = None) -> list[str]:
        self.now += seconds
        self.keeping.step(self.now)
        return [self.desk.answer(answer) for _ in list(self.desk.waiting)]


def test_what_was_learned_is_looked_at_once_a_minute_and_the_store_copied_every_quarter_of_an_hour() -> None:
    clock = Clock(FOUND)
    assert clock.sent_after(RULESET_AFTER) == ["keep_ruleset"]
    assert clock.sent_after(NOTE_EVERY - RULESET_AFTER - 0.1) == []
    assert clock.sent_after(0.1) == ["_note"]
    assert [clock.sent_after(NOTE_EVERY) for _ in range(13)] == [["_note"]] * 13
    assert clock.sent_after(NOTE_EVERY) == ["_copy"]
    assert clock.sent_after(0.5) == ["keep_ruleset"]
    assert clock.sent_after(NOTE_EVERY - 0.5) == ["_note"]


def test_one_thing_after_the_other() -> None:
    clock = Clock(FOUND)
    clock.keeping.step(clock.now + 900)
    clock.keeping.step(clock.now + 1800)
    assert [name for name, _ in clock.desk.waiting] == ["_copy"]


@pytest.mark.parametrize("change", [{"snapshot": ""}, {"enabled": False}], ids=["nowhere", "switched off"])
def test_nothing_is_kept_where_nothing_is_wanted(change: Mapping[str, Any]) -> None:
    assert Clock({**FOUND, **change}).sent_after(10_000) == []


def test_the_end_is_kept_at_once() -> None:
    clock = Clock(FOUND)
    clock.keeping.finish(clock.now + 1)
    assert [name for name, _ in clock.desk.waiting] == ["_copy"]
    clock = Clock({**FOUND, "snapshot": ""})
    clock.keeping.finish(clock.now + 1)
    assert clock.desk.waiting == []


def test_what_fails_is_said_once_and_is_a_problem_until_it_works(capfd: pytest.CaptureFixture[str]) -> None:
    clock = Clock(FOUND)
    for _ in range(2):
        clock.sent_after(900, {"error": "no space left on device"})
        clock.sent_after(1)  # another thing that works
        assert clock.keeping.problem == "no space left on device"
    assert capfd.readouterr().err.count("the store not kept in /flash: no space left") == 1
    clock.sent_after(900)
    assert clock.keeping.problem == ""
    assert "the store kept in /flash again" in capfd.readouterr().err


def test_what_could_not_be_taken_up_is_not_written_over() -> None:
    clock = Clock({**FOUND, "not_restored": "cannot take up /flash: Input/output error"})
    assert "Input/output error" in clock.keeping.problem
    clock.keeping.configure({**FOUND, "not_restored": ""}, clock.now)  # a reload, which took up nothing
    assert clock.sent_after(10_000) == []
    clock.keeping.finish(clock.now)
    assert clock.desk.waiting == []


@pytest.mark.parametrize("how", ["open", "closed"])
def test_a_ruleset_is_kept_only_where_it_is_needed(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[Plan] = []

    def keep(path: str, plan: Plan) -> int:
        plans.append(plan)
        return Path(path).write_text("new")

    monkeypatch.setattr(kept_ruleset, "keep", keep)
    (tmp_path / kept_ruleset.NAME).write_text("old")
    text = f"config smartrouter 'main'\n\toption on_failure '{how}'\n\toption redirect_dns '1'\n"
    found = {**FOUND, "snapshot": str(tmp_path), "around": AROUND}
    keep_ruleset({**found, "shares": {"guard": from_text(text).to_share("guard")}})
    if how == "open":
        assert not (tmp_path / kept_ruleset.NAME).exists()
        assert plans == []
    else:
        assert (tmp_path / kept_ruleset.NAME).read_text() == "new"
        assert plans == [Plan(("br-lan",), ("br-iot",), "closed", redirect_dns=True)]
