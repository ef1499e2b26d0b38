# SPDX-License-Identifier: GPL-2.0-or-later
"""When to speak again of what was said before."""

import pytest
from unit.made_alarms import message

from smartrouter.notify.repeats import QUIET, Said, is_due, read, receipt_for

NOW = 1_522_180_900.0
SAID = receipt_for(message(), NOW)
DECIDED = receipt_for(message(outcome="Allowed"), NOW)


@pytest.mark.parametrize(
    ("later", "outcome", "receipt", "due"),
    [
        (0, "", "", True),
        (0, "", "garbage", True),
        (1, "", SAID, False),
        (QUIET - 2, "", SAID, False),
        (QUIET, "", SAID, True),
        (1, "Allowed", SAID, True),
        (1, "Allowed", DECIDED, False),
        (2 * QUIET, "Allowed", DECIDED, False),
        (-QUIET, "", SAID, True),  # the clock was set back
    ],
)
def test_it_is_said_again_when_decided_or_after_an_hour(
    later: float, outcome: str, receipt: str, due: bool
) -> None:
    assert is_due(message(outcome=outcome), receipt, NOW + later) is due


@pytest.mark.parametrize(
    ("receipt", "said"),
    [("", None), ("x", None), ("17", Said(17.0, False)), ("17+", Said(17.0, True)), ("17+\n", None)],
)
def test_receipts_are_read(receipt: str, said: Said | None) -> None:
    assert read(receipt) == said
