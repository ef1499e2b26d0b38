# SPDX-License-Identifier: GPL-2.0-or-later
"""What the judge says of connections: learning, monitor, enforce, rules, suspension."""

from ipaddress import ip_network
from typing import Any

import pytest
from playbook.conversation import (
    CAMERA,
    ENFORCE,
    PLUG,
    WALL_START,
    Conversation,
    alerts,
    recorded,
    verdict,
    watched,
)

from smartrouter.core.destinations import Destination, Match
from smartrouter.core.effects import (
    Enforce,
    Evidence,
    Forget,
    Keep,
    Kind,
    Learn,
    Raise,
    Relax,
    Unsettle,
    Unwatch,
    Watch,
)
from smartrouter.core.events import (
    UDP,
    DestinationForgotten,
    DeviceSeen,
    FlowOpened,
    LearningRestarted,
    OutageEnded,
    PacketUnreadable,
    Paused,
    Scope,
)
from smartrouter.core.learning import Progress, Seen, State
from smartrouter.core.policy import Action, DeviceSettings, Mode, NewDevices, Reason, Rule, Watching

CLOUD = "203.0.113.10"
OTHER = "203.0.113.99"


def protected_camera(**settings: Any) -> Conversation:
    """A camera that learned api.cloud.example (web), and protects itself now."""
    talk = Conversation(**settings)
    talk.resolve("api.cloud.example", CLOUD)
    talk.connect(CLOUD)
    talk.protect()
    return talk


def test_first_use_of_a_destination_is_learned_and_recorded() -> None:
    talk = Conversation()
    talk.resolve("api.cloud.example", CLOUD)
    effects = talk.connect(CLOUD)
    assert verdict(effects) == (True, Reason.LEARNING)
    assert [e for e in effects if isinstance(e, Learn)] == [
        Learn(CAMERA, Destination("cloud.example", "web"), Seen(1, 0), talk.now.wall)
    ]
    attempt = recorded(effects)
    assert (attempt.name, attempt.evidence, attempt.service) == ("api.cloud.example", Evidence.DNS, "web")
    assert alerts(effects) == []


def test_second_use_while_learning_is_accepted_as_learned_and_not_learned_again() -> None:
    talk = Conversation()
    talk.resolve("api.cloud.example", CLOUD)
    talk.connect(CLOUD)
    effects = talk.connect(CLOUD)
    assert verdict(effects) == (True, Reason.LEARNED)
    assert not [e for e in effects if isinstance(e, Learn)]


def test_known_destination_passes_silently_once_protected() -> None:
    for mode in Mode:
        talk = protected_camera(mode=mode)
        effects = talk.connect(CLOUD)
        assert verdict(effects) == (True, Reason.LEARNED)
        assert alerts(effects) == []


def test_known_name_group_passes_at_an_address_never_used_before() -> None:
    talk = protected_camera(mode=ENFORCE)
    talk.resolve("eu.api.cloud.example", OTHER)
    assert verdict(talk.connect(OTHER)) == (True, Reason.LEARNED)


def test_unknown_destination_is_only_reported_in_monitor_mode() -> None:
    talk = protected_camera()
    talk.resolve("tracker.example", OTHER)
    effects = talk.connect(OTHER)
    assert verdict(effects) == (True, Reason.UNKNOWN_NAME)
    assert alerts(effects) == [(Kind.NEW_DESTINATION, "tracker.example", "web", False)]


def test_unknown_destination_is_blocked_and_reported_in_enforce_mode() -> None:
    talk = protected_camera(mode=ENFORCE)
    talk.resolve("tracker.example", OTHER)
    effects = talk.connect(OTHER)
    assert verdict(effects) == (False, Reason.UNKNOWN_NAME)
    assert alerts(effects) == [(Kind.NEW_DESTINATION, "tracker.example", "web", True)]
    assert recorded(effects).accepted is False


def test_address_without_a_name_is_its_own_destination() -> None:
    talk = protected_camera(mode=ENFORCE)
    effects = talk.connect(OTHER, 23)
    assert verdict(effects) == (False, Reason.UNKNOWN_ADDRESS)
    assert alerts(effects) == [(Kind.NEW_DESTINATION, OTHER, "tcp/23", True)]


def test_bare_address_learned_allows_that_address_alone() -> None:
    talk = Conversation(mode=ENFORCE)
    talk.connect(CLOUD, 8883)
    talk.protect()
    assert verdict(talk.connect(CLOUD, 8883)) == (True, Reason.LEARNED)
    assert verdict(talk.connect("203.0.113.11", 8883)) == (False, Reason.UNKNOWN_ADDRESS)


@pytest.mark.parametrize(
    ("protocol", "port", "service"),
    [
        (6, 22, "tcp/22"),
        (17, 443, "web"),
        (17, 123, "udp/123"),
        (1, 0, "icmp"),
        (58, 0, "icmp"),
        (47, 0, "gre"),
    ],
)
def test_another_service_of_a_known_name_is_another_destination(
    protocol: int, port: int, service: str
) -> None:
    talk = Conversation(mode=ENFORCE)
    talk.resolve("cloud.example", CLOUD)
    talk.connect(CLOUD, 8883)
    talk.protect()
    effects = talk.connect(CLOUD, port, protocol=protocol)
    assert verdict(effects).accept is False
    assert alerts(effects)[0][2] == service


def test_any_name_told_for_the_address_lets_it_pass() -> None:
    talk = protected_camera(mode=ENFORCE)
    talk.resolve("elsewhere.example", CLOUD)
    assert verdict(talk.connect(CLOUD)) == (True, Reason.LEARNED)


def test_what_one_device_was_told_names_nothing_for_another() -> None:
    talk = protected_camera(mode=ENFORCE)
    talk.tell(FlowOpened(PLUG, "192.168.77.21", CLOUD, 6, 1, 443, 1, Scope.OUTSIDE))
    talk.protect(PLUG)
    talk.resolve("api.cloud.example", OTHER)
    assert verdict(talk.connect(OTHER, mac=PLUG)) == (False, Reason.UNKNOWN_ADDRESS)


def test_retransmitted_syn_is_judged_but_is_no_second_attempt() -> None:
    talk = protected_camera(mode=ENFORCE)
    syn = FlowOpened(CAMERA, "192.168.77.20", OTHER, 6, 5555, 443, 77, Scope.OUTSIDE)
    first, again = talk.tell(syn), talk.tell(syn)
    assert len(alerts(first)) == 1
    assert again == [first[0]]
    assert talk.judge.counts[Reason.UNKNOWN_ADDRESS] == 2


def test_hundred_attempts_raise_one_key() -> None:
    talk = protected_camera()
    keys = {e.alert.key for _ in range(100) for e in talk.connect(OTHER) if isinstance(e, Raise)}
    assert keys == {(CAMERA, "new-destination", OTHER, "web")}


def test_host_match_tells_hosts_of_one_domain_apart() -> None:
    talk = protected_camera(mode=ENFORCE, match=Match.HOST)
    talk.resolve("other.cloud.example", OTHER)
    assert verdict(talk.connect(OTHER)) == (False, Reason.UNKNOWN_NAME)


def test_name_past_its_grace_names_nothing() -> None:
    talk = protected_camera(mode=ENFORCE, name_grace=86400.0)
    talk.wait(300 + 3600 + 86400 - 10)
    assert recorded(talk.connect(CLOUD)).evidence is Evidence.STALE
    talk.wait(20)
    assert verdict(talk.connect(CLOUD)) == (False, Reason.UNKNOWN_ADDRESS)


# -- learning ------------------------------------------------------------------------------------------


def test_learning_ends_after_its_period_of_observed_time() -> None:
    talk = Conversation(learning=60.0)
    talk.wait(500)  # nothing judged yet: learning has not begun
    talk.connect(CLOUD)
    talk.wait(59)
    assert verdict(talk.connect(OTHER)).reason is Reason.LEARNING
    effects = talk.wait(2)
    assert [e.progress.state for e in effects if isinstance(e, Keep)] == [State.PROTECTED]
    assert verdict(talk.connect("203.0.113.50")).reason is Reason.UNKNOWN_ADDRESS


def test_progress_is_handed_out_to_be_kept_about_once_a_minute() -> None:
    talk = Conversation()
    talk.connect(CLOUD)
    kept = [e for _ in range(300) for e in talk.wait(1) if isinstance(e, Keep)]
    assert 4 <= len(kept) <= 6
    assert kept[-1].progress.observed == pytest.approx(299, abs=62)


def test_restart_of_learning_keeps_what_is_known_and_learns_more() -> None:
    talk = protected_camera(mode=ENFORCE)
    talk.tell(LearningRestarted(CAMERA))
    assert verdict(talk.connect(OTHER)).reason is Reason.LEARNING
    talk.protect()
    assert verdict(talk.connect(OTHER)).reason is Reason.LEARNED
    assert verdict(talk.connect(CLOUD)).reason is Reason.LEARNED


@pytest.mark.parametrize(("name", "service"), [("cloud.example", ""), ("cloud.example", "web"), ("*", "")])
def test_forgotten_destination_is_unknown_at_once(name: str, service: str) -> None:
    talk = protected_camera(mode=ENFORCE)
    effects = talk.tell(DestinationForgotten(CAMERA, name, service))
    assert effects == [Forget(CAMERA, Destination("cloud.example", "web"))]
    assert verdict(talk.connect(CLOUD)) == (False, Reason.UNKNOWN_NAME)


def test_restored_device_goes_on_where_it_was() -> None:
    talk = Conversation(mode=ENFORCE)
    talk.judge.restore(
        CAMERA,
        Progress(State.PROTECTED),
        {Destination("cloud.example", "web"): Seen(3, 9)},
        [(CLOUD, "api.cloud.example", 300, WALL_START + talk.running - 60)],
        talk.now,
    )
    assert verdict(talk.connect(CLOUD)) == (True, Reason.LEARNED)
    assert verdict(talk.connect(OTHER)).accept is False


# -- rules ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "destination", "service"),
    [
        (CAMERA, "tracker.example", ""),
        (CAMERA, "eu.tracker.example", "web"),
        (CAMERA, "*.tracker.example", ""),
        ("*", "tracker.example", ""),
        (CAMERA, "*", ""),
        (CAMERA, ip_network("203.0.113.99/32"), ""),
        (CAMERA, ip_network("203.0.113.0/24"), "web"),
    ],
)
def test_rule_that_speaks_of_the_attempt_decides(device: str, destination: str, service: str) -> None:
    for action, reason in ((Action.ALLOW, Reason.ALLOWED_BY_RULE), (Action.DENY, Reason.DENIED_BY_RULE)):
        talk = protected_camera(mode=ENFORCE, rules=(Rule(device, destination, service, action),))
        talk.resolve("eu.tracker.example", OTHER)
        effects = talk.connect(OTHER)
        assert verdict(effects) == (action is Action.ALLOW, reason)
        assert alerts(effects) == []


@pytest.mark.parametrize(
    ("device", "destination", "service"),
    [
        (PLUG, "tracker.example", ""),
        (CAMERA, "tracker.example", "tcp/22"),
        (CAMERA, "*.eu.tracker.example", ""),
        (CAMERA, "racker.example", ""),
        (CAMERA, ip_network("198.51.100.0/24"), ""),
        (CAMERA, ip_network("2001:db8::/32"), ""),
    ],
)
def test_rule_about_something_else_decides_nothing(device: str, destination: str, service: str) -> None:
    talk = protected_camera(mode=ENFORCE, rules=(Rule(device, destination, service, Action.ALLOW),))
    talk.resolve("eu.tracker.example", OTHER)
    assert verdict(talk.connect(OTHER)) == (False, Reason.UNKNOWN_NAME)


def test_dot_inside_a_label_does_not_put_a_name_below_another() -> None:
    talk = protected_camera(mode=ENFORCE, rules=(Rule("*", "*.example.com", "", Action.ALLOW),))
    talk.resolve(r"evil\.example.com", OTHER)
    assert verdict(talk.connect(OTHER)) == (False, Reason.UNKNOWN_NAME)
    talk.resolve("good.example.com", OTHER)
    assert verdict(talk.connect(OTHER)) == (True, Reason.ALLOWED_BY_RULE)


def test_deny_blocks_in_monitor_mode_and_while_learning() -> None:
    rule = Rule("*", "cloud.example", "", Action.DENY)
    talk = Conversation(rules=(rule,))
    talk.resolve("api.cloud.example", CLOUD)
    effects = talk.connect(CLOUD)
    assert verdict(effects) == (False, Reason.DENIED_BY_RULE)
    assert not [e for e in effects if isinstance(e, Learn)]


def test_deny_goes_by_the_newest_name() -> None:
    talk = protected_camera(rules=(Rule("*", "bad.example", "", Action.DENY),))
    talk.resolve("bad.example", CLOUD)
    assert verdict(talk.connect(CLOUD)).reason is Reason.DENIED_BY_RULE
    talk.resolve("api.cloud.example", CLOUD)
    assert verdict(talk.connect(CLOUD)).reason is Reason.LEARNED


def test_rule_ends_at_its_time() -> None:
    until = WALL_START + 1000.0 + 600
    talk = protected_camera(mode=ENFORCE, rules=(Rule(CAMERA, "*", "", Action.ALLOW, until=until),))
    assert verdict(talk.connect(OTHER)).reason is Reason.ALLOWED_BY_RULE
    talk.wait(601)
    assert verdict(talk.connect(OTHER)).accept is False


# -- modes, pause, outage ------------------------------------------------------------------------------


def test_mode_of_a_device_stands_above_the_main_mode() -> None:
    devices = watched(CAMERA, mode=Mode.ENFORCE) | watched(PLUG)
    talk = protected_camera(devices=devices)
    assert verdict(talk.connect(OTHER)).accept is False
    talk.protect(PLUG)
    assert verdict(talk.connect(OTHER, mac=PLUG)).accept is True


def test_change_of_mode_moves_devices_in_the_kernel_set() -> None:
    talk = protected_camera()
    assert set(talk.configure(mode=ENFORCE)) == {Enforce(CAMERA), Enforce(PLUG)}
    assert verdict(talk.connect(OTHER)).accept is False
    effects = talk.configure(mode=Mode.MONITOR)
    assert {effect for effect in effects if not isinstance(effect, Unsettle)} == {Relax(CAMERA), Relax(PLUG)}
    assert verdict(talk.connect(OTHER)).accept is True


def test_pause_suspends_enforcement_and_ends_by_itself() -> None:
    talk = protected_camera(mode=ENFORCE)
    talk.tell(Paused(60.0))
    effects = talk.connect(OTHER)
    assert verdict(effects) == (True, Reason.PAUSED)
    assert alerts(effects) == [(Kind.NEW_DESTINATION, OTHER, "web", False)]
    assert Enforce(CAMERA) in talk.wait(61)
    assert verdict(talk.connect(OTHER)).accept is False


def test_pause_of_no_seconds_ends_a_pause() -> None:
    talk = protected_camera(mode=ENFORCE)
    talk.tell(Paused(600.0))
    talk.tell(Paused(0.0))
    assert verdict(talk.connect(OTHER)).accept is False


def test_pause_leaves_deny_rules_in_force() -> None:
    talk = protected_camera(rules=(Rule("*", "*", "", Action.DENY),))
    talk.tell(Paused(60.0))
    assert verdict(talk.connect(OTHER)).accept is False


def test_after_an_outage_only_unnamed_attempts_pass_for_a_while() -> None:
    talk = protected_camera(mode=ENFORCE)
    talk.tell(OutageEnded())
    assert verdict(talk.connect(OTHER)) == (True, Reason.AFTER_OUTAGE)
    talk.resolve("tracker.example", OTHER)
    assert verdict(talk.connect(OTHER)) == (False, Reason.UNKNOWN_NAME)
    talk.wait(901)
    assert verdict(talk.connect("203.0.113.98")) == (False, Reason.UNKNOWN_ADDRESS)


def test_after_an_outage_nothing_passes_that_would_not_while_the_guard_is_away() -> None:
    talk = protected_camera(mode=ENFORCE, fail_open=False)
    talk.tell(OutageEnded())
    assert verdict(talk.connect(OTHER)) == (False, Reason.UNKNOWN_ADDRESS)


# -- where flows go ------------------------------------------------------------------------------------


def test_flow_inside_the_lan_is_recorded_and_never_blocked() -> None:
    talk = protected_camera(mode=ENFORCE)
    effects = talk.connect("192.168.77.30", 445, scope=Scope.LAN)
    assert verdict(effects) == (True, Reason.LAN)
    assert recorded(effects).scope == "lan"
    assert alerts(effects) == []


def test_service_of_the_router_is_recorded_noticed_and_never_blocked() -> None:
    talk = protected_camera(mode=ENFORCE, rules=(Rule("*", "*", "", Action.DENY),))
    effects = talk.connect("192.168.77.1", 22, scope=Scope.ROUTER)
    assert verdict(effects) == (True, Reason.TO_ROUTER)
    assert alerts(effects) == [(Kind.ROUTER_SERVICE, "192.168.77.1", "tcp/22", False)]


def test_unreadable_packet_passes_only_where_unknown_destinations_pass() -> None:
    talk = protected_camera()
    unreadable = PacketUnreadable(CAMERA, Scope.OUTSIDE)
    assert verdict(talk.tell(unreadable)) == (True, Reason.BAD_PACKET)
    talk.configure(mode=ENFORCE)
    assert verdict(talk.tell(unreadable)) == (False, Reason.BAD_PACKET)
    assert verdict(talk.tell(PacketUnreadable(CAMERA, Scope.ROUTER))).accept is True


# -- which devices -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("watch", "iot", "on_iot_network", "new_devices", "expected"),
    [
        (Watching.AUTO, True, False, NewDevices.DEFAULT, True),
        (Watching.AUTO, False, False, NewDevices.DEFAULT, False),
        (Watching.AUTO, None, False, NewDevices.DEFAULT, False),
        (Watching.AUTO, None, True, NewDevices.DEFAULT, True),
        (Watching.AUTO, False, True, NewDevices.DEFAULT, True),
        (Watching.AUTO, None, False, NewDevices.LEARN, True),
        (Watching.AUTO, None, False, NewDevices.ISOLATE, True),
        (Watching.AUTO, None, False, NewDevices.IGNORE, False),
        (Watching.AUTO, False, False, NewDevices.LEARN, False),
        (Watching.ALWAYS, False, False, NewDevices.DEFAULT, True),
        (Watching.NEVER, True, True, NewDevices.LEARN, False),
    ],
)
def test_who_is_watched(
    watch: Watching, iot: bool | None, on_iot_network: bool, new_devices: NewDevices, expected: bool
) -> None:
    talk = Conversation(devices={}, new_devices=new_devices)
    mac = "02:00:00:00:00:05"
    talk.configure(devices={mac: DeviceSettings(mac, watch=watch)})
    before = talk.judge.roster.devices[mac].watched
    effects = talk.tell(DeviceSeen(mac, iot, on_iot_network, "thing", "Maker"))
    assert talk.judge.roster.devices[mac].watched is expected
    if before is not expected:
        assert (Watch(mac) if expected else Unwatch(mac)) in effects


def test_device_that_is_not_watched_leaves_no_record() -> None:
    talk = Conversation(devices={PLUG: DeviceSettings(PLUG, watch=Watching.NEVER)})
    effects = talk.connect(OTHER, mac=PLUG)
    assert len(effects) == 1
    assert verdict(effects) == (True, Reason.NOT_WATCHED)


def test_unknown_mac_on_an_iot_network_learns() -> None:
    talk = Conversation(devices={})
    assert verdict(talk.connect(OTHER, mac="02:00:00:00:00:09")).reason is Reason.LEARNING


@pytest.mark.parametrize(("iot", "on_iot_network"), [(None, False), (None, True), (False, True)])
def test_isolated_device_reaches_nothing_until_the_user_decides(
    iot: bool | None, on_iot_network: bool
) -> None:
    mac = "02:00:00:00:00:09"
    talk = Conversation(devices={}, new_devices=NewDevices.ISOLATE)
    talk.tell(DeviceSeen(mac, iot, on_iot_network, "", ""))
    assert verdict(talk.connect(OTHER, mac=mac)) == (False, Reason.ISOLATED)
    talk.configure(devices=watched(mac))
    assert verdict(talk.connect(OTHER, mac=mac)).reason is Reason.LEARNING


def test_change_of_match_regroups_what_was_learned() -> None:
    talk = protected_camera(mode=ENFORCE, match=Match.HOST)
    talk.configure(match=Match.DOMAIN)
    talk.resolve("other.cloud.example", OTHER)
    assert verdict(talk.connect(OTHER)) == (True, Reason.LEARNED)


def test_flood_of_random_macs_keeps_configured_and_protected_devices() -> None:
    talk = protected_camera(mode=ENFORCE)
    for number in range(3000):
        talk.connect(OTHER, mac=f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}", protocol=UDP)
    assert len(talk.judge.roster.devices) <= 2048
    assert verdict(talk.connect(CLOUD)).reason is Reason.LEARNED
