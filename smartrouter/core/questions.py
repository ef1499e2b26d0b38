# SPDX-License-Identifier: GPL-2.0-or-later
"""DNS queries: whose answers may name things, what to do about the others, and what a query itself tells."""

from smartrouter.core.destinations import service_of
from smartrouter.core.detection import Detection
from smartrouter.core.effects import Effect, End, Kind, Raise
from smartrouter.core.events import DnsAnswered, DnsAsked, Flow, FlowOpened, Moment, Scope
from smartrouter.core.flows import Flows
from smartrouter.core.naming import Naming
from smartrouter.core.notes import verdict
from smartrouter.core.policy import Action, Attempted, Decision, Reason, ruling
from smartrouter.core.roster import Device, Roster
from smartrouter.core.told.addresses import lesson
from smartrouter.core.told.queries import answer_to

_DNS_PORT = 53


class Questions:
    """See the module."""

    def __init__(self, roster: Roster, naming: Naming, detection: Detection, flows: Flows):
        self._roster = roster
        self._naming = naming
        self._detection = detection
        self._flows = flows

    def answered(self, event: DnsAnswered, now: Moment) -> list[Effect]:
        """A reply: it always goes on, once its names are stored."""
        asked = answer_to(event)
        answers = [(asked, lesson(event.reply))] if asked else []
        effects: list[Effect] = [verdict(_DNS_REPLY)]
        for _, found in self._naming.answered(answers, now):
            effects += found
        return effects

    def asked(self, event: DnsAsked, now: Moment) -> list[Effect]:
        """Something was sent to port 53."""
        settings = self._roster.settings
        if event.client in settings.shared_resolvers and event.resolver in (settings.resolvers or ()):
            return [*self._naming.asked(None, event, now.running), verdict(_DNS_QUERY)]
        device = self._roster.devices.get(event.mac) or self._roster.queued(event.mac)
        if not device.watched:
            return [verdict(_NOT_WATCHED)]
        called = self._naming.called(device, event.resolver, now.running)
        attempted = Attempted(event.resolver, service_of(event.protocol, _DNS_PORT), called)
        decision = self._decide(device, event, attempted, now)
        noticed = (
            [] if event.query is None else self._detection.queried(device, event.query, event.resolver, now)
        )
        ending: list[Effect] = []
        if device.once and decision.reason is Reason.FOREIGN_RESOLVER:
            asked = Flow(event.client, event.client_port, event.resolver, _DNS_PORT, event.protocol)
            passes, spent = self._roster.once.lets(device.once, event.mac, asked, attempted, now)
            if passes:
                decision, ending = Decision(True, Reason.ALLOWED_BY_RULE), [End(spent)] if spent else []
        if decision is _DNS_QUERY:
            return [*self._naming.asked(device, event, now.running), verdict(decision), *noticed]
        effects: list[Effect] = [verdict(decision), *ending, *noticed]
        flow = FlowOpened(
            event.mac, event.client, event.resolver, event.protocol, event.client_port, _DNS_PORT, 0,
            event.scope,
        )  # fmt: skip
        if self._flows.begins(flow[:7], now.running):
            effects.append(self._naming.record(device, flow, attempted.service, decision, now))
            if decision.alert:
                alert = self._naming.alert(device, flow, attempted, decision, Kind.FOREIGN_RESOLVER, now)
                greater = self._detection.nameless(device, alert, now)
                effects += [Raise(alert)] if greater is None else greater
        return effects

    def _decide(self, device: Device, event: DnsAsked, attempted: Attempted, now: Moment) -> Decision:
        """Only a resolver that somebody vouches for may name things; `_DNS_QUERY` says that it may."""
        settings = self._roster.settings
        trusted = settings.resolvers is None or event.resolver in settings.resolvers
        if event.scope is Scope.ROUTER:
            return _DNS_QUERY
        if event.scope is Scope.LAN:
            return _DNS_QUERY if trusted else _LAN
        action = ruling(device.rules, attempted, now.wall) if device.rules else None
        if action is Action.DENY:
            return Decision(False, Reason.DENIED_BY_RULE)
        if trusted:
            return _DNS_QUERY
        if action is Action.ALLOW:
            return Decision(True, Reason.ALLOWED_BY_RULE)
        blocked = settings.block_foreign_dns and device.standing.strict
        return Decision(not blocked, Reason.FOREIGN_RESOLVER, alert=True)


_NOT_WATCHED = Decision(True, Reason.NOT_WATCHED)
_LAN = Decision(True, Reason.LAN)
_DNS_QUERY = Decision(True, Reason.DNS_QUERY)
_DNS_REPLY = Decision(True, Reason.DNS_REPLY)
