# SPDX-License-Identifier: GPL-2.0-or-later
"""Conversations about who a device is: a MAC that something else uses, and a device that got another MAC."""

import pytest
from playbook.conversation import CAMERA, ENFORCE, PLUG, Conversation, raised, verdict

from smartrouter.core.effects import Effect, Keep, Kind, Learn, NameAlias, Severity
from smartrouter.core.events import DeviceSeen, IdentityDoubted, LearningTakenOver
from smartrouter.core.learning import State
from smartrouter.core.policy import Reason

STRANGER = "02:00:00:00:00:99"
HOST, OTHER = "198.51.100.7", "198.51.100.8"
PLUG_ADDRESS = "192.168.77.21"


@pytest.mark.parametrize("reason", [Reason.OTHER_SYSTEM, Reason.TWO_PLACES])
def test_a_watched_mac_that_something_else_uses_is_an_alert(reason: Reason) -> None:
    [alert] = raised(Conversation().tell(IdentityDoubted(CAMERA, reason, "udhcp before, Windows now")))
    assert (alert.kind, alert.mac, alert.reason) == (Kind.CLONE, CAMERA, reason)
    assert (alert.severity, alert.detail) == (Severity.WARNING, "udhcp before, Windows now")


def test_what_is_not_watched_may_look_like_anything() -> None:
    talk = Conversation(devices={})
    talk.tell(DeviceSeen(STRANGER, False, False, "phone", ""))
    assert not talk.tell(IdentityDoubted(STRANGER, Reason.OTHER_SYSTEM, ""))


def _learned(effects: list[Effect]) -> set[str]:
    return {effect.destination.name for effect in effects if isinstance(effect, Learn)}


def test_a_device_under_another_mac_knows_what_it_has_learned() -> None:
    talk = Conversation(mode=ENFORCE)
    talk.learn("api.camera.example", HOST)
    talk.protect(PLUG)
    where = {"mac": PLUG, "client": PLUG_ADDRESS}
    talk.resolve("api.camera.example", HOST, **where)
    assert not verdict(talk.connect(HOST, mac=PLUG, source=PLUG_ADDRESS)).accept
    assert _learned(talk.tell(LearningTakenOver(PLUG, CAMERA))) == {"camera.example"}
    assert verdict(talk.connect(HOST, mac=PLUG, source=PLUG_ADDRESS)).accept


def test_who_takes_over_from_a_protected_device_is_protected() -> None:
    talk = Conversation()
    talk.learn("api.camera.example", HOST)
    talk.protect(CAMERA)
    effects = talk.tell(LearningTakenOver(PLUG, CAMERA))
    assert [effect.progress.state for effect in effects if isinstance(effect, Keep)] == [State.PROTECTED]


def test_aliases_are_taken_over_as_well() -> None:
    talk = Conversation()
    talk.resolve("mesu.camera.example", HOST, aliases=("edge.content.example",))
    effects = talk.tell(LearningTakenOver(PLUG, CAMERA))
    aliases = [(e.mac, e.target, e.head) for e in effects if isinstance(e, NameAlias)]
    assert aliases == [(PLUG, "edge.content.example", "mesu.camera.example")]


def test_nothing_is_taken_over_from_a_device_that_nobody_knows() -> None:
    assert not Conversation().tell(LearningTakenOver(PLUG, STRANGER))


def test_what_either_knew_is_known() -> None:
    talk = Conversation()
    talk.learn("one.example", HOST)
    talk.resolve("two.example", OTHER, mac=PLUG, client=PLUG_ADDRESS)
    talk.connect(OTHER, mac=PLUG, source=PLUG_ADDRESS)
    talk.tell(LearningTakenOver(PLUG, CAMERA))
    learned = talk.judge.roster.devices[PLUG].learning.learned
    assert {destination.name for destination in learned} == {"one.example", "two.example"}
