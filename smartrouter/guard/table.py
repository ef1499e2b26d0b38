# SPDX-License-Identifier: GPL-2.0-or-later
"""Our table in the kernel, as this guard loaded it: whether somebody else took it away, or emptied its sets.

Asked several times a second, so the question must cost next to nothing: only when the kernel's rules have
changed at all, whoever changed them, is our table looked for.
"""

import time
from collections.abc import Callable, Set

from smartrouter.linux import nftables, ruleset
from smartrouter.linux.netlink import Netlink, unavailable
from smartrouter.linux.ruleset import Plan

SETTLES = 0.2  # seconds: what this guard is about to put into a set itself is in it by then
AGAIN = 5.0  # seconds between two looks at sets that lack something though they were filled again


class Table:
    """See the module. `loaded`: the plan that it was last made of."""

    def __init__(self, plan: Plan):
        self.loaded = plan
        self._link = Netlink()
        self._generation = self._whole = -1  # when the table was there, and when its sets lacked nothing
        self._lacked: Set[object] = frozenset()  # at the last look
        self._refilled = False
        self._next_look = 0.0

    def load(self, plan: Plan) -> None:
        """Make the kernel's table what `plan` says. Raises what `ruleset.load` does."""
        ruleset.load(plan)
        self.loaded = plan

    def was_taken_away(self) -> bool:
        """Is it gone, or empty? Raises Unavailable."""
        try:
            generation = nftables.generation(self._link)
        except OSError as error:
            raise unavailable(error) from error
        if generation == self._generation:
            return False
        is_there = ruleset.is_present()
        if is_there:
            self._generation = generation
        return not is_there

    def was_emptied(self, lack: Callable[[], Set[object]]) -> bool:
        """Do its sets lack what they should hold, as `lack` looks? Only what is still lacking a while later
        counts: this guard itself may have been about to put it in, as it always is while new devices keep
        coming. After `was_taken_away`."""
        at = time.monotonic()
        if self._generation == self._whole or at < self._next_look:
            return False
        before, self._lacked = self._lacked, lack()
        if not self._lacked:
            self._whole, self._refilled = self._generation, False
        elif before & self._lacked:
            self._next_look = at + AGAIN * self._refilled
            self._lacked, self._refilled = frozenset(), True
            return True
        else:
            self._next_look = at + SETTLES
        return False

    def close(self) -> None:
        """Give the socket back. The table stays."""
        self._link.close()
