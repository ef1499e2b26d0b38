# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules: what was decided, by whom, until when; a rule more, a rule less, another scope."""

import re
from collections.abc import Mapping
from typing import Any

import anyio
import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from smartrouter.config import RuleConfig, checked
from smartrouter.config.options import time_text
from smartrouter.core.errors import BadConfig, SmartrouterError, Unavailable
from smartrouter.listings.known import EVERY_DEVICE, Known
from smartrouter.web.acting import act, back, order
from smartrouter.web.pages.render import local, page, user_of, zone_of
from smartrouter.web.sessions import Flash
from smartrouter.web.site import Site
from smartrouter.web.undoing import key_of, rule_about, undo_of
from smartrouter.web.views.inbox import TIMES
from smartrouter.web.views.words import number

PAGE = 50  # rules
_FAULT = re.compile(r"rule: (?:option (\w+): )?(.*)")
_KEPT = "kept"  # until when: as it is
_FIELDS = ("device", "destination", "service", "action")


def show(request: Request) -> Response:
    """The list, and the form for another rule."""
    return _page(request, request.app.state.site, dict(request.query_params), {})


async def add(request: Request) -> Response:
    """The form was sent."""
    site, form = request.app.state.site, request.state.form
    until = _until(form.get("time", ""), None, site.clock())
    faults = _faults(form, until)
    if faults:
        return await anyio.to_thread.run_sync(_page, request, site, form, faults, 400)
    wanted = {name: form.get(name, "").strip() for name in _FIELDS}
    request_ = {"do": wanted.pop("action"), **wanted, "until": until}
    undo = undo_of(request_, rule_about(site.config, request_), site.clock(), "/rules")
    return await act(request, request_, _said(request_["do"], form), "/rules", undo)


async def remove(request: Request) -> Response:
    """A rule less; undo has it back."""
    site, form = request.app.state.site, request.state.form
    rule = _find(site, form)
    undo = None if rule is None else undo_of(None, rule, site.clock(), "/rules")
    return await act(request, {"do": "remove-rule", **key_of(form)}, "The rule is gone.", "/rules", undo)


def edit(request: Request) -> Response:
    """The form for a rule that there is."""
    site: Site = request.app.state.site
    rule = _find(site, dict(request.query_params))
    if rule is None:
        raise HTTPException(404, "There is no such rule (any more).")
    return _form(request, site, rule, {}, {})


async def change(request: Request) -> Response:
    """It was sent: first the new one is made, then the old one goes, if it is another one."""
    site, form = request.app.state.site, request.state.form
    rule = _find(site, {name: form.get(f"old_{name}", "") for name in _FIELDS[:3]})
    if rule is None:
        raise HTTPException(404, "There is no such rule (any more).")
    until = _until(form.get("time", ""), rule.until, site.clock())
    faults = _faults(form, until)
    if faults:
        return await anyio.to_thread.run_sync(_form, request, site, rule, form, faults, 400)
    wanted = {name: form.get(name, "").strip() for name in _FIELDS}
    made: dict[str, Any] = {"do": wanted.pop("action"), **wanted, "until": until}
    if rule.once and form.get("time") == _KEPT and made["do"] == "allow":
        made["once"] = True
    flash = Flash("The rule is changed.", undo=undo_of(made, rule, site.clock(), "/rules"))
    try:
        await order(request, made)
        texts = {name: text for name, text in {**wanted, "action": made["do"]}.items() if text}
        same = checked(RuleConfig, texts, "rule")
        if (same.device, same.destination, same.service) != (rule.device, rule.destination, rule.service):
            await order(request, {"do": "remove-rule", **key_of(vars(rule))})
    except SmartrouterError as error:
        flash = Flash(str(error), "bad")
    user = user_of(request)
    if user and user.session:
        user.session.tell(flash)
    return back("/rules")


def _page(
    request: Request, site: Site, form: Mapping[str, str], faults: Mapping[str, str], status: int = 200
) -> Response:
    names = _names(site)
    wanted = form.get("only", "")
    found = [rule for rule in reversed(site.config.rules) if wanted in ("", rule.device)]
    pages = max(1, -(-len(found) // PAGE))
    number_ = min(pages, max(1, number(form.get("page", ""))))
    return page(
        request,
        "rules.html",
        status=status,
        rules=[_shown(rule, names) for rule in found[(number_ - 1) * PAGE : number_ * PAGE]],
        count=len(found),
        page=number_,
        pages=pages,
        only=wanted,
        names=names,
        times=TIMES,
        form=form,
        faults=faults,
    )


def _form(
    request: Request,
    site: Site,
    rule: RuleConfig,
    form: Mapping[str, str],
    faults: Mapping[str, str],
    status: int = 200,
) -> Response:
    until = "" if rule.until is None else local(rule.until, zone_of(request)).strftime("%Y-%m-%d %H:%M")
    now = {name: str(getattr(rule, name)) for name in _FIELDS}
    return page(
        request,
        "rule.html",
        status=status,
        rule=rule,
        form=now | dict(form),
        faults=faults,
        until=until,
        names=_names(site) | {rule.device: _names(site).get(rule.device, rule.device)},
        times=TIMES,
        kept=_KEPT,
    )


def _names(site: Site) -> dict[str, str]:
    """What the devices are called, by MAC."""
    known = {device.mac: device.name or device.mac for device in site.config.devices}
    try:
        with site.store() as conn:
            known |= Known(site.config, conn).labels()
    except Unavailable:
        pass  # their MACs will do
    return dict(sorted(known.items(), key=lambda item: item[1].lower()))


def _shown(rule: RuleConfig, names: Mapping[str, str]) -> dict[str, Any]:
    who = "every device" if rule.device == EVERY_DEVICE else names.get(rule.device, rule.device)
    return {**vars(rule), "action": str(rule.action), "who": who}


def _find(site: Site, key: Mapping[str, str]) -> RuleConfig | None:
    wanted = tuple(key.get(name, "") for name in _FIELDS[:3])
    rules = (rule for rule in site.config.rules if (rule.device, rule.destination, rule.service) == wanted)
    return next(rules, None)


def _until(given: str, before: float | None, now: float) -> float | None:
    """Until when a rule is to count."""
    if given == _KEPT:
        return before
    _, seconds = TIMES.get(given, TIMES["always"])
    return None if seconds is None else now + seconds


def _faults(form: Mapping[str, str], until: float | None) -> dict[str, str]:
    """What the configuration's reader has to say of the rule in this form, by option."""
    texts = {name: text for name in _FIELDS if (text := form.get(name, "").strip())}
    if until is not None:
        texts["until"] = time_text(until)
    try:
        checked(RuleConfig, texts, "rule")
    except BadConfig as error:
        found = [_FAULT.fullmatch(line) for line in str(error).splitlines()]
        return {match[1] or "": match[2] for match in found if match}
    return {}


def _said(action: str, form: Mapping[str, str]) -> str:
    how = "may be used" if action == "allow" else "may not be used"
    return f"{form.get('destination', '')} {how} from now on."


ROUTES: list[BaseRoute] = [
    Route("/rules", show),
    Route("/rules/add", add, methods=["POST"]),
    Route("/rules/remove", remove, methods=["POST"]),
    Route("/rules/edit", edit),
    Route("/rules/edit", change, methods=["POST"]),
]
