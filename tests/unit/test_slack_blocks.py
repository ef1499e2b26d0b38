# SPDX-License-Identifier: GPL-2.0-or-later
"""What Slack is given to show, and what comes back from its buttons."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from unit.made_alarms import HOSTILE, hostile_message, message
from unit.standin_slack import press

from smartrouter.notify.message import Answer
from smartrouter.notify.slack_blocks import FALLBACK, blocks, fallback, presses


def texts(made: Any) -> Iterator[dict[str, Any]]:
    """Every text object in it."""
    if isinstance(made, list):
        for each in made:
            yield from texts(each)
    elif isinstance(made, dict):
        if made.get("type") in ("plain_text", "mrkdwn"):
            yield made
        for each in made.values():
            yield from texts(each)


def shown(**values: object) -> str:
    return "\n".join(each["text"] for each in texts(blocks(message(**values), with_buttons=True)))


def test_a_message_says_who_what_why_and_where_to_read_on() -> None:
    made = blocks(message(), with_buttons=True)
    assert [block["type"] for block in made] == ["header", "section", "section", "actions", "context"]
    assert made[0]["text"]["text"].startswith("⚠ Living-room TV tried to reach ads.example.net")
    assert [field["text"] for field in made[1]["fields"]] == [
        "*Device*\n`Living-room TV`\n`3c:2e:ff:29:4d:93`",
        "*Destination*\n`ads.example.net`\n`web`",
        "*Blocked*\nno, only reported",
    ]
    assert made[2]["fields"][1]["text"] == "*Evidence*\n`named by the router's DNS`"
    assert made[4]["elements"][0]["text"].startswith("alert 17 · 2018-03-27 ")
    assert made[4]["elements"][1]["text"] == "<http://192.168.1.1:8081/alerts/17|Open its page>"


def test_buttons_are_those_that_can_be_answered() -> None:
    made = blocks(message(answers=(Answer.ALLOW, Answer.MUTE)), with_buttons=True)
    (actions,) = [block["elements"] for block in made if block["type"] == "actions"]
    assert [(each["action_id"], each["text"]["text"], each["value"]) for each in actions] == [
        ("smartrouter:allow", "Allow this destination", "alert-17"),
        ("smartrouter:mute", "Mute device", "alert-17"),
    ]
    labels = shown().split("\n")
    assert {"Allow this destination", "Allow for an hour", "Keep blocking", "Mute device"} <= set(labels)


@pytest.mark.parametrize(
    ("values", "with_buttons"),
    [
        ({"answers": ()}, True),
        ({"outcome": "Allowed by web:admin"}, True),
        ({"key": "k" * 2001}, True),
        ({"key": ""}, True),
        ({}, False),
    ],
)
def test_no_buttons_where_nothing_can_be_answered(values: dict[str, object], with_buttons: bool) -> None:
    made = blocks(message(**values), with_buttons=with_buttons)
    assert "actions" not in [block["type"] for block in made]


@pytest.mark.parametrize(
    ("outcome", "by", "text"),
    [
        ("Allowed by slack:U1 at 12:00", "U1", "✔ Allowed by <@U1> at 12∶00"),
        ("Allowed by slack:U1", "", "✔ Allowed by slack:U1"),
        ("Allowed by web:admin", "U1", "✔ Allowed by web:admin"),
        ("Allowed *x* <!here> by slack:U1", "U1", "✔ Allowed ∗x∗ &lt;!here&gt; by <@U1>"),
    ],
)
def test_an_outcome_names_who_answered(outcome: str, by: str, text: str) -> None:
    made = blocks(message(outcome=outcome), with_buttons=True, by=by)
    assert text in [each["text"] for each in texts(made)]


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        ("ads.example.net (web)", "`ads.example.net`\n`web`"),
        ("192.0.2.1 [x.example] (web)", "`192.0.2.1 [x.example] (web)`"),
    ],
)
def test_what_more_is_known_of_a_destination_is_said_once(fact: str, said: str) -> None:
    made = shown(facts=(("device", "Living-room TV"), ("destination", fact)))
    assert f"*Destination*\n{said}" in made
    assert (made.count("*Destination*"), made.count("*Device*")) == (1, 1)


@pytest.mark.parametrize(
    ("blocked", "said"),
    [(True, "*Blocked*\nyes"), (False, "*Blocked*\nno, only reported"), (None, None)],
)
def test_whether_it_was_blocked_is_said_where_it_can_be(blocked: bool | None, said: str | None) -> None:
    made = shown(blocked=blocked)
    assert said in made if said else "*Blocked*" not in made


def test_what_is_too_long_is_cut_and_says_so() -> None:
    made = blocks(message(title="t" * 4000, facts=(("f", "x"),) * 25), with_buttons=True)
    assert made[0]["text"]["text"].endswith("t…")
    assert made[1]["text"]["text"] == "t" * 2999 + "…"
    assert "… and 5 more" in [each["text"] for each in texts(made)]


@pytest.mark.parametrize("link", ["", "javascript:alert(1)", "ftp://x", "http://" + "x" * 3000])
def test_only_a_link_that_is_one_is_shown(link: str) -> None:
    assert "Open its page" not in shown(link=link)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_name_is_inert(hostile: str) -> None:
    said = hostile_message(hostile)
    made = blocks(said._replace(outcome=f"Allowed {hostile} by slack:U024BE7LH"), with_buttons=True, by="U1")
    made += blocks(said, with_buttons=True)
    assert json.loads(json.dumps(made).encode()) == made
    for each in texts(made):
        assert each["text"].replace("\n", "").isprintable()
        if each["type"] == "plain_text":
            assert each["emoji"] is False
        else:
            assert each["verbatim"] is True
            assert_only_our_markup(each["text"])
        left = re.sub("&(amp|lt|gt);", "", each["text"])
        left = left.replace("<http://192.168.1.1:8081/alerts/17|Open its page>", "")
        assert not set(left) & set("&<>")
    assert not set(re.sub("&(amp|lt|gt);", "", fallback(said))) & set("&<>*_~`@")
    assert 0 < len(fallback(said)) <= FALLBACK


def assert_only_our_markup(text: str) -> None:
    """What is neither in a code span nor our own bold title has nothing that mrkdwn acts on."""
    title, _, rest = text.rpartition("*\n")
    rest = re.sub("`[^`\n]+`", "", rest).replace("<http://192.168.1.1:8081/alerts/17|Open its page>", "")
    assert not set(rest) & set("*_~`:@#"), text
    assert not set(title.removeprefix("*")) & set("*_~`:@#\n"), text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_the_limits_of_the_api_are_kept(hostile: str) -> None:
    made = blocks(hostile_message(hostile), with_buttons=True)
    assert len(made) <= 50
    for block in made:
        match block["type"]:
            case "header":
                assert 0 < len(block["text"]["text"]) <= 150
            case "section" if "fields" in block:
                assert 0 < len(block["fields"]) <= 10
                assert all(0 < len(field["text"]) <= 2000 for field in block["fields"])
            case "section":
                assert 0 < len(block["text"]["text"]) <= 3000
            case "actions":
                assert all(len(button["value"]) <= 2000 for button in block["elements"])
            case "context":
                assert all(0 < len(each["text"]) <= 2000 for each in block["elements"])


def test_a_press_says_what_who_and_which() -> None:
    (found,) = presses(press("allow-hour", "alert-17")["payload"])
    assert (found.key, found.answer, found.user) == ("alert-17", Answer.ALLOW_HOUR, "U024BE7LH")


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        {},
        {"type": "view_submission"},
        {"type": "block_actions"},
        {"type": "block_actions", "user": "U1", "actions": []},
        {"type": "block_actions", "user": {"id": "U1"}, "actions": None},
        {"type": "block_actions", "user": {"id": "u1; x"}, "actions": [{"action_id": "smartrouter:allow"}]},
        {"type": "block_actions", "user": {"id": "U1"}, "actions": [None, "x", {"action_id": 1}]},
        {"type": "block_actions", "user": {"id": "U1"}, "actions": [{"action_id": "other:x", "value": "k"}]},
        {
            "type": "block_actions",
            "user": {"id": "U1"},
            "actions": [{"action_id": "smartrouter:x", "value": "k"}],
        },
        {
            "type": "block_actions",
            "user": {"id": "U1"},
            "actions": [{"action_id": "smartrouter:allow", "value": ""}],
        },
    ],
)
def test_what_is_no_press_on_a_button_of_ours_is_none(payload: object) -> None:
    assert list(presses(payload)) == []
