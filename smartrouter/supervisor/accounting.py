# SPDX-License-Identifier: GPL-2.0-or-later
"""Has the kernel count bytes while smartrouter runs, and leaves the switch as it was found.

Switched on only once connections are tracked (the guard's rules see to that), and only if it is off. At the
end it is switched off again, but only by the process that has switched it on, and only if nobody else can be
seen to go by what becomes of connections. Whoever is killed leaves it on: that costs nobody anything.
"""

from smartrouter.core.errors import Unavailable
from smartrouter.journal import Journal
from smartrouter.linux import accounting

log = Journal("smartrouter.supervisor")

EVERY = 10.0  # seconds between two looks


class Accounting:
    """See the module. Times are CLOCK_MONOTONIC seconds."""

    def __init__(self) -> None:
        self._is_ours = False
        self._next_look = 0.0
        self._problem = ""

    def keep_on(self, now: float) -> None:
        """Switch it on, if it is off. Only once: who switches it off meanwhile will have a reason, which
        `status` and `doctor` tell of."""
        if now < self._next_look or self._is_ours:
            return
        self._next_look = now + EVERY
        if accounting.is_on() is not False:
            return
        try:
            accounting.turn(on=True)
        except Unavailable as error:
            if str(error) != self._problem:
                log.warning("%s", error)
            self._problem = str(error)
            return
        self._is_ours = True
        log.info("the kernel counts the bytes of connections from now on (nf_conntrack_acct)")

    def give_back(self) -> None:
        """Switch it off, if it was off before us and nobody else needs it."""
        if not self._is_ours:
            return
        self._is_ours, self._next_look = False, 0.0
        if accounting.is_on() and not accounting.somebody_listens():
            try:
                accounting.turn(on=False)
            except Unavailable as error:
                log.warning("%s", error)
