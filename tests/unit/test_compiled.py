# SPDX-License-Identifier: GPL-2.0-or-later
"""Templates compiled by another process are the same, and are compiled here should that fail."""

import os
import signal
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
