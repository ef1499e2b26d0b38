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

from smartrouter.analyzer.answers import MOST, Answered, Answers, Switched
from smartrouter.analyzer.courier import Courier, Done, Open
from smartrouter.analyzer.intake import Intake, sum_up_late
from smartrouter.analyzer.line import Line, minute_of_day
from smartrouter.analyzer.report import put_digests
from smartrouter.analyzer.standings import standings
from smartrouter.config import Config, NotifyConfig
from smartrouter.core.events import Moment
from smartrouter.notify import outbox as deciding
from smartrouter.notify.channel import NotDelivered
from smartrouter.notify.channels import SHOWING, answers, leads_elsewhere, named, open_channel
from smartrouter.notify.switches import Standing
from smartrouter.store import outbox

log = logging.getLogger("smartrouter.analyzer")

STUCK = 90.0  # seconds after which the hand-over of a channel that was configured anew is not waited for
STANDINGS_EVERY = 10.0  # seconds between two looks at how devices stand
LATE_EVERY = 15.0  # seconds between two looks for what has waited long
DIGESTS_EVERY = 60.0  # seconds between two looks whether a digest is due


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
        self._lines: dict[str, Line] = {}
        self._changed: set[str] = set()  # channels, since the store was told …
        self._moved: set[str] = set()  # … and those of them that lead somewhere else
        self._conn: sqlite3.Connection | None = None
        self._channels_known = False
        self._intake = Intake(config)
        self._done: queue.SimpleQueue[Done] = queue.SimpleQueue()
        self._answers = Answers(self._ring)
        self._standings: tuple[Standing, ...] = ()
        self._next_standings = self._next_digests = 0.0
        self._answered: deque[int] = deque(maxlen=MOST)  # alerts, lately
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
        return any(line.is_busy for line in self._lines.values())

    def troubles(self) -> dict[str, str]:
        """What keeps people from answering, by channel."""
        couriers = {key: line.courier for key, line in self._lines.items() if line.courier is not None}
        return {key: courier.trouble for key, courier in couriers.items() if courier.trouble}

    # -- configuration and store ----------------------------------------------------------------------

    def configure(self, config: Config, site: str = "") -> None:
        """Take up a configuration: channels that are new, gone or changed. `site`: where the pages are that
        messages lead to, '' if there are none."""
        wanted = named(config.notify)
        for key in self._lines.keys() - wanted.keys():
            self._retire(self._lines.pop(key))
        for key, each in wanted.items():
            line = self._lines.get(key)
            if line is not None and line.config == each:
                continue
            fresh = Line(each)
            if line is not None:
                self._changed.add(key)
                if leads_elsewhere(line.config, each):
                    self._moved.add(key)
                self._retire(line)
                fresh.retired = line.courier or line.retired
                fresh.newsroom = line.newsroom
            self._lines[key] = fresh
        self._intake.config, self._intake.site = config, site
        self._next_standings = 0.0
        for number in self._answered:
            self._intake.look_again(number)
        self._channels_known = False

    def not_done(self, number: int, why: str) -> None:
        """What was answered about this alert could not be done: say so where it was answered."""
        if number in self._answered:
            self._intake.look_again(number, why)

    def attach(self, conn: sqlite3.Connection | None) -> None:
        """Use this store from now on."""
        self._conn = conn
        self._channels_known = False
        if conn is not None:
            self._intake.attach(conn, self._lines.values())

    def turn(self, now: Moment) -> list[Answered | Switched]:
        """Do what is due; gives what people have answered. Raises sqlite3.Error."""
        with contextlib.suppress(BlockingIOError):
            while self._bell.recv(4096):
                pass
        if self._conn is None:
            return []
        self._know_channels(self._conn, now.running)
        self._take_notes(self._conn, now)
        if self._lines:
            self._intake.take_up(self._conn, self._lines, now)
            self._put_digests(self._conn, now)
            self._sum_up_late(self._conn, now)
        self._hand_out(self._conn, now)
        self._show_standings(self._conn, now.running)
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

    def _retire(self, line: Line) -> None:
        if line.courier is not None:
            line.courier.retire()

    def _know_channels(self, conn: sqlite3.Connection, running: float) -> None:
        if not self._channels_known:
            if not outbox.channels(conn):  # the first ones: what was before is not for them
                self._intake.begin(conn)
            outbox.keep_channels(conn, list(self._lines), self._changed, self._moved)
            self._changed.clear()
            self._moved.clear()
            for key, health in outbox.channels(conn).items():
                self._lines[key].health = health
            self._channels_known = True
        for key, line in self._lines.items():
            if answers(line.config) and not line.disabled and running >= line.ready_at and not self._stopped:
                line.courier = line.courier or self._courier(key, line.config)
                if not line.courier.listens:
                    line.courier.listen(running)

    def _courier(self, key: str, config: NotifyConfig) -> Courier:
        courier = Courier(key, config, self._ended, self._answers, self._opener)
        courier.show(self._standings)
        return courier

    # -- from the outbox to the channels --------------------------------------------------------------

    def _hand_out(self, conn: sqlite3.Connection, now: Moment) -> None:
        if self._stopped:
            return
        for key, line in self._lines.items():
            if not self._may_send(line, now):
                continue
            row = outbox.next_row(conn, key, deciding.LOUDEST if line.is_quiet(now.wall) else 0)
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

    def _sum_up_late(self, conn: sqlite3.Connection, now: Moment) -> None:
        """Of a channel that works (again), have alerts that waited long told together. Not while one of them
        may be on its way."""
        for key, line in self._lines.items():
            health = line.health
            works = health is not None and not health.failures and not health.disabled
            if not works or line.is_busy or now.running < line.late_at or line.is_quiet(now.wall):
                continue
            line.late_at = now.running + LATE_EVERY
            sum_up_late(conn, key, now.wall)

    def _may_send(self, line: Line, now: Moment) -> bool:
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
            done.courier.ended()

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
                line.late_at = 0.0
            line.ready_at = 0.0
            line.health = outbox.channels(conn).get(key)

    def _note_failure(
        self, conn: sqlite3.Connection, line: Line, done: Done, failure: NotDelivered, now: Moment
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

    def _put_digests(self, conn: sqlite3.Connection, now: Moment) -> None:
        if now.running >= self._next_digests:
            self._next_digests = now.running + DIGESTS_EVERY
            put_digests(conn, self._lines, self._intake.config, now.wall, minute_of_day(now.wall))

    def _show_standings(self, conn: sqlite3.Connection, running: float) -> None:
        """Tell channels that show it how the devices stand, where that has changed."""
        shows = any(line.config.type in SHOWING for line in self._lines.values())
        if not shows or running < self._next_standings:
            return
        self._next_standings = running + STANDINGS_EVERY
        found = standings(conn, self._intake.config)
        if found != self._standings:
            self._standings = found
            for line in self._lines.values():
                if line.courier is not None:
                    line.courier.show(found)

    def _take_answers(self, conn: sqlite3.Connection) -> list[Answered | Switched]:
        found = self._answers.take(conn, self._lines, {device.mac for device in self._standings})
        for each in found:
            if isinstance(each, Answered) and each.alert is not None:
                self._answered.append(each.alert.id)
        return found

    # -- in the channels' threads ------------------------------------------------------------------------

    def _ended(self, done: Done) -> None:
        self._done.put(done)
        self._ring()

    def _ring(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it rings already
            self._ringer.send(b"!")
