# SPDX-License-Identifier: GPL-2.0-or-later
"""What we take of others' libraries, without what they import and we never use: uvicorn's command line (with
click and multiprocessing), what reads settings of logs, an HTTP client (with all of `email`), two thousand
named characters of HTML, Jinja's caches on disk (with pickle). Together they are 3 MB, for good.

To be imported before anything else of these libraries. Afterwards each is there for who wants it.
"""

import http
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_UNUSED: Mapping[str, Mapping[str, Any]] = {
    "uvicorn.main": {"Server": None, "main": None, "run": None},
    "logging.config": {},
    "http.client": {"responses": {status.value: status.phrase for status in http.HTTPStatus}},
    "jinja2.bccache": dict.fromkeys(
        ("Bucket", "BytecodeCache", "FileSystemBytecodeCache", "MemcachedBytecodeCache")
    ),
    "html.entities": {"html5": {}, "name2codepoint": {}, "codepoint2name": {}, "entitydefs": {}},
}


@contextmanager
def _left_out() -> Iterator[None]:
    """Meanwhile these modules are what stands above."""
    left_out = [name for name in _UNUSED if name not in sys.modules]
    for name in left_out:
        module = ModuleType(name)
        vars(module).update(_UNUSED[name])
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
