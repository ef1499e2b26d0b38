# SPDX-License-Identifier: GPL-2.0-or-later
"""From the store's alerts to messages handed over, and from people's answers back.

The analyzer's thread reads what is new, has `notify.outbox` decide, and keeps the outbox; each channel has a
thread of its own that does nothing but hand one message over at a time, so that one that hangs delays no
other. The store is written here alone: a kill between a hand-over and its note costs one message a channel
that is sent again.

Nothing of a channel's configuration is logged, stored or shown: only its name, and what it says went wrong.
"""

import contextlib
import logging
import queue
import random
import socket
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from smartrouter.analyzer.courier import Courier, Done, Open
from smartrouter.config import Config, NotifyConfig
from smartrouter.core.events import Moment
from smartrouter.core.identity.called import human_name
from smartrouter.notify import outbox as deciding
from smartrouter.notify import wording
from smartrouter.notify.channel import NotDelivered
from smartrouter.notify.channels import answers, named, open_channel
from smartrouter.notify.message import Answer
from smartrouter.notify.outbox import Allowance, News, Newsroom, Plan, Policy
from smartrouter.store import outbox
from smartrouter.store.alerts import StoredAlert, alert, alerts_changed, latest_change
from smartrouter.store.outbox import Put, Row
from smartrouter.store.queries import device, meta
from smartrouter.store.transaction import transaction

log = logging.getLogger("smartrouter.analyzer")

GATHER = 0.5  # seconds that a new alert waits for others like it
NAMELESS = 0.9  # … and one about an address without a name, for its reverse name
AT_ONCE = 500  # alerts that are taken up in one turn
STUCK = 90.0  # seconds after which the hand-over of a channel that was configured anew is not waited for
NOTE_EVERY = 30.0  # seconds between two notes of how far the store was read, while there is nothing to send
_MAX_ANSWERS = 256  # that wait to be taken up
_CURSOR = "outbox_cursor"
_CRITICAL = len(deciding.SEVERITIES) - 1


class Answered(NamedTuple):
    """Somebody answered an alert on a channel. `by`: as in `slack:U024BE7LH`."""

    alert: StoredAlert | None
    mac: str
    answer: Answer
    by: str


class _Line:
    """What the analyzer's thread knows of one channel."""

    def __init__(self, config: NotifyConfig):
        self.config = config
        self.newsroom = Newsroom()
        self.allowance = Allowance(config.per_minute)
        self.courier: Courier | None = None
        self.retired: Courier | None = None  # which may still have something in hand
        self.ready_at = 0.0  # CLOCK_MONOTONIC
        self.health: outbox.Health | None = None

    @property
    def disabled(self) -> bool:
        return self.health is not None and self.health.disabled

    def policy(self) -> Policy:
        return Policy(
            deciding.loudness(self.config.min_severity),
            _quiet(self.config),
            0 if self.health is None else self.health.since,
        )


class _Held(NamedTuple):
    since: float  # CLOCK_MONOTONIC
    done: int  # the change of it that was decided about


class Delivery:
    """See the module. For one thread; `fileno` is readable when a channel has something to say.

    `attach` gives it a store; without one it keeps still. Methods that use it raise sqlite3.Error, and are to
    be called again.
    """

    def __init__(
        self, config: Config, opener: Open = open_channel, luck: Callable[[], float] = random.random
    ):
        self._opener = opener
        self._luck = luck
        self._lines: dict[str, _Line] = {}
        self._changed: set[str] = set()
        self._conn: sqlite3.Connection | None = None
        self._cursor = self._noted = 0
        self._next_note = 0.0
        self._channels_known = False
        self._held: dict[int, _Held] = {}
        self._again: set[int] = set()  # alerts whose messages may have changed, though they have not
        self._done: queue.SimpleQueue[Done] = queue.SimpleQueue()
        self._answers: queue.Queue[tuple[str, str, Answer, str]] = queue.Queue(_MAX_ANSWERS)
        self._not_done: dict[int, str] = {}  # alerts -> why what was answered could not be done
        self._answered: deque[int] = deque(maxlen=_MAX_ANSWERS)  # alerts, lately
        self._bell, self._ringer = socket.socketpair()
        for end in (self._bell, self._ringer):
            end.setblocking(False)
        self._stopped = False
        self.configure(config)

    def fileno(self) -> int:
        """Readable when a hand-over has ended, or somebody has answered."""
        return self._bell.fileno()

    @property
    def busy(self) -> bool:
        """Has a channel something in hand? Then `fileno` will be readable once it has not."""
        couriers = [each for line in self._lines.values() for each in (line.courier, line.retired)]
        return any(each is not None and each.busy_since is not None for each in couriers)

    # -- configuration and store ----------------------------------------------------------------------

    def configure(self, config: Config) -> None:
        """Take up a configuration: channels that are new, gone or changed."""
        wanted = named(config.notify)
        for key in self._lines.keys() - wanted.keys():
            self._retire(self._lines.pop(key))
        for key, each in wanted.items():
            line = self._lines.get(key)
            if line is not None and line.config == each:
                continue
            if line is not None:
                self._changed.add(key)
            fresh = _Line(each)
            if line is not None:
                self._retire(line)
                fresh.retired = line.courier or line.retired
                fresh.newsroom = line.newsroom
            self._lines[key] = fresh
        self._config = config
        self._again.update(self._answered)
        self._channels_known = False

    def not_done(self, number: int, why: str) -> None:
        """What was answered about this alert could not be done: say so where it was answered."""
        if number in self._answered:
            self._not_done[number] = f"not done: {why}"
            self._again.add(number)

    def attach(self, conn: sqlite3.Connection | None) -> None:
        """Use this store from now on."""
        self._conn = conn
        self._held.clear()
        self._channels_known = False
        if conn is not None:
            self._cursor = self._noted = int(meta(conn, _CURSOR) or "0")

    def turn(self, now: Moment) -> list[Answered]:
        """Do what is due; gives what people have answered. Raises sqlite3.Error."""
        with contextlib.suppress(BlockingIOError):
            while self._bell.recv(4096):
                pass
        if self._conn is None:
            return []
        self._know_channels(self._conn, now.running)
        self._take_notes(self._conn, now)
        self._take_up(self._conn, now)
        self._hand_out(self._conn, now)
        return self._take_answers(self._conn)

    def stop(self, patience: float = 2.0) -> None:
        """Let what is in hand be handed over, and note it if that does not take long."""
        self._stopped = True
        until = time.monotonic() + patience
        couriers = [line.courier for line in self._lines.values() if line.courier is not None]
        for courier in couriers:
            courier.retire()
        for courier in couriers:
            courier.join(max(0.0, until - time.monotonic()))
        if self._conn is not None:
            with contextlib.suppress(sqlite3.Error):
                self._take_notes(self._conn, Moment(time.monotonic(), time.time()))

    def _retire(self, line: _Line) -> None:
        if line.courier is not None:
            line.courier.retire()

    def _know_channels(self, conn: sqlite3.Connection, running: float) -> None:
        if not self._channels_known:
            if not outbox.channels(conn):  # the first ones: what was before is not for them
                self._cursor = latest_change(conn)
            outbox.keep_channels(conn, list(self._lines), self._changed)
            self._changed.clear()
            for key, health in outbox.channels(conn).items():
                self._lines[key].health = health
            self._channels_known = True
        for key, line in self._lines.items():
            if answers(line.config) and not line.disabled and running >= line.ready_at and not self._stopped:
                line.courier = line.courier or self._courier(key, line.config)
                if not line.courier.listens:
                    line.courier.listen(running)

    def _courier(self, key: str, config: NotifyConfig) -> Courier:
        return Courier(key, config, self._ended, self._heard, self._opener)

    # -- from alerts to the outbox --------------------------------------------------------------------

    def _take_up(self, conn: sqlite3.Connection, now: Moment) -> None:
        """Have what is new, and has waited for the like of it, put into the outbox."""
        if not self._lines:
            return
        ready, cursor, held = self._ready(conn, now.running)
        again = [found for number in self._again if (found := alert(conn, number)) is not None]
        news = [self._news(conn, found, now.wall) for found in (*ready, *again)]
        plans = self._plans(conn, news, now)
        minute = _minute(now.wall)
        quiet = {key for key, line in self._lines.items() if deciding.is_quiet(_quiet(line.config), minute)}
        waited = {key: rows for key in self._lines if key not in quiet and (rows := outbox.held(conn, key))}
        muted = self._muted(now.wall)
        silent = {key: keys for key in self._lines if muted and (keys := outbox.unsent_of(conn, key, muted))}
        if any(map(any, plans.values())) or waited or silent:
            with transaction(conn):
                for key, plan in plans.items():
                    _keep(conn, key, plan, now.wall, key in quiet)
                for key, rows in waited.items():
                    _sum_up(conn, key, rows, now.wall)
                for key, keys in silent.items():
                    outbox.take_back(conn, key, keys)
                for key in self._lines:
                    outbox.trim(conn, key)
                _note_cursor(conn, cursor)
            self._noted = cursor
        self._cursor, self._held = cursor, held
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

    def _plans(self, conn: sqlite3.Connection, news: list[News], now: Moment) -> dict[str, Plan]:
        keys = [wording.key_of(each.alert) for each in news]
        plans = {}
        for key, line in self._lines.items():
            if news or line.newsroom.floods:
                known = outbox.rows(conn, key, keys)
                plans[key] = line.newsroom.plan(line.policy(), news, known, now.running, now.wall)
        return plans

    def _news(self, conn: sqlite3.Connection, found: StoredAlert, wall: float) -> News:
        told = next((each for each in self._config.devices if each.mac == found.mac), None)
        seen = device(conn, found.mac)
        label = human_name(
            found.mac,
            given=told.name if told else "",
            announced=seen.called if seen else "",
            hostname=seen.hostname if seen else "",
            maker=seen.maker if seen else "",
        )
        mode = (told.mode if told else None) or self._config.main.mode
        until = told.mute_until if told else None
        muted = until is not None and until > wall
        said = self._not_done.pop(found.id, "")
        if told is not None and until is not None and muted:
            by = f" by {told.muted_by}" if told.muted_by else ""
            said = f"its alerts are not sent until {wording.moment(until)}{by}"
        return News(found, wording.About(label, str(mode), said, self._ends(found)), muted)

    def _ends(self, found: StoredAlert) -> float | None:
        """When the rule ends that has decided about an alert, if it ends."""
        if found.decided_at is None:
            return None
        ends = (
            rule.until
            for rule in self._config.rules
            if rule.device in ("*", found.mac) and (rule.by, rule.at) == (found.decided_by, found.decided_at)
        )
        return next(ends, None)

    def _muted(self, wall: float) -> list[str]:
        return [
            each.mac
            for each in self._config.devices
            if each.mute_until is not None and each.mute_until > wall
        ]

    # -- from the outbox to the channels --------------------------------------------------------------

    def _hand_out(self, conn: sqlite3.Connection, now: Moment) -> None:
        if self._stopped:
            return
        for key, line in self._lines.items():
            if not self._may_send(line, now):
                continue
            quiet = deciding.is_quiet(_quiet(line.config), _minute(now.wall))
            row = outbox.next_row(conn, key, _CRITICAL if quiet else 0)
            if row is None:
                continue
            try:
                message = deciding.from_text(row.message, row.revision)
            except (ValueError, TypeError, KeyError):
                outbox.note_failed(
                    conn, key, row, "another version wrote it", now.wall, retry_at=None, give_up=True
                )
                continue
            if line.courier is None:
                line.courier = self._courier(key, line.config)
            line.allowance.take()
            line.courier.give(row, message, now.running)

    def _may_send(self, line: _Line, now: Moment) -> bool:
        health, before, courier = line.health, line.retired, line.courier
        if health is None or health.disabled or now.running < line.ready_at:
            return False
        if before is not None and before.busy_since is not None and now.running - before.busy_since < STUCK:
            return False
        if courier is not None and courier.busy_since is not None:
            return False
        asked_to_wait = 0.0 if health.retry_at is None else health.retry_at - now.wall
        if not line.ready_at and 0 < asked_to_wait <= deciding.OBEYED:
            return False  # as it was before we were started
        return line.allowance.next_at(now.running) <= now.running

    def _take_notes(self, conn: sqlite3.Connection, now: Moment) -> None:
        """Note what came of hand-overs."""
        while not self._done.empty():
            done = self._done.get()
            try:
                self._note(conn, done, now)
            except sqlite3.Error:
                self._done.put(done)  # once the store can be written again
                raise
            done.courier.busy_since = None

    def _note(self, conn: sqlite3.Connection, done: Done, now: Moment) -> None:
        key, row = done.courier.key, done.row
        line = self._lines.get(key)
        is_current = line is not None and line.courier is done.courier
        if done.failure is not None:
            if line is not None and is_current:
                self._note_failure(conn, line, done, done.failure, now)
            return
        if row is not None:
            outbox.note_sent(conn, key, row, done.receipt, now.wall)
        if line is not None and is_current:
            if line.health is not None and line.health.failures:
                log.warning("channel %s: works again", key)
            line.ready_at = 0.0
            line.health = outbox.channels(conn).get(key)

    def _note_failure(
        self, conn: sqlite3.Connection, line: _Line, done: Done, failure: NotDelivered, now: Moment
    ) -> None:
        key, row, health = done.courier.key, done.row, line.health
        failures = 1 + (0 if health is None else health.failures)
        pause = deciding.wait(failures, failure.retry_after, self._luck())
        sent_at = None if health is None else health.sent_at
        # Others of later were taken: it is this message that is not.
        refused = row is not None and row.tries + 1 >= deciding.GIVE_UP and (sent_at or 0.0) > row.queued_at
        outbox.note_failed(
            conn, key, row, str(failure), now.wall, retry_at=now.wall + pause, disable=failure.is_final,
            give_up=refused and not failure.is_final,
        )  # fmt: skip
        line.ready_at = now.running + pause
        line.health = outbox.channels(conn).get(key)
        done.courier.listens = row is not None and done.courier.listens
        if failures == 1 or failure.is_final:
            then = "tried no more until its configuration changes" if failure.is_final else "tried again"
            log.warning("channel %s: %s; %s", key, failure, then)

    # -- what channels say, from their threads --------------------------------------------------------

    def _ended(self, done: Done) -> None:
        self._done.put(done)
        self._ring()

    def _heard(self, channel: str, key: str, answer: Answer, by: str) -> None:
        with contextlib.suppress(queue.Full):  # nobody clicks so fast
            self._answers.put_nowait((channel, key, answer, by))
        self._ring()

    def _ring(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it rings already
            self._ringer.send(b"!")

    # -- answers --------------------------------------------------------------------------------------

    def _take_answers(self, conn: sqlite3.Connection) -> list[Answered]:
        found = []
        while not self._answers.empty():
            channel, key, answer, by = self._answers.get()
            answered = self._understood(conn, channel, key, answer, by)
            if answered is None:
                log.warning("channel %s: an answer to nothing that waits for one; it does nothing", channel)
            else:
                found.append(answered)
        return found

    def _understood(
        self, conn: sqlite3.Connection, channel: str, key: str, answer: Answer, by: str
    ) -> Answered | None:
        """What the answer is about; None if it was never asked, or has been answered."""
        line = self._lines.get(channel)
        if line is None or not by.startswith(f"{line.config.type}:"):
            return None
        row = outbox.rows(conn, channel, [key]).get(key)
        if row is None or not row.sent_revision:
            return None
        kind, _, number = key.partition(":")
        if kind == "flood" and answer is Answer.MUTE:
            return Answered(None, row.mac, answer, by)
        if kind != "alert" or not number.isdecimal():
            return None
        found = alert(conn, int(number))
        if found is None or answer not in wording.answers(found):
            return None
        self._answered.append(found.id)
        return Answered(found, found.mac, answer, by)


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


def _keep(conn: sqlite3.Connection, key: str, plan: Plan, wall: float, quiet: bool) -> None:
    """Put a plan into a channel's outbox."""
    puts = []
    for message, told in plan.put:
        loud = deciding.loudness(message.severity)
        held = quiet and loud < _CRITICAL
        text = deciding.to_text(message)
        puts.append(Put(message.key, message.mac, loud, text, told, message.revision, held=held))
    puts += [Put(each, mac, loud, "", "", part_of=by) for each, mac, loud, by in plan.spoken_for]
    outbox.put(conn, key, puts, wall)
    outbox.take_back(conn, key, plan.take_back)


def _note_cursor(conn: sqlite3.Connection, cursor: int) -> None:
    conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_CURSOR, str(cursor)))


def _quiet(config: NotifyConfig) -> tuple[int, int] | None:
    if not config.quiet_from:
        return None
    return deciding.minutes(config.quiet_from), deciding.minutes(config.quiet_to)


def _minute(wall: float) -> int:
    local = time.localtime(wall)
    return 60 * local.tm_hour + local.tm_min
