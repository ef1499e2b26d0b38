# SPDX-License-Identifier: GPL-2.0-or-later
"""When to speak again of what was said before, where no message can take another's place: when it was
decided, and else at most once an hour. What is remembered for that is the receipt.
"""

import re
from typing import NamedTuple

from smartrouter.notify.message import Message

QUIET = 3600.0  # seconds


class Said(NamedTuple):
    """When something was last said, and whether it was decided by then."""

    at: float
    is_decided: bool


def receipt_for(message: Message, now: float) -> str:
    """The receipt of what is said `now` (epoch seconds, as everywhere here)."""
    return f"{int(now)}{'+' if message.outcome else ''}"


def read(receipt: str) -> Said | None:
    """The reverse; None for a receipt that is none of ours, such as ''."""
    found = re.fullmatch(r"([0-9]+)(\+?)", receipt)
    return Said(float(found[1]), bool(found[2])) if found else None


def is_due(message: Message, receipt: str, now: float) -> bool:
    """Whether `message` is to be said `now`, after what `receipt` is for."""
    said = read(receipt)
    if said is None:
        return True
    if message.outcome:
        return not said.is_decided
    return not 0 <= now - said.at < QUIET  # a clock that was set back is no reason to be silent for long
