# SPDX-License-Identifier: GPL-2.0-or-later
"""Inbox."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from smartrouter.web.pages.render import page


def show(request: Request) -> Response:
    """The page."""
    return page(request, "inbox.html")


ROUTES: list[BaseRoute] = [Route("/inbox", show)]
