# SPDX-License-Identifier: GPL-2.0-or-later
"""What is large is given back, however often it was taken."""

import subprocess
import sys

SCRIPT = """
import os
from smartrouter.linux.heap import give_back_what_is_large
from smartrouter.linux.process import rss_kib
from smartrouter.web.passwords import hashed
give_back_what_is_large()
before = rss_kib(os.getpid())
for _ in range(3):
    hashed("correct horse battery")
print(rss_kib(os.getpid()) - before)
"""


def test_a_checked_password_leaves_no_memory_behind() -> None:
    """Without that, the second one leaves 8 MiB."""
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) < 4096
