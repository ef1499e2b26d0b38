# SPDX-License-Identifier: GPL-2.0-or-later
"""What waits to be stored, in bounded memory, whatever comes and however long the disk is away.

Attempts are statistics: they wait in line, and when the line is full the next ones are dropped. All else is
state: what is to be true, by key. The latest word on a key replaces the one before, occurrences of one
alert add up, so a storm of the same costs one place. Each sort has room of its own: no flood of one can
push another out. Of an alert it counts what came before it was withdrawn and what came after, so there are
two places for it. Knows no clock, no thread and no database.
"""

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias, TypeVar

from smartrouter.core.destinations import Destination
from smartrouter.core.effects import (
    Alert,
    Attempt,
    Effect,
    Forget,
    Keep,
    Label,
    Learn,
    Name,
    NameAlias,
    Raise,
    Record,
    Severity,
    Withdraw,
)

MAX_ATTEMPTS = 10_000  # half a second of 20,000 a second; about 5 MB
MAX_KEYS = 4096  # of each sort of state
MAX_LABELS = 256  # each makes the writer look for what it belongs to
MAX_TARGETS = 32  # addresses and ports that are kept of one alert
SEVERITIES = tuple(Severity)  # from low to high

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
Key3: TypeAlias = tuple[str, str, str]
AlertKey: TypeAlias = tuple[str, str, str, str]
Target: TypeAlias = tuple[str, int, int]  # address, port, protocol


class Tally:
    """Occurrences of one alert: the latest, when the first was, how many, how many of them blocked, the
    highest severity, and where they went (the first `MAX_TARGETS`)."""

    __slots__ = ("blocked", "count", "first", "latest", "severity", "targets")

    def __init__(self, alert: Alert):
        self.first = alert.at
        self.count = self.blocked = 0
        self.severity = alert.severity
        self.targets: dict[Target, int] = {}
        self.latest = alert
        self.add(alert)

    def add(self, alert: Alert) -> None:
        """One more occurrence."""
        self.latest = alert
        self.count += 1
        self.blocked += alert.blocked
        self.severity = max(self.severity, alert.severity, key=SEVERITIES.index)
        self._add_target((alert.address, alert.port, alert.protocol), 1)

    def absorb(self, later: "Tally") -> None:
        """Take in the occurrences of `later`, which came after these."""
        self.latest = later.latest
        self.count += later.count
        self.blocked += later.blocked
        self.severity = max(self.severity, later.severity, key=SEVERITIES.index)
        for target, count in later.targets.items():
            self._add_target(target, count)

    def _add_target(self, target: Target, count: int) -> None:
        seen = self.targets.get(target, 0)
        if seen or len(self.targets) < MAX_TARGETS:
            self.targets[target] = seen + count


class Batch(NamedTuple):
    """What is written in one transaction. `withdrawn`: with the occurrences that came before that, if any,
    and were not written yet; `alerts`: those that came after it, or were not withdrawn."""

    attempts: list[Attempt]
    withdrawn: dict[AlertKey, Tally | None]
    alerts: dict[AlertKey, Tally]
    labels: dict[tuple[str, str], Label]
    destinations: dict[tuple[str, Destination], Learn | Forget]
    progress: dict[str, Keep]
    names: dict[Key3, Name]
    aliases: dict[Key3, NameAlias]

    def __bool__(self) -> bool:
        return any(len(sort) for sort in self)

    def is_state(self) -> bool:
        """Is there more in it than statistics?"""
        return bool(self.alerts or self.withdrawn or self.destinations or self.progress or self.aliases)

    def counts(self) -> dict[str, int]:
        """How many there are of each sort, alerts by occurrence; only those that there are."""
        counts = {
            "Record": len(self.attempts),
            "Raise": sum(
                tally.count
                for tally in (*self.withdrawn.values(), *self.alerts.values())
                if tally is not None
            ),
            "Withdraw": len(self.withdrawn),
            "Label": len(self.labels),
            "Learn": sum(isinstance(effect, Learn) for effect in self.destinations.values()),
            "Forget": sum(isinstance(effect, Forget) for effect in self.destinations.values()),
            "Keep": len(self.progress),
            "Name": len(self.names),
            "NameAlias": len(self.aliases),
        }
        return {sort: count for sort, count in counts.items() if count}

    def singles(self) -> Iterator["Batch"]:
        """The same, one thing at a time."""
        for attempt in self.attempts:
            yield empty()._replace(attempts=[attempt])
        for key, before in self.withdrawn.items():
            yield empty()._replace(withdrawn={key: before})
        for key, tally in self.alerts.items():
            yield empty()._replace(alerts={key: tally})
        for place, label in self.labels.items():
            yield empty()._replace(labels={place: label})
        for change, effect in self.destinations.items():
            yield empty()._replace(destinations={change: effect})
        for mac, keep in self.progress.items():
            yield empty()._replace(progress={mac: keep})
        for told, name in self.names.items():
            yield empty()._replace(names={told: name})
        for led, alias in self.aliases.items():
            yield empty()._replace(aliases={led: alias})


def empty() -> Batch:
    """A batch with nothing in it."""
    return Batch([], {}, {}, {}, {}, {}, {}, {})


class Pending:
    """See the module. One caller at a time."""

    def __init__(self, max_attempts: int = MAX_ATTEMPTS, max_keys: int = MAX_KEYS):
        self._max_attempts = max_attempts
        self._max_keys = max_keys
        self._batch = empty()
        self.size = 0  # effects taken since `take`, merged ones included

    def add(self, effect: Effect) -> bool:
        """Take `effect` up, if it is to be stored at all; False if there was no room."""
        batch = self._batch
        self.size += 1
        match effect:
            case Record():
                if len(batch.attempts) >= self._max_attempts:
                    return False
                batch.attempts.append(effect.attempt)
                return True
            case Raise():
                tally = batch.alerts.get(effect.alert.key)
                if tally is not None:
                    tally.add(effect.alert)
                    return True
                return _set(batch.alerts, self._max_keys, effect.alert.key, Tally(effect.alert))
            case Withdraw():
                return self._withdraw(effect.key)
            case Label():
                return _set(batch.labels, MAX_LABELS, (effect.mac, effect.address), effect)
            case Learn() | Forget():
                return _set(batch.destinations, self._max_keys, (effect.mac, effect.destination), effect)
            case Keep():
                return _set(batch.progress, self._max_keys, effect.mac, effect)
            case Name():
                key = (effect.mac, effect.address, effect.name)
                before = batch.names.get(key)
                if before is not None and before.at > effect.at:  # the clock was set back
                    effect = effect._replace(at=before.at)
                return _set(batch.names, self._max_keys, key, effect)
            case NameAlias():
                led = (effect.mac, effect.target, effect.head)
                earlier = batch.aliases.get(led)
                if earlier is not None and earlier.at > effect.at:
                    effect = earlier
                return _set(batch.aliases, self._max_keys, led, effect)
            case _:
                self.size -= 1
                return True

    def take(self) -> Batch:
        """All that waits; nothing does from now on."""
        batch, self._batch, self.size = self._batch, empty(), 0
        return batch

    def _withdraw(self, key: AlertKey) -> bool:
        withdrawn, alerts = self._batch.withdrawn, self._batch.alerts
        before, now = withdrawn.get(key), alerts.get(key)
        if before is not None and now is not None:
            before.absorb(now)
        if not _set(withdrawn, self._max_keys, key, before or now):
            return False
        alerts.pop(key, None)
        return True


def _set(sort: dict[_Key, _Value], room: int, key: _Key, value: _Value) -> bool:
    if len(sort) >= room and key not in sort:
        return False
    sort[key] = value
    return True
