# SPDX-License-Identifier: GPL-2.0-or-later
"""One alert in full: what happened, why it is told, where the device went, and the packets behind it, as far
as that can be told without taking them apart. `smartrouter alert N` does, and a page has them as a file."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from smartrouter.core.destinations import protocol_name
from smartrouter.core.errors import BadPacket
from smartrouter.listings.decisions import ruled_by
from smartrouter.listings.known import Known
from smartrouter.notify.wording import Tried, about, decided, title, tried, why
from smartrouter.store.alerts import StoredAlert, alert
from smartrouter.store.exhibits import Exhibit, Role, exhibits_of
from smartrouter.web.views.inbox import Row, muted_until, row
from smartrouter.wire.packet import parse_ip

SHOWN = 12  # packets and addresses
ROLES: Mapping[str, str] = {
    Role.REPLY: "the DNS reply that named the address",
    Role.ALIAS: "the DNS reply that led to that name",
    Role.FIRST: "the packet that began it",
    Role.HELLO: "the first data of it",
    Role.QUERY: "what it sent to port 53",
}
"""What a packet has to do with its alert."""


class Shown(NamedTuple):
    """A packet. `ends`: from where to where, '' if its head cannot be read; `size`: bytes, from the IP header
    on."""

    what: str
    at: float
    outward: bool
    ends: str
    size: int


class Full(NamedTuple):
    """See the module. `outcome`: what became of it, '' while it is open."""

    row: Row
    sentence: str
    mac: str
    label: str
    muted_until: float | None
    outcome: str
    reached: Sequence[Tried]
    more_reached: int
    packets: Sequence[Shown]
    more_packets: int


def full(known: Known, conn: sqlite3.Connection, number: int, now: float) -> Full | None:
    """The alert of this number; None if there is none. Raises sqlite3.Error."""
    found = alert(conn, number)
    if found is None:
        return None
    reached, exhibits = tried(found), exhibits_of(conn, number)
    label = known.label(found.mac)
    return Full(
        row=row(known, found, now)._replace(what=about(found), why=why(found)),
        sentence=title(found, label),
        mac=found.mac,
        label=label,
        muted_until=muted_until(known, found.mac, now),
        outcome=_outcome(known, found),
        reached=reached[:SHOWN],
        more_reached=max(0, len(reached) - SHOWN),
        packets=[_shown(each) for each in exhibits[:SHOWN]],
        more_packets=max(0, len(exhibits) - SHOWN),
    )


def _outcome(known: Known, found: StoredAlert) -> str:
    rule = ruled_by(known, found)
    return decided(found, None if rule is None else rule.until)


def _shown(exhibit: Exhibit) -> Shown:
    what = ROLES.get(exhibit.role, exhibit.role)
    return Shown(what, exhibit.at, exhibit.outward, _ends(exhibit.packet), len(exhibit.packet))


def _ends(packet: bytes) -> str:
    try:
        head = parse_ip(packet)
    except BadPacket:
        return ""
    ports = [f" port {port}" if port else "" for port in (head.source_port, head.destination_port)]
    there, name = f"{head.destination}{ports[1]}", protocol_name(head.protocol)
    return f"{head.source}{ports[0]} → {there}, {name}"
