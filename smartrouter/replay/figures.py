# SPDX-License-Identifier: GPL-2.0-or-later
"""What a replay finds out, and how it is shown: as JSON and as tables.

Knows nothing of packets or of how the figures come about.
"""

from dataclasses import dataclass, field, fields
from math import inf
from typing import Any, NamedTuple

from smartrouter.core.classification.portrait import Portrait
from smartrouter.core.effects import Alert, Evidence, Kind, Label, Severity, Withdraw
from smartrouter.core.events import Moment
from smartrouter.core.judge import Judge
from smartrouter.terminal import Cell, Column, Elide, Screen, Style, when

MAX_NAMES = 65_536  # distinct names that are told apart for one device
MAX_ALERTS = 20_000  # alerts that are told apart
MAX_ADDRESSES = 256  # addresses listed with one alert
_LOUD = (Severity.WARNING, Severity.CRITICAL)
_STYLES = {Severity.CRITICAL: Style.BAD, Severity.WARNING: Style.WARNING, Severity.NOTICE: Style.PLAIN}


@dataclass(slots=True)
class DeviceFigures:
    """One device's figures; the names are the JSON's."""

    syn_packets: int = 0
    connections: int = 0
    dns_replies: int = 0
    names: set[int] = field(default_factory=set)  # hashes: eight bytes tell names apart as well as they do
    named_connections: int = 0
    learned_destinations: int = 0
    tested_connections: int = 0
    alerts: int = 0
    alerted_connections: int = 0

    def asked_for(self, name: str) -> None:
        """The device asked for `name`."""
        if len(self.names) < MAX_NAMES:
            self.names.add(hash(name))

    def to_json(self) -> dict[str, int]:
        """The figures as plain numbers."""
        return {f.name: len(self.names) if f.name == "names" else getattr(self, f.name) for f in fields(self)}


class Identity(NamedTuple):
    """What a device is. `iot`: `iot`, `not-iot` or `unknown`; `confidence`: in that, 0 to 1. `hostname`: the
    name that it gives itself."""

    iot: str
    confidence: float
    maker: str
    hostname: str

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "class": self.iot,
            "confidence": round(self.confidence, 3),
            "maker": self.maker,
            "hostname": self.hostname,
        }


NOBODY = Identity("unknown", 0.0, "", "")  # of whom nothing is known


@dataclass(slots=True)
class AlertEntry:
    """All occurrences of one alert, `latest` the last of them. Times in epoch seconds."""

    latest: Alert
    first: float = inf
    last: float = -inf
    count: int = 0
    blocked: int = 0
    addresses: dict[str, None] = field(default_factory=dict)

    def add(self, alert: Alert) -> None:
        """One more occurrence."""
        self.first, self.last = min(self.first, alert.at), max(self.last, alert.at)
        self.count += 1
        self.blocked += alert.blocked
        if len(self.addresses) < MAX_ADDRESSES:
            self.addresses[alert.address] = None
        self.latest = alert

    def to_json(self) -> dict[str, Any]:
        """The alert as plain values. A scan has no one destination: null."""
        alert = self.latest
        return {
            "mac": alert.mac,
            "destination": alert.destination or None,
            "service": alert.service,
            "evidence": str(alert.evidence),
            "kind": str(alert.kind),
            "reason": str(alert.reason),
            "severity": str(alert.severity),
            "first": self.first,
            "last": self.last,
            "count": self.count,
            "blocked": self.blocked,
            "addresses": list(self.addresses),
            "name": alert.name,
            "detail": alert.detail,
        }


@dataclass
class Result:
    """What a replay found. `alerts_not_listed`: occurrences of alerts for which there was no room.
    `warnings`: what the reader should know of how far to trust it. `portraits`: what the devices showed of
    themselves, `identities`: what that makes them. `judge`, `ended`: the judge as it stood at the end,
    and when that was."""

    packets: int = 0
    mangled: int = 0
    routers: list[str] = field(default_factory=list)
    devices: dict[str, DeviceFigures] = field(default_factory=dict)
    portraits: dict[str, Portrait] = field(default_factory=dict)
    identities: dict[str, Identity] = field(default_factory=dict)
    alerts: dict[tuple[str, str, str, str], AlertEntry] = field(default_factory=dict)
    alerts_not_listed: int = 0
    warnings: list[str] = field(default_factory=list)
    judge: Judge | None = None
    ended: Moment | None = None

    def raised(self, alert: Alert) -> None:
        """The judge raised `alert`."""
        figures = self.devices[alert.mac]
        counts = _counts(alert)
        figures.alerted_connections += counts
        entry = self.alerts.get(alert.key)
        if entry is None:
            if len(self.alerts) >= MAX_ALERTS:
                self.alerts_not_listed += 1
                return
            entry = self.alerts[alert.key] = AlertEntry(alert)
            figures.alerts += counts
        entry.add(alert)

    def withdrawn(self, effect: Withdraw) -> None:
        """An alert has become part of a greater one."""
        entry = self.alerts.pop(effect.key, None)
        if entry is not None and _counts(entry.latest):
            figures = self.devices[effect.mac]
            figures.alerts -= 1
            figures.alerted_connections -= entry.count

    def labelled(self, effect: Label) -> None:
        """What was raised about an address without a name has one by its hello."""
        for entry in self.alerts.values():
            alert = entry.latest
            if alert.mac == effect.mac and alert.destination == effect.address and not alert.name:
                entry.latest = alert._replace(name=effect.name, evidence=Evidence.HELLO)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "packets": self.packets,
            "mangled": self.mangled,
            "routers": self.routers,
            "devices": {
                mac: figures.to_json() | self.identities.get(mac, NOBODY).to_json()
                for mac, figures in self.devices.items()
            },
            "alerts": [entry.to_json() for entry in self.alerts.values()],
            "alerts_not_listed": self.alerts_not_listed,
            "warnings": self.warnings,
        }


def _counts(alert: Alert) -> bool:
    """Is it about a new destination, and more than a notice?"""
    return alert.kind is Kind.NEW_DESTINATION and alert.severity in _LOUD


def show(result: Result, screen: Screen) -> None:
    """Print `result` as tables."""
    screen.table(
        _DEVICE_COLUMNS,
        [_device_row(mac, f, result.identities.get(mac, NOBODY)) for mac, f in result.devices.items()],
    )
    screen.line()
    if result.alerts:
        screen.table(_ALERT_COLUMNS, [_alert_row(entry) for entry in result.alerts.values()])
    else:
        screen.line(Cell("No alerts.", Style.GOOD))
    screen.line()
    routers = ", ".join(result.routers) or "none"
    screen.line(f"{result.packets} packets, {result.mangled} of them mangled; routers: {routers}.")
    if result.alerts_not_listed:
        screen.line(f"{result.alerts_not_listed} more occurrences of alerts are not listed.")
    for warning in result.warnings:
        screen.line(Cell(warning, Style.WARNING))


_DEVICE_COLUMNS = (
    Column("DEVICE"),
    Column("HOST NAME", rank=1, least=12),
    Column("MAKER", rank=0, least=12),
    Column("CLASS", rank=4),
    Column("CONNECTIONS", right=True),
    Column("NAMED", right=True, rank=2),
    Column("DNS REPLIES", right=True, rank=0),
    Column("NAMES", right=True, rank=1),
    Column("LEARNED", right=True, rank=3),
    Column("TESTED", right=True, rank=4),
    Column("ALERTED", right=True),
    Column("ALERTS", right=True),
)
_ALERT_COLUMNS = (
    Column("FIRST", rank=1),
    Column("DEVICE"),
    Column("DESTINATION", least=16, elide=Elide.START),
    Column("SERVICE", rank=4),
    Column("KIND", rank=2),
    Column("EVIDENCE", rank=0),
    Column("REASON", rank=3),
    Column("COUNT", right=True),
)


def _device_row(mac: str, figures: DeviceFigures, identity: Identity) -> list[str | Cell]:
    return [
        mac,
        identity.hostname or "-",
        identity.maker or "-",
        _class(identity),
        str(figures.connections),
        str(figures.named_connections),
        str(figures.dns_replies),
        str(len(figures.names)),
        str(figures.learned_destinations),
        str(figures.tested_connections),
        str(figures.alerted_connections),
        Cell(str(figures.alerts), Style.WARNING if figures.alerts else Style.GOOD),
    ]


def _class(identity: Identity) -> str:
    return f"{identity.iot} {identity.confidence:.0%}" if identity.confidence else identity.iot


def _alert_row(entry: AlertEntry) -> list[str | Cell]:
    alert = entry.latest
    return [
        when(entry.first),
        alert.mac,
        Cell(alert.destination or f"({len(entry.addresses)} addresses)", _STYLES[alert.severity]),
        alert.service,
        str(alert.kind),
        str(alert.evidence),
        str(alert.reason),
        str(entry.count),
    ]
