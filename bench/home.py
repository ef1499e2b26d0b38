# SPDX-License-Identifier: GPL-2.0-or-later
"""The home that all measurements stand on: who lives there, what they know, what they send.

Pure. Fifty devices with 32 destinations each, 1,600 pairs: thirty that were learned, by names that a resolver
told, half of them behind an alias; one with a name that is new; one that nobody named, which every other
device has learned. So 3 % of the attempts are at addresses without a name (real devices: 0.3 to 3.5 %) and
about 5 % are news (real devices: 1.5 to 4 %). Forty devices are protected, ten still learn. Nothing is
blocked: the mode is `monitor`, the default.

`Mix` has two more kinds of traffic: the worst case, and what the kernel settles by itself.
"""

from collections.abc import Iterator
from enum import Enum
from random import Random
from typing import NamedTuple

from bench import frames
from smartrouter.core.destinations import Destination, Match, group_of, service_of
from smartrouter.core.events import TCP
from smartrouter.core.learning import Progress, Seen, State
from smartrouter.core.policy import DeviceSettings, Watching

DEVICES, DESTINATIONS, LEARNERS = 50, 32, 10
MACS = tuple(f"02:00:00:00:00:{number:02x}" for number in range(DEVICES))
ADDRESSES = tuple(f"192.168.77.{10 + number}" for number in range(DEVICES))
LAN_MAC, WAN_MAC = "02:00:00:00:01:01", "02:00:00:00:01:02"  # the router's
RESOLVER, RESOLVER_MAC = "9.9.9.9", "02:00:00:00:01:53"
HOSTS = KNOWN_HOST, STRANGE_HOST = "203.0.113.2", "203.0.113.4"  # where somebody answers
HOST_PORT = 443
TTL = 3600
# RFC 5737: nobody has these, and nobody here answers for them.
_NOWHERE = tuple(f"{net}.{host}" for net in ("198.51.100", "192.0.2") for host in range(1, 255))
_PORTS = (443, 443, 443, 443, 443, 443, 80, 8883)  # in turn: mostly the web's, some MQTT over TLS
_UNKNOWN, _UNNAMED = DESTINATIONS - 2, DESTINATIONS - 1
_SETTLED = Progress(state=State.PROTECTED, observed=10 * 86400.0, attempts=5000, units=200, unit=239,
                    settled=True)  # fmt: skip
_UNDER_WAY = Progress(state=State.LEARNING, observed=2 * 3600.0, attempts=200, units=2, unit=1)


class Place(NamedTuple):
    """A destination of a device. `name`: '' if nobody told one; `alias`: what the name leads to, or ''."""

    address: str
    port: int
    name: str
    alias: str
    learned: bool


class Resident(NamedTuple):
    """A device, and how the guard left it."""

    mac: str
    address: str
    maker: str
    progress: Progress
    places: tuple[Place, ...]

    @property
    def learned(self) -> dict[Destination, Seen]:
        """What it has learned."""
        seen = Seen(max(self.progress.units - 1, 1), self.progress.unit, self.progress.observed)
        found = {}
        for place in self.places:
            if place.learned:
                name = group_of(place.name, Match.CHAIN) if place.name else place.address
                found[Destination(name, service_of(TCP, place.port))] = seen
        return found

    def names(self, at: float) -> list[tuple[str, str, int, float]]:
        """Which (address, name, ttl, told_at) it was told, `at` epoch seconds."""
        return [(place.address, place.name, TTL, at) for place in self.places if place.name]

    def aliases(self, at: float) -> list[tuple[str, str, float]]:
        """Which (target, head, seen_at) it was told."""
        return [(place.alias, place.name, at) for place in self.places if place.alias]


def residents(destinations: int = DESTINATIONS) -> tuple[Resident, ...]:
    """Who lives there, each with so many destinations."""
    return tuple(_resident(number, destinations) for number in range(DEVICES))


def _resident(number: int, destinations: int) -> Resident:
    progress = _SETTLED if number < DEVICES - LEARNERS else _UNDER_WAY
    places = [_place(number, place, destinations) for place in range(destinations)]
    host = Place(KNOWN_HOST, HOST_PORT, "cloud.host.example", "", learned=True)
    return Resident(MACS[number], ADDRESSES[number], f"Maker {number % 10}", progress, (host, *places))


def _place(number: int, place: int, destinations: int) -> Place:
    address = _NOWHERE[(number * 11 + place * 13) % len(_NOWHERE)]
    port = _PORTS[place % len(_PORTS)]
    if place == destinations - 1:
        return Place(address, port, "", "", learned=number % 2 == 0)
    if place == destinations - 2:
        return Place(address, port, f"news.stranger-{number}.example", "", learned=False)
    alias = f"e{place}.edge-{number % 10}.example" if place % 2 else ""
    return Place(address, port, f"s{place}.service-{place // 2}.maker-{number % 10}.example", alias, True)


def settings() -> dict[str, DeviceSettings]:
    """What the user said: that all of them are watched."""
    return {mac: DeviceSettings(mac, watch=Watching.ALWAYS) for mac in MACS}


# -- what they send ----------------------------------------------------------------------------------------


class Mix(Enum):
    """Which SYNs are sent."""

    HOME = "what a home sends"
    STRANGERS = "news only, the worst case"
    KNOWN = "what is learned only"


def syns(count: int, mix: Mix = Mix.HOME, destinations: int = DESTINATIONS) -> Iterator[bytes]:
    """`count` SYNs, each of a connection of its own, the devices in turn, their places at random."""
    random = Random(7370)  # any number: the same traffic each time
    sources = [(each, _targets(each, mix)) for each in residents(destinations)]
    sources = [(each, places) for each, places in sources if places]
    for number in range(count):
        who, places = sources[number % len(sources)]
        place = random.choice(places)
        yield _syn(who, place, 10000 + number // len(sources) % 50000, random.getrandbits(31))


def everywhere() -> Iterator[bytes]:
    """A SYN of each device to each of its places."""
    for each in residents():
        for number, place in enumerate([*each.places, _stranger(MACS.index(each.mac))]):
            yield _syn(each, place, 1024 + number, number)


def one_syn_each(destinations: int) -> list[bytes]:
    """One SYN to each place that somebody has learned, and where nobody answers."""
    return [
        _syn(each, place, 5000 + number, number)
        for each in residents(destinations)
        for number, place in enumerate(_targets(each, Mix.KNOWN))
    ]


def _targets(who: Resident, mix: Mix) -> list[Place]:
    places = who.places[1:]  # where nobody answers
    match mix:
        case Mix.HOME:
            return list(places)
        case Mix.KNOWN:
            return [place for place in places if place.learned]
        case Mix.STRANGERS:
            # Of a device that learns they would be news only once.
            return [_stranger(MACS.index(who.mac))] if who.progress is _SETTLED else []


def _syn(who: Resident, place: Place, port: int, sequence: int) -> bytes:
    macs = (who.mac, LAN_MAC)
    return frames.syn(macs, who.address, port, place.address, place.port, sequence)


def _stranger(number: int) -> Place:
    """A place that nobody knows: its address is in no answer, and no other of its device's."""
    return Place(f"203.0.113.{100 + number}", 8443, "", "", learned=False)


def lookups(count: int) -> Iterator[tuple[bytes, bytes]]:
    """`count` queries with their answers, as frames. Half of the names are aliases, as real ones are (41 to
    63 %): two CNAMEs and four addresses, some 180 bytes; the others have one or two addresses."""
    home = residents()
    for number in range(count):
        who = home[number % len(home)]
        turn = number // len(home)
        place = who.places[1 + turn % _UNKNOWN]
        port, ident = 20000 + turn, number * 7919 % 65536
        aliases = [place.alias, f"{place.alias}.content.example"] if place.alias else []
        # Who asks the same gets the same answer: it is a name of the maker's, and most have fixed addresses.
        first = sum(map(ord, place.name)) * 7
        pool = range(4 if aliases else 1 + turn % 2)
        addresses = [_NOWHERE[(first + each * 31) % len(_NOWHERE)] for each in pool]
        asked = frames.query(ident, place.name)
        answered = frames.reply(ident, place.name, aliases, addresses)
        yield (
            frames.datagram((who.mac, LAN_MAC), who.address, port, RESOLVER, 53, asked),
            frames.datagram((RESOLVER_MAC, WAN_MAC), RESOLVER, 53, who.address, port, answered),
        )
