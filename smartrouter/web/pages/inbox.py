# SPDX-License-Identifier: GPL-2.0-or-later
"""The inbox, one alert in full, and what is decided there.

A form names an alert by its number, and how much a decision is to cover; what the alert is about is looked up
here: nothing that came from the network is taken from a form.
"""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from smartrouter.core.errors import SmartrouterError
from smartrouter.listings.known import Known
from smartrouter.listings.pcap import capture
from smartrouter.store.alerts import StoredAlert, alert
from smartrouter.store.exhibits import exhibits_of
from smartrouter.web import undoing
from smartrouter.web.acting import act, back, order
from smartrouter.web.pages.render import page, user_of
from smartrouter.web.sessions import Flash
from smartrouter.web.undoing import rule_about, undo_of
from smartrouter.web.views import words
from smartrouter.web.views.alert import full
from smartrouter.web.views.inbox import OPEN, TIMES, inbox, muted_until, rule_of

_DAY = 86400.0  # seconds
_LONGEST_MUTE = 366 * _DAY
_LONGEST = 2**62  # of an alert's number


def show(request: Request) -> Response:
    """The page."""
    site, asked = request.app.state.site, request.query_params
    now = site.clock()
    with site.store() as conn:
        found = inbox(
            Known(site.config, conn),
            conn,
            now,
            show=asked.get("show", OPEN),
            device=asked.get("device", ""),
            kind=asked.get("kind", ""),
            page=words.number(asked.get("page", "")),
        )
    return page(
        request, "inbox.html", inbox=found, times=TIMES, kinds=words.KINDS, here=words.here(request.url)
    )


def one(request: Request) -> Response:
    """One alert: where messages lead to."""
    site = request.app.state.site
    with site.store() as conn:
        known = Known(site.config, conn)
        found = full(known, conn, _number(request), site.clock())
    if found is None:
        raise HTTPException(404, "There is no such alert; perhaps it was too old to be kept.")
    return page(request, "alert.html", alert=found, times=TIMES, here=words.here(request.url))


def packets(request: Request) -> Response:
    """The packets behind an alert, as a capture file."""
    site, number = request.app.state.site, _number(request)
    with site.store() as conn:
        found, exhibits = alert(conn, number), exhibits_of(conn, number)
    if found is None or not exhibits:
        raise HTTPException(404, "No packets are kept with that alert.")
    return Response(
        capture(found.mac, exhibits),
        media_type="application/vnd.tcpdump.pcap",
        headers={
            "Content-Disposition": f'attachment; filename="smartrouter-alert-{number}.pcap"',
            "Cache-Control": "no-store",
        },
    )


async def decide(request: Request) -> Response:
    """Allow, deny, dismiss, open again, or mute the device."""
    form, number = request.state.form, _number(request)
    to, do = form.get("to", "/inbox"), form.get("do", "")
    site = request.app.state.site
    with site.store() as conn:
        found = alert(conn, number)
        known = Known(site.config, conn)
    if found is None:
        raise HTTPException(404, "There is no such alert; perhaps it was too old to be kept.")
    label = known.label(found.mac)
    path = f"/alerts/{number}/decide"
    match do:
        case "allow" | "deny":
            return await _rule(request, found, label, to)
        case "dismiss":
            undo = (path, {"do": "reopen", "to": to})
            said = "Noted: nothing was changed, and it is reported no more."
            return await act(request, {"do": "dismiss", "alert": number}, said, to, undo)
        case "reopen":
            return await act(request, {"do": "reopen", "alert": number}, "It waits for a decision again.", to)
        case "cut":
            rule = {"device": found.mac, "destination": "*", "service": ""}
            until = site.clock() + _DAY
            undo = undo_of(rule, rule_about(site.config, rule), site.clock(), to)
            wanted = {"do": "deny", **rule, "until": until}
            return await act(request, wanted, f"{label} is cut off for a day.", to, undo)
        case "mute":
            until = muted_until(known, found.mac, site.clock()) or 0.0
            undo = (path, {"do": "unmute", "until": str(until), "to": to})
            wanted = {"do": "mute", "device": found.mac, "seconds": _DAY}
            return await act(request, wanted, f"Nothing of {label} is sent for a day.", to, undo)
        case "unmute":
            wanted = {
                "do": "mute",
                "device": found.mac,
                "seconds": _left(form.get("until", ""), site.clock()),
            }
            said = "is muted as it was before" if wanted["seconds"] else "is not muted any more"
            return await act(request, wanted, f"{label} {said}.", to)
        case _:
            raise HTTPException(400, "That is nothing that can be decided about an alert.")


async def _rule(request: Request, found: StoredAlert, label: str, to: str) -> Response:
    form = request.state.form
    action, everybody = form["do"], form.get("who") == "all"
    how_long, seconds = TIMES.get(form.get("time", ""), TIMES["always"])
    try:
        rule = rule_of(found, action, form.get("what", "group"), all_devices=everybody)
    except SmartrouterError as error:
        return _told(request, Flash(str(error), "bad"), to)
    site = request.app.state.site
    until = None if seconds is None else site.clock() + seconds
    who = "Every device" if everybody else label
    may = "may use" if action == "allow" else "may not use"
    service = f" ({rule.service})" if rule.service else ""
    undo = undo_of(rule._asdict(), rule_about(site.config, rule._asdict()), site.clock(), to)
    said = f"{who} {may} {rule.destination}{service} {how_long}."
    return await act(request, {"do": action, **rule._asdict(), "until": until}, said, to, undo)


async def undo(request: Request) -> Response:
    """Take a rule back, for the one that it replaced; the alerts that it decided are open again if it was
    made not long ago."""
    form = request.state.form
    to, wanted = form.get("to", "/inbox"), undoing.orders(form)
    if not wanted:
        return _told(request, Flash(undoing.said(wanted), "plain"), to)
    try:
        for each in wanted[:-1]:
            await order(request, each)
    except SmartrouterError as error:
        return _told(request, Flash(str(error), "bad"), to)
    return await act(request, wanted[-1], undoing.said(wanted), to)


def _told(request: Request, flash: Flash, to: str) -> Response:
    user = user_of(request)
    if user and user.session:
        user.session.tell(flash)
    return back(to)


def _left(until: str, now: float) -> float:
    """Seconds until then (epoch seconds), from a form of ours."""
    try:
        left = float(until or 0.0) - now
    except ValueError:
        return 0.0
    return left if 0.0 < left <= _LONGEST_MUTE else 0.0


def _number(request: Request) -> int:
    return min(int(request.path_params["number"]), _LONGEST)


ROUTES: list[BaseRoute] = [
    Route("/inbox", show),
    Route("/alerts/{number:int}", one),
    Route("/alerts/{number:int}/packets.pcap", packets),
    Route("/alerts/{number:int}/decide", decide, methods=["POST"]),
    Route("/decisions/undo", undo, methods=["POST"]),
]
