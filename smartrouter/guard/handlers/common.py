# SPDX-License-Identifier: GPL-2.0-or-later
"""What the handlers have in common: what a packet is compared by, and where it goes."""

from typing import TypeAlias

from smartrouter.core.effects import Effect, Verdict
from smartrouter.core.events import Scope
from smartrouter.core.precedents import Repeat
from smartrouter.linux.queue import LOCAL_IN

NO_MAC = "00:00:00:00:00:00"  # stands for what came over an interface that knows no MACs
SYN, RST = 0x02, 0x04  # RFC 9293 section 3.1

Sort: TypeAlias = tuple[object, ...]
"""A MAC, and what else packets have in common that fare alike; only ever compared."""


def remember(repeats: dict[Sort, Repeat], sort: Sort, repeat: Repeat | None, room: int) -> None:
    """Have further packets of this sort go by `repeat`; each by itself, if it is None."""
    if repeat is None:
        repeats.pop(sort, None)
        return
    if len(repeats) >= room:
        repeats.clear()
    repeats[sort] = repeat


def scope_of(hook: int, ours: int, passing: int) -> Scope:
    """Where a packet goes. The ruleset sets the pass mark, and only that, on what stays in the LAN."""
    if hook == LOCAL_IN:
        return Scope.ROUTER
    return Scope.LAN if ours == passing else Scope.OUTSIDE


def verdict_in(effects: list[Effect]) -> Verdict:
    """The one among what the judge says of a packet. It comes first, but for what must be done before."""
    first = effects[0]
    if isinstance(first, Verdict):  # as nearly always
        return first
    return next(effect for effect in effects if isinstance(effect, Verdict))
