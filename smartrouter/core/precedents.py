# SPDX-License-Identifier: GPL-2.0-or-later
"""Precedents: how a device's attempt was decided, where the same attempt again is decided alike.

Nearly all that a device does it has done before. A precedent spares working out anew what the address is
called, whether that is known and what the rules say. It lasts until something of that changes, which clears
it (`Roster.doubt`), or may have changed with time. What depends on other devices (how loud news is, or that
relatives know by now what was news) shows when it ends. That a device knows something by its relatives alone
is no precedent: it must not outlast what they know.
"""

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from smartrouter.core.effects import Alert, Alike, Attempt, Record, Verdict
from smartrouter.core.events import TCP, FlowOpened, Moment, Scope, Shortcut
from smartrouter.core.flows import sort_of
from smartrouter.core.policy import Attempted, Decision

if TYPE_CHECKING:
    from smartrouter.core.roster import Device

LASTS = 60.0  # seconds at most: so soon shows what only time changes, such as the end of an alias
MAX_PRECEDENTS = 64  # of one device: what most do within a minute


class News(NamedTuple):
    """What is to be told of something that a device has not learned. `is_new_port`: but it knows the name."""

    alert: Alert
    attempted: Attempted
    is_new_port: bool


class Precedent(NamedTuple):
    """`until`: in seconds of the running clock. `outcome`: what its record ends with, from the service on.
    `nameless`: it goes to a web server that has no name. `news`: None if it is known."""

    until: float
    decision: Decision
    verdict: Verdict
    outcome: tuple[Any, ...]
    nameless: bool
    news: News | None


class Repeat:
    """A packet that a precedent decides, and what all its like have in common with it: those of the same
    device, from and to the same addresses, to the same port. `verdict` holds for them, too; `accept` and
    `reason` are what it says. `alike`: what their records have in common. `is_plain`: nothing follows from
    another one but its record. `sort`: see `core.flows`.

    It `holds` while `device.serial` is `serial`, until `until`: who asks for each packet looks himself. In
    the `era` in which that was found to be so, and that the device still uses its address, he need not."""

    __slots__ = (
        "accept", "alike", "device", "era", "is_nameless", "is_plain", "is_tcp", "mac", "news", "opens",
        "reason", "serial", "sort", "source", "until", "verdict",
    )  # fmt: skip

    def __init__(self, device: "Device", event: FlowOpened, precedent: Precedent):
        mac, source, destination, protocol, _, port, *_ = event
        self.device = device
        self.serial = device.serial
        self.until = precedent.until
        self.era: object = None
        self.opens = event.opens
        self.mac, self.source = mac, source
        self.sort = sort_of(mac, source, destination, protocol, port)
        self.is_nameless = precedent.nameless
        self.news = precedent.news
        self.is_plain = not (precedent.nameless or precedent.news or device.standing.learning)
        self.is_tcp = protocol == TCP
        self.alike = Alike(mac, source, destination, port, protocol, event.scope, *precedent.outcome)
        self.verdict = precedent.verdict
        self.accept, self.reason = precedent.verdict

    def holds(self, running: float) -> bool:
        """Has nothing changed since? Any thread may ask, at any time: what changes at this very moment is not
        acknowledged yet, nor is the reply released that changes it."""
        return self.device.serial == self.serial and running <= self.until


Repeated: TypeAlias = tuple[Repeat, int, int]
"""A packet that got the verdict of another: what it is like, its source port, its sequence number."""


_tuple = tuple.__new__  # makes a NamedTuple in half the time


def another(repeat: Repeat, source_port: int, sequence: int, settled: Shortcut) -> FlowOpened:
    """Another packet of that sort, which has its verdict. Only those to the outside have repeats, and none
    with a forged source."""
    mac, source, destination, port, protocol = repeat.alike[:5]
    return _tuple(
        FlowOpened,
        (
            mac, source, destination, protocol, source_port, port, sequence, Scope.OUTSIDE, False,
            repeat.opens, False, settled,
        ),
    )  # fmt: skip


def recorded(packet: tuple[Any, ...], scope: Scope, outcome: tuple[Any, ...], now: Moment) -> Record:
    """The record of an attempt that was decided like one before it, with that one's `outcome`. `packet`: the
    first seven fields of its `FlowOpened`."""
    mac, source, destination, protocol, source_port, destination_port, _ = packet
    begin = now.wall, mac, source, source_port, destination, destination_port, protocol, scope
    return _tuple(Record, (_tuple(Attempt, begin + outcome),))
