# SPDX-License-Identifier: GPL-2.0-or-later
"""A web interface without a process: a site over a store and a stand-in for the running smartrouter, and a
browser that is logged in.
"""

import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from smartrouter.config import from_text
from smartrouter.core.errors import SmartrouterError
from smartrouter.linux.local_addresses import Local
from smartrouter.store.connect import open_writer
from smartrouter.web.app import make_app
from smartrouter.web.gatekeeper import cookie_name
from smartrouter.web.sessions import masked
from smartrouter.web.site import Site
from smartrouter.web.visitors import Neighbourhood

NOW = 1_800_000_000.0
STATUS: dict[str, Any] = {
    "version": "0", "pid": 1, "uptime": 60.0, "enabled": True, "problem": "", "user": "nobody",
    "config": {"path": "", "error": ""}, "lan": ["br-lan"], "iot": [], "missing": [], "upstreams": [],
    "web": None, "trial": None, "parts": [], "queues": {}, "dropped": {},
    "guard": {"running": True, "paused": 0},
}  # fmt: skip


class MadeSite(Site):
    """`asked`: the orders that came; `answers`: what each `do` is answered with, an error if it is one;
    `macs`: of the neighbours, by address."""

    def __init__(self, share: Mapping[str, Any]):
        self.asked: list[dict[str, Any]] = []
        self.macs: dict[str, str] = {}
        self.answers: dict[str, Any] = {"status": STATUS}
        super().__init__(share, "/nonexistent", clock=lambda: NOW)

    def configure(self, share: Mapping[str, Any]) -> None:
        super().configure(share)
        local = [
            _local("br-lan", "192.168.1.1/24"),
            _local("br-iot", "192.168.9.1/24"),
            _local("lo", "127.0.0.1/8"),
        ]
        self.neighbourhood = Neighbourhood(
            self.lan,
            self.web.allow_from,
            self.iot_only,
            lambda: local,
            lambda address, _: self.macs.get(address, ""),
        )

    async def ask(self, request: Mapping[str, object], patience: float = 0.0) -> dict[str, Any]:
        if request["do"] != "status":
            self.asked.append(dict(request))
        answer = self.answers.get(str(request["do"]), {"applied": True, "note": ""})
        if isinstance(answer, SmartrouterError):
            raise answer
        self.share = {**self.share}  # the supervisor hands out what is changed before it answers
        return dict(answer)


def made_site(folder: Path, extra: str = "", lan: Sequence[str] = ("br-lan",)) -> MadeSite:
    """A site whose configuration has a web interface, and besides what `extra` says (UCI); with a store."""
    text = f"config smartrouter 'main'\n\toption database '{folder}/store.db'\nconfig web\n{extra}"
    open_writer(f"{folder}/store.db").close()
    return MadeSite({"config": from_text(text).to_share("web"), "lan": list(lan), "iot": []})


def cheap_hash(password: str) -> str:
    """A hash that is quickly checked: its costs stand in it."""
    digest = hashlib.scrypt(password.encode(), salt=b"salt", n=2, r=1, p=1, dklen=32)
    return f"scrypt$2$1$1${b'salt'.hex()}${digest.hex()}"


def token_of(page: str) -> str:
    """The token of a page's first form."""
    return page.partition('name="csrf" value="')[2].partition('"')[0]


def stranger(site: Site, address: str = "192.168.1.50") -> TestClient:
    """A browser that is not logged in."""
    return TestClient(
        make_app(site), base_url="http://192.168.1.1:8081", follow_redirects=False, client=(address, 50000)
    )


class Owner(TestClient):
    """A browser that is logged in; `csrf` is what its forms send."""

    csrf: str

    def send_form(self, path: str, **fields: str) -> Any:
        """Post a form as a browser would."""
        return self.post(path, data={"csrf": self.csrf, **fields})

    def undo(self, page: str) -> Any:
        """Press the button *Undo* of this page."""
        form = page.partition('class="flash')[2].partition("</form>")[0]
        fields = dict(re.findall('name="([^"]*)" value="([^"]*)"', form))
        (action,) = re.findall('action="([^"]*)"', form)
        return self.post(action, data={name: html.unescape(value) for name, value in fields.items()})


def owner(site: Site) -> Owner:
    """See `Owner`."""
    name, session = site.sessions.open("192.168.1.50", "a browser", site.clock())
    client = Owner(
        make_app(site),
        base_url="http://192.168.1.1:8081",
        follow_redirects=False,
        client=("192.168.1.50", 50000),
    )
    client.cookies.set(cookie_name("http"), name)
    client.csrf = masked(session.csrf)
    return client


def _local(interface: str, prefix: str) -> Local:
    from ipaddress import ip_interface

    return Local(interface, ip_interface(prefix))
