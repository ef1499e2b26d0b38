# SPDX-License-Identifier: GPL-2.0-or-later
"""Our table in the kernel, as this guard loaded it: whether somebody else took it away.

Asked several times a second, so the question must cost next to nothing: only when the kernel's rules have
changed at all, whoever changed them, is our table looked for.
"""

from smartrouter.linux import nftables, ruleset
from smartrouter.linux.netlink import Netlink, unavailable
from smartrouter.linux.ruleset import Plan


class Table:
    """See the module. `loaded`: the plan that it was last made of."""

    def __init__(self, plan: Plan):
        self.loaded = plan
        self._link = Netlink()
        self._generation = -1

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

    def close(self) -> None:
        """Give the socket back. The table stays."""
        self._link.close()
