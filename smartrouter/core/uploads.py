# SPDX-License-Identifier: GPL-2.0-or-later
"""How much a device usually sends to a destination in an hour, and when an hour is far above that.

An hour counts if anything was sent in it. Usual is the busiest hour among those of learning; where fewer than
`ENOUGH` were seen, hours go on being learned for a destination that is known, even after the device's own
learning has ended: one that was used once says little. Learned afterwards is nothing, or somebody patient
could raise what is usual a little each hour. Far above is `FACTOR` times the busiest, and `FLOOR` at least.
Why these: docs/volume.md.

Knows no names, rules or devices. Bounded; `hour` is a number that grows, of a clock that never jumps.
"""

from collections.abc import Mapping
from typing import NamedTuple

from smartrouter.core.destinations import Destination

FLOOR = 10_000_000  # bytes; below this nobody need look
FACTOR = 4
ENOUGH = 6  # hours: as many as learning itself needs at least
AGAIN = 24  # hours until the same is worth telling once more
MAX_DESTINATIONS = 1024  # of one device and hour; what is more is summed as one
MAX_USUAL = 4096  # destinations of one device, as many as it can learn
OTHERS = "(others)"  # stands for these; no name looks like that


class Usual(NamedTuple):
    """What is usual: seen in so many `hours`, in the busiest of which so many bytes were sent."""

    hours: int
    most: int


class Excess(NamedTuple):
    """So many bytes were `sent` in an hour; `usual`: None if nothing is known of that destination."""

    sent: int
    usual: Usual | None


class Uploads:
    """What one device sends."""

    __slots__ = ("_hour", "_learnt", "_sent", "_told", "usual")

    def __init__(self, usual: Mapping[Destination, Usual] | None = None) -> None:
        self.usual: dict[Destination, Usual] = dict(usual or {})
        self._hour = -1
        self._sent: dict[Destination, int] = {}  # in this hour
        self._learnt: set[Destination] = set()  # of them, those of which this hour is learned
        self._told: dict[Destination, int] = {}  # in which hour

    def place(self, destination: Destination) -> Destination:
        """As what to sum it in this hour: itself, as long as there is room."""
        if destination in self._sent or len(self._sent) < MAX_DESTINATIONS:
            return destination
        return Destination(OTHERS, "")

    def closed(self, hour: int) -> dict[Destination, Usual]:
        """It is `hour` now: what is usual by the hour before, if that is over and has shown anything new."""
        if hour == self._hour:
            return {}
        changed: dict[Destination, Usual] = {}
        for destination in self._learnt:
            hours, most = self.usual.get(destination, Usual(0, 0))
            if hours or len(self.usual) < MAX_USUAL:
                now = Usual(hours + 1, max(most, self._sent[destination]))
                self.usual[destination] = changed[destination] = now
        self._hour = hour
        self._sent.clear()
        self._learnt.clear()
        self._told = {each: told for each, told in self._told.items() if hour - told < AGAIN}
        return changed

    def sent(self, destination: Destination, size: int, *, learning: bool, known: bool) -> Excess | None:
        """So many bytes were sent to `destination` in this hour (`closed` must have been told of it).
        `learning`: the device is; `known`: it has learned the destination. Gives what is far above the usual,
        once in a while."""
        if not size:
            return None
        total = self._sent[destination] = self._sent.get(destination, 0) + size
        usual = self.usual.get(destination)
        if learning or (known and (usual is None or usual.hours < ENOUGH)):
            self._learnt.add(destination)
            return None
        self._learnt.discard(destination)  # learning ended within this hour
        if total <= max(FLOOR, FACTOR * (usual.most if usual else 0)) or destination in self._told:
            return None
        self._told[destination] = self._hour
        if len(self._told) > MAX_DESTINATIONS:
            del self._told[next(iter(self._told))]
        return Excess(total, usual)

    def forget(self, destination: Destination) -> None:
        """The device knows it no more."""
        self.usual.pop(destination, None)
        self._learnt.discard(destination)

    def joined(self, other: "Uploads") -> "Uploads":
        """What is usual for either."""
        usual = dict(self.usual)
        for destination, (hours, most) in other.usual.items():
            mine = usual.get(destination, Usual(0, 0))
            if mine.hours or len(usual) < MAX_USUAL:
                usual[destination] = Usual(mine.hours + hours, max(mine.most, most))
        return Uploads(usual)
