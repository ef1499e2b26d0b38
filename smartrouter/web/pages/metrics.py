# SPDX-License-Identifier: GPL-2.0-or-later
"""`/metrics`: what smartrouter measures of itself, for Prometheus; with a session, or a token for it."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from smartrouter.core.errors import Unavailable
from smartrouter.metrics import CONTENT_TYPE, exposition
from smartrouter.web.site import Site


def show(request: Request) -> Response:
    """All of them; where smartrouter does not answer, `smartrouter_up` says so."""
    site: Site = request.app.state.site
    status = {} if "error" in site.status else site.status
    try:
        with site.store() as conn:
            text = exposition(status, conn, site.clock())
    except Unavailable:
        text = exposition(status, None, site.clock())
    return Response(text, headers={"Content-Type": CONTENT_TYPE})


ROUTES: list[BaseRoute] = [Route("/metrics", show)]
