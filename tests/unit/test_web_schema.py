# SPDX-License-Identifier: GPL-2.0-or-later
"""Values against schemas, as another implementation of JSON Schema sees them; and the forms that the API
promises, as the configuration reads them."""

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from smartrouter.config.options import DESTINATION, MAC, MAC_OR_ANY, SERVICE, Kind, options_of
from smartrouter.config.sections import MainConfig
from smartrouter.web.api import forms
from smartrouter.web.api.operation import Operation
from smartrouter.web.api.operations import OPERATIONS
from smartrouter.web.api.schema import KEYWORDS, MAX_FAULTS, Fault, Schema, faults, keywords
from smartrouter.web.api.settings import CHANGE

THING: Schema = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 5, "pattern": "^[a-z]*$"},
        "size": {"type": ["integer", "null"], "minimum": 1, "maximum": 9},
        "share": {"type": "number"},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2, "uniqueItems": True},
        "more": {"type": "object", "additionalProperties": {"type": "boolean"}, "minProperties": 1},
        "either": {"anyOf": [{"type": "boolean"}, {"type": "integer", "enum": [7]}]},
    },
    "required": ["name"],
    "additionalProperties": False,
}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 12)
    | st.floats(allow_nan=False)
    | st.text("ab{é\n", max_size=7),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*THING["properties"], "else"]), JSON, max_size=4) | JSON)
def test_a_value_is_sound_where_another_implementation_says_so(value: Any) -> None:
    assert (not faults(THING, value)) == Draft202012Validator(dict(THING)).is_valid(value)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ([], [Fault("", "found a list; allowed is object")]),
        ({}, [Fault("/name", "it is missing")]),
        ({"name": "a", "size": True}, [Fault("/size", "found true; allowed is integer or null")]),
        ({"name": "a", "size": 10}, [Fault("/size", "found 10; allowed is 9 at most")]),
        ({"name": "a", "kind": "c"}, [Fault("/kind", "found 'c'; allowed is a or b")]),
        ({"name": "a", "tags": ["x", 1]}, [Fault("/tags/1", "found 1; allowed is string")]),
        ({"name": "a", "tags": ["x", "x"]}, [Fault("/tags", "found a value twice; allowed is each once")]),
        (
            {"name": "a", "x/y\n": 1},
            [Fault("/x~1y\\n", "it is unknown; there is name, size, share, kind, tags, more, either")],
        ),
        ({"name": "abc\n"}, [Fault("/name", r"found 'abc\n'; allowed is another form")]),
    ],
)
def test_a_fault_says_where_what_was_found_and_what_is_allowed(value: Any, found: list[Fault]) -> None:
    assert faults(THING, value) == found


def test_a_value_that_is_all_wrong_does_not_fill_the_answer() -> None:
    assert len(faults({"type": "array", "items": {"type": "null"}}, [1] * 1000)) == MAX_FAULTS


def test_the_table_says_nothing_that_is_not_checked() -> None:
    for operation in OPERATIONS:
        for schema in (operation.body, operation.answer, *(each.schema for each in operation.query)):
            assert set(keywords(schema or {})) <= KEYWORDS.keys(), operation.name
            Draft202012Validator.check_schema(dict(schema or {}))


@pytest.mark.parametrize("operation", OPERATIONS, ids=[each.name for each in OPERATIONS])
def test_every_key_of_an_answer_has_a_shape(operation: Operation) -> None:
    def shapeless(schema: Schema, at: str) -> list[str]:
        found = [] if {"type", "anyOf"} & schema.keys() or not at else [at]
        for name, inner in schema.get("properties", {}).items():
            found += shapeless(inner, f"{at}/{name}")
        return found + (shapeless(schema["items"], f"{at}/-") if "items" in schema else [])

    assert shapeless(operation.answer, "") == []


# -- forms -------------------------------------------------------------------------------------------------


def taken(schema: Schema) -> st.SearchStrategy[str]:
    """Texts that the form lets through."""
    return st.from_regex(schema["pattern"].removesuffix("$") + r"\Z")


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        (forms.MAC, MAC),
        (forms.MAC_OR_ANY, MAC_OR_ANY),
        (forms.SERVICE, SERVICE),
        (forms.DESTINATION, DESTINATION),
    ],
    ids=["mac", "mac or any", "service", "destination"],
)
def test_what_a_form_lets_through_the_configuration_takes(schema: Schema, kind: Kind[Any]) -> None:
    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(taken(schema))
    def takes(text: str) -> None:
        if text and "/" in text and kind is DESTINATION:
            return  # a prefix may have bits of a host's: that is told apart later
        if text and len(text) <= schema.get("maxLength", 99):
            kind.read(text)

    takes()


@pytest.mark.parametrize(
    "text",
    [
        "*", "netflix.com", "*.netflix.com", "lan", "_sip._tcp.example", "xn--mnchen-3ya.de",
        "203.0.113.0/24",
        "::", "::1", "1::", "fe80::1", "2001:db8::8:800:200c:417a", "1:2:3:4:5:6:7:8", "2001:db8::/32",
    ],
)  # fmt: skip
def test_every_usual_destination_has_the_form(text: str) -> None:
    assert faults(forms.DESTINATION, text) == []


@pytest.mark.parametrize(
    "text", ["", "a..b", "-a.example", "1.2.3", "1.2.3.4/33", "::/129", "a b", "a.example\n"]
)
def test_what_is_no_destination_has_not(text: str) -> None:
    assert faults(forms.DESTINATION, text)


OPTIONS = {option.name: option for option in options_of(MainConfig) if option.name in CHANGE["properties"]}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_options_form_takes_its_default_and_what_the_table_writes(name: str) -> None:
    option, schema = OPTIONS[name], CHANGE["properties"][name]
    value = schema["items"] if option.many else schema
    assert faults(schema, [] if option.many else "") == []
    if option.default:
        assert faults(schema, option.kind.write(option.read(option.default))) == []
    for text in value.get("enum", ()):
        assert not text or option.read(text) is not None
    if "pattern" in value:
        assert re.fullmatch(value["pattern"], "nonsense") is None
