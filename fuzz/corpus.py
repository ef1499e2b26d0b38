# SPDX-License-Identifier: GPL-2.0-or-later
"""The inputs in the repository that fuzzing begins with, by target."""

from pathlib import Path

FOLDER = Path(__file__).with_name("corpus")


def of(target: str) -> list[bytes]:
    """Always in the same order."""
    return [path.read_bytes() for path in sorted((FOLDER / target).iterdir())]
