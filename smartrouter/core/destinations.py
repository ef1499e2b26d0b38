# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device talks to, in the words a person would use: a name group and a service."""

from enum import StrEnum
from typing import NamedTuple

from smartrouter.core.names import registrable_domain

_WEB = {(6, 80), (6, 443), (17, 443)}
# IANA protocol numbers that have a usual short name (assigned-internet-protocol-numbers).
_PROTOCOL_NAMES = {
    1: "icmp", 2: "igmp", 4: "ipip", 6: "tcp", 17: "udp", 33: "dccp", 41: "6in4", 47: "gre", 50: "esp",
    51: "ah", 58: "icmp", 132: "sctp", 136: "udplite",
}  # fmt: skip
_WITH_PORTS = {6, 17, 33, 132, 136}


class Match(StrEnum):
    """How names are grouped into destinations."""

    HOST = "host"  # the exact name
    DOMAIN = "domain"  # the registrable domain, by the public suffix list with its private part


class Destination(NamedTuple):
    """`name`: a name group, or an address where no name is known. `service`: see `service_of`."""

    name: str
    service: str


def service_of(protocol: int, port: int) -> str:
    """`web` for tcp/80, tcp/443 and udp/443; else `tcp/8883`; the protocol alone where it has no ports."""
    if (protocol, port) in _WEB:
        return "web"
    name = _PROTOCOL_NAMES.get(protocol, f"proto-{protocol}")
    return f"{name}/{port}" if protocol in _WITH_PORTS else name


def protocol_name(protocol: int) -> str:
    """`tcp`, `udp`, `icmp` …, or `proto-N` for IANA number N."""
    return _PROTOCOL_NAMES.get(protocol, f"proto-{protocol}")


def group_of(name: str, match: Match) -> str:
    """The name group that `name` belongs to under `match`."""
    return name if match is Match.HOST else registrable_domain(name)
