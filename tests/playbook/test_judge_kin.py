# SPDX-License-Identifier: GPL-2.0-or-later
"""Conversations about relatives: what other devices of the same maker have learned."""

import pytest
from counting import steps
from playbook.conversation import CAMERA, CAMERA_ADDRESS, ENFORCE, Conversation, raised, verdict, watched

from smartrouter.core.effects import Effect, Kind, Severity
from smartrouter.core.events import DeviceSeen, FlowOpened, LearningFinished, LearningRestarted, Scope
from smartrouter.core.learning import MAX_LEARNED
from smartrouter.core.policy import Reason
from smartrouter.core.roster import MAX_DEVICES

CLOUD, OTHER, NEW = "203.0.113.10", "203.0.113.99", "203.0.113.50"
KIN = ("3c:2e:ff:00:00:01", "3c:2e:ff:00:00:02")
HOMES = dict(zip(KIN, ("192.168.77.31", "192.168.77.32"), strict=True))


def family(relatives: int, *, maker: str = "Maker", shared: str = "maker.example") -> Conversation:
    """A camera that has learned maker.example, and relatives that have learned `shared` and new.example."""
    talk = Conversation(mode=ENFORCE, devices=watched(CAMERA, *KIN))
    talk.made_by(maker, CAMERA, *KIN)
    talk.learn("api.maker.example", CLOUD)
    for mac in KIN[:relatives]:
        for name, address in ((f"api.{shared}", CLOUD), ("update.new.example", OTHER)):
            talk.resolve(name, address, mac=mac, client=HOMES[mac])
            talk.connect(address, mac=mac, source=HOMES[mac])
        talk.protect(mac)
    talk.protect()
    return talk


def goes(talk: Conversation, name: str = "cdn.new.example", port: int = 443) -> list[Effect]:
    talk.resolve(name, NEW)
    return talk.connect(NEW, port)


def test_what_two_relatives_have_learned_is_known() -> None:
    effects = goes(family(2))
    assert verdict(effects) == (True, Reason.KIN)
    assert raised(effects) == []


def test_what_one_relative_has_learned_is_blocked_with_a_notice() -> None:
    effects = goes(family(1))
    assert verdict(effects) == (False, Reason.ONE_KIN)
    assert [(each.kind, each.severity) for each in raised(effects)] == [
        (Kind.NEW_DESTINATION, Severity.NOTICE)
    ]


def test_what_no_relative_has_learned_is_unknown() -> None:
    assert verdict(goes(family(2), "evil.example")) == (False, Reason.UNKNOWN_NAME)
    assert verdict(goes(family(2), port=8883)) == (False, Reason.UNKNOWN_NAME)


def test_what_a_relative_learns_at_the_moment_speaks_for_nobody() -> None:
    talk = family(2)
    talk.tell(LearningRestarted(KIN[0]))
    assert verdict(goes(talk)) == (False, Reason.ONE_KIN)


@pytest.mark.parametrize("maker", ["", "Espressif"])
def test_who_made_a_device_must_be_known_and_the_same(maker: str) -> None:
    talk = family(2)
    talk.made_by(maker, CAMERA)
    assert verdict(goes(talk)) == (False, Reason.UNKNOWN_NAME)
    talk.made_by(maker, *KIN[:1])
    assert verdict(goes(talk)).reason is (Reason.ONE_KIN if maker else Reason.UNKNOWN_NAME)


def test_devices_without_a_maker_are_nobodys_relatives() -> None:
    assert verdict(goes(family(2, maker=""))) == (False, Reason.UNKNOWN_NAME)


def test_relatives_share_a_domain_and_not_merely_the_maker_of_their_radio() -> None:
    assert verdict(goes(family(2, shared="elsewhere.example"))) == (False, Reason.UNKNOWN_NAME)


def test_a_bare_address_makes_no_relatives() -> None:
    talk = Conversation(mode=ENFORCE, devices=watched(CAMERA, *KIN))
    talk.made_by("Maker", CAMERA, *KIN)
    talk.connect("198.51.100.1", 3478)
    for mac in KIN:
        talk.connect("198.51.100.1", 3478, mac=mac, source=HOMES[mac])
        talk.resolve("update.new.example", OTHER, mac=mac, client=HOMES[mac])
        talk.connect(OTHER, mac=mac, source=HOMES[mac])
        talk.protect(mac)
    talk.protect()
    assert verdict(goes(talk)) == (False, Reason.UNKNOWN_NAME)


def test_a_bare_address_is_never_known_by_relatives() -> None:
    talk = family(2)
    for mac in KIN:
        talk.judge.roster.devices[mac].learning.restart()
        talk.configure()
        talk.connect("198.51.100.1", mac=mac, source=HOMES[mac])
    assert verdict(talk.connect("198.51.100.1")) == (False, Reason.UNKNOWN_ADDRESS)


def test_what_relatives_know_is_not_thereby_learned() -> None:
    talk = family(2)
    goes(talk)
    assert "new.example" not in {name for name, _ in talk.judge.roster.devices[CAMERA].learning.learned}


def test_relatives_cost_little_however_many_there_are_and_however_many_names_an_address_has() -> None:
    talk = Conversation(mode=ENFORCE)
    talk.made_by("Maker", CAMERA)
    for number in range(16):
        heads = [f"head{number}-{each}.example" for each in range(8)]
        for head in heads:
            talk.resolve(head, OTHER, aliases=(f"name{number}.example",))
        talk.resolve(f"name{number}.example", NEW)
    for number in range(MAX_LEARNED):
        talk.connect(f"10.0.{number >> 8}.{number & 255}", 1000 + number % 7)
    talk.protect()
    for number in range(MAX_DEVICES - 2):
        mac = f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"
        talk.tell(DeviceSeen(mac, True, False, "", "Maker"))
        talk.tell(LearningFinished(mac))
    flow = FlowOpened(CAMERA, CAMERA_ADDRESS, NEW, 6, 1234, 443, 7, Scope.OUTSIDE)
    assert steps(lambda: talk.tell(flow)) < 20_000


def test_spellings_of_one_maker_are_one_maker() -> None:
    talk = family(2, maker="ACME Co., Ltd.")
    talk.made_by("Acme Company Limited", *KIN)
    assert verdict(goes(talk)) == (True, Reason.KIN)


def test_makers_of_different_names_are_not_related() -> None:
    talk = family(2, maker="Acme Technology")
    talk.made_by("Acme Mobile", *KIN)
    assert verdict(goes(talk)) == (False, Reason.UNKNOWN_NAME)
