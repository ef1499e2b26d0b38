# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules that allow one connection, and end with it.

The first packet that such a rule lets through spends it. That packet sent again, before anybody has answered,
is no other connection: it passes for a while. Nothing that passes so is a precedent, and the kernel never
settles it by itself, so that the next connection is asked for. Bounded by the rules that there are.
"""

from collections.abc import Collection
from typing import NamedTuple

from smartrouter.core.events import Flow, Moment
from smartrouter.core.policy import Attempted, Rule, applies

SAME = 120.0  # seconds: as long as a first packet is sent again (RFC 6298 section 5; Linux: 63 s)


class _Spent(NamedTuple):
    """By which connection, and until when (running seconds) its packets pass."""

    mac: str
    flow: Flow
    until: float


class Once:
    """See the module."""

    def __init__(self) -> None:
        self._spent: dict[Rule, _Spent] = {}

    def keep(self, rules: Collection[Rule]) -> None:
        """These are all the rules that there are now."""
        there = {_same(rule) for rule in rules}
        self._spent = {rule: spent for rule, spent in self._spent.items() if rule in there}

    def may(self, rules: Collection[Rule], attempted: Attempted, wall: float) -> bool:
        """Is there a rule among `rules` that is not spent, and speaks of this attempt?"""
        return any(_same(rule) not in self._spent and applies(rule, attempted, wall) for rule in rules)

    def lets(
        self, rules: Collection[Rule], mac: str, flow: Flow, attempted: Attempted, now: Moment
    ) -> tuple[bool, Rule | None]:
        """May this connection pass by one of `rules`? And the rule that is spent by it just now."""
        for rule in rules:
            spent = self._spent.get(_same(rule))
            if spent is None:
                if applies(rule, attempted, now.wall):
                    self._spent[_same(rule)] = _Spent(mac, flow, now.running + SAME)
                    return True, rule
            elif (spent.mac, spent.flow) == (mac, flow) and now.running <= spent.until:
                return True, None
        return False, None


def _same(rule: Rule) -> Rule:
    """What stays of a rule when its end is written down."""
    return rule._replace(until=None)
