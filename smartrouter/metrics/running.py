# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured of the running program, by its `status`. Whatever part of that is missing, as while the
guard starts, its metrics are."""

from collections.abc import Mapping
from typing import Any

from smartrouter.metrics.text import counter, counters, family, gauge, gauges, histogram

_STATES = ("new", "learning", "protected")  # core.learning.State


def running(status: Mapping[str, Any], now: float) -> list[str]:
    """The lines. `status`, `now`: as `metrics.exposition` takes them."""
    lines = _program(status, now)
    guard: Mapping[str, Any] = status.get("guard") or {}
    for part in (_packets, _devices, _latency, _volume, _storing):
        lines += part(guard)
    return lines + _queues(status)


def _program(status: Mapping[str, Any], now: float) -> list[str]:
    guard = status.get("guard") or {}
    uptime, modes = status.get("uptime"), [guard["mode"]] if guard.get("mode") else []
    parts = status.get("parts") or []
    return [
        *gauge("up", "Whether `smartrouter run` runs.", float(bool(status))),
        *gauge("guard_up", "Whether devices are guarded.", float(bool(guard.get("running")))),
        *family(
            "smartrouter_build_info", "gauge", "The version that runs.",
            [({"version": status["version"]}, 1.0)] if status.get("version") else [],
        ),
        *gauge("start_time_seconds", "When it was started.", None if uptime is None else now - uptime),
        *gauges(
            "mode_info", "The mode of devices without one of their own.", "mode",
            dict.fromkeys(modes, 1.0),
        ),
        *gauge("paused_seconds", "How long enforcement is still paused.", guard.get("paused")),
        *gauge(
            "config_refused", "Whether the configuration on disk was refused.",
            float(bool(status["config"]["error"])) if "config" in status else None,
        ),
        *gauges(
            "part_up", "Whether a part's process runs.", "part",
            {part["name"]: float(part["state"] == "running") for part in parts},
        ),
        *counters(
            "part_restarts", "How often a part was started again.", "part",
            {part["name"]: part["restarts"] for part in parts},
        ),
        *gauges(
            "part_resident_memory_bytes", "What a part's process takes of memory.", "part",
            {part["name"]: 1024 * part["rss_kib"] for part in parts}
            | ({"supervisor": 1024 * status["rss_kib"]} if "rss_kib" in status else {}),
        ),
        *counters(
            "relay_dropped", "What one part had for another and found no room, by sort.", "what",
            status.get("dropped"),
        ),
    ]  # fmt: skip


def _packets(guard: Mapping[str, Any]) -> list[str]:
    return [
        *counters(
            "packets_judged", "Packets that got a verdict, by its reason.", "reason", guard.get("judged"),
        ),
        *counters(
            "packets_settled", "Packets that the kernel settled by itself and told of, by how.", "how",
            guard.get("recorded"),
        ),
        *counter(
            "packets_unrecorded", "Packets that the kernel settled by itself and could not tell of.",
            guard.get("unrecorded"),
        ),
        *counters(
            "kernel_packets", "Packets that a rule counted, by its counter.", "counter", guard.get("kernel"),
        ),
        *counter(
            "packets_withheld", "Packets that were dropped because more of the same must come first.",
            guard.get("withheld"),
        ),
        *gauges(
            "pairs", "Device, address and port that the kernel settles by itself.", "how", guard.get("pairs"),
        ),
        *counter("guard_faults", "Faults of smartrouter's own in the guard.", guard.get("faults")),
        *counters(
            "mended", "What somebody else took away and was put back.", "what", guard.get("mended")
        ),
    ]  # fmt: skip


def _devices(guard: Mapping[str, Any]) -> list[str]:
    found = guard.get("devices") or {}
    states = {state: found[state] for state in _STATES if state in found}
    return [
        *gauges("devices", "Watched devices by state of learning.", "state", states),
        *gauge("devices_watched", "Devices that are watched.", found.get("watched")),
    ]


def _latency(guard: Mapping[str, Any]) -> list[str]:
    about = "How long packets waited for their verdicts, from being taken out of the kernel's queue."
    each = [
        ({"queue": queue}, found["buckets"], found["sum"])
        for queue, found in (guard.get("latency") or {}).items()
    ]
    return histogram("smartrouter_verdict_latency_seconds", about, each)


def _volume(guard: Mapping[str, Any]) -> list[str]:
    found = guard.get("volume")
    if not found:
        return []
    directions = {"out": "bytes_out", "in": "bytes_in"}
    packets = {"out": "packets_out", "in": "packets_in"}
    on = found["accounting"] is True and not found["problem"]
    return [
        *gauge("volume_counting", "Whether what devices send and receive is counted.", float(on)),
        *counters(
            "volume_bytes", "Bytes of watched devices, as IP packets, since the guard was started.",
            "direction", {way: found[key] for way, key in directions.items()},
        ),
        *counters(
            "volume_packets", "Packets of watched devices, likewise.", "direction",
            {way: found[key] for way, key in packets.items()},
        ),
        *counter("volume_flows", "Connections of watched devices, likewise.", found["flows"]),
        *counter(
            "volume_lost", "Connections that ended faster than their counts could be read.", found["lost"]
        ),
        *counter(
            "volume_uncounted", "Connections that the kernel had not counted.", found["uncounted"]
        ),
        *gauge(
            "volume_offloaded_flows", "Open connections that may pass uncounted.",
            sum(found["offloaded"].values()),
        ),
    ]  # fmt: skip


def _storing(guard: Mapping[str, Any]) -> list[str]:
    found = guard.get("store") or {}
    trouble = float(bool(found["trouble"])) if "trouble" in found else None
    return [
        *counters("store_taken", "What the guard had to be stored, by sort.", "sort", found.get("put")),
        *counters("store_dropped", "What found no room to wait for the disk.", "sort", found.get("dropped")),
        *counters("store_refused", "What could not be stored at all.", "sort", found.get("refused")),
        *counter("store_batches", "Transactions of the guard's.", found.get("batches")),
        *gauge("store_trouble", "Whether the guard cannot store what it sees.", trouble),
    ]


def _queues(status: Mapping[str, Any]) -> list[str]:
    queues: Mapping[str, Mapping[str, float]] = status.get("queues") or {}
    lost = {"full": "dropped", "unread": "user_dropped"}
    return [
        *gauges(
            "queue_waiting", "Packets that wait in a kernel queue.", "queue",
            {number: queue["waiting"] for number, queue in queues.items()},
        ),
        *counters(
            "queue_packets", "Packets that were ever put into a kernel queue, modulo 2^32.", "queue",
            {number: queue["queued"] for number, queue in queues.items()},
        ),
        *family(
            "smartrouter_queue_dropped_total", "counter",
            "Packets that a kernel queue lost: it was `full`, or its socket stayed `unread`.",
            [
                ({"queue": number, "why": why}, queue[key])
                for number, queue in queues.items()
                for why, key in lost.items()
            ],
        ),
    ]  # fmt: skip
