# SPDX-License-Identifier: GPL-2.0-or-later
"""The public suffix list: under which names the public registers its own (https://publicsuffix.org/list).

The list is the package publicsuffixlist's. Its own class takes three times the memory and five times the
time to be there, as it keeps each rule in Unicode too, and spells it in ASCII by a codec with large tables.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from re import MULTILINE
from re import compile as regex
from typing import NamedTuple

MOST_LABELS = 12  # that are looked at; more than any rule has
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


class _Rules(NamedTuple):
    """All rules by their hashes, and all names that are above a rule, each sorted: as texts they would take
    ten times the memory. Hashes have the bits of the machine's words, and another secret in each process, so
    that nobody can look for a name with the hash of a rule."""

    rules: "array[int]"
    above: "array[int]"


def _is_rule(rule: str) -> bool:
    return _is_among(hash(rule), _rules().rules)


def _has_below(name: str) -> bool:
    """Is there a rule for any name below this one?"""
    return _is_among(hash(name), _rules().above)


def _is_among(number: int, numbers: "array[int]") -> bool:
    at = bisect_left(numbers, number)
    return at < len(numbers) and numbers[at] == number


@cache
def _rules() -> _Rules:
    """But for single labels, that need none."""
    from publicsuffixlist import PSLFILE

    rules: set[int] = set()
    above: set[int] = set()
    with open(PSLFILE, "rb") as file:
        for found in _RULE.finditer(file.read()):
            rule = _reversed(_in_ascii(found[0].decode().lower()))
            rules.add(hash(rule))
            labels = rule.split(".")
            above.update(hash(".".join(labels[:count])) for count in range(1, len(labels)))
    return _Rules(array("q", sorted(rules)), array("q", sorted(above)))


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
