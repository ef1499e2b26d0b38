# SPDX-License-Identifier: GPL-2.0-or-later
"""Metrics, as another implementation of Prometheus' format reads them."""

import copy
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from unit.made_effects import NOON, TV, raised, record, write
from unit.made_home import RUNNING, Home

from smartrouter.cli import main
from smartrouter.core.effects import Kind, Severity
from smartrouter.linux.latency import Latency
from smartrouter.metrics import CONTENT_TYPE, exposition
from smartrouter.metrics.text import LONGEST_LABEL, MAX_SAMPLES, family
from smartrouter.store.connect import open_writer
from smartrouter.store.outbox import keep_channels
from smartrouter.store.runs import Run, keep_run

HOSTILE = ['"} 1\nevil_total 9\n', "a\\", 'x="y",z="', "\x1b[2J\x00", "‮txt\u2028", "é" * 500, "\ud800"]


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample: name and labels, and its value; no two are alike."""
    found = [
        ((sample.name, frozenset(sample.labels.items())), sample.value)
        for each in text_string_to_metric_families(text)
        for sample in each.samples
    ]
    assert len(dict(found)) == len(found)
    return dict(found)


def value(text: str, name: str, **labels: str) -> float:
    return samples(text)[f"smartrouter_{name}", frozenset(labels.items())]


@pytest.fixture
def status() -> dict[str, Any]:
    """Of a smartrouter that runs, with all that its guard says."""
    found = copy.deepcopy(RUNNING)
    latency = Latency()
    latency.add(0.00003, 7)
    latency.add(0.003, 2)
    found["guard"] |= {
        "latency": {"flows": Latency.together([latency]), "dns": Latency.together([])},
        "recorded": {"known": 40, "blocked": 1, "denied": 0},
        "pairs": {"known": 12, "blocked": 0, "denied": 1},
        "unrecorded": 5,
        "withheld": 3,
        "mended": {"table": 2},
        "store": {
            "put": {"Record": 90}, "dropped": {"Record": 4}, "refused": {}, "batches": 8,
            "trouble": "disk full",
        },
        "volume": {
            "accounting": True, "events": True, "problem": "", "addresses": 2, "heard": 9, "lost": 6,
            "uncounted": 7,
            "open": 1, "offloaded": {TV: 2}, "bytes_out": 1234, "bytes_in": 2**40, "packets_out": 3,
            "packets_in": 4, "flows": 5,
        },
    }  # fmt: skip
    return found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    conn = open_writer(str(tmp_path / "store.db"))
    yield conn
    conn.close()


def test_all_of_a_running_smartrouter_is_there(status: dict[str, Any]) -> None:
    text = exposition(status, None, 10_000.0)
    assert value(text, "up") == value(text, "guard_up") == 1
    assert value(text, "build_info", version="0.1.0") == 1
    assert value(text, "start_time_seconds") == 10_000 - 3700
    assert value(text, "mode_info", mode="monitor") == 1
    assert value(text, "packets_judged_total", reason="learned") == 90
    assert value(text, "packets_settled_total", how="known") == 40
    assert value(text, "packets_unrecorded_total") == 5
    assert value(text, "kernel_packets_total", counter="blocked") == 2
    assert value(text, "queue_waiting", queue="1") == 0
    assert value(text, "queue_packets_total", queue="1") == 9
    assert value(text, "queue_dropped_total", queue="1", why="full") == 0
    assert value(text, "devices", state="protected") == 1
    assert value(text, "part_up", part="guard") == 1
    assert value(text, "part_restarts_total", part="analyzer") == 0
    assert value(text, "part_resident_memory_bytes", part="guard") == 24000 * 1024
    assert value(text, "part_resident_memory_bytes", part="supervisor") == 9000 * 1024
    assert value(text, "pairs", how="known") == 12
    assert value(text, "mended_total", what="table") == 2
    assert value(text, "store_dropped_total", sort="Record") == 4
    assert value(text, "store_trouble") == 1
    assert value(text, "volume_bytes_total", direction="in") == 2**40
    assert value(text, "volume_lost_total") == 6
    assert value(text, "volume_counting") == 1
    assert value(text, "volume_offloaded_flows") == 2


def test_the_histogram_adds_up(status: dict[str, Any]) -> None:
    text = exposition(status, None, 0.0)
    found = {dict(key[1])["le"]: count for key, count in samples(text).items() if is_bucket(key, "flows")}
    assert found["5e-05"] == 7
    assert found["0.002"] == 7
    assert found["0.005"] == found["+Inf"] == 9
    assert value(text, "verdict_latency_seconds_count", queue="flows") == 9
    assert value(text, "verdict_latency_seconds_sum", queue="flows") == pytest.approx(0.00621)
    assert value(text, "verdict_latency_seconds_count", queue="dns") == 0


def is_bucket(key: tuple[str, frozenset[tuple[str, str]]], queue: str) -> bool:
    return key[0] == "smartrouter_verdict_latency_seconds_bucket" and ("queue", queue) in key[1]


def test_what_is_stored_is_there(store: sqlite3.Connection) -> None:
    write(store, record(), record(accepted=False))
    write(store, raised(), raised(), raised(kind=Kind.SCAN, severity=Severity.CRITICAL, destination=""))
    keep_channels(store, ["slack", "mail"])
    keep_run(store, Run(NOON, 0.25, 3, (), {}, "disk full"))
    text = exposition({}, store, NOON)
    assert value(text, "attempts_total", verdict="accepted") == 1
    assert value(text, "attempts_total", verdict="blocked") == 1
    labels = {"kind": "new-destination", "severity": "warning", "state": "open"}
    assert value(text, "alerts", **labels) == 1
    assert value(text, "alert_occurrences", **labels) == 2
    assert value(text, "alerts", kind="scan", severity="critical", state="open") == 1
    assert value(text, "channel_up", channel="mail") == 1
    assert value(text, "channel_waiting", channel="slack") == 0
    assert value(text, "store_size_bytes") > 4096
    assert value(text, "analysis_last_run_timestamp_seconds") == NOON
    assert value(text, "analysis_last_run_failed") == 1


def test_where_nobody_answers_just_that_is_said() -> None:
    found = samples(exposition({}, None, NOON))
    assert found == {("smartrouter_up", frozenset()): 0, ("smartrouter_guard_up", frozenset()): 0}


def test_whatever_the_guard_does_not_say_is_left_out(status: dict[str, Any]) -> None:
    whole = samples(exposition(status, None, NOON))
    for missing in status:
        part = {key: found for key, found in status.items() if key != missing}
        assert samples(exposition(part, None, NOON)).keys() <= whole.keys()
    for missing in status["guard"]:
        guard = {key: found for key, found in status["guard"].items() if key != missing}
        assert samples(exposition(status | {"guard": guard}, None, NOON)).keys() <= whole.keys()
    starting = status | {"guard": {"running": False, "problem": "it is starting"}}
    assert value(exposition(starting, None, NOON), "guard_up") == 0
    switched_off = status | {"guard": status["guard"] | {"volume": None}}
    assert "volume" not in exposition(switched_off, None, NOON)


def test_families_are_named_as_prometheus_wants_them(
    status: dict[str, Any], store: sqlite3.Connection
) -> None:
    write(store, record(), raised())
    for each in text_string_to_metric_families(exposition(status, store, NOON)):
        assert each.name.startswith("smartrouter_")
        assert each.documentation.endswith(".")
        assert each.type in ("counter", "gauge", "histogram")
        for sample in each.samples:
            assert sample.name.endswith("_total") is (each.type == "counter")
    assert CONTENT_TYPE.startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_label_breaks_out_of_its_quotes(status: dict[str, Any], text: str) -> None:
    usual = len(samples(exposition(status, None, NOON)))
    for where in ("judged", "kernel", "pairs", "mended"):
        status["guard"][where][text] = 1
    status["version"] = text
    written = exposition(status, None, NOON)
    found = samples(written)
    written.encode()
    assert len(found) == usual + 4
    assert all(name.startswith("smartrouter_") for name, _ in found)
    assert all(len(value) <= LONGEST_LABEL for _, labels in found for _, value in labels)
    assert all(ord(character) >= 32 for line in written.splitlines() for character in line)


def test_a_family_has_so_many_samples_and_no_more() -> None:
    labels: list[tuple[Mapping[str, object], float]] = [({"name": number}, 1.0) for number in range(10_000)]
    assert len(family("smartrouter_many", "gauge", "Many.", labels)) == MAX_SAMPLES + 2
    alike = [({"name": "x" * 1000 + str(number)}, float(number)) for number in range(5)]
    assert len(samples("\n".join(family("smartrouter_alike", "gauge", "Alike.", alike)) + "\n")) == 1


def test_the_command_prints_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    home = Home(tmp_path)
    assert main(home.command("metrics")) == 0
    assert value(capsys.readouterr().out, "up") == 0
    home.fill()
    home.run(status={"ok": RUNNING})
    assert main(home.command("metrics")) == 0
    home.close()
    text = capsys.readouterr().out
    assert value(text, "up") == 1
    assert value(text, "devices_known") == 3
