# SPDX-License-Identifier: GPL-2.0-or-later
"""Looking at the web interface of the lab's router: a browser without scripts in one of the lab's machines,
and a door by which a browser of the machine outside comes in. Knows no page.
"""

import contextlib
import html
import http.client
import re
import socket
import threading
import time
from collections.abc import Mapping
from typing import NamedTuple, Self
from urllib.parse import urlencode

from smartrouter.lab.hosts import Host
from smartrouter.lab.traffic import family_of

PORT = 8081
_PATIENCE = 20.0  # seconds for an answer
_PIECE = 65536  # bytes
_DROPPED = re.compile(r"<(style|script)\b.*?</\1>|<[^>]*>", re.DOTALL)


class Answer(NamedTuple):
    """What came for a request. `text`: its HTML; `ms`: how long it took; `leads_to`: where else to look."""

    status: int
    text: str
    ms: float
    leads_to: str

    @property
    def said(self) -> str:
        """What a person reads, in one line."""
        return " ".join(html.unescape(_DROPPED.sub(" ", self.text)).split())


class Browser:
    """One at `host`, for the pages at `address`. It keeps cookies, and sends the forms that it is shown."""

    def __init__(self, host: Host, address: str, port: int = PORT):
        self._host, self._address, self._port = host, address, port
        self._cookies: dict[str, str] = {}

    def get(self, path: str) -> Answer:
        """The page at `path`, and where it leads to."""
        answer = self._ask("GET", path)
        return self.get(answer.leads_to) if answer.status == 303 else answer

    def send(self, page: Answer, action: str, **fields: str) -> Answer:
        """Send the first form of `page` that goes to `action`, with its hidden fields, and `fields`; gives
        the page that comes then."""
        form = page.text.partition(f'action="{action}"')[2].partition("</form>")[0]
        hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
        sent = {name: html.unescape(value) for name, value in hidden} | fields
        answer = self._ask("POST", action, sent)
        return self.get(answer.leads_to) if answer.status == 303 else answer

    def _ask(self, method: str, path: str, form: Mapping[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection(self._address, self._port)
        sock = connection.sock = self._host.new_socket(family_of(self._address), socket.SOCK_STREAM)
        sock.settimeout(_PATIENCE)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        with contextlib.closing(connection):
            sock.connect((self._address, self._port))
            begun = time.monotonic()
            connection.request(method, path, urlencode(form) if form is not None else None, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            ms = (time.monotonic() - begun) * 1000
        for set_cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = set_cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        return Answer(answer.status, text, ms, answer.headers.get("Location", ""))


class Door:
    """A port of this machine's loopback address that leads to `address` as if one sat at `host`. `url`: where
    it is, '' if it could not be opened. It ends with the `with` block."""

    def __init__(self, host: Host, address: str, port: int = PORT):
        self._host, self._address, self._port = host, address, port
        self._stood: socket.socket | None = None
        self.url = ""

    def __enter__(self) -> Self:
        for port in (self._port, 0):  # its own if it is free, else any
            with contextlib.suppress(OSError):
                self._stood = socket.create_server(("127.0.0.1", port))
                break
        if self._stood is not None:
            self.url = f"http://127.0.0.1:{self._stood.getsockname()[1]}/"
            threading.Thread(target=self._let_in, args=(self._stood,), name="door", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._stood is not None:
            with contextlib.suppress(OSError):
                self._stood.shutdown(socket.SHUT_RDWR)  # which wakes `accept`
            self._stood.close()

    def _let_in(self, stood: socket.socket) -> None:
        while True:
            try:
                outside, _ = stood.accept()
            except OSError:
                return
            threading.Thread(target=self._lead, args=(outside,), name="door", daemon=True).start()

    def _lead(self, outside: socket.socket) -> None:
        """Both ways, until one side ends."""
        with outside:
            try:
                inside = self._host.new_socket(family_of(self._address), socket.SOCK_STREAM)
            except OSError:
                return
            with inside, contextlib.suppress(OSError):
                inside.connect((self._address, self._port))
                there = threading.Thread(target=_carry, args=(outside, inside), daemon=True)
                there.start()
                _carry(inside, outside)
                there.join()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    """All that comes from one side, to the other; then both are told that it has ended."""
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            sink.sendall(piece)
    for each in (source, sink):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
