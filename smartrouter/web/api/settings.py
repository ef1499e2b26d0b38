# SPDX-License-Identifier: GPL-2.0-or-later
"""The settings in the API: the options of `config smartrouter` as the configuration writes them, by the one
table (`config.sections`).

A value is a text, or a list of texts; '' or an empty list stands for the default. What would cut the API
itself off, and what names files that root writes, is not changed here.
"""

import re
from collections.abc import Mapping
from typing import Any

from smartrouter.config import options as kinds
from smartrouter.config.options import Option, options_of, texts_of
from smartrouter.config.sections import MainConfig
from smartrouter.web.acting import order
from smartrouter.web.api.forms import IPV4, IPV6, answer, described, listed, request, text, word
from smartrouter.web.api.operation import Call
from smartrouter.web.api.problems import Problem
from smartrouter.web.api.schema import Fault, Schema

SECTION = "smartrouter"
# Where the API is reached hangs on these; `mode` has an operation of its own, and a trial.
ELSEWHERE = frozenset(("enabled", "network", "device", "iot_network", "mode", "mode_until", "mode_after"))
_MOST_VALUES = 64
_TIME = "([0-9]{1,3}d)?([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,7}s)?"
# The forms of those kinds that are no choice of words. They let through whatever the table takes, but for
# other ways to write the same.
_PATTERNS: Mapping[str, str] = {
    kinds.DURATION.allowed: _TIME,
    kinds.INTERVAL.allowed: _TIME,
    kinds.LEARNING.allowed: f"(auto|{_TIME})",
    kinds.SIZE.allowed: "([1-9][0-9]{0,8}[KMG])?",
    kinds.MARK.allowed: "(0x[1248]0{0,7})?",
    kinds.WORKERS.allowed: "(auto|[1-9]|1[0-6])?",
    kinds.BOOLEAN.allowed: "[01]?",
    kinds.ADDRESS.allowed: f"({IPV4}|{IPV6})",
}


def settings(call: Call) -> dict[str, Any]:
    """All of them, as they are now."""
    texts = texts_of(call.site.config.main, secrets=False)
    return {
        option.name: texts.get(option.name, [] if option.many else "") for option in options_of(MainConfig)
    }


async def change(call: Call) -> dict[str, Any]:
    """Set some of them, all or none."""
    wrong = [Fault(f"/{name}", text) for name, value in call.body.items() if (text := _wrong(name, value))]
    if wrong:
        detail = "; ".join(f"{fault.pointer[1:]}: {fault.text}" for fault in wrong)
        raise Problem(409, detail, errors=[("body", fault) for fault in wrong])
    await order(call.request, {"do": "set", "section": SECTION, "options": call.body})
    return settings(call)


def is_changed_here(option: Option) -> bool:
    """Is it one of those that a program may set?"""
    return option.name not in ELSEWHERE and option.kind is not kinds.PATH


def _wrong(name: str, value: str | list[str]) -> str:
    """Why the table refuses what its schema let through; '' if it does not."""
    option = next(option for option in options_of(MainConfig) if option.name == name)
    for each in [value] if isinstance(value, str) else value:
        try:
            if each:
                option.read(each)
        except ValueError:
            return f"found '{each}'; allowed is {option.kind.allowed}"
    return ""


def _value(option: Option) -> Schema:
    pattern = _PATTERNS.get(option.kind.allowed)
    if pattern is not None:
        return {"type": "string", "pattern": f"^{pattern}$"}
    found = re.findall("`([^`]*)`", option.kind.allowed)  # the words of a choice
    if found and option.kind.allowed == kinds.words(*found).allowed:
        return word(*found, *([] if option.many else [""]))
    return text(longest=kinds.MAX_VALUE)  # of which the table says whether it will do


def _schema(option: Option) -> Schema:
    value = _value(option)
    doc = f"{option.doc} Allowed is {option.kind.allowed}."
    return described(listed(value, most=_MOST_VALUES) if option.many else value, doc)


SETTINGS = answer(
    {option.name: listed(text()) if option.many else text(option.doc) for option in options_of(MainConfig)},
    "Settings",
)
CHANGE = request(
    {option.name: _schema(option) for option in options_of(MainConfig) if is_changed_here(option)},
    least=1,
)
