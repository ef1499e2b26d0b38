# SPDX-License-Identifier: GPL-2.0-or-later
"""The application: which pages there are, and what stands in front of them.

A page module exports ROUTES; what a page may show and to whom is not decided here.
"""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.web import api, assets
from smartrouter.web.gatekeeper import Gatekeeper
from smartrouter.web.pages import (
    account,
    alerts_txt,
    device,
    devices,
    home,
    inbox,
    log,
    login,
    metrics,
    mode,
    rules,
    settings,
    setup,
)
from smartrouter.web.pages.render import page
from smartrouter.web.site import Site

_PAGES = (
    home,
    inbox,
    devices,
    device,
    log,
    rules,
    settings,
    mode,
    login,
    setup,
    account,
    alerts_txt,
    metrics,
)


def make_app(site: Site) -> Starlette:
    """The whole of it, for one `site`."""
    routes: list[BaseRoute] = [*assets.ROUTES, *api.ROUTES]
    for module in _PAGES:
        routes += module.ROUTES
    app = Starlette(
        routes=routes,
        exception_handlers={
            HTTPException: _refused,
            SmartrouterError: _cannot,
            500: _fault,
        },
    )
    app.state.site = site
    app.add_middleware(Gatekeeper, site=site)
    return app


_TITLES = {
    400: "That makes no sense",
    403: "Not allowed",
    404: "There is no such page",
    405: "Not like this",
}


def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    detail = str(error.detail) if isinstance(error, HTTPException) else ""
    return trouble(request, status, _TITLES.get(status, "That did not work"), detail)


def _cannot(request: Request, error: Exception) -> Response:
    if isinstance(error, Unavailable):
        return trouble(request, 503, "Not available now", str(error))
    return trouble(request, 400, "That did not work", str(error))


def _fault(request: Request, _error: Exception) -> Response:
    return trouble(request, 500, "A fault of smartrouter's", "Its log says more; please report it.")


def trouble(request: Request, status: int, title: str, text: str) -> Response:
    """An error as the reader wants it: a page, or JSON for a program."""
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": text or title}, status)
    return page(request, "trouble.html", status=status, title=title, text=text)
