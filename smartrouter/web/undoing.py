# SPDX-License-Identifier: GPL-2.0-or-later
"""Taking a decision back. A rule replaces an earlier one about the same; whoever takes it back at once has
the earlier one again, not none.

What *Undo* is to do stands in its form, as texts: which rule is there now (`device`, `destination`,
`service`), and which was there before (the same with `was_`, and what it said). Pure.
"""

from collections.abc import Mapping
from typing import Any

from smartrouter.config import Config, RuleConfig, checked
from smartrouter.config.options import TIME, time_text
from smartrouter.core.errors import BadConfig

PATH = "/decisions/undo"
KEY = ("device", "destination", "service")
_WAS = "was_"

Undo = tuple[str, dict[str, str]]


def rule_about(config: Config, key: Mapping[str, Any]) -> RuleConfig | None:
    """The rule about just this device, destination and service, which another one about it would replace."""
    wanted = _as_kept(key)
    return next((rule for rule in config.rules if key_of(vars(rule)) == wanted), None)


def undo_of(made: Mapping[str, Any] | None, before: RuleConfig | None, now: float, to: str) -> Undo:
    """What takes the rule `made` (None: one that was taken away) back, and has the one `before` again, if it
    still counts at `now` (epoch seconds). `to`: the page to go to then."""
    fields = {**(_as_kept(made) if made else {}), "to": to}
    if before is not None and (before.until is None or before.until > now):
        was = {
            **key_of(vars(before)),
            "action": str(before.action),
            "until": "" if before.until is None else time_text(before.until),
            "once": "1" if before.once else "",
        }
        fields |= {_WAS + name: text for name, text in was.items()}
    return PATH, fields


def orders(form: Mapping[str, str]) -> list[dict[str, Any]]:
    """What a form of `undo_of` asks for: first what was there is there again, then what was made goes."""
    made, was = key_of(form), key_of({name: form.get(_WAS + name, "") for name in KEY})
    wanted: list[dict[str, Any]] = []
    action = form.get(f"{_WAS}action", "")
    if action in ("allow", "deny"):
        once = {"once": True} if form.get(f"{_WAS}once") else {}
        wanted.append({"do": action, **was, "until": _moment(form.get(f"{_WAS}until", "")), **once})
    if made["destination"] and not (wanted and made == was):
        wanted.append({"do": "remove-rule", **made})
    return wanted


def said(wanted: list[dict[str, Any]]) -> str:
    """What to say when that was done."""
    if not wanted:
        return "There is nothing to take back."
    first = wanted[0]
    if first["do"] == "remove-rule":
        return f"Taken back: nothing is said about {first['destination']} any more."
    how = "allowed" if first["do"] == "allow" else "blocked"
    return f"Taken back: {first['destination']} is {how} again, as it was before."


def key_of(rule: Mapping[str, Any]) -> dict[str, str]:
    """What tells a rule from others, as texts."""
    return {name: str(rule.get(name) or "") for name in KEY}


def _as_kept(key: Mapping[str, Any]) -> dict[str, str]:
    """What tells a rule from others as the configuration writes it, however somebody typed it."""
    texts = {name: text for name, text in key_of(key).items() if text}
    try:
        return key_of(vars(checked(RuleConfig, texts | {"action": "allow"}, "rule")))
    except BadConfig:
        return key_of(key)


def _moment(text: str) -> float | None:
    """An end as the configuration writes it, from a form of ours."""
    try:
        return TIME.read(text) if text else None
    except ValueError:
        return None
