# SPDX-License-Identifier: GPL-2.0-or-later
"""A home as commands find it: a configuration, a store that a guard and an analyzer wrote, and a control
socket with somebody behind it who writes down what he is asked."""

import os
import select
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smartrouter.control import Peer, Reply, Server
from smartrouter.core.destinations import Destination
from smartrouter.core.effects import (
    Alert,
    Attempt,
    Effect,
    Evidence,
    Keep,
    Kind,
    Learn,
    Raise,
    Record,
    Severity,
)
from smartrouter.core.learning import Progress, Seen, State
from smartrouter.core.policy import Reason
from smartrouter.linux.privileges import User
from smartrouter.store.changes import Sighting, upsert_devices
from smartrouter.store.connect import open_writer
from smartrouter.store.writer import Writer

TV, PLUG, PHONE = "3c:2e:ff:29:4d:93", "50:c7:bf:00:fc:a3", "da:a1:19:00:00:04"
NOW = time.time()

CONFIG = """\
config smartrouter 'main'
	list device 'lo'
	option database '{database}'
	option alert_file '{folder}/alerts.txt'
config device
	option mac '{tv}'
	option name 'Living-room TV'
	option mode 'enforce'
config rule
	option device '{tv}'
	option destination 'ads.example'
	option action 'deny'
	option by 'cli:root'
config rule
	option device '*'
	option destination '198.51.100.0/24'
	option service 'web'
	option action 'allow'
	option until '2020-01-01T00:00:00Z'
"""
RUNNING: dict[str, Any] = {
    "version": "0.1.0", "pid": 4242, "uptime": 3700.0, "rss_kib": 9000, "user": "smartrouter",
    "enabled": True, "problem": "", "config": {"path": "/etc/config/smartrouter", "error": ""},
    "lan": ["br-lan"], "iot": [], "missing": [], "upstreams": [],
    "parts": [
        {"name": "guard", "pid": 1, "state": "running", "restarts": 0, "rss_kib": 24000, "problem": ""},
        {"name": "analyzer", "pid": 2, "state": "running", "restarts": 0, "rss_kib": 45000, "problem": ""},
    ],
    "queues": {"1": {"listener": 1, "waiting": 0, "dropped": 0, "user_dropped": 0, "queued": 9}},
    "guard": {
        "running": True, "mode": "monitor", "uptime": 3600.0, "paused": 0.0, "faults": 0, "mended": {},
        "devices": {"watched": 2, "new": 0, "learning": 1, "protected": 1},
        "judged": {"learned": 90, "unknown-name": 3}, "kernel": {"blocked": 2}, "store": {"trouble": ""},
    },
}  # fmt: skip


class Home:
    """See the module. `answers`: what a request's `do` is answered; without one there is an error."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.config = folder / "smartrouter"
        self.run_dir = folder / "run"
        self.run_dir.mkdir()
        self.database = str(folder / "store.db")
        self.config.write_text(CONFIG.format(database=self.database, folder=folder, tv=TV))
        self.asked: list[dict[str, Any]] = []
        self.answers: dict[str, Mapping[str, Any]] = {}
        self._server: Server | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def command(self, *arguments: str) -> list[str]:
        """The arguments of a command in this home."""
        return [arguments[0], "--config", str(self.config), "--run-dir", str(self.run_dir), *arguments[1:]]

    def fill(self, *effects: Effect) -> None:
        """Make the store: a TV that is protected, a plug that learns, a phone; and what else is given."""
        conn = open_writer(self.database)
        upsert_devices(
            conn,
            [
                sighting(TV, "tv", True, "192.168.1.20", "fe80::1", maker="Apple, Inc."),
                sighting(PLUG, "smart-plug", True, "192.168.1.21"),
                sighting(PHONE, "Pixel-8", False, "fe80::4", "192.168.1.22"),
            ],
            NOW - 60,
        )
        conn.close()
        writer = Writer(self.database)
        usual: list[Effect] = [
            Keep(TV, Progress(State.PROTECTED, 90000.0, 40, 8, 20, True, 6, 0, 1, True)),
            Keep(PLUG, Progress(State.LEARNING, 7200.0, 5, 2, 1)),
            Learn(TV, Destination("films.example", "web"), Seen(8, 20), NOW - 3600),
            attempt(TV, "a.films.example", reason=Reason.LEARNED),
            attempt(TV, "evil.example", accepted=False),
            alert(TV, "evil.example", blocked=True),
            alert(PLUG, "", address="198.51.100.99"),
        ]
        for effect in (*usual, *effects):
            writer.put(effect)
        assert writer.flush(20.0)
        writer.close()

    def run(self, **answers: Mapping[str, Any]) -> None:
        """Have somebody behind the control socket, who answers so, by `do`."""
        self.answers = answers
        self._server = Server(str(self.run_dir), User("root", os.getuid(), os.getgid()), self._handle)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let go of the socket."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(20.0)

    def _handle(self, request: dict[str, Any], _peer: Peer, reply: Reply, _now: float) -> None:
        self.asked.append(request)
        reply(self.answers.get(request["do"], {"error": "not today"}))

    def _serve(self) -> None:
        server = self._server
        assert server is not None
        while not self._stopping.is_set():
            everybody: list[Any] = [server, *server.clients]
            sources = {source.fileno(): source for source in everybody}
            poll = select.poll()
            for fd in sources:
                poll.register(fd, select.POLLIN)
            for fd, _ in poll.poll(20):
                sources[fd].ready(time.monotonic())
            server.step(time.monotonic())
        server.close()


def sighting(mac: str, hostname: str, iot: bool | None, *addresses: str, maker: str = "") -> Sighting:
    """What discovery found."""
    return Sighting(mac, hostname, maker, iot, 0.9, ("a reason",), "br-lan", False, addresses)


def attempt(
    mac: str,
    name: str,
    *,
    accepted: bool = True,
    reason: Reason = Reason.UNKNOWN_NAME,
    address: str = "198.51.100.7",
) -> Record:
    """An attempt just now."""
    evidence = Evidence.DNS if name else Evidence.NONE
    return Record(
        Attempt(
            NOW - 5, mac, "192.168.1.20", 40000, address, 443, 6, "outside", "web", name, evidence, accepted,
            reason,
        )
    )  # fmt: skip


def alert(
    mac: str,
    name: str,
    *,
    blocked: bool = False,
    address: str = "198.51.100.7",
    kind: Kind = Kind.NEW_DESTINATION,
) -> Raise:
    """An alert just now."""
    reason = Reason.UNKNOWN_NAME if name else Reason.UNKNOWN_ADDRESS
    evidence = Evidence.DNS if name else Evidence.NONE
    return Raise(
        Alert(
            NOW - 5, mac, kind, reason, Severity.WARNING, name or address, "web", name, evidence, address,
            443, 6, blocked,
        )
    )  # fmt: skip


def noted(
    mac: str,
    kind: Kind,
    reason: Reason,
    detail: str,
    *,
    severity: Severity = Severity.WARNING,
    destination: str = "",
    address: str = "",
    port: int = 0,
) -> Raise:
    """An alert just now about what a device is or does; with a `port`, about one of its attempts."""
    return Raise(
        Alert(
            NOW - 5, mac, kind, reason, severity, destination, "", "", Evidence.NONE, address, port,
            6 if port else 0, False, detail,
        )
    )  # fmt: skip
