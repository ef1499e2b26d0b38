# SPDX-License-Identifier: GPL-2.0-or-later
"""What attempts have in common, stored once: which row of `sorts` stands for it.

Rows come in generations. Whoever writes uses those of its present one, and makes what it lacks; it begins
another when that is full or old, as the next writer does, or the same one after a failure, which costs a few
rows. A row bears the block, 4,096 attempts by their numbers, in which its generation began. So all attempts
of later blocks use that generation or later ones, those before it can go with the attempts of their blocks,
and nobody needs to look who still uses them. One at a time writes attempts, the guard. Where each attempt is
of a sort of its own, each block is a generation or two, and what outlives the attempts takes less than 1 MB.
"""

import sqlite3
from collections.abc import Callable

from smartrouter.core.effects import Alike
from smartrouter.store.inserts import inserts

BLOCK_BITS = 12
SPAN = 16  # blocks that a generation serves at most, if it is not full before
MAX_SORTS = 2048  # that a writer keeps, about 0.5 MB; a scan makes one for each attempt


class Sorts:
    """The rows that were made over one connection, by what they stand for. In each transaction: `begin`,
    `find` for each that `same` does not hold, with its device, by its identity; then `write`. Whoever rolls
    it back must `forget`."""

    def __init__(self) -> None:
        # The device (one that comes back has another number), the row, and what it stands for, by that; and
        # the same by the identity of that, which is quicker to ask. What is kept here has its identity alone.
        self._rows: dict[Alike, tuple[int, int, Alike]] = {}
        self.same: dict[int, tuple[int, int, Alike]] = {}
        self._block = -1
        self._last = 0
        self._new: list[int | str] = []  # the columns of rows to be written, one row behind the other

    def begin(self, conn: sqlite3.Connection, number: int) -> None:
        """What comes is for attempt `number`, and as many after it as a transaction holds."""
        block = number >> BLOCK_BITS
        if self._block < 0 or block >= self._block + SPAN or len(self.same) >= MAX_SORTS:
            self.forget()
            self._block = block
        self._last = conn.execute("SELECT coalesce(max(id), 0) FROM sorts").fetchone()[0]

    def find(self, device: int, alike: Alike, row: Callable[[Alike], tuple[int | str, ...]]) -> int:
        """The row that stands for `alike` of that device; a new one gets the columns `row(alike)` behind
        `device`."""
        same = self.same.get(id(alike))
        if same is not None and same[0] == device:
            return same[1]
        found = self._rows.get(alike)
        if found is None or found[0] != device:
            self._last += 1
            found = device, self._last, alike
            self._new += (self._last, self._block, device, *row(alike))
        elif found[2] is not alike:  # another object says the same by now
            del self._rows[alike], self.same[id(found[2])]
            found = *found[:2], alike
        if len(self.same) < MAX_SORTS:  # else what is there comes again more likely than this
            self._rows[alike] = found
            self.same[id(alike)] = found
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
        self.same.clear()
        self._new.clear()
        self._block = -1


_COLUMNS = 13
_INSERTS = inserts("sorts", _COLUMNS, 100, 10, 1)


def drop_unused(conn: sqlite3.Connection) -> int:
    """Delete the generations that only attempts used that are gone: those before the last one that began in
    an earlier block than the oldest attempt's. Gives how many rows there were."""
    return conn.execute(
        """DELETE FROM sorts WHERE id < (
            WITH oldest (block) AS (SELECT id >> ? FROM tries ORDER BY id LIMIT 1),
                later (id) AS (
                    SELECT id FROM sorts WHERE block >= (SELECT block FROM oldest) ORDER BY id LIMIT 1),
                used (block) AS (
                    SELECT sorts.block FROM sorts CROSS JOIN oldest
                    WHERE id < coalesce((SELECT id FROM later), (SELECT max(id) + 1 FROM sorts))
                    ORDER BY id DESC LIMIT 1)
            SELECT id FROM sorts WHERE block = (SELECT block FROM used) ORDER BY id LIMIT 1)""",
        (BLOCK_BITS,),
    ).rowcount
