# SPDX-License-Identifier: GPL-2.0-or-later
"""What is on its way to the kernel, and what of it still holds when it gets there. How it is settled, and
what takes it back, is told in conversations (tests/playbook/test_judge_shortcuts.py)."""

import pytest
from playbook.conversation import CAMERA, ENFORCE, Conversation

from smartrouter.core.effects import Block, Deny, Know, Pair
from smartrouter.core.events import TCP, DestinationForgotten
from smartrouter.core.policy import Action, Mode, Rule
from smartrouter.core.shortcuts import BLOCKED_FOR, KNOWN_FOR

KNOWN, UNKNOWN = "203.0.113.10", "203.0.113.99"
KNOW = Know(Pair(CAMERA, KNOWN, TCP, 443), KNOWN_FOR)
BLOCK = Block(Pair(CAMERA, UNKNOWN, TCP, 443), BLOCKED_FOR)


@pytest.fixture
def talk() -> Conversation:
    """A camera has just used what it knows, and tried what it does not."""
    talk = Conversation(mode=ENFORCE)
    talk.learn("api.cloud.example", KNOWN)
    talk.protect()
    assert KNOW in talk.connect(KNOWN)
    assert BLOCK in talk.connect(UNKNOWN)
    return talk


def test_what_was_said_a_moment_ago_holds(talk: Conversation) -> None:
    assert talk.judge.still([KNOW, BLOCK]) == [KNOW, BLOCK]
    assert talk.judge.still([BLOCK, KNOW]) == [BLOCK, KNOW]


def test_what_was_taken_back_meanwhile_does_not(talk: Conversation) -> None:
    talk.tell(DestinationForgotten(CAMERA, "cloud.example", ""))
    assert talk.judge.still([KNOW, BLOCK]) == [BLOCK]
    talk.configure(mode=Mode.MONITOR)
    assert talk.judge.still([KNOW, BLOCK]) == []


def test_what_is_settled_in_another_way_by_now_does_not(talk: Conversation) -> None:
    talk.configure(rules=(Rule(CAMERA, "cloud.example", "", Action.DENY),))
    assert talk.judge.still([KNOW]) == []
    assert talk.judge.still([Deny(KNOW.pair, 1.0), Block(KNOW.pair, 1.0)]) == [Deny(KNOW.pair, 1.0)]


def test_what_was_never_settled_does_not(talk: Conversation) -> None:
    assert talk.judge.still([KNOW._replace(pair=KNOW.pair._replace(port=80))]) == []


def test_what_the_kernel_should_hold_is_all_that_holds_with_the_time_that_is_left(talk: Conversation) -> None:
    talk.running += 10.0
    assert talk.judge.shortcuts.wanted(talk.now) == [
        KNOW._replace(seconds=KNOWN_FOR - 10.0),
        BLOCK._replace(seconds=BLOCKED_FOR - 10.0),
    ]
    assert len(talk.judge.shortcuts) == 2
    talk.running += BLOCKED_FOR - 10.0
    assert talk.judge.shortcuts.wanted(talk.now) == [KNOW._replace(seconds=KNOWN_FOR - BLOCKED_FOR)]
