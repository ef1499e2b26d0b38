# SPDX-License-Identifier: GPL-2.0-or-later
"""The devices that the judge knows, and how each of them stands at the moment.

A device's standing follows from the settings, from what discovery says of it, from its learning, and from
a pause or an outage that concerns all. It is worked out when one of these changes, never per packet.
Bounded: when the roster is full, a device goes that is neither configured nor protected, if there is one.
"""

from collections import OrderedDict
from collections.abc import Mapping
from itertools import islice
from math import inf

from smartrouter.core.destinations import Destination, Match, group_of, is_address
from smartrouter.core.effects import Effect, Enforce, Keep, Pair, Relax, Unwatch, Watch
from smartrouter.core.eras import Eras
from smartrouter.core.learning import MAX_IF_MANY, MAX_IN_ALL, MAX_LEARNED, Learning, Seen, State
from smartrouter.core.once import Once
from smartrouter.core.policy import (
    Action,
    DeviceSettings,
    Mode,
    NewDevices,
    Rule,
    Settings,
    Standing,
    Watching,
)
from smartrouter.core.precedents import Precedent
from smartrouter.core.told.addresses import AddressBook
from smartrouter.core.told.aliases import Aliases
from smartrouter.core.uploads import Uploads

MAX_DEVICES = 2048
MAX_RELATIVES = 64  # that are asked what they know
STALE_AFTER = 3600.0  # seconds past its TTL after which a name is stale


class Device:
    """What the judge knows of one device."""

    __slots__ = (
        "_eras", "aliases", "answered", "book", "clients", "enforced", "hellos", "iot", "kept", "learning",
        "mac", "maker", "on_iot_network", "once", "precedents", "rules", "serial", "settled", "standing",
        "told", "uploads", "watched",
    )  # fmt: skip

    def __init__(self, mac: str, book: AddressBook, eras: Eras):
        self._eras = eras
        self.mac = mac
        self.book = book
        self.learning = Learning()
        self.kept = self.learning.progress  # as it was last handed out to be kept
        self.told = DeviceSettings(mac)  # the user's word
        self.rules: tuple[Rule, ...] = ()
        self.once: tuple[Rule, ...] = ()  # those that end with one connection
        self.standing = Standing()
        self.iot: bool | None = None  # discovery's word; None: cannot tell
        self.on_iot_network = False
        self.watched = False
        self.enforced = False
        self.uploads = Uploads()
        self.clients: OrderedDict[str, None] = OrderedDict()  # its addresses whose DNS replies are queued
        self.aliases = Aliases()
        self.hellos: OrderedDict[str, str] = OrderedDict()  # address -> server name in its first data
        self.answered = -inf  # running time of the last DNS reply to it
        self.maker = ""  # as `kinship.organisation` has it
        self.precedents: dict[tuple[str, int, int], Precedent] = {}  # by address, protocol, port
        self.serial = 0  # how often `precedents` were cleared
        # What the kernel settles by itself, by address: nearly always one pair, and there are very many.
        self.settled: dict[str, Pair | list[Pair]] = {}

    def clear_precedents(self) -> None:
        """What was decided before is to be decided anew."""
        self.precedents.clear()
        self.serial += 1
        self._eras.end()


class Roster:
    """See the module. `paused`, `after_outage`: concern every device; call `refresh_all` after a change.
    `learning_until`, `fresh_forever`: see `judge.Judge`.

    A new device may have another one go. `changes` and `evicted` hold what came of packets until somebody
    empties them; `doubts`, what the kernel may settle no more without another look, and so does `doubted`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        learning_until: Mapping[str, float] | None = None,
        fresh_forever: bool = False,
    ):
        self.settings = settings
        self._learning_until = learning_until
        self.paused = False
        self.after_outage = False
        self.once = Once()
        self.eras = Eras()
        self.devices: OrderedDict[str, Device] = OrderedDict()
        self.changes: list[Effect] = []  # what the kernel's sets must learn of devices that `queued` made
        self.evicted: list[Device] = []  # those that had to go
        self.doubts: dict[str, set[str] | None] = {}  # MAC -> addresses, None for all
        self._stale_after = inf if fresh_forever else STALE_AFTER
        for mac in settings.devices:
            self.device(mac)
        self.refresh_all()  # the first ruleset is made after us

    def device(self, mac: str) -> Device:
        """The device with this MAC; made if it is new, and then to be refreshed."""
        device = self.devices.get(mac)
        if device is not None:
            return device
        if len(self.devices) >= MAX_DEVICES:
            self._make_room()
        book = AddressBook(grace=self.settings.name_grace, stale_after=self._stale_after)
        device = self.devices[mac] = Device(mac, book, self.eras)
        return device

    def queued(self, mac: str) -> Device:
        """The device whose packet came. The kernel queues watched devices only: one that we have not
        heard of is on an IoT network, and discovery has not come to it yet."""
        device = self.devices.get(mac)
        if device is None:
            device = self.device(mac)
            device.on_iot_network = True
            self.changes += self.refresh(device)
        return device

    def doubt(self, device: Device, address: str | None = None) -> None:
        """What `device` is told of `address`, or (None) anything about it, has changed: earlier decisions
        are no precedents any more."""
        if device.precedents:
            device.clear_precedents()
        if address is None:
            if device.settled:
                self.doubts[device.mac] = None
        elif address in device.settled:
            doubted = self.doubts.setdefault(device.mac, set())
            if doubted is not None:
                doubted.add(address)

    def clear_precedents(self) -> None:
        """Nobody's earlier decisions are precedents any more."""
        for device in self.devices.values():
            device.clear_precedents()

    def relatives(self, device: Device) -> list[Device]:
        """Other devices of the same maker, some at least."""
        if not device.maker:
            return []
        others = (other for other in self.devices.values() if other.maker == device.maker)
        return list(islice((other for other in others if other is not device), MAX_RELATIVES))

    def configure(self, settings: Settings) -> list[Effect]:
        """Take up new settings; yields what the kernel's sets must learn of them."""
        if settings.match is not self.settings.match:
            for device in self.devices.values():
                learning = device.learning
                device.learning = Learning(learning.progress, regrouped(learning.learned, settings.match))
        if _unlike(settings, self.settings):
            for device in self.devices.values():
                self.doubt(device)
        self.settings = settings
        self.once.keep(settings.rules)
        for mac in settings.devices:
            self.device(mac)
        for device in self.devices.values():
            device.book.grace = settings.name_grace
        return self.refresh_all()

    def refresh_all(self) -> list[Effect]:
        """`refresh` every device."""
        return [effect for device in self.devices.values() for effect in self.refresh(device)]

    def refresh(self, device: Device) -> list[Effect]:
        """Work out anew how `device` stands; yields what the kernel's sets must learn of it."""
        settings = self.settings
        before = device.standing, device.rules, device.once, device.watched
        device.told = told = settings.devices.get(device.mac, DeviceSettings(device.mac))
        rules = [rule for rule in settings.rules if rule.device in ("*", device.mac)]
        device.once = tuple(rule for rule in rules if rule.once and rule.action is Action.ALLOW)
        device.rules = tuple(rule for rule in rules if rule not in device.once)
        enforcing = (told.mode or settings.mode) is Mode.ENFORCE
        # On a network of things, what looks like a person's is as unknown: anybody can make a MAC up.
        unknown = device.iot is None or (device.on_iot_network and not device.iot)
        undecided = told.watch is Watching.AUTO and unknown
        isolated = undecided and settings.new_devices is NewDevices.ISOLATE
        device.standing = Standing(
            learning=not isolated and device.learning.progress.state is not State.PROTECTED,
            isolated=isolated,
            enforcing=enforcing,
            paused=self.paused,
            after_outage=self.after_outage and settings.fail_open,
        )
        watched = self._is_watched(device)
        enforced = watched and (enforcing or isolated) and not self.paused
        effects: list[Effect] = []
        if watched is not device.watched:
            effects.append(Watch(device.mac) if watched else Unwatch(device.mac))
        if enforced is not device.enforced:
            effects.append(Enforce(device.mac) if enforced else Relax(device.mac))
        device.watched, device.enforced = watched, enforced
        if (device.standing, device.rules, device.once, device.watched) != before:
            self.doubt(device)
        return effects

    def end_learning_if_due(self, device: Device, running: float) -> bool:
        """End the learning of `device` if it is time; True if it ended just now."""
        if not device.standing.learning or not device.learning.started():
            return False
        settled: bool | None
        if self._learning_until is not None:
            settled = True if running > self._learning_until.get(device.mac, inf) else None
        else:
            settled = device.learning.ended_by(self.settings.learning)
        if settled is None:
            return False
        device.learning.finish(settled=settled)
        device.standing = device.standing._replace(learning=False)
        self.doubt(device)
        return True

    def room_to_learn(self) -> int:
        """How many destinations each device may learn, as much as all of them have learned."""
        learned = sum(len(device.learning.learned) for device in self.devices.values())
        return MAX_LEARNED if learned < MAX_IN_ALL else MAX_IF_MANY

    def learning_ends_at(self, device: Device) -> float:
        """The running time at which its learning ends, whatever it learns; infinite where that is not set."""
        if self._learning_until is None or not device.standing.learning:
            return inf
        return self._learning_until.get(device.mac, inf)

    def keep(self, device: Device) -> list[Effect]:
        """Have the progress of `device` kept, if it has changed."""
        if device.learning.progress == device.kept:
            return []
        device.kept = device.learning.progress
        return [Keep(device.mac, device.kept)]

    def _is_watched(self, device: Device) -> bool:
        if device.told.watch is not Watching.AUTO:
            return device.told.watch is Watching.ALWAYS
        if device.on_iot_network or device.iot is not None:
            return device.on_iot_network or bool(device.iot)
        return self.settings.new_devices in (NewDevices.LEARN, NewDevices.ISOLATE)

    def _make_room(self) -> None:
        """Have the oldest device go, of those that matter least: who makes MACs up to fill the roster pushes
        out others of that sort before any device that has been learning for a while."""
        configured = self.settings.devices
        oldest = ["", "", ""]
        for mac, device in self.devices.items():
            progress = device.learning.progress
            lasting = mac in configured or progress.state is State.PROTECTED
            worth = 2 if lasting else int(progress.units > 1)
            oldest[worth] = oldest[worth] or mac
            if worth == 0:
                break
        self.evicted.append(self.devices.pop(oldest[0] or oldest[1] or oldest[2]))


def _unlike(settings: Settings, before: Settings) -> bool:
    """Do they differ in what concerns every device? What concerns one shows in its standing and rules."""
    of_each = Settings()
    same = {"devices": of_each.devices, "rules": of_each.rules, "mode": of_each.mode}
    return settings._replace(**same) != before._replace(**same)  # type: ignore[arg-type]


def regrouped(learned: Mapping[Destination, Seen], match: Match) -> dict[Destination, Seen]:
    """`learned` under the name groups of `match`.

    The way from domains to host names cannot be guessed: what was learned as a domain then stands for the
    bare domain name alone.
    """
    groups: dict[Destination, Seen] = {}
    for (name, service), seen in learned.items():
        group = Destination(name if is_address(name) else group_of(name, match), service)
        before = groups.get(group, seen)
        groups[group] = Seen(
            max(before.units, seen.units), max(before.last_unit, seen.last_unit), max(before.used, seen.used)
        )
    return groups
