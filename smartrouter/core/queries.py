# SPDX-License-Identifier: GPL-2.0-or-later
"""DNS queries that wait for their answer: which reply may be believed, and for which device.

A reply carries no MAC of the asker. It counts only if client, client's port, resolver, protocol and id are
those of an outstanding query, and its question is the query's. Bounded per device: a device that asks
without end loses its own oldest queries, nobody else's.
"""

from collections import OrderedDict
from typing import NamedTuple

from smartrouter.core.events import DnsAnswered, DnsAsked, Question

MAX_QUERIES = 256  # outstanding queries of one device
LIFETIME = 30.0  # seconds that a query waits for its answer; stub resolvers give up well before
_MAX_RETRANSMISSIONS = 8


class _Key(NamedTuple):
    client: str
    client_port: int
    resolver: str
    protocol: int
    ident: int


class _Pending:
    """Who asked what, when last, and how many answers may still come (each retransmission may bring one)."""

    __slots__ = ("answers", "mac", "question", "running")

    def __init__(self, mac: str, question: Question, running: float):
        self.mac, self.question, self.running, self.answers = mac, question, running, 1


class OutstandingQueries:
    """See the module."""

    def __init__(self) -> None:
        self._pending: dict[_Key, _Pending] = {}
        self._of: dict[str, OrderedDict[_Key, None]] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def remember(self, event: DnsAsked, running: float) -> None:
        """`event` asks something, at `running` seconds."""
        if event.query is None:
            return
        ident, question = event.query
        key = _Key(event.client, event.client_port, event.resolver, event.protocol, ident)
        pending = self._pending.get(key)
        if pending is not None and pending.mac == event.mac and pending.question == question:
            pending.answers = min(pending.answers + 1, _MAX_RETRANSMISSIONS)
            pending.running = running
            self._of[event.mac].move_to_end(key)
            return
        self._drop(key)
        mine = self._of.setdefault(event.mac, OrderedDict())
        if len(mine) >= MAX_QUERIES:
            self._drop(next(iter(mine)))
            mine = self._of.setdefault(event.mac, OrderedDict())
        self._pending[key] = _Pending(event.mac, question, running)
        mine[key] = None

    def asker(self, event: DnsAnswered, running: float) -> str | None:
        """The MAC that waits for just this reply, or None: then the reply names nothing."""
        key = _Key(event.client, event.client_port, event.resolver, event.protocol, event.reply.ident)
        pending = self._pending.get(key)
        if pending is None or event.reply.questions != (pending.question,):
            return None
        if running - pending.running > LIFETIME:
            self._drop(key)
            return None
        pending.answers -= 1
        if pending.answers == 0:
            self._drop(key)
        return pending.mac

    def expire(self, running: float) -> None:
        """Drop what waited too long."""
        for key in [key for key, p in self._pending.items() if running - p.running > LIFETIME]:
            self._drop(key)

    def drop_device(self, mac: str) -> None:
        """Drop all queries of `mac`."""
        for key in list(self._of.get(mac, ())):
            self._drop(key)

    def _drop(self, key: _Key) -> None:
        pending = self._pending.pop(key, None)
        if pending is None:
            return
        mine = self._of[pending.mac]
        del mine[key]
        if not mine:
            del self._of[pending.mac]
