# SPDX-License-Identifier: GPL-2.0-or-later
"""A device's hours with traffic, and that no forecast knows what comes after it."""

from math import log

import pytest
from unit.made_effects import NOON, PLUG, TV, record

from smartrouter.core.destinations import Destination
from smartrouter.core.effects import Effect, Learn
from smartrouter.core.events import FlowOpened, Moment, Scope, Tick
from smartrouter.core.learning import DAY, Seen
from smartrouter.core.novelty import PRIOR, History, expect
from smartrouter.evaluate.units import Walk, Walks, forecasts

HOUR = 3600.0
OPENED = FlowOpened(TV, "192.168.1.20", "203.0.113.7", 6, 40000, 443, 1, Scope.OUTSIDE)


def learn(name: str, units: int = 1, mac: str = TV) -> Learn:
    return Learn(mac, Destination(name, "web"), Seen(units, 0), NOON)


def walked(*story: tuple[float, list[str]]) -> Walk:
    """The walk of a device that at each time made an attempt, and then used these destinations for the first
    time in that unit."""
    walks = Walks()
    for at, names in story:
        effects: list[Effect] = [record(), *map(learn, names)]
        walks.observe(OPENED, effects, Moment(at, NOON + at))
    return walks.by_device[TV]


STORY = walked(
    (100.0, ["a", "b", "c"]),
    (100.0 + 0.9 * HOUR, []),
    (100.0 + 1.0 * HOUR, ["a"]),
    (100.0 + 1.5 * HOUR, ["d"]),
    (100.0 + 26.2 * HOUR, []),
    (100.0 + 50.0 * HOUR, ["a", "d", "e"]),
)


def test_units_are_hours_with_traffic_counted_from_the_first_attempt() -> None:
    assert [unit.number for unit in STORY.units] == [0, 1, 26, 50]
    assert [unit.new for unit in STORY.units] == [3, 1, 0, 1]
    assert STORY.growth == [3, 4, 4, 5]
    assert STORY.first_uses == [0.0, 0.0, 0.0, 1.5 * HOUR, 50 * HOUR]
    assert STORY.history == History(4, 2, log(2) + log(4))


def test_what_was_used_in_one_unit_only_is_counted_as_good_and_turing_do() -> None:
    assert [unit.once_before for unit in STORY.units] == [0, 3, 3, 3]
    assert STORY.once == 3  # b, c, e


def test_forecasts_are_those_of_the_estimate_with_what_was_known_then() -> None:
    made = forecasts(STORY, PRIOR)
    assert [one.unit for one in made] == [2, 3, 4]
    assert [one.came for one in made] == [1, 0, 1]
    assert [one.good_turing for one in made] == [3 / 1, 3 / 2, 3 / 3]
    assert made[0].estimate == expect(1, 0, 1.0, HOUR / DAY)
    assert made[1].estimate == expect(2, 1, 1.0, 25.2 * HOUR / DAY)
    assert made[2].estimate == expect(3, 1, 1.0, 23.8 * HOUR / DAY)


@pytest.mark.parametrize("kept", range(1, 6))
def test_the_future_changes_no_forecast(kept: int) -> None:
    story = [(100.0 + HOUR * n, [f"{n}.example"] if n % 2 else []) for n in range(6)]
    assert forecasts(walked(*story[:kept]), PRIOR) == forecasts(walked(*story), PRIOR)[: kept - 1]


def test_one_unit_gives_nothing_to_forecast() -> None:
    assert forecasts(walked((0.0, ["a"])), PRIOR) == []


def test_only_tcp_and_udp_to_the_outside_open_a_unit() -> None:
    walks = Walks()
    walks.observe(OPENED._replace(scope=Scope.LAN), [record()], Moment(0.0, NOON))
    walks.observe(Tick(), [record()], Moment(0.0, NOON))
    ping = record()._replace(attempt=record().attempt._replace(protocol=1))
    walks.observe(OPENED, [ping], Moment(0.0, NOON))
    assert walks.by_device == {}


def test_what_is_learned_by_a_hello_comes_with_a_later_event() -> None:
    walks = Walks()
    walks.observe(OPENED, [record()], Moment(0.0, NOON))
    walks.observe(Tick(), [learn("late.example")], Moment(2.0, NOON))
    assert walks.by_device[TV].first_uses == [2.0]


def test_a_destination_that_is_kept_again_is_not_new_again() -> None:
    walk = walked((0.0, ["a"]), (2 * HOUR, ["a"]), (4 * HOUR, ["a"]))
    assert walk.growth == [1, 1, 1]
    assert walk.once == 0


def test_devices_walk_apart() -> None:
    walks = Walks()
    walks.observe(OPENED, [record(), learn("a")], Moment(0.0, NOON))
    walks.observe(OPENED._replace(mac=PLUG), [record(PLUG), learn("b", mac=PLUG)], Moment(5.0, NOON))
    assert {mac: walk.begun for mac, walk in walks.by_device.items()} == {TV: 0.0, PLUG: 5.0}
