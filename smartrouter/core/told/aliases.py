# SPDX-License-Identifier: GPL-2.0-or-later
"""Which name led to which: one device's aliases, from the CNAME chains in the answers that it was given.

`mesu.apple.com` is an alias of `e1329.g.akamaiedge.net`; a device that asks for the latter by itself, because
it remembers the chain, still means the former, the head. What is behind an alias is often a map that many
customers of a content network share, so what a device knows is kept by heads. Bounded; what was not seen
for longest goes first. Knows no clock: `now` is seconds of a clock that never jumps.
"""

from collections import OrderedDict
from collections.abc import Iterable

LIFETIME = 30 * 86400.0  # seconds after an answer last said so
MAX_TARGETS = 2048  # of one device; real devices have some dozens
MAX_HEADS = 8  # of one target
_OFTEN = 3600.0  # seconds
_WORTH_STORING = 86400.0  # seconds by which the time of an alias must have moved on


class Aliases:
    """See the module. `heads` is on the way of packets: nearly always a look-up that finds nothing."""

    __slots__ = ("_heads", "_stored")

    def __init__(self) -> None:
        self._heads: OrderedDict[str, dict[str, float]] = OrderedDict()  # target -> head -> seen, newest last
        self._stored: dict[tuple[str, str], float] = {}

    def __len__(self) -> int:
        return len(self._heads)

    def tell(self, head: str, targets: Iterable[str], now: float) -> list[str]:
        """An answer to the question for `head` went on to `targets`. Gives the targets whose pair with this
        head is worth storing: it is new, or was stored a day ago."""
        news = []
        for target in targets:
            heads = self._heads.setdefault(target, {})
            self._heads.move_to_end(target)
            heads.pop(head, None)
            heads[head] = now
            if len(heads) > MAX_HEADS:
                self._drop(target, next(iter(heads)))
            if now - self._stored.get((target, head), -_WORTH_STORING) >= _WORTH_STORING:
                self._stored[target, head] = now
                news.append(target)
        while len(self._heads) > MAX_TARGETS:
            target, heads = self._heads.popitem(last=False)
            for each in heads:
                self._stored.pop((target, each), None)
        return news

    def is_fresh(self, head: str, targets: Iterable[str], now: float) -> bool:
        """Did an answer say within the hour that `head` leads to each of `targets`, as the last that does?
        Then to say it again changes nothing."""
        for target in targets:
            heads = self._heads.get(target)
            if not heads or next(reversed(heads)) != head or now - heads[head] >= _OFTEN:
                return False
        return True

    def led_by(self, head: str, targets: Iterable[str]) -> bool:
        """Has `head` led to each of `targets` before?"""
        return all(head in self._heads.get(target, ()) for target in targets)

    def heads(self, target: str, now: float) -> tuple[str, ...]:
        """The names that lately led to `target`, newest first."""
        heads = self._heads.get(target)
        if heads is None:
            return ()
        return tuple([head for head, seen in reversed(heads.items()) if now - seen <= LIFETIME])

    def _drop(self, target: str, head: str) -> None:
        del self._heads[target][head]
        self._stored.pop((target, head), None)
