# SPDX-License-Identifier: GPL-2.0-or-later
"""Which name led to which: one device's aliases, from the CNAME chains in the answers that it was given.

`mesu.apple.com` is an alias of `e1329.g.akamaiedge.net`; a device that asks for the latter by itself, because
it remembers the chain, still means the former, the head. What is behind an alias is often a map that many
customers of a content network share, so what a device knows is kept by heads. Bounded; what was not seen
for longest goes first. Knows no clock: `now` is seconds of a clock that never jumps.
"""

from collections.abc import Iterable
from math import inf
from typing import NamedTuple

LIFETIME = 30 * 86400.0  # seconds after an answer last said so
MAX_TARGETS = 2048  # of one device; real devices have some dozens
MAX_HEADS = 8  # of one target
_OFTEN = 3600.0  # seconds
_WORTH_STORING = 86400.0  # seconds by which the time of an alias must have moved on


class _Led(NamedTuple):
    """`head` led to a target, at `seen` last; at `stored` that was called worth storing."""

    head: str
    seen: float
    stored: float


class Aliases:
    """See the module. `heads` is on the way of packets: nearly always a look-up that finds nothing."""

    __slots__ = ("_led",)

    def __init__(self) -> None:
        self._led: dict[str, tuple[_Led, ...]] = {}  # by target, the one seen last at the end; so its heads

    def __len__(self) -> int:
        return len(self._led)

    def halve(self) -> None:
        """Forget half of the targets, those that were not seen for longest."""
        for target in list(self._led)[: (len(self._led) + 1) // 2]:
            del self._led[target]

    def tell(self, head: str, targets: Iterable[str], now: float) -> list[str]:
        """An answer to the question for `head` went on to `targets`. Gives the targets whose pair with this
        head is worth storing: it is new, or was stored a day ago."""
        news = []
        for target in targets:
            before = self._led.pop(target, ())
            stored = next((led.stored for led in before if led.head == head), -inf)
            if now - stored >= _WORTH_STORING:
                stored = now
                news.append(target)
            others = [led for led in before if led.head != head]
            self._led[target] = (*others[1 - MAX_HEADS :], _Led(head, now, stored))
        while len(self._led) > MAX_TARGETS:
            del self._led[next(iter(self._led))]
        return news

    def pairs(self) -> list[tuple[str, str]]:
        """All of them: (target, head), the one seen last at the end."""
        return [(target, led.head) for target, each in self._led.items() for led in each]

    def is_fresh(self, head: str, targets: Iterable[str], now: float) -> bool:
        """Did an answer say within the hour that `head` leads to each of `targets`, as the last that does?
        Then to say it again changes nothing."""
        for target in targets:
            led = self._led.get(target)
            if led is None or led[-1].head != head or now - led[-1].seen >= _OFTEN:
                return False
        return True

    def led_by(self, head: str, targets: Iterable[str]) -> bool:
        """Has `head` led to each of `targets` before?"""
        return all(head in [led.head for led in self._led.get(target, ())] for target in targets)

    def heads(self, target: str, now: float) -> tuple[str, ...]:
        """The names that lately led to `target`, newest first."""
        led = self._led.get(target)
        if led is None:
            return ()
        return tuple([head for head, seen, _ in reversed(led) if now - seen <= LIFETIME])
