# SPDX-License-Identifier: GPL-2.0-or-later
"""What every request passes before a page sees it, and every answer before it leaves: pure ASGI.

In this order: the Host and Origin (DNS rebinding, foreign pages), the body's size and pace, who asks (a
session's cookie or a token), whether a change carries the form's token, whether the page needs a login. A
handler finds `request.state.user` (None for a stranger), `.form` (the fields of a posted form) and `.body`.
"""

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from smartrouter.web import tokens
from smartrouter.web.api import problems
from smartrouter.web.sessions import User, is_masked

if TYPE_CHECKING:
    from smartrouter.web.site import Site

log = logging.getLogger("smartrouter.web")

MOST_BODY = 64 << 10  # bytes; the longest form has some twenty short fields
BODY_PATIENCE = 10.0  # seconds in which it has to come
MOST_FIELDS = 200
ADMIN = "web:admin"  # whom rules and changes made here name
PUBLIC = ("/login", "/setup", "/static/", "/favicon.ico")
API = "/api/"
FOR_PROGRAMS = (API, "/alerts.txt", "/metrics")  # what a token opens
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FAULT = "A fault of smartrouter's; its log says more.\n"
_OLD_FORM = "This form is not from here, or too old: go back, load the page again, and try again."
_VISIT = "smartrouter_visit"  # a stranger's cookie, so that the login form has a token, too
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: with it, browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Gatekeeper:
    """See the module."""

    def __init__(self, app: ASGIApp, site: "Site"):
        self._app = app
        self._site = site
        self._key = secrets.token_bytes(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        started = False

        async def leave(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._dress(scope, MutableHeaders(raw=message.setdefault("headers", [])))
            await send(message)

        try:
            refusal = await self._look_at(scope, receive)
            if refusal is None:
                if scope["state"]["user"] is not None:
                    await self._site.refresh()
                await self._app(scope, _replayed(scope, receive), leave)
            else:
                await refusal(scope, receive, leave)
        except Exception:
            log.exception("a fault of smartrouter's")
            if started:
                raise
            await PlainTextResponse(_FAULT, 500)(scope, receive, leave)

    async def _look_at(self, scope: Scope, receive: Receive) -> Response | None:
        """Fill the request's state in; the answer, if it is one of ours."""
        headers, state = Headers(scope=scope), scope.setdefault("state", {})
        state |= {"user": None, "form": {}, "body": b"", "csrf": b"", "visit": ""}
        if complaint := self._site.origins.complaint(scope["scheme"], headers):
            return _refusal(scope, 421 if "Host" in complaint else 403, complaint)
        changes = scope["method"] not in _SAFE
        if changes:
            try:
                state["body"] = await asyncio.wait_for(_body(headers, receive), BODY_PATIENCE)
            except TimeoutError:
                return _refusal(scope, 408, "That took too long.", {"Connection": "close"})
            except _TooLarge:
                return _refusal(scope, 413, "That is too much.", {"Connection": "close"})
            if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
                state["form"] = _form(state["body"])
        self._recognise(scope, headers)
        return self._admit(scope, headers, changes)

    def _recognise(self, scope: Scope, headers: Headers) -> None:
        """Find out who asks. Wrong tokens are as strangers: nobody can guess one, so nobody has to wait."""
        state, site = scope["state"], self._site
        bearer = headers.get("authorization", "")
        if bearer:
            scheme, _, secret = bearer.partition(" ")
            found = tokens.find(secret.strip(), site.tokens) if scheme.lower() == "bearer" else None
            if found is not None:
                state["user"] = User(f"web:token.{found.name}", found.scopes, None)
            return
        cookies = _cookies(headers)
        session = site.sessions.find(cookies.get(cookie_name(scope["scheme"]), ""), site.clock())
        if session is not None:
            state["user"] = User(ADMIN, frozenset(tokens.Scope), session)
            state["csrf"] = session.csrf
        else:
            state["visit"] = cookies.get(_VISIT, "")[:100] or secrets.token_urlsafe(24)
            state["csrf"] = hmac.digest(self._key, state["visit"].encode(errors="replace"), hashlib.sha256)
            state["visited"] = _VISIT in cookies

    def _admit(self, scope: Scope, headers: Headers, changes: bool) -> Response | None:
        state, path = scope["state"], scope["path"]
        user: User | None = state["user"]
        for_programs = path.startswith(FOR_PROGRAMS)
        of_api = path.startswith(API)  # which says itself what a token must be for, and what anybody may see
        if user is not None and user.session is None:
            if not for_programs:
                return PlainTextResponse("A token opens the API alone.\n", 403)
            wanted = tokens.Scope.METRICS if path.startswith("/metrics") else tokens.Scope.READ
            if not of_api and wanted not in user.scopes:
                return PlainTextResponse(f"This token is not for `{wanted}`.\n", 403)
            return None
        if user is None and of_api:
            return None
        if user is None and not path.startswith(PUBLIC):
            return self._stranger(scope, headers, for_programs)
        if changes:
            given = headers.get("x-csrf-token") or state["form"].get("csrf", "")
            if not is_masked(given, state["csrf"]):
                return _refusal(scope, 403, _OLD_FORM)
        return None

    def _stranger(self, scope: Scope, headers: Headers, for_programs: bool) -> Response:
        """What who has not logged in gets instead of a page."""
        where = "/login" if self._site.web.password_hash else "/setup"
        if for_programs:
            challenge = {"WWW-Authenticate": 'Bearer realm="smartrouter"'}
            return PlainTextResponse("Log in, or use a token.\n", 401, challenge)
        if scope["method"] in ("GET", "HEAD") and scope["path"] != "/" and where == "/login":
            query = scope["query_string"].decode("ascii", "replace")
            where += "?next=" + quote(scope["path"] + (f"?{query}" if query else ""), safe="")
        if headers.get("hx-request"):
            return Response(status_code=401, headers={"HX-Redirect": where})
        return RedirectResponse(where, 303)

    def _dress(self, scope: Scope, headers: MutableHeaders) -> None:
        """Put on what every answer wears."""
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        headers.setdefault("Cache-Control", "no-store")
        state = scope.get("state", {})
        if state.get("visit") and not state.get("visited") and "text/html" in headers.get("content-type", ""):
            headers.append("Set-Cookie", cookie(_VISIT, state["visit"], scope["scheme"]))


def _refusal(scope: Scope, status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """An answer of ours, in the form that the reader expects."""
    if scope["path"].startswith(API):
        return problems.answer(problems.Problem(status, text, headers=headers))
    return PlainTextResponse(text + "\n", status, dict(headers or {}))


class _TooLarge(Exception):
    """A body of more than MOST_BODY bytes."""


async def _body(headers: Headers, receive: Receive) -> bytes:
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MOST_BODY:
        raise _TooLarge
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        if len(body) > MOST_BODY:
            raise _TooLarge
        if not message.get("more_body"):
            break
    return bytes(body)


def _replayed(scope: Scope, receive: Receive) -> Receive:
    """What gives the body that was read already, once."""
    if scope["method"] in _SAFE:
        return receive
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": scope["state"]["body"], "more_body": False}

    return again


def _form(body: bytes) -> dict[str, str]:
    """The fields of a form, the last of a name; `many` of one name are joined by newlines."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return {}
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields[name] = f"{fields[name]}\n{value}" if name in fields else value
    return fields


def _cookies(headers: Headers) -> dict[str, str]:
    return cookie_parser(headers.get("cookie", ""))


def cookie_name(scheme: str) -> str:
    """What the session's cookie is called. The prefix has the browser refuse it without TLS, or from a
    neighbouring name."""
    return "__Host-smartrouter" if scheme == "https" else "smartrouter"


def cookie(name: str, value: str, scheme: str, *, for_seconds: int | None = None) -> str:
    """A Set-Cookie header; `for_seconds` None: until the browser is closed, 0: delete it."""
    age = "" if for_seconds is None else f"; Max-Age={for_seconds}"
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Strict{age}" + (
        "; Secure" if scheme == "https" else ""
    )
