# SPDX-License-Identifier: GPL-2.0-or-later
"""Connection attempts: the verdict on each.

To the outside, an attempt is judged by what it is to the device (core.familiarity), by the user's rules and
by how the device stands (core.policy). What stays inside is recorded, and never blocked.
"""

from collections.abc import Collection

from smartrouter.core import notes
from smartrouter.core.consequences import BY_RULE, Consequences
from smartrouter.core.destinations import Destination, service_of
from smartrouter.core.detection import Detection, is_encrypted_dns
from smartrouter.core.effects import Another, Attempt, Effect, End, Inspect, Kind, Raise, RecordMore, Verdict
from smartrouter.core.events import Flow, FlowOpened, Moment, PacketUnreadable, Scope, Shortcut
from smartrouter.core.familiarity import Familiar, decision_on, familiar, learned, unlearned
from smartrouter.core.flows import BITS, SILENCE, Flows
from smartrouter.core.hellos import Hellos
from smartrouter.core.naming import Naming
from smartrouter.core.notes import verdict
from smartrouter.core.policy import (
    Action,
    Attempted,
    Decision,
    Reason,
    destination_of,
    ends_in,
    ruling,
)
from smartrouter.core.precedents import LASTS, MAX_PRECEDENTS, News, Precedent, Repeat, Repeated, recorded
from smartrouter.core.roster import Device, Roster
from smartrouter.core.shortcuts import Shortcuts


class Attempts:
    """See the module."""

    def __init__(
        self,
        roster: Roster,
        naming: Naming,
        detection: Detection,
        flows: Flows,
        hellos: Hellos,
        shortcuts: Shortcuts,
    ):
        self._roster = roster
        self._naming = naming
        self._detection = detection
        self._flows = flows
        self._hellos = hellos
        self._shortcuts = shortcuts
        self._consequences = Consequences(roster, naming, detection)
        self._claims = detection.claims

    def opened(self, event: FlowOpened, now: Moment) -> list[Effect]:
        """A connection begins, or goes on without an answer yet. There is a verdict in the list, unless the
        kernel has settled it by itself."""
        device = self._roster.devices.get(event.mac) or self._roster.queued(event.mac)
        precedent = device.precedents.get((event.destination, event.protocol, event.destination_port))
        if (
            precedent is not None
            and now.running <= precedent.until
            and event.scope is Scope.OUTSIDE
            and not event.spoofed
            and (precedent.news is None or not event.asks_time)
            and (event.settled is None or (event.settled is Shortcut.KNOWN) is precedent.decision.accept)
        ):
            return self._again(device, event, precedent, now)
        effects = self._anew(device, event, now)
        if event.settled is not None:
            self._shortcuts.used(event)
            effects = [effect for effect in effects if not isinstance(effect, Verdict | Inspect)]
        return effects

    def repeat(self, event: FlowOpened) -> Repeat | None:
        """What to compare further packets like this one with; None if each must be judged by itself."""
        device = self._roster.devices.get(event.mac)
        if device is None or event.scope is not Scope.OUTSIDE or event.spoofed or event.asks_time:
            return None
        precedent = device.precedents.get((event.destination, event.protocol, event.destination_port))
        if precedent is None or (precedent.nameless and not precedent.decision.accept):
            return None
        return Repeat(device, event, precedent)

    def repeated(self, packets: Collection[Repeated], now: Moment) -> tuple[list[Effect], list[Repeated]]:
        """What follows from packets that got the verdict of others; and those of them about which that does
        not hold any more, or that may tell more than just once more the same."""
        running, wall = now
        era = self._roster.eras.at(running)
        same = [packet for packet in packets if packet[0].era is era]
        others: list[Repeated] = []
        if len(same) < len(packets):
            same = []
            for packet in packets:
                (same if self._still_holds(packet[0], running, era) else others).append(packet)
        flows = [hash((repeat.sort, source_port, sequence)) & BITS for repeat, source_port, sequence in same]
        before = self._flows.seen(flows, running)
        if before:
            same = [
                packet
                for packet, last in zip(same, before, strict=True)
                if last is None or not (packet[0].is_tcp or running - last < SILENCE)
            ]
        if not same:
            return [], others
        attempts: list[Another] = [(wall, source_port, repeat.alike) for repeat, source_port, _ in same]
        effects: list[Effect] = [RecordMore(attempts)]
        for repeat in [repeat for repeat, _, _ in same if not repeat.is_plain]:
            effects += self._more(repeat, now)
        return effects, others

    def _still_holds(self, repeat: Repeat, running: float, era: object) -> bool:
        """Does it still hold, and does the device still use its address? In this era that need not be asked
        again."""
        if repeat.era is era:
            return True
        if not repeat.holds(running) or not self._claims.is_settled(repeat.mac, repeat.source, running):
            return False
        if repeat.until >= self._roster.eras.until:
            repeat.era = era
        return True

    def _more(self, repeat: Repeat, now: Moment) -> list[Effect]:
        """What follows from another attempt like that one, its record apart."""
        device, news = repeat.device, repeat.news
        effects: list[Effect] = []
        if device.standing.learning:
            device.learning.counted_again()
        if repeat.is_nameless:
            effects += self._detection.connected_without_name(device, repeat.alike.address, now)
        if news is not None:
            effects += self._consequences.told(device, news, now)
        return effects

    def _again(self, device: Device, event: FlowOpened, precedent: Precedent, now: Moment) -> list[Effect]:
        """The same as an attempt before it: decided alike, and recorded."""
        effects: list[Effect] = []
        if event.settled is None:
            if precedent.nameless:
                effects = self._hellos.wanted(event, precedent.decision, now)[1]
            effects.append(precedent.verdict)
        packet = event[:7]
        if self._flows.begins(packet, now.running):
            if device.standing.learning:
                device.learning.counted_again()
            effects.append(recorded(packet, event.scope, precedent.outcome, now))
            effects += self._detection.uses(event.mac, event.source, now)
            if precedent.nameless:
                effects += self._detection.connected_without_name(device, event.destination, now)
            if precedent.news is not None:
                effects += self._consequences.told(device, precedent.news, now)
        return effects

    def _anew(self, device: Device, event: FlowOpened, now: Moment) -> list[Effect]:
        if not device.watched:
            return [verdict(_NOT_WATCHED)]
        service = service_of(event.protocol, event.destination_port)
        called = self._naming.called(device, event.destination, now.running)
        attempted = Attempted(event.destination, service, called)
        is_new = self._flows.begins(event[:7], now.running)
        if event.scope is not Scope.OUTSIDE:
            return self._inside(device, event, attempted, is_new, now)
        if event.spoofed:
            return self._spoofed(device, event, attempted, is_new, now)
        if is_new and device.standing.learning:
            device.learning.counted()
        ended = self._roster.end_learning_if_due(device, now.running)
        found = self._familiar(device, event, attempted, now)
        decision = decision_on(
            self._roster, device, attempted, found, event.protocol, event.destination_port, now.wall
        )
        if event.settled is not None and (event.settled is Shortcut.KNOWN) is not decision.accept:
            return self._overtaken(device, event, attempted, is_new, now)
        ending: list[Effect] = []
        by_once = False
        if device.once and not (decision.accept and not decision.alert) and event.settled is None:
            by_once, ending = self._once(device, event, attempted, decision, now)
            decision = _ALLOWED if by_once else decision
        awaited: list[Effect] = []
        if not called and service == "web":
            decision, awaited = self._hellos.wanted(event, decision, now)
        effects: list[Effect] = [*awaited, verdict(decision), *ending]
        if ended:
            effects += self._roster.keep(device)
        if is_new:
            record = self._naming.record(device, event, service, decision, now)
            effects.append(record)
            news = self._consequences.news(device, event, attempted, found, decision, now)
            effects += self._consequences.follow(device, event, attempted, found, decision, news, now)
            if not by_once:
                self._set_precedent(device, event, attempted, found, decision, news, record.attempt, now)
        if event.settled is not None:
            return effects
        return effects + self._shortcuts.decided(device, event, attempted, found, decision, now)

    def _once(
        self, device: Device, event: FlowOpened, attempted: Attempted, decision: Decision, now: Moment
    ) -> tuple[bool, list[Effect]]:
        """May this attempt pass, which is not known, by a rule that ends with it? And the end of that."""
        if decision.reason is Reason.DENIED_BY_RULE or not event.opens:
            return False, []
        flow = Flow(
            event.source, event.source_port, event.destination, event.destination_port, event.protocol
        )
        passes, spent = self._roster.once.lets(device.once, event.mac, flow, attempted, now)
        return passes, [] if spent is None else [End(spent)]

    def _overtaken(
        self, device: Device, event: FlowOpened, attempted: Attempted, is_new: bool, now: Moment
    ) -> list[Effect]:
        """The kernel settled it by what was true a moment ago."""
        if event.settled is Shortcut.KNOWN:
            decision = Decision(True, Reason.LEARNED)
        elif event.settled is Shortcut.DENIED:
            decision = Decision(False, Reason.DENIED_BY_RULE)
        else:
            decision = Decision(False, Reason.UNKNOWN_NAME if attempted.called else Reason.UNKNOWN_ADDRESS)
        return [self._naming.record(device, event, attempted.service, decision, now)] if is_new else []

    def _set_precedent(
        self,
        device: Device,
        event: FlowOpened,
        attempted: Attempted,
        found: Familiar,
        decision: Decision,
        news: News | None,
        recorded: Attempt,
        now: Moment,
    ) -> None:
        """Remember the decision, if the same follows when the same is attempted again."""
        nameless = not attempted.called and attempted.service == "web"
        by_rule = decision.reason in BY_RULE and not nameless
        by_itself = decision.reason is Reason.LEARNED and found.is_newest
        is_news = (
            news is not None and not device.standing.learning and not self._may_be_heard(nameless, decision)
        )
        if not (by_rule or by_itself or is_news) or event.asks_time or not device.watched:
            return
        if len(device.precedents) >= MAX_PRECEDENTS:
            device.clear_precedents()
        until = min(
            now.running + min(LASTS, ends_in(device.rules, now.wall)),
            self._naming.unchanged_until(device, event.destination, now.running),
            self._roster.learning_ends_at(device),
        )
        device.precedents[event.destination, event.protocol, event.destination_port] = Precedent(
            until, decision, verdict(decision), recorded[_OUTCOME:], nameless, news
        )

    def _may_be_heard(self, nameless: bool, decision: Decision) -> bool:
        """Might another such connection be let begin, for the server name in its first data?"""
        return nameless and not decision.accept and self._roster.settings.judge_by_hello

    def _familiar(self, device: Device, event: FlowOpened, attempted: Attempted, now: Moment) -> Familiar:
        if event.asks_time and not (device.standing.learning and attempted.called):
            found = learned(device.learning, attempted)
            if found is None and self._detection.conduct(event.mac).may_ask_time(now.running):
                return Familiar(Reason.TIME, destination_of(attempted))
        return familiar(self._roster, device, attempted, event.destination_port, now.running)

    def _inside(
        self, device: Device, event: FlowOpened, attempted: Attempted, is_new: bool, now: Moment
    ) -> list[Effect]:
        """A flow that stays inside: to the LAN, or to the router itself. Never blocked."""
        in_lan = event.scope is Scope.LAN
        decision = _LAN if in_lan else _TO_ROUTER
        effects: list[Effect] = [verdict(decision)]
        if not is_new:
            return effects
        effects.append(self._naming.record(device, event, attempted.service, decision, now))
        effects += self._detection.uses(event.mac, event.source, now)
        if is_encrypted_dns(event, attempted):
            about = decision._replace(reason=Reason.ENCRYPTED_DNS)
            alert = self._naming.alert(device, event, attempted, about, Kind.ENCRYPTED_DNS, now)
            return [*effects, Raise(alert)]
        alert = self._naming.alert(device, event, attempted, decision, Kind.ROUTER_SERVICE, now)
        tell = self._detection.inside if in_lan else self._detection.at_router
        return effects + tell(device, alert, now)

    def _spoofed(
        self, device: Device, event: FlowOpened, attempted: Attempted, is_new: bool, now: Moment
    ) -> list[Effect]:
        """A packet that pretends to come from somewhere else: there is no innocent one."""
        standing = device.standing
        denied = ruling(device.rules, attempted, now.wall) is Action.DENY
        blocked = denied or ((standing.enforcing or standing.isolated) and not standing.paused)
        decision = Decision(not blocked, Reason.SPOOFED_SOURCE, alert=True)
        effects: list[Effect] = [verdict(decision)]
        if is_new:
            effects.append(self._naming.record(device, event, attempted.service, decision, now))
            detail = f"in the name of {event.source}"
            label = self._naming.label(device, event.destination, now.running)
            alert = notes.about_flow(
                event, Kind.IP_SPOOFING, decision, Destination("", ""), label, now, detail
            )
            effects.append(Raise(alert))
        return effects

    def unreadable(self, event: PacketUnreadable) -> list[Effect]:
        """Nobody can say where it goes: it passes only where unknown destinations pass."""
        device = self._roster.devices.get(event.mac) or self._roster.queued(event.mac)
        blocked = device.watched and device.standing.strict and event.scope is Scope.OUTSIDE
        return [verdict(Decision(not blocked, Reason.BAD_PACKET))]

    def finds(self, mac: str, name: str, address: str, service: str, now: Moment) -> Reason:
        """What an attempt of `mac` at `address`, called `name` ('': nobody told it one), would be by what it
        knows now; rules and requests for the time apart. Changes nothing."""
        device = self._roster.devices[mac]
        called = (self._naming.by_name(device, name, now.running),) if name else ()
        attempted = Attempted(address, service, called)
        found = learned(device.learning, attempted)
        return (found or unlearned(self._roster, device, attempted, 0, now.running)).reason


_NOT_WATCHED = Decision(True, Reason.NOT_WATCHED)
_ALLOWED = Decision(True, Reason.ALLOWED_BY_RULE)
_LAN = Decision(True, Reason.LAN)
_TO_ROUTER = Decision(True, Reason.TO_ROUTER, alert=True)

_OUTCOME = Attempt._fields.index("service")  # where in a record begins what a precedent says
