# SPDX-License-Identifier: GPL-2.0-or-later
"""A section of the configuration as a form: one field for each option of the table, what was sent checked by
the very reader of the configuration, and each fault beside the field that it is about. Pure.

A secret goes in and never out: its field is empty, and left empty it stays as it is.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from smartrouter.config import Config
from smartrouter.config import options as kinds
from smartrouter.config.options import Kind, Option, options_of
from smartrouter.config.sections import SECTIONS
from smartrouter.core.errors import BadConfig

REMOVE = "remove."  # and an option's name: the box that takes a secret away
# These have a way of their own: buttons, pages.
ELSEWHERE: Mapping[str, frozenset[str]] = {
    "smartrouter": frozenset({"mode", "mode_until", "mode_after"}),
    "web": frozenset({"password_hash", "token"}),
}
_NAMES = {"dns": "DNS", "iot": "IoT", "mac": "MAC", "tls": "TLS", "url": "URL"}
_FAULT = re.compile(r"share: (\w+) (\d+): (?:option (\w+): )?(.*)")

Texts = Mapping[str, str | Sequence[str]]


class Field(NamedTuple):
    """One option on a form. `title`: its name in words. `value`: what the form shows, one line for each of
    many; `choices`: what may be chosen, () for a text; `error`: why what was sent is refused, '' if it is
    not."""

    name: str
    title: str
    doc: str
    allowed: str
    value: str
    default: str
    choices: tuple[str, ...]
    many: bool
    secret: bool
    required: bool
    fixed: bool
    error: str


class Sent(NamedTuple):
    """What a form asks for. `changes`: as the order `set` takes them; `faults`: by option, '' for what is
    about none; `before`: what the changed options were, but for secrets."""

    changes: dict[str, str | list[str]]
    faults: dict[str, str]
    before: dict[str, str]


def fields(kind: str, texts: Texts, sent: Mapping[str, str], faults: Mapping[str, str]) -> list[Field]:
    """The fields of a section that is `texts` now; `sent`: what its form said last, {} before that."""
    elsewhere = ELSEWHERE.get(kind, frozenset())
    return [
        _field(option, texts, sent, faults)
        for option in options_of(SECTIONS[kind])
        if option.name not in elsewhere
    ]


def read(share: Mapping[str, Any], kind: str, place: int | None, form: Mapping[str, str]) -> Sent:
    """What `form` changes of the section at `place` (None: a new one); only fields that it has count.
    `share`: the configuration, as parts get it."""
    sections = share.get(kind, ())
    texts: Texts = sections[place] if place is not None and place < len(sections) else {}
    changes: dict[str, str | list[str]] = {}
    before: dict[str, str] = {}
    for option in options_of(SECTIONS[kind]):
        if option.name in ELSEWHERE.get(kind, ()) or _is_roots(option):
            continue
        if option.secret:
            if form.get(REMOVE + option.name):
                changes[option.name] = ""
            elif form.get(option.name):
                changes[option.name] = form[option.name].strip()
        elif option.name in form:
            wanted, now = _wanted(option, form[option.name]), _now(option, texts)
            if wanted != now:
                changes[option.name] = _short(option, wanted)
                before[option.name] = now if isinstance(now, str) else " ".join(now)
    return Sent(changes, _faults(share, kind, place, changes), before)


def choices(kind: Kind[Any]) -> tuple[str, ...]:
    """What may be chosen, where there is a choice of words; () elsewhere."""
    if kind is kinds.BOOLEAN:
        return ("1", "0")
    found = tuple(re.findall("`([^`]*)`", kind.allowed))
    return found if len(found) > 1 and kinds.words(*found).allowed == kind.allowed else ()


def _is_roots(option: Option) -> bool:
    """Does root write or read there, so that only root says where (see supervisor/editing)?"""
    return option.kind is kinds.PATH


def _field(option: Option, texts: Texts, sent: Mapping[str, str], faults: Mapping[str, str]) -> Field:
    now = _now(option, texts)
    shown = "\n".join(now) if not isinstance(now, str) else now
    offered = choices(option.kind)
    if option.secret:
        shown = ""
    elif option.name in sent:
        shown = sent[option.name]
    elif not offered and shown == option.default:
        shown = ""
    return Field(
        name=option.name,
        title=_title(option.name),
        doc=option.doc,
        allowed=option.kind.allowed,
        value=shown,
        default=option.default,
        choices=offered if option.required or option.default else ("", *offered) if offered else (),
        many=option.many,
        secret=option.secret,
        required=option.required,
        fixed=_is_roots(option),
        error=faults.get(option.name, ""),
    )


def _title(name: str) -> str:
    words = [_NAMES.get(word, word) for word in name.split("_")]
    return " ".join([words[0][0].upper() + words[0][1:], *words[1:]])


def _now(option: Option, texts: Texts) -> str | list[str]:
    value = texts.get(option.name, [] if option.many else option.default)
    return value if isinstance(value, str) else list(value)


def _wanted(option: Option, given: str) -> str | list[str]:
    if option.many:
        return given.split()
    return given.strip() or option.default


def _short(option: Option, wanted: str | list[str]) -> str | list[str]:
    """The default is written by writing nothing."""
    return "" if wanted == option.default and not option.required else wanted


def _faults(
    share: Mapping[str, Any], kind: str, place: int | None, changes: Mapping[str, str | list[str]]
) -> dict[str, str]:
    """What the configuration's reader has to say of the configuration with these `changes`."""
    sections = [dict(section) for section in share.get(kind, ())]
    if place is None or place >= len(sections):
        place = len(sections)
        sections.append({})
    sections[place] = {name: value for name, value in (sections[place] | dict(changes)).items() if value}
    try:
        Config.from_share({**share, kind: sections})
    except BadConfig as error:
        return _by_option(str(error), kind, place + 1)
    return {}


def _by_option(text: str, kind: str, number: int) -> dict[str, str]:
    faults: dict[str, str] = {}
    for line in text.splitlines():
        found = _FAULT.fullmatch(line)
        is_ours = found is not None and (found[1], found[2]) == (kind, str(number))
        name, what = (found[3] or "", found[4]) if found and is_ours else ("", line)
        faults[name] = f"{faults[name]} {what}" if name in faults else what
    return faults
