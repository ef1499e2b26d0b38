# SPDX-License-Identifier: GPL-2.0-or-later
"""From occurrences of alerts to rows, inside a transaction of the caller's; and how many may be kept.

An open or dismissed alert gathers all occurrences of its key; one that was decided, or withdrawn, stays as
it is, and what comes then is a new one. A row shows the latest occurrence, but the highest severity, and a
name that was known once.
"""

import sqlite3
from collections.abc import Iterable, Mapping

from smartrouter.store.alerts import AlertState
from smartrouter.store.pending import MAX_TARGETS, SEVERITIES, AlertKey, Tally

MAX_DEVICE_ALERTS = 300
MAX_ALERTS = 3000


def write_alerts(conn: sqlite3.Connection, devices: Mapping[str, int], tallies: Iterable[Tally]) -> None:
    """Count `tallies` on to the alerts that gather them, or make these. `devices`: MAC -> row."""
    made_for = set()
    for tally in tallies:
        device = devices[tally.latest.mac]
        number = _gathering(conn, device, tally)
        if number is None:
            number = _make_alert(conn, device, tally)
            made_for.add(device)
        _add_targets(conn, number, tally)
    for device in made_for:
        _trim_alerts(conn, "device = :device", MAX_DEVICE_ALERTS, device)
    if made_for:
        _trim_alerts(conn, "true", MAX_ALERTS)


def withdraw(
    conn: sqlite3.Connection, devices: Mapping[str, int], withdrawn: Mapping[AlertKey, Tally | None]
) -> None:
    """Write the occurrences that are `withdrawn`, and have their alerts, if nobody has decided about them,
    stand for nothing by themselves any more."""
    write_alerts(conn, devices, [tally for tally in withdrawn.values() if tally is not None])
    conn.executemany(
        """UPDATE alerts SET state = ? WHERE device = ? AND kind = ? AND destination = ? AND service = ?
            AND state IN ('open', 'dismissed') AND state = 'open'""",  # the former, to find it by its index
        ((AlertState.MERGED, devices[mac], *rest) for mac, *rest in withdrawn),
    )


def _gathering(conn: sqlite3.Connection, device: int, tally: Tally) -> int | None:
    """Count on to the alert that gathers this key, if there is one; gives its id."""
    alert = tally.latest
    found = conn.execute(
        """SELECT id, severity FROM alerts WHERE device = ? AND kind = ? AND destination = ? AND service = ?
            AND state IN ('open', 'dismissed')""",
        (device, alert.kind, alert.destination, alert.service),
    ).fetchone()
    if found is None:
        return None
    number: int = found[0]
    severity = max(found[1], tally.severity, key=SEVERITIES.index)
    conn.execute(
        """UPDATE alerts SET reason = ?, severity = ?, detail = ?, last = max(last, ?), count = count + ?,
            blocked = blocked + ? WHERE id = ?""",
        (alert.reason, severity, alert.detail, alert.at, tally.count, tally.blocked, number),
    )
    if alert.name:
        conn.execute(
            "UPDATE alerts SET name = ?, evidence = ? WHERE id = ?", (alert.name, alert.evidence, number)
        )
    return number


def _make_alert(conn: sqlite3.Connection, device: int, tally: Tally) -> int:
    alert = tally.latest
    made = conn.execute(
        """INSERT INTO alerts (device, kind, destination, service, reason, severity, evidence, name, detail,
            first, last, count, blocked, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open')
            RETURNING id""",
        (device, alert.kind, alert.destination, alert.service, alert.reason, tally.severity, alert.evidence,
         alert.name, alert.detail, tally.first, alert.at, tally.count, tally.blocked),
    ).fetchall()  # fmt: skip
    number: int = made[0][0]
    return number


def _add_targets(conn: sqlite3.Connection, alert: int, tally: Tally) -> None:
    kept = "SELECT address, port, protocol FROM alert_addresses WHERE alert = ?"
    known = set(conn.execute(kept, (alert,)))
    room = MAX_TARGETS - len(known)
    new = [target for target in tally.targets if target not in known][:room]
    conn.executemany(
        """INSERT INTO alert_addresses (alert, address, port, protocol, count) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET count = count + excluded.count""",
        ((alert, *target, tally.targets[target]) for target in (*known.intersection(tally.targets), *new)),
    )


def _trim_alerts(conn: sqlite3.Connection, which: str, room: int, device: int | None = None) -> None:
    """Those that are decided go first, then those that were quiet for longest."""
    conn.execute(
        f"""DELETE FROM alerts WHERE id IN (
            SELECT id FROM alerts WHERE {which} ORDER BY state = 'open' DESC, last DESC, id DESC
            LIMIT -1 OFFSET :room)""",  # noqa: S608 - `which` is a constant of this module
        {"device": device, "room": room},
    )
