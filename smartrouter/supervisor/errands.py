# SPDX-License-Identifier: GPL-2.0-or-later
"""Work that the supervisor has done by a forked process: what needs modules too large to carry for good, and
what may take long. The answer comes back as one JSON line.

An errand shares nothing with the supervisor but its memory at the moment of the fork. One runs at a time,
so that changes of the configuration follow one another.
"""

import contextlib
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from smartrouter.channel import BadMessage, Gone, Lines, decode, encode, plain
from smartrouter.core.errors import SmartrouterError
from smartrouter.journal import Journal
from smartrouter.linux import process

log = Journal("smartrouter.supervisor")

_LAST_READS = 64  # chunks that are read of what an ended errand left in its socket
PATIENCE = 30.0  # seconds; a slow router may need a few to import and check everything
Work: TypeAlias = Callable[[], Mapping[str, Any]]
Then: TypeAlias = Callable[[Mapping[str, Any]], None]  # takes {"ok": {…}} or {"error": TEXT}


class _Errand(NamedTuple):
    work: Work
    then: Then


class Errands:
    """A queue of errands, and the process that does the first of them."""

    def __init__(self) -> None:
        self._queue: deque[_Errand] = deque()
        self._lines: Lines | None = None
        self._pid = 0
        self._deadline = 0.0
        self._answer: Mapping[str, Any] | None = None

    unsent = False

    @property
    def busy(self) -> bool:
        """Is there an errand in work or waiting?"""
        return bool(self._queue)

    def fileno(self) -> int:
        """The descriptor to poll, -1 without one; then call `ready`."""
        return -1 if self._lines is None else self._lines.fileno()

    def next_deadline(self) -> float | None:
        """When `step` has something to do, if nothing happens before."""
        return self._deadline if self._pid else None

    def send(self, work: Work, then: Then, now: float) -> None:
        """Have `work` done when its turn comes; `then` gets what it returned, or its error in words."""
        self._queue.append(_Errand(work, then))
        if not self._pid:
            self._begin(now)

    def ready(self, _now: float) -> None:
        """The answer, or its end, can be read."""
        if self._lines is None:
            return
        try:
            for line in self._lines.receive():
                self._answer = decode(line)
        except (Gone, BadMessage):
            self._lines.close()
            self._lines = None

    def step(self, now: float) -> None:
        """What time asks for: hand the answer over, lose patience, begin the next."""
        if not self._pid:
            return
        if now >= self._deadline:
            os.killpg(self._pid, signal.SIGKILL)  # and what it waits for
            self._deadline = now + PATIENCE
        how = process.ended(self._pid)
        if not how:
            return
        for _ in range(_LAST_READS):
            self.ready(now)
        answer = self._answer or {"error": f"an errand of the supervisor's was {how}"}
        self._pid = 0
        then = self._queue.popleft().then
        if self._queue:
            self._begin(now)
        then(answer)

    def _begin(self, now: float) -> None:
        ours, theirs = socket.socketpair()
        self._answer = None
        self._deadline = now + PATIENCE
        pid = os.fork()
        if pid == 0:
            _do(self._queue[0].work, theirs)
        os.setpgid(pid, pid)  # here and there, whoever is first
        theirs.close()
        self._pid = pid
        self._lines = Lines(ours)


def _do(work: Work, answer_to: socket.socket) -> None:
    """In the forked process: do the work, answer, and end."""
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        os.setpgid(0, 0)
        signal.setitimer(signal.ITIMER_REAL, 2 * PATIENCE)  # should nobody be left to lose it
        _close_all_but(answer_to.fileno())
        answer_to.sendall(encode(_outcome(work)))
    finally:
        os._exit(0)


def _close_all_but(kept: int) -> None:
    """Let go of the supervisor's sockets, so that they end when it does."""
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd > 2 and fd != kept:
            with contextlib.suppress(OSError):
                os.close(fd)


def _outcome(work: Work) -> Mapping[str, Any]:
    try:
        return {"ok": work()}
    except SmartrouterError as error:
        return {"error": str(error), "kind": type(error).__name__}
    except Exception as error:
        log.exception("an errand failed")
        return {"error": f"a fault of smartrouter's: {plain(type(error).__name__)}; the log has more"}
