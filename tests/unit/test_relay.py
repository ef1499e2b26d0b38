# SPDX-License-Identifier: GPL-2.0-or-later
"""What one part says for another is checked, and is never more than the other takes."""

import json
from typing import Any, cast

import pytest

from smartrouter.channel import Then
from smartrouter.core.events import LookedUp
from smartrouter.core.policy import REASONS, Reason
from smartrouter.supervisor.children import Child
from smartrouter.supervisor.relay import (
    MAX_ADDRESSES,
    MAX_NAMES,
    MAX_PACKETS,
    MAX_RULES,
    MAX_WAITING,
    Relay,
    sound_answers,
    sound_doubts,
    sound_names,
    sound_packets,
    sound_rules,
    sound_serving,
)

ANSWER: dict[str, Any] = {"name": "a.example", "addresses": ["198.51.100.5", "2001:db8::5"], "ttl": 300}


class Part:
    """Stands for a child: notes what it is asked, and answers when the test wants it to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.waiting: list[Then] = []

    def ask(self, do: str, arguments: Any, now: float, then: Then) -> None:
        self.asked.append((do, arguments))
        self.waiting.append(then)

    def answer(self) -> None:
        """All that it was asked."""
        waiting, self.waiting = self.waiting, []
        for then in waiting:
            then({"ok": {}})


def send(relay: Relay, part: Part, count: int = 1) -> None:
    relay.send(cast(Child, part), "look_up", "names", ["a.example"] * count, 0.0)


def test_what_is_sent_reaches_the_part() -> None:
    part = Part()
    send(Relay(), part)
    assert part.asked == [("look_up", {"names": ["a.example"]})]


def test_a_part_that_does_not_answer_is_told_no_more_and_that_is_counted() -> None:
    relay, part = Relay(), Part()
    for _ in range(MAX_WAITING + 88):
        send(relay, part)
    assert len(part.asked) == MAX_WAITING
    assert relay.dropped == 88
    part.answer()
    send(relay, part)
    assert len(part.asked) == MAX_WAITING + 1


def test_it_is_things_that_count_and_not_messages() -> None:
    relay, part = Relay(), Part()
    send(relay, part, MAX_WAITING)
    send(relay, part, 7)
    assert (len(part.asked), relay.dropped) == (1, 7)
    part.answer()
    send(relay, part, 7)
    assert len(part.asked) == 2


def test_nothing_and_nobody_is_no_trouble() -> None:
    relay, part = Relay(), Part()
    send(relay, part, 0)
    relay.send(None, "look_up", "names", ["a.example"], 0.0)
    assert (part.asked, relay.dropped) == ([], 0)


def test_sound_answers_are_passed_on_without_what_does_not_belong_to_them() -> None:
    (answer,) = sound_answers([{**ANSWER, "root": True}])
    assert answer == ANSWER
    assert LookedUp(**answer).ttl == 300
    assert sound_answers([{**ANSWER, "addresses": []}]) == [{**ANSWER, "addresses": []}]


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": None},
        {"name": "a" * 2000},
        {"name": "a\nb"},
        {"name": "\u202e"},
        {"addresses": None},
        {"addresses": "198.51.100.5"},
        {"addresses": ["198.51.100.5", "nowhere"]},
        {"addresses": [1]},
        {"ttl": -1},
        {"ttl": 1.5},
        {"ttl": True},
        {"ttl": 10**9},
        {"ttl": "300"},
    ],
)
def test_answers_that_are_not_sound_are_left_out(change: dict[str, Any]) -> None:
    assert sound_answers([{**ANSWER, **change}, ANSWER]) == [ANSWER]


@pytest.mark.parametrize("given", [None, "text", {}, [None], [[]], [1], [{"name": "a.example"}]])
def test_what_has_no_form_at_all_says_nothing(given: object) -> None:
    assert sound_answers(given) == []
    assert sound_names(given) == []


def test_a_message_is_bounded() -> None:
    names = [f"{number}.example" for number in range(2 * MAX_NAMES)]
    assert sound_names(names) == names[:MAX_NAMES]
    many = [f"10.0.{number >> 8}.{number & 255}" for number in range(2 * MAX_ADDRESSES)]
    answers = sound_answers([{**ANSWER, "addresses": many}] * 2 * MAX_NAMES)
    assert len(answers) == MAX_NAMES
    assert answers[0]["addresses"] == many[:MAX_ADDRESSES]
    assert len(json.dumps(answers)) < 1_000_000


def test_packets_are_passed_on_if_their_form_is_sound() -> None:
    sound = ["3c:2e:ff:29:4d:93", "dhcp", "AAAA"]
    bad: list[object] = [
        None,
        [],
        ["x", "dhcp", "AAAA"],
        [*sound, "more"],
        [sound[0], 1, "AAAA"],
        [sound[0], "dhcp", "A" * 5000],
    ]
    assert sound_packets([sound, *bad]) == [sound]
    assert sound_packets({"not": "a list"}) == []
    assert len(sound_packets([sound] * 1000)) == MAX_PACKETS


def test_doubts_are_passed_on_if_they_are_ones_that_the_guard_knows() -> None:
    sound = ["3c:2e:ff:29:4d:93", "other-system", "udhcp before, Windows now"]
    bad: list[object] = [
        [sound[0], "made-up", ""],
        ["x", "two-places", ""],
        [sound[0], "two-places", "a\nb"],
        7,
    ]
    assert sound_doubts([sound, *bad]) == [sound]


def test_rules_are_ended_if_they_can_be_rules() -> None:
    sound = [["3c:2e:ff:29:4d:93", "a.example", "web"], ["*", "203.0.113.0/24", ""]]
    odd: list[object] = [
        ["all", "a.example", ""],
        ["*", "a\nb", ""],
        ["*", "a.example"],
        "*",
        None,
        ["*", 1, ""],
    ]
    assert sound_rules([*sound, *odd]) == sound
    assert sound_rules(None) == sound_rules({"*": 1}) == []
    assert len(sound_rules(sound * 1000)) == MAX_RULES


def test_each_doubt_is_a_reason_of_the_judge() -> None:
    for reason in ("other-system", "two-places"):
        assert Reason(reason) in REASONS


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ({}, {"urls": [], "problems": [], "setup_code": ""}),
        (
            {"urls": "x", "problems": 1, "setup_code": None},
            {"urls": [], "problems": [], "setup_code": ""},
        ),
        (
            {
                "urls": ["http://192.168.1.1:8081", "a\nb"],
                "problems": ["no"],
                "setup_code": "1234-5678",
                "x": 1,
            },
            {"urls": ["http://192.168.1.1:8081", "a b"], "problems": ["no"], "setup_code": "1234-5678"},
        ),
    ],
    ids=["nothing", "nonsense", "where it is"],
)
def test_where_the_web_interface_says_it_is_is_text_on_one_line(
    given: dict[str, Any], passed: dict[str, Any]
) -> None:
    assert sound_serving(given) == passed
