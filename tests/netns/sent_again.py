# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device's kernel sends again because nobody answered in time, as on a machine that is busy: a SYN
after a second, data after a fifth of one."""

from collections.abc import Iterable

from netns.kernel_lab import Lab, Seen, eventually

from smartrouter.linux import queue_stats
from smartrouter.linux.queue import FLOWS_QUEUE


def once(seen: Iterable[Seen]) -> list[Seen]:
    """Of packets with ports, one for each connection."""
    return list({(each.destination, each.port, each.source_port): each for each in seen}.values())


def is_drained(lab: Lab, number: int = FLOWS_QUEUE) -> bool:
    """Whether a queue of the router becomes empty: each packet that was sent before has its verdict then."""

    def waits_no_more() -> bool:
        with lab.at("router"):
            return not queue_stats.read()[number].waiting

    return eventually(waits_no_more)
