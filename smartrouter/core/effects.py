# SPDX-License-Identifier: GPL-2.0-or-later
"""What to do: the values that the judge yields. Doing them is somebody else's work.

Order counts: the verdict comes first, except that `AdmitReplies` must be carried out, and acknowledged
by the kernel, before the query's verdict is given.
"""

from enum import StrEnum
from typing import NamedTuple, TypeAlias

from smartrouter.core.destinations import Destination
from smartrouter.core.learning import Progress, Seen
from smartrouter.core.policy import Reason


class Evidence(StrEnum):
    """Why we believe that an address is the name (DESIGN: what a connection is called)."""

    DNS = "dns"  # a trusted resolver told this device so, within the answer's TTL and an hour
    STALE = "stale"  # the same, longer ago
    REVERSE = "reverse"  # a reverse lookup, forward-confirmed: labels, never allows
    NONE = "none"


class Severity(StrEnum):
    """How loud an alert is."""

    NOTICE = "notice"
    WARNING = "warning"
    CRITICAL = "critical"


class Kind(StrEnum):
    """What an alert is about."""

    NEW_DESTINATION = "new-destination"  # a protected device tried something it has not learned
    FOREIGN_RESOLVER = "foreign-resolver"  # a device asks a DNS server that nobody vouches for
    ROUTER_SERVICE = "router-service"  # a device opens a port of the router other than the usual


class Verdict(NamedTuple):
    """Let the packet go or not, and why."""

    accept: bool
    reason: Reason


class Attempt(NamedTuple):
    """One connection attempt as it is stored. `at`: seconds since the epoch."""

    at: float
    mac: str
    source: str
    source_port: int
    address: str
    port: int
    protocol: int
    scope: str
    service: str
    name: str  # '' where none is known
    evidence: Evidence
    accepted: bool
    reason: Reason


class Alert(NamedTuple):
    """One occurrence of something worth telling. Occurrences with one `key` are one alert with a count."""

    at: float
    mac: str
    kind: Kind
    reason: Reason
    severity: Severity
    destination: str  # name group, or address
    service: str
    name: str  # the exact name, '' where none is known
    evidence: Evidence
    address: str
    port: int
    protocol: int
    blocked: bool

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.mac, self.kind, self.destination, self.service)


class Record(NamedTuple):
    """Store this attempt."""

    attempt: Attempt


class Raise(NamedTuple):
    """Raise this alert, or count one more of it."""

    alert: Alert


class Learn(NamedTuple):
    """Keep: `mac` needs `destination`, `seen` in so many units of learning; last `at` (epoch seconds)."""

    mac: str
    destination: Destination
    seen: Seen
    at: float


class Forget(NamedTuple):
    """Keep: `mac` no longer knows `destination`."""

    mac: str
    destination: Destination


class Name(NamedTuple):
    """Keep: a trusted resolver told `mac` that `name` has `address`, for `ttl` seconds, `at` (epoch)."""

    mac: str
    address: str
    name: str
    ttl: int
    at: float


class Keep(NamedTuple):
    """Keep a device's learning progress."""

    mac: str
    progress: Progress


class AdmitReplies(NamedTuple):
    """Queue DNS replies to this LAN address, from before the query goes on."""

    address: str


class DismissReplies(NamedTuple):
    """No longer queue DNS replies to this LAN address."""

    address: str


class Watch(NamedTuple):
    """Put `mac` into the set of watched devices."""

    mac: str


class Unwatch(NamedTuple):
    """Take `mac` out of the set of watched devices."""

    mac: str


class Enforce(NamedTuple):
    """Invalid packets and floods of `mac` are dropped from now on (enforce mode)."""

    mac: str


class Relax(NamedTuple):
    """The opposite of `Enforce`."""

    mac: str


Effect: TypeAlias = (
    Verdict
    | Record
    | Raise
    | Learn
    | Forget
    | Name
    | Keep
    | AdmitReplies
    | DismissReplies
    | Watch
    | Unwatch
    | Enforce
    | Relax
)
