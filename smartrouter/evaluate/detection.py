# SPDX-License-Identifier: GPL-2.0-or-later
"""How a labelled attack was noticed: which attempts of it were flagged, how soon, and what was false.

The judge may speak of an attempt later than at the attempt itself: once its first data is there, or once it
is clear whether a few odd addresses are a scan. So an attempt counts as flagged if a warning about the same
address, port and protocol bears its time, or that of a moment within `LATE` seconds after it. How soon the
attack was noticed goes by when the judge said so.

Decides nothing about packets. Bounded: see the constants.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TypeAlias

from smartrouter.core.detection.scans import HOLD
from smartrouter.core.effects import Alert, Attempt, Severity
from smartrouter.evaluate.labels import Labels

LOUD = (Severity.WARNING, Severity.CRITICAL)
LATE = HOLD
MAX_TARGETS = 65_536  # (address, port, protocol) of one device's attack; those beyond count as missed
MAX_KEYS = 4096  # alerts of one device that are told apart
_LATEST = 64  # attempts at one target that an alert may still be about

_Key: TypeAlias = tuple[str, str, str, str]
_Target: TypeAlias = tuple[str, int, int]


@dataclass(slots=True)
class _Try:
    at: float
    loudest: int = 0  # 0: nothing was said, 1: a notice, 2: a warning


@dataclass(slots=True)
class Detection:
    """One device's. `attempts`: those in the attack; `flagged`: with a warning, `noticed`: with a notice
    only. Times in epoch seconds: `begun`, of the attack, and `first`, when the first warning was raised."""

    attempts: int = 0
    flagged: int = 0
    noticed: int = 0
    begun: float | None = None
    first: float | None = None
    _tries: dict[_Target, deque[_Try]] = field(default_factory=dict)
    _raised: dict[_Key, str] = field(default_factory=dict)  # alerts in the attack, and their kinds
    _false: set[_Key] = field(default_factory=set)  # warnings about anything else

    @property
    def missed(self) -> int:
        """Attempts in the attack about which nothing was said."""
        return self.attempts - self.flagged - self.noticed

    @property
    def delay(self) -> float | None:
        """Seconds from the beginning of the attack to the first warning."""
        return None if self.first is None or self.begun is None else max(0.0, self.first - self.begun)

    @property
    def kinds(self) -> Counter[str]:
        """Distinct alerts in the attack, of each kind."""
        return Counter(self._raised.values())

    @property
    def false_alerts(self) -> int:
        """Distinct warnings about nothing that is part of the attack."""
        return len(self._false - self._raised.keys())

    @property
    def is_empty(self) -> bool:
        """Was there neither an attack nor a false alert?"""
        return not (self.attempts or self._raised or self.false_alerts)

    def attempted(self, attempt: Attempt, labels: Labels) -> None:
        """The device tried something."""
        if not labels.mark(attempt.mac, attempt.at, attempt.address, attempt.name):
            return
        self.attempts += 1
        if self.begun is None:
            self.begun = attempt.at
        target = (attempt.address, attempt.port, attempt.protocol)
        tries = self._tries.get(target)
        if tries is None:
            if len(self._tries) >= MAX_TARGETS:
                return
            tries = self._tries[target] = deque(maxlen=_LATEST)
        tries.append(_Try(attempt.at))

    def alerted(self, alert: Alert, labels: Labels, now: float) -> None:
        """An alert was raised, at `now` (epoch seconds)."""
        loud = alert.severity in LOUD
        if not labels.mark(alert.mac, alert.at, alert.address, alert.name or alert.destination):
            if loud and len(self._false) < MAX_KEYS:
                self._false.add(alert.key)
            return
        if len(self._raised) < MAX_KEYS:
            self._raised[alert.key] = str(alert.kind)
        if loud and self.first is None:
            self.first = now
            if self.begun is None:  # an attack in names alone opens no connection
                self.begun = labels.begins(alert.mac) or alert.at
        for each in self._tries.get((alert.address, alert.port, alert.protocol), ()):
            if alert.at - LATE <= each.at <= alert.at:
                self._heard(each, 2 if loud else 1)

    def _heard(self, attempt: _Try, loudness: int) -> None:
        if loudness <= attempt.loudest:
            return
        self.noticed += (loudness == 1) - (attempt.loudest == 1)
        self.flagged += loudness == 2
        attempt.loudest = loudness

    def withdrawn(self, key: _Key) -> None:
        """An alert has become part of a greater one."""
        self._raised.pop(key, None)
        self._false.discard(key)
