# SPDX-License-Identifier: GPL-2.0-or-later
"""What people answer on channels: taken from the channels' threads, and understood in the analyzer's.

Nothing that is said is believed of itself: a channel speaks for its own people alone, and an answer counts
only where that channel was told, or is being told, what it is an answer to.
"""

import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from smartrouter.analyzer.line import Line
from smartrouter.core.policy import Mode
from smartrouter.notify import wording
from smartrouter.notify.message import Answer
from smartrouter.store import outbox
from smartrouter.store.alerts import StoredAlert, alert

log = logging.getLogger("smartrouter.analyzer")

MOST = 256  # that wait to be taken up


class Answered(NamedTuple):
    """Somebody answered an alert on a channel. `by`: as in `slack:U024BE7LH`."""

    alert: StoredAlert | None
    mac: str
    answer: Answer
    by: str


class Switched(NamedTuple):
    """Somebody switched the mode of a device. `by`: as in `mqtt`."""

    mac: str
    mode: Mode
    by: str


class Answers:
    """A `courier.Heard`. `ring`: called, from any thread, when there is something to be taken."""

    def __init__(self, ring: Callable[[], None]):
        self._ring = ring
        self._said: deque[_Said] = deque()

    def answered(self, channel: str, key: str, answer: Answer, by: str) -> None:
        """See `courier.Heard`."""
        self._hear(_Said(channel, key, answer, by))

    def switched(self, channel: str, mac: str, mode: Mode, by: str) -> None:
        """See `courier.Heard`."""
        self._hear(_Said(channel, mac, mode, by))

    def _hear(self, said: "_Said") -> None:
        if len(self._said) < MOST:  # nobody clicks so fast
            self._said.append(said)
        self._ring()

    def take(
        self, conn: sqlite3.Connection, lines: Mapping[str, Line], shown: Collection[str]
    ) -> list[Answered | Switched]:
        """What was said and counts. `lines`: the channels there are, by name; `shown`: the MACs of devices
        whose mode can be switched. Raises sqlite3.Error, and then gives it all the next time."""
        found: list[Answered | Switched] = []
        refused = []
        heard = list(self._said)
        for said in heard:
            understood = _understood(conn, lines.get(said.channel), said, shown)
            if understood is None:
                refused.append(said.channel)
            else:
                found.append(understood)
        for _ in heard:
            self._said.popleft()
        for channel in refused:
            log.warning("channel %s: an answer to nothing that waits for one; it does nothing", channel)
        return found


class _Said(NamedTuple):
    channel: str
    about: str  # the key of a message, or a MAC
    what: Answer | Mode
    by: str


def _understood(
    conn: sqlite3.Connection, line: Line | None, said: _Said, shown: Collection[str]
) -> Answered | Switched | None:
    """What it is about; None if it was never asked, or has been answered."""
    if line is None or said.by.partition(":")[0] != line.config.type:
        return None
    if isinstance(said.what, Answer):
        return _answered(conn, line, said, said.what)
    return Switched(said.about, said.what, said.by) if said.about in shown else None


def _answered(conn: sqlite3.Connection, line: Line, said: _Said, answer: Answer) -> Answered | None:
    key = said.about
    row = outbox.rows(conn, said.channel, [key]).get(key)
    # What is on its way, or was when something went wrong, may be before people's eyes already.
    if row is None or not (row.sent_revision or row.tries or line.is_telling(key)):
        return None
    kind, _, number = key.partition(":")
    if kind == "flood" and answer is Answer.MUTE:
        return Answered(None, row.mac, answer, said.by)
    if kind != "alert" or not number.isdecimal():
        return None
    found = alert(conn, int(number))
    if found is None or answer not in wording.answers(found):
        return None
    return Answered(found, found.mac, answer, said.by)
