# SPDX-License-Identifier: GPL-2.0-or-later
"""What an address is called, for one device: who was told which name, by whom, and what led to that name.

The rules: a name counts for the device that asked for it, if a trusted resolver answered just its question.
The questions of a trusted resolver on the local network count for every device, where a device has no name
of its own. The router may look a name up once more, which refreshes it for those devices that knew it.
The server name in a connection's first data is only a label.

Under `Match.CHAIN` a name is called by the head of the chain that led to it. While a device learns, every
answer makes aliases; later only answers to a question that is itself known, or whoever controls some name
could make it lead to anything.

Knows nothing of verdicts and alerts. State is bounded by what it is made of.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Set
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from smartrouter.core import notes
from smartrouter.core.destinations import Match, group_of
from smartrouter.core.effects import (
    AdmitReplies,
    Alert,
    DismissReplies,
    Effect,
    Evidence,
    Kind,
    LookUp,
    Name,
    NameAlias,
    Record,
)
from smartrouter.core.events import DnsAsked, FlowOpened, LookedUp, Moment
from smartrouter.core.policy import Attempted, Called, Decision, destination_of
from smartrouter.core.roster import STALE_AFTER, Device, Roster
from smartrouter.core.told.addresses import MAX_TTL, AddressBook, Lesson, News, may_stand
from smartrouter.core.told.queries import Asked, OutstandingQueries
from smartrouter.core.told.room import BETWEEN, MAX_PAIRS, MAX_TARGETS, make_room

MAX_CLIENTS = 16  # LAN addresses of one device whose DNS replies are queued
MAX_LOOKUPS = 1024  # names that the router was asked to look up, and their answers
MAX_REFRESHED = 64  # names of one device
_SHARED = ""  # stands for the MAC of whoever asks for all
_tuple = tuple.__new__  # makes a NamedTuple in half the time
_plain = lru_cache(maxsize=4096)(lambda name, match: Called(name, (), (group_of(name, match),)))


Answer: TypeAlias = tuple[Asked, Lesson]
"""What a reply answers, and what it teaches whoever asked that."""


class _Wanted(NamedTuple):
    """Since when a name is being looked up, and for whom."""

    since: float
    macs: set[str]


class Naming:
    """See the module."""

    def __init__(self, roster: Roster):
        self._roster = roster
        self._queries = OutstandingQueries()
        self._claims: Counter[str] = Counter()  # by how many devices an admitted address is claimed
        self._shared = AddressBook(grace=roster.settings.name_grace, stale_after=STALE_AFTER)
        self._shared_clients: OrderedDict[str, None] = OrderedDict()
        self._wanted: OrderedDict[str, _Wanted] = OrderedDict()  # names that are being looked up
        self._news = 0  # since it was last looked whether all books together hold too much
        self._found: OrderedDict[str, tuple[frozenset[str], float]] = OrderedDict()  # name -> …, good until

    # -- what is known -------------------------------------------------------------------------------

    def called(self, device: Device, address: str, running: float) -> tuple[Called, ...]:
        """All that `address` is called for `device`, the newest name first."""
        names = device.book.names(address, running)
        if not names:
            if not self._roster.settings.shared_resolvers:
                return ()
            names = self._shared.names(address, running)
        match, aliases = self._roster.settings.match, device.aliases
        if match is not Match.CHAIN or not aliases:
            return tuple([_plain(name, match) for name in names])
        return tuple([self._by_heads(name, aliases.heads(name, running), match) for name in names])

    def by_name(self, device: Device, name: str, running: float) -> Called:
        """What `name` is called for `device`."""
        match = self._roster.settings.match
        return self._by_heads(name, device.aliases.heads(name, running), match)

    def _by_heads(self, name: str, heads: tuple[str, ...], match: Match) -> Called:
        if not heads:
            return _plain(name, match)
        return Called(name, heads, tuple(dict.fromkeys(group_of(each, match) for each in (*heads, name))))

    def label(self, device: Device, address: str, running: float) -> tuple[str, Evidence]:
        """What to write beside `address`: the newest name, or '', and why it is believed."""
        names = device.book.names(address, running)
        if names:
            return names[0], device.book.evidence(address, running)
        if self._roster.settings.shared_resolvers:
            names = self._shared.names(address, running)
            if names:
                evidence = self._shared.evidence(address, running)
                return names[0], Evidence.SHARED if evidence is Evidence.DNS else evidence
        hello = device.hellos.get(address)
        return (hello, Evidence.HELLO) if hello else ("", Evidence.NONE)

    def record(
        self, device: Device, event: FlowOpened, service: str, decision: Decision, now: Moment
    ) -> Record:
        """The record of an attempt of `device`, with its label."""
        return notes.record(event, service, decision, self.label(device, event.destination, now.running), now)

    def alert(
        self,
        device: Device,
        event: FlowOpened,
        attempted: Attempted,
        decision: Decision,
        kind: Kind,
        now: Moment,
    ) -> Alert:
        """An alert about an attempt of `device`, with its label."""
        label = self.label(device, event.destination, now.running)
        return notes.about_flow(event, kind, decision, destination_of(attempted), label, now)

    def unchanged_until(self, device: Device, address: str, running: float) -> float:
        """Until when `called` and `label` stay as they are for `address`, as long as nobody tells anything
        (but for aliases, which come to an end some day)."""
        until = device.book.unchanged_until(address, running)
        if self._roster.settings.shared_resolvers:
            until = min(until, self._shared.unchanged_until(address, running))
        return until

    def leads_to(self, name: str, address: str, running: float) -> bool | None:
        """Did the router's own lookup of `name` give `address`? None: it has not been looked up lately."""
        addresses, until = self._found.get(name, (frozenset(), 0.0))
        return address in addresses if running < until else None

    # -- questions and answers -----------------------------------------------------------------------

    def asked(self, device: Device | None, event: DnsAsked, running: float) -> list[Effect]:
        """A question to a trusted resolver, of a device, or (None) of a resolver that asks for all."""
        self._queries.remember(event if device else event._replace(mac=_SHARED), running)
        return self._admitted(device.clients if device else self._shared_clients, event.client)

    def _admitted(self, clients: OrderedDict[str, None], client: str) -> list[Effect]:
        """An address is in the kernel's set while any device claims it: one that claims another's
        address must not be able to have it dismissed."""
        if client in clients:
            clients.move_to_end(client)
            return []
        effects: list[Effect] = []
        if len(clients) >= MAX_CLIENTS:
            effects += self._dismissed(clients.popitem(last=False)[0])
        clients[client] = None
        self._claims[client] += 1
        if self._claims[client] == 1:
            effects.append(AdmitReplies(client))
        return effects

    def _dismissed(self, client: str) -> list[Effect]:
        self._claims[client] -= 1
        if self._claims[client]:
            return []
        del self._claims[client]
        return [DismissReplies(client)]

    def answered(self, answers: Iterable[Answer], now: Moment) -> list[tuple[int, list[Effect]]]:
        """Replies; each names nothing unless it answers an outstanding question. Gives what comes of those of
        which anything comes, with their places among `answers`: those that say what is known are many."""
        found: list[tuple[int, list[Effect]]] = []
        running, devices, askers = now.running, self._roster.devices, self._queries.askers
        for place, (asked, (name, addresses, ttl, behind)) in enumerate(answers):
            for mac in askers(asked, running):
                if mac == _SHARED:
                    for address in addresses:
                        self._tell_all(address, name, ttl, running)
                    continue
                device = devices[mac]  # who is let go takes its queries along
                device.answered = running
                news = device.book.tell_each(addresses, name, ttl, running)
                effects = self._told(device, name, ttl, news, now) if news else []
                if behind and not device.aliases.is_fresh(name, behind, running):
                    effects += self._led(device, name, behind, now)
                if effects:
                    found.append((place, effects))
        if self._news >= BETWEEN:
            self._make_room()
        return found

    def _told(
        self, device: Device, name: str, ttl: int, news: Iterable[tuple[str, News]], now: Moment
    ) -> list[Effect]:
        """An answer was news to `device` in these ways."""
        effects: list[Effect] = []
        for address, (to_store, shows) in news:
            if shows:
                self._roster.doubt(device, address)
                self._news += 1
            if to_store:
                effects.append(_tuple(Name, (device.mac, address, name, ttl, now.wall)))
        return effects

    def _make_room(self) -> None:
        self._news = 0
        devices = self._roster.devices.values()
        make_room([device.book for device in devices], MAX_PAIRS)
        make_room([device.aliases for device in devices], MAX_TARGETS)

    def _led(self, device: Device, head: str, behind: Set[str], now: Moment) -> list[Effect]:
        """A trusted reply to `device` says that `head` is an alias of the names `behind` it."""
        running = now.running
        if not self._may_lead(device, head, running):
            return []
        if not device.aliases.led_by(head, behind):
            self._roster.doubt(device)
        told = device.aliases.tell(head, sorted(behind), running)
        self._news += len(told)
        return [NameAlias(device.mac, target, head, now.wall) for target in told]

    def _tell_all(self, address: str, name: str, ttl: int, running: float) -> None:
        """Who asks for all was told that `name` has `address`."""
        if self._shared.tell(address, name, ttl, running).shows:
            for device in self._roster.devices.values():
                self._roster.doubt(device, address)

    def _may_lead(self, device: Device, head: str, running: float) -> bool:
        """May an answer to the question for `head` make aliases?"""
        if self._roster.settings.match is not Match.CHAIN:
            return False
        return device.standing.learning or self._is_known(device, head, running)

    def _is_known(self, device: Device, name: str, running: float) -> bool:
        """Has `device` learned `name`, whatever the service?"""
        groups = self.by_name(device, name, running).groups
        return any(device.learning.knows(each) for each in (*groups, name))

    # -- the router's own lookups ----------------------------------------------------------------------

    def look_up(self, mac: str, name: str, running: float) -> list[Effect]:
        """Have `name` looked up for the device `mac`; again, if there was no answer for long."""
        wanted = self._wanted.get(name)
        if wanted is not None and running - wanted.since < _LOOKUP_TAKES:
            wanted.macs.add(mac)
            return []
        macs = {mac} if wanted is None else wanted.macs | {mac}
        self._wanted[name] = _Wanted(running, macs)
        if len(self._wanted) > MAX_LOOKUPS:
            self._wanted.popitem(last=False)
        return [LookUp(name)]

    def refresh(self, device: Device, running: float) -> list[Effect]:
        """Have all names that `device` knows looked up: after an outage nobody knows where they lead now."""
        known = [name for name in sorted(device.book.all_names()) if self._is_known(device, name, running)]
        return [
            effect for name in known[:MAX_REFRESHED] for effect in self.look_up(device.mac, name, running)
        ]

    def looked_up(self, event: LookedUp, now: Moment) -> list[Effect]:
        """The router's answer. It names the addresses for those devices for which it was wanted."""
        effects: list[Effect] = []
        ttl = min(max(event.ttl, _LEAST_TTL), MAX_TTL)
        self._found[event.name] = frozenset(event.addresses), now.running + ttl
        self._found.move_to_end(event.name)
        if len(self._found) > MAX_LOOKUPS:
            self._found.popitem(last=False)
        wanted = self._wanted.pop(event.name, None)
        for mac in sorted(wanted.macs) if wanted else ():
            device = self._roster.devices.get(mac)
            if device is None or not self._is_known(device, event.name, now.running):
                continue
            for address in event.addresses:
                if not may_stand(event.name, address):
                    continue
                news = device.book.tell(address, event.name, event.ttl, now.running, Evidence.REFRESHED)
                if news.shows:
                    self._roster.doubt(device, address)
                if news.to_store:
                    effects.append(Name(mac, address, event.name, event.ttl, now.wall))
        return effects

    # -- upkeep ------------------------------------------------------------------------------------------

    def expire(self, running: float) -> None:
        """Drop what waited too long."""
        self._queries.expire(running)

    def configure(self) -> None:
        """The settings have changed."""
        self._shared.grace = self._roster.settings.name_grace

    def let_go(self, device: Device) -> list[Effect]:
        """`device` is watched no more: its replies are not held any more either."""
        self._queries.drop_device(device.mac)
        effects = [effect for client in device.clients for effect in self._dismissed(client)]
        device.clients.clear()
        return effects


_LOOKUP_TAKES = 30.0  # seconds at most; whoever was to answer has gone if it takes longer
_LEAST_TTL = 30  # seconds that an answer is good for who waits for it, however short its TTL
