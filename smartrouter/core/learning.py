# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device has been seen to need, and when that is enough.

Time here is observed time: seconds that the guard was running since the device's first judged attempt;
never the wall clock, which starts in 1970 on many routers. A unit is an observed hour with at least
one attempt. With m units so far, u quiet units since the last new destination, and Q1 destinations
seen in exactly one unit, `auto` ends learning when m >= 6, u >= 5, Q1 <= 0.1 m, the quiet units fall
on at least two days, and 24 h and 20 attempts were observed. The floor of six units matters more than
any estimator (measured on 61 devices).

What is learned lasts as long as it is used: a destination that was not used for `unused_after` seconds of
observed time is known no more.
"""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from math import log
from typing import NamedTuple

from smartrouter.core.destinations import Destination
from smartrouter.core.policy import LearningPlan

UNIT = 3600.0
DAY = 86400.0
MAX_LEARNED = 4096  # destinations of one device; real devices have some dozens, a scan has no end
MAX_IN_ALL, MAX_IF_MANY = 65_536, 256  # of all devices, about 12 MB; and of one, once all have so many
MIN_UNITS, MIN_QUIET, MAX_ONCE_SHARE = 6, 5, 0.1
MIN_QUIET_DAYS, MIN_OBSERVED, MIN_ATTEMPTS = 2, DAY, 20


class State(StrEnum):
    """Where a device stands."""

    NEW = "new"  # nothing judged yet
    LEARNING = "learning"
    PROTECTED = "protected"


class Progress(NamedTuple):
    """A device's learning, as it is kept. `observed`: seconds. `units`: m; `quiet`: u; `unit`: number
    of the unit in progress, -1 before the first; `unit_is_quiet`: nothing new in it yet;
    `first_quiet_day`: the observed day of the oldest quiet unit. `settled`: learning ended by the rule
    or by the user, not because the time was up. `new_since_second`: destinations that were new in the second
    unit or later, and `new_logs` the sum of ln i over them, i the unit that each was new in: what
    core.novelty needs for its estimate of what is still to come."""

    state: State = State.NEW
    observed: float = 0.0
    attempts: int = 0
    units: int = 0
    unit: int = -1
    unit_is_quiet: bool = True
    quiet: int = 0
    first_quiet_day: int = -1
    last_quiet_day: int = -1
    settled: bool = False
    new_since_second: int = 0
    new_logs: float = 0.0


class Seen(NamedTuple):
    """In how many units a destination was used while learning, in which one last, and after how many
    observed seconds of its device it was used last."""

    units: int
    last_unit: int
    used: float = 0.0


class Learning:
    """One device's learned destinations and progress. Mutable; one owner, the judge."""

    __slots__ = ("_learned", "_more_attempts", "_names", "_progress", "most")

    def __init__(self, progress: Progress | None = None, learned: Mapping[Destination, Seen] | None = None):
        self._progress = progress or Progress()
        self._more_attempts = 0  # that `_progress` does not hold yet: it is made anew when somebody asks
        self._learned: dict[Destination, Seen] = dict(learned or {})
        self._names = Counter(destination.name for destination in self._learned)
        self.most = MAX_LEARNED  # destinations that there is room for; fewer where all devices have very many

    @property
    def progress(self) -> Progress:
        """How far learning is."""
        if self._more_attempts:
            self._progress = self._progress._replace(attempts=self._progress.attempts + self._more_attempts)
            self._more_attempts = 0
        return self._progress

    @progress.setter
    def progress(self, progress: Progress) -> None:
        self._progress = progress
        self._more_attempts = 0

    @property
    def learned(self) -> Mapping[Destination, Seen]:
        """What the device has been seen to need."""
        return self._learned

    def knows(self, name: str) -> bool:
        """Is any service of this name group, or address, learned?"""
        return name in self._names

    def started(self) -> bool:
        """Has anything of this device been judged yet?"""
        return self._progress.state is not State.NEW

    def counted_again(self) -> None:
        """An attempt was judged, in the same unit as one before it."""
        self._more_attempts += 1

    def counted(self) -> None:
        """An attempt was judged."""
        unit = int(self._progress.observed // UNIT)
        if unit == self._progress.unit:
            self._more_attempts += 1
            return
        p = _closed(self.progress)
        self.progress = p._replace(
            state=State.LEARNING if p.state is State.NEW else p.state,
            attempts=p.attempts + 1,
            units=p.units + 1,
            unit=unit,
            unit_is_quiet=True,
        )

    def used(self, destination: Destination) -> Seen | None:
        """`destination` was used while learning. Gives what to keep, or None if nothing changed: it was used
        in this unit before, or it is new and there is no room for more."""
        p = self.progress
        seen = self._learned.get(destination)
        if seen is not None and seen.last_unit == p.unit:
            return None
        if seen is None:
            if len(self._learned) >= self.most:
                return None
            self._names[destination.name] += 1
            self.progress = p._replace(
                unit_is_quiet=False,
                quiet=0,
                first_quiet_day=-1,
                last_quiet_day=-1,
                new_since_second=p.new_since_second + (p.units > 1),
                new_logs=p.new_logs + (log(p.units) if p.units > 1 else 0.0),
            )
        kept = Seen(1 if seen is None else seen.units + 1, p.unit, p.observed)
        self._learned[destination] = kept
        return kept

    def touched(self, destination: Destination) -> Seen | None:
        """`destination` was used after learning. Gives what to keep, or None: once a day is enough."""
        seen = self._learned.get(destination)
        if seen is None or self.progress.observed - seen.used < DAY:
            return None
        kept = self._learned[destination] = seen._replace(used=self.progress.observed)
        return kept

    def unused(self, seconds: float) -> list[Destination]:
        """What was not used for so many observed seconds."""
        before = self.progress.observed - seconds
        return [destination for destination, seen in self._learned.items() if seen.used < before]

    def forget(self, destination: Destination) -> None:
        """`destination` is known no more."""
        if self._learned.pop(destination, None) is not None:
            self._names[destination.name] -= 1
            if not self._names[destination.name]:
                del self._names[destination.name]

    def observed(self, seconds: float) -> bool:
        """So many more seconds were observed; True if another unit has begun."""
        if not self.started():
            return False
        before = self._progress.observed
        self.progress = self.progress._replace(observed=before + seconds)
        return before // UNIT != (before + seconds) // UNIT

    def joined(self, other: "Learning") -> "Learning":
        """What both were seen to need, and the progress of whichever is further: protected, or longer
        observed."""
        further = max(self.progress, other.progress, key=lambda p: (p.state is State.PROTECTED, p.observed))
        learned = dict(self._learned)
        for destination, seen in other.learned.items():
            known = learned.get(destination)
            if known is not None:
                learned[destination] = seen._replace(units=seen.units + known.units)
            elif len(learned) < MAX_LEARNED:
                learned[destination] = seen
        for destination, seen in learned.items():
            learned[destination] = Seen(seen.units, min(seen.last_unit, further.unit), further.observed)
        return Learning(further, learned)

    def restart(self) -> None:
        """Learn again from here on, keeping what is known."""
        self.progress = Progress(state=State.LEARNING)
        for destination, seen in self._learned.items():
            self._learned[destination] = Seen(seen.units, -1)

    def finish(self, *, settled: bool) -> None:
        """End learning."""
        self.progress = self.progress._replace(state=State.PROTECTED, settled=settled)

    def ended_by(self, plan: LearningPlan) -> bool | None:
        """None while learning goes on; else whether it settled by itself (False: only its time was up).

        A fixed period (not `auto`) settles by definition.
        """
        p = self.progress
        if plan.auto and self._is_settled():
            return True
        if p.observed >= plan.period:
            return not plan.auto
        return None

    def _is_settled(self) -> bool:
        p = self.progress
        if p.units < MIN_UNITS or p.observed < MIN_OBSERVED or p.attempts < MIN_ATTEMPTS:
            return False
        if int(p.observed // UNIT) > p.unit:
            p = _closed(p)
        if p.quiet < MIN_QUIET or p.last_quiet_day - p.first_quiet_day + 1 < MIN_QUIET_DAYS:
            return False
        return self.seen_once() <= MAX_ONCE_SHARE * p.units

    def seen_once(self) -> int:
        """Q1: destinations that were seen in exactly one unit."""
        return sum(1 for seen in self._learned.values() if seen.units == 1)


def _closed(p: Progress) -> Progress:
    """`p` with the unit in progress counted as quiet, if it was."""
    if p.unit < 0 or not p.unit_is_quiet:
        return p
    day = int(p.unit * UNIT // DAY)
    first = day if p.first_quiet_day < 0 else p.first_quiet_day
    return p._replace(quiet=p.quiet + 1, first_quiet_day=first, last_quiet_day=day, unit_is_quiet=False)
