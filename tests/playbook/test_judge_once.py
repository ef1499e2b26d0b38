# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules that allow one connection."""

from ipaddress import ip_network
from typing import Any

import pytest
from playbook.conversation import (
    CAMERA,
    CAMERA_ADDRESS,
    ENFORCE,
    PLUG,
    WALL_START,
    Conversation,
    alerts,
    verdict,
)

from smartrouter.core.effects import Block, Effect, End, Kind, Know, Unsettle, Verdict
from smartrouter.core.events import UDP, FlowOpened, LearningTakenOver, Scope
from smartrouter.core.policy import Action, Mode, Reason, Rule

STRANGER, ADDRESS = "stranger.example", "203.0.113.66"
ONCE = Rule(CAMERA, STRANGER, "web", Action.ALLOW, once=True, by="cli:root", at="2026-11-30T12:00:00Z")
ALLOWED, BLOCKED = Verdict(True, Reason.ALLOWED_BY_RULE), Verdict(False, Reason.UNKNOWN_NAME)


def conversation(mode: Mode = ENFORCE, **settings: Any) -> Conversation:
    """A protected camera that was told the name of a server that it does not know."""
    found = Conversation(mode=mode, **settings)
    found.learn("cloud.maker.example", "203.0.113.10")
    for mac in (CAMERA, PLUG):
        found.protect(mac)
    found.resolve(STRANGER, ADDRESS)
    return found


def syn(source_port: int, sequence: int = 1) -> FlowOpened:
    return FlowOpened(CAMERA, CAMERA_ADDRESS, ADDRESS, 6, source_port, 443, sequence, Scope.OUTSIDE)


def ended(effects: list[Effect]) -> list[Rule]:
    return [effect.rule for effect in effects if isinstance(effect, End)]


def test_one_connection_passes_and_no_other() -> None:
    talk = conversation()
    talk.configure(rules=(ONCE,))
    first = talk.connect(ADDRESS)
    assert verdict(first) == ALLOWED
    assert ended(first) == [ONCE]
    assert alerts(first) == []
    for _ in range(3):
        again = talk.connect(ADDRESS)
        assert verdict(again) == BLOCKED
        assert ended(again) == []
    assert alerts(again) == [(Kind.NEW_DESTINATION, STRANGER, "web", True)]


def test_its_first_packet_may_be_sent_again() -> None:
    talk = conversation()
    talk.configure(rules=(ONCE,))
    for _ in range(3):
        assert verdict(talk.tell(syn(5000))) == ALLOWED
    talk.running += 600
    talk.resolve(STRANGER, ADDRESS)
    assert verdict(talk.tell(syn(5000, sequence=2))) == BLOCKED


def test_the_kernel_never_lets_it_through_by_itself() -> None:
    talk = conversation()
    talk.configure(rules=(ONCE,))
    effects = talk.connect(ADDRESS) + talk.connect(ADDRESS)
    assert not any(isinstance(effect, Know) for effect in effects)


def test_what_the_kernel_refuses_is_asked_for_again() -> None:
    talk = conversation()
    assert any(isinstance(effect, Block) for effect in talk.connect(ADDRESS))
    effects = talk.configure(rules=(ONCE,))
    assert any(isinstance(effect, Unsettle) for effect in effects)
    assert verdict(talk.connect(ADDRESS)) == ALLOWED


def test_what_was_decided_before_is_no_precedent() -> None:
    talk = conversation()
    for _ in range(3):
        assert verdict(talk.connect(ADDRESS)) == BLOCKED
    assert talk.judge.repeat(syn(5000)) is not None
    talk.configure(rules=(ONCE,))
    assert talk.judge.repeat(syn(5000)) is None
    assert verdict(talk.connect(ADDRESS)) == ALLOWED
    assert talk.judge.repeat(syn(5000)) is None


def test_it_waits_for_what_it_is_about() -> None:
    talk = conversation()
    talk.resolve("other.example", "203.0.113.67")
    talk.configure(rules=(ONCE,))
    assert not verdict(talk.connect("203.0.113.67")).accept
    assert not verdict(talk.connect(ADDRESS, 8080)).accept
    assert verdict(talk.connect("203.0.113.10")).reason is Reason.LEARNED
    assert verdict(talk.connect(ADDRESS)) == ALLOWED


def test_once_it_is_over_it_is_over_however_that_is_written_down() -> None:
    talk = conversation()
    talk.configure(rules=(ONCE,))
    talk.connect(ADDRESS)
    talk.configure(rules=(ONCE._replace(until=WALL_START + talk.running + 3),))
    assert verdict(talk.connect(ADDRESS)) == BLOCKED
    talk.configure(rules=())
    talk.configure(rules=(ONCE._replace(at="2026-11-30T13:00:00Z"),))  # said once more
    assert verdict(talk.connect(ADDRESS)) == ALLOWED


def test_it_ends_by_itself_too() -> None:
    talk = conversation()
    talk.configure(rules=(ONCE._replace(until=WALL_START + talk.running + 60),))
    talk.running += 61
    assert verdict(talk.connect(ADDRESS)) == BLOCKED


def test_a_deny_stands_above_it() -> None:
    talk = conversation()
    talk.configure(rules=(ONCE, Rule("*", STRANGER, "", Action.DENY)))
    effects = talk.connect(ADDRESS)
    assert verdict(effects) == Verdict(False, Reason.DENIED_BY_RULE)
    assert ended(effects) == []


def test_of_every_device_the_first_one_has_it() -> None:
    talk = conversation()
    talk.resolve(STRANGER, ADDRESS, mac=PLUG, client="192.168.77.21")
    talk.configure(rules=(ONCE._replace(device="*"),))
    assert verdict(talk.connect(ADDRESS, mac=PLUG, source="192.168.77.21")) == ALLOWED
    assert verdict(talk.connect(ADDRESS)) == BLOCKED


def test_in_monitor_mode_it_keeps_one_connection_from_being_told() -> None:
    talk = conversation(Mode.MONITOR)
    talk.configure(rules=(ONCE,))
    first, second = talk.connect(ADDRESS), talk.connect(ADDRESS)
    assert (verdict(first), alerts(first), ended(first)) == (ALLOWED, [], [ONCE])
    assert alerts(second) == [(Kind.NEW_DESTINATION, STRANGER, "web", False)]


def test_while_learning_nothing_is_spent() -> None:
    talk = Conversation(mode=ENFORCE)
    talk.configure(rules=(ONCE,))
    talk.resolve(STRANGER, ADDRESS)
    effects = talk.connect(ADDRESS)
    assert (verdict(effects).reason, ended(effects)) == (Reason.LEARNING, [])


def test_a_resolver_may_be_asked_once() -> None:
    rule = Rule(CAMERA, "9.9.9.10", "udp/53", Action.ALLOW, once=True)
    talk = conversation(resolvers=frozenset({"192.168.77.1"}))
    talk.configure(rules=(rule._replace(destination=ip_network("9.9.9.10")),))
    first = talk.ask("a.example", resolver="9.9.9.10", port=4000, protocol=UDP)
    assert (verdict(first), len(ended(first))) == (ALLOWED, 1)
    assert not verdict(talk.ask("b.example", resolver="9.9.9.10", port=4001, protocol=UDP)).accept


@pytest.mark.parametrize("mode", Mode)
def test_a_device_that_takes_over_has_no_part_in_it(mode: Mode) -> None:
    talk = conversation(mode)
    talk.configure(rules=(ONCE,))
    talk.tell(LearningTakenOver(PLUG, CAMERA))
    talk.resolve(STRANGER, ADDRESS, mac=PLUG, client="192.168.77.21")
    assert ended(talk.connect(ADDRESS, mac=PLUG, source="192.168.77.21")) == []


def test_a_denial_is_one_however_it_is_written() -> None:
    talk = conversation()
    talk.configure(rules=(ONCE._replace(action=Action.DENY),))
    for _ in range(2):
        assert verdict(talk.connect(ADDRESS)) == Verdict(False, Reason.DENIED_BY_RULE)
