# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of our modules can speak to the network at all: a list, and why."""

import ast
from collections.abc import Iterator
from pathlib import Path

import smartrouter

PACKAGE = Path(smartrouter.__file__).parent
CLIENTS = {
    "aiohttp", "apprise", "asyncio", "dns.asyncresolver", "dns.query", "dns.resolver", "ftplib",
    "http.client", "http.server", "httpx", "imaplib", "paho", "poplib", "requests", "slack_sdk",
    "smtplib", "socketserver", "telnetlib", "urllib.request", "urllib3", "websockets", "xmlrpc",
}  # fmt: skip
CALLS = {"create_connection", "create_server", "getaddrinfo", "gethostbyname", "gethostbyaddr"}
FAMILIES = {"AF_INET", "AF_INET6", "AF_PACKET"}
ALLOWED = {
    "analyzer/resolve.py": "the router's own lookups, of its resolvers",
    "linux/multicast.py": "joins groups, so that bridges hand their packets on; sends nothing itself",
    "notify/apprise.py": "a channel that the user configured",
    "notify/email.py": "a channel that the user configured",
    "notify/mqtt.py": "a channel that the user configured",
    "notify/posting.py": "what channels over HTTP share",
    "notify/slack.py": "a channel that the user configured",
    "notify/slack_socket.py": "a channel that the user configured",
    "notify/syslog.py": "a channel that the user configured",
    "notify/trouble.py": "knows the exceptions of HTTP's client",
    "notify/webhook.py": "a channel that the user configured",
    "web/api/events.py": "the web interface, which answers and asks nobody",
    "web/daemon.py": "the same",
    "web/gatekeeper.py": "the same",
    "web/serving.py": "the same; a name that it is asked by is never looked up",
}


def test_only_these_modules_can_speak_to_the_network() -> None:
    found = {
        str(path.relative_to(PACKAGE)): sorted(set(uses(ast.parse(path.read_text(encoding="utf-8")))))
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] not in ("lab", "nft")
    }
    assert {name: used for name, used in found.items() if used and name not in ALLOWED} == {}
    assert [name for name in ALLOWED if not found.get(name)] == []


def uses(tree: ast.Module) -> Iterator[str]:
    """What of it could open a connection."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                modules = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), names=names):
                modules = [module, *(f"{module}.{alias.name}" for alias in names)]
            case ast.Call(func=ast.Attribute(value=ast.Name(id="socket"), attr=called)) if called in CALLS:
                yield called
                continue
            case ast.Call(func=ast.Attribute(value=ast.Name(id="socket"), attr="socket"), args=args):
                yield from (
                    each.attr for each in args if isinstance(each, ast.Attribute) and each.attr in FAMILIES
                )
                continue
            case _:
                continue
        yield from (each for each in modules for client in CLIENTS if f"{each}.".startswith(f"{client}."))


def test_a_connection_is_seen_however_it_is_made() -> None:
    for text in (
        "import http.client", "from urllib.request import urlopen", "import slack_sdk",
        "from dns import resolver", "socket.create_connection(('x', 1))", "socket.socket(socket.AF_INET, 2)",
    ):  # fmt: skip
        assert list(uses(ast.parse(text))), text
    for text in ("import urllib.parse", "socket.socket(socket.AF_UNIX)", "from dns import name"):
        assert not list(uses(ast.parse(text))), text
