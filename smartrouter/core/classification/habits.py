# SPDX-License-Identifier: GPL-2.0-or-later
"""How a device behaves: how much it connects and asks, to how many, how regularly.

Things go to the same few places again and again; people's devices go to new ones. Of the places only numbers
are kept: digests, other ones for each device, and so short that thousands of the world's domains have the
same. So what is stored is no list of where a device has been. Local names and reverse lookups say nothing.

Bounded. Time is any count of seconds that goes on while the device is watched; where it jumps, since a clock
was set, no time has passed.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from smartrouter.core.classification.signs import Behaviour
from smartrouter.core.classification.stored import count, entry, numbers, seconds
from smartrouter.core.names import is_local, is_special_use, registrable_domain
from smartrouter.core.public.personal import personal_domain

MAX_GROUPS = 256  # that are told apart; a thing needs a dozen, and who needs more is none
_MAX_PERSONAL = 64
_HOUR = 3600.0
_JUMP = 366 * 86400.0
_SAME_QUESTION = 10.0  # seconds; resolvers of systems ask again after 2 to 5
_DIGEST = 2  # bytes; of 256 groups, one at most is then taken for another


class _Visits:
    """Attempts of one sort: how many, and how many of them to where it had been before."""

    __slots__ = ("again", "groups", "times")

    def __init__(self, times: int = 0, again: int = 0, groups: frozenset[int] = frozenset()):
        self.times = times
        self.again = again
        self.groups = set(groups)

    def add(self, group: int) -> None:
        self.times += 1
        if group in self.groups:
            self.again += 1
        elif len(self.groups) < MAX_GROUPS:
            self.groups.add(group)

    def to_json(self) -> dict[str, Any]:
        return {"times": self.times, "again": self.again, "groups": sorted(self.groups)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "_Visits":
        times = count(stored.get("times"))
        groups = frozenset(numbers(stored.get("groups"), MAX_GROUPS, bits=8 * _DIGEST))
        return cls(times, min(count(stored.get("again")), times), groups)


class Habits:
    """See the module. `key`: whatever is the device's own, so that its digests are like nobody else's."""

    __slots__ = (
        "_asked",
        "_busiest",
        "_hour",
        "_hours",
        "_key",
        "_last",
        "_opened",
        "_personal",
        "_question",
        "_questioned",
        "_span",
        "_within",
    )

    def __init__(self, key: str):
        self._key = key.encode()
        self._opened, self._asked = _Visits(), _Visits()
        self._personal: set[int] = set()
        self._span = 0.0
        self._question = -1  # the latest,
        self._questioned = 0.0  # and when it came
        self._last = 0.0  # when something came; says nothing while `_hours` is 0
        self._hour = 0  # the one that is on, since time began
        self._hours = 0  # different ones
        self._within: set[int] = set()  # groups in this hour
        self._busiest = 0

    def opened(self, group: str, at: float) -> None:
        """It opened a connection: `group` is a registrable domain, or an address without a name."""
        self._went(self._opened, group, personal_domain(group), at)

    def asked(self, name: str, at: float) -> None:
        """It asked for a domain name. To ask for the IPv6 addresses as well, or again since no answer came,
        is the same question."""
        question = self._digest(name)
        is_same = question == self._question and 0 <= at - self._questioned < _SAME_QUESTION
        if name and not is_same and not is_local(name) and not is_special_use(name):
            self._went(self._asked, registrable_domain(name), personal_domain(name), at)
            self._question, self._questioned = question, at

    def _went(self, visits: _Visits, group: str, personal: str, at: float) -> None:
        self._pass(at)
        digest = self._digest(group)
        visits.add(digest)
        if len(self._within) < MAX_GROUPS:
            self._within.add(digest)
        self._busiest = max(self._busiest, len(self._within))
        if personal and len(self._personal) < _MAX_PERSONAL:
            self._personal.add(self._digest(personal))

    def _pass(self, at: float) -> None:
        passed = at - self._last if self._hours else 0.0
        hour = int(at // _HOUR)
        if 0 < passed < _JUMP:
            self._span += passed
        # Packets may be a little out of order: then it is still the hour that it was.
        if not self._hours or hour > self._hour or hour < self._hour - 1:
            self._hour, self._within = hour, set()
            self._hours += 1
        self._last = max(self._last, at) if passed > -_HOUR else at

    def _digest(self, text: str) -> int:
        data = text.encode("utf-8", "replace")
        return int.from_bytes(blake2b(data, digest_size=_DIGEST, key=self._key[:64]).digest(), "big")

    def behaviour(self) -> Behaviour | None:
        """What it comes to; None if there was nothing yet."""
        if not self._hours:
            return None
        more = max(self._opened, self._asked, key=lambda visits: visits.times)
        return Behaviour(
            span=self._span,
            hours=self._hours,
            attempts=more.times,
            groups=len(self._opened.groups | self._asked.groups),
            busiest_hour=self._busiest,
            personal=len(self._personal),
            repeated=more.again / more.times if more.times else 0.0,
        )

    def to_json(self) -> dict[str, Any]:
        """All of it but for what this hour's groups are."""
        return {
            "span": self._span,
            "last": self._last,
            "hours": self._hours,
            "busiest": self._busiest,
            "opened": self._opened.to_json(),
            "asked": self._asked.to_json(),
            "personal": sorted(self._personal),
        }

    @classmethod
    def from_json(cls, key: str, stored: Mapping[str, Any]) -> "Habits":
        """What `to_json` gave; of what is anything else, nothing."""
        habits = cls(key)
        habits._span, habits._last = seconds(stored.get("span")), seconds(stored.get("last"))
        habits._hour = int(habits._last // _HOUR)
        habits._hours, habits._busiest = count(stored.get("hours")), count(stored.get("busiest"))
        habits._opened = _Visits.from_json(entry(stored.get("opened")))
        habits._asked = _Visits.from_json(entry(stored.get("asked")))
        habits._personal = set(numbers(stored.get("personal"), _MAX_PERSONAL, bits=8 * _DIGEST))
        return habits
