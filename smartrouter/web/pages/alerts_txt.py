# SPDX-License-Identifier: GPL-2.0-or-later
"""`/alerts.txt`: alerts in the form of the alert file, for people and `grep`; with a session, or a token.

It is made from the store: the file itself is cut and turned over, and may lie where we may not look.
"""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from smartrouter.notify import textfile
from smartrouter.store.alerts import AlertState, StoredAlert, alerts
from smartrouter.web.site import Site
from smartrouter.web.views.words import number

USUAL, MOST = 1000, 10_000  # lines
_AT_ONCE = 100  # alerts that are in memory: each takes 3 KB


def show(request: Request) -> Response:
    """The latest lines, the last one last; `?lines=N` for another number of them."""
    site: Site = request.app.state.site
    count = min(MOST, number(request.query_params.get("lines", ""), USUAL))
    lines: list[tuple[float, int, str]] = []
    with site.store() as conn:
        for offset in range(0, count, _AT_ONCE):
            found = alerts(conn, limit=min(_AT_ONCE, count - offset), offset=offset)
            lines += [
                (alert.first, alert.id, _line(alert)) for alert in found if alert.state != AlertState.MERGED
            ]
            if len(found) < _AT_ONCE:
                break
    return PlainTextResponse("".join(f"{line}\n" for _, _, line in sorted(lines)))


def _line(alert: StoredAlert) -> str:
    name = alert.name or alert.reverse or ""
    what = textfile.destination(name, alert.destination, alert.kind, alert.detail)
    return textfile.line(alert.mac, what, alert.first)


ROUTES: list[BaseRoute] = [Route("/alerts.txt", show)]
