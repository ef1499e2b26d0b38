# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether every packet that the kernel's rules counted has been dealt with, since this guard began.

    through the gate:  entered = left + withheld by the guard (+ waiting in a queue, or dropped by a full one)
    past the guard:    settled by the kernel = recorded + known to be unrecorded

What is on its way must not look lost: the kernel's figures of one look are held against ours of the next. So
no gap is there for a moment only; and where packets come without a pause, a loss shows once it is more than
what comes between two looks. Knows no clock, and no kernel.
"""

from collections.abc import Mapping
from typing import NamedTuple

# Counters of nft/smartrouter.nft.
ENTERED = (
    "known", "known_again", "queued_flows", "queued_lan", "queued_queries", "queued_shared", "queued_hellos",
    "queued_spoofed", "invalid_passed", "over_limit_passed",
)  # fmt: skip
LEFT = ("passed", "blocked", "unjudged_down")
SETTLED = ("known", "blocked_again", "denied")


class Ours(NamedTuple):
    """What the guard counts itself, of packets."""

    withheld: int = 0
    recorded: int = 0
    unrecorded: int = 0


class _Kernel(NamedTuple):
    """Sums of the ruleset's counters."""

    entered: int
    left: int
    settled: int


def _sums(counters: Mapping[str, int]) -> _Kernel:
    return _Kernel(*(sum(counters.get(name, 0) for name in names) for names in (ENTERED, LEFT, SETTLED)))


class Accounts:
    """See the module. `look` now and then."""

    def __init__(self, counters: Mapping[str, int], ours: Ours = Ours()):  # noqa: B008 - it cannot change
        """`counters`: the ruleset's when the guard begins; an earlier one may have left some."""
        self.begun = 0  # times
        self._begin(_sums(counters), ours)

    def _begin(self, kernel: _Kernel, ours: Ours) -> None:
        self.begun += 1
        self._kernel0 = self._kernel = kernel
        self._ours0 = self._ours = ours
        self._gate = self._log = 0

    def look(self, counters: Mapping[str, int], ours: Ours) -> None:
        """Take these figures down. Where the kernel counts from zero again, so is done here."""
        before, kernel = self._kernel, _sums(counters)
        if any(now < then for now, then in zip(kernel, before, strict=True)):
            self._begin(kernel, ours)
            return
        begun, own = self._kernel0, self._ours0
        left = kernel.left - begun.left + ours.withheld - own.withheld
        told = ours.recorded - own.recorded + ours.unrecorded - own.unrecorded
        self._gate = max(0, before.entered - begun.entered - left)
        self._log = max(0, before.settled - begun.settled - told)
        self._kernel, self._ours = kernel, ours

    def figures(self) -> dict[str, int]:
        """Packets, as of the last look. Keys are part of `smartrouter status --json`."""
        kernel, ours = self._kernel, self._ours
        return {
            "entered": kernel.entered - self._kernel0.entered,
            "left": kernel.left - self._kernel0.left,
            "withheld": ours.withheld - self._ours0.withheld,
            "settled": kernel.settled - self._kernel0.settled,
            "recorded": ours.recorded - self._ours0.recorded,
            "unrecorded": ours.unrecorded - self._ours0.unrecorded,
            "gap_at_gate": self._gate,
            "gap_in_log": self._log,
        }
