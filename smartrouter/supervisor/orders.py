# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be asked of a running smartrouter through the control socket, and what each request means.

    {"do": "status"}
    {"do": "allow" | "deny", "device", "destination", "service"?, "until"?, "by"?}; to allow also "once"?
    {"do": "remove-rule", "device", "destination", "service"?}
    {"do": "dismiss" | "reopen", "alert", "by"?}
    {"do": "mode", "mode", "device"?}
    {"do": "watch", "watch", "device"}
    {"do": "pause", "seconds"}
    {"do": "mute", "device", "seconds", "by"?}
    {"do": "forget", "device", "destination", "service"?}
    {"do": "learn", "device", "finish"?}
    {"do": "same", "device", "other"}
    {"do": "rename", "device", "name"}
    {"do": "set", "section", "options", "place"?, "expected"?}
    {"do": "add-section", "section", "options"}
    {"do": "drop-section", "section", "place", "expected"?}
    {"do": "try-mode", "mode", "seconds"}
    {"do": "keep"}
    {"do": "set-password", "hash"}
    {"do": "test-channel", "name"}
    {"do": "reload"}

Decisions that last are written to the configuration, and answered once the guard goes by them, or with a
note saying when it will. Whether an alert was seen is the analyzer's business, which keeps the store. The
rest is for the guard at once or not at all. Devices are MACs here.
"""

import os
import pwd
import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import smartrouter
from smartrouter.channel import Answer, plain
from smartrouter.control import Peer, Reply
from smartrouter.core.errors import SmartrouterError
from smartrouter.linux.process import rss_kib
from smartrouter.supervisor import editing
from smartrouter.supervisor.editing import BadEdit
from smartrouter.supervisor.household import ANALYZER, GUARD, WEB, Household

STATUS_PATIENCE = 2.0  # seconds for the guard's part of the status: shorter than who asks waits
TEST_PATIENCE = 25.0  # seconds for a channel to take a sample
LONGEST_PAUSE = 7 * 86400  # seconds; who wants more wants monitor mode
LONGEST_MUTE = 366 * 86400  # seconds
_LONGEST_TEXT = 300  # characters of one value; a name has 253 at most
_MAC = re.compile(r"[0-9a-f]{2}(?:[:-]?[0-9a-f]{2}){5}")
_BY = re.compile(r"[a-z]{1,16}:[A-Za-z0-9_.@-]{1,64}")
_WEB = "web:"


class _Field(NamedTuple):
    """One key of a request. `kinds`: the types that its value may have."""

    kinds: tuple[type, ...]
    required: bool = True


_TEXT, _MAYBE_TEXT = _Field((str,)), _Field((str, type(None)), required=False)
_OBJECT, _MAYBE_NUMBER = _Field((dict,)), _Field((int, type(None)), required=False)
_RULE = {"device": _TEXT, "destination": _TEXT, "service": _MAYBE_TEXT, "by": _MAYBE_TEXT}
_RULE["until"] = _Field((str, int, float, type(None)), required=False)
_ALERT = {"alert": _Field((int,)), "by": _MAYBE_TEXT}
_REQUESTS: Mapping[str, Mapping[str, _Field]] = {
    "status": {},
    "allow": _RULE | {"once": _Field((bool,), required=False)},
    "deny": _RULE,
    "remove-rule": {"device": _TEXT, "destination": _TEXT, "service": _MAYBE_TEXT},
    "dismiss": _ALERT,
    "reopen": _ALERT,
    "mode": {"mode": _TEXT, "device": _MAYBE_TEXT},
    "watch": {"watch": _TEXT, "device": _TEXT},
    "pause": {"seconds": _Field((int, float))},
    "mute": {"device": _TEXT, "seconds": _Field((int, float)), "by": _MAYBE_TEXT},
    "forget": {"device": _TEXT, "destination": _TEXT, "service": _MAYBE_TEXT},
    "learn": {"device": _TEXT, "finish": _Field((bool,), required=False)},
    "same": {"device": _TEXT, "other": _TEXT},
    "rename": {"device": _TEXT, "name": _TEXT},
    "set": {"section": _TEXT, "options": _OBJECT, "place": _MAYBE_NUMBER, "expected": _MAYBE_TEXT},
    "add-section": {"section": _TEXT, "options": _OBJECT},
    "drop-section": {"section": _TEXT, "place": _Field((int,)), "expected": _MAYBE_TEXT},
    "try-mode": {"mode": _TEXT, "seconds": _Field((int, float))},
    "keep": {},
    "set-password": {"hash": _TEXT},
    "test-channel": {"name": _TEXT},
    "reload": {},
}


class BadRequest(SmartrouterError):
    """The request makes no sense; says what would."""


class Orders:
    """Carries requests out on a household."""

    def __init__(self, household: Household):
        self._household = household
        self._started = time.monotonic()

    def handle(self, request: dict[str, Any], peer: Peer, reply: Reply, now: float) -> None:
        """Do what `peer` asks, and `reply` once."""
        try:
            do = _checked(request)
            match do:
                case "status":
                    self._status(reply, now)
                case "allow" | "deny":
                    self._rule(do, request, peer, reply, now)
                case "remove-rule":
                    self._remove_rule(request, reply, now)
                case "dismiss" | "reopen":
                    self._see(do, request, peer, reply, now)
                case "mode":
                    self._mode(request, reply, now)
                case "same":
                    self._same(request, reply, now)
                case "watch":
                    self._watch(request, reply, now)
                case "rename":
                    self._rename(request, reply, now)
                case "mute":
                    self._mute(request, peer, reply, now)
                case "set" | "add-section" | "drop-section" | "try-mode" | "keep" | "set-password":
                    self._household.change(_writer(do, request, peer), reply, now)
                case "test-channel":
                    self._test_channel(request, reply, now)
                case "reload":
                    self._household.reload(reply, now)
                case _:
                    self._guard(do, request, reply, now)
        except (BadRequest, BadEdit) as error:
            reply({"error": str(error)})

    def _rule(self, action: str, request: dict[str, Any], peer: Peer, reply: Reply, now: float) -> None:
        device = request["device"] if request["device"] == "*" else _mac(request["device"])
        destination, service = request["destination"], request.get("service") or ""
        by = _decided_by(request.get("by"), peer, self._household.user.uid)
        until, at, once = request.get("until"), time.time(), request.get("once", False)

        def write(path: str) -> None:
            from smartrouter.config.changes import add_rule, make_rule

            rule = make_rule(action, device, destination, service, until=until, once=once, by=by, at=at)
            add_rule(path, rule)

        self._household.change(write, reply, now)

    def _remove_rule(self, request: dict[str, Any], reply: Reply, now: float) -> None:
        device = request["device"] if request["device"] == "*" else _mac(request["device"])
        destination, service = request["destination"], request.get("service") or ""

        def write(path: str) -> None:
            from smartrouter.config.changes import remove_rule

            remove_rule(path, device, destination, service)

        self._household.change(write, reply, now)

    def _see(self, do: str, request: dict[str, Any], peer: Peer, reply: Reply, now: float) -> None:
        """An alert was seen, and is not to be reported again; or it is."""
        by = _decided_by(request.get("by"), peer, self._household.user.uid)
        analyzer = self._household.children.get(ANALYZER)
        if analyzer is None:
            reply({"error": "there is no analyzer"})
        else:
            analyzer.ask(do, {"alert": request["alert"], "by": by}, now, reply)

    def _mode(self, request: dict[str, Any], reply: Reply, now: float) -> None:
        mode = request["mode"]
        device = _mac(request["device"]) if request.get("device") else None

        def write(path: str) -> None:
            from smartrouter.config.changes import set_mode

            set_mode(path, mode, device)

        self._household.change(write, reply, now)

    def _watch(self, request: dict[str, Any], reply: Reply, now: float) -> None:
        watch, device = request["watch"], _mac(request["device"])

        def write(path: str) -> None:
            from smartrouter.config.changes import set_watch

            set_watch(path, watch, device)

        self._household.change(write, reply, now)

    def _rename(self, request: dict[str, Any], reply: Reply, now: float) -> None:
        device, name = _mac(request["device"]), request["name"].strip()

        def write(path: str) -> None:
            from smartrouter.config.changes import set_name

            set_name(path, device, name)

        self._household.change(write, reply, now)

    def _mute(self, request: dict[str, Any], peer: Peer, reply: Reply, now: float) -> None:
        device, seconds = _mac(request["device"]), request["seconds"]
        if not 0 <= seconds <= LONGEST_MUTE:
            raise BadRequest(f"seconds: from 0 (end it) to {LONGEST_MUTE}")
        by, at = _decided_by(request.get("by"), peer, self._household.user.uid), time.time()

        def write(path: str) -> None:
            from smartrouter.config.changes import set_mute

            set_mute(path, device, at + seconds, by)

        self._household.change(write, reply, now)

    def _same(self, request: dict[str, Any], reply: Reply, now: float) -> None:
        """First the guard takes over what was learned: until it has, nothing is written. And the analyzer has
        the earlier one listed no more."""
        device, other = _mac(request["device"]), _mac(request["other"])
        if device == other:
            raise BadRequest("device, other: these are one MAC already")

        def write(path: str) -> None:
            from smartrouter.config.changes import move_device

            move_device(path, other, device)

        def taken_over(answer: Answer) -> None:
            if "error" in answer:
                reply(answer)
                return
            later = time.monotonic()
            self._household.change(write, reply, later)
            analyzer = self._household.children.get(ANALYZER)
            if analyzer is not None:
                analyzer.ask("succeeded", {"before": other, "now": device}, later, _nobody)

        self._guard("same", {"device": device, "other": other}, taken_over, now)

    def _test_channel(self, request: dict[str, Any], reply: Reply, now: float) -> None:
        analyzer = self._household.children.get(ANALYZER)
        if analyzer is None:
            reply({"error": "there is no analyzer"})
        else:
            analyzer.ask("test_channel", {"name": request["name"]}, now, reply, TEST_PATIENCE)

    def _guard(self, do: str, request: dict[str, Any], reply: Reply, now: float) -> None:
        """What is the guard's business alone."""
        if "device" in request:
            request["device"] = _mac(request["device"])
        if do == "pause" and not 0 <= request["seconds"] <= LONGEST_PAUSE:
            raise BadRequest(f"seconds: from 0 (end the pause) to {LONGEST_PAUSE}")
        guard = self._household.children.get(GUARD)
        if guard is None:
            reply({"error": "there is no guard"})
        else:
            guard.ask(do, request, now, reply)

    def _status(self, reply: Reply, now: float) -> None:
        facts = self._facts(now)
        guard = self._household.children.get(GUARD)

        def answered(answer: Answer) -> None:
            if "ok" in answer:
                facts["guard"] = {**answer["ok"], "running": True}
            else:
                facts["guard"] = {"running": False, "problem": answer["error"]}
            reply({"ok": facts})

        if guard is None:
            answered({"error": "there is no guard"})
        else:
            guard.ask("status", {}, now, answered, STATUS_PATIENCE)

    def _facts(self, now: float) -> dict[str, Any]:
        """The supervisor's own part of the status. Keys are part of `smartrouter status --json`."""
        household = self._household
        around = household.found.get("around", {})
        return {
            "version": smartrouter.__version__,
            "pid": os.getpid(),
            "uptime": now - self._started,
            "rss_kib": rss_kib(os.getpid()),
            "user": household.user.name,
            "enabled": household.enabled,
            "problem": household.problem,
            "config": {"path": household.config_path, "error": household.config_error},
            "lan": around.get("lan", []),
            "iot": around.get("iot", []),
            "missing": around.get("missing", []),
            "upstreams": around.get("upstreams", []),
            "parts": [
                {
                    "name": child.part.name,
                    "pid": child.pid,
                    "state": str(child.state),
                    "restarts": child.restarts,
                    "rss_kib": rss_kib(child.pid),
                    "problem": child.problem,
                }
                for child in household.wanted()
            ],
            "dropped": {do: relay.dropped for do, relay in household.relays.items() if relay.dropped},
            "not_kept": household.keeping.problem,
            "trial": household.trial.until,
            "web": household.web if WEB in (child.part.name for child in household.wanted()) else None,
            "queues": {str(number): queue._asdict() for number, queue in household.queues.items()},
        }


def _writer(do: str, request: dict[str, Any], peer: Peer) -> editing.Write:
    """What writes an edit of the configuration."""
    match do:
        case "set":
            return editing.setter(request, is_root=peer.uid == 0)
        case "add-section":
            return editing.adder(request)
        case "drop-section":
            return editing.dropper(request)
        case "try-mode":
            return editing.trier(request["mode"], request["seconds"], time.time())
        case "set-password":
            return editing.password_setter(request["hash"])
        case _:
            return editing.keep


def _checked(request: dict[str, Any]) -> str:
    """What the request wants; it is left with just its other keys, all of them sound in form."""
    do = request.pop("do", None)
    fields = _REQUESTS.get(do) if isinstance(do, str) else None
    if fields is None or not isinstance(do, str):
        raise BadRequest(f"do: {plain(repr(do), 40)} is unknown; there are {', '.join(_REQUESTS)}")
    for key in request:
        if key not in fields:
            known = ", ".join(fields) or "nothing else"
            raise BadRequest(f"{do}: {plain(repr(key), 40)} is unknown; it takes {known}")
    for key, field in fields.items():
        if key not in request:
            if field.required:
                raise BadRequest(f"{do}: {key} is missing")
            continue
        value = request[key]
        if not isinstance(value, field.kinds) or (isinstance(value, bool) and bool not in field.kinds):
            raise BadRequest(f"{do}: {key} has the wrong type")
        if isinstance(value, str) and not (len(value) <= _LONGEST_TEXT and value.isprintable()):
            raise BadRequest(f"{do}: {key} is no line of at most {_LONGEST_TEXT} characters")
    return do


def _nobody(_answer: Answer) -> None:
    """Nobody waits for this answer."""


def _mac(text: str) -> str:
    """A MAC in our form, from the usual ways to write one."""
    if not _MAC.fullmatch(text.lower()):
        raise BadRequest(f"device: {plain(repr(text), 60)} is no MAC such as 3c:2e:ff:29:4d:93")
    digits = re.sub("[:-]", "", text.lower())
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def _decided_by(claimed: str | None, peer: Peer, service_uid: int) -> str:
    """Whom to note as having decided. Only the web interface may name its own users, only root anybody
    else's; of others the kernel's word counts."""
    if claimed and not _BY.fullmatch(claimed):
        raise BadRequest(f"by: {plain(repr(claimed), 60)} is not like cli:root or web:admin")
    if claimed and claimed.startswith(_WEB) and peer.uid != service_uid:
        raise BadRequest(f"by: only the web interface speaks for {_WEB} users")
    if claimed and (peer.uid == 0 or claimed.startswith(_WEB)):
        return claimed
    if peer.uid == 0:
        return "cli:root"  # without a look-up, which takes memory for good
    try:
        return f"cli:{pwd.getpwuid(peer.uid).pw_name}"
    except KeyError:
        return f"cli:{peer.uid}"
