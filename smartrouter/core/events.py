# SPDX-License-Identifier: GPL-2.0-or-later
"""What happened: the values that the judge is told, and the DNS values they carry.

Parsed once at the border (`wire/`), frozen from there on. NamedTuples, because the packet path makes
one for every packet and a frozen dataclass costs four times as much.

Shapes used everywhere: a MAC is `aa:bb:cc:dd:ee:ff` in lower case; an address is the text form that
`socket.inet_ntop` gives; a name is lower case, RFC 1035 presentation form, without the final dot.
"""

from enum import StrEnum
from typing import NamedTuple, TypeAlias

from smartrouter.core.policy import Reason, Settings

TCP, UDP = 6, 17


class Moment(NamedTuple):
    """When something happened, by two clocks.

    `running`: seconds of a clock that never jumps (CLOCK_MONOTONIC; capture time in replay).
    `wall`: seconds since the epoch, only ever shown, stored, and compared with a rule's `until`.
    """

    running: float
    wall: float


class Scope(StrEnum):
    """Where a flow goes."""

    OUTSIDE = "outside"  # routed to the outside: judged
    LAN = "lan"  # routed to another LAN address: recorded, never blocked
    ROUTER = "router"  # to the router itself: recorded, never blocked


class Flow(NamedTuple):
    """A connection from a device's side."""

    client: str
    client_port: int
    address: str
    port: int
    protocol: int


class Pair(NamedTuple):
    """What a device talks to, as its packets show it. `port`: 0 for protocols without ports."""

    mac: str
    address: str
    protocol: int
    port: int


class Shortcut(StrEnum):
    """How the kernel settles new connections of a pair by itself, without asking the guard each time."""

    KNOWN = "known"  # lets them through
    BLOCKED = "blocked"  # refuses them, for a short while
    DENIED = "denied"  # refuses them, and cuts those that are open


class Question(NamedTuple):
    """A DNS question: `name` normalised; `type` and `klass` as numbers (RFC 1035 section 3.2)."""

    name: str
    type: int
    klass: int


class Query(NamedTuple):
    """A DNS query with its one question."""

    ident: int
    question: Question


class Alias(NamedTuple):
    """`owner` is another name for `target` (CNAME, or HTTPS in alias mode); `ttl` in seconds."""

    owner: str
    target: str
    ttl: int


class Told(NamedTuple):
    """`owner` has the address `address` (A, AAAA, or an HTTPS address hint); `ttl` in seconds."""

    owner: str
    address: str
    ttl: int


class Reply(NamedTuple):
    """A well-formed DNS message with QR set: header facts, questions, and what its *answer* section says."""

    ident: int
    opcode: int
    rcode: int
    truncated: bool
    questions: tuple[Question, ...]
    aliases: tuple[Alias, ...]
    addresses: tuple[Told, ...]


class DnsAsked(NamedTuple):
    """A watched device sent something to port 53 of `resolver`; `query` is None where it is no DNS query."""

    mac: str
    client: str
    client_port: int
    resolver: str
    protocol: int  # TCP or UDP
    query: Query | None
    scope: Scope


class DnsAnswered(NamedTuple):
    """`resolver` answered `client`. It carries no MAC: it counts only if it answers an outstanding query."""

    client: str
    client_port: int
    resolver: str
    protocol: int
    reply: Reply


class FlowOpened(NamedTuple):
    """The first packet of a new connection (conntrack's `new`), of any protocol."""

    mac: str
    source: str
    destination: str
    protocol: int  # IANA protocol number
    source_port: int  # 0 for protocols without ports
    destination_port: int
    sequence: int  # TCP sequence number, else 0: tells a retransmitted SYN from a new one
    scope: Scope
    spoofed: bool = False  # its source does not live where it came from
    opens: bool = True  # for TCP: it is a SYN
    asks_time: bool = False  # a well-formed request for the time: udp/123, 48 bytes, client mode (RFC 5905)
    settled: Shortcut | None = None  # the kernel has settled it by itself: there is no verdict to give


class HelloHeard(NamedTuple):
    """The first data of a connection that was to be inspected. `name`: the server name in a TLS or QUIC
    hello or an HTTP request, '' if there is none or it cannot be read; `encrypted`: the hello holds, or
    pretends to hold, an encrypted one, so that `name` need not be the real one (ECH)."""

    mac: str
    client: str
    client_port: int
    address: str
    port: int
    protocol: int
    name: str
    encrypted: bool


class AddressClaimed(NamedTuple):
    """The network says that `mac` has the local address `address` (ARP, neighbour discovery)."""

    mac: str
    address: str


class LookedUp(NamedTuple):
    """The router itself looked `name` up: `addresses` for `ttl` seconds, none if there are none."""

    name: str
    addresses: tuple[str, ...]
    ttl: int


class ConnectionsOpen(NamedTuple):
    """The kernel says that these connections are open, of any devices: for a rule that denies more than the
    one before it."""

    flows: tuple[Flow, ...]


class SettledBefore(NamedTuple):
    """An earlier guard had the kernel settle these."""

    pairs: tuple[tuple[Pair, Shortcut], ...]


class Transfer(NamedTuple):
    """What went between a device and an address, on one service, in some time. `port`: 0 for protocols
    without ports; `inbound`: over connections that the other end began, and then the port is the device's.
    `flows`: connections that are counted here for the first time."""

    mac: str
    address: str
    protocol: int
    port: int
    inbound: bool
    bytes_out: int
    bytes_in: int
    packets_out: int
    packets_in: int
    flows: int


class Carried(NamedTuple):
    """The kernel has counted these since the last time."""

    transfers: tuple[Transfer, ...]


class PacketUnreadable(NamedTuple):
    """The first packet of something, but its headers break their own format."""

    mac: str
    scope: Scope


class DeviceSeen(NamedTuple):
    """What discovery knows of a device now."""

    mac: str
    iot: bool | None  # None: cannot tell
    on_iot_network: bool
    hostname: str
    maker: str


class IdentityDoubted(NamedTuple):
    """What uses this MAC does not seem to be the device any more. `reason`: OTHER_SYSTEM or TWO_PLACES."""

    mac: str
    reason: Reason
    detail: str


class SettingsChanged(NamedTuple):
    """The configuration was read again; rules, modes and devices' options are in `settings`."""

    settings: Settings


class LearningRestarted(NamedTuple):
    """The user wants `mac` to learn (again); what it knows already is kept."""

    mac: str


class LearningFinished(NamedTuple):
    """The user ends `mac`'s learning now."""

    mac: str


class LearningTakenOver(NamedTuple):
    """The user says that `mac` is the device that was `other`: it needs what that one was seen to need."""

    mac: str
    other: str


class DestinationForgotten(NamedTuple):
    """The user takes a learned destination back. `name` '*': every one of the device.
    `service` '': whatever the service."""

    mac: str
    name: str
    service: str


class Paused(NamedTuple):
    """Enforcement is suspended for `seconds` from now; 0 ends a pause."""

    seconds: float


class OutageEnded(NamedTuple):
    """The guard is back after more than a second without one: names told meanwhile are unknown."""


class Tick(NamedTuple):
    """Time passed (about once a second live; with every packet's time in replay)."""


NoFlow: TypeAlias = (
    DnsAsked
    | DnsAnswered
    | HelloHeard
    | AddressClaimed
    | LookedUp
    | Carried
    | PacketUnreadable
    | ConnectionsOpen
    | SettledBefore
    | DeviceSeen
    | IdentityDoubted
    | SettingsChanged
    | LearningRestarted
    | LearningFinished
    | LearningTakenOver
    | DestinationForgotten
    | Paused
    | OutageEnded
    | Tick
)
Event: TypeAlias = FlowOpened | NoFlow
