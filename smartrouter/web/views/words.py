# SPDX-License-Identifier: GPL-2.0-or-later
"""Words that several screens use."""

from collections.abc import Mapping
from typing import Protocol

from smartrouter.core.effects import Evidence, Kind

KINDS: Mapping[str, str] = {
    Kind.NEW_DESTINATION: "New destination",
    Kind.NEW_PORT: "New service",
    Kind.SCAN: "Scan",
    Kind.FOREIGN_RESOLVER: "Foreign DNS server",
    Kind.ENCRYPTED_DNS: "Encrypted DNS",
    Kind.DNS_TUNNEL: "DNS tunnel",
    Kind.IP_SPOOFING: "False addresses",
    Kind.ADDRESS_CONFLICT: "Address conflict",
    Kind.CLONE: "Copied MAC",
    Kind.FRONTING: "Other server name",
    Kind.NEW_NAME: "New name",
    Kind.AFTER_OUTAGE: "After an outage",
    Kind.ROUTER_SERVICE: "The router itself",
    Kind.HIDDEN_RESOLVER: "Hidden DNS server",
    Kind.REPEATER: "Repeater",
    Kind.PERSON: "A person's device",
    Kind.UNUSED: "No longer used",
    Kind.UPLOAD: "Large upload",
    Kind.ACCOUNTING: "Missing packets",
    Kind.OVERFLOW: "Too much at once",
    Kind.NOT_STORED: "Not stored",
}
"""An alert's kind, as a title."""

EVIDENCE: Mapping[str, str] = {
    Evidence.DNS: "told by DNS",
    Evidence.STALE: "told by DNS, a while ago",
    Evidence.SHARED: "told by your resolver",
    Evidence.REFRESHED: "looked up by the router",
    Evidence.HELLO: "named by the device itself",
    Evidence.REVERSE: "reverse name only",
    Evidence.NONE: "no name known",
}
"""How a name is known, in few words; the sentence is `core.explanations.EVIDENCE`."""


class Location(Protocol):
    """What of an address says where one is."""

    @property
    def path(self) -> str: ...
    @property
    def query(self) -> str: ...


def counted(count: int, what: str, many: str = "") -> str:
    """`1 device`, `2 devices`."""
    return f"{count} {what if count == 1 else many or what + 's'}"


LONGEST = 100  # characters of a text from the network in a list; the page of one alert, and files, have all


def tail(text: str) -> str:
    """A name or address that is too long for a list, without its beginning: who owns a name stands at its
    end."""
    return text if len(text) <= LONGEST else f"…{text[1 - LONGEST :]}"


def kind_title(kind: str) -> str:
    """A kind's title; another version's is given as it is."""
    return KINDS.get(kind, kind.replace("-", " ").capitalize())


def number(text: str, otherwise: int = 1) -> int:
    """A number from an address, of at most 15 digits; `otherwise` if it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 15 else otherwise


def here(url: Location) -> str:
    """Where the reader is, to come back to."""
    return f"{url.path}?{url.query}" if url.query else url.path
