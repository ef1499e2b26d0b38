# SPDX-License-Identifier: GPL-2.0-or-later
"""A store that has seen a month: half a million attempts, hourly sums, three thousand alerts."""

import contextlib

from unit.made_effects import NOON

from smartrouter.store.connect import open_writer

ATTEMPTS, DEVICES, ALERTS, DESTINATIONS = 500_000, 50, 3000, 10
SORTS = 2000  # after so many, device, address and name are all the same again
HOURS = 30 * 24  # of each device and destination
MAC = "02:00:00:00:00:07"


def full_store(path: str, devices: int = DEVICES) -> None:
    """Make it, of so many devices (255 at most)."""
    with contextlib.closing(open_writer(path)) as conn:
        conn.executescript(f"BEGIN; {_filling(devices)} COMMIT;")


def _filling(devices: int) -> str:
    return f"""
    INSERT INTO words (word) VALUES ('outside'), ('dns'), ('learned');
    CREATE TEMP TABLE n AS
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ATTEMPTS}) SELECT i FROM n;
    INSERT INTO devices (id, mac, first_seen, last_seen)
        SELECT i, printf('02:00:00:00:00:%02x', i), {NOON}, {NOON} FROM n LIMIT {devices};
    INSERT INTO sorts
        SELECT i, {ATTEMPTS} >> 12, i % {devices} + 1, '192.168.1.20', '203.0.113.' || (i % 250), 443, 6,
            'web', 'api' || (i % 400) || '.example.com', 1, 2, 1, 3
        FROM n LIMIT {SORTS};
    INSERT INTO tries
        SELECT i, {NOON} + i * 0.3, (i - 1) % {SORTS} + 1, 40000, nullif(max(i - {devices}, 0), 0) FROM n;
    INSERT INTO activity SELECT device, max(id), max(at), count(*), 0 FROM attempts GROUP BY device;
    INSERT INTO hours
        SELECT h.i, d.i, 'host' || t.i || '.example.com', 'web', 1, 7
        FROM (SELECT i FROM n LIMIT {HOURS}) h, (SELECT i FROM n LIMIT {devices}) d,
            (SELECT i FROM n LIMIT {DESTINATIONS}) t;
    INSERT INTO volumes
        SELECT h.i, d.i, 'host' || t.i || '.example.com', 'web', 1000, 2000, 9, 9, 7
        FROM (SELECT i FROM n LIMIT {HOURS}) h, (SELECT i FROM n LIMIT {devices}) d,
            (SELECT i FROM n LIMIT 3) t;
    INSERT INTO alerts (device, kind, destination, service, reason, severity, evidence, name, first, last,
            count, blocked, state)
        SELECT i % {devices} + 1, 'new-destination', i || '.example', 'web', 'unknown-name', 'warning', 'dns',
            '', {NOON}, {NOON} + i, 9, 0, CASE WHEN i % 3 THEN 'open' ELSE 'allowed' END
        FROM n LIMIT {ALERTS};
    INSERT INTO alert_addresses SELECT a.i, '203.0.113.' || t.i, 443, 6, t.i
        FROM (SELECT i FROM n LIMIT {ALERTS}) a, (SELECT i FROM n LIMIT 8) t;
    INSERT INTO learned SELECT d.i, 'host' || t.i || '.example.com', 'web', 9, 90, 1, 1, 1
        FROM (SELECT i FROM n LIMIT {devices}) d, (SELECT i FROM n LIMIT 40) t;
    DROP TABLE n;
"""
