# SPDX-License-Identifier: GPL-2.0-or-later
"""The packets behind alerts: remembered for a while in case an alert comes of them, and handed to the store
with the alert that does.

The judge says that something is an alert, not by which packet: an alert may come later than its packet (it
was held, or is part of a scan by now), and what named the address came before it. So two shelves are kept.
On one stands each reply that taught a device something new; on the other the first packet of what a device
was not known to need. What a device is known to do, and replies that say nothing new, cost nothing here.

A packet is never copied unless it must be cut: what is kept is the very object that was judged. Both shelves
are bounded, in all and for each device, by number and by bytes. Knows no judge, and no database.
"""

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

from smartrouter.core.effects import Alert, Effect, Name, NameAlias, Raise, Record
from smartrouter.core.events import FlowOpened, HelloHeard
from smartrouter.core.policy import Reason
from smartrouter.store.exhibits import MAX_PACKET, AlertKey, Attach, Exhibit, Role

MAX_KEPT, MAX_OF_DEVICE = 256, 64  # first packets: a scan has shown itself within 40 targets
MAX_TOLD, MAX_TOLD_DEVICE = 128, 32  # replies: who is told a name goes there soon
MAX_BYTES = 64 << 10  # of packets on each shelf
FRESH = 60.0  # seconds within which the same is not shown once more with the same alert
UNREMARKABLE = frozenset(
    (
        Reason.LEARNED, Reason.KIN, Reason.TIME, Reason.ALLOWED_BY_RULE, Reason.DENIED_BY_RULE,
        Reason.NOT_WATCHED, Reason.DNS_QUERY,
    )
)  # fmt: skip
"""Why what passed, or not, is of no interest later."""

_Place = tuple[str, int, int]  # address, protocol, port; two zeros: what is asked there
T = TypeVar("T")


class Seen(NamedTuple):
    """A packet, from the IP header on, and when it came (epoch seconds)."""

    at: float
    packet: bytes


class Shelf(Generic[T]):
    """Things of devices, by device and key; bounded. What a device has put there first goes first; and of
    devices that of the one that was quiet for longest."""

    def __init__(self, room: int, room_each: int, most_bytes: int = MAX_BYTES):
        self._room, self._room_each, self._most_bytes = room, room_each, most_bytes
        self._of: OrderedDict[str, OrderedDict[object, tuple[T, int]]] = OrderedDict()
        self.number = self.bytes = 0

    def get(self, mac: str, key: object) -> T | None:
        """What stands there."""
        mine = self._of.get(mac)
        found = None if mine is None else mine.get(key)
        return None if found is None else found[0]

    def each(self, mac: str) -> Iterator[T]:
        """All that stands there of this device, what was put there last first."""
        return (what for what, _ in reversed(self._of.get(mac, {}).values()))

    def put(self, mac: str, key: object, what: T, size: int) -> None:
        """Put `what` of `size` bytes there, instead of what stood there."""
        mine = self._of.setdefault(mac, OrderedDict())
        self._of.move_to_end(mac)
        if key in mine:
            self._drop(mac, key)
            mine = self._of.setdefault(mac, OrderedDict())
        elif len(mine) >= self._room_each:
            self._drop(mac, next(iter(mine)))
        mine[key] = what, size
        self.number += 1
        self.bytes += size
        while self.number > self._room or self.bytes > self._most_bytes:
            quiet, its = next(iter(self._of.items()))
            self._drop(quiet, next(iter(its)))

    def _drop(self, mac: str, key: object) -> None:
        mine = self._of[mac]
        _, size = mine.pop(key)
        self.number -= 1
        self.bytes -= size
        if not mine:
            del self._of[mac]


class _Reply(NamedTuple):
    """A DNS reply, in the packets that it came in, and what it taught."""

    packets: tuple[Seen, ...]
    effects: Sequence[Effect]

    def named(self, mac: str, address: str, name: str) -> bool:
        """Did it teach this device that `name` has `address`?"""
        wanted = mac, address, name
        return any(type(each) is Name and each[:3] == wanted for each in self.effects)

    def led_to(self, mac: str, name: str) -> bool:
        """Did it teach this device that `name` is what another one leads to?"""
        wanted = mac, name
        return any(type(each) is NameAlias and each[:2] == wanted for each in self.effects)


class _Begun:
    """What a device began at a place, last: the packet, the source port that tells its connection from
    others, and the first data of that. `shown`: with which alert a packet of this sort was kept lately,
    which connection's that was, and whether its first data was. `size`: its bytes on the shelf."""

    __slots__ = (
        "first", "hello", "port", "role", "shown", "shown_at", "shown_hello", "shown_port", "size",
    )  # fmt: skip

    def __init__(self) -> None:
        self.role = Role.FIRST
        self.first = Seen(0.0, b"")
        self.port = self.shown_port = self.size = -1
        self.hello: tuple[Seen, ...] = ()
        self.shown: AlertKey | None = None
        self.shown_at = 0.0
        self.shown_hello = False


class Exhibits:
    """See the module. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._numbers = count()
        self._told: Shelf[_Reply] = Shelf(MAX_TOLD, MAX_TOLD_DEVICE)
        self._begun: Shelf[_Begun] = Shelf(MAX_KEPT, MAX_OF_DEVICE)

    # -- what is heard ---------------------------------------------------------------------------------

    def answered(self, effects: Iterable[Effect], packets: Sequence[bytes]) -> None:
        """A DNS reply that came in these packets taught what `effects` say."""
        if any(len(packet) > MAX_PACKET for packet in packets):
            return  # cut it would say nothing
        taught = [effect for effect in effects if type(effect) is Name or type(effect) is NameAlias]
        at = time.time()
        reply = _Reply(tuple([Seen(at, packet) for packet in packets]), taught)
        size = sum(map(len, packets))
        with self._lock:
            for mac in {effect.mac for effect in taught}:
                self._told.put(mac, next(self._numbers), reply, size)

    def opened(self, event: FlowOpened, packet: bytes) -> None:
        """`packet` began something that is not known."""
        place = event.destination, event.protocol, event.destination_port
        self._begin(event.mac, place, event.source_port, packet, Role.FIRST)

    def asked(self, effects: Iterable[Effect], mac: str, source_port: int, packet: bytes) -> None:
        """Of a packet to port 53 came more than its verdict."""
        for effect in effects:
            if type(effect) is Record:
                attempt = effect.attempt
                place = attempt.address, attempt.protocol, attempt.port
            elif type(effect) is Raise and not effect.alert.protocol and effect.alert.mac == mac:
                place = effect.alert.address, 0, 0
            else:
                continue
            self._begin(mac, place, source_port, packet, Role.QUERY)

    def heard(self, event: HelloHeard, packets: Sequence[Seen]) -> list[Attach]:
        """The first data of a connection has come, in these packets: gives them to keep, if what began the
        connection is kept already."""
        place = event.address, event.protocol, event.port
        with self._lock:
            begun = self._begun.get(event.mac, place)
            if begun is None:
                return []
            # Of QUIC the first data may be the first packet; what is too long says nothing when it is cut.
            hello = tuple(
                [
                    seen
                    for seen in packets
                    if seen.packet != begun.first.packet and len(seen.packet) <= MAX_PACKET
                ]
            )
            if begun.port == event.client_port:
                begun.hello = hello
                self._put(event.mac, place, begun)
            if begun.shown is None or begun.shown_hello or not hello:
                return []
            if begun.shown_port == event.client_port:
                first: tuple[Seen, ...] = ()
            elif begun.port == event.client_port:
                first = (begun.first,)  # of a later connection of that sort; a hello alone would say little
            else:
                return []
            begun.shown_hello, begun.shown_port = True, event.client_port
            exhibits = _exhibits(begun.role, first, outward=True)
            return [Attach(begun.shown, (*exhibits, *_exhibits(Role.HELLO, hello, outward=True)))]

    def _begin(self, mac: str, place: _Place, port: int, packet: bytes, role: Role) -> None:
        seen = Seen(time.time(), packet if len(packet) <= MAX_PACKET else packet[:MAX_PACKET])
        with self._lock:
            begun = self._begun.get(mac, place) or _Begun()
            begun.first, begun.port, begun.role, begun.hello = seen, port, role, ()
            self._put(mac, place, begun)

    def _put(self, mac: str, place: _Place, begun: _Begun) -> None:
        size = len(begun.first.packet) + sum([len(seen.packet) for seen in begun.hello])
        if size != begun.size:
            begun.size = size
            self._begun.put(mac, place, begun, size)

    # -- what comes of it ------------------------------------------------------------------------------

    def behind(self, effects: Iterable[object]) -> list[Attach]:
        """What is to be kept with the alerts among `effects`, as far as it is still here."""
        # Of what is tried over and over there are many at once: only the time differs.
        alerts = {each.alert[1:]: each.alert for each in effects if type(each) is Raise}
        return [attach for alert in alerts.values() if (attach := self._behind(alert)) is not None]

    def _behind(self, alert: Alert) -> Attach | None:
        begun = self._begun.get(alert.mac, (alert.address, alert.protocol, alert.port))
        if begun is None:
            return None
        key, first = alert.key, begun.first
        if begun.shown == key and 0 <= first.at - begun.shown_at < FRESH:
            return None
        with self._lock:
            begun.shown, begun.shown_at, begun.shown_port = key, first.at, begun.port
            replies = list(self._told.each(alert.mac)) if alert.name else []
            hello = begun.hello
            begun.shown_hello = bool(hello)
        told = next((each for each in replies if each.named(alert.mac, alert.address, alert.name)), None)
        led = next((each for each in replies if each.led_to(alert.mac, alert.name)), None) if told else None
        if led is told:
            led = None  # as nearly always: one reply says it all
        return Attach(
            key,
            (
                *_exhibits(Role.ALIAS, led.packets if led else (), outward=False),
                *_exhibits(Role.REPLY, told.packets if told else (), outward=False),
                *_exhibits(begun.role, (first,), outward=True),
                *_exhibits(Role.HELLO, hello, outward=True),
            ),
        )


def _exhibits(role: Role, packets: Iterable[Seen], *, outward: bool) -> tuple[Exhibit, ...]:
    return tuple([Exhibit(role, seen.at, outward, seen.packet) for seen in packets])
