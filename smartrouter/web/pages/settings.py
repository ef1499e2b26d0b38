# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings: everything in the configuration that has no page of its own, by the one table of options."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import anyio
import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from smartrouter.config.fingerprint import fingerprint
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.listings.channels import standing
from smartrouter.listings.known import Known
from smartrouter.notify.channels import named
from smartrouter.web.acting import act, back, order
from smartrouter.web.fields import Field, fields, read
from smartrouter.web.pages.render import page, user_of
from smartrouter.web.sessions import Flash
from smartrouter.web.site import Site

TITLES = {"smartrouter": "smartrouter as a whole", "web": "The web interface", "notify": "A channel"}
_GROUPS = (
    ("What is looked after", ("enabled", "network", "device", "iot_network", "new_devices")),
    ("Learning", ("learning", "learning_period", "match", "name_grace", "unused_after")),
    (
        "Blocking",
        ("block_action", "on_failure", "unnamed_tls", "foreign_dns", "redirect_dns", "resolver"),
    ),
    ("What is kept", ("attempts_kept", "retention", "max_size", "database", "alert_file")),
)
_OTHERS = "For experts"  # whatever stands in no group


def show(request: Request) -> Response:
    """The mode, all options of `main` and of the web interface, the channels."""
    site: Site = request.app.state.site
    return _overview(request, site, {}, 200)


async def change(request: Request) -> Response:
    """A form of one of the sections that there is one of."""
    site, kind = request.app.state.site, request.path_params["kind"]
    if kind not in ("smartrouter", "web"):
        raise HTTPException(404)
    sent = read(site.share["config"], kind, 0, request.state.form)
    if sent.faults:
        return await anyio.to_thread.run_sync(
            _overview, request, site, {kind: (request.state.form, sent.faults)}, 400
        )
    if not sent.changes:
        _tell(request, Flash("Nothing was changed.", "plain"))
        return back(f"/settings#{kind}")
    undo = (f"/settings/{kind}", sent.before) if sent.before else None
    said = f"Saved: {', '.join(sent.changes)}."
    request_ = {"do": "set", "section": kind, "options": sent.changes, "place": 0}
    return await act(request, request_, said, f"/settings#{kind}", undo)


def channel(request: Request) -> Response:
    """The form of a channel, or of a new one."""
    site, place = request.app.state.site, _place(request)
    return _channel(request, site, place, {}, {})


async def save_channel(request: Request) -> Response:
    """It was sent."""
    site, place, form = request.app.state.site, _place(request), request.state.form
    sent = read(site.share["config"], "notify", place, form)
    if sent.faults:
        return _channel(request, site, place, form, sent.faults, status=400)
    wanted: dict[str, Any] = {"do": "add-section", "section": "notify", "options": sent.changes}
    if place is not None:
        wanted |= {"do": "set", "place": place, "expected": form.get("expected", "")}
    try:
        await order(request, wanted)
    except SmartrouterError as error:
        return _channel(request, site, place, form, {"": str(error)}, status=400)
    _tell(request, Flash("The channel is saved. Test it, to see whether it works."))
    return back("/settings#notify")


async def drop_channel(request: Request) -> Response:
    """Take a channel away."""
    place = _place(request)
    wanted = {"do": "drop-section", "section": "notify", "place": place or 0}
    wanted["expected"] = request.state.form.get("expected", "")
    return await act(request, wanted, "The channel is gone.", "/settings#notify")


async def test_channel(request: Request) -> Response:
    """Send a sample through a channel."""
    name = request.state.form.get("name", "")
    try:
        answer = await order(request, {"do": "test-channel", "name": name})
        error = str(answer.get("error", ""))
    except SmartrouterError as failure:
        error = str(failure)
    text = f"{name} did not take the sample: {error}" if error else f"{name} took the sample: look there."
    _tell(request, Flash(text, "bad" if error else "good"))
    return back("/settings#notify")


def _overview(
    request: Request,
    site: Site,
    sent: Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]],
    status: int,
) -> Response:
    """`sent`: by kind, a form that was sent and what is wrong with it."""
    main, web = (_form(site, kind, *sent.get(kind, ({}, {}))) for kind in ("smartrouter", "web"))
    every = {field.name: field for field in main.fields}
    groups = [(title, [every.pop(name) for name in names]) for title, names in _GROUPS]
    groups.append((_OTHERS, list(every.values())))
    return page(
        request,
        "settings.html",
        status=status,
        groups=groups,
        fault=main.fault,
        web=web,
        channels=_channels(site),
        main=site.config.main,
    )


class _Form(NamedTuple):
    fields: list[Field]
    fault: str


def _form(site: Site, kind: str, form: Mapping[str, str], faults: Mapping[str, str]) -> _Form:
    """The form of a section that there is one of."""
    sections = site.share["config"][kind]
    return _Form(fields(kind, sections[0] if sections else {}, form, faults), faults.get("", ""))


def _channels(site: Site) -> list[dict[str, Any]]:
    """The channels with how they do."""
    health: dict[str, Mapping[str, Any]] = {}
    try:
        with site.store() as conn:
            health = {each["name"]: each for each in standing(Known(site.config, conn), conn)}
    except Unavailable:
        pass  # that there is no store is said elsewhere
    return [
        {
            "place": place,
            "name": name,
            "type": config.type,
            "expected": fingerprint(config),
            "health": health.get(name),
        }
        for place, (name, config) in enumerate(named(site.config.notify).items())
    ]


def _channel(
    request: Request,
    site: Site,
    place: int | None,
    form: Mapping[str, str],
    faults: Mapping[str, str],
    status: int = 200,
) -> Response:
    now = {} if place is None else site.share["config"]["notify"][place]
    expected = "" if place is None else fingerprint(site.config.notify[place])
    return page(
        request,
        "channel.html",
        status=status,
        place=place,
        expected=form.get("expected", expected),
        fields=fields("notify", now, form, faults),
        fault=faults.get("", ""),
    )


def _place(request: Request) -> int | None:
    """Which channel the path names; None: a new one."""
    text: str = request.path_params["place"]
    if text == "new":
        return None
    if not text.isdecimal() or int(text) >= len(request.app.state.site.config.notify):
        raise HTTPException(404, "There is no such channel (any more).")
    return int(text)


def _tell(request: Request, flash: Flash) -> None:
    user = user_of(request)
    if user and user.session:
        user.session.tell(flash)


ROUTES: list[BaseRoute] = [
    Route("/settings", show),
    Route("/settings/notify/{place}", channel),
    Route("/settings/notify/{place}", save_channel, methods=["POST"]),
    Route("/settings/notify/{place}/drop", drop_channel, methods=["POST"]),
    Route("/settings/notify/{place}/test", test_channel, methods=["POST"]),
    Route("/settings/{kind}", change, methods=["POST"]),
]
