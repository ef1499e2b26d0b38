# SPDX-License-Identifier: GPL-2.0-or-later
"""One device, and what can be decided about it."""

from datetime import datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from smartrouter.core.policy import Mode, Watching
from smartrouter.listings.known import Known
from smartrouter.supervisor.seen import is_mac
from smartrouter.terminal import duration
from smartrouter.web.acting import act
from smartrouter.web.pages.render import local, page, zone_of
from smartrouter.web.views import words
from smartrouter.web.views.charts import bars, day_ticks, hour_ticks
from smartrouter.web.views.device import Device, device
from smartrouter.web.views.inbox import TIMES

_MUTES = {"1h": 3600.0, "1d": 86400.0, "7d": 7 * 86400.0, "end": 0.0}  # seconds
_LONGEST_NAME = 63  # characters


def show(request: Request) -> Response:
    """The page."""
    site, mac = request.app.state.site, _mac(request)
    now = site.clock()
    with site.store() as conn:
        found = device(
            Known(site.config, conn), conn, mac, now, local(now, None).date(),
            page=words.number(request.query_params.get("page", "")),
        )  # fmt: skip
    if found is None:
        raise HTTPException(404, "No device with that MAC was ever seen.")
    day, fortnight = _charts(request, found)
    return page(
        request, "device.html", device=found, day=day, fortnight=fortnight, times=TIMES,
        here=words.here(request.url),
    )  # fmt: skip


def _charts(request: Request, found: Device) -> tuple[Any, Any]:
    hours = [(hour.start, hour.attempts, hour.blocked, 0) for hour in found.hours]
    days = [(_noon(day.day), day.attempts, day.blocked, 0) for day in found.days]
    ticks = hour_ticks([hour.start for hour in found.hours], zone_of(request))
    return bars(hours, ticks), bars(days, day_ticks([day.day for day in found.days]))


def _noon(day: int) -> float:
    """Of a day by its number: so it is that day in the reader's zone, too."""
    return datetime.fromordinal(day).replace(hour=12).timestamp()


async def decide(request: Request) -> Response:
    """What a form of the page wants."""
    mac, form = _mac(request), request.state.form
    site = request.app.state.site
    with site.store() as conn:
        label = Known(site.config, conn).label(mac)
    order, said = _order(mac, label, form)
    return await act(request, order, said, form.get("to") or f"/devices/{mac}")


def _order(mac: str, label: str, form: dict[str, str]) -> tuple[dict[str, Any], str]:
    """What to ask for, and what to say when it is done. Raises HTTPException for what makes no sense."""
    do = form.get("do", "")
    match do:
        case "rename":
            name = " ".join(form.get("name", "").split())[:_LONGEST_NAME]
            said = f"It is called {name} from now on." if name else "It is called as it calls itself."
            return {"do": "rename", "device": mac, "name": name}, said
        case "watch" if form.get("watch") in set(Watching):
            what = {
                Watching.ALWAYS: "is watched",
                Watching.NEVER: "is left alone",
                Watching.AUTO: "is watched if it seems to be an IoT device",
            }[Watching(form["watch"])]
            return {"do": "watch", "device": mac, "watch": form["watch"]}, f"{label} {what} from now on."
        case "mode" if form.get("mode") in set(Mode):
            blocks = form["mode"] == Mode.ENFORCE
            what = "is kept from what is not known" if blocks else "is only reported about"
            return {"do": "mode", "device": mac, "mode": form["mode"]}, f"{label} {what} from now on."
        case "learn":
            order = {"do": "learn", "device": mac, "finish": False}
            return order, f"{label} learns from now on; what it knows is kept."
        case "finish":
            return {"do": "learn", "device": mac, "finish": True}, f"{label} is protected from now on."
        case "anew":
            said = f"{label} has forgotten all that it had learned."
            return {"do": "forget", "device": mac, "destination": "*"}, said
        case "forget" if form.get("destination"):
            destination, service = form["destination"], form.get("service") or None
            order = {"do": "forget", "device": mac, "destination": destination, "service": service}
            return order, f"{label} has forgotten {destination}."
        case "mute" if form.get("time") in _MUTES:
            seconds = _MUTES[form["time"]]
            silent = f"Nothing of {label} is sent for {duration(seconds)}."
            said = silent if seconds else f"What {label} does is sent again."
            return {"do": "mute", "device": mac, "seconds": seconds}, said
        case "same" if is_mac(form.get("other")):
            order = {"do": "same", "device": mac, "other": form["other"]}
            return order, "It takes the other one's place, with all that that one was seen to need."
        case _:
            raise HTTPException(400, "That is nothing that can be decided about a device.")


def _mac(request: Request) -> str:
    mac = str(request.path_params["mac"]).lower()
    if not is_mac(mac):
        raise HTTPException(404, "A device is named by its MAC, as 3c:2e:ff:29:4d:93.")
    return mac


ROUTES: list[BaseRoute] = [
    Route("/devices/{mac}", show),
    Route("/devices/{mac}/decide", decide, methods=["POST"]),
]
