# SPDX-License-Identifier: GPL-2.0-or-later
"""What a click does: an order to the running smartrouter, a line in the audit log, and what the reader is
told.

Every change, of a page or of the API, goes this way, so that none is without its name and its line.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import anyio
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from smartrouter.config.options import time_text
from smartrouter.core.errors import SmartrouterError
from smartrouter.web.pages.render import user_of
from smartrouter.web.sessions import Flash

SHARED = 1.0  # seconds that we wait for our own share of a changed configuration
_UNTOLD = frozenset({"do", "by", "hash", "expected"})
_WITH_BY = frozenset({"allow", "deny", "dismiss", "mute", "reopen"})  # orders that note who decided


async def order(request: Request, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Have `wanted` done ({"do": …}, see supervisor/orders) in the name of who asks, and note it. What the
    configuration says is then as it is afterwards: who is sent to a page sees there what was done.

    Raises SmartrouterError as `Site.ask` does.
    """
    site, user = request.app.state.site, user_of(request)
    name = user.name if user else "web:stranger"
    asked = {**wanted, "by": name} if wanted["do"] in _WITH_BY else dict(wanted)
    outcome, before = "done", site.share
    try:
        answer: dict[str, Any] = await site.ask(asked)
    except SmartrouterError as error:
        outcome = str(error)
        raise
    finally:
        site.outdated()
        await site.note(request.scope, name, str(wanted["do"]), _told(wanted), outcome)
    if "applied" in answer:
        with anyio.move_on_after(SHARED):
            while site.share is before:
                await anyio.sleep(0.01)
    return answer


async def act(
    request: Request,
    wanted: Mapping[str, Any],
    said: str,
    to: str,
    undo: tuple[str, dict[str, str]] | None = None,
) -> Response:
    """The answer to a form: have `wanted` done, say `said` (or why not) on the page `to`, which offers `undo`
    (a path to post to, and its fields)."""
    user = user_of(request)
    try:
        answer = await order(request, wanted)
    except SmartrouterError as error:
        flash = Flash(str(error), "bad")
    else:
        note = answer.get("note")
        flash = Flash(f"{said} But {note}." if note else said, "plain" if note else "good", undo)
    if user and user.session:
        user.session.tell(flash)
    return back(to)


def back(to: str) -> Response:
    """Go to our page `to`."""
    return RedirectResponse(own_path(to), 303)


def own_path(given: str) -> str:
    """`given` if it is a path of ours, else the first page: nobody is sent elsewhere by a link."""
    parts = urlsplit(given)
    is_ours = not parts.scheme and not parts.netloc and given.startswith("/") and not given.startswith("//")
    return given if is_ours and "\\" not in given and given.isprintable() else "/"


def _told(wanted: Mapping[str, Any]) -> str:
    """An order in a line of the audit log. Of options it has the names: values may be secret."""
    told = []
    for key, value in wanted.items():
        if key in _UNTOLD or value in (None, ""):
            continue
        if key == "options":
            told.append(f"options {', '.join(value)}")
        elif key == "until" and isinstance(value, float):
            told.append(f"until {time_text(value)}")
        else:
            told.append(f"{key} {value}")
    return ", ".join(told)
