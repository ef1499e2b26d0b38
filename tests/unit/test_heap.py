# SPDX-License-Identifier: GPL-2.0-or-later
"""What is large is given back, however often it was taken."""

import subprocess
import sys

SCRIPT = """
import os, sys
from smartrouter.linux.heap import give_back_what_is_large
from smartrouter.linux.process import rss_kib
from smartrouter.web.passwords import hashed
if sys.argv[1] == "yes":
    give_back_what_is_large()
before = rss_kib(os.getpid())
for _ in range(3):
    hashed("correct horse battery")
print(rss_kib(os.getpid()) - before)
"""


def kept(how: str) -> int:
    """KiB that a process keeps of three passwords checked."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=True, timeout=60
    )
    return int(done.stdout)


def test_a_checked_password_leaves_no_memory_behind() -> None:
    assert kept("yes") < 4096
