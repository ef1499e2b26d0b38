# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured of what is stored."""

import sqlite3
from collections.abc import Callable
from typing import Any

from smartrouter.metrics.text import counters, family, gauge, gauges
from smartrouter.store import queries
from smartrouter.store.outbox import channels
from smartrouter.store.runs import latest_runs


def stored(store: sqlite3.Connection) -> list[str]:
    """The lines. Raises sqlite3.Error."""
    return [*_totals(store), *_alerts(store), *_channels(store), *_runs(store)]


def _totals(store: sqlite3.Connection) -> list[str]:
    found = queries.totals(store)
    passed = found.attempts - found.blocked
    return [
        *gauge("store_size_bytes", "What the database takes.", found.bytes),
        *gauge("devices_known", "Devices that were ever seen, and not forgotten.", found.devices),
        *counters(
            "attempts", "Connection attempts over all time.", "verdict",
            {"accepted": passed, "blocked": found.blocked},
        ),
        *gauge("attempts_kept", "Single attempts in the store.", found.kept),
        *gauge("destinations_learned", "Destinations that devices have learned.", found.learned),
        *gauge("names_kept", "Names that devices were told.", found.names),
    ]  # fmt: skip


def _alerts(store: sqlite3.Connection) -> list[str]:
    rows = store.execute(
        "SELECT kind, severity, state, count(*), sum(count) FROM alerts GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    ).fetchall()
    keys = ("kind", "severity", "state")
    return [
        *family(
            "smartrouter_alerts", "gauge", "Alerts in the store.",
            [(dict(zip(keys, row[:3], strict=True)), row[3]) for row in rows],
        ),
        *family(
            "smartrouter_alert_occurrences", "gauge", "Occurrences that these have gathered.",
            [(dict(zip(keys, row[:3], strict=True)), row[4]) for row in rows],
        ),
    ]  # fmt: skip


def _channels(store: sqlite3.Connection) -> list[str]:
    found = channels(store)

    def each(of: Callable[[Any], float | None]) -> dict[str, float]:
        return {name: value for name, health in found.items() if (value := of(health)) is not None}

    return [
        *gauges(
            "channel_up", "Whether the last message of a channel was taken.", "channel",
            each(lambda health: float(not health.failures and not health.disabled)),
        ),
        *counters("channel_sent", "Messages that were taken.", "channel", each(lambda health: health.sent)),
        *counters(
            "channel_dropped", "Messages that were lost because too many waited, or that were never taken.",
            "channel", each(lambda health: health.dropped),
        ),
        *gauges("channel_waiting", "Messages that wait.", "channel", each(lambda health: health.waiting)),
        *gauges(
            "channel_failures", "Failures since the last success.", "channel",
            each(lambda health: health.failures),
        ),
        *gauges(
            "channel_last_success_timestamp_seconds", "When a message was taken last.", "channel",
            each(lambda health: health.sent_at),
        ),
    ]  # fmt: skip


def _runs(store: sqlite3.Connection) -> list[str]:
    run = next(iter(latest_runs(store, 1)), None)
    if run is None:
        return []
    return [
        *gauge("analysis_last_run_timestamp_seconds", "When the last periodic run began.", run.at),
        *gauge("analysis_last_run_seconds", "How long it took.", run.seconds),
        *gauge("analysis_last_run_rows", "How many attempts were new to it.", run.rows),
        *gauge("analysis_last_run_failed", "Whether it came to no end.", float(bool(run.failure))),
    ]
