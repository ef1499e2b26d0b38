# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of devices."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from smartrouter.listings.known import Known
from smartrouter.web.pages.render import page
from smartrouter.web.views import words
from smartrouter.web.views.devices import SHOW, SORT, devices


def show(request: Request) -> Response:
    """The page."""
    site, asked = request.app.state.site, request.query_params
    with site.store() as conn:
        found = devices(
            Known(site.config, conn),
            conn,
            site.clock(),
            show=asked.get("show", ""),
            sort=asked.get("sort", ""),
            falling=asked.get("order") == "falling",
            text=asked.get("text", "").strip(),
            page=words.number(asked.get("page", "")),
        )
    return page(request, "devices.html", devices=found, shows=SHOW, sorts=SORT, here=words.here(request.url))


ROUTES: list[BaseRoute] = [Route("/devices", show)]
