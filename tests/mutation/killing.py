# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs tests against a copy of the checkout in which one thing is broken: `make mutants`."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mutation.mutants import INVARIANTS, MUTANTS, Mutant

CHECKOUT = Path(__file__).resolve().parents[2]
_COPIED = ("nft", "pyproject.toml", "smartrouter", "tests")
_FAILED = 1  # pytest's exit status: tests ran, and some failed
_PATIENCE = 300.0  # seconds
_LAST_LINES = 15


@contextmanager
def copy_of_checkout() -> Iterator[Path]:
    """What tests need of it, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="smartrouter-mutant-") as folder:
        copy = Path(folder)
        copy.chmod(0o755)
        for name in _COPIED:
            source = CHECKOUT / name
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", ".hypothesis")
                shutil.copytree(source, copy / name, symlinks=True, ignore=ignored)
            else:
                shutil.copy(source, copy / name)
        yield copy


@contextmanager
def broken(copy: Path, mutant: Mutant) -> Iterator[None]:
    """The copy has this fault meanwhile."""
    path = copy / mutant.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutant.before) != 1:
        raise ValueError(f"{mutant.name}: what is to be broken must stand in {mutant.file} once")
    path.write_text(text.replace(mutant.before, mutant.after), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")


def run(copy: Path, test: str) -> subprocess.CompletedProcess[str]:
    """pytest's run of one test in the copy, whose code it imports."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", test]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    # CI: hypothesis draws the same examples each time, and no slow machine fails one.
    environment |= {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "CI": "true"}
    return subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=False
    )


def survived(copy: Path, mutant: Mutant) -> list[str]:
    """The tests that did not notice."""
    with broken(copy, mutant):
        return [test for test in mutant.tests if run(copy, test).returncode != _FAILED]


def main() -> int:
    """All mutants, or those whose name holds a given text; first that each test passes without any."""
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("text", nargs="?", default="", help="only mutants whose name holds this")
    parser.add_argument("--cheap", action="store_true", help="without those that need a network")
    arguments = parser.parse_args()
    chosen = [m for m in MUTANTS if arguments.text in m.name and not (arguments.cheap and m.network)]
    bad = 0
    with copy_of_checkout() as copy:
        for test in dict.fromkeys(test for mutant in chosen for test in mutant.tests):
            done = run(copy, test)
            if done.returncode:
                print(f"{test} fails without any fault:", *done.stdout.splitlines()[-_LAST_LINES:], sep="\n")
                bad += 1
        if bad:
            return 1
        for mutant in chosen:
            alive = survived(copy, mutant)
            bad += bool(alive)
            verdict = f"SURVIVED {', '.join(alive)}" if alive else "noticed"
            print(f"{mutant.invariant:2}  {mutant.name}: {verdict}", flush=True)
    print(f"{len(chosen) - bad} of {len(chosen)} faults noticed")
    return 1 if bad else 0


def table() -> str:
    """Which test guards which invariant, as docs/testing.md shows it."""
    lines = ["| | invariant | broken on purpose | noticed by |", "|---|---|---|---|"]
    for number, text in INVARIANTS.items():
        for at, mutant in enumerate(each for each in MUTANTS if each.invariant == number):
            tests = ", ".join(f"`{test.rpartition('/')[2]}`" for test in mutant.tests)
            head = f"| {number} | {text}" if not at else "| | "
            lines.append(f"{head} | {mutant.name} | {tests} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
