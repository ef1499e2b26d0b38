# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets that come together are judged as if each had come alone, however few of them are looked at."""

import random
from typing import Any

import pytest
from unit.made_guard import MARKS, Guard, syn, udp

from smartrouter.core.effects import RecordMore
from smartrouter.core.eras import LONGEST
from smartrouter.core.policy import Mode, Reason
from smartrouter.linux.queue import FORWARD, LOCAL_IN, Waiting

CAMERA, LAMP = "02:00:00:00:00:01", "02:00:00:00:00:02"
KNOWN, UNKNOWN, NAMELESS = "203.0.113.10", "203.0.113.99", "198.51.100.7"
ADDRESSES = KNOWN, UNKNOWN, NAMELESS
NAME = "api.cloud.example"


class Clock:
    """What the guard takes for the running time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        monkeypatch.setattr("smartrouter.guard.bench._running", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def stored() -> list[Any]:
    return []


@pytest.fixture
def guard(clock: Clock, stored: list[Any]) -> Guard:
    """In enforce mode; of a protected camera that knows one name, and was told another one."""
    guard = Guard(CAMERA, LAMP, store=stored.extend, mode=Mode.ENFORCE)
    guard.tell(CAMERA, NAME, KNOWN)
    guard.connect(CAMERA, guard.attempts(CAMERA, [KNOWN]))
    guard.protect()
    guard.tell(CAMERA, "c2.evil.example", UNKNOWN)
    return guard


def waiting(packet: bytes, mac: str | None = CAMERA, hook: int = FORWARD, mark: int = 0) -> Waiting:
    return b"\0\0\0\1", (mac, hook, mark, {}), packet


def again(guard: Guard, address: str) -> bool | None:
    """What is recalled of another attempt there."""
    (packet,) = guard.attempts(CAMERA, [address])
    (ruling,) = guard.flows.recall([waiting(packet)])
    return ruling


@pytest.mark.parametrize(("address", "passes"), [(KNOWN, True), (UNKNOWN, False)])
def test_what_was_judged_before_is_recalled(guard: Guard, address: str, passes: bool) -> None:
    assert again(guard, address) is None
    assert guard.connect(CAMERA, guard.attempts(CAMERA, [address])) == [passes]
    assert again(guard, address) is passes


def test_what_is_recalled_is_counted_and_stored(guard: Guard, stored: list[Any]) -> None:
    guard.connect(CAMERA, guard.attempts(CAMERA, [KNOWN]))
    guard.judge.counts.clear()
    stored.clear()
    assert guard.connect(CAMERA, guard.attempts(CAMERA, [KNOWN] * 5)) == [True] * 5
    assert guard.judge.counts == {Reason.LEARNED: 5}
    (more,) = stored
    assert isinstance(more, RecordMore)
    assert len(more.attempts) == 5


def change_name(guard: Guard) -> None:
    guard.tell(CAMERA, "other.evil.example", KNOWN)


def end_era(guard: Guard) -> None:
    guard.judge.roster.eras.end()


def doubt(guard: Guard) -> None:
    guard.judge.roster.doubt(guard.judge.roster.devices[CAMERA])


@pytest.mark.parametrize(("change", "recalled"), [(change_name, None), (doubt, None), (end_era, True)])
def test_it_is_recalled_until_something_changes(guard: Guard, change: Any, recalled: bool | None) -> None:
    guard.connect(CAMERA, guard.attempts(CAMERA, [KNOWN] * 3))  # so it is found to hold in this era
    assert again(guard, KNOWN) is True
    change(guard)
    assert again(guard, KNOWN) is recalled


def test_an_era_ends_by_itself_and_nothing_is_recalled_beyond_its_time(guard: Guard, clock: Clock) -> None:
    eras = guard.judge.roster.eras
    guard.connect(CAMERA, guard.attempts(CAMERA, [KNOWN] * 3))
    (repeat,) = guard.flows._repeats.values()
    era = eras.at(clock.now)
    assert repeat.era is era
    clock.now += LONGEST
    assert eras.at(clock.now) is era
    clock.now += 0.1
    assert eras.at(clock.now) is not era
    assert again(guard, KNOWN) is True
    clock.now = repeat.until - 0.5  # an era that begins now would last longer
    guard.connect(CAMERA, guard.attempts(CAMERA, [KNOWN] * 3))
    assert repeat.era is not eras.at(clock.now)
    clock.now = repeat.until + 0.1
    assert again(guard, KNOWN) is None


def test_an_address_that_changes_hands_is_noticed_at_once(guard: Guard) -> None:
    guard.connect(CAMERA, guard.attempts(CAMERA, [KNOWN] * 3))
    stranger = syn(guard.source(CAMERA), KNOWN, 443, 70000)  # the lamp sends from the camera's address
    guard.connect(LAMP, [stranger])
    assert guard.judge._detection.user_of(guard.source(CAMERA)) == LAMP
    guard.connect(CAMERA, guard.attempts(CAMERA, [KNOWN]))
    assert guard.judge._detection.user_of(guard.source(CAMERA)) == CAMERA


def odd(packet: bytes, random: random.Random) -> bytes:
    """A packet, or what somebody makes of it."""
    made = bytearray(packet)
    match random.randrange(4):
        case 0:
            made[random.randrange(len(made))] = random.randrange(256)
        case 1:
            del made[random.randrange(len(made)) :]
        case 2:
            made += bytes(random.randrange(1, 9))
        case 3:
            pass
    return bytes(made)


@pytest.mark.parametrize("seed", range(20))
def test_together_they_get_what_each_would_alone(clock: Clock, seed: int) -> None:
    """Two guards are told the same; one of them packet by packet."""
    chance = random.Random(seed)
    guards = [Guard(CAMERA, LAMP, store=lambda _: None, mode=Mode.ENFORCE) for _ in range(2)]
    for guard in guards:
        guard.tell(CAMERA, NAME, KNOWN)
        guard.connect(CAMERA, [syn(guard.source(CAMERA), KNOWN, 443, 1)])
        guard.protect()
    alone, together = (guard.flows for guard in guards)
    for number in range(30):
        batch = []
        for place in range(chance.randrange(1, 64)):
            mac = chance.choice((CAMERA, LAMP))
            source, address = guards[0].source(mac), chance.choice(ADDRESSES)
            made = syn(source, address, chance.choice((443, 80)), 100 * number + place)
            if chance.random() < 0.1:
                made = udp(source, address, 4000 + place, 443)
            if chance.random() < 0.2:
                made = odd(made, chance)
            hook = FORWARD if chance.random() < 0.95 else LOCAL_IN
            mark = 0 if chance.random() < 0.95 else MARKS.passing | MARKS.blocking
            batch.append(waiting(made, mac, hook, mark))
        expected = []
        for _, (mac_or_none, hook, mark, _), packet in batch:
            expected.append(alone.judge(packet, mac_or_none, hook, mark))
            alone.settle()
        found = [
            together.judge(packet, mac_or_none, hook, mark) if ruling is None else ruling
            for (_, (mac_or_none, hook, mark, _), packet), ruling in zip(
                batch, together.recall(batch), strict=True
            )
        ]
        together.settle()
        assert found == expected
        clock.now += chance.choice((0.01, 0.5, 2.0, 40.0))
    for guard in guards:
        guard.flows.flush()
    assert guards[0].judge.counts == guards[1].judge.counts
