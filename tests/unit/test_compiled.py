# SPDX-License-Identifier: GPL-2.0-or-later
"""Templates compiled by another process are the same, and are compiled here should that fail."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

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


def test_the_other_process_ends_if_nobody_reads_what_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours was killed meanwhile: what it made is more than fits into a pipe."""
    pid = tmp_path / "pid"

    def slow(_: object) -> dict[str, object]:
        pid.with_suffix(".new").write_text(str(os.getpid()))
        pid.with_suffix(".new").rename(pid)
        time.sleep(1.0)
        return {"page.html": compile(repr("x" * 300_000), "page.html", "eval")}

    monkeypatch.setattr(compiled, "_compiled", slow)
    parent = os.fork()
    if parent == 0:
        compile_apart(None)  # type: ignore[arg-type]
        os._exit(0)
    until(pid.exists)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    stat = Path(f"/proc/{pid.read_text()}/stat")
    until(lambda: not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX")


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 10.0
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)
