# SPDX-License-Identifier: GPL-2.0-or-later
"""Home."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from smartrouter.core.errors import Unavailable
from smartrouter.listings.known import Known
from smartrouter.web.pages.render import page, zone_of
from smartrouter.web.views.charts import bars, hour_ticks
from smartrouter.web.views.home import Home, home, without_store


def show(request: Request) -> Response:
    """The page, also where there is no store yet, or it cannot be read."""
    site = request.app.state.site
    now = site.clock()
    try:
        with site.store() as conn:
            found = home(Known(site.config, conn), conn, site.status, now)
    except Unavailable as error:
        found = without_store(Known(site.config), site.status, error)
    return page(request, "home.html", home=found, chart=_chart(request, found))


def _chart(request: Request, found: Home) -> object:
    zone = zone_of(request)
    columns = [(hour.start, hour.attempts, hour.blocked, hour.alerts) for hour in found.hours]
    return bars(columns, hour_ticks([hour.start for hour in found.hours], zone))


ROUTES: list[BaseRoute] = [Route("/", show)]
