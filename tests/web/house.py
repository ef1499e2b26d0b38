# SPDX-License-Identifier: GPL-2.0-or-later
"""A house for the web interface: a configuration file, a store, and what runs behind the control socket.

Orders are carried out by the supervisor's own code, on that file; what the analyzer does with alerts is done
by the analyzer's. Only the guard is a stand-in: it says yes. The web interface is the real one, either asked
without a network, or served on the loopback address by a thread.
"""

import asyncio
import contextlib
import copy
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from starlette.testclient import TestClient
from unit.made_home import PLUG, RUNNING, TV, alert, attempt, sighting

from smartrouter.analyzer.analysis import settle
from smartrouter.analyzer.second_thoughts import open_again, see, taken_back
from smartrouter.channel import Answer
from smartrouter.config import Config, load
from smartrouter.control import Peer
from smartrouter.core.destinations import Destination
from smartrouter.core.effects import Effect, Keep, Learn
from smartrouter.core.errors import SmartrouterError
from smartrouter.core.learning import Progress, Seen, State
from smartrouter.core.policy import Reason
from smartrouter.linux.privileges import User
from smartrouter.store.changes import Sighting, note_successor, upsert_devices
from smartrouter.store.connect import open_writer
from smartrouter.store.writer import Writer
from smartrouter.supervisor.editing import take_back
from smartrouter.supervisor.household import ANALYZER, GUARD, Household
from smartrouter.supervisor.orders import Orders
from smartrouter.supervisor.relay import NO_WEB
from smartrouter.supervisor.trial import Trial
from smartrouter.web import tokens
from smartrouter.web.api.events import feed_of
from smartrouter.web.app import make_app
from smartrouter.web.serving import Server
from smartrouter.web.site import Site

PATIENCE = 20.0  # seconds for what takes milliseconds, on a machine that does something else
_NOTHING: dict[str, Any] = {"ok": {}}
_CONFIG = """\
config smartrouter 'main'
	list device 'lo'
	option database '{folder}/store.db'
	option alert_file '{folder}/alerts.txt'
config device
	option mac '{tv}'
	option name 'Living-room TV'
config rule
	option device '{tv}'
	option destination 'ads.example'
	option action 'deny'
	option by 'cli:root'
	option at '2026-11-22T12:00:00Z'
config notify
	option type 'webhook'
	option url 'https://example.net/hook-s3cret'
config web
{web}
"""


class House:
    """See the module. `asked`: what the guard was asked. `secrets`: a token for each scope, and `all`."""

    def __init__(self, folder: Path, web: str = ""):
        self.folder = folder
        self.path = folder / "smartrouter"
        self.secrets: dict[str, str] = {}
        kept = []
        for name, scopes in {**{str(s): [s] for s in tokens.Scope}, "all": list(tokens.Scope)}.items():
            self.secrets[name], text = tokens.made(name, scopes)
            kept.append(f"\tlist token '{text}'")
        self.path.write_text(_CONFIG.format(folder=folder, tv=TV, web="\n".join([*kept, web])))
        self.database = str(folder / "store.db")
        self.asked: list[dict[str, Any]] = []
        self.fill()
        self.household = _Household(self)
        self.site = _Site(self)

    def fill(self, *effects: Effect, sightings: tuple[Sighting, ...] = ()) -> None:
        """Have a TV that is protected and a plug that learns, and what else is given."""
        now = time.time()
        conn = open_writer(self.database)
        upsert_devices(
            conn,
            [
                sighting(TV, "tv", True, "192.168.1.20", "fe80::1", maker="Apple, Inc."),
                sighting(PLUG, "smart-plug", True, "192.168.1.21"),
                *sightings,
            ],
            now - 60,
        )
        conn.close()
        self.put(
            Keep(TV, Progress(State.PROTECTED, 90000.0, 40, 8, 20, True, 6, 0, 1, True)),
            Keep(PLUG, Progress(State.LEARNING, 7200.0, 5, 2, 1)),
            Learn(TV, Destination("films.example", "web"), Seen(8, 20), now - 3600),
            attempt(TV, "a.films.example", reason=Reason.LEARNED),
            attempt(TV, "evil.example", accepted=False),
            alert(TV, "evil.example", blocked=True),
            alert(PLUG, "", address="198.51.100.99"),
            *effects,
        )

    def put(self, *effects: Effect) -> None:
        """Have the guard's writer store these."""
        writer = Writer(self.database)
        for effect in effects:
            writer.put(effect)
        assert writer.flush(PATIENCE)
        writer.close()

    def share(self) -> dict[str, Any]:
        """What the web interface is told of the configuration."""
        return {"config": load(self.path).to_share("web"), "lan": ["lo"], "iot": []}

    def program(self, token: str = "all") -> TestClient:
        """A program with this token; '' has none."""
        client = TestClient(
            make_app(self.site), base_url="http://127.0.0.1:8081", client=("127.0.0.1", 50000)
        )
        if token:
            client.headers["Authorization"] = f"Bearer {self.secrets.get(token, token)}"
        return client

    @contextlib.contextmanager
    def served(self) -> Iterator[str]:
        """The web interface on the loopback address; gives its URL."""
        with _Serving(self.site) as url:
            yield url


class _Site(Site):
    """The web interface's own, but that its orders reach the supervisor's code without a socket."""

    def __init__(self, house: House):
        self._orders = Orders(cast(Household, house.household))
        self._turn = threading.Lock()
        super().__init__(house.share(), str(house.folder))
        house.household.site = self

    async def ask(self, request: Mapping[str, object], patience: float = 0.0) -> dict[str, Any]:
        return await asyncio.get_running_loop().run_in_executor(None, self._handled, dict(request))

    def _handled(self, request: dict[str, Any]) -> dict[str, Any]:
        answers: list[Answer] = []
        peer = Peer(os.getuid() + 1, frozenset())
        with self._turn:
            self._orders.handle(request, peer, lambda answer: answers.append(dict(answer)), time.monotonic())
        (answer,) = answers
        if "error" in answer:
            raise SmartrouterError(str(answer["error"]))
        return dict(answer["ok"])


class _Household:
    """What orders are carried out on."""

    problem = config_error = ""
    keeping = SimpleNamespace(problem="")
    web: Mapping[str, Any] = NO_WEB
    enabled = True

    def __init__(self, house: House):
        self._house = house
        self.site: Site | None = None
        self.config_path = str(house.path)
        self.user = User("smartrouter", os.getuid() + 1, os.getgid())
        self.found = {"around": {"lan": ["lo"], "iot": [], "missing": [], "upstreams": []}}
        self.queues: dict[int, Any] = {}
        self.relays: defaultdict[str, Any] = defaultdict(SimpleNamespace)
        self.trial = Trial()
        self.keeping = SimpleNamespace(problem="")
        self.children = {
            GUARD: SimpleNamespace(ask=self._guard),
            ANALYZER: SimpleNamespace(ask=self._analyzer),
        }

    def wanted(self) -> list[Any]:
        return []

    def change(self, write: Callable[[str], None], then: Callable[[Answer], None], _now: float) -> None:
        before = load(self.config_path)
        try:
            write(self.config_path)
        except SmartrouterError as error:
            then({"error": str(error)})
            return
        after = load(self.config_path)
        self.trial.take(after.main.mode_until, time.time(), time.monotonic())
        self._settle(before, after)
        assert self.site is not None
        self.site.configure(self._house.share())
        then({"ok": {"applied": True, "note": ""}})

    def reload(self, then: Callable[[Answer], None], now: float) -> None:
        self.change(lambda _path: None, then, now)

    def end_trial(self) -> None:
        """What the supervisor does every now and then."""
        if self.trial.is_over(time.time(), time.monotonic()):
            self.change(take_back, lambda _answer: None, 0.0)

    def _settle(self, before: Config, after: Config) -> None:
        """What becomes of alerts, as the analyzer does it."""
        conn = open_writer(self._house.database)
        try:
            open_again(conn, taken_back(before.rules, after.rules, time.time()))
            settle(conn, after.settings(frozenset()), time.time())
        finally:
            conn.close()

    def _guard(
        self, do: str, arguments: dict[str, Any], _now: float, reply: Any, _patience: float = 0
    ) -> None:
        if do != "status":
            self._house.asked.append({"do": do, **arguments})
        answers: dict[str, dict[str, Any]] = {
            "status": {**copy.deepcopy(RUNNING["guard"]), "mode": str(load(self.config_path).main.mode)},
            "pause": {"seconds": float(arguments.get("seconds", 0))},
            "learn": {"state": "protected" if arguments.get("finish") else "learning"},
            "forget": {"forgotten": 1},
        }
        reply({"ok": answers.get(do, {})})

    def _analyzer(
        self, do: str, arguments: dict[str, Any], _now: float, reply: Any, _patience: float = 0
    ) -> None:
        if do == "test_channel":
            reply(_NOTHING if arguments["name"] == "webhook" else {"error": "there is no such channel"})
            return
        conn = open_writer(self._house.database)
        try:
            if do == "succeeded":
                note_successor(conn, arguments["before"], arguments["now"])
                reply({"ok": {}})
            else:
                reply({"ok": see(conn, do, arguments["alert"], arguments["by"], time.time())})
        except SmartrouterError as error:
            reply({"error": str(error)})
        finally:
            conn.close()


class _Serving:
    """The web interface's own server in a thread."""

    def __init__(self, site: _Site):
        self._site = site
        self._server = Server(make_app(site), site.lets_in)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._problems: list[str] = []

    def __enter__(self) -> str:
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        assert not self._problems, self._problems
        (port,) = (sock.getsockname()[1] for each in self._server.servers for sock in each.sockets)
        return f"http://127.0.0.1:{port}"

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(feed_of(self._site).close)
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._problems = await self._server.listen([("127.0.0.1", 0)], None)
        self._ready.set()
        ticking = asyncio.create_task(self._tick())
        try:
            await self._server.serve()
        finally:
            ticking.cancel()

    async def _tick(self) -> None:
        household = cast(Any, self._site)._orders._household
        while True:
            await asyncio.sleep(0.1)
            household.end_trial()
