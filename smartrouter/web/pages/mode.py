# SPDX-License-Identifier: GPL-2.0-or-later
"""The buttons that stand on every page, pause and mode; and what enforce mode will meet, before it begins."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from smartrouter.core.policy import Mode
from smartrouter.listings.consequences import consequences
from smartrouter.listings.forecast import AHEAD, number
from smartrouter.listings.known import Known
from smartrouter.terminal import duration
from smartrouter.web.acting import act, back
from smartrouter.web.pages.render import page
from smartrouter.web.site import Site

TRIAL = 600  # seconds
_HOUR = 3600
_LISTED = 20  # devices, alerts,
_LOOKED_AT = 100  # of so many: each takes 3 KB


async def pause(request: Request) -> Response:
    """Suspend blocking for some seconds, or (0) end that."""
    form = request.state.form
    seconds = int(form["seconds"]) if form.get("seconds", "").isdecimal() else _HOUR
    said = f"Nothing unknown is blocked for {duration(seconds)}." if seconds else "The pause is over."
    return await act(request, {"do": "pause", "seconds": seconds}, said, form.get("to", "/"))


def enforce(request: Request) -> Response:
    """What will still be new, and what waits: the page before enforce mode."""
    site: Site = request.app.state.site
    with site.store() as conn:
        known = Known(site.config, conn)
        met = consequences(known, conn, None, _LOOKED_AT)
        names = known.labels()
    news = met.news()
    sums = {span: sum(each[span]["expected"] for each in news.values()) for span in AHEAD}
    return page(
        request,
        "enforce.html",
        waiting=met.waiting[:_LISTED],
        more=len(met.waiting) > _LISTED,
        news=[
            (mac, names.get(mac, mac), number(each["week"]["expected"]), each["week"]["high"])
            for mac, each in list(news.items())[:_LISTED]
        ],
        protected=len(news),
        day=number(sums["day"]),
        week=number(sums["week"]),
        learning=[(mac, names.get(mac, mac)) for mac in met.learning],
        nameless=[(mac, names.get(mac, mac)) for mac in met.nameless],
        names=names,
        minutes=TRIAL // 60,
        is_enforced=site.config.main.mode is Mode.ENFORCE,
    )


async def choose(request: Request) -> Response:
    """Have a mode: from now on, or for a trial."""
    form = request.state.form
    mode, to = form.get("mode", ""), form.get("to", "/")
    if mode == Mode.ENFORCE and form.get("how") == "try":
        said = f"What is not known is blocked for {TRIAL // 60} minutes. Keep it, or it ends by itself."
        return await act(request, {"do": "try-mode", "mode": mode, "seconds": TRIAL}, said, to)
    if mode not in list(Mode):
        return back(to)
    how = "blocked and reported" if mode == Mode.ENFORCE else "reported, not blocked,"
    return await act(request, {"do": "mode", "mode": mode}, f"What is not known is {how} from now on.", to)


async def keep(request: Request) -> Response:
    """The mode on trial stays."""
    to = request.state.form.get("to", "/")
    return await act(request, {"do": "keep"}, "It stays like this.", to)


ROUTES: list[BaseRoute] = [
    Route("/pause", pause, methods=["POST"]),
    Route("/mode", choose, methods=["POST"]),
    Route("/mode/enforce", enforce),
    Route("/mode/keep", keep, methods=["POST"]),
]
