# SPDX-License-Identifier: GPL-2.0-or-later
"""The log: pages of it, what is new in it for a page that is open, and all of it as a file."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from smartrouter.listings.known import Known
from smartrouter.store import log as stored
from smartrouter.web.pages.render import page, zone_of
from smartrouter.web.views import words
from smartrouter.web.views.log import ON_A_PAGE, as_csv, as_json, log, read_filter, row


def show(request: Request) -> Response:
    """The page."""
    site, asked = request.app.state.site, request.query_params
    found = read_filter(asked, zone_of(request))
    before = words.number(asked.get("before", ""), 0) or None
    with site.store() as conn:
        known = Known(site.config, conn)
        shown = log(known, conn, found, before)
    labels = sorted(known.labels().items(), key=lambda each: each[1].lower())
    return page(request, "log.html", log=shown, labels=labels, is_first=before is None)


def news(request: Request) -> Response:
    """The rows that are new after the attempt `after`, for the script of an open page; the newest few."""
    site, asked = request.app.state.site, request.query_params
    found, after = read_filter(asked, zone_of(request)), words.number(asked.get("after", ""), 0)
    with site.store() as conn:
        newest = stored.newest(conn)
        rows = stored.newer(conn, found.wanted, ON_A_PAGE, after) if newest > after else []
        known = Known(site.config, conn if rows else None) if rows else None
    shown = [row(known, each) for each in rows] if known else []
    answer = page(request, "log_rows.html", rows=shown)
    answer.headers["X-Newest"] = str(max(newest, after))
    return answer


def export(request: Request) -> Response:
    """The whole log, as the address filters it: a part at a time, however much it is."""
    site, kind = request.app.state.site, request.path_params["kind"]
    if kind not in ("csv", "json"):
        raise HTTPException(404)
    found = read_filter(request.query_params, zone_of(request))
    with site.store() as conn:
        known = Known(site.config, conn)
    make, media = (as_csv, "text/csv") if kind == "csv" else (as_json, "application/json")
    return StreamingResponse(
        make(known, site.store, found),
        media_type=f"{media}; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="smartrouter-log.{kind}"',
            "Cache-Control": "no-store",
        },
    )


ROUTES: list[BaseRoute] = [
    Route("/log", show),
    Route("/log/new", news),
    Route("/log.{kind}", export),
]
