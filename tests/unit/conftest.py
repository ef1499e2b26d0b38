# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests of single modules share by asking for it."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartrouter.store import open_writer


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A writer's connection to a store of its own."""
    conn = open_writer(str(tmp_path / "store.db"))
    yield conn
    conn.close()
