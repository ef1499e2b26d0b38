# SPDX-License-Identifier: GPL-2.0-or-later
"""What every handler gets, as `request.app.state.site`: the configuration's share, the store, the running
smartrouter. Knows no request and no page.
"""

import logging
import os
import socket
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import anyio
import anyio.to_thread

from smartrouter.config import Config, WebConfig
from smartrouter.control import ask
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.core.inert import inert
from smartrouter.core.policy import Settings
from smartrouter.store.connect import reading
from smartrouter.web import passwords, tokens
from smartrouter.web.ledger import Ledger, Line
from smartrouter.web.lockout import Lockout
from smartrouter.web.origins import Origins, own_names
from smartrouter.web.sessions import Sessions
from smartrouter.web.settingup import SetUp
from smartrouter.web.tokens import Token
from smartrouter.web.visitors import Neighbourhood, Visitor

log = logging.getLogger("smartrouter.web")

PATIENCE = 20.0  # seconds: a slow router writes its configuration through `uci`
STATUS_PATIENCE = 3.0
FRESH = 2.0  # seconds that a status is as good as new
_MOST_GUESSES = 4  # logins that wait for their turn
_ASKING = 4  # threads that wait for answers at most; others wait for their turn


class Site:
    """See the module. One for the process; handlers in threads read it, the event loop alone changes it."""

    def __init__(self, share: Mapping[str, Any], run_dir: str, clock: Callable[[], float] = time.time):
        """`share`: as the supervisor sends it. `clock`: seconds since the epoch."""
        self.run_dir = run_dir
        self.clock = clock
        self.status: Mapping[str, Any] = {}  # as `smartrouter status` asks for it, or {"error": TEXT}
        self._status_at = float("-inf")
        self._asking: anyio.CapacityLimiter | None = None
        self._guessing: anyio.CapacityLimiter | None = None
        self._choosing = False  # is a first password being written?
        self.lockout = Lockout()
        self.web = WebConfig()
        self.sessions = Sessions()
        self.changing = ("", "")  # key of the session that changes the password, and stays; and to what hash
        self.configure(share)
        self.ledger = Ledger(os.path.dirname(self.config.main.database))
        self.sessions = Sessions(self.ledger.sessions(self.web.password_hash))
        self.setup = SetUp()

    def configure(self, share: Mapping[str, Any]) -> None:
        """Take another share. Raises BadConfig, and then the old one stays."""
        config = Config.from_share(share["config"])
        before, after = self.web.password_hash, config.web.password_hash if config.web else ""
        if before and before != after:
            key, chosen = self.changing
            self.sessions.close_all(but=key if chosen == after else "")
        self.config: Config = config
        self.settings: Settings = config.settings(frozenset())
        self.web = config.web or WebConfig()
        self.lan: tuple[str, ...] = tuple(share["lan"])  # names of interfaces
        self.iot: tuple[str, ...] = tuple(share["iot"])
        self.share = share
        self.tokens: list[Token] = tokens.read(self.web.token)
        self.neighbourhood = Neighbourhood(self.lan, self.web.allow_from, self.iot_only)

    @property
    def iot_only(self) -> tuple[str, ...]:
        """Interfaces on which everything is watched, where there are others."""
        return self.iot if set(self.lan) - set(self.iot) else ()

    @property
    def origins(self) -> Origins:
        """The names and addresses by which we may be called."""
        names = own_names(socket.gethostname()) | frozenset(self.web.host)
        return Origins(names, [str(each.prefix.ip) for each in self.neighbourhood.local()])

    def lets_in(self, client: str) -> bool:
        """May this address talk to us?"""
        return self.neighbourhood.lets_in(client)

    async def note(self, scope: Mapping[str, Any], who: str, what: str, about: str, outcome: str) -> None:
        """Write a line of the audit log, and of our own."""
        line = Line(self.clock(), who, self.visitor(scope).address, what, about, outcome)
        log.info("%s", " ".join(f"{name}={inert(text)!r}" for name, text in line.told()))
        await anyio.to_thread.run_sync(self.ledger.write, line)

    async def keep_sessions(self) -> None:
        """Have those that there are survive us."""
        sessions = self.sessions.all(self.clock())
        await anyio.to_thread.run_sync(self.ledger.keep_sessions, sessions, self.web.password_hash)

    def visitor(self, scope: Mapping[str, Any]) -> Visitor:
        """Who makes the request with this scope."""
        return self.neighbourhood.visitor((scope.get("client") or ("", 0))[0])

    def source_of(self, scope: Mapping[str, Any]) -> str:
        """What a failure of whoever makes this request is counted under."""
        return self.visitor(scope).source

    def store(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection that cannot write, for one thread. Raises Unavailable, also for trouble in its use:
        let it pass, and the reader gets a page that says so."""
        return reading(self.config.main.database)

    async def ask(self, request: Mapping[str, object], patience: float = PATIENCE) -> dict[str, Any]:
        """Ask the running smartrouter, see `control.ask`; the event loop goes on meanwhile.

        Raises Unavailable, and SmartrouterError with its own words if it refuses.
        """
        if self._asking is None:
            self._asking = anyio.CapacityLimiter(_ASKING)
        return await anyio.to_thread.run_sync(ask, self.run_dir, request, patience, limiter=self._asking)

    async def is_password(self, given: str) -> bool:
        """Is it the password? One guess at a time: each takes 8 MiB, and a processor for a while."""
        if self._guessing is None:
            self._guessing = anyio.CapacityLimiter(1)
        if self._guessing.statistics().tasks_waiting >= _MOST_GUESSES:
            raise Unavailable("too many log in at once: try again in a moment")
        kept = self.web.password_hash
        return await anyio.to_thread.run_sync(passwords.is_right, given, kept, limiter=self._guessing)

    async def hashed(self, password: str) -> str:
        """What is kept of a password."""
        return await anyio.to_thread.run_sync(passwords.hashed, password)

    async def set_first_password(self, kept: str) -> None:
        """Have the hash of the first password written. Of two at once, the first counts. Raises
        SmartrouterError."""
        if self._choosing or self.web.password_hash:
            raise Unavailable(
                "somebody has chosen a password just now: if that was not you, set another one "
                "with `smartrouter web --set-password`"
            )
        self._choosing = True
        try:
            await self.ask({"do": "set-password", "hash": kept})
            self.web = self.web.replace(password_hash=kept)
        finally:
            self._choosing = False

    async def refresh(self) -> None:
        """Have `status` not older than FRESH seconds."""
        now = time.monotonic()
        if now - self._status_at < FRESH:
            return
        self._status_at = now
        try:
            self.status = await self.ask({"do": "status"}, STATUS_PATIENCE)
        except SmartrouterError as error:
            self.status = {"error": str(error)}

    def outdated(self) -> None:
        """What was asked for has changed something: `status` is not as it was."""
        self._status_at = float("-inf")
