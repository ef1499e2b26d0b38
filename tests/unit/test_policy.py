# SPDX-License-Identifier: GPL-2.0-or-later
"""The decision table, row by row, and the reason codes."""

import pytest

from smartrouter.core.destinations import Destination, Match
from smartrouter.core.policy import (
    REASONS,
    Action,
    Attempted,
    Decision,
    Reason,
    Rule,
    Standing,
    decide,
)

KNOWN = Attempted("203.0.113.1", "web", ("api.known.example",))
UNKNOWN = Attempted("203.0.113.2", "web", ("new.example",))
UNNAMED = Attempted("203.0.113.3", "tcp/23", ())
LEARNED = {Destination("known.example", "web"): None}
DENY = (Rule("*", "known.example", "", Action.DENY),)

LEARNING = Standing(learning=True)
MONITOR = Standing(learning=False)
ENFORCE = Standing(learning=False, enforcing=True)


@pytest.mark.parametrize(
    ("standing", "rules", "attempted", "expected"),
    [
        (LEARNING, (), KNOWN, Decision(True, Reason.LEARNED)),
        (LEARNING, (), UNKNOWN, Decision(True, Reason.LEARNING)),
        (LEARNING._replace(enforcing=True), (), UNKNOWN, Decision(True, Reason.LEARNING)),
        (LEARNING, DENY, KNOWN, Decision(False, Reason.DENIED_BY_RULE)),
        (MONITOR, (), KNOWN, Decision(True, Reason.LEARNED)),
        (MONITOR, (), UNKNOWN, Decision(True, Reason.UNKNOWN_NAME, alert=True)),
        (MONITOR, (), UNNAMED, Decision(True, Reason.UNKNOWN_ADDRESS, alert=True)),
        (MONITOR, DENY, KNOWN, Decision(False, Reason.DENIED_BY_RULE)),
        (ENFORCE, (), KNOWN, Decision(True, Reason.LEARNED)),
        (ENFORCE, (), UNKNOWN, Decision(False, Reason.UNKNOWN_NAME, alert=True)),
        (ENFORCE, (), UNNAMED, Decision(False, Reason.UNKNOWN_ADDRESS, alert=True)),
        (ENFORCE, DENY, KNOWN, Decision(False, Reason.DENIED_BY_RULE)),
        (ENFORCE._replace(paused=True), (), UNNAMED, Decision(True, Reason.PAUSED, alert=True)),
        (ENFORCE._replace(after_outage=True), (), UNNAMED, Decision(True, Reason.AFTER_OUTAGE, alert=True)),
        (
            ENFORCE._replace(after_outage=True),
            (),
            UNKNOWN,
            Decision(False, Reason.UNKNOWN_NAME, alert=True),
        ),
        (MONITOR._replace(isolated=True), (), UNKNOWN, Decision(False, Reason.ISOLATED, alert=True)),
        (MONITOR._replace(isolated=True), (), KNOWN, Decision(True, Reason.LEARNED)),
    ],
)
def test_decision_table(
    standing: Standing, rules: tuple[Rule, ...], attempted: Attempted, expected: Decision
) -> None:
    assert decide(standing, rules, LEARNED, attempted, Match.DOMAIN, wall=0.0) == expected


def test_a_name_learned_for_one_service_is_unknown_for_another() -> None:
    attempted = KNOWN._replace(service="tcp/22")
    assert decide(ENFORCE, (), LEARNED, attempted, Match.DOMAIN, 0.0).accept is False


def test_every_reason_has_its_sentence() -> None:
    assert set(REASONS) == set(Reason)
    assert all(text.endswith(".") for text in REASONS.values())
