# SPDX-License-Identifier: GPL-2.0-or-later
"""`make bench`: what smartrouter costs, as ratios of things that take turns in one run.

Needs root: it builds namespaces, and in them kernel queues. They are gone at the end, after Ctrl-C as well.
"""

import argparse
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from bench import connections, dns, elements, footprint, forwarding, history, report, steady, syn, viewers
from bench.figures import Section, as_report
from bench.lab import FULL, QUICK, Effort, Lab
from bench.network import Network
from bench.programs import build
from smartrouter.config import MainConfig
from smartrouter.core.errors import SmartrouterError

MEASUREMENTS: Mapping[str, Callable[[Lab], Section]] = {
    "syn": syn.measure,
    "dns": dns.measure,
    "connections": connections.measure,
    "forwarding": forwarding.measure,
    "elements": elements.measure,
    "steady": steady.measure,
    "footprint": footprint.measure,
    "viewers": viewers.measure,
}


def main() -> int:
    options = _options()
    if os.geteuid() != 0:
        print("bench: needs root, for namespaces and kernel queues", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        earlier = history.load(options.against) if options.against else []
        found = measure(QUICK if options.quick else FULL, options.only or list(MEASUREMENTS))
    except SmartrouterError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    print(json.dumps(found, ensure_ascii=False) if options.json else report.table(found))
    if options.save:
        history.save(found, options.save)
    changes = history.compare(earlier, found, best=options.best)
    if changes:
        print(f"\nAgainst {options.against}:\n{history.told(changes)}",
              file=sys.stderr if options.json else sys.stdout)  # fmt: skip
    return int(any(change.is_worse for change in changes))


def measure(effort: Effort, names: list[str]) -> dict[str, Any]:
    """Measure all that is named; gives the report. Raises SmartrouterError."""
    with Network() as network:
        lab = Lab(network, build(network.folder), effort)
        sections = []
        for name in names:
            print(f"bench: {name} …", end="", file=sys.stderr, flush=True)
            began = time.monotonic()
            sections.append(MEASUREMENTS[name](lab))
            print(f" {time.monotonic() - began:.0f} s", file=sys.stderr)
    return as_report(sections, _machine(effort))


def _machine(effort: Effort) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "quick": effort is QUICK,
        "rounds": effort.rounds,
        "reader": MainConfig().reader,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="shorter and fewer rounds: within 90 seconds")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, metavar="WHAT",
                        help=f"not all, but some of: {', '.join(MEASUREMENTS)}")  # fmt: skip
    parser.add_argument("--save", type=Path, metavar="FILE", help="append the figures to this history")
    parser.add_argument("--against", type=Path, metavar="FILE",
                        help="compare with the last run in this history; status 1 if a ratio is worse by "
                        "more than its spread")  # fmt: skip
    parser.add_argument("--best", action="store_true", help="compare with the best instead of the last")
    return parser.parse_args()


def _interrupt(number: int, _: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(signal.Signals(number).name)


if __name__ == "__main__":
    sys.exit(main())
