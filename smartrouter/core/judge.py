# SPDX-License-Identifier: GPL-2.0-or-later
"""The state machine that ties naming, learning and policy together: an event in, effects out.

Theory of operation. The judge owns everything that a verdict needs, in memory, so that a verdict never
waits. It is told what happened (`core.events`) with the time as an argument, and yields what to do
(`core.effects`); it never does anything itself, and the same events at the same moments always yield the
same effects, live or replayed.

* A flow is judged by the names that *this device* was told for its address by a resolver that is trusted.
* A DNS reply is handled completely, its names stored, before `handle` returns; whoever holds the packet
  releases it only then. So no connection can be judged before the reply that named its address.
* A query admits the asker's address to the set of those whose replies are seen, before it goes on.

It knows nothing of packets, threads, files or the kernel. One caller at a time: the guard holds a lock.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from math import inf
from typing import assert_never

from smartrouter.core.addresses import taught
from smartrouter.core.destinations import Destination, group_of, service_of
from smartrouter.core.effects import (
    AdmitReplies,
    Alert,
    Attempt,
    DismissReplies,
    Effect,
    Forget,
    Keep,
    Kind,
    Learn,
    Name,
    Raise,
    Record,
    Relax,
    Severity,
    Unwatch,
    Verdict,
)
from smartrouter.core.events import (
    DestinationForgotten,
    DeviceSeen,
    DnsAnswered,
    DnsAsked,
    Event,
    FlowOpened,
    LearningFinished,
    LearningRestarted,
    Moment,
    OutageEnded,
    PacketUnreadable,
    Paused,
    Scope,
    SettingsChanged,
    Tick,
)
from smartrouter.core.flows import Flows
from smartrouter.core.learning import Learning, Progress, Seen
from smartrouter.core.policy import Action, Attempted, Decision, Reason, Settings, decide, ruling
from smartrouter.core.queries import OutstandingQueries
from smartrouter.core.roster import Device, Roster, regrouped

MAX_CLIENTS = 16  # LAN addresses of one device whose DNS replies are queued
AFTER_OUTAGE = 900.0  # seconds during which an unnamed attempt passes after the guard was away
KEEP_EVERY = 60.0  # seconds between two records of a device's progress
_DNS_PORT = 53

_VERDICTS = {(accept, reason): Verdict(accept, reason) for accept in (True, False) for reason in Reason}


class Judge:
    """See the module.

    `learning_until`: per MAC, the running time at which learning ends, instead of the settings' plan
    (replay). `fresh_forever`: names never go stale (replay).
    """

    def __init__(
        self,
        settings: Settings,
        *,
        learning_until: Mapping[str, float] | None = None,
        fresh_forever: bool = False,
    ):
        self.roster = Roster(settings, fresh_forever=fresh_forever)
        self.counts: Counter[Reason] = Counter()  # packets judged, by reason
        self._learning_until = learning_until
        self._flows = Flows()
        self._queries = OutstandingQueries()
        self._claims: Counter[str] = Counter()  # by how many devices an admitted address is claimed
        self._paused_until = -inf
        self._after_outage_until = -inf
        self._last_tick: float | None = None
        self._last_kept = -inf

    def handle(self, event: Event, now: Moment) -> list[Effect]:
        """What to do about `event`.

        For a packet there is exactly one `Verdict` in the list; only `AdmitReplies` and `DismissReplies`
        stand before it, and must have taken effect before it is given.
        """
        effects = self._handle(event, now)
        if self.roster.changes or self.roster.evicted:
            effects += self._turnover()
        return effects

    def _handle(self, event: Event, now: Moment) -> list[Effect]:
        match event:
            case FlowOpened():
                return self._flow(event, now)
            case DnsAsked():
                return self._asked(event, now)
            case DnsAnswered():
                return self._answered(event, now)
            case PacketUnreadable():
                return [self._verdict(self._decide_unreadable(event))]
            case Tick():
                return self._tick(now)
            case DeviceSeen():
                device = self.roster.device(event.mac)
                device.iot, device.on_iot_network = event.iot, event.on_iot_network
                return self._without_replies(self.roster.refresh(device))
            case SettingsChanged():
                return self._without_replies(self.roster.configure(event.settings))
            case LearningRestarted():
                device = self.roster.device(event.mac)
                device.learning.restart()
                return [*self.roster.refresh(device), *self._keep(device)]
            case LearningFinished():
                device = self.roster.device(event.mac)
                device.learning.finish(settled=True)
                return [*self.roster.refresh(device), *self._keep(device)]
            case DestinationForgotten():
                return self._forgotten(event)
            case Paused():
                self._paused_until = now.running + event.seconds
                return self._suspended(now)
            case OutageEnded():
                self._after_outage_until = now.running + AFTER_OUTAGE
                return self._suspended(now)
            case _:
                assert_never(event)

    def restore(
        self,
        mac: str,
        progress: Progress,
        learned: Mapping[Destination, Seen],
        names: Iterable[tuple[str, str, int, float]],
        now: Moment,
    ) -> None:
        """Take a device up where an earlier guard left it.

        `names`: (address, name, ttl, told_at), oldest first; told_at in epoch seconds. A time in the
        future (the clock was set back) counts as now.
        """
        device = self.roster.device(mac)
        device.learning = Learning(progress, regrouped(learned, self.roster.settings.match))
        device.kept = progress
        for address, name, ttl, told_at in names:
            age = max(0.0, now.wall - told_at)
            device.book.tell(address, name, ttl, now.running - age)
        self.roster.refresh(device)

    def paused_for(self, now: Moment) -> float:
        """Seconds that a pause still lasts; 0 if there is none."""
        return max(0.0, self._paused_until - now.running)

    # -- flows -----------------------------------------------------------------------------------

    def _flow(self, event: FlowOpened, now: Moment) -> list[Effect]:
        device = self.roster.devices.get(event.mac) or self.roster.queued(event.mac)
        if not device.watched:
            return [self._verdict(_NOT_WATCHED)]
        service = service_of(event.protocol, event.destination_port)
        names = device.book.names(event.destination, now.running)
        attempted = Attempted(event.destination, service, names)
        is_new = self._is_new(event, now)
        if event.scope is not Scope.OUTSIDE:
            return self._inside(device, event, attempted, is_new, now)
        learning = device.learning
        if is_new and device.standing.learning:
            learning.counted()
        ended = self._check_learning(device, now)
        settings = self.roster.settings
        decision = decide(
            device.standing, device.rules, learning.learned, attempted, settings.match, now.wall
        )
        effects: list[Effect] = [self._verdict(decision)]
        if ended:
            effects += self._keep(device)
        if not is_new:
            return effects
        effects.append(self._record(device, event, attempted, decision, now))
        if device.standing.learning:
            if decision.reason in (Reason.LEARNING, Reason.LEARNED):
                destination = self._destination(attempted)
                seen = learning.used(destination)
                if seen is not None:
                    effects.append(Learn(event.mac, destination, seen, now.wall))
        elif decision.alert:
            effects.append(self._raise(device, event, attempted, decision, Kind.NEW_DESTINATION, now))
        return effects

    def _inside(
        self, device: Device, event: FlowOpened, attempted: Attempted, is_new: bool, now: Moment
    ) -> list[Effect]:
        """A flow that stays inside: to the LAN, or to the router itself. Never blocked."""
        decision = _LAN if event.scope is Scope.LAN else _TO_ROUTER
        effects: list[Effect] = [self._verdict(decision)]
        if is_new:
            effects.append(self._record(device, event, attempted, decision, now))
            if decision.alert:
                effects.append(self._raise(device, event, attempted, decision, Kind.ROUTER_SERVICE, now))
        return effects

    def _decide_unreadable(self, event: PacketUnreadable) -> Decision:
        """Nobody can say where it goes: it passes only where unknown destinations pass."""
        device = self.roster.devices.get(event.mac) or self.roster.queued(event.mac)
        standing = device.standing
        strict = standing.isolated or (standing.enforcing and not standing.learning)
        blocked = device.watched and strict and not standing.paused and event.scope is Scope.OUTSIDE
        return Decision(not blocked, Reason.BAD_PACKET)

    # -- DNS ---------------------------------------------------------------------------------------

    def _asked(self, event: DnsAsked, now: Moment) -> list[Effect]:
        device = self.roster.devices.get(event.mac) or self.roster.queued(event.mac)
        if not device.watched:
            return [self._verdict(_NOT_WATCHED)]
        service = service_of(event.protocol, _DNS_PORT)
        names = device.book.names(event.resolver, now.running)
        attempted = Attempted(event.resolver, service, names)
        decision = self._decide_query(device, event, attempted, now)
        if decision is _DNS_QUERY:
            self._queries.remember(event, now.running)
            return [*self._admitted(device, event.client), self._verdict(decision)]
        effects: list[Effect] = [self._verdict(decision)]
        flow = FlowOpened(
            event.mac, event.client, event.resolver, event.protocol, event.client_port, _DNS_PORT, 0,
            event.scope,
        )  # fmt: skip
        if self._is_new(flow, now):
            effects.append(self._record(device, flow, attempted, decision, now))
            if decision.alert:
                effects.append(self._raise(device, flow, attempted, decision, Kind.FOREIGN_RESOLVER, now))
        return effects

    def _decide_query(self, device: Device, event: DnsAsked, attempted: Attempted, now: Moment) -> Decision:
        """Only a resolver that somebody vouches for may name things; `_DNS_QUERY` says that it may."""
        settings = self.roster.settings
        trusted = settings.resolvers is None or event.resolver in settings.resolvers
        if event.scope is Scope.ROUTER:
            return _DNS_QUERY
        if event.scope is Scope.LAN:
            return _DNS_QUERY if trusted else _LAN
        action = ruling(device.rules, attempted, settings.match, now.wall) if device.rules else None
        if action is Action.DENY:
            return Decision(False, Reason.DENIED_BY_RULE)
        if trusted:
            return _DNS_QUERY
        if action is Action.ALLOW:
            return Decision(True, Reason.ALLOWED_BY_RULE)
        standing = device.standing
        strict = standing.isolated or (standing.enforcing and not standing.learning)
        blocked = settings.block_foreign_dns and strict and not standing.paused
        return Decision(not blocked, Reason.FOREIGN_RESOLVER, alert=True)

    def _admitted(self, device: Device, client: str) -> list[Effect]:
        """An address is in the kernel's set while any device claims it: one that claims another's
        address must not be able to have it dismissed."""
        clients = device.clients
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

    def _answered(self, event: DnsAnswered, now: Moment) -> list[Effect]:
        effects: list[Effect] = [self._verdict(_DNS_REPLY)]
        askers = self._queries.askers(event, now.running)
        if not askers:
            return effects
        reply = event.reply
        ttl = min([told.ttl for told in reply.addresses] + [alias.ttl for alias in reply.aliases], default=0)
        lessons = taught(reply)
        for mac in askers:
            device = self.roster.devices[mac]  # who is let go takes its queries along
            for address, name in lessons.items():
                if device.book.tell(address, name, ttl, now.running):
                    effects.append(Name(mac, address, name, ttl, now.wall))
        return effects

    # -- time, and what the user says ----------------------------------------------------------------

    def _tick(self, now: Moment) -> list[Effect]:
        effects: list[Effect] = []
        passed = 0.0 if self._last_tick is None else max(0.0, now.running - self._last_tick)
        self._last_tick = now.running
        keep_all = now.running - self._last_kept >= KEEP_EVERY
        if keep_all:
            self._last_kept = now.running
        for device in self.roster.devices.values():
            device.learning.observed(passed)
            if self._check_learning(device, now) or keep_all:
                effects += self._keep(device)
        self._queries.expire(now.running)
        if self.roster.paused or self.roster.after_outage:
            effects += self._suspended(now)
        return effects

    def _turnover(self) -> list[Effect]:
        """Devices came to the roster, or went."""
        effects, self.roster.changes = self.roster.changes, []
        evicted, self.roster.evicted = self.roster.evicted, []
        for device in evicted:
            effects += self._let_go(device)
            if device.watched:
                effects.append(Unwatch(device.mac))
            if device.enforced:
                effects.append(Relax(device.mac))
        return effects

    def _without_replies(self, effects: list[Effect]) -> list[Effect]:
        """`effects`, and that replies to a device that is watched no more are not held any more either."""
        gone = [effect.mac for effect in effects if isinstance(effect, Unwatch)]
        return effects + [effect for mac in gone for effect in self._let_go(self.roster.devices[mac])]

    def _let_go(self, device: Device) -> list[Effect]:
        self._queries.drop_device(device.mac)
        effects = [effect for client in device.clients for effect in self._dismissed(client)]
        device.clients.clear()
        return effects

    def _suspended(self, now: Moment) -> list[Effect]:
        """Work out whether a pause, or the time after an outage, is on; tell every device if it changed."""
        paused, after_outage = self._paused_until > now.running, self._after_outage_until > now.running
        if (paused, after_outage) == (self.roster.paused, self.roster.after_outage):
            return []
        self.roster.paused, self.roster.after_outage = paused, after_outage
        return self.roster.refresh_all()

    def _check_learning(self, device: Device, now: Moment) -> bool:
        """End the learning of `device` if it is time; True if it ended just now."""
        if not device.standing.learning or not device.learning.started():
            return False
        settled: bool | None
        if self._learning_until is not None:
            settled = True if now.running > self._learning_until.get(device.mac, inf) else None
        else:
            settled = device.learning.ended_by(self.roster.settings.learning)
        if settled is None:
            return False
        device.learning.finish(settled=settled)
        device.standing = device.standing._replace(learning=False)
        return True

    def _keep(self, device: Device) -> list[Effect]:
        if device.learning.progress == device.kept:
            return []
        device.kept = device.learning.progress
        return [Keep(device.mac, device.kept)]

    def _forgotten(self, event: DestinationForgotten) -> list[Effect]:
        device = self.roster.devices.get(event.mac)
        learned = {} if device is None else device.learning.learned
        gone = [
            destination
            for destination in learned
            if event.name in ("*", destination.name) and event.service in ("", destination.service)
        ]
        for destination in gone:
            del learned[destination]
        return [Forget(event.mac, destination) for destination in gone]

    # -- values ------------------------------------------------------------------------------------

    def _verdict(self, decision: Decision) -> Verdict:
        self.counts[decision.reason] += 1
        return _VERDICTS[decision.accept, decision.reason]

    def _is_new(self, event: FlowOpened, now: Moment) -> bool:
        return self._flows.is_new(
            event.mac, event.source, event.source_port, event.destination, event.destination_port,
            event.protocol, event.sequence, now.running,
        )  # fmt: skip

    def _destination(self, attempted: Attempted) -> Destination:
        """By the newest name, or by the address where there is none."""
        if not attempted.names:
            return Destination(attempted.address, attempted.service)
        return Destination(group_of(attempted.names[0], self.roster.settings.match), attempted.service)

    def _record(
        self, device: Device, event: FlowOpened, attempted: Attempted, decision: Decision, now: Moment
    ) -> Record:
        name = attempted.names[0] if attempted.names else ""
        evidence = device.book.evidence(event.destination, now.running)
        return Record(
            Attempt(
                now.wall, event.mac, event.source, event.source_port, event.destination,
                event.destination_port, event.protocol, event.scope, attempted.service, name, evidence,
                decision.accept, decision.reason,
            )
        )  # fmt: skip

    def _raise(
        self,
        device: Device,
        event: FlowOpened,
        attempted: Attempted,
        decision: Decision,
        kind: Kind,
        now: Moment,
    ) -> Raise:
        destination = self._destination(attempted)
        name = attempted.names[0] if attempted.names else ""
        evidence = device.book.evidence(event.destination, now.running)
        return Raise(
            Alert(
                now.wall, event.mac, kind, decision.reason, SEVERITY[kind], destination.name,
                destination.service, name, evidence, event.destination, event.destination_port,
                event.protocol, not decision.accept,
            )
        )  # fmt: skip


SEVERITY: Mapping[Kind, Severity] = {
    Kind.NEW_DESTINATION: Severity.WARNING,
    Kind.FOREIGN_RESOLVER: Severity.WARNING,
    Kind.ROUTER_SERVICE: Severity.NOTICE,
}

_NOT_WATCHED = Decision(True, Reason.NOT_WATCHED)
_LAN = Decision(True, Reason.LAN)
_TO_ROUTER = Decision(True, Reason.TO_ROUTER, alert=True)
_DNS_QUERY = Decision(True, Reason.DNS_QUERY)
_DNS_REPLY = Decision(True, Reason.DNS_REPLY)
