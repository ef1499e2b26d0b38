# SPDX-License-Identifier: GPL-2.0-or-later
"""What devices sent and received, as commands give it. Shows what the store says; the keys are documented in
`VOLUME` and `DETAILS`, and stay."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from smartrouter.guard.volume import STARTING
from smartrouter.store.volumes import HOUR, Sums, kept_since, volumes, volumes_of
from smartrouter.terminal import Cell, Column, Elide, Screen, Style, amount, when

DAY = 86400.0
SUMS = "`bytes_out`, `bytes_in`, `packets_out`, `packets_in`, `flows` (connections)"
VOLUME = {
    "day": f"in the last 24 hours, by whole hours: {SUMS}",
    "total": "the same of all time that is kept",
    "since": "epoch seconds since when any are kept, or null",
}
DETAILS = VOLUME | {
    "destinations": "the same by destination: `name` (or address), `service`, `day`, `total`; the largest of "
    "the last 24 hours first",
}
_SHOWN = 20  # destinations
_COLUMNS = (
    Column("DESTINATION", least=20, elide=Elide.START),
    Column("SERVICE", least=8),
    Column("SENT", right=True),
    Column("RECEIVED", right=True),
    Column("CONNECTIONS", right=True, rank=2),
    Column("SENT IN ALL", right=True, rank=1),
    Column("RECEIVED IN ALL", right=True, rank=1),
)


def described(keys: Mapping[str, str]) -> str:
    """The keys of an object in one sentence."""
    return "; ".join(f"`{key}`: {text}" for key, text in keys.items())


def of_all(conn: sqlite3.Connection, now: float) -> Callable[[str], dict[str, Any]]:
    """What gives the sums of a device, by its MAC, under the keys of `VOLUME`."""
    day, total, since = volumes(conn, _day_before(now)), volumes(conn), kept_since(conn)

    def of(mac: str) -> dict[str, Any]:
        return {
            "day": day.get(mac, Sums())._asdict(),
            "total": total.get(mac, Sums())._asdict(),
            "since": since,
        }

    return of


def of_one(conn: sqlite3.Connection, mac: str, now: float) -> dict[str, Any]:
    """What a device sent and received, under the keys of `DETAILS`."""
    found = volumes_of(conn, mac, _day_before(now))
    return {
        "day": _sum(each.lately for each in found)._asdict(),
        "total": _sum(each.total for each in found)._asdict(),
        "since": kept_since(conn),
        "destinations": [
            {
                "name": each.destination,
                "service": each.service,
                "day": each.lately._asdict(),
                "total": each.total._asdict(),
            }
            for each in found
        ],
    }


def _day_before(now: float) -> float:
    """The beginning of the hour of this time yesterday."""
    return (now - DAY) // HOUR * HOUR


def _sum(sums: Iterable[Sums]) -> Sums:
    return Sums(*map(sum, zip(Sums(), *sums, strict=True)))


def trouble(counted: Mapping[str, Any] | None) -> tuple[str, str] | None:
    """What is wrong with the counting of bytes, by the guard's own word, and how to mend it; None if nothing.
    `counted`: None where it is switched off, or the guard does not say."""
    if counted is None or counted["problem"] == STARTING:
        return None
    if counted["problem"]:
        return f"What devices send and receive is not counted: {counted['problem'].rstrip('.')}.", ""
    if counted["accounting"] is False:
        return (
            "The kernel does not count bytes, so what devices send and receive is unknown, and no upload is "
            "told of.",
            "`sysctl -w net.netfilter.nf_conntrack_acct=1`; it counts for connections that begin then.",
        )
    if counted["offloaded"]:
        return (
            f"Open connections of watched devices that are offloaded: {counted['offloaded']}. What they "
            "carry may not be counted.",
            "Switch offloading off; OpenWrt: `uci set firewall.@defaults[0].flow_offloading=0`.",
        )
    return None


def losses(counted: Mapping[str, Any]) -> str:
    """What was not counted for want of room or time; '' if nothing."""
    lost = []
    if counted["lost"]:
        lost.append(f"{counted['lost']} connections that ended faster than their counts could be read")
    if counted["uncounted"]:
        lost.append(f"{counted['uncounted']} that are older than the kernel's counting")
    return " and ".join(lost)


# -- on a terminal -----------------------------------------------------------------------------------------


def show(screen: Screen, volume: Mapping[str, Any], now: float) -> None:
    """A table of `of_one`; nothing where nothing was counted."""
    destinations = volume["destinations"]
    if not destinations:
        return
    since = max(volume["since"], _day_before(now))
    screen.line("")
    screen.line(Cell(f"What it sent and received since {when(since)}", Style.STRONG))
    screen.table(
        _COLUMNS,
        [
            [
                each["name"],
                each["service"],
                amount(each["day"]["bytes_out"]),
                amount(each["day"]["bytes_in"]),
                str(each["day"]["flows"]),
                amount(each["total"]["bytes_out"]),
                amount(each["total"]["bytes_in"]),
            ]
            for each in destinations[:_SHOWN]
        ],
    )
    if len(destinations) > _SHOWN:
        screen.line(f"… and {len(destinations) - _SHOWN} more: `--json` has all.")
    day, total = volume["day"], volume["total"]
    screen.line(
        f"Together {amount(day['bytes_out'])} sent and {amount(day['bytes_in'])} received; of all that is "
        f"kept, {amount(total['bytes_out'])} and {amount(total['bytes_in'])}."
    )
