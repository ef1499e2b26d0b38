# SPDX-License-Identifier: GPL-2.0-or-later
"""The four processes over one store: in whichever order they come up and crash, and whatever they find.

The supervisor starts the parts; each is held back here until its turn, and the next one until it runs. What
they find is made of what the crash before has left. After each start the product must work: a device that
learned is known, what it never spoke to is refused, and the alert stands in the list and on the web page.
"""

import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from http.client import HTTPException
from itertools import permutations
from pathlib import Path

import pytest
from netns.guard_lab import KNOWN, NAMES, VERSIONS, Home, alive, eventually, processes_mentioning
from netns.test_web import PASSWORD, Browser

from smartrouter.core.errors import Unavailable
from smartrouter.lab.network import Network
from smartrouter.lab.traffic import Result
from smartrouter.store import schema
from smartrouter.web.passwords import hashed

pytestmark = [pytest.mark.netns, pytest.mark.timeout(600)]

RUN = """
import os
import sys
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))  # parts load no site
from smartrouter.linux.privileges import service_user
from smartrouter.supervisor.daemon import Supervisor, usual_parts
config, run_dir, gates = sys.argv[1:]
wait = 'read -r _ < "$0"; exec "$@"'
parts = [each._replace(command=("sh", "-c", wait, f"{gates}/{each.name}", *each.command))
         for each in usual_parts(config, run_dir)]
sys.exit(Supervisor(config, run_dir, parts, service_user()).run())
"""
PARTS = ("guard", "analyzer", "web")
STARTS = tuple(permutations(PARTS))
CRASHES = tuple(permutations(("supervisor", *PARTS)))
STORES = ("kept", "none", "before", "locked")  # as it was left; of the schema before
_ALL = float(os.environ.get("ROUNDS", "1")) > 1  # else a third: each start, each store, each first to crash
CASES = [
    pytest.param(STARTS[number % 6], STORES[number // 6], crash, id=f"{STORES[number // 6]}-{number}")
    for number, crash in enumerate(CRASHES)
    if _ALL or (number % 6 + number // 6) % 3 == 0
]
UP = 60.0  # seconds until a process runs, on a machine that is not ours alone


class Four:
    """The product, whose parts come up when they are let."""

    def __init__(self, home: Home) -> None:
        self.home, self.database = home, home.product.database
        self.gates = home.network.folder / "gates"

    def start(self, order: tuple[str, ...]) -> None:
        """Start the supervisor, and then the parts, one after the other."""
        shutil.rmtree(self.gates, ignore_errors=True)
        self.gates.mkdir()
        for name in order:
            os.mkfifo(self.gates / name)
        product = self.home.product
        command: list[str | Path] = [sys.executable, "-c", RUN, product.config, product.run_dir, self.gates]
        with product.log.open("ab") as log:
            product.process = self.home.router.popen(command, stdout=log, stderr=log)
        for name in order:
            self._let(name)

    def crash(self, order: tuple[str, ...]) -> None:
        """kill -9, one after the other, with no time for anybody to come back."""
        status = self.home.status()
        pids = {part["name"]: int(part["pid"]) for part in status["parts"]}
        pids["supervisor"] = int(status["pid"])
        for name in order:
            with suppress(ProcessLookupError):  # the supervisor's end may have been the end of it
                os.kill(pids[name], signal.SIGKILL)
        process = self.home.product.process
        assert process is not None
        process.wait()
        config = str(self.home.product.config)
        assert eventually(lambda: not any(map(alive, pids.values())) and not processes_mentioning(config))

    def _let(self, name: str) -> None:
        """Have the part come up: it waits to read a pipe; who comes after it finds a file."""
        gate = self.gates / name
        assert eventually(lambda: self._open(gate), UP), self.home.product.last_words()
        gate.with_suffix(".open").touch()
        gate.with_suffix(".open").replace(gate)
        assert eventually(lambda: self._runs(name), UP), self.home.product.last_words()

    def _open(self, gate: Path) -> bool:
        with suppress(OSError):  # nobody waits there yet
            os.close(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
            return True
        return False

    def _runs(self, name: str) -> bool:
        with suppress(Unavailable):
            parts = {part["name"]: part["state"] for part in self.home.status()["parts"]}
            return bool(parts.get(name) == "running")
        return False

    def assert_whole(self) -> None:
        """The store, after a crash."""
        with closing(sqlite3.connect(self.database)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert not list(self.database.parent.glob("*.corrupt-*"))

    def remove_store(self) -> None:
        for path in self.database.parent.glob(f"{self.database.name}*"):
            path.unlink()

    def take_step_back(self) -> None:
        """Have the store be what the schema before made of it."""
        words = [statement.split() for statement in schema.STEPS[-1]]
        made = {each[2] for each in words if each[:2] == ["CREATE", "TABLE"]}
        assert {each[2] for each in words} == made, "it changes nothing else"
        with closing(sqlite3.connect(self.database, isolation_level=None)) as connection:
            for table in made:
                connection.execute(f"DROP TABLE {table}")
        self.set_schema(len(schema.STEPS) - 1)

    def set_schema(self, steps: int) -> None:
        """Have the store say that it has taken so many steps."""
        with closing(sqlite3.connect(self.database, isolation_level=None, timeout=10.0)) as connection:
            connection.execute(f"PRAGMA user_version = {steps}")

    def problem(self, name: str) -> str:
        """Why a part does not run, as the supervisor has it."""
        with suppress(Unavailable, StopIteration):
            parts = self.home.status()["parts"]
            return str(next(part["problem"] for part in parts if part["name"] == name))
        return ""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Somebody else writes, and does not come to an end."""
        with closing(sqlite3.connect(self.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    # -- what must work ----------------------------------------------------------------------------------

    def learn(self) -> None:
        """The camera learns what it needs, and is protected from then on."""
        for version in VERSIONS:
            assert self.home.visit(self.home.camera, "cloud.maker.example", version).ok
        self.home.protect(self.home.camera)

    def assert_it_works(self, since: float) -> None:
        """What was learned passes, a stranger is refused, and whoever looks sees that."""
        home = self.home
        assert home.camera.connect(KNOWN[0], 443).ok
        assert home.visit(home.camera, "cloud.maker.example", 6).ok
        assert home.visit(home.camera, "stranger.example").result == Result.REFUSED
        assert eventually(lambda: self._last_alert() >= since), home.product.last_words()
        browser = Browser(home.phone)
        assert eventually(lambda: answers(browser), UP), home.product.last_words()
        assert browser.log_in().status == 303
        assert "stranger.example" in browser.get("/inbox").text

    def _last_alert(self) -> float:
        found = [each["last"] for each in self.home.alerts(self.home.camera)
                 if each["destination"] == "stranger.example"]  # fmt: skip
        return float(max(found, default=0.0))


def answers(browser: Browser) -> bool:
    """Is the web interface there?"""
    with suppress(OSError, HTTPException):
        return browser.get("/login").status == 200
    return False


@pytest.fixture(scope="module")
def four() -> Iterator[Four]:
    more = f"config web\n\toption password_hash '{hashed(PASSWORD)}'\n"
    with Network(NAMES) as network:
        home = Home(network, {}, more)
        network.start_router_dnsmasq()
        found = Four(home)
        found.start(PARTS)
        found.learn()
        found.crash(("supervisor", *PARTS))
        yield found


@pytest.mark.parametrize(("start", "store", "crash"), CASES)
def test_in_any_order_they_come_up_and_crash_and_come_up(
    four: Four, start: tuple[str, ...], store: str, crash: tuple[str, ...]
) -> None:
    four.assert_whole()
    begun = float(int(four.home.router.run(["date", "+%s"]).stdout))
    if store == "none":
        four.remove_store()
    elif store == "before":
        four.take_step_back()
    with four.locked() if store == "locked" else nullcontext():
        four.start(start)
    if store == "none":
        four.learn()
    four.assert_it_works(begun)
    four.crash(crash)


def test_over_a_store_of_a_newer_version_it_says_what_to_do_and_touches_nothing(four: Four) -> None:
    """A downgrade: without a guard `on_failure` says what passes; once the store is ours, all goes on."""
    home, product = four.home, four.home.product
    four.set_schema(len(schema.STEPS) + 1)
    with product.log.open("ab") as log:
        product.process = home.router.popen(product._argv("run"), stdout=log, stderr=log)
    assert eventually(lambda: "newer smartrouter" in four.problem("guard"), UP), product.last_words()
    told = product.command("status")
    assert told.returncode == 1
    said = " ".join(told.stdout.split())
    assert "install that version again, or move the file away" in said, said
    browser = Browser(home.phone)
    assert eventually(lambda: answers(browser), UP), product.last_words()
    assert browser.log_in().status == 303
    assert "newer smartrouter" in browser.get("/inbox").text
    assert home.camera.connect(KNOWN[0], 443).ok
    four.assert_whole()
    four.set_schema(len(schema.STEPS))
    assert eventually(product.is_guarding, UP), product.last_words()
    four.assert_it_works(0.0)
    assert product.stop() == 0
