# SPDX-License-Identifier: GPL-2.0-or-later
"""Eras: stretches of time in which no device's precedents were cleared, and no local address changed hands.

What is found to hold in an era holds until it ends, and who has found it so need not look again: he compares
one thing instead of all that it follows from. Any thread may ask; what ends an era at that very moment is not
acknowledged yet.
"""

from math import inf

LONGEST = 1.0  # seconds: who uses an address is to be noted that often


class Eras:
    """See the module. `until`: seconds of the running clock at which the present one ends by itself."""

    def __init__(self) -> None:
        self._present = object()
        self.until = -inf

    def end(self) -> None:
        """What was found to hold must be looked at once more."""
        self._present, self.until = object(), -inf

    def at(self, running: float) -> object:
        """The present one, to be compared by `is`."""
        if running > self.until:
            self._present, self.until = object(), running + LONGEST
        return self._present
