# SPDX-License-Identifier: GPL-2.0-or-later
"""A device's hours with traffic, one after the other: what was new in each, and what was foretold of it.

Written down during a replay in which learning never ends, so that everything new is learned and seen to be.
A unit is an hour of observed time, counted from the device's first attempt, with at least one attempt.
A forecast knows only what lies before its unit, and how long the pause before it was.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from smartrouter.core.destinations import Destination
from smartrouter.core.effects import Effect, Learn, Record
from smartrouter.core.events import TCP, UDP, Event, FlowOpened, Moment, Scope
from smartrouter.core.learning import DAY, UNIT
from smartrouter.core.novelty import Estimate, History, Prior, expect


@dataclass(slots=True)
class Unit:
    """One hour. `begun`: running time of its first attempt; `new`: destinations first used in it;
    `once_before`: those that had been used in exactly one unit when it began."""

    number: int
    begun: float
    once_before: int
    new: int = 0


@dataclass(slots=True)
class Walk:
    """One device's units. `first_uses`: when each destination was first used, in seconds from the
    device's first attempt."""

    begun: float
    units: list[Unit] = field(default_factory=list)
    first_uses: list[float] = field(default_factory=list)
    used_in: dict[Destination, int] = field(default_factory=dict)  # how many units, so far
    once: int = 0  # destinations used in exactly one unit so far

    @property
    def growth(self) -> list[int]:
        """How many destinations were known at the end of each unit."""
        known, total = [], 0
        for unit in self.units:
            total += unit.new
            known.append(total)
        return known

    @property
    def history(self) -> History:
        """What fitting a prior needs of it."""
        return History.of([unit.new for unit in self.units])

    def attempted(self, now: float) -> None:
        """There was an attempt."""
        number = int((now - self.begun) // UNIT)
        if not self.units or self.units[-1].number != number:
            self.units.append(Unit(number, now, self.once))

    def used(self, destination: Destination, now: float) -> None:
        """`destination` was used for the first time in the present unit."""
        self.attempted(now)
        count = self.used_in[destination] = self.used_in.get(destination, 0) + 1
        if count == 1:
            self.units[-1].new += 1
            self.first_uses.append(now - self.begun)
        self.once += {1: 1, 2: -1}.get(count, 0)


class Walks:
    """The walks of all devices; `observe` is what a replay calls."""

    def __init__(self) -> None:
        self.by_device: dict[str, Walk] = {}

    def observe(self, event: Event, effects: list[Effect], now: Moment) -> None:
        """`event` was told to the judge, and yielded `effects`."""
        opens = isinstance(event, FlowOpened) and event.scope is Scope.OUTSIDE
        for effect in effects:
            match effect:
                case Record(attempt) if opens and attempt.protocol in (TCP, UDP):
                    self._walk(attempt.mac, now.running).attempted(now.running)
                case Learn(mac, destination):
                    self._walk(mac, now.running).used(destination, now.running)
                case _:
                    pass

    def _walk(self, mac: str, now: float) -> Walk:
        return self.by_device.setdefault(mac, Walk(now))


class Forecast(NamedTuple):
    """What was expected of one unit, and the number of new destinations that came. `unit`: its place, 2 or
    later. `good_turing`: what Good and Turing's Q1/m would have expected."""

    unit: int
    estimate: Estimate
    good_turing: float
    came: int


def forecasts(walk: Walk, prior: Prior) -> list[Forecast]:
    """One step ahead, from the second unit on."""
    made = []
    new_since_second = 0
    for m, (before, unit) in enumerate(zip(walk.units, walk.units[1:], strict=False), start=1):
        days = (unit.begun - before.begun) / DAY
        estimate = expect(m, new_since_second, 1.0, days, prior)
        made.append(Forecast(m + 1, estimate, unit.once_before / m, unit.new))
        new_since_second += unit.new
    return made
