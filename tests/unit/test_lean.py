# SPDX-License-Identifier: GPL-2.0-or-later
"""What is never used is not imported; and whoever wants it afterwards gets it."""

import subprocess
import sys

import pytest

HEAVY = (
    "click", "multiprocessing", "logging.handlers", "http.client", "email.message", "pickle",
    "jinja2.compiler", "jinja2.nodes", "tempfile", "configparser", "uuid", "email.utils", "lzma",
    "netfilterqueue", "pyroute2", "scapy", "slack_sdk", "dns", "httpx", "encodings.idna",
)  # fmt: skip


def said(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def test_the_process_imports_nothing_heavy() -> None:
    script = f"import sys, smartrouter.web.daemon; print([n for n in {HEAVY!r} if n in sys.modules])"
    assert said(script) == "[]"


@pytest.mark.parametrize(
    "use",
    [
        "import http.client; print(http.client.HTTPConnection.__name__)",
        "import logging.config; print(logging.config.dictConfig.__name__)",
        "import uvicorn.main; print(uvicorn.main.Server.__name__)",
        "import html; from html.entities import html5; print(html5['amp;'])",
        "import jinja2.bccache; print(jinja2.bccache.Bucket.__name__)",
        "import jinja2.nodes, jinja2.compiler; print(jinja2.compiler.CodeGenerator.__name__)",
        "import email.utils; print(email.utils.formataddr(('a', 'b@c')))",
        "import uuid; print(uuid.UUID(int=7).int)",
        "from smartrouter.web.lean import http_date; print(http_date(784111777.9))",
        "from starlette.exceptions import HTTPException; print(HTTPException(404).detail)",
    ],
    ids=[
        "http.client",
        "logging.config",
        "uvicorn.main",
        "html.entities",
        "jinja2.bccache",
        "jinja2.compiler",
        "email.utils",
        "uuid",
        "a date",
        "a reason",
    ],
)
def test_whoever_wants_it_gets_it(use: str) -> None:
    wanted = {
        "HTTPConnection", "dictConfig", "Server", "&", "Bucket", "Not Found", "CodeGenerator", "a <b@c>", "7",
        "Sun, 06 Nov 1994 08:49:37 GMT",
    }  # fmt: skip
    assert said(f"import smartrouter.web.daemon; {use}") in wanted


def test_what_is_missing_is_said_with_what_to_do() -> None:
    script = """
import importlib.util
usual = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name in ("starlette", "uvicorn") else usual(name)
from smartrouter.core.errors import Unavailable
try:
    import smartrouter.web
except Unavailable as error:
    print(error)
"""
    assert "needs the Python modules starlette, uvicorn: install what is missing" in said(script)
