# SPDX-License-Identifier: GPL-2.0-or-later
"""*Devices*: all of them, filtered and sorted as the address says."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from smartrouter.core.classification.makers import short
from smartrouter.core.inert import cut
from smartrouter.core.learning import State
from smartrouter.listings import forecast
from smartrouter.listings.devices import kept_prior
from smartrouter.listings.known import Known
from smartrouter.listings.status import is_undecided
from smartrouter.store import queries
from smartrouter.store.queries import Device
from smartrouter.web.views import words

ON_A_PAGE = 50
LONGEST = 100  # characters of what is looked for
SHOW: Mapping[str, str] = {
    "watched": "watched",
    "all": "all",
    "alerts": "with alerts",
    "learning": "learning",
    "protected": "protected",
    "undecided": "undecided",
    "ignored": "not watched",
    "away": "away",
}
"""Which devices are shown: key -> words."""
SORT: Mapping[str, str] = {
    "name": "name",
    "alerts": "alerts",
    "state": "state",
    "kind": "kind",
    "maker": "maker",
    "destinations": "destinations",
    "seen": "last seen",
}
_STATES = {State.PROTECTED: 2, State.LEARNING: 1}


class Row(NamedTuple):
    """A device. `kind`: `iot`, `not-iot` or `unknown`; `sure`: how sure that is, 0 to 1; `state`: `new`,
    `learning` or `protected`, '' if it is not watched; `share`: of learning, 0 to 1, None unless it learns;
    `ends`: when that is expected to end, epoch seconds, None if that cannot be said; `undecided`: left alone
    only because nobody knows what it is; `probably`: what it was called under another MAC, '' if nothing."""

    mac: str
    label: str
    maker: str
    kind: str
    sure: float
    state: str
    mode: str
    share: float | None
    ends: float | None
    destinations: int
    alerts: int
    address: str
    present: bool
    seen: float
    undecided: bool
    probably: str


class Devices(NamedTuple):
    """See the module. `counts`: how many devices each of `SHOW` has; `page` of `pages`, from 1 on."""

    rows: Sequence[Row]
    show: str
    sort: str
    falling: bool
    text: str
    counts: Mapping[str, int]
    found: int
    page: int
    pages: int


class _Standing(NamedTuple):
    device: Device
    label: str
    watched: bool
    mode: str
    undecided: bool


def devices(
    known: Known,
    conn: sqlite3.Connection,
    now: float,
    *,
    show: str = "",
    sort: str = "",
    falling: bool = False,
    text: str = "",
    page: int = 1,
) -> Devices:
    """The screen. What is asked for and makes no sense is taken as not asked for. Raises sqlite3.Error."""
    show, sort, text = show if show in SHOW else "watched", sort if sort in SORT else "name", text[:LONGEST]
    all_of_them = [_standing(known, device) for device in known.found()]
    counts = {key: sum(map(wanted, all_of_them)) for key, wanted in _WANTED.items()}
    if show == "watched" and not counts["watched"]:
        show = "all"
    found = [each for each in all_of_them if _WANTED[show](each) and _matches(each, text)]
    found.sort(key=_ORDER["name"])
    if sort != "name":
        found.sort(key=_ORDER[sort])
    if falling:
        found.reverse()
    pages = max(1, -(-len(found) // ON_A_PAGE))
    page = min(max(1, page), pages)
    some = found[(page - 1) * ON_A_PAGE : page * ON_A_PAGE]
    rows = _rows(known, conn, some, now)
    return Devices(rows, show, sort, falling, text, counts, len(found), page, pages)


def main_address(addresses: Sequence[str]) -> str:
    """The one that a person knows the device by: IPv4 where it has one, link-local ones last."""
    return min(addresses, key=lambda address: (":" in address, address.startswith("fe80:")), default="")


def _standing(known: Known, device: Device) -> _Standing:
    watched, mode = known.standing(device)
    return _Standing(
        device, known.name_of(device), watched, str(mode), not watched and is_undecided(known, device)
    )


_WANTED: Mapping[str, Callable[[_Standing], bool]] = {
    "watched": lambda each: each.watched,
    "all": lambda _: True,
    "alerts": lambda each: each.device.open_alerts > 0,
    "learning": lambda each: each.watched and each.device.stage != State.PROTECTED,
    "protected": lambda each: each.watched and each.device.stage == State.PROTECTED,
    "undecided": lambda each: each.undecided,
    "ignored": lambda each: not each.watched,
    "away": lambda each: not each.device.present,
}
_ORDER: Mapping[str, Callable[[_Standing], Any]] = {
    "name": lambda each: (each.label.lower(), each.device.mac),
    "alerts": lambda each: -each.device.open_alerts,
    "state": lambda each: (not each.watched, _STATES.get(State(each.device.stage), 0)),
    "kind": lambda each: ({True: 0, None: 1, False: 2}[each.device.iot], -each.device.confidence),
    "maker": lambda each: (not each.device.maker, each.device.maker.lower()),
    "destinations": lambda each: -each.device.learned,
    "seen": lambda each: (not each.device.present, -each.device.last_seen),
}


def _matches(each: _Standing, text: str) -> bool:
    """Is `text` a part of what the device is called, of its maker, MAC or addresses?"""
    if not text:
        return True
    device, wanted = each.device, text.lower()
    said = (each.label, device.hostname, device.called, device.maker, device.mac, *device.addresses)
    return any(wanted in one.lower() for one in said)


def _rows(known: Known, conn: sqlite3.Connection, some: Sequence[_Standing], now: float) -> list[Row]:
    progress = queries.progress(conn)
    learners = [each for each in some if each.watched and each.device.stage == State.LEARNING]
    prior = kept_prior(conn) if learners else None
    rows = []
    for device, label, watched, mode, undecided in some:
        end = None
        if prior is not None and watched:
            end = forecast.learning(progress.get(device.mac), 0, known.settings.learning, now, prior)
        rows.append(
            Row(
                mac=device.mac,
                label=cut(label, words.LONGEST),
                maker=cut(short(device.maker), words.LONGEST),
                kind={True: "iot", False: "not-iot", None: "unknown"}[device.iot],
                sure=device.confidence,
                state=device.stage if watched else "",
                mode=mode,
                share=None if end is None else end["share"],
                ends=None if end is None else end["expected"],
                destinations=device.learned,
                alerts=device.open_alerts,
                address=main_address(device.addresses),
                present=device.present,
                seen=device.last_seen,
                undecided=undecided,
                probably=cut(known.label(device.probably), words.LONGEST) if device.probably else "",
            )
        )
    return rows
