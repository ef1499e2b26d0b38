# SPDX-License-Identifier: GPL-2.0-or-later
"""What we take of uvicorn. Its package also imports its command line (with click and multiprocessing) and
what reads settings of logs (with configparser): 2 MB that are never used, and left out here.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_UNUSED = ("uvicorn.main", "logging.config")


@contextmanager
def _left_out() -> Iterator[None]:
    """While uvicorn is imported, these are empty; who imports them later gets them."""
    left_out = [name for name in _UNUSED if name not in sys.modules]
    for name in left_out:
        module = ModuleType(name)
        module.__getattr__ = lambda _name: None  # type: ignore[method-assign]
        sys.modules[name] = module
    try:
        yield
    finally:
        for name in left_out:
            del sys.modules[name]


with _left_out():
    from uvicorn.config import Config
    from uvicorn.protocols.http.h11_impl import H11Protocol
    from uvicorn.server import Server

__all__ = ["Config", "H11Protocol", "Server"]
