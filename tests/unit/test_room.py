# SPDX-License-Identifier: GPL-2.0-or-later
"""What all devices' books hold together is bounded, at the cost of those that hold most."""

from random import Random

import pytest
from unit.made_guard import ROUTER, Guard, udp
from unit.made_messages import CNAME, REPLY, TO_QUESTION, A, message, name, question, record

from smartrouter.core.events import Tick
from smartrouter.core.told import room
from smartrouter.core.told.addresses import AddressBook
from smartrouter.core.told.aliases import Aliases
from smartrouter.core.told.room import make_room
from smartrouter.store import queries

HOSTILE = [f"02:00:00:00:00:{number:02x}" for number in range(20)]
REAL = "02:00:00:00:01:00"


def book(size: int) -> AddressBook:
    made = AddressBook(grace=1.0)
    for number in range(size):
        made.tell(f"address {number}", "name", 60, 0.0)
    return made


def test_within_the_bound_nobody_forgets() -> None:
    books = [book(10), book(5)]
    make_room(books, 15)
    assert list(map(len, books)) == [10, 5]


def test_beyond_it_the_fullest_forget_what_is_oldest() -> None:
    books = [book(3), book(40), book(30)]
    make_room(books, 60)
    assert list(map(len, books)) == [3, 20, 15]
    assert "address 19" not in books[1]
    assert "address 20" in books[1]


def test_aliases_forget_likewise() -> None:
    aliases = Aliases()
    for number in range(10):
        aliases.tell("head", [f"target {number}"], 0.0)
    make_room([aliases], 9)
    assert [target for target, _ in aliases.pairs()] == [f"target {number}" for number in range(5, 10)]


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch) -> Guard:
    """One that has room for less than usual."""
    monkeypatch.setattr("smartrouter.core.naming.MAX_PAIRS", 2000)
    monkeypatch.setattr("smartrouter.core.naming.MAX_TARGETS", 1000)
    monkeypatch.setattr("smartrouter.core.naming.BETWEEN", 100)
    monkeypatch.setattr("smartrouter.core.roster.MAX_IN_ALL", 500)
    made = Guard(*HOSTILE, REAL, store=len)
    made.tell(REAL, "api.cloud.example", "203.0.113.10")
    made.connect(REAL, made.attempts(REAL, ["203.0.113.10"]))
    return made


def test_made_up_devices_that_are_told_very_much_take_no_more_than_there_is(guard: Guard) -> None:
    chance = Random(1)
    for ident in range(200):
        mac = HOSTILE[ident % len(HOSTILE)]
        asked = question(f"n{ident}.example")
        to = [f"a{chance.random()}.example", f"b{chance.random()}.example"]
        links = [record(TO_QUESTION, CNAME, name(to[0])), record(to[0], CNAME, name(to[1]))]
        told = [record(to[1], A, bytes([203]) + chance.randbytes(3)) for _ in range(50)]
        query = udp(guard.source(mac), ROUTER, 40000, 53, message([asked], flags=0x0100))
        reply = message([asked], [*links, *told], flags=REPLY)
        guard.resolve(mac, [(query, udp(ROUTER, guard.source(mac), 53, 40000, reply))])
    devices = guard.judge.roster.devices
    assert 500 < sum(len(device.book) for device in devices.values()) <= 2000 + 100 + 50
    assert sum(len(device.aliases) for device in devices.values()) <= 1000 + 100
    assert "203.0.113.10" in devices[REAL].book


def learn(guard: Guard, mac: str, number: int) -> None:
    """It asks for so many names, and connects."""
    for place in guard.places(number):
        guard.tell(mac, f"n{place.replace('.', '-')}.example", place)
        guard.connect(mac, guard.attempts(mac, [place]))


def test_made_up_devices_that_learn_very_much_leave_others_room(guard: Guard) -> None:
    for mac in HOSTILE[:4]:
        learn(guard, mac, 300)
        guard.bench.carry_out(guard.bench.handle(Tick()))
    learned = {mac: len(device.learning.learned) for mac, device in guard.judge.roster.devices.items()}
    assert [learned[mac] for mac in HOSTILE[:4]] == [300, 300, 256, 256]
    learn(guard, REAL, 5)
    assert len(guard.judge.roster.devices[REAL].learning.learned) == learned[REAL] + 5


def test_the_bounds_are_what_the_store_gives_back() -> None:
    assert (room.MAX_PAIRS, room.MAX_TARGETS) == (queries.MAX_NAMES_IN_ALL, queries.MAX_ALIASES_IN_ALL)
