# SPDX-License-Identifier: GPL-2.0-or-later
"""Attacker's text as text that does nothing and hides nothing. Every way out (terminal, messages) begins with
this, and then escapes what its own format could act on.
"""

import unicodedata

# Control, format (bidirectional overrides, zero width), surrogate, private use, unassigned, separators.
_HOSTILE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters, marks and symbols that show nothing all the same (Unicode's Default_Ignorable_Code_Point, and the
# blank Braille pattern); the variation selectors 1 to 16 stay, emoji are written with them.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_MORE_SELECTORS = range(0xE0100, 0xE01F0)


def inert(text: str) -> str:
    """`text` with everything that a terminal could act on, or that hides, as a visible escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(c) if _is_hostile(c) else c for c in text)


def cut(text: str, longest: int) -> str:
    """`text`, ended by an ellipsis where it has more than `longest` characters (1 or more)."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _is_hostile(character: str) -> bool:
    return (
        unicodedata.category(character) in _HOSTILE_CATEGORIES
        or character in _BLANK
        or ord(character) in _MORE_SELECTORS
    )


def _visible(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
