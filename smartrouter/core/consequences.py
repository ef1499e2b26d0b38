# SPDX-License-Identifier: GPL-2.0-or-later
"""What follows from an attempt to the outside, its verdict and its record apart: what is learned of it, what
is worth telling, and what it is part of.

Decides no verdict, and knows nothing of packets that stay inside.
"""

from smartrouter.core import notes
from smartrouter.core.destinations import Destination
from smartrouter.core.detection import Detection, is_encrypted_dns
from smartrouter.core.effects import Alert, Effect, Kind, Learn, Raise
from smartrouter.core.events import FlowOpened, Moment
from smartrouter.core.familiarity import Familiar
from smartrouter.core.naming import Naming
from smartrouter.core.policy import Attempted, Decision, Reason, destination_of
from smartrouter.core.precedents import News
from smartrouter.core.roster import Device, Roster

BY_RULE = frozenset((Reason.ALLOWED_BY_RULE, Reason.DENIED_BY_RULE))
_SETTLED = BY_RULE | {Reason.TIME}
"""Decisions from which nothing follows."""

_tuple = tuple.__new__  # makes a NamedTuple in half the time


class Consequences:
    """See the module."""

    def __init__(self, roster: Roster, naming: Naming, detection: Detection):
        self._roster = roster
        self._naming = naming
        self._detection = detection

    def news(
        self,
        device: Device,
        event: FlowOpened,
        attempted: Attempted,
        found: Familiar,
        decision: Decision,
        now: Moment,
    ) -> News | None:
        """What there is to tell of an attempt to the outside by itself, None if it is no news."""
        if not decision.alert and decision.reason is not Reason.LEARNING:
            return None
        kind = notes.kind_of(decision)
        if is_encrypted_dns(event, attempted):
            kind, decision = Kind.ENCRYPTED_DNS, decision._replace(reason=Reason.ENCRYPTED_DNS)
        alert = self._naming.alert(device, event, attempted, decision, kind, now)
        return News(alert, attempted, found.reason is Reason.NEW_PORT)

    def follow(
        self,
        device: Device,
        event: FlowOpened,
        attempted: Attempted,
        found: Familiar,
        decision: Decision,
        news: News | None,
        now: Moment,
    ) -> list[Effect]:
        """What follows from a new attempt to the outside, its verdict and record apart."""
        effects = self._detection.uses(event.mac, event.source, now)
        called = attempted.called
        if decision.reason in _SETTLED:
            return effects
        if not called and attempted.service == "web":
            effects += self._detection.connected_without_name(device, event.destination, now)
        learning = device.standing.learning
        if decision.reason is Reason.AWAITING_HELLO:  # a scan may go no further than this
            alert = self._naming.alert(device, event, attempted, decision, Kind.NEW_DESTINATION, now)
            return effects + (self._detection.nameless(device, alert, now, silent=True) or [])
        if learning and news is not None:
            return effects + self._learn(device, attempted, news.alert, now)
        if learning:
            return effects + self._needs(device, attempted, now)
        if news is None:
            return effects + self._used(device, event, attempted, found, decision, now)
        return effects + self.told(device, news, now)

    def told(self, device: Device, news: News, now: Moment) -> list[Effect]:
        """A protected device does something that it has not learned."""
        alert = _tuple(Alert, (now.wall, *news.alert[1:]))
        greater = None
        if news.is_new_port or self._tries_around(device, news.attempted):
            greater = self._detection.nameless(device, alert, now)
        return [Raise(alert)] if greater is None else greater

    def _tries_around(self, device: Device, attempted: Attempted) -> bool:
        """May it be part of a scan: is it without a name, or one of many ports of a named host?"""
        conduct = self._detection.conduct(device.mac)
        return not attempted.called or conduct.tries_ports(attempted.address, attempted.service)

    def _learn(self, device: Device, attempted: Attempted, alert: Alert, now: Moment) -> list[Effect]:
        """A learning device needs this; unless it is part of a scan. `alert` is what a scan counts; by
        itself it is told only if it is about more than that the destination is new."""
        destination = destination_of(attempted)
        silent = alert.kind is Kind.NEW_DESTINATION
        if destination not in device.learning.learned and self._tries_around(device, attempted):
            greater = self._detection.nameless(device, alert, now, silent=silent)
            if greater is not None:
                return greater
        return [*([] if silent else [Raise(alert)]), *self._needs(device, attempted, now)]

    def _needs(self, device: Device, attempted: Attempted, now: Moment) -> list[Effect]:
        """The device needs this."""
        destination = destination_of(attempted)
        effects: list[Effect] = []
        # By the head of its chain, and by just its own name: aliases live shorter than what is learned.
        names = [destination.name]
        if attempted.called and attempted.called[0].heads:
            names.append(attempted.called[0].name)
        for name in names:
            learned_as = Destination(name, destination.service)
            seen = device.learning.used(learned_as)
            if seen is not None:
                effects.append(Learn(device.mac, learned_as, seen, now.wall))
        return effects

    def _used(
        self,
        device: Device,
        event: FlowOpened,
        attempted: Attempted,
        found: Familiar,
        decision: Decision,
        now: Moment,
    ) -> list[Effect]:
        """A protected device uses what it knows."""
        effects: list[Effect] = []
        names = [name for called in attempted.called for name in (*called.groups, called.name)]
        for name in dict.fromkeys((*names, attempted.address)):
            used = Destination(name, attempted.service)
            seen = device.learning.touched(used)
            if seen is not None:
                effects.append(Learn(event.mac, used, seen, now.wall))
        if not found.is_newest:
            about = decision._replace(reason=Reason.NEW_NAME)
            effects.append(Raise(self._naming.alert(device, event, attempted, about, Kind.NEW_NAME, now)))
        return effects
