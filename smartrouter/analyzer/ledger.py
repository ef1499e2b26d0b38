# SPDX-License-Identifier: GPL-2.0-or-later
"""Which leases there are, by who says so, and what changes: given, renewed, ended.

Values in, values out. A source is a lease file, or odhcpd over ubus; it always tells all of its leases. A
DHCPv6 lease may name no MAC, or that of another card of the same device: then the DHCPv4 lease with the same
host name says who it is, if there is exactly one.
"""

from collections.abc import Hashable, Iterable
from typing import NamedTuple, TypeAlias

from smartrouter.linux.lease import Lease

SETTLE = 0.5  # seconds for a missing lease to come back: dnsmasq empties its file, then writes it anew
MAX_LEASES = 8192  # of one source
_Key: TypeAlias = tuple[str, str]  # MAC, address


class LeaseNews(NamedTuple):
    """`given`: new ones, and renewed ones; `remembered`: that stood there when we first looked, or are told
    again, of which nobody knows since when; `ended`: released, or not renewed in time."""

    given: list[Lease]
    remembered: list[Lease]
    ended: list[Lease]


class Ledger:
    """Tell it what each source `took` down, then ask for the `news`."""

    def __init__(self) -> None:
        self._told: dict[Hashable, list[Lease]] = {}  # by source, as it was told
        self._known: dict[_Key, Lease] = {}
        self._missing: dict[_Key, float] = {}  # -> when we believe it
        self._fresh: set[Hashable] = set()  # sources whose new leases are new indeed
        self._given: dict[_Key, None] = {}
        self._remembered: dict[_Key, None] = {}

    def took(self, source: Hashable, leases: list[Lease] | None, now: float) -> None:
        """All leases of a source, as they are now; None if there is no such file (that ends no lease)."""
        is_fresh = source in self._fresh
        self._fresh.add(source)
        if leases is None:
            for key in {_key(lease) for lease in self._resolved(source)}:
                self._known.pop(key, None)
                self._missing.pop(key, None)
            self._told.pop(source, None)
        else:
            self._told[source] = leases[:MAX_LEASES]
        self._compare(is_fresh, now)

    def again(self) -> None:
        """Tell all of them once more."""
        self._remembered.update(dict.fromkeys(self._known))

    def news(self, now: float) -> LeaseNews:
        """What changed since the last call."""
        over = [key for key, moment in self._missing.items() if moment <= now]
        ended = []
        for key in over:
            del self._missing[key]
            if (lease := self._known.pop(key, None)) is not None:
                ended.append(lease)
        given = [lease for key in self._given if (lease := self._known.get(key))]
        remembered = [lease for key in self._remembered if (lease := self._known.get(key))]
        self._given.clear()
        self._remembered.clear()
        return LeaseNews(given, remembered, ended)

    def next_deadline(self) -> float | None:
        """When `news` has something to say by itself."""
        return min(self._missing.values(), default=None)

    def _compare(self, is_fresh: bool, now: float) -> None:
        there: dict[_Key, Lease] = {}
        for source in self._told:
            for lease in self._resolved(source):
                # Two sources may know the same; only one of them knows when it ends, or the name.
                before = there.get(_key(lease))
                if before is None or (before.hostname, before.expiry) < (lease.hostname, lease.expiry):
                    there[_key(lease)] = lease
        for key, lease in there.items():
            self._missing.pop(key, None)
            known = self._known.get(key)
            if known is not None and known.expiry == lease.expiry:
                if known.hostname == lease.hostname:
                    continue
                # Somebody else took its name, perhaps: no sign of life of its own.
                self._known[key] = lease._replace(at=known.at)
                self._remembered[key] = None
            else:
                self._known[key] = lease
                (self._given if is_fresh else self._remembered)[key] = None
        for key in self._known.keys() - there.keys():
            self._missing.setdefault(key, now + SETTLE)

    def _resolved(self, source: Hashable) -> Iterable[Lease]:
        """A source's leases with the MACs that they are believed to be of; those without any left out."""
        leases = self._told.get(source, [])
        if not any(":" in lease.address for lease in leases):
            return leases
        macs: dict[str, set[str]] = {}
        for lease in (lease for told in self._told.values() for lease in told):
            if ":" not in lease.address:
                macs.setdefault(lease.hostname.lower(), set()).add(lease.mac)
        known = {mac for owners in macs.values() for mac in owners}
        resolved = []
        for lease in leases:
            named = macs.get(lease.hostname.lower(), set()) if lease.hostname else set()
            if ":" in lease.address and lease.mac not in known and len(named) == 1:
                resolved.append(lease._replace(mac=next(iter(named))))
            elif lease.mac:
                resolved.append(lease)
        return resolved


def _key(lease: Lease) -> _Key:
    return lease.mac, lease.address
