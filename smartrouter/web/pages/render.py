# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages from templates: what every template gets, and how hostile text is shown.

Two things happen to everything that a template prints: what would act or hide (control characters, overrides
of direction) becomes a visible escape, and HTML's own signs are escaped.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from smartrouter import __version__
from smartrouter.core.inert import inert
from smartrouter.terminal import amount, duration
from smartrouter.web import assets
from smartrouter.web.compiled import compile_apart
from smartrouter.web.lean import Environment
from smartrouter.web.sessions import User, masked

ZONE_COOKIE = "smartrouter_zone"  # minutes east of UTC, set by app.js
THEME_COOKIE, THEMES = "smartrouter_theme", ("light", "dark")
NAVIGATION = (
    ("/", "Home"),
    ("/inbox", "Inbox"),
    ("/devices", "Devices"),
    ("/log", "Log"),
    ("/rules", "Rules"),
    ("/settings", "Settings"),
    ("/account", "Account"),
)
_LARGEST_ZONE = 14 * 60  # minutes
_CODE, _NAMED = re.compile("`([^`]*)`"), re.compile(r"\*([A-Z][a-z]+)\*")


def load() -> None:
    """Have all templates read and compiled."""
    _environment()


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """The page that `template` makes of `values`, and of what every page has: `site`, `user`, `flashes`,
    `path`, `navigation`, `csrf` (for `csrf_field`), `zone` (the reader's), `now` (epoch seconds)."""
    site, user = request.app.state.site, user_of(request)
    session = user.session if user else None
    context = {
        "site": site,
        "user": user,
        # A page that reads itself anew (live.js) still shows those that it had.
        "flashes": session.told() if session and "x-live" not in request.headers else [],
        "path": request.url.path,
        "navigation": NAVIGATION,
        "csrf": csrf(request),
        "zone": zone_of(request),
        "theme": theme_of(request),
        "now": site.clock(),
        "version": __version__,
        "status": site.status,
    }
    text = _environment().get_template(template).render(context | values)
    return HTMLResponse(text, status)


def user_of(request: Request) -> User | None:
    """Who makes the request; None for a stranger."""
    user: User | None = request.scope["state"]["user"]
    return user


def csrf(request: Request) -> str:
    """The token that a form (field `csrf`) or a script (header `X-CSRF-Token`) must send with a change."""
    return masked(request.scope["state"]["csrf"])


def csrf_field(token: str) -> Markup:
    """The same as a form's hidden field."""
    return Markup('<input type="hidden" name="csrf" value="{}">').format(token)


def marked(text: str) -> Markup:
    """A text of ours, with backticks around what is to be typed as it is, and stars around names."""
    shown = _CODE.sub(r"<code>\1</code>", str(Markup.escape(inert(text))))
    return Markup(_NAMED.sub(r"<em>\1</em>", shown))  # noqa: S704 - it was escaped above


def zone_of(request: Request) -> timezone | None:
    """The reader's zone, as its browser says; None: the router's own."""
    given = request.cookies.get(ZONE_COOKIE, "")
    if not re.fullmatch("-?[0-9]{1,3}", given) or abs(int(given)) > _LARGEST_ZONE:
        return None
    return timezone(timedelta(minutes=int(given)))


def theme_of(request: Request) -> str:
    """`light` or `dark`, as its reader wants it; '' as the system does."""
    given = request.cookies.get(THEME_COOKIE, "")
    return given if given in THEMES else ""


def local(at: float, zone: timezone | None) -> datetime:
    """A moment (epoch seconds) in the reader's zone, or the router's."""
    return datetime.fromtimestamp(at, UTC).astimezone(zone)


def moment(at: float, now: float, zone: timezone | None) -> Markup:
    """A `<time>`: how long ago (or to go), with the exact time on hover."""
    try:
        there = local(at, zone)
    except (ValueError, OverflowError, OSError):
        return Markup("<span>?</span>")
    machine = there.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    exact = there.strftime("%Y-%m-%d %H:%M:%S UTC%z")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(machine, exact, relative(at, now, there))


def relative(at: float, now: float, there: datetime) -> str:
    """`just now`, `5 min ago`, `in 2 h`; from two days on the date."""
    away = abs(now - at)
    if away < 45:
        return "just now" if at <= now else "in a moment"
    if away >= 2 * 86400:
        return there.strftime("%Y-%m-%d %H:%M")
    minutes = round(away / 60)
    text = f"{minutes} min" if minutes < 60 else f"{round(away / 3600)} h"
    return f"{text} ago" if at <= now else f"in {text}"


def clock_time(at: float, zone: timezone | None) -> str:
    """`2026-11-30 22:10`."""
    return local(at, zone).strftime("%Y-%m-%d %H:%M")


@cache
def _environment() -> Environment:
    return compile_apart(_made)


def _made(kind: type[Environment]) -> Environment:
    """One of Jinja's, with our templates."""
    from jinja2 import DictLoader, StrictUndefined  # of the same Jinja as `kind`: see `compiled`

    folder = Path(__file__).parents[1] / "templates"
    sources = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.html")}
    environment = kind(
        loader=DictLoader(sources),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
        auto_reload=False,
    )
    environment.globals |= {
        "static": assets.url_of,
        "csrf_field": csrf_field,
        "moment": moment,
        "marked": marked,
    }
    environment.filters |= {
        "duration": duration,
        "amount": amount,
        "clock_time": clock_time,
        "inert": lambda text: inert(str(text)),
        "count": counted,
    }
    return environment


def _finalized(value: object) -> object:
    """What is printed of `value`. Markup is ours; all else may be anybody's."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return inert(value)
    return value


def counted(number: int, what: str, many: str = "") -> str:
    """`1 device`, `2 devices`."""
    return f"{number} {what if number == 1 else many or what + 's'}"
