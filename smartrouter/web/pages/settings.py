# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings, and the buttons that stand on every page: pause, mode."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from smartrouter.terminal import duration
from smartrouter.web.acting import act
from smartrouter.web.pages.render import page


def show(request: Request) -> Response:
    """The page."""
    return page(request, "settings.html")


async def pause(request: Request) -> Response:
    """Suspend blocking for some seconds, or (0) end that."""
    form = request.state.form
    seconds = int(form["seconds"]) if form.get("seconds", "").isdecimal() else 3600
    said = f"Nothing unknown is blocked for {duration(seconds)}." if seconds else "The pause is over."
    return await act(request, {"do": "pause", "seconds": seconds}, said, form.get("to", "/"))


ROUTES: list[BaseRoute] = [
    Route("/settings", show),
    Route("/pause", pause, methods=["POST"]),
]
