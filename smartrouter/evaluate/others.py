# SPDX-License-Identifier: GPL-2.0-or-later
"""How much of other devices' traffic a device's profile would let pass.

A profile that fits every device protects none. Each device in turn is asked, as it stands at its own last
attempt, about everything that the other devices went to: with the name that they had for it, or the bare
address. What passes only because relatives know it (kin) is counted apart: it is no part of the profile, and
depends on who else lives in the house. It must not know how the judge tells what is known.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from smartrouter.core.judge import Judge
from smartrouter.core.policy import Reason
from smartrouter.evaluate.ledger import Tally, Visit


class Accepted(NamedTuple):
    """Of `attempts` of other devices, `known` would have been known, and `kin` more by relatives."""

    known: int
    kin: int
    attempts: int

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.known / self.attempts if self.attempts else 0.0


def accepted_of_others(
    judge: Judge, tallies: Mapping[str, Tally], visits: Sequence[Visit]
) -> dict[str, Accepted]:
    """By MAC, for each device that has learned anything."""
    found = {}
    for mac, tally in tallies.items():
        device = judge.roster.devices.get(mac)
        if tally.ended is None or device is None or not device.learning.learned:
            continue
        known = kin = attempts = 0
        for visit in visits:
            if visit.mac != mac:
                reason = judge.finds(mac, visit.name, visit.address, visit.service, tally.ended)
                known += visit.count * (reason is Reason.LEARNED)
                kin += visit.count * (reason is Reason.KIN)
                attempts += visit.count
        found[mac] = Accepted(known, kin, attempts)
    return found
