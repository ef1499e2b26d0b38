# SPDX-License-Identifier: GPL-2.0-or-later
"""What is sent on a channel, and when: pure decisions, the time an argument.

An alert is news once for each channel that wants its severity; what changes about it later is a revision of
the same message, where that matters (`wording.news_of`). More than `FEW` alerts of one device within a
minute are a flood: one message that grows, instead of one for each. Critical ones are never part of it.

Order, patience and limits stand here too; what is stored, and who sends it, is `store.outbox`'s and
`analyzer.delivery`'s business.
"""

import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from smartrouter.notify import wording
from smartrouter.notify.message import Answer, Message
from smartrouter.notify.wording import About, Alerted

SEVERITIES = ("notice", "warning", "critical")  # core.effects.Severity, the quietest first
LOUDEST = len(SEVERITIES) - 1
FEW = 5  # alerts of one device in `WINDOW` that are told one by one
WINDOW = 60.0  # seconds; a flood ends when nothing came for so long
GROWN = 2  # times as many: worth a revision of a flood's message
FEW_HELD = 3  # messages that waited for the end of quiet hours and are not summed up
LATE = 120.0  # seconds that an alert has waited to be told of, after which it may be summed up with others,
FEW_LATE = 10  # if there are more than so many: as many as go at once
FIRST_WAIT, LONGEST_WAIT = 2.0, 600.0  # seconds between two tries
OBEYED = 86400.0  # seconds that a service may have us wait at most
GIVE_UP = 5  # tries of one message, while others are taken
BURST = 10  # messages that may go at once after a silence


class Policy(NamedTuple):
    """What a channel wants. `quiet`: minutes of the day from and to, None without quiet hours; `since`: the
    number of the last alert before it was there."""

    least: int = 1
    quiet: tuple[int, int] | None = None
    since: int = 0


class News(NamedTuple):
    """An alert that is new or has changed, and what is known around it. `answered`: that it is told again is
    the answer to somebody."""

    alert: Alerted
    about: About
    muted: bool = False
    answered: bool = False


class Told(Protocol):
    """What a channel was told under a key, as store.outbox.Row has it."""

    @property
    def told(self) -> str: ...
    @property
    def revision(self) -> int: ...
    @property
    def sent_revision(self) -> int: ...
    @property
    def part_of(self) -> str: ...


class Plan(NamedTuple):
    """`put`: messages to be sent, with what of them would be news; `spoken_for`: keys (with MAC and
    severity) of alerts that another message, or nobody, speaks of: (key, mac, severity, by); `take_back`:
    keys of messages that need not be sent any more."""

    put: list[tuple[Message, str]]
    spoken_for: list[tuple[str, str, int, str]]
    take_back: list[str]


def loudness(severity: str) -> int:
    """0, 1, 2; another version's may be louder than any of ours."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES) - 1


# -- what is news ------------------------------------------------------------------------------------


class _Flood:
    def __init__(self, key: str, now: float):
        self.key = key
        self.alerts: list[Alerted] = []
        self.begun = self.latest = now
        self.said = 0  # alerts when it was last put
        self.label = ""


class Newsroom:
    """Decides for one channel. It remembers who told much lately, nothing else: after a restart a flood may
    be told of in two messages."""

    def __init__(self) -> None:
        self._told: dict[str, deque[float]] = {}  # device -> when it was told of
        self._floods: dict[str, _Flood] = {}

    def plan(
        self, policy: Policy, news: Sequence[News], known: Mapping[str, Told], running: float, wall: float
    ) -> Plan:
        """What to do about `news`. `known`: what the channel was told, by key; `running`: seconds of a clock
        that never jumps."""
        plan = Plan([], [], [])
        fresh: dict[str, list[News]] = {}
        for each in news:
            key = wording.key_of(each.alert)
            before = known.get(key)
            if before is not None:
                _follow_up(plan, key, before, each)
            elif _is_wanted(policy, each.alert):
                if each.muted:
                    plan.spoken_for.append((key, each.alert.mac, loudness(each.alert.severity), "muted"))
                else:
                    fresh.setdefault(each.alert.mac, []).append(each)
        for mac, several in fresh.items():
            self._tell(plan, mac, several, running, wall)
        self._end_floods(plan, running)
        return plan

    def _tell(self, plan: Plan, mac: str, fresh: list[News], running: float, wall: float) -> None:
        loud = [each for each in fresh if each.alert.severity == SEVERITIES[-1]]
        rest = [each for each in fresh if each.alert.severity != SEVERITIES[-1]]
        lately = self._told.setdefault(mac, deque())
        while lately and running - lately[0] >= WINDOW:
            lately.popleft()
        flood = self._floods.get(mac)
        if flood is None and len(lately) + len(rest) > FEW:
            flood = self._floods[mac] = _Flood(f"flood:{mac}:{int(wall)}", running)
        if flood is None:
            lately.extend([running] * len(rest))
            loud += rest
        elif rest:
            flood.latest = running
            flood.label = rest[0].about.label
            flood.alerts += [each.alert for each in rest]
            plan.spoken_for.extend(
                (wording.key_of(each.alert), mac, loudness(each.alert.severity), flood.key) for each in rest
            )
            if len(flood.alerts) >= GROWN * flood.said:
                _put_flood(plan, flood)
        for each in loud:
            plan.put.append(
                (wording.message(each.alert, each.about), wording.news_of(each.alert, each.about))
            )

    def _end_floods(self, plan: Plan, running: float) -> None:
        for mac, flood in list(self._floods.items()):
            if running - flood.latest >= WINDOW:
                del self._floods[mac]
                if len(flood.alerts) > flood.said:
                    _put_flood(plan, flood)
        for mac, lately in list(self._told.items()):
            if not lately or running - lately[-1] >= WINDOW:
                del self._told[mac]

    @property
    def floods(self) -> bool:
        """Is there a flood, which must be seen to end?"""
        return bool(self._floods)


def _put_flood(plan: Plan, flood: _Flood) -> None:
    flood.said = len(flood.alerts)
    severity = SEVERITIES[max(loudness(each.severity) for each in flood.alerts)]
    seconds = flood.latest - flood.begun
    message = wording.flood(flood.key, flood.alerts, flood.label, severity, seconds)
    plan.put.append((message, str(flood.said)))


def _is_wanted(policy: Policy, alert: Alerted) -> bool:
    return (
        alert.state == wording.OPEN and alert.id > policy.since and loudness(alert.severity) >= policy.least
    )


def _follow_up(plan: Plan, key: str, before: Told, each: News) -> None:
    """The channel has, or will have, this alert already."""
    told = wording.news_of(each.alert, each.about)
    if before.part_of or told == before.told:
        return
    if each.muted and each.alert.state == wording.OPEN and not each.answered:
        return
    if before.sent_revision:
        plan.put.append((wording.message(each.alert, each.about, before.revision + 1), told))
    elif each.alert.state != wording.OPEN:
        plan.take_back.append(key)  # nobody needs to be told what was decided before they were
    else:
        plan.put.append((wording.message(each.alert, each.about, before.revision), told))


# -- when --------------------------------------------------------------------------------------------


def minutes(clock: str) -> int:
    """`22:30` as minutes of the day."""
    hours, _, rest = clock.partition(":")
    return 60 * int(hours) + int(rest)


def is_quiet(quiet: tuple[int, int] | None, minute: int) -> bool:
    """Is `minute` of the day within the quiet hours? They may pass midnight; from and to the same is none."""
    if quiet is None or quiet[0] == quiet[1]:
        return False
    begin, end = quiet
    return begin <= minute < end if begin < end else minute >= begin or minute < end


def wait(failures: int, retry_after: float | None, luck: float) -> float:
    """Seconds until the next try after so many `failures` in a row: twice as long each time, with a jitter
    (`luck`: 0 to 1) so that not everybody comes back at once; never less than the service asked for."""
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(max(failures, 1) - 1, 30))
    ours = longest * (0.5 + luck / 2)
    return ours if retry_after is None else min(OBEYED, max(ours, retry_after))


class Allowance:
    """So many messages a minute, some of them at once."""

    def __init__(self, per_minute: int):
        self._per_second = per_minute / 60
        self._most = float(min(BURST, per_minute))
        self._left = self._most
        self._at: float | None = None

    def next_at(self, now: float) -> float:
        """When the next one may go: `now`, or later."""
        if self._at is not None:
            self._left = min(self._most, self._left + max(0.0, now - self._at) * self._per_second)
        self._at = now
        return now if self._left >= 1 else now + (1 - self._left) / self._per_second

    def take(self) -> None:
        """One has gone."""
        self._left -= 1


# -- messages as text --------------------------------------------------------------------------------


def to_text(message: Message) -> str:
    """`message` as it is stored."""
    return json.dumps(message._asdict(), separators=(",", ":"))


def from_text(text: str, revision: int) -> Message:
    """The reverse. Raises ValueError, TypeError if another version wrote it."""
    found: dict[str, Any] = json.loads(text)
    found["facts"] = tuple((str(what), str(said)) for what, said in found["facts"])
    found["answers"] = tuple(Answer(each) for each in found["answers"])
    found["revision"] = revision
    return Message(**found)


def late(key: str, waited: Iterable[Message], at: float) -> Message | None:
    """One message instead of the alerts that `waited` for longer than `LATE`; None if these are few. Not of
    critical ones: each of these is told by itself, however late."""
    messages = list(waited)
    if len(messages) <= FEW_LATE:
        return None
    severity = SEVERITIES[max(loudness(each.severity) for each in messages)]
    return wording.late(key, messages, at, severity)


def summed_up(key: str, waited: Iterable[Message], at: float) -> Message | None:
    """One message instead of all that `waited` for the end of quiet hours; None if these were few."""
    messages = list(waited)
    if len(messages) <= FEW_HELD:
        return None
    severity = SEVERITIES[max(loudness(each.severity) for each in messages)]
    return wording.quiet(key, messages, at, severity)
