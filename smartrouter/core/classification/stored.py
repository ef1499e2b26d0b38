# SPDX-License-Identifier: GPL-2.0-or-later
"""What was stored as JSON, read back with nothing taken for granted: another version may have written it, or
a disk have bent it. What is not what it should be is like nothing; nothing is longer than it may be.
"""

from collections.abc import Mapping
from typing import Any

_MOST = 1 << 53  # what JSON's readers agree on, RFC 8259 section 6


def entry(value: object) -> Mapping[str, Any]:
    """An object, {} for anything else."""
    return value if isinstance(value, dict) else {}


def entries(value: object, most: int) -> list[Any]:
    """The first `most` of a list, [] for anything else."""
    return value[:most] if isinstance(value, list) else []


def count(value: object, most: int = _MOST) -> int:
    """A number of things, 0 for anything else."""
    return value if type(value) is int and 0 <= value <= most else 0


def seconds(value: object) -> float:
    """A time that has passed, 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value) if 0 <= value <= _MOST else 0.0  # NaN is neither


def numbers(value: object, most: int, *, bits: int) -> list[int]:
    """The numbers below 2**`bits` in a list."""
    return [it for it in entries(value, most) if type(it) is int and 0 <= it < 1 << bits]


def text(value: object, most: int) -> str:
    """A text, cut; '' for anything else."""
    return value[:most].encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def texts(value: object, most: int, longest: int) -> list[str]:
    """The texts in a list that say something."""
    return [it for it in (text(it, longest) for it in entries(value, most)) if it]
