# SPDX-License-Identifier: GPL-2.0-or-later
"""Does what uses a MAC still speak like the system that did before? Who takes on a trusted device's MAC keeps
his own DHCP client and his own TCP.

Compared is what changes with the system, not with its version: the name of the DHCP client without numbers,
which options it asks for, and the number of hops that its packets begin with. A boot loader speaks before the
system does, and is passed over. Each other system is told of once, and then known. Bounded, and can be
stored as JSON.
"""

import re
from typing import Any, NamedTuple

from smartrouter.core.classification.signs import DhcpAsked, SynShape

MAX_SYSTEMS = 4  # of one device; what comes beyond them is told of, and not remembered
SURE_AFTER = 3  # connections that begin with another number of hops
_ALIKE, _ANOTHER = 0.8, 0.4  # share of options in common, of all that either asks for
_COMPARED = frozenset((1, 3))  # DHCPDISCOVER and DHCPREQUEST; the others ask for less
_LETTERS = re.compile(r"[a-z]+(?:-[a-z]+)*")
# Vendor classes of what is only there until the system is (PXE 2.1 section 2.2.1; u-boot, GRUB, Apple's).
_BOOT_LOADERS = ("pxeclient", "httpclient", "u-boot", "grub", "aapl")
_MAX_TEXT, _MAX_OPTIONS = 253, 255


class _Speech(NamedTuple):
    """How a DHCP client speaks: its vendor class as sent, and the options that it asks for."""

    vendor_class: str
    params: frozenset[int]

    @property
    def client(self) -> str:
        found = _LETTERS.match(self.vendor_class.lower())
        return found[0] if found else ""

    def said(self) -> str:
        if self.vendor_class:
            return f"DHCP client {self.vendor_class!r}"
        return f"a DHCP client that asks for options {', '.join(map(str, sorted(self.params)))}"


class Systems:
    """The systems that were heard under one MAC."""

    __slots__ = ("_hops", "_other_hops", "_speeches")

    def __init__(self) -> None:
        self._speeches: list[_Speech] = []
        self._hops: list[int] = []
        self._other_hops = 0

    def asked(self, asked: DhcpAsked) -> str:
        """It said this in DHCP. In what it differs, if that is another system's; else ''."""
        speech = _Speech(asked.vendor_class[:_MAX_TEXT], frozenset(asked.params[:_MAX_OPTIONS]))
        if asked.version != 4 or asked.kind not in _COMPARED or not speech.params:
            return ""
        if speech.vendor_class.lower().startswith(_BOOT_LOADERS):
            return ""
        if not self._speeches:
            self._speeches.append(speech)
            return ""
        if any(_are_one(speech, known) for known in self._speeches):
            return ""
        before = self._speeches[0]
        if len(self._speeches) < MAX_SYSTEMS:
            self._speeches.append(speech)
        return f"before it was {before.said()}, now it is {speech.said()}"

    def opened(self, shape: SynShape) -> str:
        """It opened a TCP connection. The same for this."""
        if not self._hops:
            self._hops.append(shape.ttl)
        if shape.ttl in self._hops:
            return ""
        self._other_hops += 1
        if self._other_hops < SURE_AFTER:
            return ""
        self._other_hops = 0
        before = self._hops[0]
        self._hops.append(shape.ttl)
        return f"its packets began with {before} hops before, and begin with {shape.ttl} now"

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `from_json`."""
        speeches = [[speech.vendor_class, sorted(speech.params)] for speech in self._speeches]
        return {"dhcp": speeches, "hops": self._hops}

    @classmethod
    def from_json(cls, stored: object) -> "Systems":
        """What `to_json` gave; of what is anything else, nothing."""
        systems = cls()
        match stored:
            case {"dhcp": list(speeches), "hops": list(hops)}:
                found = [_speech(each) for each in speeches[:MAX_SYSTEMS]]
                systems._speeches = [speech for speech in found if speech is not None]
                systems._hops = [hop for hop in hops[:MAX_SYSTEMS] if type(hop) is int]
        return systems


def _are_one(one: _Speech, other: _Speech) -> bool:
    """May both be one system? Versions of a client ask for somewhat different options."""
    common = len(one.params & other.params) / len(one.params | other.params)
    return common >= (_ANOTHER if one.client == other.client else _ALIKE)


def _speech(stored: object) -> _Speech | None:
    match stored:
        case [str(vendor_class), list(params)]:
            numbers = [each for each in params[:_MAX_OPTIONS] if type(each) is int]
            return _Speech(vendor_class[:_MAX_TEXT], frozenset(numbers)) if numbers else None
    return None
