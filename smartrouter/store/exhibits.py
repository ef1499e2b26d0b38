# SPDX-License-Identifier: GPL-2.0-or-later
"""The packets behind alerts, as they are kept: a few of each alert, and of all together so many bytes.

They lie on an endless tape: a packet's row is called after the place behind its last byte, so that the
difference of two places is what lies between them, and the oldest beyond a budget are found at once,
however many there are. They go with their alert.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from smartrouter.core.effects import Kind

AlertKey: TypeAlias = tuple[str, str, str, str]

MAX_PACKET = 1500  # bytes from the IP header on: what an Ethernet frame carries
MAX_PACKETS = 8  # of one alert
MAX_OF_SCAN = 48  # … of a scan: as many targets as the slowest one takes to show itself, and some more
BUDGET = 8 << 20  # bytes of all together, at most
SHARE = 16  # a sixteenth of `max_size` at most
_ROW = 40  # bytes that a row takes besides its packet, about


class Role(StrEnum):
    """What a packet has to do with the alert."""

    REPLY = "reply"  # the DNS reply that named the address
    ALIAS = "alias"  # the DNS reply that led to that name
    FIRST = "first"  # the packet that began the connection
    HELLO = "hello"  # the first data of the connection, which names the server
    QUERY = "query"  # what was sent to port 53


class Exhibit(NamedTuple):
    """One packet. `at`: epoch seconds; `outward`: the device sent it; `packet`: from the IP header on."""

    role: str
    at: float
    outward: bool
    packet: bytes


class Attach(NamedTuple):
    """Keep these packets with the alert that gathers `key`."""

    key: AlertKey
    exhibits: tuple[Exhibit, ...]


def budget(max_size: int | None) -> int:
    """Bytes that all packets may take of a store of that size."""
    return BUDGET if max_size is None else min(BUDGET, max_size // SHARE)


def most_of(kind: str) -> int:
    """How many packets are kept of an alert of that kind."""
    return MAX_OF_SCAN if kind == Kind.SCAN else MAX_PACKETS


def write_exhibits(
    conn: sqlite3.Connection,
    devices: Mapping[str, int],
    attached: Mapping[AlertKey, Sequence[Exhibit]],
    room: int,
) -> None:
    """Keep what is `attached` to alerts that gather occurrences still, as far as there is room: `room` bytes
    in all, of which the oldest go. Inside a transaction of the caller's. `devices`: MAC -> row."""
    for (mac, kind, destination, service), exhibits in attached.items():
        found = conn.execute(
            """SELECT id, (SELECT count(*) FROM exhibits WHERE alert = alerts.id) FROM alerts
                WHERE device = ? AND kind = ? AND destination = ? AND service = ?
                AND state IN ('open', 'dismissed')""",
            (devices.get(mac), kind, destination, service),
        ).fetchone()
        if found is not None:
            _write(conn, found[0], exhibits[: max(0, most_of(kind) - found[1])])
    conn.execute("DELETE FROM exhibits WHERE place <= (SELECT max(place) FROM exhibits) - ?", (room,))


def exhibits_of(conn: sqlite3.Connection, alert: int) -> list[Exhibit]:
    """The packets that are kept with the alert of this number, what led to a packet before it: even
    where the clock was set back in between."""
    rows = conn.execute(
        "SELECT role, at, outward, packet FROM exhibits WHERE alert = ? ORDER BY place", (alert,)
    )
    return [Exhibit(role, at, bool(outward), packet) for role, at, outward, packet in rows]


def _write(conn: sqlite3.Connection, alert: int, exhibits: Sequence[Exhibit]) -> None:
    place: int = conn.execute("SELECT coalesce(max(place), 0) FROM exhibits").fetchone()[0]
    for role, at, outward, packet in exhibits:
        place += _ROW + len(packet)
        conn.execute(
            "INSERT INTO exhibits VALUES (?, ?, ?, ?, ?, ?)", (place, alert, role, at, outward, packet)
        )
