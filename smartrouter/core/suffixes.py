# SPDX-License-Identifier: GPL-2.0-or-later
"""The public suffix list: under which names the public registers its own (https://publicsuffix.org/list).

The list is the package publicsuffixlist's. Its own class takes three times the memory and five times the
time to be there, as it keeps each rule in Unicode too, and spells it in ASCII by a codec with large tables.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from re import MULTILINE
from re import compile as regex
from typing import Any

MOST_LABELS = 12  # that are looked at; more than any rule has
_END = ord("\n")
_RULE = regex(rb"^[^\s/]+\.\S+", MULTILINE)  # a line's first word, if it has a dot and is no comment


def public_labels(labels: Sequence[str]) -> int:
    """How many of the last `labels` are a public suffix: what is `*.`, what is named by a rule, else one.

    A rule that begins with `!` is an exception to one with `*.`, and goes before it, as what is longer goes
    before what is shorter.
    """
    public, above = 1, labels[-1] if labels else ""
    for depth in range(2, min(len(labels), MOST_LABELS) + 1):
        label = labels[-depth]
        if not _has_below(above):
            break
        if _is_rule(f"{above}.!{label}"):
            return depth - 1
        if _is_rule(f"{above}.{label}") or _is_rule(f"{above}.*"):
            public = depth
        above = f"{above}.{label}"
    else:
        if _is_rule(f"{above}.*"):  # nothing stands where any name would be public
            public = len(labels)
    return min(public, len(labels))


class _Rules(Sequence[bytes]):
    """All rules, from the last label to the first, sorted, in one piece: a text each would take four times
    the memory."""

    def __init__(self, rules: Iterable[str]):
        self._text = b"".join(rule.encode("ascii") + b"\n" for rule in sorted(rules))
        ends = (at + 1 for at, byte in enumerate(self._text) if byte == _END)
        self._starts = array("I", chain((0,), ends))

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, at: Any) -> Any:
        return self._text[self._starts[at] : self._starts[at + 1] - 1]


def _is_rule(rule: str) -> bool:
    rules, wanted = _rules(), rule.encode("ascii", "replace")
    at = bisect_left(rules, wanted)
    return at < len(rules) and rules[at] == wanted


def _has_below(name: str) -> bool:
    """Is there a rule for any name below this one?"""
    rules, wanted = _rules(), name.encode("ascii", "replace") + b"."
    at = bisect_left(rules, wanted)
    found: bytes = rules[at] if at < len(rules) else b""
    return found.startswith(wanted)


@cache
def _rules() -> _Rules:
    """But for single labels, that need none."""
    from publicsuffixlist import PSLFILE

    with open(PSLFILE, "rb") as file:
        found = _RULE.finditer(file.read())
        return _Rules(_reversed(_in_ascii(rule[0].decode().lower())) for rule in found)


def _reversed(rule: str) -> str:
    """`*.co.uk` as `uk.co.*`, `!www.ck` as `ck.!www`."""
    return ".".join(reversed(rule.split(".")))


def _in_ascii(rule: str) -> str:
    """A rule as DNS has it. Its labels are in the form already that IDNA would bring them into."""
    if rule.isascii():
        return rule
    labels = rule.split(".")
    return ".".join(
        label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii") for label in labels
    )
