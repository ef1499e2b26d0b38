# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device sent and received, on a terminal."""

from collections.abc import Mapping
from typing import Any

from smartrouter.listings.volume import day_before
from smartrouter.terminal import Cell, Column, Elide, Screen, Style, amount, when

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


def show(screen: Screen, volume: Mapping[str, Any], now: float) -> None:
    """A table of `of_one`; nothing where nothing was counted."""
    destinations = volume["destinations"]
    if not destinations:
        return
    since = max(volume["since"], day_before(now))
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
    if volume["offloaded"]:
        screen.line(
            Cell(f"Open connections that are offloaded: {volume['offloaded']}. ", Style.WARNING),
            "What they carry may not be counted.",
        )
    day, total = volume["day"], volume["total"]
    screen.line(
        f"Together {amount(day['bytes_out'])} sent and {amount(day['bytes_in'])} received; of all that is "
        f"kept, {amount(total['bytes_out'])} and {amount(total['bytes_in'])}."
    )
