# SPDX-License-Identifier: GPL-2.0-or-later
"""Who has guessed too often, and how long they must wait. Pure: times are an argument, of any one clock.

A source is a MAC where the network tells it, else an address: one device has many addresses. Besides, all
sources together have a bound, for a device may forge others' MACs; but who has logged in before does not
wait for that, else anybody could keep the owner out.
"""

from collections import OrderedDict
from dataclasses import dataclass

FREE = 5  # failures of one source before it has to wait
FREE_FOR_ALL = 30  # … of all sources together
FIRST_WAIT = 10.0  # seconds, then twice as long each time,
LONGEST_WAIT, LONGEST_FOR_ALL = 900.0, 300.0  # … and at most
FORGOTTEN = 3600.0  # seconds after the last failure
_SOURCES = 512  # that are remembered


@dataclass(slots=True)
class _Record:
    failures: int = 0
    last: float = float("-inf")


class Lockout:
    """The failures that count, by source."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._all = _Record()
        self._welcome: OrderedDict[str, None] = OrderedDict()

    def wait(self, source: str, now: float) -> float:
        """Seconds that `source` must wait before it may try; 0 if it may now."""
        own = self._records.get(source)
        left = _left(own, FREE, LONGEST_WAIT, now) if own else 0.0
        if source not in self._welcome:
            left = max(left, _left(self._all, FREE_FOR_ALL, LONGEST_FOR_ALL, now))
        return left

    def failed(self, source: str, now: float) -> None:
        """A wrong password, code or token came from `source`."""
        own = self._records.setdefault(source, _Record())
        self._records.move_to_end(source)
        for record in (own, self._all):
            if now - record.last > FORGOTTEN:
                record.failures = 0
            record.failures += 1
            record.last = now
        while len(self._records) > _SOURCES:
            self._records.popitem(last=False)

    def succeeded(self, source: str) -> None:
        """It was the right one."""
        self._records.pop(source, None)
        self._welcome[source] = None
        self._welcome.move_to_end(source)
        while len(self._welcome) > _SOURCES:
            self._welcome.popitem(last=False)


def _left(record: _Record, free: int, longest: float, now: float) -> float:
    if record.failures < free or now - record.last > FORGOTTEN:
        return 0.0
    wait: float = min(longest, FIRST_WAIT * 2 ** min(16, record.failures - free))
    return max(0.0, record.last + wait - now)
