# SPDX-License-Identifier: GPL-2.0-or-later
"""The first run: a password, then which of the devices found are things, then what happens next."""

import time

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.core.policy import Watching
from smartrouter.listings.known import Known
from smartrouter.store import queries
from smartrouter.terminal import duration
from smartrouter.web import passwords
from smartrouter.web.acting import back, order
from smartrouter.web.pages.login import opened
from smartrouter.web.pages.render import page, user_of
from smartrouter.web.sessions import Flash
from smartrouter.web.settingup import Admission, admission
from smartrouter.web.site import Site

MOST_DEVICES = 200  # that are listed; the others are on the page Devices


async def show(request: Request) -> Response:
    """The form for the password; or that it is there already."""
    site: Site = request.app.state.site
    if site.web.password_hash:
        return RedirectResponse("/welcome" if user_of(request) else "/login", 303)
    return _form(request, await _admission(request))


async def choose(request: Request) -> Response:
    """The form was sent."""
    site: Site = request.app.state.site
    form, source = request.state.form, site.source_of(request.scope)
    if site.web.password_hash:
        return RedirectResponse("/login", 303)
    admitted = await _admission(request)
    if admitted.refusal:
        await site.note(request.scope, "web:stranger", "set up", "", f"refused: {admitted.refusal}")
        return _form(request, admitted)
    if wait := site.lockout.wait(source, time.monotonic()):
        error = f"Too many wrong codes: wait {duration(wait + 1)}."
        return _form(request, admitted, error, 429)
    if admitted.needs_code and not site.setup.is_code(form.get("code", "")):
        site.lockout.failed(source, time.monotonic())
        await site.note(request.scope, "web:stranger", "set up", "", "wrong code")
        return _form(request, admitted, "That is not the code.", 403)
    try:
        password = passwords.checked(form.get("password", ""), form.get("again", ""))
        kept = await site.hashed(password)
        await site.set_first_password(kept)
    except SmartrouterError as error:
        return _form(request, admitted, str(error), 400)
    await site.note(request.scope, "web:admin", "set up", "the password", "done")
    site.lockout.succeeded(source)
    return await opened(request, "/welcome")


def welcome(request: Request) -> Response:
    """Which of the devices found are things?"""
    site: Site = request.app.state.site
    try:
        with site.store() as conn:
            known = Known(site.config, conn)
            found = [_described(known, device) for device in known.found()[:MOST_DEVICES]]
    except Unavailable:
        found = []
    return page(request, "welcome.html", devices=found)


async def sort_out(request: Request) -> Response:
    """Watch those that were ticked, and leave the others alone."""
    site: Site = request.app.state.site
    form = request.state.form
    watched, listed = set(form.get("watch", "").split()), form.get("listed", "").split()
    before = await anyio.to_thread.run_sync(_watched, site)
    failures = []
    for mac in listed[:MOST_DEVICES]:
        if mac not in before or (mac in watched) == before[mac]:
            continue
        watch = Watching.ALWAYS if mac in watched else Watching.NEVER
        try:
            await order(request, {"do": "watch", "watch": str(watch), "device": mac})
        except SmartrouterError as error:
            failures.append(str(error))
    user = user_of(request)
    if failures and user and user.session:
        user.session.tell(Flash(f"{len(failures)} devices were not changed: {failures[0]}", "bad"))
        return back("/welcome")
    return back("/welcome/learning")


def learning(request: Request) -> Response:
    """What happens now."""
    site: Site = request.app.state.site
    main = site.config.main
    return page(
        request,
        "learning.html",
        fixed="" if main.learning is None else duration(main.learning),
        longest=duration(main.learning_period),
    )


async def _admission(request: Request) -> Admission:
    site: Site = request.app.state.site
    visitor = site.visitor(request.scope)

    def look() -> Admission:
        known, device = Known(site.config), None
        if visitor.mac:
            try:
                with site.store() as conn:
                    device = queries.device(conn, visitor.mac)
            except Unavailable:
                pass  # nobody knows any device yet
        return admission(visitor, device, known, site.iot_only)

    return await anyio.to_thread.run_sync(look)


def _form(request: Request, admitted: Admission, error: str = "", status: int = 200) -> Response:
    if admitted.refusal:
        status = 403
    return page(
        request, "setup.html", status=status, admitted=admitted, error=error, shortest=passwords.SHORTEST
    )


def _described(known: Known, device: queries.Device) -> dict[str, object]:
    return {
        "mac": device.mac,
        "name": known.name_of(device),
        "maker": device.maker,
        "iot": device.iot,
        "confidence": device.confidence,
        "reasons": device.reasons[:3],
        "watched": known.standing(device)[0],
        "present": device.present,
    }


def _watched(site: Site) -> dict[str, bool]:
    with site.store() as conn:
        known = Known(site.config, conn)
        return {device.mac: known.standing(device)[0] for device in known.found()}


ROUTES: list[BaseRoute] = [
    Route("/setup", show),
    Route("/setup", choose, methods=["POST"]),
    Route("/welcome", welcome),
    Route("/welcome", sort_out, methods=["POST"]),
    Route("/welcome/learning", learning),
]
