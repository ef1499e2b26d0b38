# SPDX-License-Identifier: GPL-2.0-or-later
"""The links (network interfaces) of this host and their addresses, as rtnetlink's messages tell of them.

Messages in, values out; who gets them is `rtnetlink`'s business. Flags are those of <linux/if.h>.
"""

import os
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

Prefix: TypeAlias = IPv4Interface | IPv6Interface

_UP, _LOWER_UP = 0x1, 0x10000  # IFF_UP: by the operator; IFF_LOWER_UP: there is a carrier
_AF_BRIDGE = 7
_STACKED = ("vlan", "macvlan", "macvtap", "ipvlan")  # kinds whose IFLA_LINK is what they stand on
_SYSFS = Path("/sys/class/net")
_DEEPEST = 8  # links upon links


class Link(NamedTuple):
    """`kind`: the kernel's word for it ('bridge', 'vlan', 'veth', …), 'wlan', or 'ethernet' where it has
    none. `master`: number of the bridge (or bond) that it is a port of, 0 without. `parent`: number of the
    link that a VLAN or macvlan stands on. `vlan`: its VLAN id, 0 if it is no VLAN. `up`: packets can pass."""

    number: int
    name: str
    mac: str
    kind: str
    master: int = 0
    vlan: int = 0
    parent: int = 0
    up: bool = False


class LinkChanged(NamedTuple):
    """A link came (`before` is None), went (`after` is None), or is not what it was: another name, another
    master, up or down."""

    before: Link | None
    after: Link | None


class AddressChanged(NamedTuple):
    """An interface was given an address, or (not `there`) has lost it."""

    interface: str
    prefix: Prefix
    there: bool


class Links:
    """All of them, as far as `take` was told. Numbers are the kernel's (ifindex), names those of now."""

    def __init__(self) -> None:
        self._links: dict[int, Link] = {}
        self._prefixes: dict[int, dict[Prefix, None]] = {}

    def take(self, message: Mapping[str, Any]) -> LinkChanged | AddressChanged | None:
        """What a message on a link or an address changes; None if nothing."""
        match message["event"]:
            case "RTM_NEWLINK" if message["family"] != _AF_BRIDGE:  # those are a port's details only
                return self._changed(message["index"], _link(message))
            case "RTM_DELLINK" if message["family"] != _AF_BRIDGE:  # … or that it is no port any more
                return self._changed(message["index"], None)
            case "RTM_NEWADDR":
                return self._addressed(message, True)
            case "RTM_DELADDR":
                return self._addressed(message, False)
            case _:
                return None

    def take_all(
        self, links: Iterable[Mapping[str, Any]], addresses: Iterable[Mapping[str, Any]]
    ) -> list[LinkChanged | AddressChanged]:
        """The same of everything that there is: what is not mentioned is gone."""
        there = [(message["index"], message) for message in links]
        gone = self._links.keys() - dict(there).keys()
        changes: list[LinkChanged | AddressChanged | None] = [self._changed(index, None) for index in gone]
        changes += [self.take(message) for _, message in there]
        held: set[tuple[int, Prefix]] = set()
        for message in addresses:
            if prefix := _prefix(message):
                held.add((message["index"], prefix))
                changes.append(self.take(message))
        for index, prefixes in list(self._prefixes.items()):
            for prefix in [p for p in prefixes if (index, p) not in held]:
                changes.append(self._set_address(index, prefix, False))
        return [change for change in changes if change is not None]

    def name(self, number: int) -> str:
        """'' if there is none of that number."""
        link = self._links.get(number)
        return link.name if link else ""

    def numbered(self, number: int) -> Link | None:
        """The link of that number."""
        return self._links.get(number)

    def named(self, name: str) -> Link | None:
        """The link of that name."""
        return next((link for link in self._links.values() if link.name == name), None)

    def all(self) -> list[Link]:
        """In no order."""
        return list(self._links.values())

    def bridge_below(self, name: str) -> str:
        """The bridge that an interface is, or stands on (a VLAN of it); '' if none."""
        link = self.named(name)
        for _ in range(_DEEPEST):
            if link is None or link.kind == "bridge":
                break
            link = self._links.get(link.parent)
        return link.name if link and link.kind == "bridge" else ""

    def own_macs(self) -> frozenset[str]:
        """Of all interfaces of this host."""
        return frozenset(link.mac for link in self._links.values() if link.mac)

    def prefixes(self) -> list[tuple[str, Prefix]]:
        """The addresses of this host with their prefix lengths, by interface."""
        return [
            (self._links[index].name, prefix)
            for index, prefixes in self._prefixes.items()
            if index in self._links
            for prefix in prefixes
        ]

    def _changed(self, index: int, after: Link | None) -> LinkChanged | None:
        before = self._links.pop(index, None)
        if after is not None:
            self._links[index] = after
        elif before is not None:
            self._prefixes.pop(index, None)
        return LinkChanged(before, after) if before != after else None

    def _addressed(self, message: Mapping[str, Any], there: bool) -> AddressChanged | None:
        prefix = _prefix(message)
        return self._set_address(message["index"], prefix, there) if prefix else None

    def _set_address(self, index: int, prefix: Prefix, there: bool) -> AddressChanged | None:
        prefixes = self._prefixes.setdefault(index, {})
        if (prefix in prefixes) is there:
            return None  # only its lifetime is another
        if there:
            prefixes[prefix] = None
        else:
            del prefixes[prefix]
        name = self.name(index)
        return AddressChanged(name, prefix, there) if name else None


def _link(message: Mapping[str, Any]) -> Link:
    attributes = dict(message["attrs"])
    name = os.fsdecode(attributes.get("IFLA_IFNAME") or "")  # bytes, where it is no UTF-8
    info = dict((attributes.get("IFLA_LINKINFO") or {}).get("attrs", ()))
    kind = os.fsdecode(info.get("IFLA_INFO_KIND") or _hardware(name))
    data = info.get("IFLA_INFO_DATA")
    details = dict(data.get("attrs", ())) if isinstance(data, Mapping) else {}
    elsewhere = attributes.get("IFLA_LINK_NETNSID") is not None  # the parent's index means nothing here
    return Link(
        number=message["index"],
        name=name,
        mac=_mac(attributes.get("IFLA_ADDRESS")),
        kind=kind,
        master=attributes.get("IFLA_MASTER") or 0,
        vlan=details.get("IFLA_VLAN_ID") or 0,
        parent=(attributes.get("IFLA_LINK") or 0) if kind in _STACKED and not elsewhere else 0,
        up=message["flags"] & (_UP | _LOWER_UP) == _UP | _LOWER_UP,
    )


def _mac(given: object) -> str:
    """'' for none, and for the null one of the loopback and of tunnels."""
    mac = given.lower() if isinstance(given, str) else ""
    return "" if mac.strip("0:") == "" or len(mac) != 17 else mac


def _hardware(name: str) -> str:
    return "wlan" if (_SYSFS / name / "phy80211").exists() else "ethernet"


def _prefix(message: Mapping[str, Any]) -> Prefix | None:
    attributes = dict(message["attrs"])
    # IFA_LOCAL is ours; on a point-to-point link IFA_ADDRESS is the other end's.
    address = attributes.get("IFA_LOCAL") or attributes.get("IFA_ADDRESS")
    try:
        return ip_interface(f"{address}/{message['prefixlen']}") if address else None
    except ValueError:
        return None
