# SPDX-License-Identifier: GPL-2.0-or-later
"""What we take of others' libraries, without what they import and we never use: uvicorn's command line (with
click and multiprocessing), what reads settings of logs, an HTTP client and the dates of mails (with all of
`email`), forms with files (with three kinds of compression), UUIDs, two thousand named characters of HTML,
Jinja's caches on disk (with pickle), and all of Jinja that reads and compiles templates: another process does
that (`compiled`). Together they are 6 MB, for good.

To be imported before anything else of these libraries. Afterwards each is there for who wants it.
"""

import http
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any


class Unused(Exception):
    """Stands for what is not needed: a class to inherit from, to except, to say what another is made of."""

    def __class_getitem__(cls, _item: object) -> type["Unused"]:
        return cls


class EvalContext:
    """Jinja's, for templates that are compiled: whether what is printed is escaped."""

    def __init__(self, environment: Any, _template_name: str | None = None):
        self.environment = environment
        self.autoescape = environment.autoescape
        self.volatile = False


def http_date(at: float, usegmt: bool = True) -> str:  # noqa: ARG001 - as `email.utils.formatdate` is called
    """A moment (epoch seconds) as HTTP says it (RFC 9110, section 5.6.7), whatever the language here."""
    there = time.gmtime(at)
    day, month = _DAYS[there.tm_wday], _MONTHS[there.tm_mon - 1]
    return f"{day}, {there.tm_mday:02d} {month} {there.tm_year} {time.strftime('%H:%M:%S', there)} GMT"


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNUSED: Mapping[str, Mapping[str, Any]] = {
    "uvicorn.main": {"Server": None, "main": None, "run": None},
    "logging.config": {},
    "http.client": {"responses": {status.value: status.phrase for status in http.HTTPStatus}},
    "jinja2.bccache": dict.fromkeys(
        ("Bucket", "BytecodeCache", "FileSystemBytecodeCache", "MemcachedBytecodeCache")
    ),
    "jinja2.nodes": {"EvalContext": EvalContext},
    "jinja2.compiler": {},
    "jinja2.lexer": {},
    "jinja2.parser": {},
    "configparser": {},
    "email.utils": {"formatdate": http_date},
    "starlette.formparsers": {},
    "uuid": {},
    "html.entities": {"html5": {}, "name2codepoint": {}, "codepoint2name": {}, "entitydefs": {}},
}


def _unused(name: str) -> type[Unused]:
    if name.startswith("__"):
        raise AttributeError(name)  # Python's own questions
    return Unused


@contextmanager
def _left_out() -> Iterator[None]:
    """Meanwhile these modules are what stands above."""
    left_out = [name for name in _UNUSED if name not in sys.modules]
    for name in left_out:
        module = ModuleType(name)
        vars(module).update(_UNUSED[name])
        vars(module)["__getattr__"] = _unused
        sys.modules[name] = module
        package, _, part = name.rpartition(".")
        if package in sys.modules:
            setattr(sys.modules[package], part, module)
    try:
        yield
    finally:
        for name in left_out:
            del sys.modules[name]


with _left_out():
    from jinja2 import Environment
    from starlette.applications import Starlette
    from uvicorn.config import Config
    from uvicorn.protocols.http.h11_impl import H11Protocol
    from uvicorn.server import Server

__all__ = ["Config", "Environment", "H11Protocol", "Server", "Starlette"]
