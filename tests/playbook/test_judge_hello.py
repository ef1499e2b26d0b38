# SPDX-License-Identifier: GPL-2.0-or-later
"""Conversations about the server name in a connection's first data: as a label, and, where the user wants it,
as what decides about a connection to an address without a name."""

import pytest
from playbook.conversation import (
    CAMERA,
    CAMERA_ADDRESS,
    ENFORCE,
    PLUG,
    Conversation,
    alerts,
    inspected,
    looked_up,
    raised,
    recorded,
    verdict,
)

from smartrouter.core.effects import Cut, Effect, Evidence, Flow, Inspect, Kind, Label, Release, Verdict
from smartrouter.core.events import (
    TCP,
    UDP,
    DestinationForgotten,
    FlowOpened,
    LearningRestarted,
    Paused,
    Scope,
)
from smartrouter.core.hellos import AWAITED_FOR, MAX_AWAITED
from smartrouter.core.policy import Action, DeviceSettings, Mode, Reason, Rule, Watching

CLOUD, OTHER, THIRD = "203.0.113.10", "203.0.113.99", "203.0.113.77"


def camera(**settings: object) -> Conversation:
    """An enforcing camera that has learned cloud.example and the bare address CLOUD, judged by its hello."""
    talk = Conversation(mode=ENFORCE, **({"judge_by_hello": True} | settings))  # type: ignore[arg-type]
    talk.connect(CLOUD)
    talk.learn("cloud.example", THIRD)
    talk.protect()
    talk.wait(AWAITED_FOR + 1)  # nothing is waited for any more
    return talk


def begun(talk: Conversation, address: str = OTHER) -> Flow:
    """The camera begins a connection that is let begin."""
    effects = talk.connect(address)
    assert verdict(effects) == (True, Reason.AWAITING_HELLO)
    ((flow, held),) = inspected(effects)
    assert held
    return flow


def kinds(effects: list[Effect]) -> list[str]:
    return [type(effect).__name__ for effect in effects]


def test_an_address_without_a_name_is_blocked_at_once_unless_the_user_wants_otherwise() -> None:
    effects = camera(judge_by_hello=False).connect(OTHER)
    assert verdict(effects) == (False, Reason.UNKNOWN_ADDRESS)
    assert inspected(effects) == []


def test_it_is_inspected_before_it_is_let_begin() -> None:
    effects = camera().connect(OTHER)
    assert kinds(effects)[:2] == ["Inspect", "Verdict"]
    assert recorded(effects).reason is Reason.AWAITING_HELLO
    assert alerts(effects) == []


@pytest.mark.parametrize(
    ("address", "port", "protocol", "opens"),
    [(OTHER, 80, TCP, True), (OTHER, 8443, TCP, True), (OTHER, 443, TCP, False)],
)
def test_only_what_opens_a_tls_connection_is(address: str, port: int, protocol: int, opens: bool) -> None:
    effects = camera().connect(address, port, protocol=protocol, opens=opens)
    assert verdict(effects) == (False, Reason.UNKNOWN_ADDRESS)
    assert inspected(effects) == []


def test_quic_brings_its_hello_in_the_packet_that_opens_it() -> None:
    effects = camera().connect(OTHER, protocol=UDP)
    assert kinds(effects)[0] == "Inspect"


def test_a_name_that_is_known_waits_for_the_routers_own_lookup() -> None:
    talk = camera()
    flow = begun(talk)
    effects = talk.hello(flow, "cloud.example")
    assert verdict(effects) == (False, Reason.AWAITING_HELLO)
    assert looked_up(effects) == ["cloud.example"]
    assert looked_up(talk.hello(flow, "cloud.example")) == []  # the data is sent again: it is under way
    assert talk.look_up("cloud.example", OTHER)  # and names the address from now on
    effects = talk.hello(flow, "cloud.example")
    assert verdict(effects) == (True, Reason.KNOWN_HELLO)
    assert Release(flow) in effects
    assert recorded(talk.connect(OTHER)).evidence is Evidence.REFRESHED


@pytest.mark.parametrize("answer", [(), (THIRD,), ("192.168.77.5",), ("127.0.0.1",)])
def test_a_name_that_does_not_lead_to_the_address_is_cut(answer: tuple[str, ...]) -> None:
    talk = camera()
    flow = begun(talk)
    talk.hello(flow, "cloud.example")
    talk.look_up("cloud.example", *answer)
    effects = talk.hello(flow, "cloud.example")
    assert verdict(effects) == (False, Reason.UNKNOWN_HELLO)
    assert kinds(effects)[0] == "Cut"
    assert [each[0] for each in alerts(effects)] == [Kind.NEW_DESTINATION]


@pytest.mark.parametrize(
    ("name", "encrypted"), [("evil.example", False), ("", False), ("cloud.example", True)]
)
def test_an_unknown_missing_or_encrypted_name_is_cut_and_nothing_is_looked_up(
    name: str, encrypted: bool
) -> None:
    talk = camera()
    talk.look_up("cloud.example", OTHER)
    flow = begun(talk)
    effects = talk.hello(flow, name, encrypted=encrypted)
    assert effects[0] == Cut(flow)
    assert effects[1] == Verdict(False, Reason.UNKNOWN_HELLO)
    assert looked_up(effects) == []
    assert ("encrypted" in raised(effects)[0].detail) is encrypted


def test_a_lookup_that_nobody_answers_is_made_again() -> None:
    talk = camera()
    flow = begun(talk)
    assert looked_up(talk.hello(flow, "cloud.example")) == ["cloud.example"]
    talk.running += 31.0
    flow = begun(talk)
    assert looked_up(talk.hello(flow, "cloud.example")) == ["cloud.example"]


def test_a_lookup_holds_for_as_long_as_it_says_and_not_longer() -> None:
    talk = camera()
    talk.look_up("cloud.example", OTHER, ttl=60)
    assert verdict(talk.hello(begun(talk), "cloud.example")).accept
    talk.running += 61.0
    assert verdict(talk.hello(begun(talk), "cloud.example")) == (False, Reason.AWAITING_HELLO)


def test_rules_decide_about_the_name_in_a_hello() -> None:
    deny = camera(rules=(Rule("*", "cloud.example", "", Action.DENY),))
    deny.look_up("cloud.example", OTHER)
    assert verdict(deny.hello(begun(deny), "cloud.example")) == (False, Reason.UNKNOWN_HELLO)
    allow = camera(rules=(Rule("*", "*.evil.example", "", Action.ALLOW),))
    flow = begun(allow)
    assert looked_up(allow.hello(flow, "a.evil.example")) == ["a.evil.example"]
    allow.look_up("a.evil.example", OTHER)
    assert verdict(allow.hello(flow, "a.evil.example")) == (True, Reason.KNOWN_HELLO)


def test_no_more_than_a_few_connections_of_a_device_wait_at_once() -> None:
    talk = camera()
    flows = [begun(talk, f"198.51.100.{number}") for number in range(MAX_AWAITED)]
    assert verdict(talk.connect(OTHER)) == (False, Reason.UNKNOWN_ADDRESS)
    talk.hello(flows[0], "evil.example")
    begun(talk)
    assert not verdict(talk.connect(THIRD.replace("77", "78"))).accept
    talk.running += AWAITED_FOR + 1
    begun(talk, "198.51.100.77")


def test_connections_that_wait_for_their_hello_count_in_a_scan() -> None:
    talk = camera()
    talk.wait(100.0)
    told = [alert for n in range(20) for alert in raised(talk.connect(f"198.51.100.{n}"))]
    scan = [alert for alert in told if alert.kind is Kind.SCAN]
    assert len(scan) == 20
    assert {alert.address for alert in scan} == {f"198.51.100.{n}" for n in range(20)}


def test_a_connection_that_begins_anew_after_long_is_inspected_anew() -> None:
    """Else its first data would pass: the kernel no longer queues it."""
    talk = camera()
    syn = FlowOpened(CAMERA, CAMERA_ADDRESS, OTHER, TCP, 5555, 443, 77, Scope.OUTSIDE)
    assert isinstance(talk.tell(syn)[0], Inspect)
    talk.running += 1.0
    effects = talk.tell(syn)  # a retransmission
    assert (verdict(effects), inspected(effects)) == ((True, Reason.AWAITING_HELLO), [])
    talk.running += AWAITED_FOR + 1
    assert isinstance(talk.tell(syn)[0], Inspect)


def test_first_data_that_nobody_asked_for_is_judged_as_if_it_was_held() -> None:
    talk = camera()
    flow = Flow(CAMERA_ADDRESS, 6666, OTHER, 443, TCP)
    effects = talk.hello(flow, "evil.example")
    assert effects[:2] == [Cut(flow), Verdict(False, Reason.UNKNOWN_HELLO)]


def test_first_data_of_who_is_watched_no_more_goes_on() -> None:
    talk = camera()
    flow = begun(talk)
    talk.configure(devices={CAMERA: DeviceSettings(CAMERA, watch=Watching.NEVER)})
    assert talk.hello(flow, "evil.example") == [Verdict(True, Reason.NOT_WATCHED), Release(flow)]
    assert talk.hello(flow, "evil.example", mac="02:00:00:00:00:99")[0] == Verdict(True, Reason.NOT_WATCHED)


@pytest.mark.parametrize("mode", ["monitor", "pause", "learning"])
def test_where_nothing_is_blocked_the_hello_is_a_label(mode: str) -> None:
    talk = camera()
    flow = begun(talk)
    if mode == "monitor":
        talk.configure(mode=Mode.MONITOR)
    elif mode == "pause":
        talk.tell(Paused(60.0))
    else:
        talk.tell(LearningRestarted(CAMERA))
    effects = talk.hello(flow, "evil.example")
    assert verdict(effects) == (True, Reason.UNKNOWN_HELLO)
    assert effects[1:3] == [Release(flow), Label(CAMERA, OTHER, "evil.example")]
    attempt = recorded(talk.connect(OTHER))
    assert (attempt.name, attempt.evidence) == ("evil.example", Evidence.HELLO)


def test_a_name_in_a_hello_alone_makes_nothing_known() -> None:
    talk = Conversation()
    talk.learn("cloud.example", THIRD)
    talk.protect()
    ((flow, held),) = inspected(talk.connect(OTHER))
    assert not held
    assert verdict(talk.hello(flow, "cloud.example")) == (True, Reason.KNOWN_HELLO)
    talk.configure(mode=ENFORCE)
    assert verdict(talk.connect(OTHER)) == (False, Reason.UNKNOWN_ADDRESS)


def test_connections_to_an_address_with_a_name_are_not_inspected() -> None:
    talk = camera()
    talk.resolve("cloud.example", OTHER)
    assert inspected(talk.connect(OTHER)) == []
    talk.resolve("evil.example", CLOUD.replace("10", "11"))
    assert inspected(talk.connect(CLOUD.replace("10", "11"))) == []


def test_another_name_than_any_known_at_a_learned_address_is_a_notice() -> None:
    talk = camera()
    ((flow, held),) = inspected(talk.connect(CLOUD))
    assert not held
    effects = talk.hello(flow, "evil.example")
    assert verdict(effects) == (True, Reason.KNOWN_HELLO)
    assert [each[0] for each in alerts(effects)] == [Kind.FRONTING]
    ((flow, _),) = inspected(talk.connect(CLOUD))
    assert alerts(talk.hello(flow, "cloud.example")) == []
    ((flow, _),) = inspected(talk.connect(CLOUD))
    assert alerts(talk.hello(flow, "")) == []


def test_a_hello_to_a_known_service_for_encrypted_dns_is_told() -> None:
    talk = Conversation()
    talk.protect()
    ((flow, _),) = inspected(talk.connect(OTHER))
    assert [each[0] for each in alerts(talk.hello(flow, "dns.google"))] == [Kind.ENCRYPTED_DNS]


def test_a_lookup_that_nobody_asked_for_names_nothing() -> None:
    talk = camera()
    assert talk.look_up("cloud.example", OTHER) == []
    assert verdict(talk.connect(OTHER)).reason is Reason.AWAITING_HELLO


def test_a_lookup_names_nothing_for_who_did_not_ask() -> None:
    talk = camera()
    talk.protect(PLUG)
    talk.hello(begun(talk), "cloud.example")
    talk.look_up("cloud.example", OTHER)
    assert verdict(talk.connect(OTHER)) == (True, Reason.LEARNED)
    assert recorded(talk.connect(OTHER, mac=PLUG, source="192.168.77.21")).name == ""


def test_a_lookup_of_what_was_forgotten_meanwhile_names_nothing() -> None:
    talk = camera()
    talk.hello(begun(talk), "cloud.example")
    talk.tell(DestinationForgotten(CAMERA, "cloud.example", ""))
    assert talk.look_up("cloud.example", OTHER) == []


def test_a_lookup_of_a_public_name_that_leads_inside_names_nothing() -> None:
    talk = camera()
    talk.hello(begun(talk), "cloud.example")
    assert talk.look_up("cloud.example", "192.168.77.5", "127.0.0.1", "fe80::1") == []
