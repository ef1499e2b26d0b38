# SPDX-License-Identifier: GPL-2.0-or-later
"""Templates compiled by a process of their own: what Jinja's compiler takes meanwhile, some 3 MB, would be
ours for good. Knows no template.
"""

import contextlib
import marshal
import os
from collections.abc import Mapping
from types import CodeType
from typing import Any, NamedTuple, cast

from smartrouter.web.lean import Environment


def compile_apart(environment: Environment) -> None:
    """Have all templates of `environment` ready. Should the other process fail, they are compiled here. To be
    called before any thread is started."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with open(writing, "wb") as pipe:
                marshal.dump(_compiled(environment), pipe)
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        found = pipe.read()
    os.waitpid(child, 0)
    with contextlib.suppress(ValueError, EOFError, TypeError):
        codes = _Codes(marshal.loads(found))  # noqa: S302 - it is our own child's
        environment.bytecode_cache = cast(Any, codes)
    for name in environment.list_templates():
        environment.get_template(name)


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


def _compiled(environment: Environment) -> dict[str, CodeType]:
    sources = environment.loader
    assert sources is not None  # noqa: S101 - it has one
    return {
        name: environment.compile(sources.get_source(environment, name)[0], name, name)
        for name in environment.list_templates()
    }
