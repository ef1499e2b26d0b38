# SPDX-License-Identifier: GPL-2.0-or-later
"""From a batch of effects to rows. Everything here runs inside one transaction of the caller's.

Keeps the bounds of what a hostile network can make grow: devices, learned destinations, alerts, names.
What goes first is what says least; a device's flood costs its own rows before it costs others'.
"""

import sqlite3
from collections.abc import Iterable

from smartrouter.core.effects import Attempt, Forget, Keep, Learn, Name
from smartrouter.store.pending import MAX_TARGETS, Batch, Tally

MAX_DEVICES = 4096
MAX_LEARNED = 4096  # destinations of one device
MAX_DEVICE_ALERTS = 300
MAX_ALERTS = 3000
MAX_NAMES = 65_536


def write(conn: sqlite3.Connection, batch: Batch, now: float) -> None:
    """Write `batch`. `now`: epoch seconds, for a device of which nothing in it says when it was seen.

    Raises sqlite3.Error, or what binding a value that SQLite cannot hold raises.
    """
    before = conn.total_changes
    devices = _devices(conn, batch, now)
    is_new = conn.total_changes > before
    _write_attempts(conn, devices, batch.attempts)
    _write_alerts(conn, devices, batch.alerts.values())
    for effect in batch.destinations.values():
        _write_destination(conn, devices[effect.mac], effect)
    for keep in batch.progress.values():
        _write_progress(conn, devices[keep.mac], keep)
    for name in batch.names.values():
        _write_name(conn, devices[name.mac], name)
    if is_new:
        trim_devices(conn)
    for device in {
        devices[effect.mac] for effect in batch.destinations.values() if isinstance(effect, Learn)
    }:
        _trim_learned(conn, device)
    if batch.names:
        conn.execute("DELETE FROM names WHERE id <= (SELECT max(id) FROM names) - ?", (MAX_NAMES,))


def trim_devices(conn: sqlite3.Connection) -> None:
    """Hold `MAX_DEVICES`: those that are not protected go first, and of these the longest inactive."""
    count = conn.execute("SELECT count(*) FROM devices").fetchone()[0]
    if count > MAX_DEVICES:
        conn.execute(
            """DELETE FROM devices WHERE id IN (
                SELECT d.id FROM devices d
                LEFT JOIN progress p ON p.device = d.id
                LEFT JOIN activity a ON a.device = d.id
                ORDER BY coalesce(p.state, '') = 'protected', coalesce(a.last, 0), d.id LIMIT ?)""",
            (count - MAX_DEVICES,),
        )


def _devices(conn: sqlite3.Connection, batch: Batch, now: float) -> dict[str, int]:
    """The row of each device in `batch`, by MAC; made where it is missing."""
    seen = {attempt.mac: attempt.at for attempt in reversed(batch.attempts)}
    for tally in batch.alerts.values():
        seen.setdefault(tally.latest.mac, tally.first)
    for effect in (*batch.destinations.values(), *batch.progress.values(), *batch.names.values()):
        seen.setdefault(effect.mac, now)
    conn.executemany(
        "INSERT INTO devices (mac, first_seen, last_seen) VALUES (?, ?, ?) ON CONFLICT (mac) DO NOTHING",
        ((mac, at, at) for mac, at in seen.items()),
    )
    find = "SELECT id FROM devices WHERE mac = ?"
    return {mac: conn.execute(find, (mac,)).fetchone()[0] for mac in seen}


def _write_attempts(conn: sqlite3.Connection, devices: dict[str, int], attempts: list[Attempt]) -> None:
    """Each attempt points at its device's attempt before it, which `activity` knows at first."""
    if not attempts:
        return
    last: dict[int, int] = dict(conn.execute("SELECT device, last FROM activity"))
    words = _words(conn, {word for a in attempts for word in (a.scope, a.evidence, a.reason)})
    number: int = conn.execute("SELECT coalesce(max(id), 0) FROM attempts").fetchone()[0]
    rows = []
    active: dict[int, tuple[int, float, int, int]] = {}
    for a in attempts:
        number += 1
        device = devices[a.mac]
        rows.append(
            (number, a.at, device, last.get(device), a.source, a.source_port, a.address, a.port, a.protocol,
             a.service, a.name, words[a.scope], words[a.evidence], a.accepted, words[a.reason])
        )  # fmt: skip
        last[device] = number
        _, _, count, blocked = active.get(device, (0, 0.0, 0, 0))
        active[device] = (number, a.at, count + 1, blocked + (not a.accepted))
    conn.executemany("INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    conn.executemany(
        """INSERT INTO activity (device, last, last_at, attempts, blocked) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (device) DO UPDATE SET last = excluded.last, last_at = excluded.last_at,
                attempts = attempts + excluded.attempts, blocked = blocked + excluded.blocked""",
        ((device, *counts) for device, counts in active.items()),
    )


def _words(conn: sqlite3.Connection, words: Iterable[str]) -> dict[str, int]:
    """The number of each word; a new one gets one. The words are those of closed sets."""
    numbers = {}
    for word in sorted(words):
        conn.execute("INSERT INTO words (word) VALUES (?) ON CONFLICT (word) DO NOTHING", (word,))
        numbers[word] = conn.execute("SELECT id FROM words WHERE word = ?", (word,)).fetchone()[0]
    return numbers


def _write_alerts(conn: sqlite3.Connection, devices: dict[str, int], tallies: Iterable[Tally]) -> None:
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


def _gathering(conn: sqlite3.Connection, device: int, tally: Tally) -> int | None:
    """Count on to the alert that gathers this key, if there is one; gives its id."""
    alert = tally.latest
    found = conn.execute(
        """UPDATE alerts SET reason = ?, severity = ?, evidence = ?, name = ?, last = max(last, ?),
            count = count + ?, blocked = blocked + ?
            WHERE device = ? AND kind = ? AND destination = ? AND service = ?
                AND state IN ('open', 'dismissed') RETURNING id""",
        (alert.reason, alert.severity, alert.evidence, alert.name, alert.at, tally.count, tally.blocked,
         device, alert.kind, alert.destination, alert.service),
    ).fetchall()  # fmt: skip
    return found[0][0] if found else None


def _make_alert(conn: sqlite3.Connection, device: int, tally: Tally) -> int:
    alert = tally.latest
    made = conn.execute(
        """INSERT INTO alerts (device, kind, destination, service, reason, severity, evidence, name,
            first, last, count, blocked, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open')
            RETURNING id""",
        (device, alert.kind, alert.destination, alert.service, alert.reason, alert.severity, alert.evidence,
         alert.name, tally.first, alert.at, tally.count, tally.blocked),
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


def _write_destination(conn: sqlite3.Connection, device: int, effect: Learn | Forget) -> None:
    name, service = effect.destination
    if isinstance(effect, Forget):
        conn.execute(
            "DELETE FROM learned WHERE device = ? AND name = ? AND service = ?", (device, name, service)
        )
        return
    conn.execute(
        """INSERT INTO learned (device, name, service, units, last_unit, learned_at, last_used)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (device, name, service) DO UPDATE SET units = excluded.units,
                last_unit = excluded.last_unit, last_used = max(last_used, excluded.last_used)""",
        (device, name, service, effect.seen.units, effect.seen.last_unit, effect.at, effect.at),
    )


def _trim_learned(conn: sqlite3.Connection, device: int) -> None:
    """What was used in few units and learned last goes first: it is what a flood looks like."""
    conn.execute(
        """DELETE FROM learned WHERE device = :device AND (name, service) IN (
            SELECT name, service FROM learned WHERE device = :device
            ORDER BY units DESC, learned_at LIMIT -1 OFFSET :room)""",
        {"device": device, "room": MAX_LEARNED},
    )


def _write_progress(conn: sqlite3.Connection, device: int, keep: Keep) -> None:
    p = keep.progress
    conn.execute(
        """INSERT OR REPLACE INTO progress (device, state, observed, attempts, units, unit, unit_is_quiet,
            quiet, first_quiet_day, last_quiet_day, settled) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (device, p.state, p.observed, p.attempts, p.units, p.unit, p.unit_is_quiet, p.quiet,
         p.first_quiet_day, p.last_quiet_day, p.settled),
    )  # fmt: skip


def _write_name(conn: sqlite3.Connection, device: int, told: Name) -> None:
    conn.execute(
        """INSERT INTO names (device, address, name, ttl, told_at) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (device, address, name) DO UPDATE
                SET ttl = excluded.ttl, told_at = max(told_at, excluded.told_at)""",
        (device, told.address, told.name, told.ttl, told.at),
    )
