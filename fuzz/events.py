# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes as a life of a small house: what happens next is the next few bytes' choice, so that a mutation of
them is a mutation of that life.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from smartrouter.core.events import (
    AddressClaimed,
    Alias,
    DestinationForgotten,
    DeviceSeen,
    DnsAnswered,
    DnsAsked,
    Event,
    FlowOpened,
    HelloHeard,
    LearningFinished,
    LearningRestarted,
    LookedUp,
    OutageEnded,
    PacketUnreadable,
    Paused,
    Query,
    Question,
    Reply,
    Scope,
    Tick,
    Told,
)

T = TypeVar("T")

MACS = [f"02:00:00:00:00:{number:02x}" for number in range(1, 5)]
_NAMES = ["a.one.example", "b.one.example", "two.example", "e1.g.akamaiedge.net", "e2.g.akamaiedge.net"]
_ADDRESSES = ["203.0.113.1", "203.0.113.2", "2001:db8::1", "192.168.1.9"]
_PROTOCOLS, _PORTS, _SCOPES = [6, 17, 1, 47], [80, 443, 23, 123, 853], list(Scope)
_LOCAL, _ROUTER = "192.168.1.2", "192.168.1.1"


class _Choices:
    """Bytes as choices; 0 beyond the end."""

    def __init__(self, data: bytes):
        self._data = data
        self._at = 0

    @property
    def left(self) -> bool:
        return self._at < len(self._data)

    def number(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def of(self, things: Sequence[T]) -> T:
        return things[self.number() % len(things)]


def events_of(data: bytes) -> Iterator[tuple[Event, bool]]:
    """What happens, and is it a packet that waits for its verdict?"""
    take = _Choices(data)
    while take.left:
        yield _event(take)


def _event(take: _Choices) -> tuple[Event, bool]:
    kind = take.number() % 14
    mac, name, address = take.of(MACS), take.of(_NAMES), take.of(_ADDRESSES)
    question = Question(name, 1, 1)
    match kind:
        case 0 | 1 | 2:
            oddity = take.number()
            return FlowOpened(
                mac, _LOCAL, address, take.of(_PROTOCOLS), oddity % 5, take.of(_PORTS), oddity,
                take.of(_SCOPES), oddity > 250, oddity < 128, oddity % 16 == 1,
            ), True  # fmt: skip
        case 3 | 4:
            query = Query(take.number() % 2, question)
            return DnsAsked(mac, _LOCAL, 4000, _ROUTER, 17, query, take.of(_SCOPES)), True
        case 5 | 6:
            aliases = (Alias(name, take.of(_NAMES), 60),) if take.number() % 2 else ()
            told = (Told(take.of(_NAMES), address, take.number()),)
            reply = Reply(take.number() % 2, 0, 0, False, (question,), aliases, told)
            return DnsAnswered(_LOCAL, 4000, _ROUTER, 17, reply), True
        case 7:
            port, said = take.of(_PORTS), name if take.number() % 4 else ""
            return HelloHeard(mac, _LOCAL, take.number() % 5, address, port, 6, said, False), True
        case 8:
            return PacketUnreadable(mac, take.of(_SCOPES)), True
        case 9:
            learning = LearningFinished(mac) if take.number() % 4 else LearningRestarted(mac)
            return learning, False
        case 10:
            return DestinationForgotten(mac, take.of(["*", name]), ""), False
        case 11:
            return DeviceSeen(mac, take.of([True, False, None]), bool(take.number() % 2), "", "Maker"), False
        case 12:
            claim = AddressClaimed(mac, address) if take.number() % 2 else LookedUp(name, (address,), 60)
            return claim, False
        case _:
            moments: list[Event] = [Tick(), Paused(5.0), OutageEnded()]
            return take.of(moments), False
