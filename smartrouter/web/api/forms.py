# SPDX-License-Identifier: GPL-2.0-or-later
"""The forms that values have in the API, as schemas. Patterns are such that Python's `re` and ECMA 262 agree
on them: no classes but of ASCII characters, anchors at both ends.
"""

from collections.abc import Mapping
from typing import Any

from smartrouter.core.effects import Evidence, Kind, Severity
from smartrouter.core.learning import State
from smartrouter.core.policy import Action, Mode, Watching
from smartrouter.store.alerts import AlertState
from smartrouter.web.api.schema import Schema

_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4 = rf"({_OCTET}\.){{3}}{_OCTET}"
_GROUP = "[0-9A-Fa-f]{1,4}"
IPV6 = "(" + "|".join(
    [
        f"({_GROUP}:){{7}}{_GROUP}",
        *(f"({_GROUP}:){{1,{before}}}(:{_GROUP}){{1,{7 - before}}}" for before in range(1, 7)),
        f"{_GROUP}(:{_GROUP}){{0,6}}::",
        f"::({_GROUP}(:{_GROUP}){{0,6}})?",
    ]
) + ")"  # fmt: skip
_LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = rf"(\*\.)?({_LABEL}\.)*[A-Za-z]([A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?"
_PORT = "(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
_PORTLESS = "icmp|igmp|ipip|6in4|gre|esp|ah"

LATEST = 4_102_444_800  # 2100-01-01, in epoch seconds
LARGEST = 2**53 - 1  # that JavaScript can count to


def text(description: str = "", *, longest: int | None = None) -> Schema:
    """A string."""
    found: dict[str, Any] = {"type": "string"}
    if longest is not None:
        found["maxLength"] = longest
    return described(found, description)


def word(*words: str, description: str = "") -> Schema:
    """One of these strings."""
    return described({"type": "string", "enum": list(words)}, description)


def whole(least: int, most: int, description: str = "") -> Schema:
    """An integer."""
    return described({"type": "integer", "minimum": least, "maximum": most}, description)


def listed(items: Schema, description: str = "", *, most: int | None = None) -> Schema:
    """A list."""
    found: dict[str, Any] = {"type": "array", "items": items}
    if most is not None:
        found["maxItems"] = most
    return described(found, description)


def maybe(schema: Schema, description: str = "") -> Schema:
    """The same or null."""
    types = schema["type"]
    found = {**schema, "type": [*([types] if isinstance(types, str) else types), "null"]}
    if "enum" in found:
        found["enum"] = [*found["enum"], None]
    return described(found, description)


def answer(properties: Mapping[str, Schema], title: str = "", description: str = "") -> Schema:
    """What we give: all of these members; later versions may give more."""
    found: dict[str, Any] = {"type": "object", "properties": dict(properties), "required": list(properties)}
    return described({"title": title, **found} if title else found, description)


def request(properties: Mapping[str, Schema], *required: str, least: int = 0) -> Schema:
    """What we are given: these members and no others, `least` of them."""
    found: dict[str, Any] = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    if required:
        found["required"] = list(required)
    if least:
        found["minProperties"] = least
    return found


def described(schema: Schema, description: str) -> Schema:
    """The same with a description, if there is one."""
    return {**schema, "description": description} if description else schema


TEXT = text()
BOOLEAN: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
WHEN = described(NUMBER, "epoch seconds")
MAYBE_WHEN = maybe(NUMBER, "epoch seconds, or null")

MAC: Schema = {
    "type": "string",
    "pattern": "^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$",
    "description": "a device's MAC address such as `3c:2e:ff:29:4d:93`",
}
MAC_OR_ANY: Schema = {
    "type": "string",
    "pattern": r"^([0-9a-f][02468ace](:[0-9a-f]{2}){5}|\*)$",
    "description": "a device's MAC address such as `3c:2e:ff:29:4d:93`, or `*` for every device",
}
DESTINATION: Schema = {
    "type": "string",
    "maxLength": 253,
    "pattern": rf"^(\*|{_NAME}|{IPV4}(/([0-9]|[12][0-9]|3[0-2]))?"
    rf"|{IPV6}(/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))?)$",
    "description": "a name such as `netflix.com`, all names below one as in `*.netflix.com`, an address, a "
    "prefix such as `203.0.113.0/24`, or `*` for every destination",
}
SERVICE: Schema = {
    "type": "string",
    "pattern": rf"^(web|{_PORTLESS}|tcp/(?!(80|443)$){_PORT}|udp/(?!443$){_PORT}"
    rf"|(dccp|sctp|udplite)/{_PORT})?$",
    "description": "`web` (that is tcp/80, tcp/443 and udp/443), another port such as `tcp/8883` or "
    "`udp/123`, or a protocol without ports such as `icmp`; empty: any service",
}
MODE = word(*Mode, description="`monitor` reports what is not known, `enforce` blocks and reports it")
WATCH = word(*Watching, description="`auto` goes by what kind of device it seems to be")
ACTION = word(*Action)
STATE = word(*State)
ALERT_STATE = word(*AlertState)
KIND = word(*Kind)
SEVERITY = word(*Severity)
EVIDENCE = word(*Evidence)

# What parameters in paths may be, by name.
PATH: Mapping[str, Schema] = {
    "mac": MAC,
    "alert": whole(1, LARGEST, "the number of an alert"),
    "rule": {"type": "string", "pattern": "^[0-9a-f]{16}$", "description": "the `id` of a rule"},
    "channel": {
        "type": "string",
        "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$",
        "description": "the name of a channel",
    },
}
