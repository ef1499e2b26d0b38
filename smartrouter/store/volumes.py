# SPDX-License-Identifier: GPL-2.0-or-later
"""What devices sent and received, hour by hour: bytes, packets and connections by destination and service;
and what they usually send.

Sums are statistics, and go with `retention` and `max_size`; what is usual is state, and goes with its device.
Bytes are those of IP packets, headers included. Times are seconds since the epoch.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from smartrouter.core.destinations import Destination
from smartrouter.core.effects import AddVolume, KeepUsual
from smartrouter.core.uploads import MAX_USUAL, Usual

HOUR = 3600


class Sums(NamedTuple):
    """What went between a device, or all of them, and a destination, or all."""

    bytes_out: int = 0
    bytes_in: int = 0
    packets_out: int = 0
    packets_in: int = 0
    flows: int = 0


class Volume(NamedTuple):
    """Sums of one destination and service: of the time that was asked for, and of all that is kept."""

    destination: str
    service: str
    lately: Sums
    total: Sums


_COLUMNS = ("bytes_out", "bytes_in", "packets_out", "packets_in", "flows")
# The hours that are kept, one by one: a device's sums of an hour lie together, those of all hours do not.
_HOURS = """WITH RECURSIVE stored (hour) AS (
    SELECT min(hour) FROM volumes WHERE hour >= :since
    UNION ALL SELECT (SELECT min(hour) FROM volumes WHERE hour > stored.hour) FROM stored
    WHERE stored.hour IS NOT NULL)"""
_SUMS = ", ".join(f"sum({column})" for column in _COLUMNS)
_LATELY = ", ".join(f"sum({column} * (hour >= :lately))" for column in _COLUMNS)


def write_volumes(conn: sqlite3.Connection, devices: Mapping[str, int], volumes: Iterable[AddVolume]) -> None:
    """Add these, inside a transaction of the caller's. `devices`: the rows of MACs."""
    conn.executemany(
        """INSERT INTO volumes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
            bytes_out = bytes_out + excluded.bytes_out, bytes_in = bytes_in + excluded.bytes_in,
            packets_out = packets_out + excluded.packets_out, packets_in = packets_in + excluded.packets_in,
            flows = flows + excluded.flows""",
        ((hour, devices[mac], *destination, *figures) for mac, hour, destination, *figures in volumes),
    )


def write_usual(conn: sqlite3.Connection, devices: Mapping[str, int], changes: Iterable[KeepUsual]) -> None:
    """Keep these, likewise."""
    conn.executemany(
        "INSERT OR REPLACE INTO usual_uploads VALUES (?, ?, ?, ?, ?)",
        ((devices[mac], *destination, *usual) for mac, destination, usual in changes),
    )


def forget_usual(conn: sqlite3.Connection, device: int, destination: Destination) -> None:
    """The device knows the destination no more."""
    conn.execute(
        "DELETE FROM usual_uploads WHERE device = ? AND name = ? AND service = ?", (device, *destination)
    )


def load_usual(conn: sqlite3.Connection) -> dict[str, dict[Destination, Usual]]:
    """What each device usually sends, by MAC; of one device no more than a guard keeps."""
    found: defaultdict[str, dict[Destination, Usual]] = defaultdict(dict)
    for mac, name, service, hours, most in conn.execute(
        """SELECT mac, name, service, hours, most FROM usual_uploads JOIN devices ON devices.id = device
            ORDER BY most DESC"""
    ):
        if len(found[mac]) < MAX_USUAL:
            found[mac][Destination(name, service)] = Usual(hours, most)
    return dict(found)


def volumes_of(conn: sqlite3.Connection, mac: str, since: float) -> list[Volume]:
    """What went between a device and each destination, the largest of lately first: since `since`, by whole
    hours, and over all time that is kept."""
    rows = conn.execute(
        f"""{_HOURS} SELECT destination, service, {_LATELY}, {_SUMS}
            FROM stored CROSS JOIN volumes USING (hour)
            WHERE device = (SELECT id FROM devices WHERE mac = :mac)
            GROUP BY destination, service""",  # noqa: S608
        {"since": 0, "lately": int(since // HOUR), "mac": mac},
    )
    found = [Volume(name, service, Sums(*sums[:5]), Sums(*sums[5:])) for name, service, *sums in rows]
    return sorted(found, key=_by_size)


def _by_size(volume: Volume) -> tuple[int, int, str, str]:
    lately, total = volume.lately, volume.total
    size = lately.bytes_out + lately.bytes_in, total.bytes_out + total.bytes_in
    return -size[0], -size[1], volume.destination, volume.service


def lately_of(conn: sqlite3.Connection, mac: str, since: float) -> dict[Destination, Sums]:
    """What went between a device and each destination since `since`, by whole hours: at a cost that goes by
    that time, not by how much is kept."""
    rows = conn.execute(
        f"""{_HOURS} SELECT destination, service, {_SUMS} FROM stored CROSS JOIN volumes USING (hour)
            WHERE device = (SELECT id FROM devices WHERE mac = :mac) GROUP BY destination, service""",  # noqa: S608
        {"since": int(since // HOUR), "mac": mac},
    )
    return {Destination(name, service): Sums(*sums) for name, service, *sums in rows}


def volumes(conn: sqlite3.Connection, start: float = 0.0, end: float = 2.0**40) -> dict[str, Sums]:
    """The sums of each device, by MAC, of the hours that begin from `start` on and before `end`."""
    rows = conn.execute(
        f"""SELECT mac, {_SUMS} FROM volumes JOIN devices ON devices.id = device
            WHERE hour >= ? AND hour < ? GROUP BY mac""",  # noqa: S608
        (-(-start // HOUR), -(-end // HOUR)),
    )
    return {mac: Sums(*sums) for mac, *sums in rows}


def kept_since(conn: sqlite3.Connection) -> float | None:
    """Since when sums are kept; None if there are none."""
    (hour,) = conn.execute("SELECT min(hour) FROM volumes").fetchone()
    return None if hour is None else float(hour * HOUR)


def drop_volumes(conn: sqlite3.Connection, rows: int, before: int = 2**62) -> int:
    """Delete so many of the oldest sums, of hours before `before`; gives how many there were."""
    return conn.execute(
        """DELETE FROM volumes WHERE (hour, device, destination, service) IN (
            SELECT hour, device, destination, service FROM volumes WHERE hour < ? ORDER BY hour LIMIT ?)""",
        (before, rows),
    ).rowcount
