# SPDX-License-Identifier: GPL-2.0-or-later
"""*One device*: what it is and why that is believed, how its learning goes, what it needs, what it did, and
what you decided about it."""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from smartrouter.config import RuleConfig
from smartrouter.core.learning import Progress, State
from smartrouter.core.policy import Watching
from smartrouter.listings import forecast
from smartrouter.listings.devices import device_json, kept_prior
from smartrouter.listings.known import EVERY_DEVICE, Known
from smartrouter.store import inbox, queries, timeline
from smartrouter.store.attempts import attempts_of
from smartrouter.store.volumes import Sums, lately_of
from smartrouter.terminal import duration
from smartrouter.web.views.inbox import Row, muted_until, row
from smartrouter.web.views.log import Row as Attempt
from smartrouter.web.views.log import row as attempt

HOURS, DAYS = 24, 14  # of the timelines
WEEK = 7 * 86400.0  # seconds of which volumes are shown
ON_A_PAGE = 40  # destinations
_ALERTS, _LATEST = 3, 8  # that are shown


class Destination(NamedTuple):
    """What the device needs. `name`: name group, or address; `hours`: how many it was used in while learning;
    `volume`: what was sent and received in the last week, None where nothing was counted."""

    name: str
    service: str
    hours: int
    learned: float
    last_used: float
    volume: Sums | None


class Device(NamedTuple):
    """See the module. `facts`: under the keys of `listings.devices.DEVICE`; `watch`: the user's word (`auto`,
    `always`, `never`); `own_mode`: the mode that it has of its own, '' if none; `learning`, `outlook`:
    sentences, '' where there is nothing to say; `whole_day`: `hours` counts all; `volume`: of
    the last week with whatever destinations; `rules`: those about this
    device, `common`: those about all."""

    facts: Mapping[str, Any]
    watch: str
    own_mode: str
    muted_until: float | None
    muted_by: str
    learning: str
    outlook: str
    hours: Sequence[timeline.DeviceHour]
    whole_day: bool
    days: Sequence[timeline.Day]
    destinations: Sequence[Destination]
    volume: Sums | None
    known: int
    page: int
    pages: int
    rules: Sequence[RuleConfig]
    common: Sequence[RuleConfig]
    alerts: Sequence[Row]
    latest: Sequence[Attempt]


def device(
    known: Known, conn: sqlite3.Connection, mac: str, now: float, today: date, page: int = 1
) -> Device | None:
    """The screen; None if there never was such a device. `today`: by the local calendar; `page`: of its
    destinations. Raises sqlite3.Error."""
    found = queries.device(conn, mac)
    if found is None:
        return None
    progress = queries.progress(conn)
    own = progress.get(mac)
    facts = device_json(known, conn, found, own, kept_prior(conn))
    needs = queries.learned(conn, mac)
    pages = max(1, -(-len(needs) // ON_A_PAGE))
    page = min(max(1, page), pages)
    hours, whole_day = timeline.of_device(conn, mac, now, HOURS)
    told = known.settings.devices.get(mac)
    written = next((each for each in known.config.devices if each.mac == mac), None)
    last, volumes = today.toordinal(), lately_of(conn, mac, now - WEEK)
    return Device(
        facts=facts,
        watch=str(told.watch if told else Watching.AUTO),
        own_mode=str(told.mode or "") if told else "",
        muted_until=muted_until(known, mac, now),
        muted_by=written.muted_by if written else "",
        learning=_learning(known, facts, own),
        outlook=forecast.novelty_text(facts["novelty"]) if facts["novelty"] else "",
        hours=hours,
        whole_day=whole_day,
        days=timeline.days_of(conn, mac, last - DAYS + 1, last),
        destinations=[
            _destination(each, volumes.get(each.destination, Sums()) if volumes else None)
            for each in needs[(page - 1) * ON_A_PAGE : page * ON_A_PAGE]
        ],
        volume=Sums(*map(sum, zip(*volumes.values(), strict=True))) if volumes else None,
        known=len(needs),
        page=page,
        pages=pages,
        rules=[rule for rule in known.config.rules if rule.device == mac],
        common=[rule for rule in known.config.rules if rule.device == EVERY_DEVICE],
        alerts=[
            row(known, each, now)
            for each in inbox.read(conn, inbox.of_device(conn, mac, ("open",), _ALERTS, 0))
        ],
        latest=[attempt(known, each) for each in attempts_of(conn, mac, _LATEST)],
    )


def _destination(found: queries.Learned, volume: Sums | None) -> Destination:
    name, service = found.destination
    return Destination(name, service, found.seen.units, found.learned_at, found.last_used, volume)


def _learning(known: Known, facts: Mapping[str, Any], progress: Progress | None) -> str:
    """How learning goes, or went."""
    if not facts["watched"]:
        return ""
    if progress is None:
        return "It has not begun: the device has attempted nothing yet."
    seen = f"observed for {duration(progress.observed)}, {progress.attempts} attempts"
    if progress.state is State.PROTECTED:
        return f"Over: {seen}; " + ("settled." if progress.settled else f"{forecast.UNSETTLED}.")
    quiet = ""
    if known.settings.learning.auto:
        quiet = f" in {progress.units} different hours, the last {progress.quiet} without anything new"
    return f"So far {seen}{quiet}."
