# SPDX-License-Identifier: GPL-2.0-or-later
"""All that one device has shown of itself so far, as evidence of what it is.

Who hears something of a device tells its portrait; live and replayed, it is the same. Where sources say
different things of one fact, DHCP goes before announcements, and the latest message that says anything about
it counts. Of what may be several (services, models, names) all are kept, up to a bound, the oldest out.
Bounded in all; can be stored as JSON. Knows nothing of packets; whose words they are, the teller must know.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from smartrouter.core.classification.evidence import Evidence
from smartrouter.core.classification.habits import Habits
from smartrouter.core.classification.signs import Announced, DhcpAsked, SynShape
from smartrouter.core.classification.stored import count, entries, entry, numbers, text, texts

MAX_TEXTS = 32  # of each sort
_MAX_TEXT = 253  # characters
_MAX_MAC = 17
_MAX_ID = 260  # hexadecimal digits
_MAX_PARAMS = 255
_MAX_SHAPES, _MAX_OPTIONS = 8, 40
_SHAPE_COUNTED_TO = 256  # then all count half, so that what was long ago does not count for ever
_DUID_IN_CLIENT_ID = "ff"  # RFC 4361 section 6.1: then four bytes for the interface, then the DUID


class Portrait:
    """See the module. `mac`: the device's."""

    __slots__ = (
        "_dhcp4",
        "_dhcp6",
        "_habits",
        "_hostname",
        "_ids",
        "_models",
        "_names",
        "_services",
        "_shapes",
        "mac",
    )

    def __init__(self, mac: str):
        self.mac = mac
        self._dhcp4 = DhcpAsked("", 4, 0)
        self._dhcp6 = DhcpAsked("", 6, 0)
        self._hostname = ""  # that it announced
        # Each a set that keeps its order, the latest at the end.
        self._services: dict[str, None] = {}
        self._models: dict[str, None] = {}
        self._names: dict[str, None] = {}
        self._ids: dict[str, None] = {}
        self._shapes: dict[SynShape, int] = {}  # how often each was seen
        self._habits = Habits(mac)

    def asked(self, asked: DhcpAsked) -> None:
        """It said this in DHCP."""
        if asked.version == 4:
            self._dhcp4 = _over(self._dhcp4, asked)
        else:
            self._dhcp6 = _over(self._dhcp6, asked)

    def announced(self, announced: Announced) -> None:
        """It announced this."""
        self._hostname = announced.hostname or self._hostname
        _add(self._services, announced.services)
        _add(self._models, announced.models)
        _add(self._names, announced.names)
        _add(self._ids, announced.ids)

    def opened(self, shape: SynShape | None, group: str, at: float) -> None:
        """It opened a connection. `shape`: None if it is not TCP, or nobody looked. `group`: a registrable
        domain, or an address without a name; '' for what counts as no attempt (within the LAN), of which
        only the shape tells anything. `at`: see `habits`."""
        if shape is not None:
            self._count(shape)
        if group:
            self._habits.opened(group, at)

    def named(self, name: str, at: float) -> None:
        """It asked for a domain name."""
        self._habits.asked(name, at)

    def _count(self, shape: SynShape) -> None:
        seen = self._shapes.get(shape, 0) + 1
        if seen == 1 and len(self._shapes) >= _MAX_SHAPES:
            del self._shapes[min(self._shapes, key=self._shapes.__getitem__)]
        self._shapes[shape] = seen
        if seen >= _SHAPE_COUNTED_TO:
            self._shapes = {it: seen // 2 for it, seen in self._shapes.items() if seen > 1}

    @property
    def hostname(self) -> str:
        """The name that it gives itself, '' if none."""
        return self._dhcp4.hostname or self._dhcp6.hostname or self._hostname

    @property
    def ids(self) -> tuple[str, ...]:
        """What is its own and stays when its MAC changes: what it announced as such, and its DUID."""
        duid = self._dhcp6.client_id
        if not duid and self._dhcp4.client_id.startswith(_DUID_IN_CLIENT_ID):
            duid = self._dhcp4.client_id[10:]
        return (*self._ids, duid) if duid else tuple(self._ids)

    def evidence(self, maker: str) -> Evidence:
        """What is known of it. `maker`: who made it, by its MAC. The parameters are DHCPv4's alone: in
        DHCPv6 the same numbers mean other things."""
        dhcp4, dhcp6 = self._dhcp4, self._dhcp6
        return Evidence(
            mac=self.mac,
            hostname=self.hostname,
            maker=maker,
            vendor_class=dhcp4.vendor_class or dhcp6.vendor_class,
            user_class=dhcp4.user_class or dhcp6.user_class,
            params=dhcp4.params,
            client_id=dhcp4.client_id or dhcp6.client_id,
            services=tuple(self._services),
            models=tuple(self._models),
            names=tuple(self._names),
            stack=max(self._shapes, key=self._shapes.__getitem__, default=None),
            behaviour=self._habits.behaviour(),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `from_json`; no name that it asked for, nor any address that it went to."""
        return {
            "mac": self.mac,
            "dhcp4": _dhcp_to_json(self._dhcp4),
            "dhcp6": _dhcp_to_json(self._dhcp6),
            "hostname": self._hostname,
            "services": list(self._services),
            "models": list(self._models),
            "names": list(self._names),
            "ids": list(self._ids),
            "shapes": [[*shape, seen] for shape, seen in self._shapes.items()],
            "habits": self._habits.to_json(),
        }

    @classmethod
    def from_json(cls, stored: object, mac: str = "") -> "Portrait":
        """What `to_json` gave; `mac`: whose it is, if not who stands there. Of what is anything else,
        nothing: whatever `stored` is, it gives a portrait."""
        facts = entry(stored)
        portrait = cls(mac or text(facts.get("mac"), _MAX_MAC))
        portrait._dhcp4 = _dhcp_from_json(4, entry(facts.get("dhcp4")))
        portrait._dhcp6 = _dhcp_from_json(6, entry(facts.get("dhcp6")))
        portrait._hostname = text(facts.get("hostname"), _MAX_TEXT)
        portrait._services = _texts(facts.get("services"))
        portrait._models = _texts(facts.get("models"))
        portrait._names = _texts(facts.get("names"))
        portrait._ids = _texts(facts.get("ids"))
        shapes = map(_shape, entries(facts.get("shapes"), _MAX_SHAPES))
        portrait._shapes = dict(filter(None, shapes))
        portrait._habits = Habits.from_json(portrait.mac, entry(facts.get("habits")))
        return portrait


def _over(before: DhcpAsked, now: DhcpAsked) -> DhcpAsked:
    """What is said now, and of what is not, what was before."""
    return DhcpAsked(
        mac=now.mac or before.mac,
        version=now.version,
        kind=now.kind,
        hostname=now.hostname or before.hostname,
        vendor_class=now.vendor_class or before.vendor_class,
        user_class=now.user_class or before.user_class,
        params=now.params or before.params,
        client_id=now.client_id or before.client_id,
        address=now.address or before.address,
    )


def _add(known: dict[str, None], found: Iterable[str]) -> None:
    for it in found:
        known.pop(it, None)
        known[it] = None
    while len(known) > MAX_TEXTS:
        del known[next(iter(known))]


def _texts(stored: object) -> dict[str, None]:
    return dict.fromkeys(texts(stored, MAX_TEXTS, _MAX_TEXT))


def _dhcp_to_json(asked: DhcpAsked) -> dict[str, Any]:
    return {
        "hostname": asked.hostname,
        "vendor_class": asked.vendor_class,
        "user_class": asked.user_class,
        "params": list(asked.params),
        "client_id": asked.client_id,
    }


def _dhcp_from_json(version: int, stored: Mapping[str, Any]) -> DhcpAsked:
    return DhcpAsked(
        mac="",
        version=version,
        kind=0,
        hostname=text(stored.get("hostname"), _MAX_TEXT),
        vendor_class=text(stored.get("vendor_class"), _MAX_TEXT),
        user_class=text(stored.get("user_class"), _MAX_TEXT),
        params=tuple(numbers(stored.get("params"), _MAX_PARAMS, bits=16)),
        client_id=text(stored.get("client_id"), _MAX_ID),
    )


def _shape(stored: object) -> tuple[SynShape, int] | None:
    """A shape, and how often it was seen."""
    match stored:
        case [int(ttl), int(window), str(options), int(mss), int(scale), int(seen)] if count(seen):
            shape = SynShape(
                count(ttl, 255), count(window, 65535), text(options, _MAX_OPTIONS), count(mss, 65535)
            )
            return shape._replace(scale=scale if 0 <= scale <= 255 else -1), min(seen, _SHAPE_COUNTED_TO - 1)
    return None
