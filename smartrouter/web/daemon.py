# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter web` as a process without rights: its configuration, its sockets, its heartbeat.

Under a supervisor everything comes from the channel; alone it reads the file, for trying things out. What is
read from our own files is read before the rights go: afterwards they may be closed to us.
"""

import asyncio
import contextlib
import itertools
import logging
import select
import signal
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

import anyio._backends._asyncio  # else it is imported when first needed, and may be closed to us then
import anyio.to_thread

from smartrouter.channel import Channel, Gone, Request
from smartrouter.config import Config, WebConfig, load
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.core.names import registrable_domain
from smartrouter.linux import local_addresses, privileges, seccomp
from smartrouter.linux.heap import Region, give_back, give_back_what_is_large, let_go, unchanged_files
from smartrouter.web import assets, certificate
from smartrouter.web.api.events import feed_of
from smartrouter.web.app import make_app
from smartrouter.web.origins import own_names
from smartrouter.web.pages import render
from smartrouter.web.serving import Server, places
from smartrouter.web.site import Site

if TYPE_CHECKING:
    from argparse import Namespace

log = logging.getLogger("smartrouter.web")

TURN = 0.4  # seconds between two heartbeats
LOOK_AROUND = 5.0  # seconds between two looks at the addresses to listen on
TRIM_EVERY = 10.0  # seconds between two times that free memory is given back
LET_GO_EVERY = 3  # of those, between two times that pages of libraries are let go of
KEEP_EVERY = 30  # of those, between two notes of which sessions there are
_THREADS = 2  # that read the store for pages


def main(arguments: "Namespace") -> int:
    """`smartrouter web [--config PATH] [--run-dir DIR] [--channel FD]`."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for name in ("uvicorn", "uvicorn.error", "asyncio"):
        # A peer's nonsense is no news, nor that what it had open ends with us; faults are the gatekeeper's.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if arguments.channel is None:
        share = _own_share(arguments.config)
        _prepare()
        tls = _tls(share)
        _drop_rights()
        asyncio.run(_Web(share, arguments.run_dir, None, tls).run())
        return 0
    with Channel(arguments.channel) as channel:
        _prepare()
        try:
            first = _first(channel)
            if first is None:
                return 0
            try:
                tls = _tls(first.arguments)
                _drop_rights()
                web = _Web(first.arguments, arguments.run_dir, channel, tls)
            except SmartrouterError as error:
                channel.answer(first.id, error=str(error))
                return 1
            channel.answer(first.id)
            asyncio.run(web.run())
        except Gone:
            log.error("the supervisor is gone")
            return 1
    return 0


def _own_share(path: str) -> dict[str, Any]:
    config = load(path)
    if config.web is None:
        raise Unavailable(f"{path} has no `config web`: add that line to have a web interface")
    from smartrouter.linux import interfaces  # the supervisor says, where there is one

    found = interfaces.find(config.main.network, config.main.device, config.main.iot_network)
    return {"config": config.to_share("web"), "lan": list(found.lan), "iot": list(found.iot)}


def _prepare() -> None:
    """Read what is ours to read."""
    give_back_what_is_large()
    registrable_domain("example.com")
    assets.assets()
    render.load()


def _drop_rights() -> None:
    privileges.drop(privileges.service_user(), keep_net_admin=False)
    if why := seccomp.install(seccomp.NETWORK):
        log.warning("no filter of system calls: %s", why)


def _files() -> list[Region]:
    """What is in memory of programs and libraries: most of it was needed once, to begin."""
    try:
        with open("/proc/self/smaps", encoding="ascii", errors="replace") as smaps:
            return list(unchanged_files(smaps))
    except OSError:
        return []


def _tls(share: dict[str, Any]) -> ssl.SSLContext | None:
    """The certificate, which only root may read."""
    web = Config.from_share(share["config"]).web or WebConfig()
    names = {*own_names(socket.gethostname()), *web.host}
    addresses = {
        str(local.prefix.ip)
        for local in local_addresses.addresses()
        if local.interface in share["lan"] and not local.link_local
    }
    return certificate.context(web, names, addresses, time.time())


def _first(channel: Channel) -> Request | None:
    """The first configuration; None if we are told to end before."""
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    while not ended:
        channel.beat()
        poll.poll(TURN * 1000)
        for request in channel.requests():
            if request.do == "configure":
                return request
            channel.answer(request.id, error="the web interface is starting")
    return None


class _Web:
    """The running web interface."""

    def __init__(
        self, share: dict[str, Any], run_dir: str, channel: Channel | None, tls: ssl.SSLContext | None
    ):
        self._site = Site(share, run_dir)
        self._channel = channel
        self._server = Server(make_app(self._site), self._site.lets_in)
        self._tls = tls
        self._files = _files()
        self._said: list[str] = []  # what went wrong at the last look around
        self._told: dict[str, object] = {}  # to the supervisor
        self._changed = asyncio.Event()
        self._lost: BaseException | None = None

    async def run(self) -> None:
        """Serve until a signal or the channel's end."""
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        give_back()  # what importing and starting took
        let_go(self._files)
        tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._keep())]
        if self._channel is not None:
            loop.add_reader(self._channel.fileno(), self._hear)
            tasks.append(asyncio.create_task(self._beat(self._channel)))
        try:
            await self._server.serve()
        finally:
            for task in tasks:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks, return_exceptions=True)
        if self._lost is not None:
            raise self._lost

    def _end(self) -> None:
        feed_of(self._site).close()
        self._server.should_exit = True

    async def _beat(self, channel: Channel) -> None:
        """Say that the event loop turns."""
        while True:
            channel.beat()
            await asyncio.sleep(TURN)

    async def _keep(self) -> None:
        """Note now and then who was here; and keep no memory that pages needed."""
        for turn in itertools.count(1):
            await asyncio.sleep(TRIM_EVERY)
            give_back()
            if turn % LET_GO_EVERY == 0:
                let_go(self._files)
            if turn % KEEP_EVERY == 0:
                await self._site.keep_sessions()

    async def _follow(self) -> None:
        """Listen where we should, wherever addresses go."""
        while True:
            await self._look_around()
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), LOOK_AROUND)

    async def _look_around(self) -> None:
        site = self._site
        try:
            wanted = places(
                site.web.listen, site.lan, site.iot, site.web.allow_from, site.neighbourhood.local()
            )
            problems = await self._server.listen(wanted, self._tls)
        except SmartrouterError as error:
            problems = [str(error), *await self._server.listen((), self._tls)]
        for problem in problems:
            if problem not in self._said:
                log.error("%s", problem)
        self._said = problems
        self._tell()

    def _tell(self) -> None:
        """Have the supervisor know where we are, for `smartrouter status`."""
        told: dict[str, object] = {
            "urls": self._server.urls,
            "problems": self._said,
            "setup_code": "" if self._site.web.password_hash else self._site.setup.code,
        }
        if told != self._told:
            self._told = told
            if told["setup_code"]:
                log.info("no password yet: the set-up code is %s", told["setup_code"])
            if self._channel is not None:
                self._channel.tell("serving", **told)

    def _hear(self) -> None:
        """The supervisor says something."""
        assert self._channel is not None  # noqa: S101 - only then this is called
        try:
            for request in self._channel.requests():
                try:
                    self._channel.answer(request.id, self._answer(request))
                except SmartrouterError as error:
                    self._channel.answer(request.id, error=str(error))
        except Exception as error:
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            self._lost = error
            self._end()

    def _answer(self, request: Request) -> dict[str, Any]:
        match request.do:
            case "configure":
                before = self._site.web
                self._site.configure(request.arguments)
                now = self._site.web
                if (before.tls, before.certificate, before.key) != (now.tls, now.certificate, now.key):
                    log.info("another certificate, which only root may read: starting anew")
                    self._end()
                self._changed.set()
                return {}
            case do:
                raise Unavailable(f"the web interface cannot do {do!r}; is another version running?")
