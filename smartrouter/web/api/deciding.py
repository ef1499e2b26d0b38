# SPDX-License-Identifier: GPL-2.0-or-later
"""The operations that change something. Each is an order to the running smartrouter, which checks it again
and does it; that it refuses is told in its own words.
"""

import hashlib
import time
from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple, Unpack

import anyio
import anyio.to_thread

from smartrouter.config import RuleConfig
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.core.policy import Action
from smartrouter.listings.alerts import alert_json
from smartrouter.listings.decisions import decision, ruled_by
from smartrouter.listings.devices import one_device, rule_json
from smartrouter.listings.known import Known
from smartrouter.listings.volume import counted_by
from smartrouter.notify.channels import named
from smartrouter.store import queries
from smartrouter.store.alerts import AlertState, StoredAlert
from smartrouter.web.acting import order
from smartrouter.web.api.operation import Call, Made
from smartrouter.web.api.problems import Problem
from smartrouter.web.api.reading import no_device, stored_alert

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")
ONCE = 3600  # seconds that `once` waits for its connection

# -- alerts ------------------------------------------------------------------------------------------------


async def allow(call: Call) -> dict[str, Any]:
    """Allow what an alert is about."""
    return await _decide(call, Action.ALLOW)


async def deny(call: Call) -> dict[str, Any]:
    """Deny what an alert is about."""
    return await _decide(call, Action.DENY)


async def _decide(call: Call, action: Action) -> dict[str, Any]:
    body = call.body
    found = await _in_thread(stored_alert, call.known(), call.path["alert"])
    wanted = decision(
        found, action, exact=body.get("exact", False), all_devices=body.get("all_devices", False)
    )
    seconds = ONCE if body.get("once") else body.get("seconds")
    until = None if seconds is None else time.time() + seconds
    asked = {"do": str(action), **wanted._asdict(), "until": until, "by": call.by}
    once = action is Action.ALLOW and body.get("once", False)
    answer = await order(call.request, asked | ({"once": True} if once else {}))
    rule = {"id": rule_id(*wanted), **wanted._asdict(), "action": str(action), "until": until, "once": once}
    return {**_applied(answer), "rule": rule}


async def dismiss(call: Call) -> dict[str, Any]:
    """An alert was seen."""
    await order(call.request, {"do": "dismiss", "alert": call.path["alert"], "by": call.by})
    return await _alert_now(call)


async def undo(call: Call) -> dict[str, Any]:
    """Take back what was decided about an alert: it is open again."""
    known = call.known()
    found = await _in_thread(stored_alert, known, call.path["alert"])
    if found.state == AlertState.DISMISSED:
        await order(call.request, {"do": "reopen", "alert": found.id, "by": call.by})
        return await _alert_now(call)
    rule = ruled_by(known, found) or _about(known, found)
    if rule is None:
        raise Problem(409, f"alert {found.id} is {found.state}, and no rule that could be taken back says so")
    await order(call.request, _removal(rule))
    return await _alert_now(call)


def _about(known: Known, found: StoredAlert) -> RuleConfig | None:
    """The rule about an alert that was decided just now, and is not settled yet."""
    if found.state != AlertState.OPEN:
        return None
    for rule in known.config.rules:
        of_it = rule.destination in (found.destination, found.name) and rule.service in (found.service, "")
        if of_it and rule.device in ("*", found.mac):
            return rule
    return None


async def _alert_now(call: Call) -> dict[str, Any]:
    known = call.known()
    found = await _in_thread(stored_alert, known, call.path["alert"])
    return alert_json(known, found)


# -- rules -------------------------------------------------------------------------------------------------


def rules(call: Call) -> dict[str, Any]:
    """All of them, in the order in which they stand."""
    mac = call.query.get("device")
    found = [rule for rule in call.site.config.rules if mac in (None, rule.device)]
    return {"items": [_rule_json(rule) for rule in found], "next": None}


def rule(call: Call) -> dict[str, Any]:
    """One of them."""
    return _rule_json(_rule(call))


async def add_rule(call: Call) -> Made:
    """Make a rule; it replaces one about the same."""
    body = call.body
    service = body.get("service", "")
    asked = {
        "do": body["action"], "device": body["device"], "destination": body["destination"],
        "service": service, "until": body.get("until"), "by": call.by,
    }  # fmt: skip
    answer = await order(call.request, asked)
    name = rule_id(body["device"], _as_kept(body["destination"]), service)
    made = next((each for each in call.site.config.rules if _id_of(each) == name), None)
    if made is not None:
        return Made(f"/rules/{name}", _rule_json(made) | _applied(answer))
    told = {
        "id": name, "device": body["device"], "destination": _as_kept(body["destination"]),
        "service": service, "action": body["action"], "until": body.get("until"), "by": call.by, "at": None,
    }  # fmt: skip
    return Made(f"/rules/{name}", told | _applied(answer))


async def remove_rule(call: Call) -> None:
    """Take a rule back."""
    await order(call.request, _removal(_rule(call)))


def _removal(rule: RuleConfig) -> dict[str, Any]:
    return {
        "do": "remove-rule",
        "device": rule.device,
        "destination": rule.destination,
        "service": rule.service,
    }


def _rule(call: Call) -> RuleConfig:
    for each in call.site.config.rules:
        if _id_of(each) == call.path["rule"]:
            return each
    raise Problem(404, "there is no such rule; perhaps it has been changed")


def _rule_json(rule: RuleConfig) -> dict[str, Any]:
    return {"id": _id_of(rule), **rule_json(rule)}


def _id_of(rule: RuleConfig) -> str:
    return rule_id(rule.device, rule.destination, rule.service)


def rule_id(device: str, destination: str, service: str) -> str:
    """What a rule is called in paths: there is one at most about the same."""
    return hashlib.sha256("\n".join((device, destination, service)).encode()).hexdigest()[:16]


def _as_kept(destination: str) -> str:
    """A destination as the configuration writes it."""
    from smartrouter.config.options import DESTINATION

    try:
        return str(DESTINATION.read(destination))
    except ValueError:
        return destination


# -- devices -----------------------------------------------------------------------------------------------


async def change_device(call: Call) -> dict[str, Any]:
    """What you say of a device: each thing an order of its own, in this order."""
    mac = await _known_device(call)
    body = call.body
    wanted: list[dict[str, Any]] = []
    if "name" in body:
        wanted.append({"do": "rename", "name": body["name"]})
    if "mode" in body:
        wanted.append({"do": "mode", "mode": body["mode"]})
    if "watch" in body:
        wanted.append({"do": "watch", "watch": body["watch"]})
    if "mute" in body:
        wanted.append({"do": "mute", "seconds": body["mute"], "by": call.by})
    for each in wanted:
        await order(call.request, {**each, "device": mac})
    return await _device_now(call)


async def learn(call: Call) -> dict[str, Any]:
    """Have a device learn, or end that."""
    mac = await _known_device(call)
    answer = await order(
        call.request, {"do": "learn", "device": mac, "finish": call.body.get("finish", False)}
    )
    return {"state": answer.get("state", "")}


async def forget(call: Call) -> dict[str, Any]:
    """Have a device forget a destination, or all."""
    mac = await _known_device(call)
    wanted = {
        "do": "forget", "device": mac, "destination": call.body["destination"],
        "service": call.body.get("service", ""),
    }  # fmt: skip
    answer = await order(call.request, wanted)
    return {"forgotten": answer.get("forgotten", 0)}


async def same(call: Call) -> dict[str, Any]:
    """A device is one that had another MAC before."""
    mac = await _known_device(call)
    await _in_thread(_must_be_known, call.known(), call.body["other"])
    return _applied(await order(call.request, {"do": "same", "device": mac, "other": call.body["other"]}))


async def _known_device(call: Call) -> str:
    mac: str = call.path["mac"]
    await _in_thread(_must_be_known, call.known(), mac)
    return mac


def _must_be_known(known: Known, mac: str) -> None:
    with known.store() as conn:
        if queries.device(conn, mac) is None:
            raise no_device(mac)


async def _device_now(call: Call) -> dict[str, Any]:
    def read(known: Known) -> dict[str, Any]:
        with known.store() as conn:
            found = one_device(known, conn, call.path["mac"], counted_by(call.site.status))
        if found is None:
            raise no_device(call.path["mac"])
        return found

    return await _in_thread(read, call.known())


# -- the whole ---------------------------------------------------------------------------------------------


async def pause(call: Call) -> dict[str, Any]:
    """Suspend blocking, or end that."""
    answer = await order(call.request, {"do": "pause", "seconds": call.body["seconds"]})
    return {"seconds": answer.get("seconds", call.body["seconds"])}


async def mode(call: Call) -> dict[str, Any]:
    """Choose what happens to what is not known, for good or on trial."""
    wanted: dict[str, Any] = {"do": "mode", "mode": call.body["mode"], "device": None}
    if "try" in call.body:
        wanted = {"do": "try-mode", "mode": call.body["mode"], "seconds": call.body["try"]}
    return _mode_now(call, await order(call.request, wanted))


async def keep_mode(call: Call) -> dict[str, Any]:
    """The mode that is on trial stays."""
    return _mode_now(call, await order(call.request, {"do": "keep"}))


def mode_now(call: Call) -> dict[str, Any]:
    """The mode, and until when it is on trial."""
    return _mode_now(call, {})


def _mode_now(call: Call, answer: dict[str, Any]) -> dict[str, Any]:
    main = call.site.config.main
    trial = main.mode_until
    after = None if trial is None else str(main.mode_after)
    return {"mode": str(main.mode), "until": trial, "after": after, **_applied(answer)}


async def test_channel(call: Call) -> dict[str, Any]:
    """Send a sample through a channel."""
    name = call.path["channel"]
    if name not in named(call.site.config.notify):
        raise Problem(404, f"there is no channel {name}")
    try:
        await order(call.request, {"do": "test-channel", "name": name})
    except Unavailable:
        raise
    except SmartrouterError as error:
        return {"name": name, "ok": False, "error": str(error)}
    return {"name": name, "ok": True, "error": ""}


def _applied(answer: dict[str, Any]) -> dict[str, Any]:
    return {"applied": answer.get("applied", True), "note": answer.get("note", "")}


async def _in_thread(function: Callable[[Unpack[_Ts]], _T], *arguments: *_Ts) -> _T:
    return await anyio.to_thread.run_sync(function, *arguments)
