# SPDX-License-Identifier: GPL-2.0-or-later
"""Mode x device x what it learned x rules -> a decision with a reason code.

Knows nothing of packets, clocks or storage. The whole table of `decide`:

    device is         known or allowed   unknown, monitor   unknown, enforce   denied by rule
    learning          accept             accept + learn     accept + learn     block
    protected         accept             accept + alert     block + alert      block
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address
from math import inf
from typing import NamedTuple

from smartrouter.core.destinations import Destination, Match
from smartrouter.core.names import is_below


class Mode(StrEnum):
    """What happens to what is not known."""

    MONITOR = "monitor"  # reported
    ENFORCE = "enforce"  # blocked and reported


class Watching(StrEnum):
    """The user's word on whether a device is watched."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class NewDevices(StrEnum):
    """What to do with a device of which discovery cannot tell whether it is an IoT device."""

    DEFAULT = "default"  # learn on an `iot_network`, leave alone elsewhere
    LEARN = "learn"
    IGNORE = "ignore"
    ISOLATE = "isolate"  # watched, nothing learned, unknown destinations blocked


class Action(StrEnum):
    """What a rule does."""

    ALLOW = "allow"
    DENY = "deny"


class Reason(StrEnum):
    """Why a packet was let go or not: one stable code for each way that a decision can fall."""

    LEARNED = "learned"
    KIN = "kin"
    TIME = "time"
    ALLOWED_BY_RULE = "allowed-by-rule"
    LEARNING = "learning"
    DENIED_BY_RULE = "denied-by-rule"
    UNKNOWN_NAME = "unknown-name"
    UNKNOWN_ADDRESS = "unknown-address"
    NEW_PORT = "new-port"
    ONE_KIN = "one-kin"
    CONNECTIVITY_CHECK = "connectivity-check"
    CERTIFICATE_STATUS = "certificate-status"
    ADDRESS_OF_KNOWN_NAME = "address-of-known-name"
    SCAN = "scan"
    UNKNOWN_HELLO = "unknown-hello"
    KNOWN_HELLO = "known-hello"
    AWAITING_HELLO = "awaiting-hello"
    ENCRYPTED_DNS = "encrypted-dns"
    SPOOFED_SOURCE = "spoofed-source"
    PAUSED = "paused"
    AFTER_OUTAGE = "after-outage"
    ISOLATED = "isolated"
    LAN = "lan"
    TO_ROUTER = "to-router"
    DNS_QUERY = "dns-query"
    DNS_REPLY = "dns-reply"
    FOREIGN_RESOLVER = "foreign-resolver"
    NOT_WATCHED = "not-watched"
    BAD_PACKET = "bad-packet"
    OUR_ERROR = "our-error"
    DNS_TUNNEL = "dns-tunnel"
    DNS_CANARY = "dns-canary"
    NEW_NAME = "new-name"
    FRONTING = "fronting"
    ADDRESS_CONFLICT = "address-conflict"
    OTHER_SYSTEM = "other-system"
    TWO_PLACES = "two-places"
    HIDDEN_RESOLVER = "hidden-resolver"
    REPEATER = "repeater"
    PERSON = "person"
    UNUSED = "unused"
    UPLOAD = "upload"
    UNACCOUNTED = "unaccounted"
    QUEUE_FULL = "queue-full"
    OVER_LIMIT = "over-limit"
    NOT_STORED = "not-stored"


REASONS: Mapping[Reason, str] = {
    Reason.LEARNED: "The device was seen to need this destination while it was learning.",
    Reason.KIN: "At least two other devices of the same maker have learned this destination.",
    Reason.TIME: "A request for the time (NTP) within the rate that any device may ask it at.",
    Reason.ALLOWED_BY_RULE: "A rule of yours allows it.",
    Reason.LEARNING: "The device is still learning; the destination is now one of those that it needs.",
    Reason.DENIED_BY_RULE: "A rule of yours denies it.",
    Reason.UNKNOWN_NAME: "The device has not used this name and service before.",
    Reason.UNKNOWN_ADDRESS: "The device has not used this address before, and nobody told it a name for it.",
    Reason.NEW_PORT: "The device knows this name, but has not used this port of it before.",
    Reason.ONE_KIN: "The device has not used it before; one other device of the same maker has learned it.",
    Reason.CONNECTIVITY_CHECK: "New, but only the check whether there is Internet that most systems make.",
    Reason.CERTIFICATE_STATUS: "New, but only the question to a certificate authority whether a certificate "
    "still holds.",
    Reason.ADDRESS_OF_KNOWN_NAME: "Nobody told this device a name for the address, but another one was told "
    "that it has a name which this device knows.",
    Reason.SCAN: "One of many addresses or ports that the device tried within a short time, none of them "
    "by a name: that is how a scan looks.",
    Reason.UNKNOWN_HELLO: "The server name in the first data is not known, or the router's own lookup of it "
    "does not lead to this address.",
    Reason.KNOWN_HELLO: "The server name in the first data is known, and the router's own lookup of it leads "
    "to this address.",
    Reason.AWAITING_HELLO: "Let begin, to be judged by the server name in its first data.",
    Reason.ENCRYPTED_DNS: "To a service for encrypted DNS, whose answers cannot be seen.",
    Reason.SPOOFED_SOURCE: "Its source address is none that lives on the network that it came from.",
    Reason.PAUSED: "Unknown, but enforcement is paused.",
    Reason.AFTER_OUTAGE: "Without a name, soon after the guard was away: names told meanwhile are unknown.",
    Reason.ISOLATED: "The device is new and isolated until you decide about it.",
    Reason.LAN: "To another device of the local network; recorded, never blocked.",
    Reason.TO_ROUTER: "To the router itself; recorded, never blocked.",
    Reason.DNS_QUERY: "A DNS query to a resolver that is trusted.",
    Reason.DNS_REPLY: "A DNS reply; held until its names were stored.",
    Reason.FOREIGN_RESOLVER: "To port 53 of a server that is not a trusted resolver.",
    Reason.NOT_WATCHED: "The device is not watched.",
    Reason.BAD_PACKET: "The packet breaks its own format.",
    Reason.OUR_ERROR: "A fault of smartrouter's; the packet was treated as `on_failure` says.",
    Reason.DNS_TUNNEL: "The names that the device asks for look like data in disguise (a DNS tunnel).",
    Reason.DNS_CANARY: "The device asked whether it may use encrypted DNS.",
    Reason.NEW_NAME: "The address has a name that the device knows, so it was let pass, but lately it was "
    "told another one.",
    Reason.FRONTING: "The server name in the first data is not one that the device knows, though it "
    "knows the address.",
    Reason.ADDRESS_CONFLICT: "Two devices use one address by turns.",
    Reason.OTHER_SYSTEM: "What uses the device's MAC speaks like another system than the device did before.",
    Reason.TWO_PLACES: "The device's MAC is in use on two networks at the same time.",
    Reason.HIDDEN_RESOLVER: "The device asks nobody for names in the router's sight, so what it talks to has "
    "no names here: its resolver is on the local network, or it uses encrypted DNS.",
    Reason.REPEATER: "Several devices seem to share this MAC address; a repeater or a second router hides "
    "them.",
    Reason.PERSON: "What it learns looks like somebody's phone or computer, not like a thing's own traffic.",
    Reason.UNUSED: "Learned once, but not used for as long as `unused_after` says; no longer known.",
    Reason.UPLOAD: "Within an hour the device sent far more there than in any hour in which it was seen to "
    "need this.",
    Reason.UNACCOUNTED: "The kernel's rules counted packets that were neither let through nor stopped, nor "
    "recorded.",
    Reason.QUEUE_FULL: "More packets came at once than a queue, or what waits to be recorded, has room for.",
    Reason.OVER_LIMIT: "Devices opened more connections at once than any of them may.",
    Reason.NOT_STORED: "The store could not be written for longer than a moment.",
}

KNOWN = frozenset((Reason.LEARNED, Reason.KIN, Reason.TIME, Reason.KNOWN_HELLO))
"""What an attempt may be that is no news."""

ROUTINE = frozenset(
    (
        Reason.NEW_PORT,
        Reason.ONE_KIN,
        Reason.CONNECTIVITY_CHECK,
        Reason.CERTIFICATE_STATUS,
        Reason.ADDRESS_OF_KNOWN_NAME,
    )
)
"""What is news, and blocked like any other, but a notice and no alarm."""


class Rule(NamedTuple):
    """A decision of the user's. `device`: MAC or '*'. `destination`: a name, `*.name` (names below it),
    an address, or a network. `service`: as `service_of` gives it, or '' for any. `until`: epoch seconds,
    or None for ever. `once`: it allows one connection, and ends with it (`core.once`)."""

    device: str
    destination: str | IPv4Network | IPv6Network
    service: str
    action: Action
    until: float | None = None
    by: str = ""
    at: str = ""
    once: bool = False


class DeviceSettings(NamedTuple):
    """What the user said of one device."""

    mac: str
    name: str = ""
    watch: Watching = Watching.AUTO
    mode: Mode | None = None  # None: the main mode
    mute_until: float | None = None  # epoch seconds


class LearningPlan(NamedTuple):
    """Its end: by the rule of `core.learning` if `auto`; at the latest after `period` seconds observed."""

    auto: bool
    period: float


class Settings(NamedTuple):
    """All that the judge needs of the configuration. `resolvers`: addresses trusted to name things,
    None for any. `shared_resolvers`: those of them on the local network, whose own questions count for every
    device. `name_grace`: seconds that a name still allows after it went stale. `unused_after`: seconds of
    observed time. `fail_open`: what has no name passes for a while after the guard was away.
    `judge_by_hello`: let an unknown connection to tcp/443 of an address without a name begin, and judge its
    first data. `redirect_dns`: the router answers everybody's DNS, so DNS over TLS is refused."""

    mode: Mode = Mode.MONITOR
    learning: LearningPlan = LearningPlan(auto=True, period=14 * 86400.0)
    match: Match = Match.CHAIN
    name_grace: float = 7 * 86400.0
    unused_after: float = 180 * 86400.0
    block_foreign_dns: bool = True
    fail_open: bool = True
    redirect_dns: bool = False
    judge_by_hello: bool = False
    shared_resolvers: frozenset[str] = frozenset()
    resolvers: frozenset[str] | None = frozenset()
    new_devices: NewDevices = NewDevices.DEFAULT
    devices: Mapping[str, DeviceSettings] = {}
    rules: tuple[Rule, ...] = ()


class Decision(NamedTuple):
    """`alert`: it is to be reported; `routine`: but as a notice, for a reason of `ROUTINE`."""

    accept: bool
    reason: Reason
    alert: bool = False
    routine: bool = False


class Standing(NamedTuple):
    """How a device is treated at this moment."""

    learning: bool = True
    isolated: bool = False
    enforcing: bool = False
    paused: bool = False
    after_outage: bool = False

    @property
    def strict(self) -> bool:
        """Is what is not known blocked?"""
        return (self.isolated or (self.enforcing and not self.learning)) and not self.paused


class Called(NamedTuple):
    """A name that an address has for a device. `heads`: other names that led to it, newest first.
    `groups`: the name groups of all these; the first is what the destination is called."""

    name: str
    heads: tuple[str, ...]
    groups: tuple[str, ...]


class Attempted(NamedTuple):
    """What a device tries to reach. `address`: '' where it is not about one. `called`: all that the device
    was told for the address, newest first."""

    address: str
    service: str
    called: Sequence[Called] = ()


def destination_of(attempted: Attempted) -> Destination:
    """What it is called: by the newest name, or by the address where there is none."""
    called = attempted.called
    return Destination(called[0].groups[0] if called else attempted.address, attempted.service)


def decide(standing: Standing, action: Action | None, found: Reason, *, named: bool) -> Decision:
    """Judge one attempt. `action`: what the user's rules say of it. `found`: what it is to the device, one
    of `KNOWN`, or why it is none of these. `named`: the device was told a name for the address."""
    if action is Action.DENY:
        return _DENIED
    if action is Action.ALLOW:
        return _ALLOWED
    if found in KNOWN:
        return _ACCEPTED[found]
    if standing.learning:
        return _ACCEPTED[Reason.LEARNING]
    routine = found in ROUTINE
    if standing.paused:
        return Decision(True, Reason.PAUSED, alert=True, routine=routine)
    if standing.isolated:
        return Decision(False, Reason.ISOLATED, alert=True, routine=routine)
    if not standing.enforcing:
        return Decision(True, found, alert=True, routine=routine)
    if standing.after_outage and not named:
        return Decision(True, Reason.AFTER_OUTAGE, alert=True, routine=True)
    return Decision(False, found, alert=True, routine=routine)


_DENIED = Decision(False, Reason.DENIED_BY_RULE)
_ALLOWED = Decision(True, Reason.ALLOWED_BY_RULE)
_ACCEPTED = {reason: Decision(True, reason) for reason in (*KNOWN, Reason.LEARNING)}


def ruling(rules: Sequence[Rule], attempted: Attempted, wall: float) -> Action | None:
    """What the user's rules say of this attempt. A deny stands above every allow. It goes by the newest
    name (or the address), an allow by any name: several names may share one address."""
    newest = attempted._replace(called=attempted.called[:1])
    if any(r.action is Action.DENY and applies(r, newest, wall) for r in rules):
        return Action.DENY
    if any(r.action is Action.ALLOW and applies(r, attempted, wall) for r in rules):
        return Action.ALLOW
    return None


def ends_in(rules: Sequence[Rule], wall: float) -> float:
    """Seconds from `wall` until the first of the rules that still count ends; infinite if none ever does."""
    if not rules:
        return inf
    return min((r.until - wall for r in rules if r.until is not None and r.until > wall), default=inf)


def applies(rule: Rule, attempted: Attempted, wall: float) -> bool:
    """Does `rule` speak of this attempt, at `wall` (epoch seconds)?

    A plain name stands for itself and for the name group of that name; `*.name` for all names below it.
    """
    if rule.until is not None and wall >= rule.until:
        return False
    if rule.service and rule.service != attempted.service:
        return False
    wanted = rule.destination
    if not isinstance(wanted, str):
        address = attempted.address.partition("%")[0]
        return bool(address) and ip_address(address) in wanted
    if wanted == "*":
        return True
    if wanted.startswith("*."):
        ancestor = wanted[2:]
        return any(
            is_below(name, ancestor) for called in attempted.called for name in (called.name, *called.heads)
        )
    return any(
        wanted == called.name or wanted in called.heads or wanted in called.groups
        for called in attempted.called
    )
