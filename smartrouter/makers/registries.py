# SPDX-License-Identifier: GPL-2.0-or-later
"""What the IEEE's registries say, as others hand it on: text in, prefixes and names out. No I/O.

Two forms are read: the IEEE's own CSV files (oui.csv, mam.csv, oui36.csv, iab.csv, as Debian's ieee-data has
them too), and Wireshark's `manuf`, one file of all four, in which names written in capitals only are written
otherwise. IAB (36 bits) is what came before MA-S; both go by the same length here.
"""

import csv
import re
from collections.abc import Iterable, Iterator

from smartrouter.core.errors import SmartrouterError
from smartrouter.makers.table import LENGTHS, Prefix

# Registered to hand out longer prefixes; registered without saying to whom.
NOBODY = frozenset({"ieee registration authority", "private"})
_AT_LEAST = {24: 30_000, 28: 4_000, 36: 5_000}  # prefixes; fewer than in 2022, and there are always more
_KNOWN = {0x00000C: "cisco", 0x001788: "philips", 0x000393: "apple", 0x18FE34: "espressif"}  # by /24
_LONGEST_NAME = 200  # letters; in 2026 it has 108
_MANUF = re.compile(r"([0-9A-F]{2}(?::[0-9A-F]{2}){2,5})(?:/(\d\d))?\s*\t[^\t]*\t(.*)")
_JOKE = "Officially Xerox, but 0:0:0:0:0:0 is more common"  # Wireshark's own name for 00:00:00


class BadRegistry(SmartrouterError):
    """The text is no registry, or one that cannot be whole."""


def from_manuf(text: str) -> dict[Prefix, str]:
    """The prefixes in Wireshark's `manuf`. Raises BadRegistry."""
    return _collected(_manuf_lines(text))


def from_csv(texts: Iterable[str]) -> dict[Prefix, str]:
    """The prefixes in the IEEE's CSV files. Raises BadRegistry."""
    return _collected(row for text in texts for row in _csv_rows(text))


def refuse_nonsense(prefixes: dict[Prefix, str]) -> None:
    """Raise BadRegistry unless this can be the registries in full: enough of each, and well-known makers."""
    for bits, least in _AT_LEAST.items():
        count = sum(length == bits for _, length in prefixes)
        if count < least:
            raise BadRegistry(f"{count} prefixes of {bits} bits, where there are {least} at least")
    for prefix, word in _KNOWN.items():
        name = prefixes.get((prefix, 24), "")
        if not name.lower().startswith(word):
            raise BadRegistry(f"{prefix:06X} is {name!r}, where it should begin with {word!r}")


def _collected(entries: Iterable[tuple[int, int, str]]) -> dict[Prefix, str]:
    prefixes: dict[Prefix, str] = {}
    for prefix, bits, name in entries:
        name = "".join(letter for letter in " ".join(name.split()) if letter.isprintable())
        if bits not in LENGTHS:
            raise BadRegistry(f"a prefix of {bits} bits ({prefix:X}, {name!r})")
        if len(name) > _LONGEST_NAME:
            raise BadRegistry(f"{prefix:X} has a name that cannot be one: {name!r:.80}")
        # A few are registered twice, from the time before there was a registry: the first one stays.
        prefixes.setdefault((prefix, bits), "" if name.lower() in NOBODY else name)
    return prefixes


def _manuf_lines(text: str) -> Iterator[tuple[int, int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _MANUF.fullmatch(line)
        if found is None:
            raise BadRegistry(f"line {number} is none of a `manuf` file: {line[:80]!r}")
        digits, bits, name = found[1].replace(":", ""), int(found[2] or 24), found[3]
        yield int(digits[: bits // 4], 16), bits, "Xerox Corporation" if name == _JOKE else name


def _csv_rows(text: str) -> Iterator[tuple[int, int, str]]:
    rows = csv.reader(text.splitlines(keepends=True))
    heading = next(rows, [])
    if heading[:3] != ["Registry", "Assignment", "Organization Name"]:
        raise BadRegistry(f"no CSV file of the IEEE: it begins with {heading!r:.80}")
    for row in rows:
        if len(row) < 3 or not re.fullmatch("[0-9A-F]{6,9}", row[1]):
            raise BadRegistry(f"line {rows.line_num} is none of the IEEE: {row!r:.80}")
        yield int(row[1], 16), 4 * len(row[1]), row[2]
