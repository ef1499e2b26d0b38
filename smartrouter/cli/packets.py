# SPDX-License-Identifier: GPL-2.0-or-later
"""The packets behind an alert: shown, given as JSON, exported, and how to replay what was exported.

What a replay is told besides the packets is what the device knew, where the alert is about that: it is no
text of the network's unless it is a plain name.
"""

import re
import shlex
import time
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from smartrouter.core.destinations import Match
from smartrouter.core.effects import Evidence, Kind
from smartrouter.core.errors import SmartrouterError
from smartrouter.core.events import UDP
from smartrouter.core.policy import Reason
from smartrouter.listings.known import Known
from smartrouter.listings.pcap import write_pcap
from smartrouter.store.alerts import StoredAlert
from smartrouter.store.exhibits import Exhibit, Role, exhibits_of
from smartrouter.store.queries import learned
from smartrouter.terminal import Cell, Screen, Style
from smartrouter.wire.packet import Packet, parse_ip

PACKETS = {
    "packets": "the packets behind it that are kept: `role` (`reply`, `alias`, `first`, `hello`, `query`), "
    "`what` that is in words, `at` (epoch seconds), `from_device`, `dissection` (lines of text), `base64` "
    "(from the IP header on)",
}
_WHAT: dict[str, str] = {
    Role.REPLY: "the DNS reply that named the address",
    Role.ALIAS: "the DNS reply that led to that name",
    Role.FIRST: "the packet that began it",
    Role.HELLO: "the first data of it",
    Role.QUERY: "what it sent to port 53",
}
_SHOWN = 4  # packets; --json has all
_PLAIN = re.compile(r"[a-z0-9_:][a-z0-9._:-]{0,252}")
_DNS_PORT = 53
# What a replay finds out from the packets alone, and from what it is told on top.
_REPLAYED = frozenset(
    (
        Reason.UNKNOWN_NAME, Reason.UNKNOWN_ADDRESS, Reason.NEW_PORT, Reason.CONNECTIVITY_CHECK,
        Reason.CERTIFICATE_STATUS, Reason.SCAN, Reason.UNKNOWN_HELLO, Reason.ENCRYPTED_DNS,
        Reason.FOREIGN_RESOLVER, Reason.DNS_CANARY, Reason.FRONTING,
    )
)  # fmt: skip
# Told to somebody else; or to the device, so long ago that the packets do not say how long.
_NOT_TOLD = (Evidence.SHARED, Evidence.REFRESHED, Evidence.STALE)


def kept(known: Known, found: StoredAlert) -> list[Exhibit]:
    """The packets that are kept with the alert. Raises Unavailable."""
    with known.store() as conn:
        return exhibits_of(conn, found.id)


def packets_json(exhibits: Sequence[Exhibit]) -> dict[str, Any]:
    """The packets, under the keys of `PACKETS`."""
    return {"packets": [_packet_json(each) for each in exhibits]}


def _packet_json(exhibit: Exhibit) -> dict[str, Any]:
    return {
        "role": exhibit.role,
        "what": _WHAT.get(exhibit.role, ""),
        "at": exhibit.at,
        "from_device": exhibit.outward,
        "dissection": [f"{name} {text}".strip() for name, text in _layers(exhibit.packet)],
        "base64": b64encode(exhibit.packet).decode(),
    }


def _layers(packet: bytes) -> Sequence[tuple[str, str]]:
    try:
        from smartrouter.cli.dissection import dissect  # scapy takes half a second to load
    except ImportError:
        return [("", "Install scapy to see what is in it.")]
    return dissect(packet)


def show_packets(screen: Screen, found: StoredAlert, exhibits: Sequence[Exhibit]) -> None:
    """The first few of them, taken apart."""
    if not exhibits:
        return
    screen.line("")
    screen.line(Cell("The packets behind it", Style.STRONG))
    for exhibit in exhibits[:_SHOWN]:
        moment = time.strftime("%H:%M:%S", time.localtime(exhibit.at)) + f".{int(exhibit.at % 1 * 1e6):06d}"
        screen.item(
            (f"  {moment}  ",), f"{_WHAT.get(exhibit.role, exhibit.role)}, {len(exhibit.packet)} bytes"
        )
        for name, text in _layers(exhibit.packet):
            screen.item((f"    {name:<5} ",), text)
    if len(exhibits) > _SHOWN:
        screen.line(f"  {len(exhibits) - _SHOWN} more, see --json")
    screen.item(
        (Cell(f"  smartrouter alert {found.id} --pcap FILE", Style.STRONG), "  "),
        "writes them to a capture file",
    )


def export(known: Known, found: StoredAlert, path: str, *, force: bool) -> tuple[list[Exhibit], str]:
    """Write them to the capture file `path`; gives them, and how to replay that (`replaying`). Raises
    SmartrouterError where there are none, or the file cannot be written."""
    exhibits = kept(known, found)
    if not exhibits:
        raise SmartrouterError(
            f"no packets are kept with alert {found.id}: it is not about one, or they had to make room"
        )
    write_pcap(path, found.mac, exhibits, force=force)
    return exhibits, replaying(known, found, exhibits, path)


def replaying(known: Known, found: StoredAlert, exhibits: Sequence[Exhibit], path: str) -> str:
    """The command that replays `path`, and says of it what was said of the alert; '' where that rests on more
    than these packets."""
    if found.reason not in _REPLAYED or found.evidence in _NOT_TOLD:
        return ""
    if found.evidence == Evidence.DNS and not any(each.role == Role.REPLY for each in exhibits):
        return ""
    if found.evidence == Evidence.HELLO and not any(_may_name_the_server(each) for each in exhibits):
        return ""
    words = ["smartrouter", "replay", "--learn", "0h", "--mode", "enforce" if found.blocked else "monitor"]
    if known.settings.match is not Match.CHAIN:
        words += ["--match", str(known.settings.match)]
    if _is_about_resolvers(found, exhibits):
        words += ["--resolvers", "trusted"]
    if found.reason == Reason.UNKNOWN_HELLO:
        words += ["--unnamed-tls", "hello"]
    for each in _knew(known, found):
        words += ["--known", each]
    return shlex.join([*words, "--mac", found.mac, path])


def _may_name_the_server(exhibit: Exhibit) -> bool:
    """Is it first data, or one that may hold some already, as QUIC's does?"""
    return exhibit.role == Role.HELLO or (exhibit.role == Role.FIRST and _read(exhibit).protocol == UDP)


def _is_about_resolvers(found: StoredAlert, exhibits: Sequence[Exhibit]) -> bool:
    """Would it be nothing new, were every DNS server believed?"""
    if found.kind == Kind.SCAN:
        return all(_read(each).destination_port == _DNS_PORT for each in exhibits if each.outward)
    return found.kind == Kind.FOREIGN_RESOLVER


def _read(exhibit: Exhibit) -> Packet:
    """It was read by the guard before."""
    return parse_ip(exhibit.packet)


def _knew(known: Known, found: StoredAlert) -> list[str]:
    """What the device had learned that the alert rests on: other services of the name, the bare address."""
    if found.kind == Kind.FRONTING:
        places = [f"{found.targets[0][0]}={found.service}"] if found.targets else []
    elif found.kind == Kind.NEW_PORT:
        with known.store() as conn:
            places = [
                "=".join(each.destination)
                for each in learned(conn, found.mac)
                if each.destination.name == found.destination and each.destination.service != found.service
            ]
    else:
        places = []
    return [place for place in places if _PLAIN.fullmatch(place.partition("=")[0])]
