# SPDX-License-Identifier: GPL-2.0-or-later
"""Which new devices with a random MAC are probably ones that were here before, under another MAC.

Asks `core.identity.likeness` of those who are away; a device that is there is not the one that has just come.
What is found is noted in the inventory, for a person to decide. Knows neither the store nor the network.
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
        found_now = (self._inventory.of(mac) for mac in macs if is_randomised(mac))
        news = [found for found in found_now if found is not None]
        if not news:
            return
        away = sorted(self._inventory.absent(), key=lambda found: -found.at)[:MAX_COMPARED]
        for found in news:
            earlier = [each for each in away if each.mac != found.mac and each.since < found.since]
            known = [self._looks(each, needs) for each in earlier]
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
