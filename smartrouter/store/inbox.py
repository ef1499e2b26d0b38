# SPDX-License-Identifier: GPL-2.0-or-later
"""Alerts as an inbox has them: by device, those that matter most first, a page at a time. Nothing here
writes.

What comes to three thousand alerts is looked through once a page, without what belongs to them; only those
of the page are read in full.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from smartrouter.store.alerts import StoredAlert, alert

_RANK = "CASE severity WHEN 'critical' THEN 2 WHEN 'warning' THEN 1 ELSE 0 END"
_STATES = "state IN (SELECT value FROM json_each(:states))"


class Group(NamedTuple):
    """A device's alerts in some states. `numbers`: of the few that matter most; `loudest`: 0 notice,
    1 warning, 2 critical."""

    mac: str
    alerts: int
    loudest: int
    last: float
    numbers: tuple[int, ...]


def groups(conn: sqlite3.Connection, states: Collection[str], each: int, kind: str = "") -> list[Group]:
    """By device, the loudest and then the latest first, with the numbers of its first `each` alerts in that
    order. `kind`: only alerts of that kind."""
    found: dict[str, list[tuple[int, float, int]]] = {}
    for mac, rank, last, number in conn.execute(
        f"""SELECT d.mac, {_RANK}, last, a.id FROM alerts a JOIN devices d ON d.id = a.device
            WHERE {_STATES} AND (:kind = '' OR kind = :kind)""",  # noqa: S608 - constants of this module
        {"states": json.dumps(list(states)), "kind": kind},
    ):
        found.setdefault(mac, []).append((rank, last, number))
    made = []
    for mac, alerts in found.items():
        alerts.sort(reverse=True)
        loudest, latest = alerts[0][0], max(last for _, last, _ in alerts)
        made.append(Group(mac, len(alerts), loudest, latest, tuple(number for *_, number in alerts[:each])))
    return sorted(made, key=lambda group: (-group.loudest, -group.last, group.mac))


def of_device(
    conn: sqlite3.Connection, mac: str, states: Collection[str], limit: int, offset: int, kind: str = ""
) -> list[int]:
    """The numbers of a device's alerts, in the same order."""
    rows = conn.execute(
        f"""SELECT a.id FROM alerts a WHERE device = (SELECT id FROM devices WHERE mac = :mac) AND {_STATES}
            AND (:kind = '' OR kind = :kind) ORDER BY {_RANK} DESC, last DESC, a.id DESC
            LIMIT :limit OFFSET :offset""",  # noqa: S608 - constants of this module
        {"mac": mac, "states": json.dumps(list(states)), "kind": kind, "limit": limit, "offset": offset},
    )
    return [number for (number,) in rows]


def read(conn: sqlite3.Connection, numbers: Sequence[int]) -> list[StoredAlert]:
    """The alerts of these numbers, in that order; those that have gone meanwhile are left out."""
    return [found for number in numbers if (found := alert(conn, number)) is not None]


def counts(conn: sqlite3.Connection) -> dict[str, int]:
    """How many alerts there are in each state."""
    return dict(conn.execute("SELECT state, count(*) FROM alerts GROUP BY state"))


def open_by_severity(conn: sqlite3.Connection) -> dict[str, int]:
    """How many alerts nobody has decided about, by severity."""
    return dict(conn.execute("SELECT severity, count(*) FROM alerts WHERE state = 'open' GROUP BY severity"))


class Line(NamedTuple):
    """What a line of the alert file says of an alert, and its id. `name`: the best one that is known."""

    first: float
    id: int
    mac: str
    name: str
    destination: str
    kind: str
    detail: str


def lines(conn: sqlite3.Connection, limit: int) -> Iterator[Line]:
    """The alerts that something came to last, the latest first, but for those that are part of others."""
    for row in conn.execute(
        """SELECT first, a.id, mac, coalesce(nullif(name, ''), reverse, ''), destination, kind, detail
            FROM alerts a JOIN devices d ON d.id = device WHERE state != 'merged'
            ORDER BY last DESC, a.id DESC LIMIT ?""",
        (limit,),
    ):
        yield Line(*row)


def latest(conn: sqlite3.Connection, limit: int) -> list[StoredAlert]:
    """The latest alerts that were raised, but for those that are part of others."""
    rows = conn.execute("SELECT id FROM alerts WHERE state != 'merged' ORDER BY id DESC LIMIT ?", (limit,))
    return read(conn, [number for (number,) in rows.fetchall()])
