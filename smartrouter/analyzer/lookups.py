# SPDX-License-Identifier: GPL-2.0-or-later
"""Looks names and addresses up in the background: a few threads, bounded waiting rooms, a cache.

A lookup that hangs delays nobody who asks, and a flood of questions of one sort does not keep the other
waiting: the sorts take turns. How a question is answered is `resolve`'s business.
"""

import logging
import queue
import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress

from smartrouter.analyzer.resolve import LONGEST_TTL, NOT_KNOWN, NOTHING, Answer, Question, Wanted, resolve

log = logging.getLogger("smartrouter.analyzer")

WORKERS = 4
MAX_WAITING = 256  # questions of each sort; more are not taken up
MAX_CACHED = 1024
SHORTEST = 5.0  # seconds that an answer is remembered at least, so that who asked finds it


class Lookups:
    """See the module. `ask`, and later find in `answer` what came of it. For one thread."""

    def __init__(self, look_up: Callable[[Question], Answer] = resolve):
        self._look_up = look_up
        self._waiting: dict[Wanted, deque[str]] = {wanted: deque() for wanted in Wanted}
        self._turns = deque(Wanted)  # whose turn it is stands first
        self._work_is_there = threading.Condition()
        self._done: queue.SimpleQueue[tuple[Question, Answer]] = queue.SimpleQueue()
        self._cache: OrderedDict[Question, tuple[Answer, float]] = OrderedDict()  # and until when it is good
        self._asked: set[Question] = set()
        self._workers = 0
        self._bell, self._ringer = socket.socketpair()
        for end in (self._bell, self._ringer):
            end.setblocking(False)

    def fileno(self) -> int:
        """Readable when a lookup has ended."""
        return self._bell.fileno()

    def ask(self, question: Question) -> bool:
        """Have `question` answered, unless it is already, or will be. False if too many wait."""
        if self.answer(question) is not None or question in self._asked:
            return True
        with self._work_is_there:
            waiting = self._waiting[question.wanted]
            if len(waiting) >= MAX_WAITING:
                return False
            waiting.append(question.of)
            self._work_is_there.notify()
        self._asked.add(question)
        if self._workers < min(WORKERS, len(self._asked)):
            self._workers += 1
            threading.Thread(target=self._work, name=f"lookups-{self._workers}", daemon=True).start()
        return True

    def answer(self, question: Question) -> Answer | None:
        """What was found lately, with the seconds that are left of it; None if nobody looked yet."""
        self._collect()
        answer, until = self._cache.get(question, (NOTHING, 0.0))
        left = until - time.monotonic()
        return answer._replace(ttl=left) if left > 0 else None

    def _collect(self) -> None:
        """Take in the lookups that have ended."""
        with suppress(BlockingIOError):
            while self._bell.recv(4096):
                pass
        while not self._done.empty():
            question, answer = self._done.get()
            self._asked.discard(question)
            self._cache[question] = answer, time.monotonic() + min(max(answer.ttl, SHORTEST), LONGEST_TTL)
            self._cache.move_to_end(question)
            if len(self._cache) > MAX_CACHED:
                self._cache.popitem(last=False)

    # -- the threads -----------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            question = self._next()
            try:
                answer = self._look_up(question)
            except Exception:
                log.exception("a fault of ours while looking up %s", question.of)
                answer = NOT_KNOWN
            self._done.put((question, answer))
            with suppress(BlockingIOError):  # it rings already
                self._ringer.send(b"!")

    def _next(self) -> Question:
        with self._work_is_there:
            while True:
                for wanted in tuple(self._turns):
                    if self._waiting[wanted]:
                        self._turns.remove(wanted)
                        self._turns.append(wanted)
                        return Question(wanted, self._waiting[wanted].popleft())
                self._work_is_there.wait()
