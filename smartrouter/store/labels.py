# SPDX-License-Identifier: GPL-2.0-or-later
"""Names that came late: the first data of a connection named the server, when the attempt was recorded, and
perhaps an alert raised, without a name. Inside a transaction of the caller's.

The work is bounded: of a device only the latest attempts are looked at, once for all its labels; its alerts
are few (`alert_rows`).
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping

from smartrouter.core.effects import Evidence, Label

LATEST = 32  # attempts of a device; the data comes a moment after the first packet


def write_labels(conn: sqlite3.Connection, devices: Mapping[str, int], labels: Iterable[Label]) -> None:
    """Write `labels` to open alerts, and to the latest attempts, that are about a bare address. `devices`:
    MAC -> row."""
    names: defaultdict[int, dict[str, str]] = defaultdict(dict)  # device -> address -> name
    for label in labels:
        names[devices[label.mac]][label.address] = label.name
    for device, called in names.items():
        conn.executemany(
            """UPDATE alerts SET name = ?, evidence = ?
                WHERE device = ? AND destination = ? AND name = '' AND state = 'open'""",
            ((name, Evidence.HELLO, device, address) for address, name in called.items()),
        )
        _label_attempts(conn, device, called)


def _label_attempts(conn: sqlite3.Connection, device: int, called: Mapping[str, str]) -> None:
    nameless = conn.execute(
        """WITH RECURSIVE chain (id) AS (
            SELECT last FROM activity WHERE device = ?
            UNION ALL SELECT previous FROM chain JOIN tries USING (id) LIMIT ?)
            SELECT t.id, s.id, s.address FROM chain JOIN tries t USING (id) JOIN sorts s ON s.id = t.sort
            WHERE s.name = ''""",
        (device, LATEST),
    ).fetchall()
    found = [(number, sort, called[address]) for number, sort, address in nameless if address in called]
    if found:
        conn.execute("INSERT INTO words (word) VALUES (?) ON CONFLICT (word) DO NOTHING", (Evidence.HELLO,))
        labelled = {sort: _labelled(conn, sort, name) for sort, name in {each[1:] for each in found}}
        conn.executemany(
            "UPDATE tries SET sort = ? WHERE id = ?", [(labelled[sort], number) for number, sort, _ in found]
        )


def _labelled(conn: sqlite3.Connection, sort: int, name: str) -> int:
    """A row of `sorts` like this one, with that label."""
    made = conn.execute(
        """INSERT INTO sorts (block, device, source, address, port, protocol, service, name, scope, evidence,
                accepted, reason)
            SELECT block, device, source, address, port, protocol, service, ?, scope,
                (SELECT id FROM words WHERE word = ?), accepted, reason FROM sorts WHERE id = ?""",
        (name, Evidence.HELLO, sort),
    )
    return made.lastrowid or 0
