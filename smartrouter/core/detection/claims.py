# SPDX-License-Identifier: GPL-2.0-or-later
"""Who uses which local address: two devices that fight over one, and many devices behind one MAC.

An address that moves to another MAC once is a new lease. One that goes to and fro is used by two at the
same time: a mistake, or somebody who answers in another's place (ARP spoofing). A MAC with several IPv4
addresses at the same time is a repeater, or a router, that hides devices; of IPv6 addresses every device
has several. Bounded; knows no clock: `now` is seconds of a clock that never jumps.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from smartrouter.core.eras import LONGEST, Eras

FIGHT = 600.0  # seconds within which an address must come back to the MAC that had it before
AT_THE_SAME_TIME = 600.0  # seconds within which addresses of one MAC count as used together
MANY = 3  # IPv4 addresses of one MAC
MAX_ADDRESSES = 4096
_MAX_OF_ONE = 16


class Fight(NamedTuple):
    """`mac` and `other` use `address` by turns."""

    address: str
    mac: str
    other: str


class Crowd(NamedTuple):
    """Several devices seem to be behind `mac`: it uses all these IPv4 addresses."""

    mac: str
    addresses: tuple[str, ...]


class _Owner:
    __slots__ = ("before", "lost", "mac", "seen")

    def __init__(self, mac: str, now: float):
        self.mac, self.seen = mac, now
        self.before, self.lost = "", now  # who had it before, and when that one lost it


class Claims:
    """See the module. An address that changes hands, or is forgotten, ends the era."""

    def __init__(self, eras: Eras | None = None) -> None:
        self._eras = eras or Eras()
        self._owners: OrderedDict[str, _Owner] = OrderedDict()
        self._of: dict[str, OrderedDict[str, None]] = {}  # IPv4 addresses of a MAC

    def is_settled(self, mac: str, address: str, now: float) -> bool:
        """Was `mac` the last to use `address`, as it does now? Then there is nothing to find, as nearly
        always."""
        owner = self._owners.get(address)
        if owner is None or owner.mac != mac:
            return False
        if now - owner.seen >= LONGEST:
            owner.seen = now
            self._owners.move_to_end(address)
        return True

    def user_of(self, address: str) -> str:
        """The MAC that was the last to use `address`, '' if none is known."""
        owner = self._owners.get(address)
        return "" if owner is None else owner.mac

    def users(self) -> Iterator[tuple[str, str]]:
        """Each address and the MAC that was the last to use it."""
        return ((address, owner.mac) for address, owner in self._owners.items())

    def claimed(self, mac: str, address: str, now: float) -> Fight | Crowd | None:
        """`mac` uses `address` now. Gives what is remarkable about that."""
        owner = self._owners.get(address)
        fight = None
        if owner is None:
            owner = self._owners[address] = _Owner(mac, now)
            if len(self._owners) > MAX_ADDRESSES:
                self._eras.end()
                gone, lost = self._owners.popitem(last=False)
                self._no_longer(lost.mac, gone)
        elif owner.mac != mac:
            if owner.before == mac and now - owner.lost <= FIGHT:
                fight = Fight(address, mac, owner.mac)
            self._eras.end()
            self._no_longer(owner.mac, address)
            owner.before, owner.lost, owner.mac = owner.mac, now, mac
        owner.seen = now
        self._owners.move_to_end(address)
        return fight or self._crowd(mac, address, now)

    def _crowd(self, mac: str, address: str, now: float) -> Crowd | None:
        if ":" in address or address.startswith("169.254."):
            return None
        mine = self._of.setdefault(mac, OrderedDict())
        mine[address] = None
        mine.move_to_end(address)
        if len(mine) > _MAX_OF_ONE:
            mine.popitem(last=False)
        lately = [each for each in mine if now - self._owners[each].seen <= AT_THE_SAME_TIME]
        return Crowd(mac, tuple(lately)) if len(lately) >= MANY else None

    def _no_longer(self, mac: str, address: str) -> None:
        mine = self._of.get(mac)
        if mine is not None:
            mine.pop(address, None)
            if not mine:
                del self._of[mac]
