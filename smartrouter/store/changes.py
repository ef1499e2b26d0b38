# SPDX-License-Identifier: GPL-2.0-or-later
"""What others than the guard write: what discovery found, when destinations were used, notes.

Each function needs a writer's connection and is a transaction of its own.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from smartrouter.core.destinations import Destination
from smartrouter.store.batch import trim_devices
from smartrouter.store.transaction import transaction

MAX_ADDRESSES = 64  # of one device; IPv6 makes new ones daily


class Sighting(NamedTuple):
    """What discovery found out about a device. `hostname`, `maker`, `interface` '': nothing new about it.
    `called`: the name that it announces; `iot_since`: epoch seconds, None if it is not taken for an IoT
    device; `probably`: the MAC that it seems to have had before, '' if none, and what speaks for that."""

    mac: str
    hostname: str = ""
    maker: str = ""
    iot: bool | None = None
    confidence: float = 0.0
    reasons: tuple[str, ...] = ()
    interface: str = ""
    on_iot_network: bool = False
    addresses: tuple[str, ...] = ()
    present: bool = True
    port: str = ""
    called: str = ""
    iot_since: float | None = None
    probably: str = ""
    probably_reasons: tuple[str, ...] = ()


def upsert_devices(conn: sqlite3.Connection, sightings: Iterable[Sighting], at: float) -> None:
    """Keep what was found `at` that time (epoch seconds)."""
    with transaction(conn):
        for seen in sightings:
            device = _upsert_device(conn, seen, at)
            conn.executemany(
                """INSERT INTO addresses (device, address, last_seen) VALUES (?, ?, ?)
                    ON CONFLICT DO UPDATE SET last_seen = max(last_seen, excluded.last_seen)""",
                ((device, address, at) for address in seen.addresses),
            )
            conn.execute(
                """DELETE FROM addresses WHERE id IN (SELECT id FROM addresses WHERE device = ?
                    ORDER BY last_seen DESC, id DESC LIMIT -1 OFFSET ?)""",
                (device, MAX_ADDRESSES),
            )
        trim_devices(conn)


def forget_presence(conn: sqlite3.Connection) -> None:
    """Nobody is known to be there: who left meanwhile is told of by nobody."""
    with transaction(conn):
        conn.execute("UPDATE devices SET present = 0 WHERE present")


def keep_portraits(conn: sqlite3.Connection, portraits: Mapping[str, str]) -> None:
    """Keep what devices have shown of themselves, by MAC; of unknown ones nothing."""
    with transaction(conn):
        conn.executemany(
            """INSERT OR REPLACE INTO portraits (device, portrait)
                SELECT id, ? FROM devices WHERE mac = ?""",
            ((portrait, mac) for mac, portrait in portraits.items()),
        )


def note_successor(conn: sqlite3.Connection, before: str, now: str) -> None:
    """The device with the MAC `before` has `now`: it is listed under that one alone."""
    with transaction(conn):
        conn.execute("UPDATE devices SET became = ? WHERE mac = ?", (now, before))
        conn.execute(
            "UPDATE devices SET became = '', probably = '', probably_reasons = '' WHERE mac = ?", (now,)
        )


def mark_used(conn: sqlite3.Connection, used: Iterable[tuple[str, Destination, float]]) -> None:
    """Learned destinations were used: (MAC, destination, epoch seconds). Unknown ones are ignored."""
    with transaction(conn):
        conn.executemany(
            """UPDATE learned SET last_used = max(last_used, ?)
                WHERE device = (SELECT id FROM devices WHERE mac = ?) AND name = ? AND service = ?""",
            ((at, mac, name, service) for mac, (name, service), at in used),
        )


def set_meta(conn: sqlite3.Connection, key: str, value: str) -> None:
    """Keep a note, such as how far the analyzer has come."""
    with transaction(conn):
        conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def _upsert_device(conn: sqlite3.Connection, seen: Sighting, at: float) -> int:
    made = conn.execute(
        """INSERT INTO devices (mac, hostname, maker, iot, confidence, reasons, interface, on_iot_network,
            present, port, called, iot_since, probably, probably_reasons, discovered, first_seen, last_seen)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)
            ON CONFLICT (mac) DO UPDATE SET
                hostname = CASE excluded.hostname WHEN '' THEN hostname ELSE excluded.hostname END,
                maker = CASE excluded.maker WHEN '' THEN maker ELSE excluded.maker END,
                interface = CASE excluded.interface WHEN '' THEN interface ELSE excluded.interface END,
                iot = excluded.iot, confidence = excluded.confidence, reasons = excluded.reasons,
                on_iot_network = excluded.on_iot_network, discovered = 1, present = excluded.present,
                port = excluded.port, iot_since = excluded.iot_since,
                called = CASE excluded.called WHEN '' THEN called ELSE excluded.called END,
                probably = excluded.probably, probably_reasons = excluded.probably_reasons,
                last_seen = max(last_seen, excluded.last_seen)
            RETURNING id""",
        (seen.mac, _storable(seen.hostname), seen.maker, seen.iot, seen.confidence, "\n".join(seen.reasons),
         seen.interface, seen.on_iot_network, seen.present, seen.port, _storable(seen.called), seen.iot_since,
         seen.probably, "\n".join(seen.probably_reasons), at, at),
    ).fetchall()  # fmt: skip
    device: int = made[0][0]
    return device


def _storable(text: str) -> str:
    """A host name is whatever bytes a device sent; what is no text cannot be stored as text."""
    return text.encode(errors="replace").decode()
