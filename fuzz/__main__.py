# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m fuzz [--time SECONDS] [--engine atheris|own] [TARGET…]`, with `tests` on the path: `make fuzz`.

The time is shared by the targets. What was found lies in build/fuzz; giving such a file's path as a target's
input (`python -m fuzz --again FILE TARGET`) shows it again.
"""

import argparse
import hashlib
import importlib.util
import subprocess
import sys
import time
import traceback
from itertools import chain
from pathlib import Path

from fuzz import corpus
from fuzz.mutation import mutations
from fuzz.targets import TARGETS, once

FOUND = Path("build/fuzz")
SLOW = 0.010  # seconds of processor time that no input may take
_TIMEOUT = 5  # seconds after which libFuzzer calls an input endless


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description="Hostile input for every parser and the judge.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all if none")
    parser.add_argument("--time", type=float, default=60.0, metavar="SECONDS", help="in all (60)")
    parser.add_argument("--engine", choices=("atheris", "own"), help="atheris, where it is installed")
    parser.add_argument("--again", metavar="FILE", help="run this one input")
    arguments = parser.parse_args()
    names = arguments.targets or list(TARGETS)
    if unknown := [name for name in names if name not in TARGETS]:
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    if arguments.again:
        for name in names:
            once(name, Path(arguments.again).read_bytes())
        return 0
    FOUND.mkdir(parents=True, exist_ok=True)
    engine = arguments.engine or ("atheris" if importlib.util.find_spec("atheris") else "own")
    print(f"{len(names)} targets, {arguments.time:.0f} s, engine: {engine}", flush=True)
    run = _by_atheris if engine == "atheris" else _by_ourselves
    failed = [name for name in names if not run(name, arguments.time / len(names))]
    print(f"{len(names) - len(failed)} of {len(names)} targets without a finding")
    if failed:
        print(f"found in: {', '.join(failed)}; the inputs are in {FOUND}", file=sys.stderr)
    return 1 if failed else 0


def _by_atheris(name: str, seconds: float) -> bool:
    """Did it find nothing? What reaches new code stays in build/fuzz, for the next time."""
    grown = FOUND / name
    grown.mkdir(exist_ok=True)
    options = [
        f"-max_total_time={max(1, round(seconds))}",
        f"-max_len={TARGETS[name].most}",
        f"-timeout={_TIMEOUT}",
        f"-artifact_prefix={FOUND}/{name}-",
        "-verbosity=0",
        "-print_final_stats=0",
    ]
    command = [sys.executable, "-m", "fuzz.harness", name, *options, str(grown), str(corpus.FOLDER / name)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(f"{name}: {'nothing' if done.returncode == 0 else 'FOUND'}", flush=True)
    if done.returncode:
        print("\n".join(done.stdout.splitlines()[-30:]))
    return done.returncode == 0


def _by_ourselves(name: str, seconds: float) -> bool:
    """The same by blind changes; this engine also says what takes longer than anything may."""
    seeds = corpus.of(name)
    end = time.monotonic() + seconds
    slowest, tried = 0.0, 0
    for data in chain(seeds, mutations(seeds, seed=time.time_ns())):
        begun = time.process_time()
        try:
            once(name, data)
        except Exception:
            print(f"{name}: FOUND in {_keep(name, data)}")
            traceback.print_exc()
            return False
        tried += 1
        took = time.process_time() - begun
        if took > SLOW and (took := min(took, *(_time(name, data) for _ in range(3)))) > SLOW:
            print(f"{name}: FOUND: {_keep(name, data)} takes {1000 * took:.1f} ms")
            return False
        slowest = max(slowest, took)
        if time.monotonic() > end:
            break
    print(f"{name}: nothing in {tried} inputs, the slowest {1000 * slowest:.1f} ms", flush=True)
    return True


def _time(name: str, data: bytes) -> float:
    begun = time.process_time()
    once(name, data)
    return time.process_time() - begun


def _keep(name: str, data: bytes) -> Path:
    path = FOUND / f"{name}-{hashlib.sha256(data).hexdigest()[:16]}"
    path.write_bytes(data)
    return path


if __name__ == "__main__":
    sys.exit(main())
