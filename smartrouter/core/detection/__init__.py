# SPDX-License-Identifier: GPL-2.0-or-later
"""What in the conduct of devices is worth an alert, beyond a destination that is new.

Each method is told of one thing that happened, and yields the effects that follow: alerts, and what is not to
be learned. Decides no verdict.
"""

from collections import defaultdict

from smartrouter.core import notes
from smartrouter.core.destinations import Destination
from smartrouter.core.detection.claims import Claims, Crowd, Fight
from smartrouter.core.detection.conduct import Conduct
from smartrouter.core.detection.scans import FanOut, Fate
from smartrouter.core.effects import Alert, Effect, Forget, Kind, Raise, Severity, Withdraw
from smartrouter.core.events import FlowOpened, IdentityDoubted, Moment, Query
from smartrouter.core.policy import Attempted, Reason
from smartrouter.core.public.encrypted_dns import is_canary, is_doh_address, is_doh_name, is_dot
from smartrouter.core.roster import Device, Roster

_HTTPS_PORT = 443


class Detection:
    """See the module. It keeps something of watched devices only."""

    def __init__(self, roster: Roster):
        self._roster = roster
        self.claims = Claims(roster.eras)
        self._conducts: defaultdict[str, Conduct] = defaultdict(Conduct)

    def conduct(self, mac: str) -> Conduct:
        """What the device has done lately."""
        return self._conducts[mac]

    def drop(self, mac: str) -> None:
        """The device has gone, or is watched no more."""
        self._conducts.pop(mac, None)

    # -- scans -----------------------------------------------------------------------------------------

    def nameless(
        self, device: Device, alert: Alert, now: Moment, *, silent: bool = False
    ) -> list[Effect] | None:
        """`device` tries something unknown without a name, which would be `alert`; `silent`: were it not part
        of a scan, nothing would be told of it. None: nothing more is known of it, it is like any other
        attempt; else these effects are all that is to be done."""
        return self._tried(device, self.conduct(device.mac).outside, alert, now, hold=not silent)

    def inside(self, device: Device, alert: Alert, now: Moment) -> list[Effect]:
        """`device` connects to another local device; `alert` is what a scan counts."""
        return self._tried(device, self.conduct(device.mac).inside, alert, now, hold=False) or []

    def at_router(self, device: Device, alert: Alert, now: Moment) -> list[Effect]:
        """`device` connects to an unusual service of the router."""
        effects = self._tried(device, self.conduct(device.mac).router, alert, now, hold=True)
        return [Raise(alert)] if effects is None else effects

    def _tried(
        self, device: Device, fan_out: FanOut[Alert], alert: Alert, now: Moment, *, hold: bool
    ) -> list[Effect] | None:
        match fan_out.tried(alert.address, alert.service, alert, now.running, hold=hold):
            case Fate.TOLD:
                return None
            case Fate.HELD:
                return []
            case Fate.PART:
                return self._scanned(device, fan_out, alert, said=hold)

    def _scanned(self, device: Device, fan_out: FanOut[Alert], alert: Alert, *, said: bool) -> list[Effect]:
        """One alert for the whole scan; what was learned of its first attempts, and, if anything was `said`
        of them, the alerts about them, are taken back."""
        before = fan_out.taken()
        effects: list[Effect] = []
        greater = [each for each, told in before if told and said]
        effects += dict.fromkeys(Withdraw(a.mac, a.kind, a.destination, a.service) for a in greater)
        for name, service in dict.fromkeys((each.destination, each.service) for each, _ in before):
            destination = Destination(name, service)
            if device.standing.learning and destination in device.learning.learned:
                device.learning.forget(destination)
                self._roster.doubt(device)
                effects.append(Forget(device.mac, destination))
        words = fan_out.said()
        return effects + [
            Raise(notes.part_of_scan(each, words)) for each in (*(each for each, _ in before), alert)
        ]

    def overdue(self, mac: str, now: Moment) -> list[Effect]:
        """The alerts that were held, and have turned out to be part of nothing greater."""
        conduct = self._conducts.get(mac)
        if conduct is None:
            return []
        fan_outs = conduct.outside, conduct.inside, conduct.router
        return [Raise(alert) for fan_out in fan_outs for alert in fan_out.overdue(now.running)]

    # -- DNS -------------------------------------------------------------------------------------------

    def queried(self, device: Device, query: Query, resolver: str, now: Moment) -> list[Effect]:
        """`device` asks something, whomever."""
        effects: list[Effect] = []
        name = query.question.name
        if is_canary(name):
            canary = notes.about_device(
                device.mac, Kind.ENCRYPTED_DNS, Reason.DNS_CANARY, now, destination=name, address=resolver,
                detail=f"it asked for {name}",
            )  # fmt: skip
            effects.append(Raise(canary._replace(severity=Severity.NOTICE)))
        suspicion = self.conduct(device.mac).tunnels.asked(query.question, now.running)
        if suspicion is not None:
            tunnel = notes.about_device(
                device.mac, Kind.DNS_TUNNEL, Reason.DNS_TUNNEL, now, destination=suspicion.domain,
                address=resolver, detail=suspicion.detail,
            )  # fmt: skip
            effects.append(Raise(tunnel))
        return effects + self.named(device, name, now)

    # -- addresses -------------------------------------------------------------------------------------

    def uses(self, mac: str, address: str, now: Moment) -> list[Effect]:
        """`mac` sends from, or claims, the local address `address`."""
        if self.claims.is_settled(mac, address, now.running):
            return []
        match self.claims.claimed(mac, address, now.running):
            case Fight(_, _, other):
                # A fight between devices that are not watched is nobody's business here.
                # Of two that are watched always the same is told of, so that there is one alert.
                about = next((each for each in sorted((mac, other)) if self._is_watched(each)), None)
                detail = f"{address} is used by {min(mac, other)} and {max(mac, other)} by turns"
                kind, reason = Kind.ADDRESS_CONFLICT, Reason.ADDRESS_CONFLICT
                destination = address
            case Crowd(_, addresses):
                about = mac if self._is_watched(mac) else None
                detail = f"it uses {len(addresses)} addresses at the same time: {', '.join(addresses)}"
                kind, reason, destination = Kind.REPEATER, Reason.REPEATER, ""
            case None:
                return []
        if about is None:
            return []
        return [
            Raise(
                notes.about_device(
                    about, kind, reason, now, destination=destination, address=address, detail=detail
                )
            )
        ]

    def doubted(self, event: IdentityDoubted, now: Moment) -> list[Effect]:
        """Something else seems to use the MAC of a device."""
        if not self._is_watched(event.mac):
            return []
        return [Raise(notes.about_device(event.mac, Kind.CLONE, event.reason, now, detail=event.detail))]

    def user_of(self, address: str) -> str:
        """The MAC that was seen to use the local address `address` last, '' if none was."""
        return self.claims.user_of(address)

    def _is_watched(self, mac: str) -> bool:
        device = self._roster.devices.get(mac)
        return device is not None and device.watched

    def connected_without_name(self, device: Device, address: str, now: Moment) -> list[Effect]:
        """`device` connects to a web server of which it was told no name."""
        conduct = self.conduct(device.mac)
        if not conduct.connected_without_name(address, device.answered, now.running):
            return []
        detail = "for an hour or more it connected without asking anybody for a name in the router's sight"
        return [
            Raise(
                notes.about_device(
                    device.mac, Kind.HIDDEN_RESOLVER, Reason.HIDDEN_RESOLVER, now, detail=detail
                )
            )
        ]

    # -- people ----------------------------------------------------------------------------------------

    def named(self, device: Device, name: str, now: Moment) -> list[Effect]:
        """`device` asks for `name`, or says it in its hello."""
        sign = self.conduct(device.mac).person.asked(name, now.running)
        if sign is None:
            return []
        personal = f", among them {', '.join(sign.personal)}" if sign.personal else ""
        detail = f"{sign.groups} different domains within an hour{personal}"
        return [Raise(notes.about_device(device.mac, Kind.PERSON, Reason.PERSON, now, detail=detail))]


def is_encrypted_dns(event: FlowOpened, attempted: Attempted) -> bool:
    """Does this connection go to a service for DNS over TLS, QUIC or HTTPS?"""
    if is_dot(event.protocol, event.destination_port):
        return True
    if event.destination_port != _HTTPS_PORT:
        return False
    if is_doh_address(event.destination):
        return True
    return any(is_doh_name(name) for called in attempted.called for name in (called.name, *called.heads))
