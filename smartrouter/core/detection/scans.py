# SPDX-License-Identifier: GPL-2.0-or-later
"""Scans: many addresses, or many ports, that a device tries within a short time without a name for them.

What a device needs it looks up; what it tries without a name it was either built with, which are a few
addresses, or it makes up. Real devices without fault were seen to try at most 4 nameless addresses within a
minute and 6 within an hour (61 devices; requests for the time apart).

One device's attempts come in here one by one, and each has one of three fates. The first few are `TOLD` at
once. Further ones in the same minute are `HELD`: soon it is clear whether they are a few more (then `overdue`
gives them back, to be told late) or a scan. From then on all are `PART` of the one scan, and so are those
that came before: `taken` gives them, once, with those that were told already, which the scan replaces.

A target that the device keeps coming back to, or came to long before, stands apart from any scan: it is
`TOLD` each time.

Bounded: the latest targets only. Knows no clock: `now` is seconds of a clock that never jumps.
"""

from collections import Counter, OrderedDict, deque
from enum import Enum, auto
from typing import Generic, NamedTuple, TypeVar

MINUTE = 60.0  # seconds
TOLD_AT_ONCE = 3  # different targets in a minute
HOLD = 15.0  # seconds that an attempt is held at most: most scans have shown themselves by then
QUIET = 600.0  # seconds without any further attempt after which a scan is over
MAX_TARGETS = 64  # of one device that may become a scan: more than any of the limits below
MAX_TRIES = 8  # of one target; who scans does not come back as often
MAX_APART = 256  # targets of one device

T = TypeVar("T")


class Limits(NamedTuple):
    """(seconds, different targets) from which on it is a scan; the shortest time first."""

    steps: tuple[tuple[float, int], ...]


OUTSIDE = Limits(((60.0, 10), (600.0, 16), (3600.0, 32)))
INSIDE = Limits(((60.0, 20), (600.0, 40)))  # hubs and players look for all their friends at once


class Fate(Enum):
    """What becomes of an attempt."""

    TOLD = auto()
    HELD = auto()
    PART = auto()


class _Target(Generic[T]):
    __slots__ = ("at", "told", "tries")

    def __init__(self, at: float, told: bool):
        self.at, self.told = at, told  # when it was first tried; whether that was told
        self.tries: list[T] = []


class _Held(NamedTuple, Generic[T]):
    at: float
    target: tuple[str, str]
    what: T


class FanOut(Generic[T]):
    """The nameless attempts of one device. `T`: what stands for an attempt to whoever asks."""

    def __init__(self, limits: Limits = OUTSIDE):
        self._limits = limits
        self._targets: OrderedDict[tuple[str, str], _Target[T]] = OrderedDict()  # the first tried first
        self._apart: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._held: deque[_Held[T]] = deque()
        self._scanning_until: float | None = None
        self._addresses: set[str] = set()
        self._services: Counter[str] = Counter()
        self._count = 0  # attempts of the scan
        self._widest: list[str] = []
        self._sorted_until = 0  # count from which on `_widest` is to be found anew

    def tried(self, address: str, service: str, what: T, now: float, *, hold: bool = True) -> Fate:
        """The device tries `service` of `address`. Without `hold` nothing is ever held."""
        key = address, service
        if key in self._apart:
            self._apart.move_to_end(key)
            return Fate.TOLD
        if self._scanning_until is not None:
            if now <= self._scanning_until:
                self._goes_on(address, service, now)
                return Fate.PART
            self._scanning_until = None
        self._pass_over(self._reach(now))
        target = self._targets.get(key)
        if target is None:
            told = not hold or self._since(now - MINUTE) < TOLD_AT_ONCE
            target = self._targets[key] = _Target(now, told)
            target.tries.append(what)
            since = self._scanning_since(now)
            if since is not None:
                self._begins(since, now)
                return Fate.PART
        else:
            target.tries.append(what)
            if len(target.tries) > MAX_TRIES:
                self._set_apart(key)
        if target.told or not hold:
            return Fate.TOLD
        self._held.append(_Held(now, key, what))
        return Fate.HELD

    def _since(self, then: float) -> int:
        """How many targets were first tried since `then`."""
        return sum(1 for target in self._targets.values() if target.at >= then)

    def _scanning_since(self, now: float) -> float | None:
        """If it is a scan now: since when, with what came shortly before, one target after the other."""
        for seconds, targets in self._limits.steps:
            since = now - seconds
            if self._since(since) >= targets:
                for target in reversed(self._targets.values()):
                    if target.at < since - MINUTE:
                        break
                    since = min(since, target.at)
                return since
        return None

    def _pass_over(self, then: float) -> None:
        """What was first tried before then is no part of any scan to come."""
        while self._targets:
            key, target = next(iter(self._targets.items()))
            if target.at >= then and len(self._targets) < MAX_TARGETS:
                return
            self._set_apart(key)

    def _reach(self, now: float) -> float:
        return now - self._limits.steps[-1][0]

    def _set_apart(self, key: tuple[str, str]) -> None:
        del self._targets[key]
        self._apart[key] = None
        if len(self._apart) > MAX_APART:
            self._apart.popitem(last=False)

    def _begins(self, since: float, now: float) -> None:
        self._pass_over(since)
        self._scanning_until = now + QUIET
        self._addresses, self._services, self._count = set(), Counter(), 0
        self._sorted_until = 0
        self._held = deque(held for held in self._held if held.target not in self._targets)
        for (address, service), target in self._targets.items():
            for _ in target.tries:
                self._counted(address, service)

    def _goes_on(self, address: str, service: str, now: float) -> None:
        self._scanning_until = now + QUIET
        self._counted(address, service)

    def _counted(self, address: str, service: str) -> None:
        self._count += 1
        if len(self._addresses) < _MAX_TOLD_APART:
            self._addresses.add(address)
        if service in self._services or len(self._services) < _MAX_TOLD_APART:
            self._services[service] += 1

    def taken(self) -> list[tuple[T, bool]]:
        """What a scan that has just begun takes in, the oldest first, with whether it was told already; the
        attempt that made it a scan is not among them."""
        tries = [(what, target.told) for target in self._targets.values() for what in target.tries]
        self._targets.clear()
        return tries[:-1]

    def overdue(self, now: float) -> list[T]:
        """The attempts that were held for long enough: they are no scan, so far."""
        if not self._targets and not self._held:
            return []
        self._pass_over(self._reach(now))
        found = []
        while self._held and now - self._held[0].at >= HOLD:
            held = self._held.popleft()
            found.append(held.what)
            if held.target in self._targets:
                self._targets[held.target].told = True
        return found

    def said(self) -> str:
        """The scan in words: how wide, on what, and in which direction."""
        addresses, services = len(self._addresses), len(self._services)
        if self._count >= self._sorted_until:
            self._widest = [service for service, _ in self._services.most_common(_SHOWN)]
            self._sorted_until = self._count + services // 4  # else each attempt of a wide scan costs a sort
        widest = ", ".join(self._widest)
        more = f" and {services - _SHOWN} more" if services > _SHOWN else ""
        where = next(iter(self._addresses)) if addresses == 1 else f"{_many(addresses)} addresses"
        way = _direction(addresses, services)
        return f"{way} scan: {self._count} attempts, {where}, {widest}{more}"


_SHOWN = 3
_MAX_TOLD_APART = 4096  # addresses, and services, of one scan


def _many(count: int) -> str:
    return f"{count} or more" if count >= _MAX_TOLD_APART else str(count)


def _direction(addresses: int, services: int) -> str:
    """Horizontal: one or a few services of many addresses; vertical: many services of a few."""
    if addresses >= 4 * services:
        return "horizontal"
    return "vertical" if services >= 4 * addresses else "horizontal and vertical"
