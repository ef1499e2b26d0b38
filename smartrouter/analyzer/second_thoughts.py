# SPDX-License-Identifier: GPL-2.0-or-later
"""What people decide about alerts besides rules, and what becomes of alerts when a decision is taken back.

An alert is dismissed or opened again by its number. A rule that is taken back soon after it was made opens
the alerts again that it decided: who says so within a day has thought again; who tidies up old rules does not
want last month's alerts back. Knows the store; whom to ask, and when, is `work`'s business.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from smartrouter.config import RuleConfig
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.store.alerts import AlertState, alert, alerts_decided, set_alert_state

SOON = 86400.0  # seconds
_BY_RULE = (AlertState.ALLOWED, AlertState.DENIED)
_WANTED = {"dismiss": AlertState.DISMISSED, "reopen": AlertState.OPEN}
_FROM = {"dismiss": (AlertState.OPEN,), "reopen": (AlertState.DISMISSED,)}


class CannotDecide(SmartrouterError):
    """There is no such alert, or it is not in a state in which this can be decided."""


def see(conn: sqlite3.Connection | None, do: str, number: object, by: object, wall: float) -> dict[str, Any]:
    """`dismiss` or `reopen` the alert of this number, on the word of `by`, at `wall` (epoch seconds); gives
    its `state` then. Raises CannotDecide, Unavailable, sqlite3.Error."""
    if conn is None:
        raise Unavailable("the analyzer cannot write to the store at the moment; see `smartrouter status`")
    if not isinstance(number, int) or not isinstance(by, str):
        raise CannotDecide("an alert has a number, and who decides about it a name")
    found = alert(conn, number)
    if found is None:
        raise CannotDecide(f"there is no alert {number}; perhaps it was too old to be kept")
    wanted = _WANTED[do]
    if found.state == wanted:
        return {"state": found.state}  # a click too many
    if found.state not in _FROM[do]:
        raise CannotDecide(f"alert {number} is {found.state}: " + _instead(found.state))
    decided = (by, wall) if wanted is AlertState.DISMISSED else ("", None)
    set_alert_state(conn, number, wanted, *decided)
    return {"state": str(wanted)}


def taken_back(before: Iterable[RuleConfig], after: Iterable[RuleConfig], wall: float) -> list[RuleConfig]:
    """The rules that are there no more, and were made not long before `wall` (epoch seconds)."""
    left = set(map(_decision, after))
    return [
        rule
        for rule in before
        if rule.at is not None and abs(wall - rule.at) <= SOON and _decision(rule) not in left
    ]


def open_again(conn: sqlite3.Connection, rules: Sequence[RuleConfig]) -> int:
    """Open the alerts again that these rules have decided; gives how many."""
    opened = 0
    for rule in rules:
        for found in alerts_decided(conn, rule.by, rule.at):
            if found.state in _BY_RULE and rule.device in ("*", found.mac):
                opened += set_alert_state(conn, found.id, AlertState.OPEN)
    return opened


def _decision(rule: RuleConfig) -> tuple[str, str, str, str, float | None]:
    """What tells one decision from another, though it be about the same."""
    return rule.device, rule.destination, rule.service, rule.by, rule.at


def _instead(state: str) -> str:
    if state == AlertState.MERGED:
        return "a greater alert stands in its place"
    return "a rule decides about it; take the rule back to be asked again"
