# SPDX-License-Identifier: GPL-2.0-or-later
"""What devices sent and received, by the keys that `VOLUME` and `DETAILS` document, and which stay."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from smartrouter.guard.volume import STARTING
from smartrouter.store.volumes import HOUR, Sums, kept_since, volumes, volumes_of
from smartrouter.terminal import amount

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
    "offloaded": "how many of its open connections are offloaded, so that what they carry may not be "
    "counted; null if nobody counts",
}


def described(keys: Mapping[str, str]) -> str:
    """The keys of an object in one sentence."""
    return "; ".join(f"`{key}`: {text}" for key, text in keys.items())


def of_all(conn: sqlite3.Connection, now: float) -> Callable[[str], dict[str, Any]]:
    """What gives the sums of a device, by its MAC, under the keys of `VOLUME`."""
    day, total, since = volumes(conn, day_before(now)), volumes(conn), kept_since(conn)

    def of(mac: str) -> dict[str, Any]:
        return {
            "day": day.get(mac, Sums())._asdict(),
            "total": total.get(mac, Sums())._asdict(),
            "since": since,
        }

    return of


def of_one(
    conn: sqlite3.Connection, mac: str, now: float, counted: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What a device sent and received, under the keys of `DETAILS`. `counted`: the guard's own word on its
    counting, None where it gives none."""
    found = volumes_of(conn, mac, day_before(now))
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
        "offloaded": None if counted is None else counted["offloaded"].get(mac, 0),
    }


def counted_by(status: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The guard's own word on its counting, from the answer to `status`; None where it gives none."""
    found: Mapping[str, Any] | None = (status.get("guard") or {}).get("volume")
    return found


def day_before(now: float) -> float:
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
    if counted["events"] is False:
        return (
            "The kernel does not tell when connections end: what short ones carry is not counted.",
            "`sysctl -w net.netfilter.nf_conntrack_events=2` (1 before Linux 5.19).",
        )
    if counted["offloaded"]:
        return (
            f"Open connections of watched devices that are offloaded: {sum(counted['offloaded'].values())}. "
            "What they carry may not be counted.",
            "Switch offloading off; OpenWrt: `uci set firewall.@defaults[0].flow_offloading=0`.",
        )
    return None


def told(counted: Mapping[str, Any] | None) -> str:
    """What was counted since the guard was started, in words; '' if nothing is."""
    if counted is None or counted["problem"] or counted["accounting"] is not True:
        return ""
    sent, received = amount(counted["bytes_out"]), amount(counted["bytes_in"])
    text = f"{sent} sent and {received} received by watched devices"
    lost = losses(counted)
    return f"{text}, not counting {lost}" if lost else text


def losses(counted: Mapping[str, Any]) -> str:
    """What was not counted for want of room or time; '' if nothing."""
    lost = []
    if counted["lost"]:
        lost.append(f"{counted['lost']} connections that ended faster than their counts could be read")
    if counted["uncounted"]:
        lost.append(f"{counted['uncounted']} that are older than the kernel's counting")
    return " and ".join(lost)
