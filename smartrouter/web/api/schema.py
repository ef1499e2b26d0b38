# SPDX-License-Identifier: GPL-2.0-or-later
"""Values against JSON Schemas: what the API's document says of a request is what a request is held against.

A small part of JSON Schema 2020-12 (https://json-schema.org/draft/2020-12/json-schema-validation): the
keywords of `KEYWORDS`. Values are as `json.loads` gives them. Knows neither requests nor the API.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeAlias

Schema: TypeAlias = Mapping[str, Any]

_SHOWN = 60  # characters of a value in a text
MAX_FAULTS = 20  # that are told


class Fault(NamedTuple):
    """What is wrong with a value, and where: a JSON pointer (RFC 6901), '' for the whole."""

    pointer: str
    text: str


def faults(schema: Schema, value: Any) -> list[Fault]:
    """What is wrong with `value`, the first of it at least; [] if nothing is."""
    found = []
    for fault in _faults(schema, value, ""):
        found.append(fault)
        if len(found) >= MAX_FAULTS:
            break
    return found


def keywords(schema: Schema) -> Iterator[str]:
    """Every keyword in `schema`, and in the schemas in it."""
    for keyword, said in schema.items():
        yield keyword
        if keyword == "properties":
            for inner in said.values():
                yield from keywords(inner)
        elif keyword == "items" or (keyword == "additionalProperties" and isinstance(said, Mapping)):
            yield from keywords(said)
        elif keyword == "anyOf":
            for inner in said:
                yield from keywords(inner)


def _faults(schema: Schema, value: Any, at: str) -> Iterator[Fault]:
    types = schema.get("type")
    if types is not None:
        wanted = (types,) if isinstance(types, str) else types
        if not any(_TYPES[each](value) for each in wanted):
            yield Fault(at, f"found {_shown(value)}; allowed is {_either(wanted)}")
            return
    for keyword, said in schema.items():
        check = KEYWORDS[keyword]
        if check is not None:
            yield from check(schema, said, value, at)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and (isinstance(value, int) or value.is_integer())


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_whole,
    "number": _is_number,
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _enum(_: Schema, said: Sequence[Any], value: Any, at: str) -> Iterator[Fault]:
    if not any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in said):
        yield Fault(at, f"found {_shown(value)}; allowed is {_either(map(str, said))}")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern)


def _pattern(schema: Schema, said: str, value: Any, at: str) -> Iterator[Fault]:
    if isinstance(value, str) and not _compiled(said).search(value):
        yield Fault(at, f"found {_shown(value)}; allowed is {schema.get('description') or 'another form'}")


def _length(limit: str, value: int, at: str, found: int, what: str) -> Iterator[Fault]:
    is_wrong = found < value if limit == "least" else found > value
    if is_wrong:
        yield Fault(at, f"found {found} {what}; allowed are {value} at {limit}")


def _min_length(_: Schema, said: int, value: Any, at: str) -> Iterator[Fault]:
    if isinstance(value, str):
        yield from _length("least", said, at, len(value), "characters")


def _max_length(_: Schema, said: int, value: Any, at: str) -> Iterator[Fault]:
    if isinstance(value, str):
        yield from _length("most", said, at, len(value), "characters")


def _minimum(_: Schema, said: float, value: Any, at: str) -> Iterator[Fault]:
    if _is_number(value) and not value >= said:
        yield Fault(at, f"found {_shown(value)}; allowed is {said} at least")


def _maximum(_: Schema, said: float, value: Any, at: str) -> Iterator[Fault]:
    if _is_number(value) and not value <= said:
        yield Fault(at, f"found {_shown(value)}; allowed is {said} at most")


def _min_items(_: Schema, said: int, value: Any, at: str) -> Iterator[Fault]:
    if isinstance(value, list):
        yield from _length("least", said, at, len(value), "values")


def _max_items(_: Schema, said: int, value: Any, at: str) -> Iterator[Fault]:
    if isinstance(value, list):
        yield from _length("most", said, at, len(value), "values")


def _unique_items(_: Schema, said: bool, value: Any, at: str) -> Iterator[Fault]:
    if said and isinstance(value, list) and any(each in value[:place] for place, each in enumerate(value)):
        yield Fault(at, "found a value twice; allowed is each once")


def _items(_: Schema, said: Schema, value: Any, at: str) -> Iterator[Fault]:
    if isinstance(value, list):
        for place, each in enumerate(value):
            yield from _faults(said, each, f"{at}/{place}")


def _required(_: Schema, said: Sequence[str], value: Any, at: str) -> Iterator[Fault]:
    if isinstance(value, dict):
        for name in said:
            if name not in value:
                yield Fault(f"{at}/{name}", "it is missing")


def _properties(_: Schema, said: Mapping[str, Schema], value: Any, at: str) -> Iterator[Fault]:
    if isinstance(value, dict):
        for name, inner in said.items():
            if name in value:
                yield from _faults(inner, value[name], f"{at}/{name}")


def _additional(schema: Schema, said: bool | Schema, value: Any, at: str) -> Iterator[Fault]:
    if not isinstance(value, dict) or said is True:
        return
    known = schema.get("properties", {})
    for name in value:
        if name not in known and said is False:
            allowed = ", ".join(known) or "nothing else"
            yield Fault(f"{at}/{_escaped(name)}", f"it is unknown; there is {allowed}")
        elif name not in known and isinstance(said, Mapping):
            yield from _faults(said, value[name], f"{at}/{_escaped(name)}")


def _min_properties(_: Schema, said: int, value: Any, at: str) -> Iterator[Fault]:
    if isinstance(value, dict):
        yield from _length("least", said, at, len(value), "members")


def _any_of(schema: Schema, said: Sequence[Schema], value: Any, at: str) -> Iterator[Fault]:
    if all(faults(each, value) for each in said):
        allowed = schema.get("description") or "another form"
        yield Fault(at, f"found {_shown(value)}; allowed is {allowed}")


_Check: TypeAlias = Callable[[Schema, Any, Any, str], Iterator[Fault]]
# What schemas may say; None says nothing about a value, or is looked at before.
KEYWORDS: Mapping[str, _Check | None] = {
    "type": None, "title": None, "description": None, "default": None, "examples": None,
    "readOnly": None, "format": None,
    "enum": _enum, "pattern": _pattern, "minLength": _min_length, "maxLength": _max_length,
    "minimum": _minimum, "maximum": _maximum,
    "items": _items, "minItems": _min_items, "maxItems": _max_items, "uniqueItems": _unique_items,
    "required": _required, "properties": _properties, "additionalProperties": _additional,
    "minProperties": _min_properties, "anyOf": _any_of,
}  # fmt: skip


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = ascii(value) if not isinstance(value, str) or not value.isprintable() else f"'{value}'"
    words = {"None": "null", "True": "true", "False": "false"}
    return words.get(text, text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def _either(words: Any) -> str:
    allowed = list(words)
    return allowed[0] if len(allowed) == 1 else f"{', '.join(allowed[:-1])} or {allowed[-1]}"


def _escaped(name: str) -> str:
    shown = name if name.isprintable() else ascii(name)[1:-1]
    return shown[:_SHOWN].replace("~", "~0").replace("/", "~1")
