# SPDX-License-Identifier: GPL-2.0-or-later
"""The state machine that ties naming, learning, policy and detection together: an event in, effects out.

Theory of operation. The judge owns everything that a verdict needs, in memory, so that a verdict never
waits. It is told what happened (`core.events`) with the time as an argument, and yields what to do
(`core.effects`); it never does anything itself, and the same events at the same moments always yield the
same effects, live or replayed.

* A flow is judged by the names that *this device* was told for its address by a resolver that is trusted.
* A DNS reply is handled completely, its names stored, before `handle` returns; whoever holds the packet
  releases it only then. So no connection can be judged before the reply that named its address.
* A query admits the asker's address to the set of those whose replies are seen, before it goes on.
* A connection without a name may be inspected: its first data may hold the server's name.

It knows nothing of packets, threads, files or the kernel. One caller at a time: the guard holds a lock.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from math import inf
from typing import assert_never

from smartrouter.core import notes
from smartrouter.core.attempts import Attempts
from smartrouter.core.destinations import Destination, Match
from smartrouter.core.detection import Detection
from smartrouter.core.effects import (
    Block,
    Deny,
    Effect,
    Forget,
    KeepUsual,
    Kind,
    Know,
    Learn,
    NameAlias,
    Raise,
    Relax,
    Unwatch,
    Verdict,
)
from smartrouter.core.events import (
    AddressClaimed,
    Carried,
    ConnectionsOpen,
    DestinationForgotten,
    DeviceSeen,
    DnsAnswered,
    DnsAsked,
    Event,
    FlowOpened,
    HelloHeard,
    IdentityDoubted,
    LearningFinished,
    LearningRestarted,
    LearningTakenOver,
    LookedUp,
    Moment,
    NoFlow,
    OutageEnded,
    PacketUnreadable,
    Paused,
    SettingsChanged,
    SettledBefore,
    Shortcut,
    Tick,
)
from smartrouter.core.flows import Flows
from smartrouter.core.hellos import Hellos
from smartrouter.core.kinship import organisation
from smartrouter.core.learning import Learning, Progress, Seen
from smartrouter.core.names import registrable_domain
from smartrouter.core.naming import Answer, Naming
from smartrouter.core.policy import Reason, Settings
from smartrouter.core.precedents import Repeat, Repeated, another
from smartrouter.core.questions import Questions
from smartrouter.core.roster import Device, Roster, regrouped
from smartrouter.core.shortcuts import Shortcuts
from smartrouter.core.uploads import Uploads, Usual
from smartrouter.core.volume import Volume

AFTER_OUTAGE = 900.0  # seconds during which an unnamed attempt passes after the guard was away
KEEP_EVERY = 60.0  # seconds between two records of a device's progress
UNUSED_EVERY = 3600.0  # seconds between two looks for what was not used for long


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
        self.roster = Roster(settings, learning_until=learning_until, fresh_forever=fresh_forever)
        self.counts: Counter[Reason] = Counter()  # packets judged, by reason
        self._naming = Naming(self.roster)
        self._detection = Detection(self.roster)
        self._hellos = Hellos(self.roster, self._naming, self._detection)
        flows = Flows()
        self.shortcuts = Shortcuts(self.roster, self._naming)
        self._attempts = Attempts(
            self.roster, self._naming, self._detection, flows, self._hellos, self.shortcuts
        )
        self._questions = Questions(self.roster, self._naming, self._detection, flows)
        self._volume = Volume(self.roster, self._naming)
        self._paused_until = -inf
        self._after_outage_until = -inf
        self._last_tick: float | None = None
        self._last_kept = -inf
        self._last_unused = -inf
        registrable_domain("example.com")  # reads its list now, while no packet waits for it

    def handle(self, event: Event, now: Moment) -> list[Effect]:
        """What to do about `event`.

        For a packet there is exactly one `Verdict` in the list, unless the kernel has settled it; only
        `AdmitReplies`, `DismissReplies`, `Inspect`, `Cut` and `Unsettle` stand before it, and must have taken
        effect before it is given. Wherever `Unsettle` stands, it must have taken effect before what comes of
        the event is known to anybody.
        """
        if isinstance(event, FlowOpened):
            effects = self._attempts.opened(event, now)
        else:
            effects = self._handle(event, now)
        roster = self.roster
        if roster.doubts:
            effects += self.shortcuts.doubted(now)
        for effect in effects:
            if type(effect) is Verdict:
                self.counts[effect.reason] += 1
                break
        if roster.changes or roster.evicted:
            effects += self._turnover()
        return effects

    def repeat(self, event: FlowOpened) -> Repeat | None:
        """What further packets may be compared with, that differ from this one in their source port and
        sequence number at most; None if each must be handled.

        As long as it `holds`, such a packet gets `repeat.verdict`, and is then told with `repeated`. One that
        `is_nameless` is handled as ever after its verdict, as long as the judge `hears`: its first data may
        be wanted for a label.
        """
        return self._attempts.repeat(event)

    def era(self, running: float) -> object:
        """The present one, see `core.eras`: any thread may ask."""
        return self.roster.eras.at(running)

    def hears(self, mac: str, now: Moment) -> bool:
        """Is there room for another connection of this device whose first data is looked at?"""
        return self._hellos.hears(mac, now.running)

    def repeated(self, packets: Collection[Repeated], now: Moment, *, judged: bool = True) -> list[Effect]:
        """What to do about packets that got the verdict of earlier ones; not `judged`: from the kernel."""
        if judged:
            self.counts.update([repeat.reason for repeat, _, _ in packets])
        effects, others = self._attempts.repeated(packets, now)
        if self.roster.doubts:
            effects += self.shortcuts.doubted(now)
        for repeat, source_port, sequence in others:
            settled = Shortcut.KNOWN if repeat.accept else Shortcut.BLOCKED
            effects += self.handle(another(repeat, source_port, sequence, settled), now)
        return effects

    def answered(self, answers: Collection[Answer], now: Moment) -> list[tuple[int, list[Effect]]]:
        """What to do about DNS replies, one packet each, before any of them goes on, which all of them do.
        The effects come with the place among `answers` of the reply that they come of (the last one, if they
        come of several)."""
        found = self._naming.answered(answers, now)
        if self.roster.doubts:
            found.append((len(answers) - 1, self.shortcuts.doubted(now)))
        self.counts[Reason.DNS_REPLY] += len(answers)
        return found

    def still(self, changes: list[Know | Block | Deny]) -> list[Know | Block | Deny]:
        """Those of `changes`, said earlier, that still hold."""
        return [change for change in changes if self.shortcuts.holds(change)]

    def _handle(self, event: NoFlow, now: Moment) -> list[Effect]:
        match event:
            case DnsAsked():
                return self._questions.asked(event, now)
            case DnsAnswered():
                return self._questions.answered(event, now)
            case HelloHeard():
                return self._hellos.heard(event, now)
            case PacketUnreadable():
                return self._attempts.unreadable(event)
            case Tick():
                return self._tick(now)
            case AddressClaimed():
                return self._detection.uses(event.mac, event.address, now)
            case IdentityDoubted():
                return self._detection.doubted(event, now)
            case LookedUp():
                return self._naming.looked_up(event, now)
            case Carried():
                return self._volume.carried(event, now)
            case ConnectionsOpen():
                return self._open(event, now)
            case SettledBefore():
                return [
                    effect
                    for pair, shortcut in event.pairs
                    for effect in self.shortcuts.taken_up(pair, shortcut, now)
                ]
            case _:
                return self._told(event, now)

    def _told(
        self,
        event: DeviceSeen
        | SettingsChanged
        | LearningRestarted
        | LearningFinished
        | LearningTakenOver
        | DestinationForgotten
        | Paused
        | OutageEnded,
        now: Moment,
    ) -> list[Effect]:
        """What discovery, the configuration or the user says."""
        match event:
            case DeviceSeen():
                device = self.roster.device(event.mac)
                device.iot, device.on_iot_network = event.iot, event.on_iot_network
                maker = organisation(event.maker)
                if maker != device.maker:
                    device.maker = maker
                    self.roster.clear_precedents()  # who is related to whom has changed
                return self._without_replies(self.roster.refresh(device))
            case SettingsChanged():
                effects = self.roster.configure(event.settings)
                self._naming.configure()
                return self._without_replies(effects)
            case LearningRestarted():
                device = self.roster.device(event.mac)
                device.learning.restart()
                self.roster.doubt(device)
                return [*self.roster.refresh(device), *self.roster.keep(device)]
            case LearningFinished():
                device = self.roster.device(event.mac)
                device.learning.finish(settled=True)
                return [*self.roster.refresh(device), *self.roster.keep(device)]
            case LearningTakenOver():
                return self._taken_over(event, now)
            case DestinationForgotten():
                return self._forgotten(event)
            case Paused():
                self._paused_until = now.running + event.seconds
                return self._suspended(now)
            case OutageEnded():
                self._after_outage_until = now.running + AFTER_OUTAGE
                protected = [each for each in self.roster.devices.values() if not each.standing.learning]
                lookups = [effect for each in protected for effect in self._naming.refresh(each, now.running)]
                return [*self._suspended(now), *lookups]
            case _:
                assert_never(event)

    def _open(self, event: ConnectionsOpen, now: Moment) -> list[Effect]:
        effects: list[Effect] = []
        for flow in event.flows:
            mac = self._detection.user_of(flow.client)
            if mac:
                effects += self.shortcuts.open_connection(mac, flow, now)
        return effects

    def restore(
        self,
        mac: str,
        progress: Progress,
        learned: Mapping[Destination, Seen],
        names: Iterable[tuple[str, str, int, float]],
        now: Moment,
        aliases: Iterable[tuple[str, str, float]] = (),
        usual: Mapping[Destination, Usual] | None = None,
    ) -> None:
        """Take a device up where an earlier guard left it.

        `names`: (address, name, ttl, told_at), `aliases`: (target, head, seen_at), oldest first; both times
        in epoch seconds. A time in the future (the clock was set back) counts as now. `usual`: what it sends
        in an hour.

        Another `match` may have been configured meanwhile. Under `chain` a host may have been learned by
        itself, as what a known question led to: it must not come to stand for its whole domain.
        """
        device = self.roster.device(mac)
        match = self.roster.settings.match
        device.learning = Learning(progress, learned if match is Match.CHAIN else regrouped(learned, match))
        device.kept = progress
        device.uploads = Uploads(usual)
        for address, name, ttl, told_at in names:
            device.book.tell(address, name, ttl, now.running - max(0.0, now.wall - told_at))
        for target, head, seen_at in aliases:
            device.aliases.tell(head, (target,), now.running - max(0.0, now.wall - seen_at))
        self.roster.refresh(device)

    def addresses(self) -> dict[str, str]:
        """The local addresses of watched devices, each with the MAC that was the last to use it."""
        devices = self.roster.devices
        watched = {mac for mac, device in devices.items() if device.watched}
        return {address: mac for address, mac in self._detection.claims.users() if mac in watched}

    def paused_for(self, now: Moment) -> float:
        """Seconds that a pause still lasts; 0 if there is none."""
        return max(0.0, self._paused_until - now.running)

    def finds(self, mac: str, name: str, address: str, service: str, now: Moment) -> Reason:
        """What an attempt of `mac` at `address`, called `name` ('': nobody told it one), would be by what it
        knows now; rules and requests for the time apart. Changes nothing."""
        return self._attempts.finds(mac, name, address, service, now)

    # -- time, and what the user says ----------------------------------------------------------------

    def _tick(self, now: Moment) -> list[Effect]:
        effects: list[Effect] = []
        passed = 0.0 if self._last_tick is None else max(0.0, now.running - self._last_tick)
        self._last_tick = now.running
        keep_all = now.running - self._last_kept >= KEEP_EVERY
        if keep_all:
            self._last_kept = now.running
        look_for_unused = now.running - self._last_unused >= UNUSED_EVERY
        if look_for_unused:
            self._last_unused = now.running
        most = self.roster.room_to_learn()
        for device in self.roster.devices.values():
            device.learning.most = most
            if device.learning.observed(passed):
                device.clear_precedents()  # what it uses is to be noted once more
            moved_on = device.kept.state is not device.learning.progress.state
            if self.roster.end_learning_if_due(device, now.running) or keep_all or moved_on:
                effects += self.roster.keep(device)
            effects += self._detection.overdue(device.mac, now)
            effects += self._volume.hour_over(device, now)
            if look_for_unused and not device.standing.learning:
                effects += self._expired(device, now)
        self._naming.expire(now.running)
        effects += self.shortcuts.tick(now)
        if self.roster.paused or self.roster.after_outage:
            effects += self._suspended(now)
        return effects

    def _expired(self, device: Device, now: Moment) -> list[Effect]:
        """What `device` has not used for long is known no more."""
        effects: list[Effect] = []
        for destination in device.learning.unused(self.roster.settings.unused_after):
            device.learning.forget(destination)
            device.uploads.forget(destination)
            self.roster.doubt(device)
            about = notes.about_device(
                device.mac, Kind.UNUSED, Reason.UNUSED, now, destination=destination.name,
                detail="it was learned, and then not used for long",
            )  # fmt: skip
            effects += [
                Forget(device.mac, destination),
                Raise(about._replace(service=destination.service)),
            ]
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
        self._detection.drop(device.mac)
        return [*self._naming.let_go(device), *self.shortcuts.let_go(device)]

    def _suspended(self, now: Moment) -> list[Effect]:
        """Work out whether a pause, or the time after an outage, is on; tell every device if it changed."""
        paused, after_outage = self._paused_until > now.running, self._after_outage_until > now.running
        if (paused, after_outage) == (self.roster.paused, self.roster.after_outage):
            return []
        self.roster.paused, self.roster.after_outage = paused, after_outage
        return self.roster.refresh_all()

    def _taken_over(self, event: LearningTakenOver, now: Moment) -> list[Effect]:
        """The device is what it was under its other MAC: what it learned there is known, and how far its
        learning was counts, if that is further."""
        other = self.roster.devices.get(event.other)
        if other is None:
            return []
        device = self.roster.device(event.mac)
        before = device.learning.learned
        device.learning = device.learning.joined(other.learning)
        device.uploads = device.uploads.joined(other.uploads)
        aliases = other.aliases.pairs()
        for target, head in aliases:
            device.aliases.tell(head, (target,), now.running)
        self.roster.doubt(device)
        learned = device.learning.learned
        return [
            *(Learn(event.mac, each, seen, now.wall) for each, seen in learned.items() if each not in before),
            *(NameAlias(event.mac, target, head, now.wall) for target, head in aliases),
            *(KeepUsual(event.mac, each, usual) for each, usual in device.uploads.usual.items()),
            *self.roster.refresh(device),
            *self.roster.keep(device),
        ]

    def _forgotten(self, event: DestinationForgotten) -> list[Effect]:
        device = self.roster.devices.get(event.mac)
        if device is None:
            return []
        gone = [
            destination
            for destination in device.learning.learned
            if event.name in ("*", destination.name) and event.service in ("", destination.service)
        ]
        for destination in gone:
            device.learning.forget(destination)
            device.uploads.forget(destination)
        self.roster.doubt(device)
        return [Forget(event.mac, destination) for destination in gone]
