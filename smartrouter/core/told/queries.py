# SPDX-License-Identifier: GPL-2.0-or-later
"""DNS queries that wait for their answer: which reply may be believed, and for which device.

A reply carries no MAC of the asker. It counts only if client, client's port, resolver, protocol, id and
question are those of an outstanding query; it counts for every device that sent just this query, so one that
asks in another's name takes nothing from it. Bounded per device: a device that asks without end loses its
own oldest queries, nobody else's. Bounded in all, for who makes MACs up: then the oldest of anybody go.
"""

from collections import OrderedDict
from typing import TypeAlias

from smartrouter.core.events import DnsAnswered, DnsAsked, Question

MAX_QUERIES = 256  # outstanding queries of one device
MAX_IN_ALL = 16_384  # about 10 MB; a resolver answers long before so many others ask
LIFETIME = 30.0  # seconds that a query waits for its answer; stub resolvers give up well before
_MAX_RETRANSMISSIONS = 8


_Key: TypeAlias = tuple[str, int, str, int, int, Question]
"""Client, its port, resolver, protocol, identifier, question."""


class _Pending:
    """When a device asked last, and how many answers may still come (each retransmission may bring one)."""

    __slots__ = ("answers", "running")

    def __init__(self, running: float):
        self.running, self.answers = running, 1


class OutstandingQueries:
    """See the module."""

    def __init__(self) -> None:
        self._pending: dict[_Key, dict[str, _Pending]] = {}  # by MAC; the query that was first asked first
        self._of: dict[str, OrderedDict[_Key, None]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def remember(self, event: DnsAsked, running: float) -> None:
        """`event` asks something, at `running` seconds."""
        if event.query is None:
            return
        mac = event.mac
        key = (event.client, event.client_port, event.resolver, event.protocol, *event.query)
        waiting = self._pending.get(key)
        pending = None if waiting is None else waiting.get(mac)
        if pending is not None:
            pending.answers = min(pending.answers + 1, _MAX_RETRANSMISSIONS)
            pending.running = running
            self._of[mac].move_to_end(key)
            return
        if len(self._of.get(mac, ())) >= MAX_QUERIES:
            self._drop(next(iter(self._of[mac])), mac)
        if self._size >= MAX_IN_ALL:
            oldest, of_whom = next(iter(self._pending.items()))
            self._drop(oldest, next(iter(of_whom)))
        self._pending.setdefault(key, {})[mac] = _Pending(running)
        self._of.setdefault(mac, OrderedDict())[key] = None
        self._size += 1

    def askers(self, event: DnsAnswered, running: float) -> list[str]:
        """The MACs that wait for just this reply; if there are none, the reply names nothing."""
        reply = event.reply
        if len(reply.questions) != 1:
            return []
        key = (event.client, event.client_port, event.resolver, event.protocol, reply.ident, *reply.questions)
        waiting = self._pending.get(key)
        if waiting is None:
            return []
        if len(waiting) == 1:  # as nearly always
            ((mac, pending),) = waiting.items()
            if pending.answers == 1 and running - pending.running <= LIFETIME:
                self._drop(key, mac)
                return [mac]
        found = []
        for mac, pending in list(waiting.items()):
            late = running - pending.running > LIFETIME
            if not late:
                found.append(mac)
            pending.answers -= 1
            if late or pending.answers == 0:
                self._drop(key, mac)
        return found

    def expire(self, running: float) -> None:
        """Drop what waited too long."""
        late = [
            (key, mac)
            for key, waiting in self._pending.items()
            for mac, pending in waiting.items()
            if running - pending.running > LIFETIME
        ]
        for key, mac in late:
            self._drop(key, mac)

    def drop_device(self, mac: str) -> None:
        """Drop all queries of `mac`."""
        for key in list(self._of.get(mac, ())):
            self._drop(key, mac)

    def _drop(self, key: _Key, mac: str) -> None:
        waiting, mine = self._pending[key], self._of[mac]
        del waiting[mac], mine[key]
        if not waiting:
            del self._pending[key]
        if not mine:
            del self._of[mac]
        self._size -= 1
