# SPDX-License-Identifier: GPL-2.0-or-later
"""What attempts have in common, stored once: which row of `sorts` stands for it.

A row serves the attempts of one block, 4,096 by their numbers, so that rows can go with the attempts of
their block, and nobody needs to look who still uses them; where each attempt is of a sort of its own, two
blocks' rows take less than 1 MB. Whoever writes keeps those of its own rows that serve the current block;
another writer, or the same one after a failure, makes new ones, which costs a few.
"""

import sqlite3
from collections.abc import Callable

from smartrouter.core.effects import Alike
from smartrouter.store.inserts import inserts

BLOCK_BITS = 12
MAX_SORTS = 2048  # that a writer keeps, about 0.5 MB; a scan makes one for each attempt


class Sorts:
    """The rows that were made over one connection, by what they stand for. In each transaction: `begin`,
    `find` for each, `write`. Whoever rolls it back must `forget`."""

    def __init__(self) -> None:
        # The device (one that comes back has another number), the row, and what it stands for, by that; and
        # the same by the identity of that, which is quicker to ask.
        self._rows: dict[Alike, tuple[int, int, Alike]] = {}
        self._same: dict[int, tuple[int, int, Alike]] = {}
        self._block = -1
        self._last = 0
        self._new: list[int | str] = []  # the columns of rows to be written, one row behind the other

    def begin(self, conn: sqlite3.Connection, number: int) -> None:
        """What comes is for the block of attempt `number`, and as many after it as a transaction holds."""
        if number >> BLOCK_BITS != self._block or len(self._same) >= MAX_SORTS:
            self.forget()
            self._block = number >> BLOCK_BITS
        self._last = conn.execute("SELECT coalesce(max(id), 0) FROM sorts").fetchone()[0]

    def find(self, device: int, alike: Alike, row: Callable[[Alike], tuple[int | str, ...]]) -> int:
        """The row that stands for `alike` of that device; a new one gets the columns `row(alike)` behind
        `device`."""
        same = self._same.get(id(alike))
        if same is not None and same[0] == device:
            return same[1]
        found = self._rows.get(alike)
        if found is None or found[0] != device:
            self._last += 1
            found = device, self._last, alike
            self._new += (self._last, self._block, device, *row(alike))
        elif found[2] is not alike:
            found = *found[:2], alike  # kept, so that nothing else can get its identity
        if len(self._same) < MAX_SORTS:  # else what is there comes again more likely than this
            self._rows[alike] = found
            self._same[id(alike)] = found
        return found[1]

    def write(self, conn: sqlite3.Connection) -> None:
        """Write the new rows, many with a statement."""
        new, self._new = self._new, []
        done = 0
        for rows, insert in _INSERTS:
            while done + rows * _COLUMNS <= len(new):
                conn.execute(insert, new[done : done + rows * _COLUMNS])
                done += rows * _COLUMNS

    def forget(self) -> None:
        """Know of no row."""
        self._rows.clear()
        self._same.clear()
        self._new.clear()
        self._block = -1


_COLUMNS = 13
_INSERTS = inserts("sorts", _COLUMNS, 100, 10, 1)


def drop_unused(conn: sqlite3.Connection) -> int:
    """Delete the rows of blocks whose attempts are gone, but for the last such block: a transaction that
    began in it may have ended in the next. Gives how many there were."""
    return conn.execute(
        """DELETE FROM sorts WHERE id < (
            SELECT id FROM sorts WHERE block >= ((SELECT id FROM tries ORDER BY id LIMIT 1) >> ?) - 1
            ORDER BY id LIMIT 1)""",
        (BLOCK_BITS,),
    ).rowcount
