# SPDX-License-Identifier: GPL-2.0-or-later
"""One function for each thing that reads what others wrote: give it any bytes, and it returns, or it has
found a fault of ours.

Each swallows what its parser is allowed to raise, and nothing else; each claims of what was read what its
users rely on. Knows no engine: `__main__` and the tests hand the bytes in. Needs `tests` on the path, for a
guard without a kernel.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from fuzz import kernel_targets, product_targets, wire_targets

Run: TypeAlias = Callable[[bytes], object]

MANY = 100_000
"""Lines of ours that one input may cost at most: 20,000 of them take a millisecond where this was measured,
so five milliseconds of the ten that nothing may take."""


class Target(NamedTuple):
    """`most`: bytes of an input that its caller would hand over. `lines`: of ours that one may cost."""

    run: Run
    most: int = 4016
    lines: int = MANY


TARGETS: dict[str, Target] = {
    # what devices and servers send
    "packet": Target(wire_targets.packet),
    "cooked": Target(wire_targets.cooked),
    "dns": Target(wire_targets.dns),
    "dns_tcp": Target(wire_targets.dns_tcp),
    "hello": Target(wire_targets.hello),
    "server_name": Target(wire_targets.server_name),
    "quic": Target(wire_targets.quic),
    "http": Target(wire_targets.http),
    "dhcp": Target(wire_targets.dhcp),
    "mdns": Target(wire_targets.mdns, 2048),
    "ssdp": Target(wire_targets.ssdp, 2048),
    "syn": Target(wire_targets.syn),
    "ntp": Target(wire_targets.ntp),
    # what the kernel says
    "netlink": Target(kernel_targets.netlink, 1 << 14),
    "queued": Target(kernel_targets.queued, 1 << 13),
    "logged": Target(kernel_targets.logged, 1 << 13),
    "rtnetlink": Target(kernel_targets.rtnetlink, 1 << 12),
    "conntrack": Target(kernel_targets.conntrack),
    "queue_stats": Target(kernel_targets.queue_stats),
    # files, and what other processes say
    "uci": Target(product_targets.uci),
    "config": Target(product_targets.config),
    "channel": Target(product_targets.channel),
    "control": Target(product_targets.control),
    "leases": Target(product_targets.leases),
    "captures": Target(product_targets.captures),
    "overheard": Target(product_targets.overheard, 2048),
    "dissection": Target(product_targets.dissection),
    # all of it together
    "guard": Target(product_targets.guard),
    "judge": Target(product_targets.judge),
}


def once(name: str, data: bytes) -> None:
    """Run one input, cut to what the target takes. Raises what is a fault of ours."""
    target = TARGETS[name]
    target.run(data[: target.most])
