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
from typing import NamedTuple

from smartrouter.core.destinations import Destination, Match, group_of
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
    ALLOWED_BY_RULE = "allowed-by-rule"
    LEARNING = "learning"
    DENIED_BY_RULE = "denied-by-rule"
    UNKNOWN_NAME = "unknown-name"
    UNKNOWN_ADDRESS = "unknown-address"
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


REASONS: Mapping[Reason, str] = {
    Reason.LEARNED: "The device was seen to need this destination while it was learning.",
    Reason.ALLOWED_BY_RULE: "A rule of yours allows it.",
    Reason.LEARNING: "The device is still learning; the destination is now one of those that it needs.",
    Reason.DENIED_BY_RULE: "A rule of yours denies it.",
    Reason.UNKNOWN_NAME: "The device has not used this name and service before.",
    Reason.UNKNOWN_ADDRESS: "The device has not used this address before, and nobody told it a name for it.",
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
}


class Rule(NamedTuple):
    """A decision of the user's. `device`: MAC or '*'. `destination`: a name, `*.name` (names below it),
    an address, or a network. `service`: as `service_of` gives it, or '' for any. `until`: epoch seconds,
    or None for ever."""

    device: str
    destination: str | IPv4Network | IPv6Network
    service: str
    action: Action
    until: float | None = None
    by: str = ""
    at: str = ""


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
    None for any. `name_grace`: seconds that a name still allows after it went stale."""

    mode: Mode = Mode.MONITOR
    learning: LearningPlan = LearningPlan(auto=True, period=14 * 86400.0)
    match: Match = Match.DOMAIN
    name_grace: float = 7 * 86400.0
    block_foreign_dns: bool = True
    resolvers: frozenset[str] | None = frozenset()
    new_devices: NewDevices = NewDevices.DEFAULT
    devices: Mapping[str, DeviceSettings] = {}
    rules: tuple[Rule, ...] = ()


class Decision(NamedTuple):
    """`alert`: it is to be reported."""

    accept: bool
    reason: Reason
    alert: bool = False


class Standing(NamedTuple):
    """How a device is treated at this moment."""

    learning: bool = True
    isolated: bool = False
    enforcing: bool = False
    paused: bool = False
    after_outage: bool = False


class Attempted(NamedTuple):
    """What a device tries to reach. `names`: all that it was told for the address, newest first."""

    address: str
    service: str
    names: Sequence[str]


def decide(
    standing: Standing,
    rules: Sequence[Rule],
    learned: Mapping[Destination, object],
    attempted: Attempted,
    match: Match,
    wall: float,
) -> Decision:
    """Judge one attempt, at `wall` (epoch seconds). An accept goes by any of its names."""
    address, service, names = attempted
    action = ruling(rules, attempted, match, wall) if rules else None
    if action is Action.DENY:
        return Decision(False, Reason.DENIED_BY_RULE)
    if action is Action.ALLOW:
        return Decision(True, Reason.ALLOWED_BY_RULE)
    for name in names:
        if Destination(group_of(name, match), service) in learned:
            return Decision(True, Reason.LEARNED)
    if Destination(address, service) in learned:
        return Decision(True, Reason.LEARNED)
    if standing.learning:
        return Decision(True, Reason.LEARNING)
    return _unknown(standing, named=bool(names))


def _unknown(standing: Standing, *, named: bool) -> Decision:
    if standing.paused:
        return Decision(True, Reason.PAUSED, alert=True)
    if standing.isolated:
        return Decision(False, Reason.ISOLATED, alert=True)
    unknown = Reason.UNKNOWN_NAME if named else Reason.UNKNOWN_ADDRESS
    if not standing.enforcing:
        return Decision(True, unknown, alert=True)
    if standing.after_outage and not named:
        return Decision(True, Reason.AFTER_OUTAGE, alert=True)
    return Decision(False, unknown, alert=True)


def ruling(rules: Sequence[Rule], attempted: Attempted, match: Match, wall: float) -> Action | None:
    """What the user's rules say of this attempt. A deny stands above every allow. It goes by the newest
    name (or the address), an allow by any name: several names may share one address."""
    newest = attempted._replace(names=attempted.names[:1])
    if any(r.action is Action.DENY and applies(r, newest, match, wall) for r in rules):
        return Action.DENY
    if any(r.action is Action.ALLOW and applies(r, attempted, match, wall) for r in rules):
        return Action.ALLOW
    return None


def applies(rule: Rule, attempted: Attempted, match: Match, wall: float) -> bool:
    """Does `rule` speak of this attempt, at `wall` (epoch seconds)?

    A plain name stands for itself and for the name group of that name; `*.name` for all names below it.
    """
    if rule.until is not None and wall >= rule.until:
        return False
    if rule.service and rule.service != attempted.service:
        return False
    wanted, names = rule.destination, attempted.names
    if not isinstance(wanted, str):
        return ip_address(attempted.address.partition("%")[0]) in wanted
    if wanted == "*":
        return True
    if wanted.startswith("*."):
        return any(is_below(name, wanted[2:]) for name in names)
    return any(wanted in (name, group_of(name, match)) for name in names)
