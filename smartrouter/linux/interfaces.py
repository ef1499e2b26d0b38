# SPDX-License-Identifier: GPL-2.0-or-later
"""Which interfaces the configured networks are: `lan` on OpenWrt is `br-lan`; elsewhere the names are taken
as they stand. Values in, names out; knows nothing of the configuration file.

What comes in through a port of a bridge, the rules see as coming from the bridge: for a port, its bridge is
taken. Standard library only: the supervisor asks.
"""

import json
import os
import re
import socket
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from smartrouter.core.errors import Unavailable
from smartrouter.linux import openwrt

_ZONE = re.compile(r"\w[\w-]*", re.ASCII)
_SYSFS = "/sys/class/net"
_DEEPEST = 4  # a port of a bond that is a port of a bridge


class Interfaces(NamedTuple):
    """Names of interfaces that exist. `iot`: those where every MAC is watched, all of them in `lan` too.
    `missing`: what was configured and is not there (yet). `ports`: what was configured and is a port, each
    with the bridge that is taken instead; a whole bridge is never in `iot` for the sake of a port."""

    lan: tuple[str, ...]
    iot: tuple[str, ...]
    missing: tuple[str, ...]
    ports: tuple[tuple[str, str], ...] = ()


def find(networks: Sequence[str], devices: Sequence[str], iot_networks: Sequence[str]) -> Interfaces:
    """Turn `list network`, `list device` and `list iot_network` into names of interfaces.

    Raises Unavailable if none of them exists, saying which do.
    """
    there = present()
    known = _openwrt_networks() if networks or iot_networks else {}
    lan: list[str] = []
    iot: list[str] = []
    missing: list[str] = []
    ports: dict[str, str] = {}
    for names, found in ((devices, [lan]), (networks, [lan]), (iot_networks, [lan, iot])):
        for name in names:
            interfaces = (name,) if names is devices else _of_network(name, known, there)
            interfaces = tuple(interface for interface in interfaces if interface in there)
            if not interfaces:
                missing.append(name)
            for interface in interfaces:
                bridge = bridge_of(interface)
                if bridge:
                    ports[interface] = bridge
                for into in found[:1] if bridge else found:
                    if (bridge or interface) not in into:
                        into.append(bridge or interface)
    if not lan:
        raise Unavailable(_nothing_found(missing, there))
    return Interfaces(tuple(lan), tuple(iot), tuple(dict.fromkeys(missing)), tuple(ports.items()))


def present() -> frozenset[str]:
    """The interfaces of this network namespace, without the loopback."""
    return frozenset(name for _, name in socket.if_nameindex() if name != "lo")


def bridge_of(name: str) -> str:
    """The bridge (or bond) that an interface is a port of; '' if none."""
    found = ""
    for _ in range(_DEEPEST):
        try:
            # In a namespace of its own, /sys may still be another's.
            with open(f"{_SYSFS}/{name}/ifindex") as file:
                if int(file.read()) != socket.if_nametoindex(name):
                    break
            name = os.path.basename(os.readlink(f"{_SYSFS}/{name}/master"))
        except (OSError, ValueError):
            break
        if not any(os.path.isdir(f"{_SYSFS}/{name}/{kind}") for kind in ("bridge", "bonding")):
            break
        found = name
    return found


def _of_network(name: str, known: dict[str, str], there: Collection[str]) -> tuple[str, ...]:
    if name in known:
        return (known[name],)
    if zone := _firewall_zone(name):
        return zone
    # Not OpenWrt, or not one of its networks: the name of an interface, or of a bridge as OpenWrt calls it.
    return (name,) if name in there else (f"br-{name}",)


def _openwrt_networks() -> dict[str, str]:
    """netifd's logical networks and the interfaces that carry their addresses; {} without netifd."""
    try:
        dump = json.loads(openwrt.answer("ubus", "call", "network.interface", "dump") or "{}")
        entries: list[dict[str, Any]] = dump.get("interface", [])
        pairs = [(entry.get("interface"), entry.get("l3_device") or entry.get("device")) for entry in entries]
    except (ValueError, AttributeError, TypeError):
        return {}
    return {name: device for name, device in pairs if isinstance(name, str) and isinstance(device, str)}


def _firewall_zone(name: str) -> tuple[str, ...]:
    """The interfaces of OpenWrt's firewall zone of that name."""
    return tuple((openwrt.answer("fw4", "-q", "zone", name) or "").split()) if _ZONE.fullmatch(name) else ()


def _nothing_found(missing: Sequence[str], there: Collection[str]) -> str:
    names = ", ".join(sorted(there)) or "none"
    if not missing:
        return f"no LAN interface is configured: set `list device` in section main; there are: {names}"
    return (
        f"none of the configured networks and devices is here ({', '.join(dict.fromkeys(missing))}): "
        f"set `list device` in section main to the LAN interface; there are: {names}"
    )
