# SPDX-License-Identifier: GPL-2.0-or-later
"""How much all devices' books hold together. Each book has a bound of its own, but devices can be made up by
the thousand: so where all of them together hold too much, those that hold most forget what is oldest in them.
A device with as much in its book as real ones have is the last to lose anything.
"""

from collections.abc import Iterable
from typing import Protocol

MAX_PAIRS = 32_768  # of address and name, in all books: 14 MB, and as many as are taken up from the store
MAX_TARGETS = 16_384  # of aliases, likewise
BETWEEN = 2048  # things told from one look at all books to the next


class Bounded(Protocol):
    """A device's book."""

    def __len__(self) -> int: ...
    def halve(self) -> None:
        """Forget the older half."""


def make_room(books: Iterable[Bounded], most: int) -> None:
    """Where `books` hold more than `most` together, have the fullest of them forget, until a quarter of it
    is free."""
    by_size = sorted(books, key=len, reverse=True)
    total = sum(map(len, by_size))
    if total <= most:
        return
    for book in by_size:
        if total <= most * 3 // 4:
            return
        before = len(book)
        book.halve()
        total -= before - len(book)
