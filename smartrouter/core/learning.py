# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device has been seen to need, and when that is enough.

Time here is observed time: seconds that the guard was running since the device's first judged attempt;
never the wall clock, which starts in 1970 on many routers. A unit is an observed hour with at least
one attempt. With m units so far, u quiet units since the last new destination, and Q1 destinations
seen in exactly one unit, `auto` ends learning when m >= 6, u >= 5, Q1 <= 0.1 m, the quiet units fall
on at least two days, and 24 h and 20 attempts were observed. The floor of six units matters more than
any estimator (measured on 61 devices).
"""

from enum import StrEnum
from typing import NamedTuple

from smartrouter.core.destinations import Destination
from smartrouter.core.policy import LearningPlan

UNIT = 3600.0
DAY = 86400.0
MAX_LEARNED = 4096  # destinations of one device; real devices have some dozens, a scan has no end
_MIN_UNITS, _MIN_QUIET, _MAX_ONCE_SHARE = 6, 5, 0.1
_MIN_QUIET_DAYS, _MIN_OBSERVED, _MIN_ATTEMPTS = 2, DAY, 20


class State(StrEnum):
    """Where a device stands."""

    NEW = "new"  # nothing judged yet
    LEARNING = "learning"
    PROTECTED = "protected"


class Progress(NamedTuple):
    """A device's learning, as it is kept. `observed`: seconds. `units`: m; `quiet`: u; `unit`: number
    of the unit in progress, -1 before the first; `unit_is_quiet`: nothing new in it yet;
    `first_quiet_day`: the observed day of the oldest quiet unit. `settled`: learning ended by the rule
    or by the user, not because the time was up."""

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


class Seen(NamedTuple):
    """In how many units a destination was used, and in which one last."""

    units: int
    last_unit: int


class Learning:
    """One device's learned destinations and progress. Mutable; one owner, the judge."""

    __slots__ = ("learned", "progress")

    def __init__(self, progress: Progress | None = None, learned: dict[Destination, Seen] | None = None):
        self.progress = progress or Progress()
        self.learned: dict[Destination, Seen] = {} if learned is None else learned

    def started(self) -> bool:
        """Has anything of this device been judged yet?"""
        return self.progress.state is not State.NEW

    def counted(self) -> None:
        """An attempt was judged."""
        p = self.progress
        unit = int(p.observed // UNIT)
        if unit == p.unit:
            self.progress = p._replace(attempts=p.attempts + 1)
            return
        p = _closed(p)
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
        unit = self.progress.unit
        seen = self.learned.get(destination)
        if seen is not None and seen.last_unit == unit:
            return None
        if seen is None and len(self.learned) >= MAX_LEARNED:
            return None
        if seen is None:
            self.progress = self.progress._replace(
                unit_is_quiet=False, quiet=0, first_quiet_day=-1, last_quiet_day=-1
            )
        kept = Seen(1 if seen is None else seen.units + 1, unit)
        self.learned[destination] = kept
        return kept

    def observed(self, seconds: float) -> None:
        """So many more seconds were observed."""
        if self.started():
            self.progress = self.progress._replace(observed=self.progress.observed + seconds)

    def restart(self) -> None:
        """Learn again from here on, keeping what is known."""
        self.progress = Progress(state=State.LEARNING)
        self.learned = {destination: Seen(seen.units, -1) for destination, seen in self.learned.items()}

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
        if p.units < _MIN_UNITS or p.observed < _MIN_OBSERVED or p.attempts < _MIN_ATTEMPTS:
            return False
        if int(p.observed // UNIT) > p.unit:
            p = _closed(p)
        if p.quiet < _MIN_QUIET or p.last_quiet_day - p.first_quiet_day + 1 < _MIN_QUIET_DAYS:
            return False
        once = sum(1 for seen in self.learned.values() if seen.units == 1)
        return once <= _MAX_ONCE_SHARE * p.units


def _closed(p: Progress) -> Progress:
    """`p` with the unit in progress counted as quiet, if it was."""
    if p.unit < 0 or not p.unit_is_quiet:
        return p
    day = int(p.unit * UNIT // DAY)
    first = day if p.first_quiet_day < 0 else p.first_quiet_day
    return p._replace(quiet=p.quiet + 1, first_quiet_day=first, last_quiet_day=day, unit_is_quiet=False)
