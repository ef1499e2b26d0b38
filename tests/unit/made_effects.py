# SPDX-License-Identifier: GPL-2.0-or-later
"""Effects for tests of the store, all filled in but what a test is about, and how to store them."""

import sqlite3

from smartrouter.core.destinations import Destination
from smartrouter.core.effects import (
    Alert,
    Attempt,
    Effect,
    Evidence,
    Forget,
    Keep,
    Kind,
    Label,
    Learn,
    Name,
    NameAlias,
    Raise,
    Record,
    Severity,
    Withdraw,
)
from smartrouter.core.learning import Progress, Seen, State
from smartrouter.core.policy import Reason
from smartrouter.store import batch
from smartrouter.store.exhibits import Attach
from smartrouter.store.pending import Pending
from smartrouter.store.transaction import transaction

TV = "cc:44:63:ea:63:63"
PLUG = "50:c7:bf:00:56:39"
NOON = 1795262400.0  # 2026-11-21 12:00 UTC


def write(conn: sqlite3.Connection, *effects: Effect | Attach) -> None:
    """Have `effects` stored as one batch."""
    pending = Pending()
    for effect in effects:
        assert pending.add(effect)
    with transaction(conn):
        batch.write(conn, pending.take(), NOON)


def record(
    mac: str = TV,
    *,
    at: float = NOON,
    name: str = "api.example.com",
    address: str = "203.0.113.7",
    port: int = 443,
    service: str = "web",
    accepted: bool = True,
) -> Record:
    reason = Reason.LEARNED if accepted else Reason.UNKNOWN_NAME
    return Record(
        Attempt(
            at, mac, "192.168.1.20", 40000, address, port, 6, "outside", service, name,
            Evidence.DNS if name else Evidence.NONE, accepted, reason,
        )
    )  # fmt: skip


def raised(
    mac: str = TV,
    *,
    at: float = NOON,
    destination: str = "example.net",
    service: str = "web",
    name: str = "c2.example.net",
    address: str = "203.0.113.9",
    port: int = 443,
    blocked: bool = True,
    kind: Kind = Kind.NEW_DESTINATION,
    severity: Severity = Severity.WARNING,
    detail: str = "",
) -> Raise:
    return Raise(
        Alert(
            at, mac, kind, Reason.UNKNOWN_NAME, severity, destination, service, name,
            Evidence.DNS if name else Evidence.NONE, address, port, 6, blocked, detail,
        )
    )  # fmt: skip


def withdraw(
    mac: str = TV,
    *,
    destination: str = "example.net",
    service: str = "web",
    kind: Kind = Kind.NEW_DESTINATION,
) -> Withdraw:
    return Withdraw(mac, kind, destination, service)


def label(mac: str = TV, address: str = "203.0.113.9", name: str = "hello.example.net") -> Label:
    return Label(mac, address, name)


def learn(
    mac: str = TV,
    name: str = "example.com",
    *,
    service: str = "web",
    units: int = 1,
    used: float = 0.0,
    at: float = NOON,
) -> Learn:
    return Learn(mac, Destination(name, service), Seen(units, units - 1, used), at)


def forget(mac: str = TV, name: str = "example.com", *, service: str = "web") -> Forget:
    return Forget(mac, Destination(name, service))


def told(
    mac: str = TV,
    address: str = "203.0.113.7",
    name: str = "api.example.com",
    *,
    ttl: int = 60,
    at: float = NOON,
) -> Name:
    return Name(mac, address, name, ttl, at)


def alias(
    mac: str = TV, target: str = "edge.cdn.example", head: str = "api.example.com", *, at: float = NOON
) -> NameAlias:
    return NameAlias(mac, target, head, at)


def keep(mac: str = TV, state: State = State.LEARNING, observed: float = 60.0) -> Keep:
    return Keep(mac, Progress(state=state, observed=observed, attempts=3, units=1, unit=0))
