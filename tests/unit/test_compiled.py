# SPDX-License-Identifier: GPL-2.0-or-later
"""Templates compiled by another process are the same, and are compiled here should that fail."""

import os

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


def environment() -> Environment:
    from jinja2 import DictLoader

    return Environment(loader=DictLoader(TEMPLATES), autoescape=True, auto_reload=False)


def test_pages_are_what_they_would_be() -> None:
    apart = environment()
    compile_apart(apart)
    usual = environment().get_template("page.html").render(x="a<b")
    assert apart.get_template("page.html").render(x="a<b") == usual == "<main><b>A&lt;B</b></main>"


def test_nothing_is_compiled_here(monkeypatch: pytest.MonkeyPatch) -> None:
    apart = environment()
    ours = os.getpid()
    usual = apart.compile

    def compile_elsewhere(*arguments: object, **more: object) -> object:
        assert os.getpid() != ours
        return usual(*arguments, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(apart, "compile", compile_elsewhere)
    compile_apart(apart)
    assert apart.get_template("page.html").render(x="x") == "<main><b>X</b></main>"


def test_should_the_other_process_fail_they_are_compiled_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_environment: object) -> None:
        os._exit(1)

    monkeypatch.setattr(compiled, "_compiled", fails)
    apart = environment()
    compile_apart(apart)
    assert apart.get_template("page.html").render(x="x") == "<main><b>X</b></main>"
