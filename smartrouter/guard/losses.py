# SPDX-License-Identifier: GPL-2.0-or-later
"""When people are told that packets, or records of them, got lost: alerts about the router itself.

Three kinds, each of which gathers its occurrences in one alert:

    accounting   the accounts have a gap that has lasted for `LOOKS` looks, and has grown since it was told
    overflow     a queue or a record's way was full, or a device's limit was passed, since it was last told
    not-stored   nothing could be stored for `LONG`; told when it is over: before, no alert is stored either

What is on its way is no loss: a gap that the next looks close is told to nobody. A restart, and a table that
somebody flushed, begin the accounts anew (`accounts`), and what was told before is then told no more.
Knows no clock, no kernel and no store; what it is given are sums since the guard, or the table, began.
"""

from collections import deque
from collections.abc import Mapping

from smartrouter.core.effects import THE_ROUTER, Alert, Kind
from smartrouter.core.events import Moment
from smartrouter.core.notes import about_device
from smartrouter.core.policy import Reason

LOOKS = 4  # at the accounts, one every three seconds: packets wait for less, or the watchdog ends the guard
PAUSE = 60.0  # seconds between two occurrences of one kind: a flood is one alert, and not much work
LONG = 60.0  # seconds without storing that are told; a shorter while costs nothing, all of it is kept
# Counters of nft/smartrouter.nft: new connections beyond a device's limit.
OVER_LIMIT = ("over_limit_passed", "over_limit_dropped", "router_over_limit")


class Losses:
    """See the module. Call `look` at each look at the accounts, and carry out what it gives."""

    def __init__(self) -> None:
        self.in_queues = 0  # packets that found no room in the kernel's queues, as the supervisor reads them
        self._gaps: deque[int] = deque(maxlen=LOOKS)
        self._begun = 0  # which beginning of the accounts the gaps are of
        self._told: dict[str, int] = {}  # sum of what was told, by what it was
        self._limits: int | None = None  # of the counters at the last look
        self._over_limit = 0  # since the first look
        self._next: dict[Kind, float] = {}  # when the next occurrence may be told, running seconds
        self._trouble = ""
        self._trouble_since = 0.0

    def look(
        self,
        figures: Mapping[str, int],
        begun: int,
        counters: Mapping[str, int],
        *,
        trouble: str,
        now: Moment,
    ) -> list[Alert]:
        """`figures`: of the accounts, which have `begun` so many times; `counters`: the ruleset's; `trouble`:
        why nothing can be stored, '' if all is well."""
        found = (
            self._accounting(figures, begun, now),
            self._overflow(figures["unrecorded"], counters, now),
            self._not_stored(trouble, now),
        )
        return [alert for alert in found if alert is not None]

    def _accounting(self, figures: Mapping[str, int], begun: int, now: Moment) -> Alert | None:
        if begun != self._begun:
            self._begun = begun
            self._gaps.clear()
            self._told.pop(Kind.ACCOUNTING, None)
        gap = max(0, figures["gap_at_gate"] - self.in_queues) + figures["gap_in_log"]
        self._gaps.append(gap)
        lasting = min(self._gaps) if len(self._gaps) == LOOKS else 0
        if not self._is_news(Kind.ACCOUNTING, {Kind.ACCOUNTING: lasting}, now):
            return None
        detail = f"{_packets(lasting)} that the kernel counted {_were(lasting)} dealt with by nobody"
        return _alert(Kind.ACCOUNTING, Reason.UNACCOUNTED, now, detail)

    def _overflow(self, unrecorded: int, counters: Mapping[str, int], now: Moment) -> Alert | None:
        limits = sum(counters.get(name, 0) for name in OVER_LIMIT)
        if self._limits is not None:  # what an earlier guard's devices did was told by that
            self._over_limit += limits - self._limits if limits >= self._limits else limits
        self._limits = limits
        lost = {"queues": self.in_queues, "unrecorded": unrecorded}
        said = [
            (self.in_queues, f"{_packets(self.in_queues)} found a queue full"),
            (unrecorded, f"{_packets(unrecorded)} went without a record"),
            (self._over_limit, f"{_packets(self._over_limit)} went beyond a device's limit"),
        ]
        if not self._is_news(Kind.OVERFLOW, {**lost, "limit": self._over_limit}, now):
            return None
        reason = Reason.QUEUE_FULL if any(lost.values()) else Reason.OVER_LIMIT
        return _alert(Kind.OVERFLOW, reason, now, ", ".join(words for count, words in said if count))

    def _is_news(self, kind: Kind, sums: Mapping[str, int], now: Moment) -> bool:
        """Is one of `sums` more than was told, and may it be told now? Then it is noted as told."""
        grown = any(count > self._told.get(what, 0) for what, count in sums.items())
        if not grown or now.running < self._next.get(kind, now.running):
            return False
        self._told.update(sums)
        self._next[kind] = now.running + PAUSE
        return True

    def _not_stored(self, trouble: str, now: Moment) -> Alert | None:
        before, self._trouble = self._trouble, trouble
        if trouble and not before:
            self._trouble_since = now.running
        if trouble or not before or now.running - self._trouble_since < LONG:
            return None
        minutes = round((now.running - self._trouble_since) / 60)
        return _alert(Kind.NOT_STORED, Reason.NOT_STORED, now, f"for {minutes} minute{_s(minutes)}: {before}")


def _alert(kind: Kind, reason: Reason, now: Moment, detail: str) -> Alert:
    return about_device(THE_ROUTER, kind, reason, now, detail=detail)


def _packets(count: int) -> str:
    return f"{count} packet{_s(count)}"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
