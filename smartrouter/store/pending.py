# SPDX-License-Identifier: GPL-2.0-or-later
"""What waits to be stored, in bounded memory, whatever comes and however long the disk is away.

Attempts are statistics: they wait in line, and when the line is full the next ones are dropped. All else is
state: what is to be true, by key. The latest word on a key replaces the one before, occurrences of one
alert add up, so a storm of the same costs one place. Each sort has room of its own: no flood of one can
push another out. Of an alert it counts what came before it was withdrawn and what came after, so there are
two places for it. Knows no clock, no thread and no database.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias, TypeVar

from smartrouter.core.destinations import Destination
from smartrouter.core.effects import (
    AddVolume,
    Alert,
    Another,
    Effect,
    Forget,
    Keep,
    KeepUsual,
    Label,
    Learn,
    Name,
    NameAlias,
    Raise,
    Record,
    RecordMore,
    Severity,
    Withdraw,
    another_of,
)
from smartrouter.store.exhibits import AlertKey as AlertKey
from smartrouter.store.exhibits import Attach, Exhibit, most_of

MAX_ATTEMPTS = 20_000  # a second of a flood that a slow disk may stand still; about 8 MB
MAX_KEYS = 4096  # of each sort of state
MAX_EXHIBITS = 256 << 10  # bytes of packets behind alerts
MAX_LABELS = 256  # each makes the writer look for what it belongs to
MAX_TARGETS = 32  # addresses and ports that are kept of one alert
SEVERITIES = tuple(Severity)  # from low to high

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
Key3: TypeAlias = tuple[str, str, str]
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

    attempts: list[Another]
    withdrawn: dict[AlertKey, Tally | None]
    alerts: dict[AlertKey, Tally]
    labels: dict[tuple[str, str], Label]
    destinations: dict[tuple[str, Destination], Learn | Forget]
    progress: dict[str, Keep]
    names: dict[Key3, Name]
    aliases: dict[Key3, NameAlias]
    exhibits: dict[AlertKey, list[Exhibit]]
    volumes: dict[tuple[str, int, Destination], AddVolume]
    usual: dict[tuple[str, Destination], KeepUsual]

    def __bool__(self) -> bool:
        return any(len(sort) for sort in self)

    def is_state(self) -> bool:
        """Is there more in it than statistics?"""
        state = (self.alerts, self.withdrawn, self.destinations, self.progress, self.aliases, self.usual)
        return any(state)

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
            "Attach": len(self.exhibits),
            "AddVolume": len(self.volumes),
            "KeepUsual": len(self.usual),
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
        for key, exhibits in self.exhibits.items():
            yield empty()._replace(exhibits={key: exhibits})
        for hour, volume in self.volumes.items():
            yield empty()._replace(volumes={hour: volume})
        for change, usual in self.usual.items():
            yield empty()._replace(usual={change: usual})


def empty() -> Batch:
    """A batch with nothing in it."""
    return Batch([], {}, {}, {}, {}, {}, {}, {}, {}, {}, {})


class Pending:
    """See the module. One caller at a time.

    Counts by the effect's name, since it was made: `put` what was taken up, merged ones included; `dropped`
    what found no room, or could not be taken up.
    """

    def __init__(self, max_attempts: int = MAX_ATTEMPTS, max_keys: int = MAX_KEYS):
        self._max_attempts = max_attempts
        self._max_keys = max_keys
        self._max_labels = MAX_LABELS
        self._max_exhibits = MAX_EXHIBITS
        self._exhibits = 0  # bytes of them that wait
        self._batch = empty()
        self._states = 0  # taken up since `take`
        self._put: Counter[str] = Counter()  # but for the attempts that wait
        self.dropped: Counter[str] = Counter()
        self._sorts: dict[type, Callable[[Any], bool]] = {
            Record: self._record,
            RecordMore: self._record_more,
            Raise: self._raise,
            Withdraw: self._withdraw,
            Label: self._label,
            Learn: self._change,
            Forget: self._change,
            Keep: self._keep,
            Name: self._name,
            NameAlias: self._alias,
            Attach: self._attach,
            AddVolume: self._volume,
            KeepUsual: self._usual,
        }

    def add_all(self, effects: Iterable[Effect | Attach]) -> int:
        """Take up those of `effects` that are to be stored, as far as there is room; gives how many effects
        were taken up since `take`."""
        attempts, room = self._batch.attempts, self._max_attempts
        for effect in effects:
            if type(effect) is Record and len(attempts) < room:
                attempts.append(another_of(effect.attempt))
            elif type(effect) in self._sorts:
                self.add(effect)
        return len(attempts) + self._states

    def add(self, effect: Effect | Attach) -> bool:
        """Take `effect` up, if it is to be stored at all; False if there was no room, or if it is none."""
        sort = type(effect)
        if sort not in self._sorts:
            return True
        try:
            taken = self._sorts[sort](effect)
        except Exception:  # a fault of whoever made it; nobody else may pay for it
            taken = False
        if not taken:
            self.dropped[sort.__name__] += 1
        elif sort is not Record and sort is not RecordMore:  # these are counted by `take`
            self._put[sort.__name__] += 1
            self._states += 1
        return taken

    def take(self) -> Batch:
        """All that waits; nothing does from now on."""
        batch, self._batch, self._states, self._exhibits = self._batch, empty(), 0, 0
        self._put[Record.__name__] += len(batch.attempts)
        return batch

    def is_state(self) -> bool:
        """Does more wait than statistics?"""
        return self._batch.is_state()

    def close(self) -> None:
        """Nothing that comes from now on finds room."""
        self._max_attempts = self._max_keys = self._max_labels = self._max_exhibits = 0

    @property
    def put(self) -> Counter[str]:
        """See the class."""
        return +(self._put + Counter({Record.__name__: len(self._batch.attempts)}))

    def _record(self, effect: Record) -> bool:
        if len(self._batch.attempts) >= self._max_attempts:
            return False
        self._batch.attempts.append(another_of(effect.attempt))
        return True

    def _record_more(self, effect: RecordMore) -> bool:
        attempts, more = self._batch.attempts, effect.attempts
        room = self._max_attempts - len(attempts)
        if len(more) > room:
            self.dropped[Record.__name__] += len(more) - max(room, 0)
            more = more[: max(room, 0)]
        attempts += more
        return True

    def _raise(self, effect: Raise) -> bool:
        key = effect.alert.key
        tally = self._batch.alerts.get(key)
        if tally is not None:
            tally.add(effect.alert)
            return True
        return _set(self._batch.alerts, self._max_keys, key, Tally(effect.alert))

    def _withdraw(self, effect: Withdraw) -> bool:
        key = effect.key
        withdrawn, alerts = self._batch.withdrawn, self._batch.alerts
        before, now = withdrawn.get(key), alerts.get(key)
        if before is not None and now is not None:
            before.absorb(now)
        if not _set(withdrawn, self._max_keys, key, before or now):
            return False
        alerts.pop(key, None)
        return True

    def _label(self, effect: Label) -> bool:
        return _set(self._batch.labels, self._max_labels, (effect.mac, effect.address), effect)

    def _change(self, effect: Learn | Forget) -> bool:
        return _set(self._batch.destinations, self._max_keys, (effect.mac, effect.destination), effect)

    def _keep(self, effect: Keep) -> bool:
        return _set(self._batch.progress, self._max_keys, effect.mac, effect)

    def _name(self, effect: Name) -> bool:
        names, key = self._batch.names, (effect.mac, effect.address, effect.name)
        before = names.get(key)
        if before is not None and before.at > effect.at:  # the clock was set back
            effect = effect._replace(at=before.at)
        return _set(names, self._max_keys, key, effect)

    def _alias(self, effect: NameAlias) -> bool:
        aliases, key = self._batch.aliases, (effect.mac, effect.target, effect.head)
        before = aliases.get(key)
        if before is not None and before.at > effect.at:
            effect = before
        return _set(aliases, self._max_keys, key, effect)

    def _volume(self, effect: AddVolume) -> bool:
        volumes, key = self._batch.volumes, effect[:3]
        before = volumes.get(key)
        if before is not None:
            more = map(int.__add__, before[3:], effect[3:])
            effect = AddVolume(*key, *more)
        return _set(volumes, self._max_keys, key, effect)

    def _usual(self, effect: KeepUsual) -> bool:
        return _set(self._batch.usual, self._max_keys, (effect.mac, effect.destination), effect)

    def _attach(self, effect: Attach) -> bool:
        kept = self._batch.exhibits.get(effect.key, [])
        new = effect.exhibits[: max(0, most_of(effect.key[1]) - len(kept))]
        size = sum(len(exhibit.packet) for exhibit in new)
        if self._exhibits + size > self._max_exhibits:
            return False
        self._exhibits += size
        self._batch.exhibits[effect.key] = [*kept, *new]
        return True


def _set(sort: dict[_Key, _Value], room: int, key: _Key, value: _Value) -> bool:
    if len(sort) >= room and key not in sort:
        return False
    sort[key] = value
    return True
