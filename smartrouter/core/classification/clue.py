# SPDX-License-Identifier: GPL-2.0-or-later
"""What one clue is, and how a device's own words are shown in it: they may hold anything."""

from typing import NamedTuple

LONGEST = 40  # characters of a device's own words in a phrase; host names are up to 63


class Clue(NamedTuple):
    """One thing that speaks for or against: `feature` is what the weights go by, `phrase` is for a person.

    `strength`: 0 to 1, how much of it there is."""

    feature: str
    phrase: str
    strength: float = 1.0


def plain(text: str) -> str:
    """A registry's words as they are, if they are harmless; `shown` if not."""
    return text if len(text) <= LONGEST * 2 and text.isprintable() else shown(text)


def shown(text: str) -> str:
    """`text` in backquotes, cut where it is long; characters that a terminal might obey become escapes."""
    kept = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    if kept.isprintable() and "`" not in kept:
        return f"`{kept}`"
    return "`" + "".join(c if c.isprintable() and c != "`" else _escape(c) for c in kept) + "`"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii") if character != "`" else "\\x60"
