# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device did in a day, or a week, in a sentence: "TV spoke to 41 services, 2 new, both approved; 1
blocked."

Of days that have ended, by the local calendar. Made of sums by day, alerts and what became of these. Sends
nothing, and reads no clock: `digests` gives the same for the same day, until somebody decides about one of
its alerts.
"""

import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from smartrouter.analyzer.days import day_of
from smartrouter.core.effects import Kind, Severity
from smartrouter.core.identity.called import human_name
from smartrouter.notify.message import Message
from smartrouter.store.alerts import AlertState, StoredAlert
from smartrouter.store.days import learned_between, raised_between, spoken
from smartrouter.store.queries import devices
from smartrouter.store.retention import SANE
from smartrouter.store.volumes import volumes
from smartrouter.terminal import amount

WEEK = 7
_LISTED = 5  # destinations that are named
_ABOUT_NEWS = (Kind.NEW_DESTINATION, Kind.NEW_PORT)
_DECIDED: Mapping[str, str] = {
    AlertState.ALLOWED: "approved",
    AlertState.DENIED: "denied",
    AlertState.DISMISSED: "dismissed",
    AlertState.OPEN: "waiting for you",
}


class Digest(NamedTuple):
    """What one device did in the days from `first` to `last`. Destinations as `name (service)`. `services`:
    how many it reached; `new`: what it had not used before, and what became of that (a state of an alert, or
    `learned`); `blocked`: what it was refused at least once; `events`: other alerts, by kind; `bytes_out`,
    `bytes_in`: what it sent and received."""

    mac: str
    device: str
    first: date
    last: date
    services: int
    new: tuple[tuple[str, str], ...]
    blocked: tuple[str, ...]
    events: tuple[tuple[str, int], ...]
    bytes_out: int = 0
    bytes_in: int = 0

    def sentence(self) -> str:
        """All of it, for somebody in a hurry."""
        text = f"{self.device} spoke to {_counted(self.services, 'service')}, {self._news()}"
        if self.blocked:
            text += f"; {len(self.blocked)} blocked"
        if self.events:
            text += f"; alerts: {', '.join(f'{count} {kind}' for kind, count in self.events)}"
        if self.bytes_out or self.bytes_in:
            text += f"; it sent {amount(self.bytes_out)} and received {amount(self.bytes_in)}"
        return f"{text}."

    def _news(self) -> str:
        if not self.new:
            return "none new"
        counts: defaultdict[str, int] = defaultdict(int)
        for _, became in self.new:
            counts[became] += 1
        if len(counts) == 1:
            (became,) = counts
            all_of_them = {1: "", 2: "both "}.get(len(self.new), "all ")
            return f"{len(self.new)} new, {all_of_them}{became}"
        return f"{len(self.new)} new ({', '.join(f'{count} {became}' for became, count in counts.items())})"


def digests(
    conn: sqlite3.Connection, day: date, *, days: int = 1, names: Mapping[str, str] | None = None
) -> list[Message]:
    """What there is to say of that day, or of so many days from it on: a message for each device that did
    anything. It is complete once `days.is_summed` says so of the last of them, which is a run of the analyzer
    after its end. `names`: what the user calls devices, by MAC. Raises sqlite3.Error."""
    return [message(each) for each in summaries(conn, day, days=days, names=names)]


def summaries(
    conn: sqlite3.Connection, day: date, *, days: int = 1, names: Mapping[str, str] | None = None
) -> list[Digest]:
    """The same as figures, by device."""
    last = day + timedelta(days=days - 1)
    start, end = _midnight(day), _midnight(last + timedelta(days=1))
    reached: defaultdict[str, int] = defaultdict(int)
    blocked: defaultdict[str, list[str]] = defaultdict(list)
    for each in spoken(conn, day.toordinal(), last.toordinal()):
        reached[each.mac] += each.attempts > each.blocked
        if each.blocked:
            blocked[each.mac].append(_named(each.destination, each.service))
    raised: defaultdict[str, list[StoredAlert]] = defaultdict(list)
    for alert in raised_between(conn, start, end - 1e-3, end):
        raised[alert.mac].append(alert)
    learned: defaultdict[str, list[str]] = defaultdict(list)
    for mac, destination, service in learned_between(conn, start, end - 1e-3):
        learned[mac].append(_named(destination, service))
    carried = volumes(conn, start, end)
    return [
        _digest(mac, called, (day, last), reached[mac], learned[mac], blocked[mac], raised[mac])._replace(
            bytes_out=carried[mac].bytes_out if mac in carried else 0,
            bytes_in=carried[mac].bytes_in if mac in carried else 0,
        )
        for mac, called in _called(conn, names or {})
        if reached[mac] or blocked[mac] or raised[mac] or mac in carried
    ]


def message(digest: Digest) -> Message:
    """What a person is told of it."""
    days = (digest.last - digest.first).days + 1
    facts = [("when", f"{digest.first:%Y-%m-%d}" + (f" to {digest.last:%Y-%m-%d}" if days > 1 else ""))]
    if digest.new:
        facts.append(("new", _listed([f"{name}: {became}" for name, became in digest.new])))
    if digest.blocked:
        facts.append(("blocked", _listed(digest.blocked)))
    return Message(
        key=f"digest:{digest.mac}:{digest.first.isoformat()}:{days}",
        revision=0,
        at=_midnight(digest.last + timedelta(days=1)),
        severity=str(Severity.NOTICE),
        kind="digest",
        title=digest.sentence(),
        device=digest.device,
        mac=digest.mac,
        destination="",
        service="",
        facts=tuple(facts),
    )


def ended_day(wall: float) -> date | None:
    """The last day that has ended at epoch seconds `wall`; None if the clock is not right."""
    return None if wall < SANE else day_of(wall) - timedelta(days=1)


def ended_week(wall: float) -> date | None:
    """The Monday of the last week that has ended; None if the clock is not right."""
    if wall < SANE:
        return None
    today = day_of(wall)
    return today - timedelta(days=today.weekday() + WEEK)


def _digest(
    mac: str,
    called: str,
    days: tuple[date, date],
    reached: int,
    learned: Iterable[str],
    blocked: Sequence[str],
    raised: Iterable[StoredAlert],
) -> Digest:
    new = dict.fromkeys(learned, "learned")
    events: defaultdict[str, int] = defaultdict(int)
    for alert in raised:
        if alert.kind in _ABOUT_NEWS:
            new[_named(alert.destination, alert.service)] = _DECIDED.get(alert.state, alert.state)
        else:
            events[alert.kind] += 1
    return Digest(mac, called, *days, reached, tuple(new.items()), tuple(blocked), tuple(events.items()))


def _called(conn: sqlite3.Connection, names: Mapping[str, str]) -> list[tuple[str, str]]:
    """MACs and what to call them, by that."""
    found = [
        (
            each.mac,
            human_name(
                each.mac,
                given=names.get(each.mac, ""),
                announced=each.called,
                hostname=each.hostname,
                maker=each.maker,
            ),
        )
        for each in devices(conn)
    ]
    return sorted(found, key=lambda each: (each[1].lower(), each[0]))


def _midnight(day: date) -> float:
    """When that day begins, in epoch seconds: days with a change of the clock are shorter or longer."""
    return time.mktime((day.year, day.month, day.day, 0, 0, 0, 0, 0, -1))


def _named(destination: str, service: str) -> str:
    return f"{destination} ({service})" if service else destination


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _LISTED} more" if len(texts) > _LISTED else ""
    return ", ".join(texts[:_LISTED]) + more


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
