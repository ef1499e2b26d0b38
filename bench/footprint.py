# SPDX-License-Identifier: GPL-2.0-or-later
"""How quickly the real guard is there, and how much memory it takes."""

import threading
import time
from pathlib import Path

from bench import guard, home
from bench.figures import Budget, Row, Section, spread
from bench.guard import Guard
from bench.home import Mix
from bench.lab import Lab
from smartrouter.core.errors import Unavailable
from smartrouter.linux.queue_rule import FLOWS_QUEUE

_ABOUT = (
    "The real guard: from exec to its first verdict, with the store of the home, while SYNs come; and its "
    "resident memory once it holds 10,000 known pairs, which are in the kernel's sets as well."
)
_DESTINATIONS = 202  # of each device, 200 or 201 of them learned: 10,025 pairs
_PAIRS = 10_000
_RATE = 1000  # SYNs a second while it starts
_LONGEST = 20.0  # seconds
_PAUSE = 0.001  # seconds between two looks at the queue
_FILL_RATE = 4000  # SYNs a second while it learns which pairs are known


def measure(lab: Lab) -> Section:
    """The section of the table."""
    syns = lab.file_of("starting", home.syns(4000, Mix.STRANGERS))
    starts: dict[str, list[float]] = {"none": [], "there": []}
    for number in lab.rounds():
        for table, found in starts.items():
            database = guard.store(lab.network.folder / f"start-{table}-{number}" / "guard.db")
            found.append(_start(lab, database, syns, table_is_there=table == "there"))
    worst = max(starts, key=lambda table: spread(starts[table]).median)
    memory, idle = _memory(lab)
    most = Budget(300, at_most=True)
    return Section("Footprint", _ABOUT, [
        Row("start_ms", "from exec to the first verdict, the longer of these two", spread(starts[worst]),
            "ms", most),
        Row("start_no_table_ms", "… without a table", spread(starts["none"]), "ms", less_is_better=True),
        Row("start_table_ms", "… with the table there", spread(starts["there"]), "ms", less_is_better=True),
        Row("guard_rss_mib", "resident, 50 devices, 10,000 known pairs", spread([memory]), "MiB",
            Budget(32, at_most=True)),
        Row("guard_rss_idle_mib", "… just started", spread([idle]), "MiB", less_is_better=True),
    ])  # fmt: skip


def _start(lab: Lab, database: Path, syns: Path, *, table_is_there: bool) -> float:
    """Milliseconds."""
    network = lab.network
    if table_is_there:
        network.guarded()
    else:
        network.bare()
    sender = network.device.popen(lab.sender(syns, int(_LONGEST * _RATE), _RATE))
    ours = Guard(lab, database)
    verdicts: list[float] = []
    watching = threading.Thread(target=_await_verdict, args=(lab, verdicts), daemon=True)
    try:
        began = time.monotonic()
        ours.start()
        watching.start()
        ours.configure()
        watching.join(_LONGEST)
    finally:
        ours.end()
        network.device.stop(sender)
    if not verdicts:
        raise Unavailable(f"the guard gave no verdict within {_LONGEST:.0f} s")
    return (verdicts[0] - began) * 1000


def _await_verdict(lab: Lab, verdicts: list[float]) -> None:
    end = time.monotonic() + _LONGEST
    while time.monotonic() < end:
        try:
            stats = lab.network.queue(FLOWS_QUEUE)
        except Unavailable:
            pass
        else:
            if stats.queued > stats.waiting:
                verdicts.append(time.monotonic())
                return
        time.sleep(_PAUSE)


def _memory(lab: Lab) -> tuple[float, float]:
    """MiB with all pairs, and before."""
    lab.network.guarded()
    database = guard.store(lab.network.folder / "memory" / "guard.db", destinations=_DESTINATIONS)
    sent = home.one_syn_each(_DESTINATIONS)
    path = lab.file_of("pairs", sent)
    with Guard(lab, database) as ours:
        idle = ours.resident()
        lab.send(path, len(sent), _FILL_RATE)
        end = time.monotonic() + _LONGEST
        while (known := ours.status()["pairs"]["known"]) < _PAIRS:
            if time.monotonic() > end:
                raise Unavailable(f"the guard knows {known} pairs of {_PAIRS}")
            time.sleep(0.1)
        return ours.resident(), idle
