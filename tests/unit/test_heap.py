# SPDX-License-Identifier: GPL-2.0-or-later
"""What is large is given back, however often it was taken."""

import subprocess
import sys

from smartrouter.linux.heap import Region, unchanged_files

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


SMAPS = """\
00400000-00500000 r-xp 00001000 fe:01 1234 /usr/bin/python3
Size: 1024 kB
Anonymous:             0 kB
00600000-00700000 r--p 00001000 fe:01 1234 /usr/bin/python3
Anonymous:             4 kB
00700000-00800000 rw-p 00001000 fe:01 1234 /usr/bin/python3
Anonymous:             0 kB
00800000-00900000 r--s 00000000 fe:01 77 /var/lib/store.db-shm
Anonymous:             0 kB
00900000-00a00000 r--p 00000000 00:00 0
Anonymous:             0 kB
00a00000-00a02000 r--p 00000000 fe:01 99 /usr/lib/a file.so
Anonymous:             0 kB
"""


def test_only_what_a_file_has_as_well_is_let_go_of() -> None:
    """Not what was relocated, can be written, is shared, or is in no file."""
    found = list(unchanged_files(SMAPS.splitlines(keepends=True)))
    assert found == [Region(0x400000, 0x100000), Region(0xA00000, 0x2000)]


def test_a_process_goes_on_and_takes_less_when_it_lets_go() -> None:
    script = """
import asyncio, hashlib, json, sqlite3, ssl
from smartrouter.linux.heap import let_go, unchanged_files
from smartrouter.linux.process import rss_kib
import os
hashlib.scrypt(b"x", salt=b"y", n=2, r=1, p=1)
before = rss_kib(os.getpid())
with open("/proc/self/smaps") as smaps:
    let_go(list(unchanged_files(smaps)))
after = rss_kib(os.getpid())
assert hashlib.scrypt(b"x", salt=b"y", n=2, r=1, p=1)
assert sqlite3.connect(":memory:").execute("SELECT 7").fetchone() == (7,)
print(before - after)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 1000  # KiB
