# SPDX-License-Identifier: GPL-2.0-or-later
"""The handler of what the kernel has settled already."""

import time

from smartrouter.core.errors import BadPacket
from smartrouter.core.events import TCP, FlowOpened, Scope, Shortcut
from smartrouter.core.precedents import Repeat, Repeated
from smartrouter.guard.bench import Bench
from smartrouter.guard.handlers.common import NO_MAC, SYN, Sort, remember
from smartrouter.linux.nflog import Logged
from smartrouter.wire.packet import glance, parse_ip

A_TURN = 16  # packets that were logged: for so many at most does one that waits for its verdict wait
MAX_LOGGED = 512  # sorts of packets that the kernel settled before: nobody waits for these
_SHORTCUTS = {str(shortcut): shortcut for shortcut in Shortcut}
_tuple = tuple.__new__  # makes a NamedTuple in half the time


class LogHandler:
    """Takes down what the kernel settled by itself, and wrote to its log."""

    def __init__(self, bench: Bench):
        self._bench = bench
        self._repeats: dict[Sort, Repeat] = {}

    def __call__(self, records: list[Logged]) -> None:
        """All these packets were settled so."""
        for start in range(0, len(records), A_TURN):
            self._take(records[start : start + A_TURN])

    def _take(self, records: list[Logged]) -> None:
        repeated: list[Repeated] = []
        events: list[FlowOpened] = []
        sorts: list[Sort | None] = []
        running = time.monotonic()
        for prefix, mac, payload in records:
            shortcut = _SHORTCUTS.get(prefix)
            if shortcut is None:
                continue
            self._bench.recorded[shortcut] += 1
            seen = glance(payload) if shortcut is Shortcut.KNOWN else None
            if seen is not None:
                repeat = self._repeats.get((mac, seen[0]))
                if repeat is not None and repeat.holds(running):
                    repeated.append((repeat, seen[1], seen[2]))
                    continue
            try:
                packet = parse_ip(payload)
            except BadPacket:  # a header that the kernel could read, and we cannot
                continue
            _, source, destination, protocol, source_port, port, flags, sequence, _, _, _ = packet
            sorts.append(None if seen is None else (mac, seen[0]))
            events.append(
                _tuple(
                    FlowOpened,
                    (
                        mac or NO_MAC, source, destination, protocol, source_port, port, sequence,
                        Scope.OUTSIDE, False, protocol != TCP or bool(flags & SYN), False, shortcut,
                    ),
                )
            )  # fmt: skip
        effects = self._bench.repeated(repeated, judged=False) if repeated else []
        if events:
            effects += self._bench.handle_all(events)
        self._bench.carry_out(effects)
        for sort, event in zip(sorts, events, strict=True):
            if sort is not None:
                remember(self._repeats, sort, self._bench.repeat(event), MAX_LOGGED)
