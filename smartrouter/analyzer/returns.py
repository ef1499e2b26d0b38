# SPDX-License-Identifier: GPL-2.0-or-later
"""Which new devices with a random MAC are probably ones that were here before, under another MAC.

Asks `core.identity.likeness` of those who are away; a device that is there is not the one that has just come.
Where a device changes its MAC without a gap, nobody sees it go: so one behind the same port of the bridge
counts as away until it is heard of again. What is found is noted in the inventory, for a person to decide.
Knows neither the store nor the network.
"""

from collections.abc import Iterable, Mapping

from smartrouter.analyzer.discovery import Found, Inventory
from smartrouter.analyzer.gallery import Gallery
from smartrouter.core.classification import is_randomised
from smartrouter.core.classification.evidence import Evidence
from smartrouter.core.identity.likeness import Looks, likeliest

MAX_COMPARED = 512  # devices that are away


class Returns:
    """See the module."""

    def __init__(self, inventory: Inventory, gallery: Gallery):
        self._inventory = inventory
        self._gallery = gallery

    def look(self, macs: Iterable[str], needs: Mapping[str, frozenset[str]]) -> None:
        """These devices have shown something, or need something else. `needs`: the name groups that devices
        were seen to need, by MAC."""
        told, there = {*macs}, self._inventory.everything()
        news = [f for f in there if is_randomised(f.mac) and (f.mac in told or f.probably in told)]
        if not news:
            return
        away = sorted(self._inventory.absent(), key=lambda found: -found.at)[:MAX_COMPARED]
        for found in news:
            silent = [each for each in there if each.present and _may_have_become(each, found)]
            earlier = [each for each in (*away, *silent) if each.since < found.since]
            known = [self._looks(each, needs) for each in earlier if each.mac != found.mac]
            best = likeliest(self._looks(found, needs), known)
            if best is None:
                self._inventory.recognised(found.mac, "", ())
            else:
                self._inventory.recognised(found.mac, best.mac, best.reasons)

    def _looks(self, found: Found, needs: Mapping[str, frozenset[str]]) -> Looks:
        portrait = self._gallery.of(found.mac)
        needed = needs.get(found.mac, frozenset())
        if portrait is None:
            return Looks(Evidence(found.mac, found.hostname, found.maker), (), needed)
        evidence = portrait.evidence(found.maker)
        if not evidence.hostname:
            evidence = evidence._replace(hostname=found.hostname)
        return Looks(evidence, portrait.ids, needed)


def _may_have_become(one: Found, other: Found) -> bool:
    """Was nothing heard of `one` since `other` is there, behind the same port?"""
    return bool(one.port) and one.port == other.port and one.at < other.since
