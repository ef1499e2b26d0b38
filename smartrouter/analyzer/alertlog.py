# SPDX-License-Identifier: GPL-2.0-or-later
"""From the store's new alerts to the lines of the alert file: each alert once, in order, within a second.

An alert about an address without a name waits a moment for a reverse lookup; what is not known by then is
written as unresolved, and a name that comes later is kept with the alert all the same. What has become part
of a greater alert meanwhile is not written. How far the file has come is noted in the store; a crash between
the line and the note is found out by looking into the file.
"""

import os
import sqlite3
import time
from collections import deque
from typing import NamedTuple

from smartrouter.analyzer.lookups import Lookups
from smartrouter.analyzer.resolve import Question, Wanted
from smartrouter.notify import textfile
from smartrouter.store.alerts import (
    AlertState,
    StoredAlert,
    alerts_after,
    merged_alerts,
    nameless_alerts,
    set_reverse,
)
from smartrouter.store.changes import set_meta
from smartrouter.store.queries import meta

PATIENCE = 0.8  # seconds that a line waits for its reverse lookup
AT_ONCE = 200  # alerts that are taken up in one turn
_CURSOR = "alert_file_cursor"
_TAIL = 64 * 1024  # bytes of the file that are looked through after a start
_LATE = 500  # alerts of earlier runs whose reverse names are still looked up


class _Waiting(NamedTuple):
    alert: StoredAlert
    until: float  # CLOCK_MONOTONIC


class AlertLog:
    """See the module. `path`: the alert file, None for none. For one thread and one connection."""

    def __init__(self, conn: sqlite3.Connection, path: str | None, lookups: Lookups):
        self._conn = conn
        self._path = path
        self._lookups = lookups
        self._written = int(meta(conn, _CURSOR) or "0")  # id of the last alert in the file
        self._taken = self._written
        self._waiting: deque[_Waiting] = deque()
        self._nameless: dict[str, set[int]] = {}  # address -> alerts that want its reverse name
        self._found_in_file: set[tuple[str, str]] | None = None
        for alert in nameless_alerts(conn, _LATE):
            if alert.id <= self._written:
                self._ask(alert)

    def turn(self) -> int:
        """Take up what is new and write what is ready; gives how many lines.

        Raises Unavailable where the file cannot be written, sqlite3.Error where the store cannot: nothing is
        lost, the next turn goes on.
        """
        self._take_answers()
        if len(self._waiting) < AT_ONCE:
            until = time.monotonic() + PATIENCE
            for alert in alerts_after(self._conn, self._taken, AT_ONCE):
                self._waiting.append(_Waiting(alert, until))
                self._taken = alert.id
                if not alert.name and alert.state != AlertState.MERGED:
                    self._ask(alert)
        return self._write_ready()

    def _ask(self, alert: StoredAlert) -> None:
        if alert.reverse is None and (address := textfile.bare_address(alert.destination)):
            self._nameless.setdefault(address, set()).add(alert.id)
            self._lookups.ask(Question(Wanted.NAME, address))

    def _take_answers(self) -> None:
        known = {}
        for address in self._nameless:
            name = self._name(address)
            if name is None:
                self._lookups.ask(Question(Wanted.NAME, address))  # again, if too many waited before
            else:
                known[address] = name
        if known:
            set_reverse(self._conn, [(i, name) for a, name in known.items() for i in self._nameless[a]])
        for address in known:
            del self._nameless[address]

    def _write_ready(self) -> int:
        now = time.monotonic()
        ready = []
        for alert, until in self._waiting:
            if not self._has_its_name(alert) and now < until:
                break
            ready.append(alert)
        if not ready:
            return 0
        lines = self._new_lines(ready)
        if self._path is not None:
            textfile.append(self._path, lines)
        set_meta(self._conn, _CURSOR, str(ready[-1].id))
        self._written = ready[-1].id
        self._found_in_file = set()  # from now on the note is right
        for _ in ready:
            self._waiting.popleft()
        return len(lines)

    def _has_its_name(self, alert: StoredAlert) -> bool:
        address = textfile.bare_address(alert.destination)
        return bool(alert.name or alert.reverse is not None or not address or self._name(address) is not None)

    def _name(self, address: str) -> str | None:
        """The reverse name of `address`, '' if it has none, None if that is not known yet."""
        answer = self._lookups.answer(Question(Wanted.NAME, address))
        return None if answer is None else "".join(answer.found)

    def _new_lines(self, alerts: list[StoredAlert]) -> list[str]:
        if self._found_in_file is None:
            self._found_in_file = _ends_of_lines(self._path)
        merged = merged_alerts(self._conn, [alert.id for alert in alerts])
        lines = [self._line(alert) for alert in alerts if alert.id not in merged]
        return [line for line in lines if _ends(line) not in self._found_in_file]

    def _line(self, alert: StoredAlert) -> str:
        address = textfile.bare_address(alert.destination)
        name = alert.name or alert.reverse or (self._name(address) if address else "") or ""
        what = textfile.destination(name, alert.destination, alert.kind, alert.detail)
        return textfile.line(alert.mac, what, alert.first)


def _ends(line: str) -> tuple[str, str]:
    """Device and time: they tell an alert's line from others; the name between may have been unknown."""
    return line.partition(" ")[0], line.rpartition(" @ ")[2]


def _ends_of_lines(path: str | None) -> set[tuple[str, str]]:
    """Of the last lines of the file; none if it cannot be read."""
    if path is None:
        return set()
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            return {_ends(line) for line in file.read().decode("ascii", "replace").splitlines()}
    except OSError:
        return set()
