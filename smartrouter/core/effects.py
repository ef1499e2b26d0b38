# SPDX-License-Identifier: GPL-2.0-or-later
"""What to do: the values that the judge yields. Doing them is somebody else's work.

Order counts: the verdict comes first, except that `AdmitReplies`, `DismissReplies`, `Inspect`, `Cut` and
`Unsettle` must be carried out, and acknowledged by the kernel, before the packet's verdict is given.
"""

from enum import StrEnum
from typing import NamedTuple, TypeAlias

from smartrouter.core.destinations import Destination
from smartrouter.core.events import Flow as Flow
from smartrouter.core.events import Pair as Pair
from smartrouter.core.events import Shortcut
from smartrouter.core.learning import Progress, Seen
from smartrouter.core.policy import Reason, Rule
from smartrouter.core.uploads import Usual


class Evidence(StrEnum):
    """Why we believe that an address is the name (ARCHITECTURE.md: what a connection is called)."""

    DNS = "dns"  # a trusted resolver told this device so, within the answer's TTL and an hour
    STALE = "stale"  # the same, longer ago
    SHARED = "shared"  # a trusted resolver on the local network was told so through the router
    REFRESHED = "refreshed"  # the router itself looked the name up
    HELLO = "hello"  # the server name in the first data of a connection: labels, allows only if confirmed
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
    NEW_PORT = "new-port"  # … but only another port of a name that it has
    SCAN = "scan"  # many addresses or ports within a short time
    FOREIGN_RESOLVER = "foreign-resolver"  # a device asks a DNS server that nobody vouches for
    ENCRYPTED_DNS = "encrypted-dns"  # a device speaks DNS over TLS or HTTPS, or asks whether it may
    DNS_TUNNEL = "dns-tunnel"  # data is carried in the names that a device asks for
    IP_SPOOFING = "ip-spoofing"  # packets with another's source address
    ADDRESS_CONFLICT = "address-conflict"  # two devices use one address by turns
    CLONE = "clone"  # something else seems to use the device's MAC
    FRONTING = "fronting"  # the hello names another server than the one that is known at the address
    NEW_NAME = "new-name"  # let pass by a name that is known, while the newest one is not
    AFTER_OUTAGE = "after-outage"  # let pass without a name, soon after the guard was away
    ROUTER_SERVICE = "router-service"  # a device opens a port of the router other than the usual
    HIDDEN_RESOLVER = "hidden-resolver"  # a device connects, but asks for no names in the router's sight
    REPEATER = "repeater"  # several devices behind one MAC
    PERSON = "person"  # what a device learns looks like a person's phone or computer
    UNUSED = "unused"  # a learned destination was not used for long, and is known no more
    UPLOAD = "upload"  # a device sends far more to a destination than it did while it was learning
    ACCOUNTING = "accounting"  # packets that the kernel counted, and that nobody dealt with
    OVERFLOW = "overflow"  # more came than could be judged, or written down
    NOT_STORED = "not-stored"  # nothing could be stored for a while


THE_ROUTER = ""
"""What stands in place of a device's MAC where an alert is about the router itself. No packet can have it."""


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
    """One occurrence of something worth telling. Occurrences with one `key` are one alert with a count.
    `mac`: the device, or `THE_ROUTER`."""

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
    detail: str = ""  # what else a person should know: figures, another device's MAC

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.mac, self.kind, self.destination, self.service)


class Record(NamedTuple):
    """Store this attempt."""

    attempt: Attempt


class Alike(NamedTuple):
    """What attempts have in common that differ only in their time and source port; see `Attempt`."""

    mac: str
    source: str
    address: str
    port: int
    protocol: int
    scope: str
    service: str
    name: str
    evidence: Evidence
    accepted: bool
    reason: Reason


Another: TypeAlias = tuple[float, int, Alike]
"""An attempt like others: when, from which source port, and all else. There are very many: a plain tuple."""


class RecordMore(NamedTuple):
    """Store these attempts, each of which is like one before it."""

    attempts: list[Another]


class Raise(NamedTuple):
    """Raise this alert, or count one more of it."""

    alert: Alert


class Withdraw(NamedTuple):
    """An alert has turned out to be part of a greater one, which is raised in its place."""

    mac: str
    kind: Kind
    destination: str
    service: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.mac, self.kind, self.destination, self.service)


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


class NameAlias(NamedTuple):
    """Keep: for `mac`, `target` is what `head` leads to, by an answer of `at` (epoch seconds)."""

    mac: str
    target: str
    head: str
    at: float


class Keep(NamedTuple):
    """Keep a device's learning progress."""

    mac: str
    progress: Progress


class AddVolume(NamedTuple):
    """Keep: in this `hour` (since the epoch) so much more went between `mac` and `destination`. `flows`:
    connections."""

    mac: str
    hour: int
    destination: Destination
    bytes_out: int
    bytes_in: int
    packets_out: int
    packets_in: int
    flows: int


class KeepUsual(NamedTuple):
    """Keep: what `mac` usually sends to `destination` in an hour."""

    mac: str
    destination: Destination
    usual: Usual


class AdmitReplies(NamedTuple):
    """Queue DNS replies to this LAN address, from before the query goes on."""

    address: str


class DismissReplies(NamedTuple):
    """No longer queue DNS replies to this LAN address."""

    address: str


class Inspect(NamedTuple):
    """Queue the first data of this connection, from before its first packet goes on. `held`: nothing of
    it may go on before it was judged (`HelloHeard`)."""

    flow: Flow
    held: bool


class Release(NamedTuple):
    """The first data of this connection was judged; queue no more of it."""

    flow: Flow


class Cut(NamedTuple):
    """No further packet of this connection passes, from before the verdict on this one."""

    flow: Flow


class Know(NamedTuple):
    """The kernel lets new connections of this pair through by itself, for so many seconds. `again`: it does
    so already, and shall go on."""

    pair: Pair
    seconds: float
    again: bool = False


class Block(NamedTuple):
    """The kernel refuses new connections of this pair by itself, for so many seconds."""

    pair: Pair
    seconds: float


class Deny(NamedTuple):
    """The kernel refuses all packets of this pair by itself, open connections' too, for so many seconds."""

    pair: Pair
    seconds: float


class Unsettle(NamedTuple):
    """The kernel asks the guard again about this pair, which it settled as `was`."""

    pair: Pair
    was: Shortcut


class Disconnect(NamedTuple):
    """Have the kernel forget this connection: its next packet counts as new, even if it was offloaded."""

    flow: Flow


class End(NamedTuple):
    """This rule has allowed its one connection: have it ended in the configuration, too."""

    rule: Rule


class Label(NamedTuple):
    """The first data of a connection of `mac` to `address` named the server: so is called, with evidence
    `hello`, what was recorded and raised about that address without a name."""

    mac: str
    address: str
    name: str


class LookUp(NamedTuple):
    """Have the router look `name` up, and tell the judge (`LookedUp`)."""

    name: str


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


def another_of(attempt: Attempt) -> Another:
    """An attempt, taken apart into what is its own and what others may have as well."""
    return attempt.at, attempt.source_port, Alike._make((*attempt[1:3], *attempt[4:]))


def attempt_of(another: Another) -> Attempt:
    """The same, written out."""
    at, source_port, alike = another
    return Attempt._make((at, *alike[:2], source_port, *alike[2:]))


Effect: TypeAlias = (
    Verdict
    | Record
    | RecordMore
    | Raise
    | Withdraw
    | Learn
    | Forget
    | Name
    | NameAlias
    | Keep
    | AddVolume
    | KeepUsual
    | AdmitReplies
    | DismissReplies
    | Inspect
    | Release
    | Cut
    | Know
    | Block
    | Deny
    | Unsettle
    | Disconnect
    | End
    | Label
    | LookUp
    | Watch
    | Unwatch
    | Enforce
    | Relax
)
