# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections to an address without a name, whose first data may hold the server's name.

Where the connection may pass anyhow, the name is a label and comes too late for the verdict. Where it would
be blocked, and the user wants such connections to be judged by their hello, it begins, and its first data is
held. The name then allows only what is known, and only if the router's own lookup of it leads to the
address: who opens a connection can write into his hello whatever he likes. A name that may be encrypted
says nothing.
"""

from collections import Counter, OrderedDict

from smartrouter.core.destinations import Destination, service_of
from smartrouter.core.detection import Detection, is_encrypted_dns
from smartrouter.core.effects import Cut, Effect, End, Flow, Inspect, Kind, Label, Raise, Release
from smartrouter.core.events import FlowOpened, HelloHeard, Moment, Scope
from smartrouter.core.familiarity import learned
from smartrouter.core.naming import Naming
from smartrouter.core.notes import verdict
from smartrouter.core.policy import Action, Attempted, Decision, Reason, ruling
from smartrouter.core.roster import Device, Roster

MAX_AWAITED, MAX_AWAITED_IN_ALL = 8, 200  # connections of one device, of all
AWAITED_FOR = 30.0  # seconds
MAX_HELLOS = 256  # addresses of one device whose server name is remembered
_HTTPS_PORT = 443


class _Awaited:
    """The connections whose first data is inspected: a few of each device, so that none keeps the others
    from it, and not more in all than the kernel's set of them holds."""

    def __init__(self) -> None:
        self._flows: OrderedDict[Flow, tuple[str, float, bool]] = OrderedDict()  # MAC, since when, held
        self._of: Counter[str] = Counter()

    def awaits(self, flow: Flow, now: float) -> bool:
        """Is it being inspected?"""
        self._give_up(now)
        return flow in self._flows

    def is_full(self, mac: str, now: float) -> bool:
        """Is there room for no further one of this device?"""
        self._give_up(now)
        return self._of[mac] >= MAX_AWAITED or len(self._flows) >= MAX_AWAITED_IN_ALL

    def begin(self, flow: Flow, mac: str, now: float, *, held: bool) -> bool:
        """Inspect it from now on; False if too many are. `held`: nothing may go on before it was judged."""
        if self.is_full(mac, now):
            return False
        self._flows[flow] = mac, now, held
        self._of[mac] += 1
        return True

    def _give_up(self, now: float) -> None:
        while self._flows and now - next(iter(self._flows.values()))[1] > AWAITED_FOR:
            self.heard(next(iter(self._flows)))

    def heard(self, flow: Flow) -> bool:
        """It is not to be inspected any more. Was it held? What nobody awaits is."""
        mac, _, held = self._flows.pop(flow, ("", 0.0, True))
        self._of[mac] -= 1
        if self._of[mac] <= 0:
            del self._of[mac]
        return held


class Hellos:
    """See the module."""

    def __init__(self, roster: Roster, naming: Naming, detection: Detection):
        self._roster = roster
        self._naming = naming
        self._detection = detection
        self._awaited = _Awaited()

    def hears(self, mac: str, running: float) -> bool:
        """Is there room for another connection of this device?"""
        return not self._awaited.is_full(mac, running)

    def wanted(self, event: FlowOpened, decision: Decision, now: Moment) -> tuple[Decision, list[Effect]]:
        """Whether the first data of this connection is to be looked at, and the decision until then."""
        if decision.accept and self._awaited.is_full(event.mac, now.running):  # as in any flood
            return decision, []
        held = (
            not decision.accept
            and decision.reason in _BY_ADDRESS
            and self._roster.settings.judge_by_hello
            and event.destination_port == _HTTPS_PORT
        )
        if not event.opens or not (decision.accept or held):
            return decision, []
        flow = Flow(
            event.source, event.source_port, event.destination, event.destination_port, event.protocol
        )
        until_then = _AWAITING if held else decision
        if self._awaited.awaits(flow, now.running):
            return until_then, []
        if not self._awaited.begin(flow, event.mac, now.running, held=held):
            return decision, []
        return until_then, [Inspect(flow, held)]

    def heard(self, event: HelloHeard, now: Moment) -> list[Effect]:
        """The first data is there, and holds its verdict."""
        flow = Flow(event.client, event.client_port, event.address, event.port, event.protocol)
        device = self._roster.devices.get(event.mac)
        if device is None or not device.watched:
            return [verdict(_NOT_WATCHED), Release(flow)]
        name = "" if event.encrypted else event.name
        called = (self._naming.by_name(device, name, now.running),) if name else ()
        attempted = Attempted(event.address, service_of(event.protocol, event.port), called)
        if name:
            device.hellos[event.address] = name
            device.clear_precedents()  # its records are called so from now on
            if len(device.hellos) > MAX_HELLOS:
                device.hellos.popitem(last=False)
        held = self._awaited.heard(flow)
        if held and device.standing.strict:
            return self._judge_hello(device, event, flow, attempted, now)
        known = learned(device.learning, attempted)
        effects: list[Effect] = [
            verdict(Decision(True, Reason.KNOWN_HELLO if known else Reason.UNKNOWN_HELLO)),
            Release(flow),
        ]
        if name:
            effects.append(Label(event.mac, event.address, name))
            effects += self._heard_name(device, event, attempted, now)
        return effects

    def _heard_name(
        self, device: Device, event: HelloHeard, attempted: Attempted, now: Moment
    ) -> list[Effect]:
        """What a server name says that comes too late for the verdict."""
        effects = self._detection.named(device, attempted.called[0].name, now)
        if device.rules and ruling(device.rules, attempted, now.wall) is Action.ALLOW:
            return effects
        flow = _as_flow(event)
        if is_encrypted_dns(flow, attempted):
            about = Decision(True, Reason.ENCRYPTED_DNS)
            effects.append(Raise(self._naming.alert(device, flow, attempted, about, Kind.ENCRYPTED_DNS, now)))
        elif not device.standing.learning and self._is_front(device, attempted):
            about = Decision(True, Reason.FRONTING)
            effects.append(Raise(self._naming.alert(device, flow, attempted, about, Kind.FRONTING, now)))
        return effects

    def _is_front(self, device: Device, attempted: Attempted) -> bool:
        """Does the device know the address, but none of the names that the server has by its hello?"""
        bare = Destination(attempted.address, attempted.service)
        names = (name for called in attempted.called for name in (*called.groups, called.name))
        return bare in device.learning.learned and not any(map(device.learning.knows, names))

    def _judge_hello(
        self, device: Device, event: HelloHeard, flow: Flow, attempted: Attempted, now: Moment
    ) -> list[Effect]:
        """The verdict on a connection that was let begin for its server name. Anybody can claim a name: the
        router's own lookup of it must lead to the address."""
        called = attempted.called
        action = ruling(device.rules, attempted, now.wall) if device.rules else None
        ending: list[Effect] = []
        if action is None and device.once:
            passes, spent = self._roster.once.lets(device.once, event.mac, flow, attempted, now)
            action, ending = Action.ALLOW if passes else None, [End(spent)] if spent else []
        known = learned(device.learning, attempted._replace(address=""))
        leads: bool | None = False
        if called and action is not Action.DENY and (known or action is Action.ALLOW):
            leads = self._naming.leads_to(called[0].name, event.address, now.running)
        if leads is None:
            self._awaited.begin(flow, event.mac, now.running, held=True)
            wanted = self._naming.look_up(event.mac, called[0].name, now.running)
            return [verdict(_NOT_YET), *ending, *wanted]
        if leads:
            return [verdict(Decision(True, Reason.KNOWN_HELLO)), Release(flow), *ending]
        decision = Decision(False, Reason.UNKNOWN_HELLO, alert=True)
        alert = self._naming.alert(device, _as_flow(event), attempted, decision, Kind.NEW_DESTINATION, now)
        if event.encrypted:
            alert = alert._replace(detail="its server name is encrypted")
        return [Cut(flow), verdict(decision), Raise(alert), *ending]


def _as_flow(event: HelloHeard) -> FlowOpened:
    return FlowOpened(
        event.mac, event.client, event.address, event.protocol, event.client_port, event.port, 0,
        Scope.OUTSIDE,
    )  # fmt: skip


_NOT_WATCHED = Decision(True, Reason.NOT_WATCHED)
_AWAITING = Decision(True, Reason.AWAITING_HELLO)
_NOT_YET = Decision(False, Reason.AWAITING_HELLO)
_BY_ADDRESS = frozenset((Reason.UNKNOWN_ADDRESS, Reason.ADDRESS_OF_KNOWN_NAME))
