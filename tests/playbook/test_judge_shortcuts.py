# SPDX-License-Identifier: GPL-2.0-or-later
"""Which pairs the kernel settles by itself, and when it must ask again."""

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
    recorded,
    verdict,
)

from smartrouter.core.effects import (
    Block,
    Deny,
    Disconnect,
    Effect,
    Flow,
    Know,
    Pair,
    Record,
    Unsettle,
    Verdict,
)
from smartrouter.core.events import (
    TCP,
    UDP,
    ConnectionsOpen,
    DestinationForgotten,
    FlowOpened,
    LearningRestarted,
    Paused,
    Scope,
    SettledBefore,
    Shortcut,
    Tick,
)
from smartrouter.core.policy import Action, DeviceSettings, LearningPlan, Mode, Reason, Rule, Watching
from smartrouter.core.shortcuts import BLOCKED_FOR, DENIED_FOR, KNOWN_FOR, MAX_OF_ONE

CLOUD, OTHER = "203.0.113.10", "203.0.113.99"
KNOWN_PAIR, OTHER_PAIR = Pair(CAMERA, CLOUD, TCP, 443), Pair(CAMERA, OTHER, TCP, 443)
FLOW = Flow(CAMERA_ADDRESS, 5000, CLOUD, 443, TCP)


def settling(effects: list[Effect]) -> list[Effect]:
    """What the kernel's sets must learn of pairs."""
    return [effect for effect in effects if isinstance(effect, Know | Block | Deny | Unsettle | Disconnect)]


def logged(shortcut: Shortcut, address: str, *, port: int = 443, sequence: int = 1) -> FlowOpened:
    """The kernel settled a connection of the camera by itself."""
    return FlowOpened(
        CAMERA, CAMERA_ADDRESS, address, TCP, 5000, port, sequence, Scope.OUTSIDE, settled=shortcut
    )


def camera(mode: Mode = ENFORCE, **settings: Any) -> Conversation:
    """A camera that has learned api.cloud.example (web), and is protected."""
    talk = Conversation(mode=mode, **settings)
    talk.learn("api.cloud.example", CLOUD)
    talk.protect()
    return talk


def knowing(mode: Mode = ENFORCE, **settings: Any) -> Conversation:
    """The same, and the kernel knows the pair."""
    talk = camera(mode, **settings)
    assert settling(talk.connect(CLOUD)) == [Know(KNOWN_PAIR, KNOWN_FOR)]
    return talk


@pytest.mark.parametrize("mode", list(Mode))
def test_what_is_learned_becomes_known_to_the_kernel_whatever_the_mode(mode: Mode) -> None:
    talk = camera(mode)
    assert settling(talk.connect(CLOUD)) == [Know(KNOWN_PAIR, KNOWN_FOR)]
    assert settling(talk.connect(CLOUD)) == []


def test_a_learning_device_has_it_known_with_the_second_attempt() -> None:
    talk = Conversation()
    talk.resolve("api.cloud.example", CLOUD)
    assert settling(talk.connect(CLOUD)) == []
    assert settling(talk.connect(CLOUD)) == [Know(KNOWN_PAIR, KNOWN_FOR)]


def test_an_unknown_pair_never_becomes_known_in_monitor_mode() -> None:
    talk = camera(Mode.MONITOR)
    for _ in range(5):
        effects = talk.connect(OTHER)
        assert verdict(effects).accept
        assert settling(effects) == []


def test_what_is_blocked_is_refused_by_the_kernel_for_a_minute() -> None:
    talk = camera()
    assert settling(talk.connect(OTHER)) == [Block(OTHER_PAIR, BLOCKED_FOR)]
    assert settling(talk.connect(OTHER)) == []
    talk.wait(BLOCKED_FOR + 2)
    assert settling(talk.connect(OTHER)) == [Block(OTHER_PAIR, BLOCKED_FOR)]


@pytest.mark.parametrize(
    "change",
    [
        lambda talk: talk.configure(mode=Mode.MONITOR),
        lambda talk: talk.tell(Paused(60.0)),
        lambda talk: talk.tell(LearningRestarted(CAMERA)),
        lambda talk: talk.configure(rules=(Rule(CAMERA, ip_network(OTHER), "", Action.ALLOW),)),
        lambda talk: talk.configure(rules=(Rule("*", "*", "web", Action.ALLOW),)),
        lambda talk: talk.configure(devices={CAMERA: DeviceSettings(CAMERA, watch=Watching.NEVER)}),
    ],
)
def test_the_kernel_asks_again_at_once_when_what_was_blocked_may_pass(change: object) -> None:
    talk = camera()
    talk.connect(OTHER)
    assert Unsettle(OTHER_PAIR, Shortcut.BLOCKED) in change(talk)  # type: ignore[operator]
    assert verdict(talk.connect(OTHER)).accept


def test_the_kernel_asks_again_before_the_reply_that_names_what_was_blocked_goes_on() -> None:
    talk = camera()
    talk.connect(OTHER)
    talk.ask("api.cloud.example")
    effects = talk.answer("api.cloud.example", OTHER)
    assert Unsettle(OTHER_PAIR, Shortcut.BLOCKED) in effects
    assert verdict(talk.connect(OTHER)).accept


def test_an_address_that_gets_an_unknown_name_is_known_no_more() -> None:
    talk = knowing()
    talk.ask("evil.example")
    assert Unsettle(KNOWN_PAIR, Shortcut.KNOWN) in talk.answer("evil.example", CLOUD)
    effects = talk.connect(CLOUD)  # by its older name it is let through, with a notice each time
    assert verdict(effects).accept
    assert [kind for kind, *_ in alerts(effects)] == ["new-name"]
    assert settling(effects) == []


def test_an_address_that_gets_another_known_name_stays_known() -> None:
    talk = Conversation(mode=ENFORCE)
    talk.learn("api.cloud.example", CLOUD)
    talk.learn("time.cloud.example", OTHER)
    talk.protect()
    talk.connect(CLOUD)
    talk.ask("time.cloud.example")
    assert settling(talk.answer("time.cloud.example", CLOUD)) == []


def test_another_device_is_told_what_it_likes() -> None:
    talk = knowing()
    talk.ask("evil.example", mac=PLUG, client="192.168.77.21")
    assert settling(talk.answer("evil.example", CLOUD, client="192.168.77.21")) == []


@pytest.mark.parametrize("name", ["*", "cloud.example"])
def test_what_is_forgotten_is_known_no_more(name: str) -> None:
    talk = knowing()
    assert Unsettle(KNOWN_PAIR, Shortcut.KNOWN) in talk.tell(DestinationForgotten(CAMERA, name, ""))
    assert not verdict(talk.connect(CLOUD)).accept


def test_forgetting_something_else_leaves_it_known() -> None:
    talk = knowing()
    assert settling(talk.tell(DestinationForgotten(CAMERA, "other.example", ""))) == []


def test_a_change_of_mode_leaves_known_what_is_known() -> None:
    talk = knowing()
    assert settling(talk.configure(mode=Mode.MONITOR)) == []


def test_a_name_past_its_time_is_known_no_more_within_a_minute() -> None:
    talk = knowing(name_grace=86_400.0, learning=1e9)
    effects = talk.wait(86_400.0 + 3600 + 400)
    assert Unsettle(KNOWN_PAIR, Shortcut.KNOWN) in effects


def test_a_rule_that_allows_makes_it_known_until_the_rule_ends() -> None:
    rule = Rule(CAMERA, ip_network(OTHER), "web", Action.ALLOW, until=WALL_START + 1000.0 + 100.0)
    talk = camera(rules=(rule,))
    assert settling(talk.connect(OTHER)) == [Know(OTHER_PAIR, 100.0)]
    talk.wait(101.0)
    assert not verdict(talk.connect(OTHER)).accept


def test_a_rule_by_an_older_name_makes_nothing_known() -> None:
    talk = camera(rules=(Rule("*", "one.example", "", Action.ALLOW),))
    talk.resolve("one.example", OTHER)
    talk.resolve("two.example", OTHER)
    effects = talk.connect(OTHER)
    assert verdict(effects) == (True, Reason.ALLOWED_BY_RULE)
    assert settling(effects) == []


def test_a_rule_that_denies_what_is_known_cuts_it() -> None:
    talk = knowing()
    effects = talk.configure(rules=(Rule("*", "cloud.example", "", Action.DENY),))
    assert settling(effects) == [Unsettle(KNOWN_PAIR, Shortcut.KNOWN), Deny(KNOWN_PAIR, DENIED_FOR)]
    effects = talk.configure(rules=())
    assert settling(effects) == [Unsettle(KNOWN_PAIR, Shortcut.DENIED)]
    assert verdict(talk.connect(CLOUD)).accept


def test_an_open_connection_that_is_denied_is_cut_and_forgotten() -> None:
    talk = camera(Mode.MONITOR)
    talk.connect(OTHER)
    open_flow = FLOW._replace(address=OTHER)
    open_flows = ConnectionsOpen((FLOW, open_flow, Flow("192.168.77.99", 1, OTHER, 443, TCP)))
    talk.configure(rules=(Rule(CAMERA, ip_network(OTHER), "", Action.DENY),))
    assert settling(talk.tell(open_flows)) == [Deny(OTHER_PAIR, DENIED_FOR), Disconnect(open_flow)]


def test_a_denied_address_that_gets_a_name_which_is_known_is_cut_no_more() -> None:
    talk = camera(rules=(Rule("*", "ads.example", "", Action.DENY),))
    talk.resolve("ads.example", OTHER)
    open_flow = FLOW._replace(address=OTHER)
    assert Deny(OTHER_PAIR, DENIED_FOR) in talk.tell(ConnectionsOpen((open_flow,)))
    talk.ask("api.cloud.example")
    assert Unsettle(OTHER_PAIR, Shortcut.DENIED) in talk.answer("api.cloud.example", OTHER)
    assert verdict(talk.connect(OTHER)).accept


@pytest.mark.parametrize(
    ("address", "how"),
    [
        (CLOUD, {"scope": Scope.LAN}),
        (CLOUD, {"scope": Scope.ROUTER}),
        (OTHER, {"spoofed": True}),
        (OTHER, {"protocol": UDP, "port": 123, "asks_time": True}),
    ],
)
def test_what_is_not_judged_by_its_destination_alone_is_never_settled(
    address: str, how: dict[str, object]
) -> None:
    talk = camera()
    for _ in range(40):
        assert settling(talk.connect(address, **how)) == []  # type: ignore[arg-type]


def test_what_may_be_judged_by_its_hello_is_asked_each_time() -> None:
    talk = camera(judge_by_hello=True)
    for _ in range(20):  # more than may be awaited at once
        assert settling(talk.connect(OTHER)) == []
    assert settling(talk.connect(OTHER, 23)) == [Block(Pair(CAMERA, OTHER, TCP, 23), BLOCKED_FOR)]


# -- what the kernel wrote down ---------------------------------------------------------------------------


def test_what_the_kernel_let_through_is_recorded_without_a_verdict() -> None:
    talk = knowing()
    effects = talk.tell(logged(Shortcut.KNOWN, CLOUD))
    assert not [effect for effect in effects if isinstance(effect, Verdict)]
    attempt = recorded(effects)
    assert (attempt.name, attempt.accepted, attempt.reason) == ("api.cloud.example", True, Reason.LEARNED)
    assert talk.tell(logged(Shortcut.KNOWN, CLOUD)) == []  # the same packet once more
    assert len(talk.tell(logged(Shortcut.KNOWN, CLOUD, sequence=2))) == 1


def test_what_the_kernel_refused_again_is_recorded_and_counts_in_its_alert() -> None:
    talk = camera()
    first = talk.connect(OTHER)
    effects = talk.tell(logged(Shortcut.BLOCKED, OTHER))
    assert alerts(effects) == alerts(first)
    assert (recorded(effects).accepted, recorded(effects).reason) == (False, Reason.UNKNOWN_ADDRESS)


@pytest.mark.parametrize(
    ("shortcut", "address", "accepted", "reason"),
    [
        (Shortcut.KNOWN, OTHER, True, Reason.LEARNED),
        (Shortcut.BLOCKED, CLOUD, False, Reason.UNKNOWN_NAME),
        (Shortcut.DENIED, CLOUD, False, Reason.DENIED_BY_RULE),
    ],
)
def test_a_record_says_what_the_kernel_did_even_if_it_would_be_judged_otherwise_by_now(
    shortcut: Shortcut, address: str, accepted: bool, reason: Reason
) -> None:
    effects = camera().tell(logged(shortcut, address))
    assert [type(effect) for effect in effects] == [Record]
    assert (recorded(effects).accepted, recorded(effects).reason) == (accepted, reason)


def test_attempts_that_the_kernel_let_through_count_for_learning() -> None:
    talk = Conversation(learning=1e9)
    talk.resolve("api.cloud.example", CLOUD)
    talk.connect(CLOUD)
    talk.connect(CLOUD)
    talk.wait(4000)
    before = talk.judge.roster.devices[CAMERA].learning.progress
    talk.tell(logged(Shortcut.KNOWN, CLOUD))
    after = talk.judge.roster.devices[CAMERA].learning.progress
    assert (after.attempts, after.units) == (before.attempts + 1, before.units + 1)


def test_a_pair_in_use_is_renewed_and_one_that_is_not_times_out() -> None:
    talk = knowing(name_grace=1e9)
    talk.wait(KNOWN_FOR * 0.6)
    talk.tell(logged(Shortcut.KNOWN, CLOUD, sequence=5))
    assert settling(talk.tell(Tick())) == [Know(KNOWN_PAIR, KNOWN_FOR, again=True)]
    assert settling(talk.wait(KNOWN_FOR * 0.6)) == []
    assert settling(talk.wait(KNOWN_FOR * 0.6)) == []
    assert settling(talk.connect(CLOUD)) == [Know(KNOWN_PAIR, KNOWN_FOR)]


def test_a_pair_that_the_kernel_has_lost_is_told_again() -> None:
    talk = knowing()
    talk.wait(61)
    assert settling(talk.connect(CLOUD)) == [Know(KNOWN_PAIR, KNOWN_FOR, again=True)]


# -- what an earlier guard left ---------------------------------------------------------------------------


def test_what_an_earlier_guard_left_is_kept_where_it_still_holds() -> None:
    talk = camera()
    effects = talk.tell(
        SettledBefore(
            (
                (KNOWN_PAIR, Shortcut.KNOWN),
                (OTHER_PAIR, Shortcut.KNOWN),
                (OTHER_PAIR._replace(port=80), Shortcut.BLOCKED),
                (OTHER_PAIR._replace(port=81), Shortcut.DENIED),
                (OTHER_PAIR._replace(mac="02:00:00:00:00:99"), Shortcut.KNOWN),
            )
        )
    )
    assert settling(effects) == [
        Unsettle(OTHER_PAIR, Shortcut.KNOWN),
        Unsettle(OTHER_PAIR._replace(port=81), Shortcut.DENIED),
        Unsettle(Pair("02:00:00:00:00:99", OTHER, TCP, 443), Shortcut.KNOWN),
    ]
    talk.ask("evil.example")
    assert Unsettle(KNOWN_PAIR, Shortcut.KNOWN) in talk.answer("evil.example", CLOUD)


# -- bounds -----------------------------------------------------------------------------------------------


def test_one_device_fills_its_own_room_only() -> None:
    talk = camera(learning=1e9, rules=(Rule(PLUG, "*", "", Action.ALLOW),))
    made = [settling(talk.connect(f"198.51.{n >> 8}.{n & 255}", 25)) for n in range(600)]
    assert sum(map(len, made)) == MAX_OF_ONE[Shortcut.BLOCKED]
    assert settling(talk.connect(OTHER, mac=PLUG)) == [Know(OTHER_PAIR._replace(mac=PLUG), KNOWN_FOR)]


def test_a_device_that_is_let_go_leaves_nothing() -> None:
    talk = knowing(devices={CAMERA: DeviceSettings(CAMERA, watch=Watching.ALWAYS)})
    effects = talk.configure(devices={CAMERA: DeviceSettings(CAMERA, watch=Watching.NEVER)})
    assert settling(effects) == [Unsettle(KNOWN_PAIR, Shortcut.KNOWN)]
    assert len(talk.judge.shortcuts) == 0


def test_what_a_scan_had_learned_is_known_no_more() -> None:
    talk = Conversation(learning=LearningPlan(auto=False, period=1e9).period)
    for _ in range(2):
        talk.connect("198.51.100.1", 23)
    effects = [e for n in range(2, 14) for e in talk.connect(f"198.51.100.{n}", 23)]
    assert Unsettle(Pair(CAMERA, "198.51.100.1", TCP, 23), Shortcut.KNOWN) in effects
