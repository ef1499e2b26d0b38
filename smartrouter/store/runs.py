# SPDX-License-Identifier: GPL-2.0-or-later
"""The analyzer's runs, as they are kept: the latest few, those that failed too."""

import json
import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

from smartrouter.store.transaction import transaction

KEPT = 100
# Notes that the analyzer keeps with its runs (`changes.set_meta`).
PRIOR = "prior"  # what to expect of any device: it costs too much to find out for each page
TROUBLE = "analyzer_trouble"  # what the analyzer cannot do at the moment: what -> why


class Run(NamedTuple):
    """What a run did. `at`: when it began, epoch seconds; `rows`: attempts that were new; `findings`:
    sentences; `stages`: devices by state of learning; `failure`: why it came to no end, '' if it did."""

    at: float
    seconds: float
    rows: int
    findings: tuple[str, ...]
    stages: dict[str, int]
    failure: str = ""


def keep_run(conn: sqlite3.Connection, run: Run, notes: Iterable[tuple[str, str]] = ()) -> None:
    """Keep the record of a run, and in the same moment `notes` (see `changes.set_meta`)."""
    with transaction(conn):
        conn.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", notes)
        conn.execute(
            "INSERT INTO runs (at, seconds, rows, findings, stages, failure) VALUES (?, ?, ?, ?, ?, ?)",
            (run.at, run.seconds, run.rows, json.dumps(run.findings), json.dumps(run.stages), run.failure),
        )
        conn.execute("DELETE FROM runs WHERE id <= (SELECT max(id) FROM runs) - ?", (KEPT,))


def latest_runs(conn: sqlite3.Connection, limit: int) -> list[Run]:
    """So many of them, the latest first, by whatever process."""
    rows = conn.execute(
        "SELECT at, seconds, rows, findings, stages, failure FROM runs ORDER BY id DESC LIMIT ?", (limit,)
    )
    return [_run(row) for row in rows]


def _run(row: tuple[Any, ...]) -> Run:
    at, seconds, rows, findings, stages, failure = row
    return Run(at, seconds, rows, tuple(json.loads(findings)), json.loads(stages), failure)
