# SPDX-License-Identifier: GPL-2.0-or-later
"""The one table of what the API can do. Requests are checked by it, and routes, the OpenAPI document and
docs/api.md are made of it: so they cannot say different things.
"""

from smartrouter.core.effects import Severity
from smartrouter.listings.alerts import EXPLAINED as _EXPLAINED_KEYS
from smartrouter.web.api import deciding, events, reading, settings, shapes
from smartrouter.web.api.forms import (
    ACTION,
    ALERT_STATE,
    BOOLEAN,
    COUNT,
    DESTINATION,
    KIND,
    LARGEST,
    LATEST,
    MAC,
    MAC_OR_ANY,
    MODE,
    NUMBER,
    SERVICE,
    SEVERITY,
    STATE,
    TEXT,
    WATCH,
    answer,
    described,
    listed,
    maybe,
    request,
    text,
    whole,
    word,
)
from smartrouter.web.api.operation import Operation, Parameter
from smartrouter.web.api.schema import Schema
from smartrouter.web.tokens import Scope

_DAY = 86400
LONGEST_TIME = 3660 * _DAY  # seconds, as the configuration's times
LONGEST_MUTE = 366 * _DAY
LONGEST_PAUSE = 7 * _DAY
LONGEST_TRIAL = 3600
_READ, _DECIDE, _CONFIGURE = Scope.READ, Scope.DECIDE, Scope.CONFIGURE

_LIMIT = Parameter("limit", whole(1, 200), f"how many at most; {reading.PAGE} without")
_CURSOR = Parameter("cursor", whole(1, LARGEST), "`next` of the page before")
_OF_DEVICE = Parameter("device", MAC, "only of this device")


def _page(items: Schema, cursor: Schema) -> Schema:
    after = described(maybe(cursor), "what to give as `cursor` for the next page; null: there is none")
    return answer({"items": listed(items), "next": after})


def _whole_list(items: Schema) -> Schema:
    return answer({"items": listed(items), "next": described({"type": "null"}, "always null: these are all")})


_APPLIED_RULE = answer({**shapes.RULE["properties"], **shapes.APPLIED["properties"]}, "MadeRule")
_RULE_PARTS = {key: shapes.RULE["properties"][key] for key in
               ("id", "device", "destination", "service", "action", "until", "once")}  # fmt: skip
_EVENT = answer(
    {
        "event": word("alert", "device", "status", "reset"),
        "data": described(TEXT, "JSON; alerts and devices are as the lists give them"),
    },
    "Event",
)
_DECIDED = answer({**shapes.APPLIED["properties"], "rule": answer(_RULE_PARTS)}, "Decided")
_DECISION = request(
    {
        "seconds": whole(1, LONGEST_TIME, "for how long; without: for good"),
        "once": described(
            BOOLEAN,
            f"allow: the next connection only, if it comes within {deciding.ONCE} s; deny: for so long",
        ),
        "exact": described(BOOLEAN, "the exact name alone; without: its whole group"),
        "all_devices": described(BOOLEAN, "for every device, not just this one"),
    }
)
_MODE_NOW = answer(
    {
        "mode": MODE,
        "until": maybe(NUMBER, "epoch seconds until which it is on trial, or null"),
        "after": maybe(TEXT, "the mode after the trial, or null"),
        **shapes.APPLIED["properties"],
    },
    "Mode",
)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "getStatus", "GET", "/status", "status", _READ, reading.status_of_all, shapes.STATUS,
        "Is it working, what is it doing, what needs you?",
    ),
    Operation(
        "listDevices", "GET", "/devices", "devices", _READ, reading.devices, _page(shapes.LISTED, TEXT),
        "The devices of the network, by MAC.", "How much each sends is told of one alone: it takes long.",
        query=(
            Parameter("state", STATE, "only those in this state of learning"),
            Parameter("watched", BOOLEAN, "only those that are watched, or (false) are not"),
            Parameter("present", BOOLEAN, "only those that are there now, or (false) are not"),
            _LIMIT,
            Parameter("cursor", MAC, "`next` of the page before"),
        ),
    ),
    Operation(
        "getDevice", "GET", "/devices/{mac}", "devices", _READ, reading.device, shapes.DETAILS,
        "One device: what it needs, and what it did lately.", problems=(404,),
    ),
    Operation(
        "changeDevice", "PATCH", "/devices/{mac}", "devices", _CONFIGURE, deciding.change_device,
        shapes.DETAILS, "What you say of a device. What is refused leaves what stands before it done.",
        body=request(
            {
                "name": described(text(longest=200), "what you call it, in a line; empty: nothing"),
                "mode": described(MODE, "its own mode"),
                "watch": WATCH,
                "mute": whole(0, LONGEST_MUTE, "seconds for which nothing of it is sent; 0 ends that"),
            },
            least=1,
        ),
        problems=(404, 409),
    ),
    Operation(
        "learn", "POST", "/devices/{mac}/learn", "devices", _CONFIGURE, deciding.learn,
        answer({"state": TEXT}), "Have a device learn (again), or end its learning.",
        "What it has learned before is kept.",
        body=request({"finish": described(BOOLEAN, "it has learned enough: protect it from now on")}),
        problems=(404, 409),
    ),
    Operation(
        "forget", "POST", "/devices/{mac}/forget", "devices", _DECIDE, deciding.forget,
        answer({"forgotten": described(COUNT, "how many destinations")}),
        "Take back what a device has learned. Rules stay as they are.",
        body=request(
            {"destination": described(text(longest=253), "as the device shows it; `*`: everything"),
             "service": SERVICE},
            "destination",
        ),
        problems=(404, 409),
    ),
    Operation(
        "same", "POST", "/devices/{mac}/same", "devices", _CONFIGURE, deciding.same, shapes.APPLIED,
        "Say that a device is one that had another MAC before.",
        "It takes over that one's name, settings, rules and all that was learned.",
        body=request({"other": described(MAC, "the MAC that it had")}, "other"), problems=(404, 409),
    ),
    Operation(
        "listAlerts", "GET", "/alerts", "alerts", _READ, reading.alerts,
        _page(shapes.ALERT, COUNT), "What was reported, the newest first.",
        query=(
            Parameter("state", listed(ALERT_STATE, most=5), "only in one of these; `open`: it waits for you"),
            Parameter("kind", listed(KIND, most=40), "only of one of these"),
            Parameter("severity", listed(SEVERITY, most=len(Severity)), "only of one of these"),
            _OF_DEVICE, _LIMIT, _CURSOR,
        ),
    ),
    Operation(
        "getAlert", "GET", "/alerts/{alert}", "alerts", _READ, reading.one_alert, shapes.EXPLAINED,
        f"One alert, with what is said of it: {', '.join(f'`{key}`' for key in _EXPLAINED_KEYS)}.",
        problems=(404,),
    ),
    Operation(
        "allowAlert", "POST", "/alerts/{alert}/allow", "alerts", _DECIDE, deciding.allow, _DECIDED,
        "Allow what an alert is about.", body=_DECISION, problems=(404, 409),
    ),
    Operation(
        "denyAlert", "POST", "/alerts/{alert}/deny", "alerts", _DECIDE, deciding.deny, _DECIDED,
        "Deny what an alert is about; it is blocked in every mode.", body=_DECISION, problems=(404, 409),
    ),
    Operation(
        "dismissAlert", "POST", "/alerts/{alert}/dismiss", "alerts", _DECIDE, deciding.dismiss, shapes.ALERT,
        "You have seen it: report it no more.", problems=(404, 409),
    ),
    Operation(
        "undoAlert", "POST", "/alerts/{alert}/undo", "alerts", _DECIDE, deciding.undo, shapes.ALERT,
        "Take back what was decided about an alert.",
        "The rule that decided about it goes; within seconds it is open again.", problems=(404, 409),
    ),
    Operation(
        "listAttempts", "GET", "/attempts", "attempts", _READ, reading.attempts, _page(shapes.ATTEMPT, COUNT),
        "Connection attempts, the newest first.",
        "A page looks at a bounded number of attempts: it may have few items, or none, and yet a `next`.",
        query=(
            _OF_DEVICE,
            Parameter("verdict", word("accepted", "blocked"), "only those that passed, or did not"),
            Parameter("destination", text(longest=253), "only those whose name or address has this in it"),
            Parameter("service", SERVICE, "only of this service"),
            Parameter("reason", text(longest=40), "only those with this reason"),
            Parameter("since", whole(0, LATEST), "epoch seconds: only from then on"),
            Parameter("until", whole(0, LATEST), "epoch seconds: only before"),
            _LIMIT, _CURSOR,
        ),
    ),
    Operation(
        "listRules", "GET", "/rules", "rules", _READ, deciding.rules, _whole_list(shapes.RULE),
        "Your rules.", query=(Parameter("device", MAC_OR_ANY, "only about this device; `*`: about all"),),
    ),
    Operation(
        "addRule", "POST", "/rules", "rules", _DECIDE, deciding.add_rule, _APPLIED_RULE,
        "Make a rule; it replaces what was said about the same device, destination and service.",
        body=request(
            {
                "action": ACTION, "device": MAC_OR_ANY, "destination": DESTINATION, "service": SERVICE,
                "until": maybe(whole(0, LATEST), "epoch seconds; null or nothing: for good"),
            },
            "action", "device", "destination",
        ),
        status=201, problems=(409,),
    ),
    Operation(
        "getRule", "GET", "/rules/{rule}", "rules", _READ, deciding.rule, shapes.RULE, "One rule.",
        problems=(404,),
    ),
    Operation(
        "removeRule", "DELETE", "/rules/{rule}", "rules", _DECIDE, deciding.remove_rule, {},
        "Take a rule back.", status=204, problems=(404, 409),
    ),
    Operation(
        "getMode", "GET", "/mode", "mode", _READ, deciding.mode_now, _MODE_NOW,
        "The mode of devices without one of their own.",
    ),
    Operation(
        "setMode", "POST", "/mode", "mode", _CONFIGURE, deciding.mode, _MODE_NOW,
        "Choose what happens to what is not known, for good or on trial.",
        "A trial ends by itself: unless somebody keeps the mode, it is then what it was before.",
        body=request({"mode": MODE, "try": whole(1, LONGEST_TRIAL, "seconds of a trial")}, "mode"),
        problems=(409,),
    ),
    Operation(
        "keepMode", "POST", "/mode/keep", "mode", _CONFIGURE, deciding.keep_mode, _MODE_NOW,
        "The mode that is on trial stays.", problems=(409,),
    ),
    Operation(
        "getConsequences", "GET", "/mode/consequences", "mode", _READ, reading.what_enforce_meets,
        shapes.CONSEQUENCES, "What enforce mode will meet: look before you switch it on.",
        query=(Parameter("device", MAC, "for this device alone"),), problems=(404,),
    ),
    Operation(
        "pause", "POST", "/pause", "mode", _CONFIGURE, deciding.pause,
        answer({"seconds": described(NUMBER, "how long the pause lasts now")}),
        "Suspend blocking for a time; what a rule denies stays blocked.",
        body=request({"seconds": whole(0, LONGEST_PAUSE, "how long; 0 ends the pause")}, "seconds"),
        problems=(409,),
    ),
    Operation(
        "getSettings", "GET", "/settings", "settings", _READ, settings.settings, settings.SETTINGS,
        "The options of `config smartrouter`, as texts; docs/uci.md explains them.",
    ),
    Operation(
        "changeSettings", "PATCH", "/settings", "settings", _CONFIGURE, settings.change, settings.SETTINGS,
        "Set some options, all or none; an empty text or list is the default.",
        "On which networks it looks, where files are, and whether it runs at all is changed on the settings "
        "page or on the router: a program would cut itself off.",
        body=settings.CHANGE, problems=(409,),
    ),
    Operation(
        "listChannels", "GET", "/channels", "channels", _READ, reading.channels, _whole_list(shapes.CHANNEL),
        "Where alerts are sent, and how each channel does.",
    ),
    Operation(
        "testChannel", "POST", "/channels/{channel}/test", "channels", _CONFIGURE, deciding.test_channel,
        answer({"name": TEXT, "ok": described(BOOLEAN, "whether it took the sample"),
                "error": described(TEXT, "why it did not; empty if it did")}),
        "Send a sample through a channel.", problems=(404, 409),
    ),
    Operation(
        "getDigest", "GET", "/digest", "digest", _READ, reading.digest, _whole_list(shapes.DIGEST),
        "What each device did yesterday, or last week, in a sentence.",
        query=(Parameter("of", word("day", "week"), "`day` without"), _OF_DEVICE), problems=(409,),
    ),
    Operation(
        "getEvents", "GET", "/events", "events", _READ, events.events, _EVENT,
        "Server-sent events: `alert`, `device`, `status`, `reset`.",
        "With the header `Last-Event-ID` it "
        "begins with the alerts that were raised or changed since; `reset` says that you should read "
        "everything anew. It goes on until you leave.",
        problems=(429,), streams=True,
    ),
)  # fmt: skip
