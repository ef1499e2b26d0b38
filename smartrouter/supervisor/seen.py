# SPDX-License-Identifier: GPL-2.0-or-later
"""What the analyzer last said of each device, and of who answers for which address, kept by the supervisor
for a guard that starts anew.

Takes nothing on trust: what a part says is checked here before another part is told.
"""

import re
import socket
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, TypeAlias

Device: TypeAlias = dict[str, Any]  # mac, iot, on_iot_network, hostname, maker: see core.events.DeviceSeen

Claim: TypeAlias = tuple[str, str]  # MAC, address: see core.events.AddressClaimed

MAX_DEVICES = 1024  # the one that was not mentioned for longest goes first
MAX_STUDIED = 4096  # as the kernel's set
MAX_CLAIMS = 2048  # likewise; a device has an address or two of each family
_BATCH = 128  # devices in one message
_CLAIMS = 256  # … and claims
_LONGEST_NAME = 253  # characters, RFC 1035
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


class Seen:
    """The devices, by MAC."""

    def __init__(self) -> None:
        self._devices: OrderedDict[str, Device] = OrderedDict()

    def update(self, devices: object) -> list[Device]:
        """Take note of `devices`, as they came; gives the sound ones among them."""
        sound = []
        for given in devices if isinstance(devices, list) else ():
            device = _checked(given)
            if device is not None:
                sound.append(device)
                self._devices[device["mac"]] = device
                self._devices.move_to_end(device["mac"])
        while len(self._devices) > MAX_DEVICES:
            self._devices.popitem(last=False)
        return sound

    def batches(self) -> Iterator[list[Device]]:
        """All of them, in lists of a size for one message."""
        devices = list(self._devices.values())
        for start in range(0, len(devices), _BATCH):
            yield devices[start : start + _BATCH]


class Claims:
    """Who answers for each address."""

    def __init__(self) -> None:
        self._macs: OrderedDict[str, str] = OrderedDict()  # by address

    def update(self, claims: object) -> list[Claim]:
        """Take note of `claims`, as they came; gives the sound ones among them."""
        sound = [
            (mac, address)
            for mac, address in filter(_is_pair, claims if isinstance(claims, list) else ())
            if is_mac(mac) and is_address(address)
        ]
        for mac, address in sound:
            self._macs[address] = mac
            self._macs.move_to_end(address)
        while len(self._macs) > MAX_CLAIMS:
            self._macs.popitem(last=False)
        return sound

    def batches(self) -> Iterator[list[Claim]]:
        """The last word on each address, in lists of a size for one message."""
        claims = [(mac, address) for address, mac in self._macs.items()]
        for start in range(0, len(claims), _CLAIMS):
            yield claims[start : start + _CLAIMS]


def sound_macs(given: object) -> list[str]:
    """The MACs among `given`."""
    macs = given if isinstance(given, list) else []
    return [mac for mac in macs[:MAX_STUDIED] if is_mac(mac)]


def is_mac(given: object) -> bool:
    """Is it a MAC, as text?"""
    return isinstance(given, str) and _MAC.fullmatch(given) is not None


def is_address(given: object) -> bool:
    """Is it an IPv4 or IPv6 address, as text?"""
    if not isinstance(given, str):
        return False
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in given else socket.AF_INET, given)
    except (OSError, ValueError):
        return False
    return True


def _is_pair(given: object) -> bool:
    return isinstance(given, list) and len(given) == 2


def _checked(given: object) -> Device | None:
    if not isinstance(given, dict):
        return None
    mac, iot, on_iot = given.get("mac"), given.get("iot"), given.get("on_iot_network")
    hostname, maker = given.get("hostname"), given.get("maker")
    if not is_mac(mac):
        return None
    if not (iot is None or isinstance(iot, bool)) or not isinstance(on_iot, bool):
        return None
    if not (isinstance(hostname, str) and isinstance(maker, str)):
        return None
    return {
        "mac": mac,
        "iot": iot,
        "on_iot_network": on_iot,
        "hostname": hostname[:_LONGEST_NAME],
        "maker": maker[:_LONGEST_NAME],
    }
