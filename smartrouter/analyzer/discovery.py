# SPDX-License-Identifier: GPL-2.0-or-later
"""From neighbours and leases to devices: who is on the local network, and what is known of each.

Values in, values out; knows neither sockets, files, the store nor the guard. Only what stands behind a
local interface is a device: upstream routers answer for their addresses too. Bounded: of more than
`MAX_DEVICES` MACs the one that was silent for longest goes.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from ipaddress import IPv4Interface, IPv6Interface, ip_address
from math import inf
from typing import NamedTuple

from smartrouter.core.classification import Classification, Evidence, classify
from smartrouter.core.classification.portrait import Portrait
from smartrouter.core.identity.places import Places
from smartrouter.linux.leases import Lease
from smartrouter.linux.neighbours import Neighbour

MAX_DEVICES = 4096
SETTLED = 86400.0  # seconds after which a device that was taken for an IoT device remains one
MAX_ADDRESSES = 16  # of one device; IPv6 privacy extensions make a new one each day
FRESH_ENOUGH = 300.0  # seconds by which a device's `last_seen` may lag behind: flash wears


class Network(NamedTuple):
    """The local side. `lan`, `iot`: interface names, every MAC on those of `iot` is watched; `prefixes`:
    their addresses, by which a lease is known to be theirs; `own`: MACs that are no device's: the router's
    own, and its upstream router's, should that be on a local interface."""

    lan: frozenset[str]
    iot: frozenset[str]
    prefixes: tuple[tuple[str, IPv4Interface | IPv6Interface], ...] = ()
    own: frozenset[str] = frozenset()

    def is_local(self, interface: str) -> bool:
        """Is it one of ours?"""
        return interface in self.lan or interface in self.iot

    def holds(self, neighbour: Neighbour) -> bool:
        """Is this a device of the local network, not the router itself?"""
        return self.is_local(neighbour.interface) and neighbour.mac not in self.own

    def place_of(self, lease: Lease) -> str:
        """The local interface whose network a device's lease belongs to; '' if none."""
        try:
            bare = ip_address(lease.address)
        except ValueError:
            return ""
        if lease.mac in self.own:
            return ""
        for interface, prefix in self.prefixes:
            if bare in prefix.network and self.is_local(interface):
                return interface
        return ""


class Found(NamedTuple):
    """A device as it is known now. `addresses`: latest first; `at`: last heard of (epoch seconds); `present`:
    whether it is there (see `presence`); `port`: the port of the bridge it is behind, '' if none is known;
    `called`: the name that it announces; `since`: first heard of; `iot_since`: None if it is not taken for an
    IoT device; `probably`: the MAC that it seems to have had before, '' if none, and why."""

    mac: str
    addresses: tuple[str, ...]
    hostname: str
    maker: str
    interface: str
    on_iot_network: bool
    kind: Classification
    at: float
    present: bool = True
    port: str = ""
    called: str = ""
    since: float = inf
    iot_since: float | None = None
    probably: str = ""
    probably_reasons: tuple[str, ...] = ()


class Remembered(NamedTuple):
    """What an earlier run has found out about a device."""

    mac: str
    hostname: str
    since: float
    iot_since: float | None


def _no_portrait(_mac: str) -> Portrait | None:
    """Where nobody listens to what devices say of themselves."""
    return None


class Inventory:
    """The devices found so far. Tell it `heard`, `leased` and `shown`, then ask for the `news`."""

    def __init__(
        self,
        network: Network,
        maker_of: Callable[[str], str],
        portrait_of: Callable[[str], Portrait | None] = _no_portrait,
    ):
        self.network = network
        self._maker_of = maker_of
        self._portrait_of = portrait_of
        self._places = Places()
        self._spread: list[tuple[str, tuple[str, ...]]] = []
        self._devices: OrderedDict[str, Found] = OrderedDict()  # the one heard of last is at the end
        self._reported: dict[str, float] = {}  # mac -> `at` of the news that were handed out last
        self._news: dict[str, None] = {}

    def restore(self, devices: Iterable[Remembered], now: float) -> None:
        """What an earlier run has found out: no news, but not to be forgotten."""
        for mac, hostname, since, iot_since in devices:
            found = self._devices.get(mac) or self._new(mac)
            found = found._replace(
                hostname=found.hostname or hostname,
                since=min(found.since, since),
                iot_since=iot_since if found.iot_since is None else found.iot_since,
            )
            self._devices[mac] = self._judged(found, now)

    def heard(self, neighbours: Iterable[Neighbour]) -> None:
        """Devices answered for their addresses."""
        for neighbour in neighbours:
            if self.network.holds(neighbour):
                self._update(*neighbour)
                if places := self._places.heard(neighbour.mac, neighbour.interface, neighbour.at):
                    self._spread.append((neighbour.mac, places))

    def leased(self, leases: Iterable[Lease]) -> None:
        """Devices were given their addresses."""
        for lease in leases:
            if interface := self.network.place_of(lease):
                self._update(lease.mac, lease.address, interface, lease.at, lease.hostname)

    def stands(self, mac: str, present: bool, port: str) -> None:
        """Whether a device is there, and behind which port of its bridge."""
        before = self._devices.get(mac)
        if not present:
            self._places.left(mac)
        if before is not None and (before.present, before.port) != (present, port):
            self._devices[mac] = before._replace(present=present, port=port)
            if before.interface:  # it was seen here, not only remembered
                self._news[mac] = None

    def shown(self, macs: Iterable[str], now: float) -> None:
        """These have shown something of themselves (epoch seconds). What is shown by a MAC that was not found
        yet counts once it is."""
        for mac in macs:
            before = self._devices.get(mac)
            if before is not None:
                self._take(before, self._judged(before, now))

    def doubted(self, mac: str) -> None:
        """Something else seems to use this MAC: that does not make the device something else."""
        found = self._devices.get(mac)
        if found is not None and found.kind.iot:
            self._devices[mac] = found._replace(iot_since=0.0)

    def recognised(self, mac: str, before: str, reasons: tuple[str, ...]) -> None:
        """The device seems to be one that had another MAC before; '' if it does not."""
        found = self._devices.get(mac)
        if found is not None:
            self._take(found, found._replace(probably=before, probably_reasons=reasons))

    def spread(self) -> list[tuple[str, tuple[str, ...]]]:
        """The MACs that are in use on several interfaces at once, and these, since the last call."""
        spread, self._spread = self._spread, []
        return spread

    def of(self, mac: str) -> Found | None:
        """The device with this MAC."""
        return self._devices.get(mac)

    def news(self) -> list[Found]:
        """The devices that are new, or of which something changed, since the last call."""
        news = [self._devices[mac] for mac in self._news if mac in self._devices]
        self._news.clear()
        self._reported.update((device.mac, device.at) for device in news)
        return news

    def absent(self) -> list[Found]:
        """The devices that are known, and are not there."""
        return [found for found in self._devices.values() if not (found.present and found.interface)]

    def everything(self) -> list[Found]:
        """All devices that were found on an interface that is local now."""
        return [device for device in self._devices.values() if self.network.is_local(device.interface)]

    def _update(self, mac: str, address: str, interface: str, at: float, hostname: str = "") -> None:
        before = self._devices.get(mac)
        if before is None:
            self._make_room()
            before = self._new(mac)
        addresses = before.addresses
        if address not in addresses[:1]:
            addresses = (address, *(other for other in addresses if other != address))[:MAX_ADDRESSES]
        after = before._replace(
            addresses=addresses,
            interface=interface,
            on_iot_network=interface in self.network.iot,
            at=max(at, before.at),
            since=min(at, before.since),
        )
        if hostname not in ("", before.hostname) or not before.kind.reasons:
            after = self._judged(after, at, hostname)
        self._take(before, after)
        self._devices.move_to_end(mac)

    def _take(self, before: Found, after: Found) -> None:
        self._devices[after.mac] = after
        if after.interface and self._is_news(before, after):
            self._news[after.mac] = None

    def _judged(self, device: Found, now: float, hostname: str = "") -> Found:
        """`device` with the kind that all we know of it speaks for. What was an IoT device for long is not
        let go for what it says now: that may be somebody else's word."""
        portrait = self._portrait_of(device.mac)
        if portrait is None:
            evidence = Evidence(device.mac, maker=device.maker)
        else:
            evidence = portrait.evidence(device.maker)
        evidence = evidence._replace(hostname=evidence.hostname or hostname or device.hostname)
        kind, since = classify(evidence), device.iot_since
        if not kind.iot and since is not None and now - since >= SETTLED:
            reasons = (*kind.reasons, "but it was an IoT device until lately")
            return device._replace(kind=Classification(True, 0.5, reasons))
        return device._replace(
            hostname=evidence.hostname,
            called=evidence.names[0] if evidence.names else "",
            kind=kind,
            iot_since=(now if since is None else since) if kind.iot else None,
        )

    def _is_news(self, before: Found, after: Found) -> bool:
        reported = self._reported.get(after.mac)
        if reported is None or after.at > reported + FRESH_ENOUGH:
            return True
        same = after._replace(addresses=(), at=0.0, since=0.0) == before._replace(
            addresses=(), at=0.0, since=0.0
        )
        return not same or set(after.addresses) != set(before.addresses)

    def _new(self, mac: str) -> Found:
        return Found(mac, (), "", self._maker_of(mac), "", False, Classification(None, 0.0, ()), 0.0)

    def _make_room(self) -> None:
        if len(self._devices) >= MAX_DEVICES:
            mac, _ = self._devices.popitem(last=False)
            self._reported.pop(mac, None)
