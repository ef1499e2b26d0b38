# SPDX-License-Identifier: GPL-2.0-or-later
"""Account: the password, who is logged in, tokens for programs, and the audit log."""

import time

import anyio
import anyio.to_thread
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from smartrouter.core.errors import SmartrouterError
from smartrouter.terminal import duration
from smartrouter.web import passwords, tokens
from smartrouter.web.acting import act, back, order
from smartrouter.web.gatekeeper import cookie
from smartrouter.web.pages.render import THEME_COOKIE, THEMES, page, user_of
from smartrouter.web.sessions import Flash, Session
from smartrouter.web.site import Site
from smartrouter.web.views.words import number

LINES = 50  # of the audit log, on a page
_YEAR = 365 * 86400  # seconds


def show(request: Request) -> Response:
    """The page; with `before`, an earlier part of the audit log."""
    return _page(request)


async def change_password(request: Request) -> Response:
    """The old one, and a new one twice: whoever else is logged in is not any more."""
    site, form, session = request.app.state.site, request.state.form, _session(request)
    source = site.source_of(request.scope)
    if wait := site.lockout.wait(source, time.monotonic()):
        session.tell(Flash(f"Too many wrong passwords: wait {duration(wait + 1)}.", "bad"))
        return back("/account")
    if not await site.is_password(form.get("old", "")):
        site.lockout.failed(source, time.monotonic())
        await site.note(request.scope, "web:admin", "change password", "", "wrong password")
        session.tell(Flash("That is not the password of now.", "bad"))
        return back("/account")
    try:
        kept = await site.hashed(passwords.checked(form.get("password", ""), form.get("again", "")))
    except passwords.BadPassword as error:
        session.tell(Flash(str(error), "bad"))
        return back("/account")
    site.changing = (session.key, kept)
    said = "There is a new password; whoever else was logged in is not any more."
    return await act(request, {"do": "set-password", "hash": kept}, said, "/account")


async def log_out_everywhere(request: Request) -> Response:
    """End every session, this one too."""
    site: Site = request.app.state.site
    site.sessions.close_all()
    await site.keep_sessions()
    await site.note(request.scope, "web:admin", "log out", "everywhere", "done")
    return RedirectResponse("/login", 303)


async def log_out_other(request: Request) -> Response:
    """End one session."""
    site: Site = request.app.state.site
    closed = site.sessions.close(request.state.form.get("key", ""))
    await site.keep_sessions()
    if closed is not None:
        await site.note(request.scope, "web:admin", "log out", closed.source, "done")
    _session(request).tell(Flash("That session has ended.") if closed else Flash("It had ended.", "plain"))
    return back("/account")


async def add_token(request: Request) -> Response:
    """A token more: it is shown this once."""
    site, form, session = request.app.state.site, request.state.form, _session(request)
    name = form.get("name", "").strip()
    scopes = [scope for scope in form.get("scope", "").split() if scope in set(tokens.Scope)]
    if name in {token.name for token in site.tokens}:
        session.tell(
            Flash(f"There is a token {name} already: remove it first, or choose another name.", "bad")
        )
        return back("/account")
    try:
        secret, kept = tokens.made(name, scopes)
        wanted = {"do": "set", "section": "web", "options": {"token": [*site.web.token, kept]}}
        await order(request, {**wanted, "place": 0})
    except SmartrouterError as error:
        session.tell(Flash(str(error), "bad"))
        return back("/account")
    return await anyio.to_thread.run_sync(_page, request, name, secret)


async def remove_token(request: Request) -> Response:
    """A token less, at once."""
    site, name = request.app.state.site, request.state.form.get("name", "")
    left = [kept for kept, token in zip(site.web.token, site.tokens, strict=True) if token.name != name]
    wanted = {"do": "set", "section": "web", "options": {"token": left}, "place": 0}
    return await act(request, wanted, f"The token {name} opens nothing any more.", "/account")


async def choose_theme(request: Request) -> Response:
    """Light, dark, or as the system has it: kept by the browser."""
    form = request.state.form
    theme = form.get("theme", "")
    response = back(form.get("to", "/"))
    cookie_ = cookie(
        THEME_COOKIE, theme if theme in THEMES else "", request.url.scheme, for_seconds=_YEAR if theme else 0
    )
    MutableHeaders(raw=response.raw_headers).append("Set-Cookie", cookie_)
    return response


def _page(request: Request, name: str = "", secret: str = "") -> Response:
    """`name`, `secret`: a token just made."""
    site, before = request.app.state.site, request.query_params.get("before", "")
    lines = site.ledger.lines(LINES, number(before) if before else None)
    return page(
        request,
        "account.html",
        sessions=site.sessions.all(site.clock()),
        own=_session(request).key,
        tokens=site.tokens,
        meanings=tokens.MEANINGS,
        new=(name, secret) if secret else None,
        lines=[line for _, line in lines],
        earlier=lines[-1][0] if len(lines) == LINES else 0,
        is_first=not before,
        shortest=passwords.SHORTEST,
    )


def _session(request: Request) -> Session:
    user = user_of(request)
    assert user is not None  # noqa: S101 - the gatekeeper lets nobody else come here, nor a token
    assert user.session is not None  # noqa: S101
    return user.session


ROUTES: list[BaseRoute] = [
    Route("/account", show),
    Route("/account/password", change_password, methods=["POST"]),
    Route("/account/everywhere", log_out_everywhere, methods=["POST"]),
    Route("/account/session", log_out_other, methods=["POST"]),
    Route("/account/theme", choose_theme, methods=["POST"]),
    Route("/account/tokens", add_token, methods=["POST"]),
    Route("/account/tokens/remove", remove_token, methods=["POST"]),
]
