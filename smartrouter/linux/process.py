# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes: starting one with a socket to it, and saying how it ended. Knows nothing of what they do."""

import os
import signal
import socket
from collections.abc import Mapping, Sequence

import smartrouter

_DEFAULT_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE)
_NAMES = {int(number): number.name for number in signal.Signals}
_PAGE = os.sysconf("SC_PAGE_SIZE")


def home() -> str:
    """The folder that our package lies in."""
    return os.path.dirname(os.path.dirname(os.path.abspath(smartrouter.__file__)))


def environment() -> dict[str, str]:
    """What a process of ours is to find in its environment: ours, less what is for us alone, where our code
    is, and that its threads share one heap (glibc gives each its own, which takes 2 MB here and gains
    nothing: one thread at a time runs Python), and that code keeps its lines but not its columns."""
    own = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
    paths = own.get("PYTHONPATH", "").split(os.pathsep)
    own.setdefault("MALLOC_ARENA_MAX", "1")
    own.setdefault("PYTHONNODEBUGRANGES", "1")
    own["PYTHONPATH"] = os.pathsep.join(dict.fromkeys((home(), *filter(None, paths))))
    return own


def start(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, socket.socket]:
    """Start `command --channel FD` and give its process id, and our end of the socket whose other end is FD.

    It has no input, and a process group of its own: Ctrl-C at a terminal is for its parent alone.
    Raises OSError.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.set_inheritable(True)
        words = (*command, "--channel", str(theirs.fileno()))
        try:
            pid = os.posix_spawnp(
                words[0],
                words,
                environment,
                file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
                setpgroup=0,
                setsigmask=(),
                setsigdef=_DEFAULT_SIGNALS,
            )
        except OSError:
            ours.close()
            raise
    return pid, ours


def ended(pid: int) -> str:
    """How our child `pid` ended, in words; '' while it lives. With words, the id is gone."""
    found, status = os.waitpid(pid, os.WNOHANG)
    if not found:
        return ""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return f"killed by {_NAMES.get(-code, f'signal {-code}')}"
    return f"ended by itself with status {code}; the log says why"


def rss_kib(pid: int) -> int:
    """Resident memory of a process, 0 if there is none (proc(5), statm)."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * _PAGE // 1024
    except (OSError, IndexError):
        return 0
