# SPDX-License-Identifier: GPL-2.0-or-later
"""From neighbours and leases to devices: who is on the local network, and what is known of each.

Values in, values out; knows neither sockets, files, the store nor the guard. Only what stands behind a
local interface is a device: upstream routers answer for their addresses too. Bounded: of more than
`MAX_DEVICES` MACs the one that was silent for longest goes.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from ipaddress import IPv4Interface, IPv6Interface, ip_address
from typing import NamedTuple

from smartrouter.core.classification import Classification, Evidence, classify
from smartrouter.linux.leases import Lease
from smartrouter.linux.neighbours import Neighbour

MAX_DEVICES = 4096
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


class Found(NamedTuple):
    """A device as it is known now. `addresses`: latest first; `at`: last heard of (epoch seconds); `present`:
    whether it is there (see `presence`); `port`: the port of the bridge it is behind, '' if none is known."""

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


class Inventory:
    """The devices found so far. Tell it `heard` and `leased`, then ask for the `news`."""

    def __init__(self, network: Network, maker_of: Callable[[str], str]):
        self.network = network
        self._maker_of = maker_of
        self._devices: OrderedDict[str, Found] = OrderedDict()  # the one heard of last is at the end
        self._reported: dict[str, float] = {}  # mac -> `at` of the news that were handed out last
        self._news: dict[str, None] = {}

    def restore(self, devices: Iterable[tuple[str, str]]) -> None:
        """Host names by MAC, as an earlier run has found them: no news, but not to be forgotten."""
        for mac, hostname in devices:
            found = self._devices.get(mac)
            if hostname and (found is None or not found.hostname):
                found = (found or self._new(mac))._replace(hostname=hostname)
                self._devices[mac] = found._replace(kind=_kind(found))

    def heard(self, neighbours: Iterable[Neighbour]) -> None:
        """Devices answered for their addresses."""
        for neighbour in neighbours:
            if self.network.holds(neighbour):
                self._update(*neighbour)

    def leased(self, leases: Iterable[Lease]) -> None:
        """Devices were given their addresses."""
        for lease in leases:
            interface = self._interface_of(lease.address)
            if interface and lease.mac not in self.network.own:
                self._update(lease.mac, lease.address, interface, lease.at, lease.hostname)

    def stands(self, mac: str, present: bool, port: str) -> None:
        """Whether a device is there, and behind which port of its bridge."""
        before = self._devices.get(mac)
        if before is not None and (before.present, before.port) != (present, port):
            self._devices[mac] = before._replace(present=present, port=port)
            if before.interface:  # it was seen here, not only remembered
                self._news[mac] = None

    def news(self) -> list[Found]:
        """The devices that are new, or of which something changed, since the last call."""
        news = [self._devices[mac] for mac in self._news if mac in self._devices]
        self._news.clear()
        self._reported.update((device.mac, device.at) for device in news)
        return news

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
            hostname=hostname or before.hostname,
            interface=interface,
            on_iot_network=interface in self.network.iot,
            at=max(at, before.at),
        )
        if hostname and hostname != before.hostname:
            after = after._replace(kind=_kind(after))
        self._devices[mac] = after
        self._devices.move_to_end(mac)
        if self._is_news(before, after):
            self._news[mac] = None

    def _is_news(self, before: Found, after: Found) -> bool:
        reported = self._reported.get(after.mac)
        if reported is None or after.at > reported + FRESH_ENOUGH:
            return True
        same = after._replace(addresses=(), at=0.0) == before._replace(addresses=(), at=0.0)
        return not same or set(after.addresses) != set(before.addresses)

    def _new(self, mac: str) -> Found:
        bare = Found(mac, (), "", self._maker_of(mac), "", False, Classification(None, 0.0, ()), 0.0)
        return bare._replace(kind=_kind(bare))

    def _make_room(self) -> None:
        if len(self._devices) >= MAX_DEVICES:
            mac, _ = self._devices.popitem(last=False)
            self._reported.pop(mac, None)

    def _interface_of(self, address: str) -> str:
        """The local interface whose network `address` belongs to; '' if none."""
        try:
            bare = ip_address(address)
        except ValueError:
            return ""
        for interface, prefix in self.network.prefixes:
            if bare in prefix.network and self.network.is_local(interface):
                return interface
        return ""


def _kind(device: Found) -> Classification:
    return classify(Evidence(device.mac, device.hostname, device.maker))
