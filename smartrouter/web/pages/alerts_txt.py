# SPDX-License-Identifier: GPL-2.0-or-later
"""`/alerts.txt`: alerts in the form of the alert file, for people and `grep`; with a session, or a token.

It is made from the store: the file itself is cut and turned over, and may lie where we may not look.
"""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from smartrouter.notify import textfile
from smartrouter.store.inbox import Line, lines
from smartrouter.web.site import Site
from smartrouter.web.views.words import number

USUAL, MOST = 1000, 10_000  # lines


def show(request: Request) -> Response:
    """The latest lines, the last one last; `?lines=N` for another number of them."""
    site: Site = request.app.state.site
    count = min(MOST, number(request.query_params.get("lines", ""), USUAL))
    with site.store() as conn:
        found = [(line.first, line.id, _line(line)) for line in lines(conn, count)]
    return PlainTextResponse("".join(f"{text}\n" for _, _, text in sorted(found)))


def _line(alert: Line) -> str:
    what = textfile.destination(alert.name, alert.destination, alert.kind, alert.detail)
    return textfile.line(alert.mac, what, alert.first)


ROUTES: list[BaseRoute] = [Route("/alerts.txt", show)]
