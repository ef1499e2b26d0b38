# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests of the packet rules share: plans, the network with its counters, and a look at the wire."""

import socket
from collections.abc import Iterator

import pytest
from netns.kernel_lab import ADDRESSES, DEVICE_MAC, PATIENCE, Lab, eventually
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6

from smartrouter.linux import ruleset
from smartrouter.linux.ruleset import Plan

NOBODY: frozenset[str] = frozenset()
PLAN = Plan(
    ("lan0", "lan1"),
    watched=frozenset({DEVICE_MAC}),
    exempt=NOBODY,
    enforced=NOBODY,
    iot=(),
    on_failure="open",
)
CLOSED = PLAN._replace(on_failure="closed")
ENFORCED = PLAN._replace(enforced=frozenset({DEVICE_MAC}))
ENTERED = (
    "known", "known_again", "queued_flows", "queued_lan", "queued_queries", "queued_shared", "queued_hellos",
    "queued_spoofed", "invalid_passed", "over_limit_passed",
)  # fmt: skip
LEFT = ("passed", "blocked", "unjudged_down")
VERSIONS = pytest.mark.parametrize("version", [4, 6])


def unaccounted(found: dict[str, int]) -> int:
    """Packets that entered the gate and have not left it."""
    return sum(found.get(name, 0) for name in ENTERED) - sum(found.get(name, 0) for name in LEFT)


def load(lab: Lab, plan: Plan) -> None:
    with lab.at("router"):
        ruleset.load(plan)


def counters(lab: Lab) -> dict[str, int]:
    with lab.at("router"):
        return ruleset.read_counters()


def packet(version: int, to: str, payload: object, source: str = "device") -> bytes:
    """An IP packet from `source` to `to`, with scapy's layers as payload."""
    layer = (IP if version == 4 else IPv6)(src=ADDRESSES[version][source], dst=ADDRESSES[version][to])
    return bytes(layer / payload)


class Wire:
    """What arrives at a host, seen below its IP layer."""

    def __init__(self, lab: Lab, host: str) -> None:
        with lab.at(host):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self._socket.setblocking(False)

    def arrived(self, payload: bytes, patience: float = PATIENCE) -> bool:
        """Whether a packet that holds `payload` came in, waiting so long."""
        return eventually(lambda: any(payload in data for data in self._packets()), patience)

    def _packets(self) -> Iterator[bytes]:
        while True:
            try:
                yield self._socket.recv(4096)
            except BlockingIOError:
                return

    def close(self) -> None:
        self._socket.close()
