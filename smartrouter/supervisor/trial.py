# SPDX-License-Identifier: GPL-2.0-or-later
"""A mode on trial: when it is over. Pure.

Until when it lasts stands in the configuration, as a time of the clock, so that it ends after a restart, too.
A clock cannot be trusted (a router's begins in 1970): a trial also ends when it has lasted its time by the
monotonic clock, and at once when its end is further off than any trial lasts.
"""

from smartrouter.supervisor.editing import LONGEST_TRIAL

SLACK = 60.0  # seconds by which a clock may be corrected meanwhile


class Trial:
    """The trial that the configuration in use speaks of, if any."""

    def __init__(self) -> None:
        self.until: float | None = None  # epoch seconds
        self._deadline = 0.0  # monotonic

    def take(self, until: float | None, wall: float, now: float) -> None:
        """The configuration says `until` (None: there is no trial)."""
        if until is not None and until != self.until:
            self._deadline = now + max(0.0, until - wall)
        self.until = until

    def is_over(self, wall: float, now: float) -> bool:
        """Must the mode go back now?"""
        if self.until is None:
            return False
        left = self.until - wall
        return left <= 0 or left > LONGEST_TRIAL + SLACK or now >= self._deadline
