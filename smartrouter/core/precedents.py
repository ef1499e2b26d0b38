# SPDX-License-Identifier: GPL-2.0-or-later
"""Precedents: how a device's attempt was decided, where the same attempt again is decided alike.

Nearly all that a device does it has done before. A precedent spares working out anew what the address is
called, whether that is known and what the rules say. It lasts until something of that changes, which clears
it (`Roster.doubt`), or may have changed with time. What depends on other devices (how loud news is, or that
relatives know by now what was news) shows when it ends. That a device knows something by its relatives alone
is no precedent: it must not outlast what they know.
"""

from typing import Any, NamedTuple

from smartrouter.core.effects import Alert, Attempt, Record, Verdict
from smartrouter.core.events import FlowOpened, Moment
from smartrouter.core.policy import Attempted, Decision

LASTS = 60.0  # seconds at most: so soon shows what only time changes, such as the end of an alias
MAX_PRECEDENTS = 1024  # of one device


class News(NamedTuple):
    """What is to be told of something that a device has not learned. `is_new_port`: but it knows the name."""

    alert: Alert
    attempted: Attempted
    is_new_port: bool


class Precedent(NamedTuple):
    """`until`: in seconds of the running clock. `outcome`: what its record ends with, from the service on.
    `nameless`: it goes to a web server that has no name. `news`: None if it is known."""

    until: float
    decision: Decision
    verdict: Verdict
    outcome: tuple[Any, ...]
    nameless: bool
    news: News | None


_tuple = tuple.__new__  # makes a NamedTuple in half the time


def attempt(event: FlowOpened, precedent: Precedent, now: Moment) -> Record:
    """The record of an attempt that was decided like the one before it."""
    mac, source, destination, protocol, source_port, destination_port, _, scope = event[:8]
    begin = now.wall, mac, source, source_port, destination, destination_port, protocol, scope
    return _tuple(Record, (_tuple(Attempt, begin + precedent.outcome),))
