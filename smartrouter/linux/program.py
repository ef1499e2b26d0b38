# SPDX-License-Identifier: GPL-2.0-or-later
"""Running a program with a text as its input, and hearing what it complains of.

What `subprocess` would do, and `shutil.which`; but with what they import they take some half a megabyte, for
good, of a process that runs one program when it starts and hardly ever another.
"""

import os
import select
import signal
from typing import NamedTuple

_ROOTS_OWN = ("/usr/sbin", "/sbin")  # a service's PATH need not have these
_SIGNALS = (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM)  # that Python, or we, handle in our own way


class Done(NamedTuple):
    """How it ended: 0 is well, a negative number the signal that killed it; what it wrote on stderr."""

    status: int
    errors: str


def find(name: str) -> str | None:
    """The path of the program `name`; None if there is none."""
    folders = (*os.environ.get("PATH", "/usr/bin:/bin").split(os.pathsep), *_ROOTS_OWN)
    paths = (os.path.join(folder, name) for folder in folders if folder)
    return next((path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)), None)


def run(command: list[str], text: str, patience: float) -> Done:
    """Run `command`, whose first word is a path, with `text` as its input, for `patience` seconds at most;
    what it prints is dropped. Raises OSError, of which TimeoutError is one."""
    with open(os.memfd_create("input"), "w+b") as given, open(os.memfd_create("errors"), "w+b") as errors:
        given.write(text.encode())
        given.seek(0)
        pid = os.posix_spawn(
            command[0],
            command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, given.fileno(), 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, errors.fileno(), 2),
            ],
            setsigdef=_SIGNALS,
        )
        status = _ended(pid, patience)
        errors.seek(0)
        return Done(status, errors.read().decode(errors="replace"))


def _ended(pid: int, patience: float) -> int:
    """The status of our child `pid`, once it has ended; it is killed after `patience` seconds."""
    child = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(child, select.POLLIN)
        in_time = bool(poll.poll(patience * 1000))
        if not in_time:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    finally:
        os.close(child)
    if not in_time:
        raise TimeoutError(f"it did not end within {patience:.0f} seconds")
    return os.waitstatus_to_exitcode(status)
