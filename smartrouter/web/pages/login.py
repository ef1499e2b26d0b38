# SPDX-License-Identifier: GPL-2.0-or-later
"""Logging in and out."""

import time

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from smartrouter.terminal import duration
from smartrouter.web.acting import own_path
from smartrouter.web.gatekeeper import ADMIN, cookie, cookie_name
from smartrouter.web.pages.render import page, user_of
from smartrouter.web.sessions import ABSOLUTE
from smartrouter.web.site import Site


async def show(request: Request) -> Response:
    """The form; who is logged in already needs none."""
    site: Site = request.app.state.site
    to = own_path(request.query_params.get("next", "/"))
    if user_of(request) is not None:
        return RedirectResponse(to, 303)
    if not site.web.password_hash:
        return RedirectResponse("/setup", 303)
    if request.headers.get("sec-fetch-site") == "cross-site":
        # Who follows a link from elsewhere (an alert in a chat) comes without the strict cookie: our own page
        # asks again, and then it comes along.
        return page(request, "again.html")
    return page(request, "login.html", next=to, error="")


async def log_in(request: Request) -> Response:
    """The form was sent."""
    site: Site = request.app.state.site
    form = request.state.form
    if not site.web.password_hash:
        return RedirectResponse("/setup", 303)
    to, source = own_path(form.get("next", "/")), site.source_of(request.scope)
    wait = site.lockout.wait(source, time.monotonic())
    if wait:
        await site.note(request.scope, "web:stranger", "login", "", "refused: too many wrong passwords")
        return _refused(request, to, wait)
    if not await site.is_password(form.get("password", "")):
        site.lockout.failed(source, time.monotonic())
        await site.note(request.scope, "web:stranger", "login", "", "wrong password")
        return page(request, "login.html", status=403, next=to, error="That is not the password.")
    site.lockout.succeeded(source)
    return await opened(request, to)


async def opened(request: Request, to: str) -> Response:
    """A new session for who has shown the password, and the way to the page `to`."""
    site: Site = request.app.state.site
    user = user_of(request)
    if user and user.session:
        site.sessions.close(user.session.key)
    name, _ = site.sessions.open(
        site.visitor(request.scope).address, request.headers.get("user-agent", ""), site.clock()
    )
    await site.keep_sessions()
    await site.note(request.scope, ADMIN, "login", "", "done")
    response = RedirectResponse(to, 303)
    scheme = request.url.scheme
    MutableHeaders(raw=response.raw_headers).append(
        "Set-Cookie", cookie(cookie_name(scheme), name, scheme, for_seconds=int(ABSOLUTE))
    )
    return response


async def log_out(request: Request) -> Response:
    """End this session."""
    site: Site = request.app.state.site
    user = user_of(request)
    if user and user.session:
        site.sessions.close(user.session.key)
        await site.keep_sessions()
        await site.note(request.scope, ADMIN, "logout", "", "done")
    response = RedirectResponse("/login", 303)
    scheme = request.url.scheme
    MutableHeaders(raw=response.raw_headers).append(
        "Set-Cookie", cookie(cookie_name(scheme), "", scheme, for_seconds=0)
    )
    return response


def _refused(request: Request, to: str, wait: float) -> Response:
    text = f"Too many wrong passwords: wait {duration(wait + 1)}."
    response = page(request, "login.html", status=429, next=to, error=text)
    response.headers["Retry-After"] = str(int(wait) + 1)
    return response


ROUTES: list[BaseRoute] = [
    Route("/login", show),
    Route("/login", log_in, methods=["POST"]),
    Route("/logout", log_out, methods=["POST"]),
]
