# SPDX-License-Identifier: GPL-2.0-or-later
"""The sockets: on which addresses we listen, who is let in, and when a slow or idle peer has to go.

uvicorn speaks HTTP; it has no bound for a peer that never finishes its request, nor for one that takes all
connections, so that its protocol gets both here.
"""

import asyncio
import contextlib
import errno
import functools
import logging
import socket
import ssl
from collections.abc import Callable, Collection, Iterator
from ipaddress import ip_address
from typing import Any, cast

from smartrouter.core.errors import Unavailable
from smartrouter.linux.local_addresses import Local
from smartrouter.web import lean
from smartrouter.web.lean import Config, H11Protocol

log = logging.getLogger("smartrouter.web")

PORT = 8081
MOST_CONNECTIONS = 96
MOST_OF_ONE = 24  # connections of one address: three browsers with six each, and live views
REQUEST_PATIENCE = 10.0  # seconds for a whole request head, from the connection or the answer before
KEEP_ALIVE = 15  # seconds between two requests of a connection
WRITE_PATIENCE = 20_000  # milliseconds for what we sent to be acknowledged
_LONGEST_HEAD = 16 << 10  # bytes


class Protocol(H11Protocol):
    """One connection."""

    lets_in: Callable[[str], bool]
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        peer = self.client[0] if self.client else ""
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, WRITE_PATIENCE)
        others = [cast(Protocol, each) for each in self.connections if each is not self]
        crowd = [each for each in others if each.client is not None and each.client[0] == peer]
        is_full = len(others) >= MOST_CONNECTIONS
        if not type(self).lets_in(peer) or len(crowd) >= MOST_OF_ONE or (is_full and not _make_room(others)):
            transport.abort()
        else:
            self._await_request()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing() and not self.is_busy:
            self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def is_busy(self) -> bool:
        """Is a request being answered?"""
        return self.cycle is not None and not self.cycle.response_complete

    def _await_request(self) -> None:
        self._stop_waiting()
        patience = REQUEST_PATIENCE if self.cycle is None else KEEP_ALIVE + REQUEST_PATIENCE
        self._deadline = self.loop.call_later(patience, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _make_room(others: Collection[Protocol]) -> bool:
    """Let go of a connection that does nothing; False if all do something."""
    for other in others:
        if not other.is_busy:
            other.transport.abort()
            return True
    return False


class Server(lean.Server):
    """uvicorn's, with sockets that come and go, and without its signal handlers."""

    def __init__(self, app: Any, lets_in: Callable[[str], bool]):
        protocol = type("LanProtocol", (Protocol,), {"lets_in": staticmethod(lets_in)})
        config = Config(
            app,
            http=protocol,
            ws="none",
            loop="asyncio",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=_LONGEST_HEAD,
        )
        config.load()
        super().__init__(config)
        self.servers: list[asyncio.base_events.Server] = []
        self._tls: ssl.SSLContext | None = None
        self._listening: dict[tuple[str, int], asyncio.base_events.Server] = {}

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The process has its own."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        """Nothing yet: `listen` says where. `sockets` are uvicorn's, and none."""
        self.started = True

    @property
    def urls(self) -> list[str]:
        """Where we are."""
        return [_url(place, self._tls) for place in self._listening]

    async def listen(self, wanted: Collection[tuple[str, int]], tls: ssl.SSLContext | None) -> list[str]:
        """Listen on these addresses and ports, and on no others; gives what went wrong, in words."""
        self._tls = tls
        for place in set(self._listening) - set(wanted):
            server = self._listening.pop(place)
            self.servers.remove(server)
            server.close()
            log.info("no longer listening on %s", _url(place, tls))
        problems = []
        for place in wanted:
            if place in self._listening:
                continue
            try:
                server = await self._open(place, tls)
            except OSError as error:
                problems.append(f"cannot listen on {_url(place, tls)}: {_why(error)}")
                continue
            self._listening[place] = server
            self.servers.append(server)
            log.info("listening on %s", _url(place, tls))
        return problems

    async def _open(self, place: tuple[str, int], tls: ssl.SSLContext | None) -> asyncio.base_events.Server:
        factory = functools.partial(
            cast(Callable[..., asyncio.Protocol], self.config.http_protocol_class),
            config=self.config,
            server_state=self.server_state,
            app_state={},
        )
        loop = asyncio.get_running_loop()
        sock = _socket(*place)
        try:
            if tls is None:
                return await loop.create_server(factory, sock=sock)
            return await loop.create_server(
                factory, sock=sock, ssl=tls, ssl_handshake_timeout=REQUEST_PATIENCE
            )
        except BaseException:
            sock.close()
            raise


def _socket(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # With the protocol named, asyncio sends what we write at once (TCP_NODELAY), and not 40 ms later.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # As bytes: a text would bring IDNA's tables with it, for good.
        numeric = address.encode("ascii")
        info = socket.getaddrinfo(numeric, port, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
        sock.bind(info[0][4])
    except BaseException:
        sock.close()
        raise
    return sock


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program listens there; set `option listen` to another port"
    return error.strerror or str(error)


def _url(place: tuple[str, int], tls: ssl.SSLContext | None) -> str:
    address, port = place
    shown = f"[{address}]" if ":" in address else address
    return f"{'https' if tls else 'http'}://{shown}:{port}"


def places(
    listen: str,
    lan: Collection[str],
    iot: Collection[str],
    allow_from: Collection[str],
    local: Collection[Local],
) -> list[tuple[str, int]]:
    """The addresses and ports to listen on, by `option listen`. Raises Unavailable for an address that is
    not to be listened on."""
    if listen != "lan":
        host, _, port = listen.rpartition(":")
        address = host.strip("[]")
        _check(address, lan, allow_from, local)
        return [(address, int(port))]
    interfaces = [name for name in lan if name not in iot] or list(lan)
    return [(_text(each), PORT) for each in local if each.interface in interfaces]


def _text(local: Local) -> str:
    return f"{local.prefix.ip}%{local.interface}" if local.link_local else str(local.prefix.ip)


def _check(address: str, lan: Collection[str], allow_from: Collection[str], local: Collection[Local]) -> None:
    wanted = ip_address(address)
    if wanted.is_loopback or allow_from:
        return
    on_lan = {each.prefix.ip for each in local if each.interface in lan}
    if wanted not in on_lan:
        names = ", ".join(sorted(map(str, on_lan))) or "none (yet)"
        raise Unavailable(
            f"`option listen` of `config web` names {address}, which is no address of the LAN ({names}): the "
            "Internet could come in there. Use `lan`; or say with `list allow_from` who may come"
        )
