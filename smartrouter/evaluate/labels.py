# SPDX-License-Identifier: GPL-2.0-or-later
"""What the user knows of captured traffic: what devices are called, and which of it is an attack.

The file is either JSON,

    {"names": {"3c:2e:ff:29:4d:93": "camera"},
     "attack_from": 1471444000,
     "attackers": ["203.0.113.0/24", "2001:db8::7", "evil.example", "*.bad.example"]}

with every key optional, or plain lines, each an address, a network or a name of the attacker's; `#` begins a
comment. `attack_from`: epoch seconds from which on traffic is malicious, for all devices, or an object that
gives them by MAC. With `attackers` beside it, only what goes to these counts. A name stands for itself,
`*.name` for those below it.
"""

import json
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from smartrouter.core.errors import BadConfig
from smartrouter.core.names import is_below, normalise

ALL = "*"  # any device


class Labels(NamedTuple):
    """See the module. `attack_from`: by MAC, or `ALL`."""

    names: Mapping[str, str] = {}
    attack_from: Mapping[str, float] = {}
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    @property
    def tell_attacks(self) -> bool:
        """Do they say anything of attacks?"""
        return bool(self.attack_from or self.networks or self.hosts)

    def name(self, mac: str) -> str:
        """What to call a device."""
        return self.names.get(mac, mac)

    def begins(self, mac: str) -> float | None:
        """From when on the traffic of `mac` is malicious (epoch seconds); None: never, or not said."""
        return self.attack_from.get(mac, self.attack_from.get(ALL))

    def mark(self, mac: str, at: float, address: str, name: str) -> bool:
        """Is what `mac` did at `at` (epoch seconds), towards `address`, called `name`, part of an attack?"""
        if not self.tell_attacks:
            return False
        if self.attack_from:
            begun = self.begins(mac)
            if begun is None or at < begun:
                return False
        if not self.networks and not self.hosts:
            return True
        return self._is_attackers(address, name)

    def _is_attackers(self, address: str, name: str) -> bool:
        if name and self.hosts:
            if name in self.hosts:
                return True
            if any(host.startswith("*.") and is_below(name, host[2:]) for host in self.hosts):
                return True
        if not address or not self.networks:
            return False
        parsed = ip_address(address.partition("%")[0])
        return any(parsed in network for network in self.networks)


NONE = Labels()


def labels_from(path: Path) -> Labels:
    """Read the file at `path`. Raises BadConfig where it cannot be used."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(
            f"{path}: cannot be read ({error}); give a file as docs/evaluation.md shows it"
        ) from None
    try:
        if text.lstrip().startswith("{"):
            return _from_json(json.loads(text))
        lines = (line.partition("#")[0].strip() for line in text.splitlines())
        return _attackers(NONE, [line for line in lines if line])
    except BadConfig as error:
        raise BadConfig(f"{path}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise BadConfig(f"{path}: no JSON ({error}); give an object as docs/evaluation.md shows it") from None


_KEYS = {"names", "attack_from", "attackers"}


def _from_json(found: dict[str, Any]) -> Labels:
    unknown = sorted(found.keys() - _KEYS)
    if unknown:
        raise BadConfig(f"{unknown[0]!r} is no key of labels; there are {', '.join(sorted(_KEYS))}")
    names = found.get("names", {})
    attackers = found.get("attackers", [])
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise BadConfig("names: give an object of MACs with a name for each")
    if not isinstance(attackers, list) or not all(isinstance(one, str) for one in attackers):
        raise BadConfig("attackers: give a list of addresses, networks and names")
    labels = Labels(
        names={mac.lower(): name for mac, name in names.items()},
        attack_from=_times(found.get("attack_from", {})),
    )
    return _attackers(labels, attackers)


def _times(found: Any) -> dict[str, float]:
    times = found if isinstance(found, dict) else {ALL: found}
    for mac, at in times.items():
        if isinstance(at, bool) or not isinstance(at, int | float) or not isfinite(at):
            raise BadConfig(f"attack_from: {at!r} of {mac} is no time; give seconds since the epoch")
    return {mac.lower(): float(at) for mac, at in times.items()}


def _attackers(labels: Labels, found: Iterable[str]) -> Labels:
    networks, hosts = [], set()
    for text in found:
        try:
            networks.append(ip_network(text, strict=False))
        except ValueError:
            below, name = ("*.", text[2:]) if text.startswith("*.") else ("", text)
            hosts.add(below + normalise(name))
    return labels._replace(networks=tuple(networks), hosts=frozenset(hosts))
