# SPDX-License-Identifier: GPL-2.0-or-later
"""Is a MAC in use in two places at once? A device has one; a MAC in two networks is two devices, one of which
pretends to be the other, or one that has just moved.

A place is an interface of the router's. Bounded; knows no clock: `at` is in seconds, of any clock.
"""

from collections import OrderedDict

AT_ONCE = 600.0  # seconds within which both places were heard from
MAX_DEVICES = 4096


class Places:
    """Where each MAC was heard from."""

    def __init__(self) -> None:
        self._places: OrderedDict[str, dict[str, float]] = OrderedDict()

    def heard(self, mac: str, interface: str, at: float) -> tuple[str, ...]:
        """`mac` was heard from on `interface`. All its places, if that is a second one at the same time; each
        time that it gets another."""
        places = self._places.setdefault(mac, {})
        self._places.move_to_end(mac)
        if len(self._places) > MAX_DEVICES:
            self._places.popitem(last=False)
        is_new = interface not in places
        places[interface] = max(at, places.get(interface, at))
        for gone in [place for place, seen in places.items() if at - seen > AT_ONCE]:
            del places[gone]
        return tuple(sorted(places)) if is_new and len(places) > 1 else ()

    def left(self, mac: str) -> None:
        """`mac` is nowhere any more."""
        self._places.pop(mac, None)
