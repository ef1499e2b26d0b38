# SPDX-License-Identifier: GPL-2.0-or-later
"""The sockets: where we listen, and what slow, silent and greedy peers get. Real sockets on the loopback."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_interface
from typing import Any

import pytest

from smartrouter.core.errors import Unavailable
from smartrouter.linux.local_addresses import Local
from smartrouter.web import serving
from smartrouter.web.serving import PORT, Server, places

LOCAL = [
    Local(name, ip_interface(prefix))
    for name, prefix in (
        ("lo", "127.0.0.1/8"), ("br-lan", "192.168.1.1/24"), ("br-lan", "fe80::1/64"),
        ("br-iot", "192.168.9.1/24"), ("wan", "203.0.113.2/24"),
    )
]  # fmt: skip
LAN, THINGS = ("br-lan", "br-iot"), ("br-iot",)


def test_lan_is_the_lans_addresses_but_for_the_things_own() -> None:
    assert places("lan", LAN, THINGS, (), LOCAL) == [("192.168.1.1", PORT), ("fe80::1%br-lan", PORT)]


def test_where_there_are_only_things_it_is_with_them() -> None:
    assert places("lan", THINGS, THINGS, (), LOCAL) == [("192.168.9.1", PORT)]


@pytest.mark.parametrize("listen", ["192.168.1.1:80", "127.0.0.1:8081", "[::1]:9000", "192.168.9.1:8081"])
def test_an_address_of_the_lan_or_the_loopback_will_do(listen: str) -> None:
    ((address, port),) = places(listen, LAN, THINGS, (), LOCAL)
    assert listen in (f"{address}:{port}", f"[{address}]:{port}")


@pytest.mark.parametrize("listen", ["203.0.113.2:8081", "0.0.0.0:8081", "[::]:8081", "10.8.0.1:8081"])
def test_any_other_is_refused_unless_somebody_is_named_who_may_come(listen: str) -> None:
    with pytest.raises(Unavailable, match="no address of the LAN"):
        places(listen, LAN, THINGS, (), LOCAL)
    assert places(listen, LAN, THINGS, ("10.8.0.0/24",), LOCAL)


# -- with real sockets -------------------------------------------------------------------------------------


class Served:
    """A server in a thread, with an application that answers `yes`, and `hold` until it is let go."""

    def __init__(self, lets_in: Callable[[str], bool] = lambda _: True):
        self.hold, self.held = threading.Event(), threading.Event()
        self.problems: list[str] = []
        self._ready = threading.Event()
        self.port = 0
        self.server = Server(self._app, lets_in)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        assert self._ready.wait(20)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/hold":
            self.held.set()
            while not self.hold.is_set():
                await asyncio.sleep(0.01)
        start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]}
        await send(start)
        await send({"type": "http.response.body", "body": b"yes"})

    async def _run(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.problems = await self.server.listen([("127.0.0.1", self.port)], None)
        self._ready.set()
        await self.server.serve()

    def stop(self) -> None:
        self.hold.set()
        self.server.should_exit = True
        self._thread.join(10)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(self, path: str = "/") -> bytes:
        with self.connect() as sock:
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: sock.recv(4096), b""))


@pytest.fixture
def served() -> Iterator[Served]:
    found = Served()
    yield found
    found.stop()


def hears_the_end(sock: socket.socket, patience: float = 20.0) -> bool:
    """Is the connection ended, without an answer?"""
    sock.settimeout(patience)
    try:
        return sock.recv(100) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def test_a_request_is_answered_without_saying_what_we_are(served: Served) -> None:
    answer = served.ask()
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"yes")
    assert b"server:" not in answer.lower()


def test_who_is_not_let_in_gets_no_byte() -> None:
    served = Served(lambda _: False)
    try:
        with served.connect() as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert hears_the_end(sock)
    finally:
        served.stop()


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_who_never_finishes_a_request_is_let_go(
    served: Served, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(serving, "REQUEST_PATIENCE", 0.3)
    with served.connect() as sock:
        sock.sendall(said)
        assert hears_the_end(sock)


def test_a_drop_a_second_buys_no_time(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "REQUEST_PATIENCE", 0.5)
    with served.connect() as sock:
        began, ended = time.monotonic(), False
        while not ended and time.monotonic() - began < 20:
            try:
                sock.sendall(b"G")
            except ConnectionError:
                ended = True
            time.sleep(0.05)
        assert ended


def test_who_keeps_a_connection_without_asking_is_let_go(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "KEEP_ALIVE", 0)
    monkeypatch.setattr(serving, "REQUEST_PATIENCE", 1.0)
    with served.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while not answer.endswith(b"yes"):
            answer += sock.recv(1000)
        assert hears_the_end(sock)


def test_a_head_has_a_bound(served: Served) -> None:
    with served.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 40_000)
        sock.settimeout(10)
        try:
            answer = sock.recv(100)
        except ConnectionError:
            answer = b""
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


def test_one_address_has_only_so_many_connections(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MOST_OF_ONE", 3)
    crowd = [served.connect() for _ in range(3)]
    for sock in crowd:
        sock.sendall(b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
    with served.connect() as more:
        assert hears_the_end(more)
    served.hold.set()
    for sock in crowd:
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
        sock.close()


def test_when_all_are_taken_the_idle_make_room_and_the_busy_do_not(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "MOST_CONNECTIONS", 2)
    with served.connect() as busy, served.connect() as idle:
        busy.sendall(b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
        assert served.held.wait(20)
        assert served.ask().endswith(b"yes")
        assert hears_the_end(idle)
        served.hold.set()
        assert busy.recv(100).startswith(b"HTTP/1.1 200")


def test_a_place_that_is_taken_is_said_and_the_others_are_kept(served: Served) -> None:
    async def both() -> list[str]:
        server = Server(served._app, lambda _: True)
        problems = await server.listen([("127.0.0.1", served.port), ("127.0.0.2", served.port)], None)
        assert server.urls == [f"http://127.0.0.2:{served.port}"]
        assert await server.listen([], None) == []
        assert server.urls == []
        return problems

    (problem,) = asyncio.run(both())
    assert "another program listens there" in problem
