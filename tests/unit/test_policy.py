# SPDX-License-Identifier: GPL-2.0-or-later
"""The decision table, row by row, and the reason codes."""

import pytest

from smartrouter.core.policy import (
    KNOWN,
    REASONS,
    ROUTINE,
    Action,
    Decision,
    Reason,
    Standing,
    decide,
)

LEARNING = Standing(learning=True)
MONITOR = Standing(learning=False)
ENFORCE = Standing(learning=False, enforcing=True)
NAME, ADDRESS, PORT = Reason.UNKNOWN_NAME, Reason.UNKNOWN_ADDRESS, Reason.NEW_PORT


@pytest.mark.parametrize(
    ("standing", "action", "found", "expected"),
    [
        (LEARNING, None, Reason.LEARNED, Decision(True, Reason.LEARNED)),
        (LEARNING, None, NAME, Decision(True, Reason.LEARNING)),
        (LEARNING._replace(enforcing=True), None, NAME, Decision(True, Reason.LEARNING)),
        (LEARNING, Action.DENY, Reason.LEARNED, Decision(False, Reason.DENIED_BY_RULE)),
        (MONITOR, None, Reason.LEARNED, Decision(True, Reason.LEARNED)),
        (MONITOR, None, Reason.KIN, Decision(True, Reason.KIN)),
        (MONITOR, None, NAME, Decision(True, NAME, alert=True)),
        (MONITOR, None, ADDRESS, Decision(True, ADDRESS, alert=True)),
        (MONITOR, None, PORT, Decision(True, PORT, alert=True, routine=True)),
        (MONITOR, Action.DENY, Reason.LEARNED, Decision(False, Reason.DENIED_BY_RULE)),
        (ENFORCE, None, Reason.LEARNED, Decision(True, Reason.LEARNED)),
        (ENFORCE, None, Reason.KIN, Decision(True, Reason.KIN)),
        (ENFORCE, None, Reason.TIME, Decision(True, Reason.TIME)),
        (ENFORCE, None, NAME, Decision(False, NAME, alert=True)),
        (ENFORCE, None, ADDRESS, Decision(False, ADDRESS, alert=True)),
        (ENFORCE, None, PORT, Decision(False, PORT, alert=True, routine=True)),
        (ENFORCE, Action.ALLOW, ADDRESS, Decision(True, Reason.ALLOWED_BY_RULE)),
        (ENFORCE, Action.DENY, Reason.LEARNED, Decision(False, Reason.DENIED_BY_RULE)),
        (ENFORCE._replace(paused=True), None, ADDRESS, Decision(True, Reason.PAUSED, alert=True)),
        (
            ENFORCE._replace(after_outage=True),
            None,
            ADDRESS,
            Decision(True, Reason.AFTER_OUTAGE, alert=True, routine=True),
        ),
        (ENFORCE._replace(after_outage=True), None, NAME, Decision(False, NAME, alert=True)),
        (MONITOR._replace(isolated=True), None, NAME, Decision(False, Reason.ISOLATED, alert=True)),
        (MONITOR._replace(isolated=True), None, Reason.LEARNED, Decision(True, Reason.LEARNED)),
    ],
)
def test_decision_table(standing: Standing, action: Action | None, found: Reason, expected: Decision) -> None:
    assert decide(standing, action, found, named=found is not ADDRESS) == expected


def test_what_is_known_is_never_routine_news() -> None:
    assert KNOWN.isdisjoint(ROUTINE)


def test_every_reason_has_its_sentence() -> None:
    assert set(REASONS) == set(Reason)
    assert all(text.endswith(".") for text in REASONS.values())
