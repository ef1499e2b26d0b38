# SPDX-License-Identifier: GPL-2.0-or-later
"""Alerts: what can be asked about them, and what becomes of them. The guard's writer raises them.

What changes something needs a writer's connection, and is a transaction of its own.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum
from operator import itemgetter
from typing import Any, NamedTuple

from smartrouter.store.transaction import transaction


class AlertState(StrEnum):
    """What became of an alert. Only open and dismissed ones gather further occurrences."""

    OPEN = "open"
    ALLOWED = "allowed"
    DENIED = "denied"
    DISMISSED = "dismissed"  # seen, and not to be reported again
    MERGED = "merged"  # part of a greater alert, which stands in its place


class StoredAlert(NamedTuple):
    """An alert with all its occurrences, of which so many were `blocked`. `destination`: '' where there is
    not one alone; `detail`: what else there is to say, '' if nothing. `targets`: (address, port, protocol,
    count), the most frequent first, 32 at most. `reverse`: None until it was looked up, '' if nothing was
    found. `decided_by`, `decided_at`: who gave it its state, and when; '' and None if nobody did. `change`:
    a number that grows with each change of any alert."""

    id: int
    mac: str
    kind: str
    destination: str
    service: str
    reason: str
    severity: str
    evidence: str
    name: str
    reverse: str | None
    first: float
    last: float
    occurrences: int
    blocked: int
    state: str
    detail: str
    targets: tuple[tuple[str, int, int, int], ...]
    decided_by: str = ""
    decided_at: float | None = None
    change: int = 0


_COUNT = itemgetter(3)  # of a target
_ALERTS = """
    SELECT a.id, d.mac, kind, destination, service, reason, severity,
        CASE WHEN name = '' AND reverse != '' THEN 'reverse' ELSE evidence END, name, reverse,
        first, last, count, blocked, state, detail, decided_by, decided_at, change
    FROM alerts a JOIN devices d ON d.id = a.device"""


def alerts(
    conn: sqlite3.Connection,
    *,
    state: AlertState | None = None,
    mac: str | None = None,
    after: int = 0,
    limit: int = 1000,
    offset: int = 0,
) -> list[StoredAlert]:
    """Alerts, the latest first; only those in `state`, of the device `mac`, or raised later than the one with
    the id `after`, if given."""
    return _alerts(
        conn,
        """WHERE a.id > :after AND (:state IS NULL OR state = :state) AND (:mac IS NULL OR mac = :mac)
            ORDER BY last DESC, a.id DESC LIMIT :limit OFFSET :offset""",
        {"state": state, "mac": mac, "after": after, "limit": limit, "offset": offset},
    )


def alert(conn: sqlite3.Connection, number: int) -> StoredAlert | None:
    """The alert with this id."""
    found = _alerts(conn, "WHERE a.id = :id", {"id": number})
    return found[0] if found else None


def alerts_before(
    conn: sqlite3.Connection,
    cursor: int | None,
    limit: int,
    *,
    states: Sequence[str] = (),
    kinds: Sequence[str] = (),
    severities: Sequence[str] = (),
    mac: str = "",
) -> list[StoredAlert]:
    """Alerts with ids below `cursor` (None: all), those raised last first; only those of one of `states`,
    `kinds` and `severities`, and of the device `mac`, if given."""
    return _alerts(
        conn,
        """WHERE (:cursor IS NULL OR a.id < :cursor) AND (:mac = '' OR mac = :mac)
            AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))
            AND (:kinds = '[]' OR kind IN (SELECT value FROM json_each(:kinds)))
            AND (:severities = '[]' OR severity IN (SELECT value FROM json_each(:severities)))
            ORDER BY a.id DESC LIMIT :limit""",
        {
            "cursor": cursor,
            "limit": limit,
            "mac": mac,
            "states": json.dumps(list(states)),
            "kinds": json.dumps(list(kinds)),
            "severities": json.dumps(list(severities)),
        },
    )


def alerts_after(conn: sqlite3.Connection, cursor: int, limit: int) -> list[StoredAlert]:
    """Alerts with ids above `cursor`, in the order in which they were raised."""
    return _alerts(
        conn, "WHERE a.id > :cursor ORDER BY a.id LIMIT :limit", {"cursor": cursor, "limit": limit}
    )


def alerts_changed(conn: sqlite3.Connection, cursor: int, limit: int) -> list[StoredAlert]:
    """Alerts that were raised or have changed after the change `cursor`, in the order of their last change.
    What changed twice is there once."""
    return _alerts(
        conn, "WHERE change > :cursor ORDER BY change LIMIT :limit", {"cursor": cursor, "limit": limit}
    )


def alerts_decided(conn: sqlite3.Connection, by: str, at: float | None) -> list[StoredAlert]:
    """The alerts that were decided by this one, at that time."""
    which = "WHERE decided_at = :at AND decided_by = :by ORDER BY a.id"
    return _alerts(conn, which, {"by": by, "at": at})


def latest_change(conn: sqlite3.Connection) -> int:
    """The number of the latest change of any alert."""
    latest: int = conn.execute("SELECT latest FROM alert_changes").fetchone()[0]
    return latest


def latest_alert(conn: sqlite3.Connection) -> int:
    """The number of the alert that was raised last, 0 if none was."""
    latest: int = conn.execute("SELECT coalesce(max(id), 0) FROM alerts").fetchone()[0]
    return latest


def nameless_alerts(conn: sqlite3.Connection, limit: int) -> list[StoredAlert]:
    """Alerts about an address without a name, whose reverse name nobody looked up yet, the newest first."""
    return _alerts(
        conn,
        """WHERE name = '' AND reverse IS NULL AND state != 'merged' AND EXISTS (
            SELECT 1 FROM alert_addresses WHERE alert = a.id AND address = a.destination)
            ORDER BY a.id DESC LIMIT :limit""",
        {"limit": limit},
    )


def merged_alerts(conn: sqlite3.Connection, numbers: Iterable[int]) -> set[int]:
    """Which of the alerts with these ids have become part of greater ones."""
    merged = "SELECT id FROM alerts WHERE id = ? AND state = 'merged'"
    return {number for number in numbers if conn.execute(merged, (number,)).fetchone()}


def set_alert_state(
    conn: sqlite3.Connection, number: int, state: AlertState, by: str = "", at: float | None = None
) -> bool:
    """Decide about an alert; `by` whom, as in `cli:root`, and when. False if there is none, or if it cannot
    gather again because a later one with the same key does."""
    with transaction(conn):
        changed = conn.execute(
            "UPDATE OR IGNORE alerts SET state = ?, decided_by = ?, decided_at = ? WHERE id = ?",
            (state, by, at, number),
        ).rowcount
    return changed > 0


def settle_alerts(
    conn: sqlite3.Connection, mac: str, destination: str, service: str, state: AlertState
) -> int:
    """Decide about every undecided alert on this destination; gives how many there were. `mac` '*': of any
    device; `service` '': whatever the service."""
    with transaction(conn):
        return conn.execute(
            """UPDATE alerts SET state = :state WHERE state IN ('open', 'dismissed')
                AND (:mac = '*' OR device = (SELECT id FROM devices WHERE mac = :mac))
                AND destination = :destination AND (:service = '' OR service = :service)""",
            {"state": state, "mac": mac, "destination": destination, "service": service},
        ).rowcount


def set_reverse(conn: sqlite3.Connection, names: Iterable[tuple[int, str]]) -> None:
    """Keep the reverse names that were found: (alert id, name, or '' if there is none)."""
    with transaction(conn):
        conn.executemany(
            "UPDATE alerts SET reverse = ? WHERE id = ?", ((name, number) for number, name in names)
        )


def _alerts(conn: sqlite3.Connection, which: str, values: dict[str, Any]) -> list[StoredAlert]:
    rows = conn.execute(f"{_ALERTS} {which}", values).fetchall()
    targets: defaultdict[int, list[tuple[str, int, int, int]]] = defaultdict(list)
    for number, address, port, protocol, count in conn.execute(
        """SELECT alert, address, port, protocol, count FROM alert_addresses
            WHERE alert IN (SELECT value FROM json_each(?)) ORDER BY alert, address, port, protocol""",
        (json.dumps([row[0] for row in rows]),),
    ):
        targets[number].append((address, port, protocol, count))
    for found in targets.values():
        found.sort(key=_COUNT, reverse=True)  # equal ones stay in their order
    own = len(StoredAlert._fields) - 4  # of the columns these stand before the targets
    return [StoredAlert._make((*row[:own], tuple(targets[row[0]]), *row[own:])) for row in rows]
