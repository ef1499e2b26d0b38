# SPDX-License-Identifier: GPL-2.0-or-later
"""The operations that show something. Each may take its time: it runs in a thread.

Pages of a list go by a cursor, which stays good whatever comes or goes meanwhile: the MAC, or the number, of
the last thing on the page.
"""

import sqlite3
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from smartrouter.analyzer.digest import WEEK, ended_day, ended_week, summaries
from smartrouter.core.errors import SmartrouterError
from smartrouter.listings import forecast
from smartrouter.listings.alerts import alert_json, explained_json
from smartrouter.listings.channels import standing
from smartrouter.listings.consequences import consequences
from smartrouter.listings.devices import device_json, kept_prior, one_device
from smartrouter.listings.digest import digest_json
from smartrouter.listings.known import Known
from smartrouter.listings.status import STATUS, status
from smartrouter.listings.volume import counted_by
from smartrouter.store import log, queries
from smartrouter.store.alerts import StoredAlert, alert, alerts_before
from smartrouter.store.attempts import StoredAttempt
from smartrouter.web.api.operation import Call
from smartrouter.web.api.problems import Problem

if TYPE_CHECKING:
    from smartrouter.web.site import Site

PAGE = 50  # things on a page, unless somebody wants another number


async def status_of_all(call: Call) -> dict[str, Any]:
    """What `smartrouter status` shows."""
    return await status_of(call.site)


async def status_of(site: "Site") -> dict[str, Any]:
    """The same of a site."""
    await site.refresh()
    answer = dict(site.status)
    if answer.get("web"):  # who may read is not who may set it up
        answer["web"] = {**answer["web"], "setup_code": ""}
    asked = SmartrouterError(str(answer["error"])) if "error" in answer else answer
    path = str(answer.get("config", {}).get("path", ""))
    return await anyio.to_thread.run_sync(_status, path, asked, Known(site.config))


def _status(path: str, answer: dict[str, Any] | SmartrouterError, known: Known) -> dict[str, Any]:
    found = status(path, answer, lambda: known)
    return {key: found[key] for key in STATUS}


def devices(call: Call) -> dict[str, Any]:
    """A page of devices, by MAC."""
    query = call.query
    with call.reading() as (known, conn):
        after = query.get("cursor", "")
        wanted = [each for each in known.found() if each.mac > after and _is_wanted(known, each, query)]
        shown = wanted[: query.get("limit", PAGE)]
        items = listed_devices(known, conn, shown)
    return {"items": items, "next": items[-1]["mac"] if len(shown) < len(wanted) else None}


def listed_devices(
    known: Known, conn: sqlite3.Connection, found: Iterable[queries.Device]
) -> list[dict[str, Any]]:
    """These devices, but for their volumes: to sum up what all have sent takes as long as there is much."""
    progress, prior = queries.progress(conn), kept_prior(conn)
    return [device_json(known, conn, each, progress.get(each.mac), prior) for each in found]


def _is_wanted(known: Known, device: queries.Device, query: Any) -> bool:
    if (
        query.get("state", device.stage) != device.stage
        or query.get("present", device.present) != device.present
    ):
        return False
    return "watched" not in query or known.standing(device)[0] == query["watched"]


def device(call: Call) -> dict[str, Any]:
    """One device in full."""
    with call.reading() as (known, conn):
        found = one_device(known, conn, call.path["mac"], counted_by(call.site.status))
    if found is None:
        raise no_device(call.path["mac"])
    return found


def alerts(call: Call) -> dict[str, Any]:
    """A page of alerts, the newest first."""
    query = call.query
    limit = query.get("limit", PAGE)
    with call.reading() as (known, conn):
        found = alerts_before(
            conn,
            query.get("cursor"),
            limit + 1,
            states=query.get("state", ()),
            kinds=query.get("kind", ()),
            severities=query.get("severity", ()),
            mac=query.get("device", ""),
        )
        items = [alert_json(known, each) for each in found[:limit]]
    return {"items": items, "next": items[-1]["id"] if len(found) > limit else None}


def one_alert(call: Call) -> dict[str, Any]:
    """One alert, explained."""
    known = call.known()
    found = stored_alert(known, call.path["alert"])
    return alert_json(known, found) | explained_json(found)


def attempts(call: Call) -> dict[str, Any]:
    """A page of attempts, the newest first."""
    query = call.query
    wanted = log.Wanted(
        mac=query.get("device", ""),
        accepted={"accepted": True, "blocked": False}.get(query.get("verdict", "")),
        reason=query.get("reason", ""),
        destination=query.get("destination", ""),
        service=query.get("service", ""),
        since=query.get("since"),
        until=query.get("until"),
    )
    with call.site.store() as conn:
        page = log.page(conn, wanted, query.get("limit", PAGE), query.get("cursor"))
    return {"items": [_attempt_json(each) for each in page.attempts], "next": page.older}


def _attempt_json(attempt: StoredAttempt) -> dict[str, Any]:
    values = attempt._asdict()
    del values["source"], values["source_port"]
    return values


def channels(call: Call) -> dict[str, Any]:
    """Where alerts are sent."""
    with call.reading() as (known, conn):
        return {"items": standing(known, conn), "next": None}


def digest(call: Call) -> dict[str, Any]:
    """What each device did in the day, or the week, that ended last."""
    is_week = call.query.get("of") == "week"
    now = time.time()
    first = ended_week(now) if is_week else ended_day(now)
    if first is None:
        raise Problem(409, "the clock is not set yet, so no day has ended; try again when it is")
    names = {mac: told.name for mac, told in call.site.settings.devices.items()}
    with call.site.store() as conn:
        found = summaries(conn, first, days=WEEK if is_week else 1, names=names)
    mac = call.query.get("device")
    return {"items": [digest_json(each) for each in found if mac in (None, each.mac)], "next": None}


def what_enforce_meets(call: Call) -> dict[str, Any]:
    """What `smartrouter mode enforce` says before it asks."""
    mac = call.query.get("device")
    with call.reading() as (known, conn):
        if mac is not None and queries.device(conn, mac) is None:
            raise no_device(mac)
        found = consequences(known, conn, mac)
        labels = known.labels()
        waiting = [alert_json(known, each) for each in found.waiting[:PAGE]]
    news = found.news()
    return {
        "waiting": waiting,
        "more": len(found.waiting) - len(waiting),
        "expected": {span: sum(each[span]["expected"] for each in news.values()) for span in forecast.AHEAD},
        "devices": [
            {
                "mac": mac,
                "label": labels.get(mac, mac),
                "settled": found.progress[mac].settled,
                "novelty": each,
            }
            for mac, each in news.items()
        ],
        "learning": found.learning,
        "nameless": found.nameless,
    }


def stored_alert(known: Known, number: int) -> StoredAlert:
    """The alert of that number. Raises Problem."""
    with known.store() as conn:
        found = alert(conn, number)
    if found is None:
        raise Problem(404, f"there is no alert {number}; perhaps it was too old to be kept")
    return found


def no_device(mac: str) -> Problem:
    """That nothing has this MAC."""
    return Problem(404, f"no device {mac} was ever seen")
