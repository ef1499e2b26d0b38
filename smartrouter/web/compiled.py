# SPDX-License-Identifier: GPL-2.0-or-later
"""Templates compiled by a process of their own: Jinja's compiler, and what it takes meanwhile, some 5 MB,
would be ours for good. Knows no template.
"""

import marshal
import os
import sys
from collections.abc import Callable, Mapping
from types import CodeType, ModuleType
from typing import Any, NamedTuple, cast

from smartrouter.web.lean import Environment

Make = Callable[[type[Environment]], Environment]


def compile_apart(make: Make) -> Environment:
    """What `make` makes of Jinja's Environment, with all templates ready. Should the other process fail, they
    are compiled here. To be called before any thread is started."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)  # else it would wait for itself to read, should its parent be killed
            with open(writing, "wb") as pipe:
                marshal.dump(_compiled(make), pipe)
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        found = pipe.read()
    os.waitpid(child, 0)
    try:
        codes = marshal.loads(found)  # noqa: S302 - it is our own child's
    except (ValueError, EOFError, TypeError):
        codes = _compiled(make)
    environment = make(Environment)
    environment.bytecode_cache = cast(Any, _Codes(codes))
    for name in environment.list_templates():
        environment.get_template(name)
    return environment


class _Bucket(NamedTuple):
    """What the loader takes a template's code from."""

    code: CodeType | None


class _Codes:
    """Templates that are compiled already, by name; to Jinja a cache, of which it asks no more than this."""

    def __init__(self, codes: Mapping[str, CodeType]):
        self._codes = codes

    def get_bucket(self, _environment: Environment, name: str, _file: str | None, _source: str) -> _Bucket:
        """What the loader asks."""
        return _Bucket(self._codes.get(name))


def _compiled(make: Make) -> dict[str, CodeType]:
    """The code of all templates, by all of Jinja: ours cannot compile (see `lean`)."""
    ours = _without_jinja()
    try:
        from jinja2 import Environment as Whole

        environment = make(Whole)
        sources = environment.loader
        assert sources is not None  # noqa: S101 - it has one
        return {
            name: environment.compile(sources.get_source(environment, name)[0], name, name)
            for name in environment.list_templates()
        }
    finally:
        _without_jinja()
        sys.modules.update(ours)


def _without_jinja() -> dict[str, ModuleType]:
    """Have Python know no module of Jinja's; gives those that it knew."""
    names = [name for name in sys.modules if name.partition(".")[0] == "jinja2"]
    return {name: sys.modules.pop(name) for name in names}
