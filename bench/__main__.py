# SPDX-License-Identifier: GPL-2.0-or-later
"""`make bench`: what judging a SYN costs, as ratios to a C handler that only accepts, in one run.

Each handler drains the same number of SYNs from a full kernel queue; they take turns, so that a machine
that is slow for a while is slow for all. CPU seconds are compared, and medians printed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.network import MACS, namespaces
from smartrouter.linux.queue_rule import FLOWS_QUEUE

HANDLERS = {
    "c": "C: recv, accept",
    "library": "NetfilterQueue: accept",
    "memory": "guard: parse, judge, record in memory",
    "stored": "guard: the same, every attempt stored",
}
_LOAD = (
    "from smartrouter.linux.ruleset import Plan, load; from bench.network import MACS;"
    "load(Plan(lan=('lan',), watched=frozenset(MACS)))"
)
_SEND = (
    "import sys; from bench.network import send_syns;"
    "send_syns('out', sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))"
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("bench: needs root, for namespaces and kernel queues", file=sys.stderr)
        return 1
    rounds, packets = (3, 8000) if options.quick else (9, 15000)
    spent: dict[str, list[float]] = {name: [] for name in HANDLERS}
    with tempfile.TemporaryDirectory() as folder, namespaces() as (device, router):
        accept = f"{folder}/accept"
        source = Path(__file__).with_name("accept.c")
        subprocess.run(
            ["gcc", "-O2", "-o", accept, str(source), "-lnetfilter_queue", "-lnfnetlink"], check=True
        )
        _run(router, sys.executable, "-c", _LOAD)
        router_mac = _run(router, "cat", "/sys/class/net/lan/address").strip()
        serial = 1
        for _ in range(rounds):
            for name in HANDLERS:
                command = [accept] if name == "c" else [sys.executable, "-m", "bench.drain", name]
                send = [sys.executable, "-c", _SEND, router_mac, str(serial), str(packets)]
                spent[name].append(_drain(router, device, [*command, str(FLOWS_QUEUE), str(packets)], send))
                serial += packets
    _report(spent, packets, as_json=options.json)
    return 0


def _drain(router: str, device: str, handler: list[str], send: list[str]) -> float:
    """CPU seconds that `handler` needs for what `send` puts into its queue before it may begin."""
    with subprocess.Popen(
        ["ip", "netns", "exec", router, *handler], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if process.stdout.readline() != "ready\n":
                raise RuntimeError(f"{handler[0]} did not start")
            _run(device, *send)
            process.stdin.write("g")
            process.stdin.flush()
            return float(process.stdout.readline())
        finally:
            process.kill()


def _run(namespace: str, *command: str) -> str:
    done = subprocess.run(
        ["ip", "netns", "exec", namespace, *command], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout


def _report(spent: dict[str, list[float]], packets: int, *, as_json: bool) -> None:
    rows = {}
    for name, seconds in spent.items():
        ratios = [c / own for c, own in zip(spent["c"], seconds, strict=True)]
        rows[name] = {
            "us_per_syn": round(statistics.median(seconds) / packets * 1e6, 2),
            "vs_c": round(statistics.median(ratios), 3),
            "vs_c_min": round(min(ratios), 3),
            "vs_c_max": round(max(ratios), 3),
        }
    if as_json:
        memory, stored = rows["memory"]["vs_c"], rows["stored"]["vs_c"]
        print(
            json.dumps(
                {
                    "reader": "netfilterqueue",
                    "syn_memory_vs_c": memory,
                    "syn_stored_vs_c": stored,
                    "rows": rows,
                }
            )
        )
        return
    print(f"{'handler on a full queue':<42}{'µs CPU/SYN':>12}{'÷ C':>8}   spread")
    for name, row in rows.items():
        spread = f"{row['vs_c_min']:.2f}–{row['vs_c_max']:.2f}"
        print(f"{HANDLERS[name]:<42}{row['us_per_syn']:>12.2f}{row['vs_c']:>8.2f}   {spread}")
    print(f"{packets} SYNs a turn over {len(MACS)} devices, {len(spent['c'])} turns each, medians.")


if __name__ == "__main__":
    sys.exit(main())
