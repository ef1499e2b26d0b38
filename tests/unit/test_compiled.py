# SPDX-License-Identifier: GPL-2.0-or-later
"""Templates compiled by another process are the same, and are compiled here should that fail."""

import os
import sys

import pytest

from smartrouter.web import compiled
from smartrouter.web.compiled import compile_apart
from smartrouter.web.lean import Environment

TEMPLATES = {
    "base.html": "<main>{% block main %}{% endblock %}</main>",
    "page.html": "{% extends 'base.html' %}{% import 'm.html' as m %}"
    "{% block main %}{{ m.b(x) }}{% endblock %}",
    "m.html": "{% macro b(x) %}<b>{{ x|upper }}</b>{% endmacro %}",
}


def make(kind: type[Environment]) -> Environment:
    from jinja2 import DictLoader, StrictUndefined

    return kind(loader=DictLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, auto_reload=False)


def shown(environment: Environment) -> str:
    return environment.get_template("page.html").render(x="a<b")


def test_pages_are_what_they_would_be() -> None:
    assert shown(compile_apart(make)) == "<main><b>A&lt;B</b></main>"


def test_nothing_is_compiled_here(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, usual = os.getpid(), compiled._compiled

    def compile_elsewhere(make: compiled.Make) -> object:
        assert os.getpid() != ours
        return usual(make)

    monkeypatch.setattr(compiled, "_compiled", compile_elsewhere)
    assert shown(compile_apart(make)) == "<main><b>A&lt;B</b></main>"


def test_should_the_other_process_fail_they_are_compiled_here(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, usual = os.getpid(), compiled._compiled
    before = {name: module for name, module in sys.modules.items() if name.startswith("jinja2")}

    def fails_elsewhere(make: compiled.Make) -> object:
        if os.getpid() != ours:
            os._exit(1)
        return usual(make)

    monkeypatch.setattr(compiled, "_compiled", fails_elsewhere)
    assert shown(compile_apart(make)) == "<main><b>A&lt;B</b></main>"
    assert {name: sys.modules.get(name) for name in before} == before
