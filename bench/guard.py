# SPDX-License-Identifier: GPL-2.0-or-later
"""The real guard, as a process of its own on the router; the measurement is its supervisor."""

import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench import home
from bench.lab import Lab
from smartrouter import config
from smartrouter.channel import Lines, decode
from smartrouter.core.effects import Effect, Keep, Learn, Name, NameAlias
from smartrouter.core.errors import Unavailable
from smartrouter.linux import privileges, process
from smartrouter.store import files
from smartrouter.store.writer import Writer
from smartrouter.supervisor.daemon import usual_parts
from smartrouter.supervisor.household import GUARD

_PATIENCE = 20.0  # seconds for an answer; a start with a large state takes one or two
_END_PATIENCE = 6.0


class Guard:
    """See the module. Starts with what `store` put into its database, and judges when the `with` block
    begins. `options`: of the configuration's main section."""

    def __init__(self, lab: Lab, database: Path, options: Mapping[str, str] | None = None):
        lines = ["config smartrouter 'main'", "\tlist device 'lan'", f"\toption database '{database}'"]
        lines += [f"\toption {name} '{value}'" for name, value in (options or {}).items()]
        for mac in home.MACS:
            lines += ["config device", f"\toption mac '{mac}'", "\toption watch 'always'"]
        self._share = {
            "config": config.from_text("\n".join([*lines, ""])).to_share("guard"),
            "lan": ["lan"],
            "iot": [],
            "upstreams": [],
        }
        self._router = lab.network.router
        self._compiled = lab.network.folder / "compiled"
        self._asked = 0
        self.pid = 0

    def __enter__(self) -> Self:
        self.start()
        try:
            self.configure()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def start(self) -> None:
        """Have its process begin."""
        # As the supervisor starts it; and as it is installed: compiled beforehand.
        (command,) = (part.command for part in usual_parts("", "") if part.name == GUARD)
        privileges.remember_service_user()
        environment = process.environment() | {"PYTHONPYCACHEPREFIX": str(self._compiled)}
        environment["PYTHONPATH"] = os.pathsep.join((process.home(), *sys.path))
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.pid, sock = self._router.inside(process.start, command, environment)
        self._lines = Lines(sock)

    def configure(self) -> None:
        """Hand it its configuration; it judges when this returns."""
        self._hear(lambda message: "beat" in message)
        self.ask("configure", **self._share)

    def end(self) -> None:
        """Have it store all it has, and end."""
        if not self.pid:
            return
        self._kill(signal.SIGTERM)
        end = time.monotonic() + _END_PATIENCE
        while not process.ended(self.pid):
            if time.monotonic() > end:
                self._kill(signal.SIGKILL)
            time.sleep(0.005)
        self._lines.close()
        self.pid = 0

    def ask(self, do: str, **arguments: object) -> dict[str, Any]:
        """A request of the supervisor's. Raises Unavailable with what it complained of."""
        self._asked += 1
        self._lines.send({**arguments, "id": self._asked, "do": do})
        answer = self._hear(lambda message: message.get("id") == self._asked)
        if "error" in answer:
            raise Unavailable(f"the guard: {answer['error']}")
        found: dict[str, Any] = answer["ok"]
        return found

    def status(self) -> dict[str, Any]:
        """What it says of itself."""
        return self.ask("status")

    def judged(self) -> int:
        """Packets that it gave a verdict on, since it began."""
        return sum(self.status()["judged"].values())

    def cpu(self) -> float:
        """Seconds of CPU that it has used (proc(5), stat)."""
        words = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self) -> float:
        """MiB of memory."""
        return process.rss_kib(self.pid) / 1024

    def _hear(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            select.select([self._lines], [], [], 1.0)
            for line in self._lines.receive():
                message = decode(line)
                if message.get("tell") == "failed":
                    raise Unavailable(f"the guard failed: {message.get('why')}")
                if wanted(message):
                    return message
        raise Unavailable(f"the guard said nothing for {_PATIENCE:.0f} s")

    def _kill(self, number: signal.Signals) -> None:
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            pass


def store(database: Path, *, destinations: int = home.DESTINATIONS) -> Path:
    """A database that an earlier guard left: all that the home's devices have learned and were told."""
    left = database.parent.parent / f"left-{destinations}.db"
    if not left.exists():
        _write(left, destinations)
    files.create(str(database), privileges.service_user().gid)
    shutil.copyfile(left, database)
    return database


def _write(database: Path, destinations: int) -> None:
    writer = Writer(str(database))
    for effect in _left(destinations):
        writer.put(effect)
        if isinstance(effect, Keep):
            writer.flush(_PATIENCE)  # device by device: what waits to be stored is bounded
    if not writer.close(_PATIENCE) or any(writer.counters()["dropped"].values()):
        raise Unavailable(f"could not make {database}: {writer.counters()}")


def _left(destinations: int) -> list[Effect]:
    at = time.time()
    effects: list[Effect] = []
    for each in home.residents(destinations):
        effects += [Learn(each.mac, destination, seen, at) for destination, seen in each.learned.items()]
        effects += [Name(each.mac, *told) for told in each.names(at)]
        effects += [NameAlias(each.mac, *led) for led in each.aliases(at)]
        effects.append(Keep(each.mac, each.progress))
    return effects
