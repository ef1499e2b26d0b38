# SPDX-License-Identifier: GPL-2.0-or-later
"""Which pairs the kernel settles by itself, and when it must ask again.

A pair is a device, an address, a protocol and a port. Known ones pass without waking anybody; what was
refused a moment ago is refused again; what a rule denies is cut, even if it is open. Only what the device
has learned, or a rule allows, by the *newest* name of the address, ever becomes known: whatever the mode, an
unknown pair is asked for each time.

The mirror of what the kernel holds is kept here; the kernel is never listed but once, when a guard starts.
Whatever may change a decision is a doubt (`Roster.doubt`): the pairs concerned are looked at again within the
same event, and what no longer holds is taken out before the event's verdict, or its acknowledgement. What
only time changes shows on a round that comes to every pair within a minute or so.

Bounded, of each device and in all. Knows no clock and no set: `now` is an argument.
"""

from collections import Counter
from collections.abc import Mapping
from math import inf

from smartrouter.core.destinations import service_of
from smartrouter.core.effects import Block, Deny, Disconnect, Effect, Flow, Know, Pair, Unsettle
from smartrouter.core.events import TCP, FlowOpened, Moment, Shortcut
from smartrouter.core.familiarity import Familiar, decision_on, familiar
from smartrouter.core.naming import Naming
from smartrouter.core.policy import Action, Attempted, Decision, Reason, ends_in, ruling
from smartrouter.core.roster import Device, Roster

KNOWN_FOR = 172_800.0  # seconds; a pair in use is renewed when half of them are over
BLOCKED_FOR = 60.0
DENIED_FOR = 432_000.0  # as long as the kernel remembers a silent connection that could not be forgotten
MAX_OF_ONE = {Shortcut.KNOWN: 4096, Shortcut.BLOCKED: 256, Shortcut.DENIED: 1024}
MAX_IN_ALL = {Shortcut.KNOWN: 65_536, Shortcut.BLOCKED: 12_288, Shortcut.DENIED: 12_288}
A_ROUND = 256  # pairs that are looked at again with each tick
_SAY_AGAIN = 60.0  # seconds until a pair, of which the kernel still asks, is told once more
_SLACK = 1.0  # seconds that a pair is thought to be in the kernel beyond its time
_HTTPS_PORT = 443
_PORTS = 256  # numbers of ports that are kept once
_TRANSIENT = frozenset((Reason.AWAITING_HELLO, Reason.UNKNOWN_HELLO, Reason.SPOOFED_SOURCE))


class Settled:
    """How one pair is settled, until when (running seconds), for how long the kernel was told, and whether it
    was used since."""

    __slots__ = ("seconds", "shortcut", "until", "used")

    def __init__(self, shortcut: Shortcut, seconds: float, until: float):
        self.shortcut = shortcut
        self.seconds = seconds  # nearly always the same object: of two times of its own each has one
        self.until = until
        self.used = False

    @property
    def said(self) -> float:
        """When the kernel was told."""
        return self.until - _SLACK - self.seconds


class Shortcuts:
    """See the module."""

    def __init__(self, roster: Roster, naming: Naming):
        self._roster = roster
        self._naming = naming
        self._settled: dict[Pair, Settled] = {}
        self._round: list[Pair] = []  # those that this round comes to yet, the next one last
        self._ports: dict[int, int] = {}  # so that equal ports of pairs are one object
        self._counts: Counter[tuple[str, Shortcut]] = Counter()  # by MAC, and by '' for all

    def __len__(self) -> int:
        return len(self._settled)

    def counts(self) -> Mapping[Shortcut, int]:
        """How many pairs are settled in each way."""
        return {shortcut: self._counts["", shortcut] for shortcut in Shortcut}

    def wanted(self, now: Moment) -> list[Know | Block | Deny]:
        """All that the kernel should hold: for sets that somebody took away."""
        return [
            _settling(pair, settled.shortcut, settled.until - _SLACK - now.running, again=False)
            for pair, settled in self._settled.items()
            if settled.until - _SLACK > now.running
        ]

    def holds(self, change: Know | Block | Deny) -> bool:
        """Is the pair still to be settled so?"""
        settled = self._settled.get(change.pair)
        return settled is not None and settled.shortcut is _SHORTCUT_OF[type(change)]

    # -- what a decision leads to --------------------------------------------------------------------------

    def used(self, event: FlowOpened) -> None:
        """The kernel settled a connection of this pair."""
        settled = self._settled.get(_pair(event))
        if settled is not None:
            settled.used = True

    def decided(
        self,
        device: Device,
        event: FlowOpened,
        attempted: Attempted,
        found: Familiar,
        decision: Decision,
        now: Moment,
    ) -> list[Effect]:
        """An attempt to the outside was decided so: may the kernel decide the next ones?"""
        if decision.accept:
            if not self._lasts(device, attempted, found.is_newest, decision, now.wall):
                return []
            shortcut, seconds = Shortcut.KNOWN, KNOWN_FOR
        else:
            if event.asks_time or self._may_hear(attempted, event.protocol, event.destination_port, decision):
                return []
            shortcut, seconds = Shortcut.BLOCKED, BLOCKED_FOR
        return self._settle(
            _pair(event), shortcut, min(seconds, ends_in(device.rules, now.wall)), now.running
        )

    def _lasts(
        self, device: Device, attempted: Attempted, is_newest: bool, decision: Decision, wall: float
    ) -> bool:
        """Does an attempt that may pass, pass by what the device has learned, or by a rule, and by the newest
        name?"""
        if decision.reason is Reason.LEARNED:
            return is_newest
        if decision.reason is not Reason.ALLOWED_BY_RULE:
            return False
        newest = attempted._replace(called=attempted.called[:1])
        return ruling(device.rules, newest, wall) is Action.ALLOW

    def _may_hear(self, attempted: Attempted, protocol: int, port: int, decision: Decision) -> bool:
        """Might the next such attempt be let begin, for the server name in its first data?"""
        if decision.reason in _TRANSIENT:
            return True
        judged_so = self._roster.settings.judge_by_hello and port == _HTTPS_PORT and protocol == TCP
        return judged_so and not attempted.called and decision.reason is not Reason.DENIED_BY_RULE

    def _settle(self, pair: Pair, shortcut: Shortcut, seconds: float, running: float) -> list[Effect]:
        """Have the kernel settle `pair` so. If it asks about one that it should know, it has lost it."""
        effects: list[Effect] = []
        before = self._settled.get(pair)
        if before is not None and before.shortcut is shortcut:
            if running < min(before.until, before.said + _SAY_AGAIN):
                return []
            self._drop(pair)
        elif before is not None:
            if before.shortcut is Shortcut.DENIED and shortcut is Shortcut.BLOCKED:
                return []
            effects += self._unsettle(pair)
        if self._is_full(pair.mac, shortcut):
            return effects
        pair = pair._replace(port=self._same_port(pair.port))
        self._settled[pair] = Settled(shortcut, seconds, running + seconds + _SLACK)
        of_device = self._roster.devices[pair.mac].settled
        others = _pairs_at(of_device, pair.address)
        of_device[pair.address] = [*others, pair] if others else pair
        self._counts[pair.mac, shortcut] += 1
        self._counts["", shortcut] += 1
        return [*effects, _settling(pair, shortcut, seconds, again=before is not None)]

    def _same_port(self, port: int) -> int:
        if len(self._ports) >= _PORTS:
            self._ports.clear()
        return self._ports.setdefault(port, port)

    def _is_full(self, mac: str, shortcut: Shortcut) -> bool:
        counts = self._counts
        return counts[mac, shortcut] >= MAX_OF_ONE[shortcut] or counts["", shortcut] >= MAX_IN_ALL[shortcut]

    def _unsettle(self, pair: Pair) -> list[Effect]:
        was = self._drop(pair)
        return [] if was is None else [Unsettle(pair, was)]

    def _drop(self, pair: Pair) -> Shortcut | None:
        settled = self._settled.pop(pair, None)
        if settled is None:
            return None
        device = self._roster.devices.get(pair.mac)
        if device is not None:
            left = [each for each in _pairs_at(device.settled, pair.address) if each != pair]
            if left:
                device.settled[pair.address] = left if len(left) > 1 else left[0]
            else:
                del device.settled[pair.address]
        for mac in (pair.mac, ""):
            self._counts[mac, settled.shortcut] -= 1
            if not self._counts[mac, settled.shortcut]:
                del self._counts[mac, settled.shortcut]
        return settled.shortcut

    # -- what takes it back ----------------------------------------------------------------------------------

    def doubted(self, now: Moment) -> list[Effect]:
        """Look again at what is in doubt; no doubt is left."""
        doubts, self._roster.doubts = self._roster.doubts, {}
        effects: list[Effect] = []
        for mac, addresses in doubts.items():
            device = self._roster.devices.get(mac)
            if device is None:
                continue
            of_device = device.settled
            for address in list(of_device) if addresses is None else [a for a in addresses if a in of_device]:
                for pair in _pairs_at(of_device, address):
                    effects += self._look_again(pair, now)
        return effects

    def let_go(self, device: Device) -> list[Effect]:
        """The device is gone, or watched no more."""
        pairs = [pair for address in device.settled for pair in _pairs_at(device.settled, address)]
        return [effect for pair in pairs for effect in self._unsettle(pair)]

    def tick(self, now: Moment) -> list[Effect]:
        """Go on with the round."""
        effects: list[Effect] = []
        if not self._round:
            self._round = list(reversed(self._settled))
        turn = self._round[-A_ROUND:]
        del self._round[-A_ROUND:]
        for pair in reversed(turn):
            settled = self._settled.get(pair)
            if settled is None:  # taken out since the round began
                continue
            if settled.until <= now.running:
                self._drop(pair)
                continue
            again = self._look_again(pair, now)
            is_old = settled.until - now.running < KNOWN_FOR / 2
            if not again and settled.shortcut is Shortcut.KNOWN and settled.used and is_old:
                again = self._renewed(pair, settled, now)
            effects += again
        return effects

    def _renewed(self, pair: Pair, settled: Settled, now: Moment) -> list[Effect]:
        seconds = min(KNOWN_FOR, ends_in(self._roster.devices[pair.mac].rules, now.wall))
        if now.running + seconds <= settled.until:
            return []
        settled.seconds, settled.until, settled.used = seconds, now.running + seconds + _SLACK, False
        return [Know(pair, seconds, again=True)]

    def _look_again(self, pair: Pair, now: Moment) -> list[Effect]:
        """Take out what does not hold any more. What was known and is denied now is cut."""
        settled = self._settled[pair]
        device = self._roster.devices.get(pair.mac)
        should_be = None if device is None else self._should_be(device, pair, now)
        if should_be is settled.shortcut:
            return []
        if settled.shortcut is Shortcut.BLOCKED and should_be is Shortcut.DENIED:
            return []
        effects = self._unsettle(pair)
        if device is not None and should_be is Shortcut.DENIED:
            effects += self._settle(pair, Shortcut.DENIED, _denied_for(device, now), now.running)
        return effects

    def _should_be(self, device: Device, pair: Pair, now: Moment) -> Shortcut | None:
        """How the kernel may settle this pair by what is known now."""
        if not device.watched:
            return None
        service = service_of(pair.protocol, pair.port)
        attempted = Attempted(pair.address, service, self._naming.called(device, pair.address, now.running))
        found = familiar(self._roster, device, attempted, pair.port, now.running)
        decision = decision_on(self._roster, device, attempted, found, pair.protocol, pair.port, now.wall)
        if decision.reason is Reason.DENIED_BY_RULE:
            return Shortcut.DENIED
        if not decision.accept:
            if device.once and self._roster.once.may(device.once, attempted, now.wall):
                return None
            return None if self._may_hear(attempted, pair.protocol, pair.port, decision) else Shortcut.BLOCKED
        return Shortcut.KNOWN if self._lasts(device, attempted, found.is_newest, decision, now.wall) else None

    # -- what is there already -------------------------------------------------------------------------------

    def taken_up(self, pair: Pair, shortcut: Shortcut, now: Moment) -> list[Effect]:
        """An earlier guard had the kernel settle this pair. Keep it if it still holds."""
        if pair.mac not in self._roster.devices or self._is_full(pair.mac, shortcut):
            return [Unsettle(pair, shortcut)]
        longest = {Shortcut.KNOWN: KNOWN_FOR, Shortcut.BLOCKED: BLOCKED_FOR, Shortcut.DENIED: DENIED_FOR}
        self._settle(pair, shortcut, longest[shortcut], now.running)
        self._settled[pair].seconds = inf  # nobody knows when the kernel was told: long ago
        return self._look_again(pair, now)

    def open_connection(self, mac: str, flow: Flow, now: Moment) -> list[Effect]:
        """This connection of `mac` is open. Cut it if it is denied."""
        device = self._roster.devices.get(mac)
        pair = Pair(mac, flow.address, flow.protocol, flow.port)
        if device is None or self._should_be(device, pair, now) is not Shortcut.DENIED:
            return []
        seconds = _denied_for(device, now)
        return [*self._settle(pair, Shortcut.DENIED, seconds, now.running), Disconnect(flow)]


def _pairs_at(settled: Mapping[str, Pair | list[Pair]], address: str) -> list[Pair]:
    """A device's pairs with this address."""
    found = settled.get(address, [])
    return [found] if isinstance(found, Pair) else list(found)


def _pair(event: FlowOpened) -> Pair:
    return Pair(event.mac, event.destination, event.protocol, event.destination_port)


_SHORTCUT_OF = {Know: Shortcut.KNOWN, Block: Shortcut.BLOCKED, Deny: Shortcut.DENIED}


def _settling(pair: Pair, shortcut: Shortcut, seconds: float, *, again: bool) -> Know | Block | Deny:
    match shortcut:
        case Shortcut.KNOWN:
            return Know(pair, seconds, again)
        case Shortcut.BLOCKED:
            return Block(pair, seconds)
        case Shortcut.DENIED:
            return Deny(pair, seconds)


def _denied_for(device: Device, now: Moment) -> float:
    return min(DENIED_FOR, ends_in(device.rules, now.wall))
