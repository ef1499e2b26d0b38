# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables, as an ordered list of steps; `PRAGMA user_version` says how many of them a file has taken.

A step that was released never changes; what is new is a new step behind it.

Why it looks as it does. Attempts are by far the most rows, and each page that a commit touches is written
to flash twice. So an attempt touches no index: it points at the same device's attempt before it
(`previous`), `activity` holds where each chain begins, and a device's timeline is a walk along its chain.
With an index on the device, 100 attempts of 50 devices cost 1,400 bytes each on flash; so they cost 275.
Attempts have ids without gaps, in the order in which they happened, and the newest is never deleted: ids
are never used twice, and a cursor stays good. Pages are small (1 kB) because most commits are. What is the
same in most attempts of a device at a place stands once, in `sorts`; `tries` has the rest, some twenty bytes
each; and `attempts` is the view that puts them together again. A sort serves a block of attempts only (see
`store.sorts`), so that old ones can go with the attempts of their block, and nobody looks for who uses them.

Words of closed sets (reasons, evidence, scopes) are numbers in `attempts` and `words` spells them; the
view `timeline` shows attempts as a person would read them. Times are seconds since the epoch.
"""

import sqlite3

from smartrouter.core.errors import Unavailable
from smartrouter.store.transaction import transaction

APPLICATION_ID = 0x736D7274  # "smrt"; https://sqlite.org/fileformat2.html#application_id
PAGE_SIZE = 1024

_FIRST = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE)",
    """CREATE TABLE devices (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        mac TEXT NOT NULL UNIQUE,
        hostname TEXT NOT NULL DEFAULT '',
        maker TEXT NOT NULL DEFAULT '',
        iot INTEGER,                              -- 1 yes, 0 no, NULL cannot tell
        confidence REAL NOT NULL DEFAULT 0,
        reasons TEXT NOT NULL DEFAULT '',         -- one a line
        interface TEXT NOT NULL DEFAULT '',
        on_iot_network INTEGER NOT NULL DEFAULT 0,
        discovered INTEGER NOT NULL DEFAULT 0,    -- 0: known by its traffic alone
        first_seen REAL NOT NULL,
        last_seen REAL NOT NULL,
        noticed REAL)                             -- by `retention`, here and below""",
    """CREATE TABLE addresses (
        id INTEGER PRIMARY KEY,
        device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,
        address TEXT NOT NULL,
        last_seen REAL NOT NULL,
        noticed REAL,
        UNIQUE (device, address))""",
    """CREATE TABLE progress (                     -- core.learning.Progress
        device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
        state TEXT NOT NULL,
        observed REAL NOT NULL,
        attempts INTEGER NOT NULL,
        units INTEGER NOT NULL,
        unit INTEGER NOT NULL,
        unit_is_quiet INTEGER NOT NULL,
        quiet INTEGER NOT NULL,
        first_quiet_day INTEGER NOT NULL,
        last_quiet_day INTEGER NOT NULL,
        settled INTEGER NOT NULL)""",
    """CREATE TABLE learned (
        device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,
        name TEXT NOT NULL,                       -- name group, or address
        service TEXT NOT NULL,
        units INTEGER NOT NULL,
        last_unit INTEGER NOT NULL,
        learned_at REAL NOT NULL,
        last_used REAL NOT NULL,
        PRIMARY KEY (device, name, service)) WITHOUT ROWID""",
    """CREATE TABLE names (                        -- what a device was told
        id INTEGER PRIMARY KEY,
        device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,
        address TEXT NOT NULL,
        name TEXT NOT NULL,
        ttl INTEGER NOT NULL,
        told_at REAL NOT NULL,
        noticed REAL,
        UNIQUE (device, address, name))""",
    """CREATE TABLE attempts (                     -- core.effects.Attempt
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        device INTEGER NOT NULL,                  -- no foreign key: a device may go before its attempts
        previous INTEGER,                         -- the device's attempt before this one
        source TEXT NOT NULL,
        source_port INTEGER NOT NULL,
        address TEXT NOT NULL,
        port INTEGER NOT NULL,
        protocol INTEGER NOT NULL,
        service TEXT NOT NULL,
        name TEXT NOT NULL,
        scope INTEGER NOT NULL,                   -- words.id, like evidence and reason
        evidence INTEGER NOT NULL,
        accepted INTEGER NOT NULL,
        reason INTEGER NOT NULL)""",
    """CREATE TABLE activity (                     -- one row a device, over all time
        device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
        last INTEGER NOT NULL,                    -- attempts.id
        last_at REAL NOT NULL,
        attempts INTEGER NOT NULL,
        blocked INTEGER NOT NULL)""",
    """CREATE TABLE hours (                        -- older attempts, summed
        hour INTEGER NOT NULL,                    -- hours since the epoch
        device INTEGER NOT NULL,
        destination TEXT NOT NULL,                -- name, or address
        service TEXT NOT NULL,
        accepted INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (hour, device, destination, service, accepted)) WITHOUT ROWID""",
    """CREATE TABLE alerts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,
        kind TEXT NOT NULL,
        destination TEXT NOT NULL,
        service TEXT NOT NULL,
        reason TEXT NOT NULL,
        severity TEXT NOT NULL,
        evidence TEXT NOT NULL,
        name TEXT NOT NULL,
        reverse TEXT,                             -- NULL not looked up yet, '' nothing found
        first REAL NOT NULL,
        last REAL NOT NULL,
        count INTEGER NOT NULL,
        blocked INTEGER NOT NULL,
        state TEXT NOT NULL,                      -- store.alerts.AlertState
        noticed REAL)""",
    # One alert a key gathers the occurrences; one that was decided stays as it is, what comes then is new.
    """CREATE UNIQUE INDEX gathering ON alerts (device, kind, destination, service)
        WHERE state IN ('open', 'dismissed')""",
    "CREATE INDEX alerts_of ON alerts (device, last)",
    """CREATE TABLE alert_addresses (
        alert INTEGER NOT NULL REFERENCES alerts ON DELETE CASCADE,
        address TEXT NOT NULL,
        port INTEGER NOT NULL,
        protocol INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (alert, address, port, protocol)) WITHOUT ROWID""",
    """CREATE VIEW timeline AS
        SELECT a.id, datetime(a.at, 'unixepoch', 'localtime') AS at, d.mac, a.source, a.source_port,
               a.address, a.port, a.protocol, a.service, a.name, e.word AS evidence, s.word AS scope,
               CASE a.accepted WHEN 1 THEN 'accepted' ELSE 'blocked' END AS verdict, r.word AS reason
        FROM attempts a
        LEFT JOIN devices d ON d.id = a.device
        LEFT JOIN words e ON e.id = a.evidence
        LEFT JOIN words s ON s.id = a.scope
        LEFT JOIN words r ON r.id = a.reason""",
)

_SECOND = (
    """CREATE TABLE aliases (                      -- core.effects.NameAlias
        id INTEGER PRIMARY KEY,
        device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,
        target TEXT NOT NULL,
        head TEXT NOT NULL,
        seen_at REAL NOT NULL,
        noticed REAL,
        UNIQUE (device, target, head))""",
    "ALTER TABLE alerts ADD COLUMN detail TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE progress ADD COLUMN new_since_second INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE progress ADD COLUMN new_logs REAL NOT NULL DEFAULT 0",
    "ALTER TABLE learned ADD COLUMN used REAL NOT NULL DEFAULT 0",  # observed seconds of the device
    # Nobody has noted until now when a destination was used: so it is as if all were used just now.
    """UPDATE learned SET used = coalesce(
        (SELECT observed FROM progress WHERE progress.device = learned.device), 0)""",
)

_THIRD = (
    "ALTER TABLE devices ADD COLUMN present INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE devices ADD COLUMN port TEXT NOT NULL DEFAULT ''",  # of the bridge `interface`
    "ALTER TABLE devices ADD COLUMN called TEXT NOT NULL DEFAULT ''",  # what it announces as its name
    "ALTER TABLE devices ADD COLUMN iot_since REAL",  # NULL: it is not taken for an IoT device
    "ALTER TABLE devices ADD COLUMN probably TEXT NOT NULL DEFAULT ''",  # the MAC that it had before
    "ALTER TABLE devices ADD COLUMN probably_reasons TEXT NOT NULL DEFAULT ''",  # one a line
    "ALTER TABLE devices ADD COLUMN became TEXT NOT NULL DEFAULT ''",  # the MAC that it has now
    """CREATE TABLE portraits (                    -- what a device has shown of itself
        device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
        portrait TEXT NOT NULL)                    -- JSON, see analyzer.portraits""",
)

_COUNT_CHANGE = """
        UPDATE alert_changes SET latest = latest + 1;
        UPDATE alerts SET change = (SELECT latest FROM alert_changes) WHERE id = new.id;"""
_OUTBOX = (
    "ALTER TABLE alerts ADD COLUMN decided_by TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE alerts ADD COLUMN decided_at REAL",
    # Every change of an alert gets the next number, whoever makes it: so what is new can be asked for.
    "ALTER TABLE alerts ADD COLUMN change INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE alert_changes (latest INTEGER NOT NULL)",
    "INSERT INTO alert_changes VALUES (0)",
    "CREATE INDEX alerts_changed ON alerts (change)",
    f"CREATE TRIGGER alert_made AFTER INSERT ON alerts BEGIN {_COUNT_CHANGE} END",
    f"""CREATE TRIGGER alert_changed
        AFTER UPDATE OF severity, name, reverse, count, blocked, state, decided_by ON alerts
        BEGIN {_COUNT_CHANGE} END""",
    """CREATE TABLE channels (                     -- where messages go
        key TEXT PRIMARY KEY,                     -- its name in the configuration; never a secret
        since INTEGER NOT NULL,                   -- alerts.id: those up to it are not for this channel
        sent INTEGER NOT NULL DEFAULT 0,
        dropped INTEGER NOT NULL DEFAULT 0,       -- because too much waited, or it took them never
        failures INTEGER NOT NULL DEFAULT 0,      -- since the last success
        sent_at REAL,
        error TEXT NOT NULL DEFAULT '',           -- of the last failure; '' since a success
        error_at REAL,
        retry_at REAL,                            -- it is left alone until then
        disabled INTEGER NOT NULL DEFAULT 0)      -- until its configuration changes""",
    """CREATE TABLE outbox (                       -- one row a channel and thing that is told of
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        channel TEXT NOT NULL REFERENCES channels ON DELETE CASCADE,
        key TEXT NOT NULL,                        -- notify.message.Message.key
        mac TEXT NOT NULL,
        severity INTEGER NOT NULL,                -- 0 notice, 1 warning, 2 critical
        message TEXT NOT NULL,                    -- JSON, '' where nothing waits
        told TEXT NOT NULL,                       -- what of it would be news if it changed
        revision INTEGER NOT NULL,
        sent_revision INTEGER NOT NULL DEFAULT 0,
        receipt TEXT NOT NULL DEFAULT '',
        part_of TEXT NOT NULL DEFAULT '',         -- the key of the message that speaks for this one
        held INTEGER NOT NULL DEFAULT 0,          -- came in quiet hours
        tries INTEGER NOT NULL DEFAULT 0,
        queued_at REAL NOT NULL,
        UNIQUE (channel, key))""",
    "CREATE INDEX outbox_waiting ON outbox (channel) WHERE message != ''",
)

_EXHIBITS = (
    """CREATE TABLE exhibits (                     -- packets behind alerts, see store.exhibits
        place INTEGER PRIMARY KEY,                -- on an endless tape: behind the packet's last byte
        alert INTEGER NOT NULL REFERENCES alerts ON DELETE CASCADE,
        role TEXT NOT NULL,
        at REAL NOT NULL,
        outward INTEGER NOT NULL,
        packet BLOB NOT NULL)""",
    "CREATE INDEX exhibits_of ON exhibits (alert)",
)

_RUNS_AND_DAYS = (
    """CREATE TABLE runs (                         -- of the analyzer, see store.runs
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        seconds REAL NOT NULL,
        rows INTEGER NOT NULL,
        findings TEXT NOT NULL,                   -- JSON: sentences
        stages TEXT NOT NULL,                     -- JSON: devices by state of learning
        failure TEXT NOT NULL)""",
    """CREATE TABLE days (                         -- what digests are made of, see store.days
        day INTEGER NOT NULL,                     -- of the local calendar, datetime.date.toordinal
        device INTEGER NOT NULL,
        destination TEXT NOT NULL,                -- name group, or address
        service TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        blocked INTEGER NOT NULL,
        PRIMARY KEY (day, device, destination, service)) WITHOUT ROWID""",
)

_SORTS = (
    """CREATE TABLE sorts (                        -- what attempts have in common, see store.sorts
        id INTEGER PRIMARY KEY,
        block INTEGER NOT NULL,                   -- of the attempts that use it
        device INTEGER NOT NULL,                  -- no foreign key: a device may go before its attempts
        source TEXT NOT NULL,
        address TEXT NOT NULL,
        port INTEGER NOT NULL,
        protocol INTEGER NOT NULL,
        service TEXT NOT NULL,
        name TEXT NOT NULL,
        scope INTEGER NOT NULL,                   -- words.id, like evidence and reason
        evidence INTEGER NOT NULL,
        accepted INTEGER NOT NULL,
        reason INTEGER NOT NULL)""",
    """CREATE TABLE tries (                        -- what each attempt has of its own
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        sort INTEGER NOT NULL,                    -- sorts.id
        source_port INTEGER NOT NULL,
        previous INTEGER)                         -- the device's attempt before this one""",
    """INSERT INTO sorts (block, device, source, address, port, protocol, service, name, scope, evidence,
            accepted, reason)
        SELECT DISTINCT id >> 12, device, source, address, port, protocol, service, name, scope, evidence,
            accepted, reason FROM attempts ORDER BY 1""",
    """INSERT INTO tries SELECT a.id, a.at, s.id, a.source_port, a.previous
        FROM attempts a JOIN sorts s ON (s.block, s.device, s.source, s.address, s.port, s.protocol,
            s.service, s.name, s.scope, s.evidence, s.accepted, s.reason) = (a.id >> 12, a.device, a.source,
            a.address, a.port, a.protocol, a.service, a.name, a.scope, a.evidence, a.accepted, a.reason)
        ORDER BY a.id""",
    "DROP VIEW timeline",
    "DROP TABLE attempts",
    """CREATE VIEW attempts AS                     -- core.effects.Attempt
        SELECT t.id, t.at, s.device, t.previous, s.source, t.source_port, s.address, s.port, s.protocol,
            s.service, s.name, s.scope, s.evidence, s.accepted, s.reason
        FROM tries t CROSS JOIN sorts s ON s.id = t.sort""",
    _FIRST[-1],
)

_VOLUME = (
    """CREATE TABLE volumes (                      -- core.effects.AddVolume
        hour INTEGER NOT NULL,                    -- hours since the epoch
        device INTEGER NOT NULL,
        destination TEXT NOT NULL,                -- name group, or address
        service TEXT NOT NULL,
        bytes_out INTEGER NOT NULL,
        bytes_in INTEGER NOT NULL,
        packets_out INTEGER NOT NULL,
        packets_in INTEGER NOT NULL,
        flows INTEGER NOT NULL,                   -- connections that began in this hour
        PRIMARY KEY (hour, device, destination, service)) WITHOUT ROWID""",
    """CREATE TABLE usual_uploads (                -- core.uploads.Usual
        device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,
        name TEXT NOT NULL,
        service TEXT NOT NULL,
        hours INTEGER NOT NULL,
        most INTEGER NOT NULL,
        PRIMARY KEY (device, name, service)) WITHOUT ROWID""",
)

_BLOCKED_HOURS = (
    """CREATE TABLE blocked_hours (                -- of all devices, for a timeline; see store.batch
        hour INTEGER PRIMARY KEY,                 -- hours since the epoch
        attempts INTEGER NOT NULL)                -- that were blocked""",
    """INSERT INTO blocked_hours SELECT CAST(at AS INTEGER) / 3600, count(*) FROM attempts
        WHERE NOT accepted GROUP BY 1 ORDER BY 1 DESC LIMIT 48""",
)

STEPS: tuple[tuple[str, ...], ...] = (
    _FIRST, _SECOND, _THIRD, _OUTBOX, _EXHIBITS, _RUNS_AND_DAYS, _SORTS, _VOLUME, _BLOCKED_HOURS,
)  # fmt: skip


def version(conn: sqlite3.Connection) -> int:
    """How many of the steps the file behind `conn` has taken.

    Unavailable if it belongs to another program, or to a newer smartrouter.
    """
    taken: int = conn.execute("PRAGMA user_version").fetchone()[0]
    if taken == 0 and not conn.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():
        return 0
    if conn.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise Unavailable(
            f"{_path(conn)} is a database of another program; name another file in `option database`"
        )
    if taken > len(STEPS):
        raise Unavailable(
            f"{_path(conn)} was written by a newer smartrouter (schema {taken}, this one knows up to "
            f"{len(STEPS)}); install that version again, or move the file away to start anew"
        )
    return taken


def migrate(conn: sqlite3.Connection) -> None:
    """Bring the file behind `conn` up to date: all missing steps, or none of them.

    `conn` is in autocommit mode. Raises Unavailable (see `version`), sqlite3.Error.
    """
    if version(conn) == 0:  # these hold only from before the first table
        conn.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        conn.execute("PRAGMA auto_vacuum = INCREMENTAL")
    if conn.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise Unavailable(
            f"SQLite cannot keep a write-ahead log beside {_path(conn)}; "
            "name a file on a local file system in `option database`"
        )
    if version(conn) == len(STEPS):
        return
    with transaction(conn):
        for step in STEPS[version(conn) :]:  # asked again: somebody else may have been faster
            for statement in step:
                conn.execute(statement)
        conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        conn.execute(f"PRAGMA user_version = {len(STEPS)}")


def _path(conn: sqlite3.Connection) -> str:
    return str(conn.execute("PRAGMA database_list").fetchone()[2])
