# SPDX-License-Identifier: GPL-2.0-or-later
"""What somebody answers on a channel is written by the supervisor, if it makes sense."""

from pathlib import Path
from typing import Any

import pytest
from unit.made_effects import NOON, TV

from smartrouter.config import load
from smartrouter.core.errors import BadConfig
from smartrouter.core.policy import Action
from smartrouter.notify.message import Answer
from smartrouter.supervisor import relay
from smartrouter.supervisor.decisions import DAY, HOUR, writer
from smartrouter.supervisor.relay import Decision, sound_decision

GIVEN: dict[str, Any] = {
    "tell": "answered", "answer": "allow", "device": TV, "destination": "example.net", "service": "web",
    "by": "slack:U024BE7LH",
}  # fmt: skip
DECISION = Decision("allow", TV, "example.net", "web", "slack:U024BE7LH")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "smartrouter"
    path.write_text("config smartrouter 'main'\n\toption mode 'monitor'\n")
    return path


def test_a_sound_answer_is_taken() -> None:
    assert sound_decision(GIVEN, {"slack"}) == DECISION
    muted = {"answer": "mute", "device": TV, "by": "mqtt:home"}
    assert sound_decision(muted, {"mqtt"}) == Decision("mute", TV, "", "", "mqtt:home")


@pytest.mark.parametrize("change", [
    {"answer": "deny"}, {"answer": "keep-blocking"}, {"answer": None}, {"device": "*"}, {"device": "TV"},
    {"destination": ""}, {"destination": 7}, {"destination": "a\nb"}, {"service": ["web"]},
    {"by": "cli:root"}, {"by": "web:admin"}, {"by": "slack"}, {"by": "slack:a b"}, {"by": ""},
    {"by": "ntfy:somebody"}, {"destination": "x" * 9999},
])  # fmt: skip
def test_anything_else_is_not(change: dict[str, Any]) -> None:
    assert sound_decision({**GIVEN, **change}, {"slack"}) is None


def test_nobody_answers_where_no_channel_is_configured() -> None:
    assert sound_decision(GIVEN, set()) is None


def test_the_words_are_those_of_messages() -> None:
    assert {*relay.ANSWERS, "keep-blocking"} == {str(answer) for answer in Answer}


def test_to_allow_writes_a_rule_for_good_with_who_and_when(path: Path) -> None:
    writer(DECISION, NOON)(str(path))
    [rule] = load(path).rules
    assert (rule.device, rule.destination, rule.service, rule.action) == (
        TV,
        "example.net",
        "web",
        Action.ALLOW,
    )
    assert (rule.until, rule.by, rule.at) == (None, "slack:U024BE7LH", NOON)


def test_to_allow_for_an_hour_writes_a_rule_that_ends(path: Path) -> None:
    writer(DECISION._replace(answer="allow-hour"), NOON)(str(path))
    assert load(path).rules[0].until == NOON + HOUR


def test_to_mute_writes_until_when_and_by_whom(path: Path) -> None:
    writer(DECISION._replace(answer="mute"), NOON)(str(path))
    config = load(path)
    assert config.rules == ()
    [device] = config.devices
    assert (device.mac, device.mute_until, device.muted_by) == (TV, NOON + DAY, "slack:U024BE7LH")


def test_what_is_no_destination_changes_nothing(path: Path) -> None:
    before = path.read_text()
    with pytest.raises(BadConfig):
        writer(DECISION._replace(destination="'\nconfig rule"), NOON)(str(path))
    assert path.read_text() == before
