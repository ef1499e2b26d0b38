# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory that stays what it is, however many attempts are made and by whom."""

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from random import Random

import pytest
from unit.made_guard import TOGETHER, Guard, syn

FILLED = 50_000  # attempts, after which everything that has a bound has met it: three generations of flows
SLACK = 3000  # blocks, of some 300,000: over half a million attempts, peaks of the same state differ by 1000
DEVICES = [f"02:00:00:00:00:{number:02x}" for number in range(50)]


@pytest.fixture(autouse=True)
def uncollected() -> Iterator[None]:
    """What is left in cycles counts as left."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def home() -> Guard:
    """50 protected devices, of which each knows the names below one domain."""
    guard = Guard(*DEVICES, store=lambda effects: None)
    for mac in DEVICES:
        (address,) = guard.places(1)
        guard.tell(mac, f"api.{domain(mac)}", address)
        guard.connect(mac, guard.attempts(mac, [address]))
    guard.protect()
    return guard


def domain(mac: str) -> str:
    return f"maker{int(mac[-2:], 16)}.example"


def peaks(guard: Guard, attempts: Iterable[tuple[str, list[bytes]]], *numbers: int) -> list[int]:
    """The most blocks that are ever in use while so many attempts are made, then so many more, and so on."""
    found: list[int] = []
    batches = iter(attempts)
    for number in numbers:
        most = 0
        for mac, packets in islice(batches, number // TOGETHER):
            guard.connect(mac, packets)
            del packets
            most = max(most, sys.getallocatedblocks())
        found.append(most)
    return found


def usual(guard: Guard, dice: Random) -> Iterator[tuple[str, list[bytes]]]:
    """What devices do: mostly what they know, by twenty names; now and then another name, or none at all."""
    places: dict[str, list[str]] = {}
    for mac in DEVICES:
        places[mac] = guard.places(27)
        for number, address in enumerate(places[mac][:20]):
            guard.tell(mac, f"h{number}.{domain(mac)}", address)
        for number, address in enumerate(places[mac][20:25]):
            guard.tell(mac, f"h{number}.elsewhere.example", address)
    while True:
        mac = dice.choice(DEVICES)
        yield mac, guard.attempts(mac, dice.choices(places[mac], k=TOGETHER), dice.choice([443, 443, 8883]))


def made_up(guard: Guard, dice: Random) -> Iterator[tuple[str, list[bytes]]]:
    """What one device can do that makes up every part of a packet that it can."""
    mac = DEVICES[0]
    while True:
        yield (
            mac,
            [
                syn(
                    f"192.168.0.{dice.randrange(10, 250)}",
                    address,
                    dice.randrange(1, 65536),
                    dice.getrandbits(32),
                )
                for address in guard.places(TOGETHER)
            ],
        )


def test_memory_stays_flat_over_a_million_attempts_of_fifty_devices(rounds: Callable[[int], int]) -> None:
    """A hundred thousand, and a million with ROUNDS=10."""
    guard = home()
    number = max(rounds(100_000), 2 * FILLED)
    before, after = peaks(guard, usual(guard, Random(1)), FILLED, number - FILLED)
    assert after <= before + SLACK


def test_memory_stays_flat_whatever_a_device_makes_up(rounds: Callable[[int], int]) -> None:
    guard = home()
    before, after = peaks(guard, made_up(guard, Random(1)), FILLED, rounds(20_000))
    assert after <= before + SLACK
