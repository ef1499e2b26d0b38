# SPDX-License-Identifier: GPL-2.0-or-later
"""Conversations with devices that try many addresses or ports: scans, and what only looks like one."""

from random import Random
from typing import Any

import pytest
from playbook.conversation import (
    CAMERA,
    CAMERA_ADDRESS,
    ENFORCE,
    PLUG,
    Conversation,
    Log,
    alerts,
    raised,
    verdict,
)

from smartrouter.core.detection.scans import HOLD
from smartrouter.core.effects import Effect, Kind, Severity, Withdraw
from smartrouter.core.events import UDP, Scope
from smartrouter.core.policy import Mode, Reason

CLOUD = "203.0.113.10"


def scanned(number: int) -> str:
    return f"198.51.{100 + number // 200}.{1 + number % 200}"


def scan(
    talk: Conversation, gap: float, targets: int = 254, port: int = 23, *, benign: bool = False
) -> tuple[Log, list[list[Effect]]]:
    """The camera tries so many addresses, one each `gap` seconds, with a tick each second; and, if `benign`,
    its own cloud in between."""
    log, all_effects = Log(), []
    ticked = talk.running
    for number in range(targets):
        while ticked + 1.0 <= talk.running:
            ticked += 1.0
            log.take(talk.wait(0.0))
        effects = talk.connect(scanned(number), port)
        all_effects.append(effects)
        log.take(effects)
        if benign and number % 10 == 0:
            told = talk.connect(CLOUD)
            assert verdict(told) == (True, Reason.LEARNED)
            log.take(told)
        talk.running += gap
    for _ in range(70):
        log.take(talk.wait(1.0))
    return log, all_effects


def protected(**settings: Any) -> Conversation:
    talk = Conversation(**settings)
    talk.learn("cloud.example", CLOUD)
    talk.protect()
    return talk


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("gap", [0.02, 1.0, 10.0, 60.0])
def test_every_attempt_of_a_scan_is_in_one_alert_and_in_no_other(mode: Mode, gap: float) -> None:
    talk = protected(mode=mode)
    log, effects = scan(talk, gap, benign=True)
    assert {verdict(each).accept for each in effects} == {mode is Mode.MONITOR}
    ((*occurrences,),) = log.entries.values()
    assert [each.kind for each in occurrences] == [Kind.SCAN] * 254
    assert sorted(each.address for each in occurrences) == sorted(scanned(number) for number in range(254))
    assert {each.severity for each in occurrences} == {Severity.CRITICAL}
    assert {each.blocked for each in occurrences} == {mode is ENFORCE}
    assert "254 attempts, 254 addresses, tcp/23" in occurrences[-1].detail
    assert occurrences[-1].detail.startswith("horizontal")


def test_a_scan_is_told_of_with_its_first_attempt() -> None:
    _, effects = scan(protected(), 0.02)
    assert alerts(effects[0]) == [(Kind.NEW_DESTINATION, scanned(0), "tcp/23", False)]


@pytest.mark.parametrize("gap", [0.02, 1.0, 10.0])
def test_a_scan_while_learning_is_told_of_and_not_learned(gap: float) -> None:
    talk = Conversation(learning=86400.0)
    talk.learn("cloud.example", CLOUD)
    log, effects = scan(talk, gap)
    assert all(verdict(each).accept for each in effects)
    assert not any(isinstance(effect, Withdraw) for each in effects for effect in each)
    ((*occurrences,),) = log.entries.values()
    assert [each.kind for each in occurrences] == [Kind.SCAN] * 254
    assert [name for name, _ in talk.judge.roster.devices[CAMERA].learning.learned] == ["cloud.example"]
    talk.protect()
    assert verdict(talk.connect(scanned(1), 23)).reason is Reason.UNKNOWN_ADDRESS


@pytest.mark.parametrize("named", [False, True])
def test_ports_of_one_host_are_one_scan(named: bool) -> None:
    talk = protected()
    if named:
        talk.resolve("other.example", "203.0.113.99")
    log = Log()
    for port in range(1, 255):
        log.take(talk.connect("203.0.113.99", port))
        log.take(talk.wait(0.1))
    log.take(talk.wait(61.0))
    scans = log.of(Kind.SCAN)
    assert len(scans) == 1
    assert scans[0][-1].detail.startswith("vertical")
    assert len(log.entries) <= 5
    assert sum(map(len, log.entries.values())) == 254


def test_ports_of_a_known_host_are_one_scan() -> None:
    talk = protected()
    log = Log()
    for port in range(1, 101):
        if port != 80:
            log.take(talk.connect(CLOUD, port))
    ((*occurrences,),) = log.entries.values()
    assert [each.kind for each in occurrences] == [Kind.SCAN] * 99


@pytest.mark.parametrize("port", [853, 53])
def test_a_scan_for_resolvers_is_one_scan_too(port: int) -> None:
    talk = protected()
    log = Log()
    for number in range(100):
        if port == 53:
            log.take(talk.ask("x.example", resolver=scanned(number), port=1024 + number))
        else:
            log.take(talk.connect(scanned(number), port))
    log.take(talk.wait(61.0))
    assert len(log.entries) <= 5
    assert sum(map(len, log.entries.values())) == 100


def test_a_few_addresses_are_no_scan_however_often_they_are_tried() -> None:
    talk = protected()
    log = Log()
    for _ in range(2 * 24 * 12):
        for number in range(8):
            log.take(talk.connect(scanned(number), 3478, protocol=UDP))
        log.take(talk.wait(300.0))
    assert log.of(Kind.SCAN) == []
    assert sum(map(len, log.entries.values())) == 2 * 24 * 12 * 8


def test_a_camera_that_asks_eight_servers_for_its_own_address_learns_them() -> None:
    talk = Conversation(learning=86400.0)
    for number in range(8):
        assert alerts(talk.connect(scanned(number), 3478, protocol=UDP)) == []
    assert len(talk.judge.roster.devices[CAMERA].learning.learned) == 8


def test_what_was_learned_before_the_scan_stays_learned_and_is_no_part_of_it() -> None:
    talk = Conversation(learning=86400.0)
    for number in range(3):
        talk.connect(scanned(number), 23)
    talk.wait(7200.0)
    log, _ = scan(talk, 0.1)
    ((*occurrences,),) = log.entries.values()
    assert occurrences[0].address == scanned(3)
    assert len(occurrences) == 251
    assert [name for name, _ in talk.judge.roster.devices[CAMERA].learning.learned] == [
        scanned(number) for number in range(3)
    ]


def test_attempts_that_were_held_come_out_soon_if_there_was_no_scan() -> None:
    talk = protected()
    at_once = [effect for number in range(3) for effect in talk.connect(scanned(number), 23)]
    later = [effect for number in range(3, 9) for effect in talk.connect(scanned(number), 23)]
    assert (len(raised(at_once)), raised(later)) == (3, [])
    assert raised(talk.wait(HOLD - 1)) == []
    assert [each.address for each in raised(talk.wait(1.5))] == [scanned(number) for number in range(3, 9)]
    assert raised(talk.wait(100.0)) == []


def test_an_alert_that_was_held_keeps_the_time_of_its_attempt() -> None:
    talk = protected()
    for number in range(3):
        talk.connect(scanned(number), 23)
    at = talk.now.wall
    talk.connect(scanned(3), 23)
    (alert,) = raised(talk.wait(61.0))
    assert alert.at == at


def test_an_older_alert_about_a_target_of_a_scan_is_not_lost() -> None:
    """Days of attempts at one address are their own alert; a scan takes only what belongs to it."""
    talk = protected()
    log = Log()
    for _ in range(50):
        log.take(talk.connect(scanned(0), 23))
        log.take(talk.wait(600.0))
    more, _ = scan(talk, 0.1)
    for key, occurrences in more.entries.items():
        log.entries.setdefault(key, []).extend(occurrences)
    assert sum(map(len, log.entries.values())) == 50 + 254


def test_repeats_do_not_hide_a_scan_among_them() -> None:
    talk = protected()
    log = Log()
    for number in range(100):
        for _ in range(30):
            log.take(talk.connect("203.0.113.99", 23))
        log.take(talk.connect(scanned(number), 23))
        log.take(talk.wait(1.0))
    log.take(talk.wait(61.0))
    assert len(log.of(Kind.SCAN)) == 1
    assert len(log.entries) <= 5
    assert sum(map(len, log.entries.values())) == 3100


def test_a_scan_of_the_local_network_is_one_alert_and_never_blocked() -> None:
    talk = protected(mode=ENFORCE)
    log = Log()
    for number in range(1, 255):
        effects = talk.connect(f"192.168.77.{number}", 23, scope=Scope.LAN)
        assert verdict(effects) == (True, Reason.LAN)
        log.take(effects)
    ((*occurrences,),) = log.entries.values()
    assert [each.kind for each in occurrences] == [Kind.SCAN] * 254


def test_ports_of_the_router_are_one_scan() -> None:
    talk = protected()
    log = Log()
    for port in range(1000, 1254):
        log.take(talk.connect("192.168.77.1", port, scope=Scope.ROUTER))
    log.take(talk.wait(61.0))
    ((*occurrences,),) = log.entries.values()
    assert [each.kind for each in occurrences] == [Kind.SCAN] * 254


def test_two_devices_are_counted_apart() -> None:
    talk = protected()
    talk.protect(PLUG)
    log = Log()
    for number in range(5):
        log.take(talk.connect(scanned(number), 23))
        log.take(talk.connect(scanned(100 + number), 23, mac=PLUG, source="192.168.77.21"))
    log.take(talk.wait(61.0))
    assert log.of(Kind.SCAN) == []
    assert len(log.of(Kind.NEW_DESTINATION)) == 10


def test_a_scan_ends_and_the_next_one_is_counted_into_the_same_alert() -> None:
    talk = protected()
    log, _ = scan(talk, 0.1, 20)
    log.take(talk.wait(700.0))
    log.take(talk.connect("203.0.113.99", 23))
    assert [each[0].kind for each in log.entries.values()] == [Kind.SCAN, Kind.NEW_DESTINATION]
    again, _ = scan(talk, 0.1, 20)
    assert [len(each) for each in again.of(Kind.SCAN)] == [21]


def test_names_are_no_scan() -> None:
    talk = protected()
    log = Log()
    for number in range(30):
        talk.resolve(f"host{number}.example", scanned(number), client=CAMERA_ADDRESS)
        log.take(talk.connect(scanned(number)))
    assert len(log.of(Kind.NEW_DESTINATION)) == 30


@pytest.mark.parametrize("seed", range(20))
def test_whatever_a_device_tries_each_attempt_is_counted_once(seed: int) -> None:
    """Bursts, pauses, repeats, ports and names in any mixture: nothing is lost, nothing counted twice."""
    chance = Random(seed)
    talk = protected(mode=chance.choice(list(Mode)))
    talk.resolve("other.example", "203.0.113.99")
    log, attempts = Log(), 0
    for _ in range(80):
        width, pause = chance.choice((1, 3, 9, 30)), chance.choice((0.0, 0.5, 7.0, 70.0))
        for _ in range(chance.randrange(1, 15)):
            address = chance.choice((scanned(chance.randrange(width)), "203.0.113.99"))
            log.take(talk.connect(address, chance.choice((23, 443, 853, 1000 + chance.randrange(width)))))
            attempts += 1
            talk.running += pause
            log.take(talk.wait(0.0))
        talk.running += chance.choice((0.0, 100.0, 700.0, 5000.0))
        log.take(talk.wait(0.0))
    log.take(talk.wait(61.0))
    of_device = sum(map(len, log.of(Kind.HIDDEN_RESOLVER)))  # it is about no one attempt
    assert sum(map(len, log.entries.values())) - of_device == attempts
