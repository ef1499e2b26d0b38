# SPDX-License-Identifier: GPL-2.0-or-later
"""From a batch of effects to rows. Everything here runs inside one transaction of the caller's.

Keeps the bounds of what a hostile network can make grow: devices, learned destinations, names, aliases;
`alert_rows` those of alerts. What goes first is what says least; a device's flood costs its own rows before
it costs others'.

Attempts are the many; what one of them costs here is what storing costs. Each statement that SQLite runs
gives Python's interpreter to a thread that judges packets, and has to win it back: so many rows go into one.
What is bound is exactly an int, a float, a str or None: for anything else Python looks for a converter.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from smartrouter.core.effects import (
    Alike,
    Another,
    Forget,
    Keep,
    Learn,
    Name,
    NameAlias,
)
from smartrouter.store.alert_rows import withdraw, write_alerts
from smartrouter.store.exhibits import BUDGET, write_exhibits
from smartrouter.store.inserts import inserts
from smartrouter.store.labels import write_labels
from smartrouter.store.pending import Batch
from smartrouter.store.sorts import Sorts
from smartrouter.store.volumes import forget_usual, write_usual, write_volumes

MAX_DEVICES = 4096
MAX_LEARNED = 4096  # destinations of one device
MAX_NAMES = 65_536
MAX_DEVICE_ALIASES = 4096
MAX_ALIASES = 65_536

_FOREVER = 2**40  # hours; what lies beyond is no time
HOURS_OF_BLOCKED = 48  # that are counted, to both sides of the newest: a clock may be set back

# So many attempts a statement. Two hundred keep the interpreter for 0.1 ms, and SQLite busy for another.
_INSERTS = inserts("tries", 5, 200, 20, 1)


def write(
    conn: sqlite3.Connection, batch: Batch, now: float, budget: int = BUDGET, sorts: Sorts | None = None
) -> None:
    """Write `batch`. `now`: epoch seconds, for a device of which nothing in it says when it was seen.
    `budget`: bytes that all packets behind alerts may take. `sorts`: what this connection wrote before.

    Raises sqlite3.Error, or what binding a value that SQLite cannot hold raises.
    """
    found = _Devices(conn)
    if batch.attempts:
        _write_attempts(conn, found, batch.attempts, sorts or Sorts())
    _find_others(found, batch, now)
    devices = found.numbers
    withdraw(conn, devices, batch.withdrawn)
    write_alerts(conn, devices, batch.alerts.values())
    write_labels(conn, devices, batch.labels.values())
    if batch.exhibits:
        write_exhibits(conn, devices, batch.exhibits, budget)
    for effect in batch.destinations.values():
        _write_destination(conn, devices[effect.mac], effect)
    for keep in batch.progress.values():
        _write_progress(conn, devices[keep.mac], keep)
    if batch.volumes or batch.usual:
        write_volumes(conn, devices, batch.volumes.values())
        write_usual(conn, devices, batch.usual.values())
    _write_names(conn, devices, batch.names.values())
    _write_aliases(conn, devices, batch.aliases.values())
    if found.are_more:
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
    """Hold `MAX_DEVICES`: those that are not protected go first, and of these the longest inactive. The
    router's own row (`core.effects.THE_ROUTER`) is none of them."""
    count = conn.execute("SELECT count(*) FROM devices WHERE mac != ''").fetchone()[0]
    if count > MAX_DEVICES:
        conn.execute(
            """DELETE FROM devices WHERE id IN (
                SELECT d.id FROM devices d
                LEFT JOIN progress p ON p.device = d.id
                LEFT JOIN activity a ON a.device = d.id WHERE d.mac != ''
                ORDER BY coalesce(p.state, '') = 'protected', coalesce(a.last, 0), d.id LIMIT ?)""",
            (count - MAX_DEVICES,),
        )


class _Devices:
    """The rows of devices, made where they are missing; `are_more`: some were. `numbers`: MAC -> row."""

    def __init__(self, conn: sqlite3.Connection):
        self._conn = conn
        self.numbers: dict[str, int] = {}
        self.are_more = False

    def find(self, mac: str, at: float) -> int:
        """The row of `mac`, which was first seen `at` if it has none yet."""
        number = self.numbers.get(mac)
        if number is None:
            number = self.numbers[mac] = self._row(mac, at)
        return number

    def _row(self, mac: str, at: float) -> int:
        row = self._conn.execute("SELECT id FROM devices WHERE mac = ?", (mac,)).fetchone()
        if row is None:
            self.are_more = True
            made = "INSERT INTO devices (mac, first_seen, last_seen) VALUES (?, ?, ?) RETURNING id"
            (row,) = self._conn.execute(made, (mac, at, at)).fetchall()
        number: int = row[0]
        return number


def _find_others(devices: _Devices, batch: Batch, now: float) -> None:
    """Find the device of everything but the attempts."""
    for tally in (*batch.withdrawn.values(), *batch.alerts.values()):
        if tally is not None:
            devices.find(tally.latest.mac, tally.first)
    for kept in (
        batch.destinations, batch.progress, batch.names, batch.aliases, batch.labels, batch.volumes,
        batch.usual,
    ):  # fmt: skip
        for effect in kept.values():
            devices.find(effect.mac, now)
    for mac, *_ in (*batch.withdrawn, *batch.exhibits):
        devices.find(mac, now)


class _Chain:
    """A device's attempts: its row, its last attempt, and what this batch adds."""

    __slots__ = ("at", "attempts", "blocked", "device", "last")

    def __init__(self, device: int, last: int | None):
        self.device = device
        self.last = last
        self.at = 0.0
        self.attempts = self.blocked = 0


class _Chains(dict[str, _Chain]):
    """By MAC, begun where `activity` says that the last one ended."""

    def __init__(self, conn: sqlite3.Connection, devices: _Devices):
        super().__init__()
        self._conn = conn
        self._devices = devices

    def begin(self, mac: str, at: float) -> _Chain:
        device = self._devices.find(mac, at)
        row = self._conn.execute("SELECT last FROM activity WHERE device = ?", (device,)).fetchone()
        chain = self[mac] = _Chain(device, row[0] if row else None)
        return chain


class _Words(dict[str, int]):
    """The number of each word; a new one gets one. The words are those of closed sets."""

    def __init__(self, conn: sqlite3.Connection):
        super().__init__()
        self._conn = conn

    def __missing__(self, word: str) -> int:
        row = self._conn.execute("SELECT id FROM words WHERE word = ?", (word,)).fetchone()
        if row is None:
            made = "INSERT INTO words (word) VALUES (?) RETURNING id"
            (row,) = self._conn.execute(made, (word,)).fetchall()
        number: int = row[0]
        self[word] = number
        return number


class _Likes:
    """What the rows of attempts that are alike have in common, worked out once."""

    def __init__(self, conn: sqlite3.Connection, devices: _Devices, sorts: Sorts):
        self.chains = _Chains(conn, devices)
        self._sorts = sorts
        self._words = _Words(conn)
        self.known: dict[
            int, tuple[_Chain, int, bool, Alike]
        ] = {}  # by identity; so each is kept with its worth
        self.blocked: dict[float, int] = {}  # attempts, by the hour since the epoch

    def find(self, alike: Alike, at: float) -> tuple[_Chain, int, bool, Alike]:
        """The device's chain, the row of `sorts`, whether it was accepted; and what that was made of."""
        chain = self.chains.get(alike.mac) or self.chains.begin(alike.mac, at)
        sort = self._sorts.find(chain.device, alike, self._columns)
        found = self.known[id(alike)] = chain, sort, bool(alike.accepted), alike
        return found

    def _columns(self, alike: Alike) -> tuple[int | str, ...]:
        _, source, address, port, protocol, scope, service, name, evidence, accepted, reason = alike
        words = self._words
        place = source, address, port, protocol, service, name
        return (*place, words[scope], words[evidence], 1 if accepted else 0, words[reason])


def _write_attempts(
    conn: sqlite3.Connection, devices: _Devices, attempts: Sequence[Another], sorts: Sorts
) -> None:
    """Each attempt points at its device's attempt before it."""
    number: int = conn.execute("SELECT coalesce(max(id), 0) FROM tries").fetchone()[0]
    sorts.begin(conn, number + 1)
    likes = _Likes(conn, devices, sorts)
    chains = likes.chains
    done = 0
    for rows, insert in _INSERTS:
        while done + rows <= len(attempts):
            conn.execute(insert, _values(attempts[done : done + rows], number + done, likes))
            done += rows
    sorts.write(conn)
    conn.executemany(
        """INSERT INTO activity (device, last, last_at, attempts, blocked) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (device) DO UPDATE SET last = excluded.last, last_at = excluded.last_at,
                attempts = attempts + excluded.attempts, blocked = blocked + excluded.blocked""",
        ((c.device, c.last, c.at, c.attempts, c.blocked) for c in chains.values()),
    )
    _write_blocked(conn, {int(hour): count for hour, count in likes.blocked.items() if 0 <= hour < _FOREVER})


def _values(attempts: Sequence[Another], number: int, likes: _Likes) -> list[int | float | str | None]:
    """What `attempts`, the next ones after `number`, are as rows, one row behind the other."""
    values: list[int | float | str | None] = []
    recall = likes.known.get
    for at, source_port, alike in attempts:
        number += 1
        chain, sort, accepted, _ = recall(id(alike)) or likes.find(alike, at)
        values += (number, at, sort, source_port, chain.last)
        chain.last, chain.at = number, at
        chain.attempts += 1
        if not accepted:
            chain.blocked += 1
            hour = at // 3600.0
            likes.blocked[hour] = likes.blocked.get(hour, 0) + 1
    return values


def _write_blocked(conn: sqlite3.Connection, blocked: Mapping[int, int]) -> None:
    """Count what was blocked by the hour: nothing else would tell without a look at every attempt."""
    if not blocked:
        return
    conn.executemany(
        """INSERT INTO blocked_hours VALUES (?, ?)
            ON CONFLICT (hour) DO UPDATE SET attempts = attempts + excluded.attempts""",
        blocked.items(),
    )
    newest = next(reversed(blocked))
    conn.execute(
        "DELETE FROM blocked_hours WHERE hour NOT BETWEEN ? AND ?",
        (newest - HOURS_OF_BLOCKED, newest + HOURS_OF_BLOCKED),
    )


def _write_destination(conn: sqlite3.Connection, device: int, effect: Learn | Forget) -> None:
    name, service = effect.destination
    if isinstance(effect, Forget):
        conn.execute(
            "DELETE FROM learned WHERE device = ? AND name = ? AND service = ?", (device, name, service)
        )
        forget_usual(conn, device, effect.destination)
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


def _write_names(conn: sqlite3.Connection, devices: Mapping[str, int], names: Iterable[Name]) -> None:
    conn.executemany(
        """INSERT INTO names (device, address, name, ttl, told_at) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (device, address, name) DO UPDATE
                SET ttl = excluded.ttl, told_at = max(told_at, excluded.told_at)""",
        ((devices[mac], address, name, ttl, at) for mac, address, name, ttl, at in names),
    )


def _write_aliases(
    conn: sqlite3.Connection, devices: Mapping[str, int], aliases: Iterable[NameAlias]
) -> None:
    conn.executemany(
        """INSERT INTO aliases (device, target, head, seen_at) VALUES (?, ?, ?, ?)
            ON CONFLICT (device, target, head) DO UPDATE SET seen_at = max(seen_at, excluded.seen_at)""",
        ((devices[mac], target, head, at) for mac, target, head, at in aliases),
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
