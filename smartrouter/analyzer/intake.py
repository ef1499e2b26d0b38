# SPDX-License-Identifier: GPL-2.0-or-later
"""From alerts that are new, or have changed, to what each channel's outbox holds.

New alerts wait a moment for others like them, and for the names of addresses. How far the store was read is
noted there with what is put; what is read twice, after a kill, is put once.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from smartrouter.analyzer.line import Line
from smartrouter.config import Config
from smartrouter.core.events import Moment
from smartrouter.core.identity.called import human_name
from smartrouter.notify import outbox as deciding
from smartrouter.notify import wording
from smartrouter.notify.message import Message
from smartrouter.notify.outbox import News, Newsroom, Plan
from smartrouter.store import outbox
from smartrouter.store.alerts import StoredAlert, alert, alerts_changed, alerts_decided, latest_change
from smartrouter.store.outbox import Put, Row
from smartrouter.store.queries import meta, names_of
from smartrouter.store.transaction import transaction

GATHER = 0.5  # seconds that a new alert waits for others like it
NAMELESS = 0.9  # … and one about an address without a name, for its reverse name
AT_ONCE = 300  # alerts that are taken up in one turn: as many addresses as a small network has, and more
NOTE_EVERY = 30.0  # seconds between two notes of how far the store was read, while there is nothing to send
_CURSOR = "outbox_cursor"
_MUTED = "muted"  # what speaks for alerts of a muted device: nobody


class _Held(NamedTuple):
    since: float  # CLOCK_MONOTONIC
    done: int  # the change of it that was decided about


class Intake:
    """See the module. For one thread. `take_up` raises sqlite3.Error, and goes on the next time."""

    def __init__(self, config: Config, site: str = ""):
        self.config = config
        self.site = site  # where the pages are
        self._cursor = self._noted = 0
        self._next_note = 0.0
        self._held: dict[int, _Held] = {}
        self._again: dict[int, str] = {}  # alerts that were answered -> why that could not be done, or ''
        self._looked: float | None = None  # epoch seconds

    def attach(self, conn: sqlite3.Connection, lines: Iterable[Line]) -> None:
        """Go by what this store says."""
        self._held.clear()
        self._cursor = self._noted = int(meta(conn, _CURSOR) or "0")
        for line in lines:
            line.newsroom = Newsroom()  # what it decided may never have been written

    def begin(self, conn: sqlite3.Connection) -> None:
        """What was until now is not told."""
        self._cursor = latest_change(conn)

    def look_again(self, number: int, why: str = "") -> None:
        """This alert was answered: what is said of it may be another thing now."""
        self._again[number] = why

    def take_up(self, conn: sqlite3.Connection, lines: Mapping[str, Line], now: Moment) -> None:
        """Have what is new, and has waited for the like of it, put into the outboxes."""
        ready, cursor, held = self._ready(conn, now.running)
        news = [self._news(conn, found, now.wall) for found in ready]
        news += self._second_looks(conn, now.wall)
        plans = _plans(conn, lines, news, now)
        quiet = {key for key, line in lines.items() if line.is_quiet(now.wall)}
        waited = {key: rows for key in lines if key not in quiet and (rows := outbox.held(conn, key))}
        muted = self._muted(now.wall)
        silent = {key: keys for key in lines if muted and (keys := outbox.unsent_of(conn, key, muted))}
        if any(map(any, plans.values())) or waited or silent:
            with transaction(conn):
                for key, plan in plans.items():
                    _keep(conn, key, plan, now.wall, key in quiet)
                for key, rows in waited.items():
                    _sum_up(conn, key, rows, now.wall)
                for key, keys in silent.items():
                    outbox.free(conn, key, keys, _MUTED)
                for key in lines:
                    outbox.trim(conn, key)
                _note_cursor(conn, cursor)
            self._noted = cursor
        self._cursor, self._held, self._looked = cursor, held, now.wall
        self._again.clear()
        if self._noted != cursor and now.running >= self._next_note:
            # What was looked at and not told of is looked at again after a kill: no reason to wear flash.
            self._next_note = now.running + NOTE_EVERY
            with transaction(conn):
                _note_cursor(conn, cursor)
            self._noted = cursor

    def _ready(
        self, conn: sqlite3.Connection, running: float
    ) -> tuple[list[StoredAlert], int, dict[int, _Held]]:
        """The alerts that are to be told of now; how far the store has been read then, and what beyond that
        is held."""
        changed = alerts_changed(conn, self._cursor, AT_ONCE)
        ready, waiting, held = [], [], {}
        for found in changed:
            since, done = self._held.get(found.id, _Held(running, 0))
            nameless = found.destination and not found.name and found.reverse is None
            if done == found.change:
                held[found.id] = _Held(since, done)
            elif running - since >= (NAMELESS if nameless else GATHER):
                ready.append(found)
                held[found.id] = _Held(since, found.change)
            else:
                waiting.append(found.change)
                held[found.id] = _Held(since, done)
        cursor = min(waiting) - 1 if waiting else changed[-1].change if changed else self._cursor
        beyond = {found.id: held[found.id] for found in changed if found.change > cursor}
        return ready, cursor, beyond

    def _second_looks(self, conn: sqlite3.Connection, wall: float) -> list[News]:
        """The alerts that were answered, or decided by a rule that has ended since the last turn."""
        found = [each for number in self._again if (each := alert(conn, number)) is not None]
        for rule in self.config.rules:
            if rule.until is not None and self._looked is not None and self._looked < rule.until <= wall:
                found += alerts_decided(conn, rule.by, rule.at)
        return [self._news(conn, each, wall)._replace(answered=True) for each in found]

    def _news(self, conn: sqlite3.Connection, found: StoredAlert, wall: float) -> News:
        told = next((each for each in self.config.devices if each.mac == found.mac), None)
        called, hostname, maker = names_of(conn, found.mac)
        given = told.name if told else ""
        label = human_name(found.mac, given=given, announced=called, hostname=hostname, maker=maker)
        mode = (told.mode if told else None) or self.config.main.mode
        until = told.mute_until if told else None
        muted = until is not None and until > wall
        said = f"not done: {why}" if (why := self._again.get(found.id)) else ""
        if told is not None and until is not None and muted:
            by = f" by {told.muted_by}" if told.muted_by else ""
            said = f"its alerts are not sent until {wording.moment(until)}{by}"
        ends = self._ends(found)
        is_over = ends is not None and ends <= wall
        return News(found, wording.About(label, str(mode), said, ends, is_over, self.site), muted)

    def _ends(self, found: StoredAlert) -> float | None:
        """When the rule ends that has decided about an alert, if it ends."""
        if found.decided_at is None:
            return None
        ends = (
            rule.until
            for rule in self.config.rules
            if rule.device in ("*", found.mac) and (rule.by, rule.at) == (found.decided_by, found.decided_at)
        )
        return next(ends, None)

    def _muted(self, wall: float) -> list[str]:
        return [
            each.mac for each in self.config.devices if each.mute_until is not None and each.mute_until > wall
        ]


def _plans(
    conn: sqlite3.Connection, lines: Mapping[str, Line], news: list[News], now: Moment
) -> dict[str, Plan]:
    keys = [wording.key_of(each.alert) for each in news]
    plans = {}
    for key, line in lines.items():
        if news or line.newsroom.floods:
            known = outbox.rows(conn, key, keys)
            plans[key] = line.newsroom.plan(line.policy(), news, known, now.running, now.wall)
    return plans


def _keep(conn: sqlite3.Connection, key: str, plan: Plan, wall: float, quiet: bool) -> None:
    """Put a plan into a channel's outbox."""
    puts = []
    for message, told in plan.put:
        loud = deciding.loudness(message.severity)
        held = quiet and loud < deciding.LOUDEST
        text = deciding.to_text(message)
        puts.append(Put(message.key, message.mac, loud, text, told, message.revision, held=held))
    puts += [Put(each, mac, loud, "", "", part_of=by) for each, mac, loud, by in plan.spoken_for]
    outbox.put(conn, key, puts, wall)
    outbox.take_back(conn, key, plan.take_back)


def _sum_up(conn: sqlite3.Connection, channel: str, waited: list[Row], wall: float) -> None:
    """The quiet hours are over: one message for all that was never told, unless that is little."""
    new = [row for row in waited if not row.sent_revision]
    messages = [deciding.from_text(row.message, row.revision) for row in new]
    summary = deciding.summed_up(f"quiet:{int(wall)}", messages, wall)
    keys = {row.key for row in waited}
    if summary is not None:
        loud = deciding.loudness(summary.severity)
        outbox.put(conn, channel, [Put(summary.key, "", loud, deciding.to_text(summary), "")], wall)
        outbox.free(conn, channel, [row.key for row in new], summary.key)
        keys -= {row.key for row in new}
    outbox.free(conn, channel, keys)


def sum_up_late(conn: sqlite3.Connection, channel: str, wall: float) -> None:
    """One message for the alerts that have waited long and were never told of, unless they are few. A
    transaction."""
    messages: dict[str, Message] = {}
    for row in outbox.late(conn, channel, wall - deciding.LATE, deciding.LOUDEST):
        try:
            messages[row.key] = deciding.from_text(row.message, row.revision)
        except (ValueError, TypeError, KeyError):
            continue  # another version wrote it, and whoever is to send it will say so
    summary = deciding.late(f"late:{int(wall)}", messages.values(), wall)
    if summary is None:
        return
    loud = deciding.loudness(summary.severity)
    with transaction(conn):
        outbox.put(conn, channel, [Put(summary.key, "", loud, deciding.to_text(summary), "")], wall)
        outbox.free(conn, channel, messages, summary.key)


def _note_cursor(conn: sqlite3.Connection, cursor: int) -> None:
    conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_CURSOR, str(cursor)))
