# SPDX-License-Identifier: GPL-2.0-or-later
"""One run at a time, between threads and between processes."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from smartrouter.analyzer.turns import SUFFIX, alone

HOLDER = """
import sys
from smartrouter.analyzer.turns import alone
with alone(sys.argv[1]) as mine:
    print(mine, flush=True)
    sys.stdin.read()
"""


def test_while_one_runs_nobody_else_does(tmp_path: Path) -> None:
    database = str(tmp_path / "store.db")
    with alone(database) as first, alone(database) as second:
        assert (first, second) == (True, False)
    with alone(database) as again, alone(str(tmp_path / "another.db")) as other:
        assert (again, other) == (True, True)


def test_a_process_that_dies_leaves_its_turn(tmp_path: Path) -> None:
    database = str(tmp_path / "store.db")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with alone(database) as mine:
            assert not mine
        holder.kill()
    with alone(database) as mine:
        assert mine


def test_a_fault_leaves_it_too(tmp_path: Path) -> None:
    database = str(tmp_path / "store.db")
    with pytest.raises(ZeroDivisionError), alone(database):
        raise ZeroDivisionError
    with alone(database) as mine:
        assert mine


def test_the_file_is_the_groups_and_no_link_is_followed(tmp_path: Path) -> None:
    database = str(tmp_path / "store.db")
    before = os.umask(0o007)
    try:
        with alone(database):
            assert stat.S_IMODE(os.stat(database + SUFFIX).st_mode) == 0o660
    finally:
        os.umask(before)
    (tmp_path / f"linked.db{SUFFIX}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"), alone(str(tmp_path / "linked.db")):
        pass
