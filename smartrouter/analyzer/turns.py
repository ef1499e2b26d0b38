# SPDX-License-Identifier: GPL-2.0-or-later
"""One run at a time, whatever processes there are: who has the lock runs, everybody else leaves it be.

The kernel gives the lock back when its holder ends, however that ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

SUFFIX = "-analysis"  # of the file that is locked; never of the database, whose own locks that would end


@contextmanager
def alone(database: str) -> Iterator[bool]:
    """Is it this caller's turn, over the store at `database`, until the end of the block? Raises OSError."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(database + SUFFIX, flags, 0o660)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
