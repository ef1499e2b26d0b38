# SPDX-License-Identifier: GPL-2.0-or-later
"""DNS queries that wait for their answer: which reply may be believed, and for which device.

A reply carries no MAC of the asker. It counts only if client, client's port, resolver, protocol, id and
question are those of an outstanding query; it counts for every device that sent just this query, so one that
asks in another's name takes nothing from it. Bounded per device: a device that asks without end loses its
own oldest queries, nobody else's. Bounded in all, for who makes MACs up: then the oldest of anybody go.
"""

from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

from smartrouter.core.events import DnsAnswered, DnsAsked, Question

MAX_QUERIES = 256  # outstanding queries of one device
MAX_IN_ALL = 16_384  # about 10 MB; a resolver answers long before so many others ask
LIFETIME = 30.0  # seconds that a query waits for its answer; stub resolvers give up well before
_MAX_RETRANSMISSIONS = 8
_SLACK = 16  # queries that were answered, and still stand in line


Asked: TypeAlias = tuple[str, int, str, int, int, Question]
"""Client, its port, resolver, protocol, identifier, question."""


def answer_to(event: DnsAnswered) -> Asked | None:
    """What this reply answers; None if that is not one question."""
    reply = event.reply
    if len(reply.questions) != 1:
        return None
    return event.client, event.client_port, event.resolver, event.protocol, reply.ident, reply.questions[0]


class _Pending:
    """When a device asked last, and how many answers may still come (each retransmission may bring one);
    with none, it waits no more."""

    __slots__ = ("answers", "asked", "running")

    def __init__(self, asked: Asked, running: float):
        self.asked, self.running, self.answers = asked, running, 1


class _Line:
    """The queries of one device, the oldest first, among them some that wait no more; and how many do."""

    __slots__ = ("queries", "waiting")

    def __init__(self) -> None:
        self.queries: deque[_Pending] = deque()
        self.waiting = 0

    def join(self, query: _Pending) -> None:
        self.queries.append(query)
        self.waiting += 1
        if len(self.queries) > 2 * self.waiting + _SLACK:
            self.queries = deque([each for each in self.queries if each.answers])

    def oldest(self) -> _Pending:
        """The one that waits for longest; there is one."""
        while not self.queries[0].answers:
            self.queries.popleft()
        return self.queries[0]


class OutstandingQueries:
    """See the module."""

    def __init__(self) -> None:
        self._pending: dict[Asked, dict[str, _Pending]] = {}  # by MAC; the query that was first asked first
        self._of: dict[str, _Line] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def remember(self, event: DnsAsked, running: float) -> None:
        """`event` asks something, at `running` seconds."""
        mac, client, port, resolver, protocol, query, _ = event
        if query is None:
            return
        asked = client, port, resolver, protocol, *query
        waiting = self._pending.get(asked)
        pending = None if waiting is None else waiting.get(mac)
        if pending is not None:
            pending.answers = min(pending.answers + 1, _MAX_RETRANSMISSIONS)
            pending.running = running
            return
        line = self._of.get(mac)
        if line is not None and line.waiting >= MAX_QUERIES:
            self._drop(line.oldest().asked, mac)
            line = self._of.get(mac)
        if self._size >= MAX_IN_ALL:
            oldest, of_whom = next(iter(self._pending.items()))
            self._drop(oldest, next(iter(of_whom)))
            line = self._of.get(mac)
        pending = _Pending(asked, running)
        self._pending.setdefault(asked, {})[mac] = pending
        if line is None:
            line = self._of[mac] = _Line()
        line.join(pending)
        self._size += 1

    def askers(self, asked: Asked, running: float) -> Sequence[str]:
        """The MACs that wait for a reply to just this; if there are none, the reply names nothing."""
        waiting = self._pending.get(asked)
        if waiting is None:
            return ()
        if len(waiting) == 1:  # as nearly always
            ((mac, pending),) = waiting.items()
            if pending.answers == 1 and running - pending.running <= LIFETIME:
                del self._pending[asked]
                self._ended(pending, mac)
                return (mac,)
        found = []
        for mac, pending in list(waiting.items()):
            late = running - pending.running > LIFETIME
            if not late:
                found.append(mac)
            if late or pending.answers == 1:
                self._drop(asked, mac)
            else:
                pending.answers -= 1
        return found

    def expire(self, running: float) -> None:
        """Drop what waited too long."""
        late = [
            (asked, mac)
            for asked, waiting in self._pending.items()
            for mac, pending in waiting.items()
            if running - pending.running > LIFETIME
        ]
        for asked, mac in late:
            self._drop(asked, mac)

    def drop_device(self, mac: str) -> None:
        """Drop all queries of `mac`."""
        line = self._of.get(mac)
        for query in list(line.queries) if line else ():
            if query.answers:
                self._drop(query.asked, mac)

    def _drop(self, asked: Asked, mac: str) -> None:
        waiting = self._pending[asked]
        pending = waiting.pop(mac)
        if not waiting:
            del self._pending[asked]
        self._ended(pending, mac)

    def _ended(self, pending: _Pending, mac: str) -> None:
        """This query of `mac` waits no more."""
        pending.answers = 0
        line = self._of[mac]
        line.waiting -= 1
        if not line.waiting:
            del self._of[mac]
        self._size -= 1
