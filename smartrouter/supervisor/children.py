# SPDX-License-Identifier: GPL-2.0-or-later
"""The supervisor's view of one part: starts its process, hears its heartbeat, talks to it, brings it back.

    stopped -> waiting -> starting -> running -> waiting (it died) … or stopping -> stopped

A part is starting until it has acknowledged its first configuration; from then on 2.5 s of silence mean
that it hangs, and it is killed. It is started again after 0.2 s, and never given up; later and later only if
it does not come up, or has died very often of late. What the part does, and what its configuration says, is
not this module's business.
"""

import os
import signal
from collections import deque
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from smartrouter.channel import Answer, BadMessage, Gone, Lines, Questions, Then, decode, plain
from smartrouter.journal import Journal
from smartrouter.linux import process

log = Journal("smartrouter.supervisor")

SILENCE = 2.5  # seconds without a beat after which a running part hangs
ACKNOWLEDGE = 2.0  # seconds in which a running part takes up a changed configuration
START_PATIENCE = 30.0  # seconds that a slow router may take to import everything
STOP_PATIENCE = 3.0  # seconds to judge and store what is still in memory; procd grants 5 to all of us
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0  # seconds before a part is started again
OFTEN, LATELY = 30, 60.0  # deaths of a part that had come up, within so many seconds, that are borne with
_LAST_READS = 64  # chunks that are read of what a dead process left in its socket


class Part(NamedTuple):
    """A process to look after. `command`: program and arguments; `--channel FD` is added to them.
    `optional`: it runs only while the configuration has a section of its name."""

    name: str
    command: tuple[str, ...]
    optional: bool = False


class State(StrEnum):
    """Where a part stands."""

    STOPPED = "stopped"
    WAITING = "waiting"  # for the moment of its next start
    STARTING = "starting"  # a process that has not acknowledged a configuration yet
    RUNNING = "running"
    STOPPING = "stopping"


class Child:
    """One part and its process. Times are CLOCK_MONOTONIC seconds, handed in as `now`."""

    def __init__(
        self,
        part: Part,
        environment: Mapping[str, str],
        on_hello: Callable[["Child", float], None],
        on_tell: Callable[["Child", dict[str, Any], float], None],
    ):
        """`on_hello(child, now)`: the process is up and wants its configuration (`configure`).
        `on_tell(child, message, now)`: it said something unasked."""
        self.part = part
        self.state = State.STOPPED
        self.pid = 0
        self.restarts = 0
        self.problem = ""  # why it does not run, or what it refused last; '' if all is well
        self._environment = environment
        self._on_hello = on_hello
        self._on_tell = on_tell
        self._lines: Lines | None = None
        self._questions = Questions()
        self._spawned = self._heard = self._due = 0.0
        self._kill_at: float | None = None
        self._greeted = self._condemned = self._again = False
        self._vain_starts = 0  # one after the other
        self._deaths: deque[float] = deque()  # of late, after it had come up
        self._last_words = ""  # why the process ends, if it or we have said so
        self._gone_since: float | None = None
        self._hung_since: float | None = None

    # -- what others see -----------------------------------------------------------------------------

    @property
    def unsent(self) -> bool:
        """Does something wait to be sent to it?"""
        return self._lines is not None and self._lines.unsent

    def fileno(self) -> int:
        """The descriptor to poll, -1 without one; then call `ready`."""
        return -1 if self._lines is None else self._lines.fileno()

    def outage(self, now: float) -> float | None:
        """Seconds since the part last did its work; None if it has not yet since we watch."""
        return None if self._gone_since is None else now - self._gone_since

    def absence(self) -> str:
        """Why it cannot be asked, in words."""
        why = f": {self.problem}" if self.problem else ""
        return f"the {self.part.name} is not running ({self.state}{why})"

    def next_deadline(self) -> float | None:
        """When `step` has something to do, if nothing happens before."""
        due = [moment for moment in (self._questions.next_deadline(), self._kill_at) if moment is not None]
        if self.state is State.WAITING:
            due.append(self._due)
        elif self.state is State.STARTING and not self._condemned:
            due.append(self._spawned + START_PATIENCE)
        elif self.state is State.RUNNING and not self._condemned:
            due.append(self._heard + SILENCE)
        return min(due, default=None)

    # -- what is wanted of it ------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """Have it running from now on."""
        if self.state is State.STOPPED:
            self._vain_starts = 0
            self._deaths.clear()
            self._due = now
            self.state = State.WAITING
        elif self.state is State.STOPPING:
            self._again = True

    def stop(self, now: float) -> None:
        """Have it stopped from now on: SIGTERM, and SIGKILL when that does not help in time."""
        self._again = False
        self.problem = ""
        if not self.pid:
            self.state = State.STOPPED
        elif self.state is not State.STOPPING:
            if self.state is State.RUNNING:
                self._gone_since = now
            self._signal(signal.SIGTERM)
            self._kill_at = now + STOP_PATIENCE
            self.state = State.STOPPING

    def hangs(self, why: str, since: float, now: float) -> None:
        """Somebody noticed that the part has not done its work since then."""
        if now - since >= SILENCE and not self._condemned:
            self._kill(why, since)

    def configure(self, share: Mapping[str, object], now: float, then: Then) -> None:
        """Hand it its share of the configuration. A process that refuses its first one is ended."""

        def answered(answer: Answer) -> None:
            if "ok" in answer:
                self._configured()
            elif self.state is State.STARTING and self.pid:
                self._kill(answer["error"], now)
            elif self.state is State.RUNNING:
                self.problem = f"keeps its old configuration: {answer['error']}"
                log.error("%s %s", self.part.name, self.problem)
            then(answer)

        if self.state is State.RUNNING or (self.state is State.STARTING and self._greeted):
            patience = START_PATIENCE if self.state is State.STARTING else ACKNOWLEDGE
            self._send("configure", share, now + patience, answered)
        else:
            then({"error": self.absence()})

    def ask(
        self,
        do: str,
        arguments: Mapping[str, object],
        now: float,
        then: Then,
        patience: float = ACKNOWLEDGE,
    ) -> None:
        """Ask the running part; `then` gets its answer, or an error in words, within `patience` seconds."""
        if self.state is State.RUNNING:
            self._send(do, arguments, now + patience, then)
        else:
            then({"error": self.absence()})

    # -- what happens --------------------------------------------------------------------------------

    def ready(self, now: float) -> None:
        """Its socket can be read or written."""
        if self._lines is None:
            return
        self._lines.flush()
        try:
            for line in self._lines.receive():
                self._hear(decode(line), now)
        except Gone:
            self._hang_up()
            if self.pid and self._kill_at is None:
                self._kill_at = now + STOP_PATIENCE  # who hangs up must end, too
        except BadMessage as error:
            self._hang_up()
            self._kill(f"it speaks nonsense: {error}", now)

    def step(self, now: float) -> None:
        """What time asks for: bury, start, lose patience."""
        if self.pid:
            how = process.ended(self.pid)
            if how:
                self._bury(how, now)
        if self.state is State.WAITING and now >= self._due:
            self._spawn(now)
        elif self.pid and not self._condemned:
            self._lose_patience(now)
        self._questions.expire(now, f"the {self.part.name} did not answer in time")

    # -- inside --------------------------------------------------------------------------------------

    def _spawn(self, now: float) -> None:
        try:
            self.pid, ours = process.start(self.part.command, self._environment)
        except OSError as error:
            self._died(f"cannot start {self.part.command[0]}: {error.strerror}", now)
            return
        self._lines = Lines(ours)
        self._spawned = self._heard = now
        self._kill_at = self._hung_since = None
        self._greeted = self._condemned = False
        self._last_words = ""
        self.state = State.STARTING

    def _hear(self, message: dict[str, Any], now: float) -> None:
        self._heard = now
        if self._questions.hear(message):
            return
        if message.get("tell") == "failed":
            self._last_words = plain(message.get("why"))
        elif "tell" in message:
            self._on_tell(self, message, now)
        elif "beat" in message and self.state is State.STARTING and not self._greeted:
            self._greeted = True
            self._on_hello(self, now)

    def _send(self, do: str, arguments: Mapping[str, object], deadline: float, then: Then) -> None:
        if self._lines is None:
            then({"error": f"the {self.part.name} has hung up"})
        else:
            self._questions.ask(self._lines, do, arguments, deadline, then)

    def _configured(self) -> None:
        self.problem = ""
        if self.state is State.STARTING:
            log.info("%s runs as process %d", self.part.name, self.pid)
            self._gone_since = None
            self.state = State.RUNNING

    def _lose_patience(self, now: float) -> None:
        if self.state is State.RUNNING and now - self._heard >= SILENCE:
            self.ready(now)  # we ourselves may have been away: a beat may lie in the socket
            if now - self._heard >= SILENCE and not self._condemned:
                self._kill(f"no sign of life for {SILENCE} s", self._heard)
        elif self.state is State.STARTING and now - self._spawned >= START_PATIENCE:
            self._kill(f"not up after {START_PATIENCE:.0f} s", now)
        elif self._kill_at is not None and now >= self._kill_at:
            self._kill("did not end when asked to", now)

    def _bury(self, how: str, now: float) -> None:
        """The process has ended: hear its last words, and tell those who wait for an answer."""
        self.pid = 0
        self._kill_at = None
        for _ in range(_LAST_READS):
            self.ready(now)
        self._hang_up()
        if self.state is State.STOPPING:
            log.info("%s has stopped", self.part.name)
            self.state = State.STOPPED
            if self._again:
                self._again = False
                self.start(now)
        else:
            if self.state is State.RUNNING:
                self._gone_since = now if self._hung_since is None else self._hung_since
            self._died(self._last_words or how, now)
        self._questions.abandon(f"the {self.part.name} went away: {self.problem or 'stopped'}")

    def _died(self, why: str, now: float) -> None:
        if self.state is State.RUNNING:
            self._vain_starts = 0
            self._deaths.append(now)
            while self._deaths[0] < now - LATELY:
                self._deaths.popleft()
            too_many = len(self._deaths) - OFTEN
        else:
            too_many = self._vain_starts
            self._vain_starts += 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(16, max(0, too_many)))
        self.problem = why
        self.restarts += 1
        self._due = now + pause
        self.state = State.WAITING
        log.error("%s is gone: %s; starting it again in %.1f s", self.part.name, why, pause)

    def _kill(self, why: str, hung_since: float) -> None:
        """The process has not worked since `hung_since`: end it. It comes back."""
        self._last_words = why
        self._hung_since = hung_since
        self._condemned = True
        self._signal(signal.SIGKILL)

    def _hang_up(self) -> None:
        if self._lines is not None:
            self._lines.close()
            self._lines = None

    def _signal(self, number: signal.Signals) -> None:
        # It is our child and not waited for yet, so the number cannot be somebody else's.
        if self.pid:
            os.kill(self.pid, number)
