# SPDX-License-Identifier: GPL-2.0-or-later
"""From a batch of effects to rows. Everything here runs inside one transaction of the caller's.

Keeps the bounds of what a hostile network can make grow: devices, learned destinations, names, aliases;
`alert_rows` those of alerts. What goes first is what says least; a device's flood costs its own rows before
it costs others'.
"""

import sqlite3
from collections.abc import Iterable

from smartrouter.core.effects import Attempt, Forget, Keep, Learn, Name, NameAlias
from smartrouter.store.alert_rows import withdraw, write_alerts
from smartrouter.store.labels import write_labels
from smartrouter.store.pending import Batch

MAX_DEVICES = 4096
MAX_LEARNED = 4096  # destinations of one device
MAX_NAMES = 65_536
MAX_DEVICE_ALIASES = 4096
MAX_ALIASES = 65_536


def write(conn: sqlite3.Connection, batch: Batch, now: float) -> None:
    """Write `batch`. `now`: epoch seconds, for a device of which nothing in it says when it was seen.

    Raises sqlite3.Error, or what binding a value that SQLite cannot hold raises.
    """
    before = conn.total_changes
    devices = _devices(conn, batch, now)
    is_new = conn.total_changes > before
    _write_attempts(conn, devices, batch.attempts)
    withdraw(conn, devices, batch.withdrawn)
    write_alerts(conn, devices, batch.alerts.values())
    write_labels(conn, devices, batch.labels.values())
    for effect in batch.destinations.values():
        _write_destination(conn, devices[effect.mac], effect)
    for keep in batch.progress.values():
        _write_progress(conn, devices[keep.mac], keep)
    for name in batch.names.values():
        _write_name(conn, devices[name.mac], name)
    for alias in batch.aliases.values():
        _write_alias(conn, devices[alias.mac], alias)
    if is_new:
        trim_devices(conn)
    for device in {
        devices[effect.mac] for effect in batch.destinations.values() if isinstance(effect, Learn)
    }:
        _trim_learned(conn, device)
    if batch.names:
        conn.execute("DELETE FROM names WHERE id <= (SELECT max(id) FROM names) - ?", (MAX_NAMES,))
    if batch.aliases:
        _trim_aliases(conn, {devices[alias.mac] for alias in batch.aliases.values()})


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
    for tally in (*batch.withdrawn.values(), *batch.alerts.values()):
        if tally is not None:
            seen.setdefault(tally.latest.mac, tally.first)
    for kept in (batch.destinations, batch.progress, batch.names, batch.aliases, batch.labels):
        for effect in kept.values():
            seen.setdefault(effect.mac, now)
    for mac, *_ in batch.withdrawn:
        seen.setdefault(mac, now)
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


def _write_destination(conn: sqlite3.Connection, device: int, effect: Learn | Forget) -> None:
    name, service = effect.destination
    if isinstance(effect, Forget):
        conn.execute(
            "DELETE FROM learned WHERE device = ? AND name = ? AND service = ?", (device, name, service)
        )
        return
    conn.execute(
        """INSERT INTO learned (device, name, service, units, last_unit, used, learned_at, last_used)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (device, name, service) DO UPDATE SET units = excluded.units, used = excluded.used,
                last_unit = excluded.last_unit, last_used = max(last_used, excluded.last_used)""",
        (device, name, service, *effect.seen, effect.at, effect.at),
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
            quiet, first_quiet_day, last_quiet_day, settled, new_since_second, new_logs)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (device, p.state, p.observed, p.attempts, p.units, p.unit, p.unit_is_quiet, p.quiet,
         p.first_quiet_day, p.last_quiet_day, p.settled, p.new_since_second, p.new_logs),
    )  # fmt: skip


def _write_name(conn: sqlite3.Connection, device: int, told: Name) -> None:
    conn.execute(
        """INSERT INTO names (device, address, name, ttl, told_at) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (device, address, name) DO UPDATE
                SET ttl = excluded.ttl, told_at = max(told_at, excluded.told_at)""",
        (device, told.address, told.name, told.ttl, told.at),
    )


def _write_alias(conn: sqlite3.Connection, device: int, alias: NameAlias) -> None:
    conn.execute(
        """INSERT INTO aliases (device, target, head, seen_at) VALUES (?, ?, ?, ?)
            ON CONFLICT (device, target, head) DO UPDATE SET seen_at = max(seen_at, excluded.seen_at)""",
        (device, alias.target, alias.head, alias.at),
    )


def _trim_aliases(conn: sqlite3.Connection, devices: Iterable[int]) -> None:
    """Those that were not seen for longest go first. Where there are too many in all, a few more than needed
    go, so that they need not be sorted again each time."""
    for device in devices:
        conn.execute(
            """DELETE FROM aliases WHERE id IN (SELECT id FROM aliases WHERE device = ?
                ORDER BY seen_at DESC, id DESC LIMIT -1 OFFSET ?)""",
            (device, MAX_DEVICE_ALIASES),
        )
    if conn.execute("SELECT count(*) FROM aliases").fetchone()[0] > MAX_ALIASES:
        conn.execute(
            """DELETE FROM aliases WHERE id IN (
                SELECT id FROM aliases ORDER BY seen_at DESC, id DESC LIMIT -1 OFFSET ?)""",
            (MAX_ALIASES - MAX_ALIASES // 16,),
        )
