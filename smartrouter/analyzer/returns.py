# SPDX-License-Identifier: GPL-2.0-or-later
"""Which new devices with a random MAC are probably ones that were here before, under another MAC.

Asks `core.identity.likeness` of those who are away; a device that is there is not the one that has just come.
Where a device changes its MAC without a gap, nobody sees it go: so one behind the same port of the bridge
counts as away until it is heard of again. What is found is noted in the inventory, for a person to decide.
Only so many are looked at in one turn: who makes MACs up by the thousand keeps nobody waiting for the rest of
our work. Knows neither the store nor the network.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from heapq import nlargest
from itertools import islice

from smartrouter.analyzer.discovery import Found, Inventory
from smartrouter.analyzer.gallery import Gallery
from smartrouter.core.classification import is_randomised
from smartrouter.core.classification.evidence import Evidence
from smartrouter.core.identity.likeness import Looks, likeliest

MAX_COMPARED = 512  # devices that are away, and as many that may have become another
MAX_AT_ONCE = (
    8  # devices that are compared in one turn: some 50 ms where each has all those to be compared with
)
MAX_WAITING = 512  # for their turn; of more the first go, which may come again
_NOTHING = Looks(Evidence(""), (), frozenset())


class Returns:
    """See the module."""

    def __init__(self, inventory: Inventory, gallery: Gallery):
        self._inventory = inventory
        self._gallery = gallery
        self._waiting: OrderedDict[str, None] = OrderedDict()

    @property
    def is_behind(self) -> bool:
        """Are there devices that wait for another call of `look`?"""
        return bool(self._waiting)

    def look(self, macs: Iterable[str], needs: Mapping[str, frozenset[str]]) -> None:
        """These devices have shown something, or need something else; some of them are looked at now, or of
        those before them. `needs`: the name groups that devices were seen to need, by MAC."""
        told, there = {*macs}, self._inventory.everything()
        for found in there:
            if is_randomised(found.mac) and (found.mac in told or found.probably in told):
                self._waiting[found.mac] = None
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)
        if not self._waiting:
            return
        away = nlargest(MAX_COMPARED, self._inventory.absent(), key=lambda found: found.at)
        known = {found.mac: looks for found in away if _says(looks := self._looks(found, needs))}
        for mac in list(islice(self._waiting, MAX_AT_ONCE)):
            del self._waiting[mac]
            new = self._inventory.of(mac)
            if new is not None:
                self._compare(new, away, there, known, needs)

    def _compare(
        self,
        new: Found,
        away: list[Found],
        there: Iterable[Found],
        known: dict[str, Looks],
        needs: Mapping[str, frozenset[str]],
    ) -> None:
        """See which of `away`, or `there`, `new` probably is. `known`: how those of them look that say
        anything; grows."""
        best = None
        looks = self._looks(new, needs)
        if _says(looks):
            may = (each for each in there if each.present and _may_have_become(each, new))
            silent = nlargest(MAX_COMPARED, may, key=lambda found: found.at)
            for each in silent:
                if each.mac not in known and _says(old := self._looks(each, needs)):
                    known[each.mac] = old
            earlier = [
                each.mac for each in (*away, *silent) if each.since < new.since and each.mac != new.mac
            ]
            best = likeliest(looks, [known[mac] for mac in earlier if mac in known])
        if best is None:
            self._inventory.recognised(new.mac, "", ())
        else:
            self._inventory.recognised(new.mac, best.mac, best.reasons)

    def _looks(self, found: Found, needs: Mapping[str, frozenset[str]]) -> Looks:
        portrait = self._gallery.of(found.mac)
        needed = needs.get(found.mac, frozenset())
        if portrait is None:
            return Looks(Evidence(found.mac, found.hostname, found.maker), (), needed)
        evidence = portrait.evidence(found.maker)
        if not evidence.hostname:
            evidence = evidence._replace(hostname=found.hostname)
        return Looks(evidence, portrait.ids, needed)


def _says(looks: Looks) -> bool:
    """Is there anything by which it may be like another?"""
    evidence = looks.evidence
    return looks._replace(evidence=evidence._replace(mac="", maker="")) != _NOTHING


def _may_have_become(one: Found, other: Found) -> bool:
    """Was nothing heard of `one` since `other` is there, behind the same port?"""
    return bool(one.port) and one.port == other.port and one.at < other.since
