# SPDX-License-Identifier: GPL-2.0-or-later
"""What each device has shown of itself: the packets that the guard overheard are read here, in a process
without rights, and put together into a portrait of each device.

All of it is the devices' own word. A packet only ever speaks for the MAC that it came from. Bounded: of more
than `MAX_PORTRAITS` the one goes that was silent for longest. Knows neither the store nor what becomes of a
portrait.
"""

import binascii
import json
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from smartrouter.core.classification.portrait import Portrait
from smartrouter.core.classification.signs import Announced, DhcpAsked
from smartrouter.core.errors import BadPacket
from smartrouter.core.identity.systems import Systems
from smartrouter.wire.dhcp import parse_dhcp, parse_dhcp6
from smartrouter.wire.dns import parse_query
from smartrouter.wire.mdns import parse_announcement
from smartrouter.wire.packet import parse_ip
from smartrouter.wire.ssdp import parse_notice
from smartrouter.wire.syn import syn_shape

MAX_PORTRAITS = 1024  # 2 kB each, 42 if one has said all that there is room for
_SAVE_AT_ONCE = 64
_NOTHING = Announced()  # what a question to the neighbours comes to


class _Sitter:
    """One device: its portrait, and the systems that were heard under its MAC."""

    __slots__ = ("has_asked", "portrait", "systems")

    def __init__(self, portrait: Portrait, systems: Systems):
        self.portrait = portrait
        self.systems = systems
        self.has_asked = False  # for a name: then where it connects to says nothing more


class Gallery:
    """See the module."""

    def __init__(self) -> None:
        self._sitters: OrderedDict[str, _Sitter] = OrderedDict()
        self._changed: dict[str, None] = {}
        self._unsaved: dict[str, None] = {}
        self._doubts: list[tuple[str, str]] = []

    def heard(self, packets: Iterable[object], at: float) -> None:
        """The guard overheard these (see guard.handlers.overheard), at that time (epoch seconds)."""
        for packet in packets:
            match packet:
                case [str(mac), str(what), str(encoded)] if what in _READERS:
                    try:
                        said = _READERS[what](b64decode(encoded, validate=True))
                    except (BadPacket, binascii.Error):
                        continue
                    self._show(mac, said, at)

    def of(self, mac: str) -> Portrait | None:
        """What this device has shown, None if nothing yet."""
        sitter = self._sitters.get(mac)
        return None if sitter is None else sitter.portrait

    def changed(self) -> list[str]:
        """The devices that have shown something since the last call."""
        changed = list(self._changed)
        self._changed.clear()
        return changed

    def doubts(self) -> list[tuple[str, str]]:
        """The MACs that something else seems to use, since the last call: and how it differs, in words."""
        doubts, self._doubts = self._doubts, []
        return doubts

    # -- to last longer than the process --------------------------------------------------------------

    def unsaved(self, is_kept: Callable[[str], bool]) -> dict[str, str]:
        """Portraits that have changed, as text, by MAC: some at a time, until `saved` says that they are.
        Only of devices that are kept themselves."""
        macs = [mac for mac in self._unsaved if mac in self._sitters and is_kept(mac)][:_SAVE_AT_ONCE]
        return {mac: self._written(self._sitters[mac]) for mac in macs}

    def saved(self, macs: Iterable[str]) -> None:
        """These are kept; what is not known any more need not be."""
        for mac in macs:
            self._unsaved.pop(mac, None)
        for mac in self._unsaved.keys() - self._sitters.keys():
            del self._unsaved[mac]

    def restore(self, portraits: Mapping[str, str]) -> None:
        """Take up what an earlier run has kept, but where more is known already."""
        for mac, text in portraits.items():
            if mac in self._sitters or len(self._sitters) >= MAX_PORTRAITS:
                continue
            try:
                stored = json.loads(text)
            except ValueError:
                continue
            if isinstance(stored, dict):
                systems = Systems.from_json(stored.get("systems"))
                self._sitters[mac] = _Sitter(Portrait.from_json(stored.get("portrait"), mac), systems)
                self._changed[mac] = None

    @staticmethod
    def _written(sitter: _Sitter) -> str:
        stored = {"portrait": sitter.portrait.to_json(), "systems": sitter.systems.to_json()}
        return json.dumps(stored, separators=(",", ":"))

    # -- inside ----------------------------------------------------------------------------------------

    def _show(self, mac: str, said: Any, at: float) -> None:
        if isinstance(said, DhcpAsked) and said.version == 4 and said.mac != mac:
            return  # in another's name, or through a relay that knows better than we do
        if said == _NOTHING:
            return
        sitter = self._sitter(mac)
        doubt = ""
        match said:
            case DhcpAsked():
                sitter.portrait.asked(said)
                doubt = sitter.systems.asked(said)
            case Announced():
                sitter.portrait.announced(said)
            case str():
                sitter.has_asked = True
                sitter.portrait.named(said, at)
            case (shape, address):
                sitter.portrait.opened(shape, "" if sitter.has_asked else address, at)
                doubt = sitter.systems.opened(shape)
        if doubt:
            self._doubts.append((mac, doubt))
        self._changed[mac] = self._unsaved[mac] = None

    def _sitter(self, mac: str) -> _Sitter:
        sitter = self._sitters.get(mac)
        if sitter is None:
            if len(self._sitters) >= MAX_PORTRAITS:
                self._sitters.popitem(last=False)
            sitter = self._sitters[mac] = _Sitter(Portrait(mac), Systems())
        self._sitters.move_to_end(mac)
        return sitter


def _name_in(message: bytes) -> str:
    return parse_query(message).question.name


def _connection_in(packet: bytes) -> tuple[Any, str]:
    """How the connection begins, and where to; '' if not to the Internet."""
    parsed = parse_ip(packet)
    return syn_shape(packet, parsed), parsed.destination if ip_address(parsed.destination).is_global else ""


_READERS: Mapping[str, Callable[[bytes], Any]] = {
    "dhcp": parse_dhcp,
    "dhcp6": parse_dhcp6,
    "mdns": parse_announcement,
    "ssdp": parse_notice,
    "dns": _name_in,
    "syn": _connection_in,
}
