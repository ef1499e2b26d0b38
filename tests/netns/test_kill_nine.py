# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 of every process, over and over, under load, while rules come and go and a device learns.

They die in turns, each round in an order of its own: a part that dies more often than thirty times a minute
would come back later and later, and none does so here. `ROUNDS=100` kills each of them two hundred times; the
figures of that are in docs/reliability.md.
"""

import os
import re
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from http.client import HTTPException
from math import inf
from pathlib import Path
from random import Random
from statistics import median
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any, NamedTuple, Self

import pytest
from netns.faults import part_pid
from netns.guard_lab import NAMES, STRANGER, VERSIONS, Home, alive, eventually, home, processes_mentioning
from netns.soak import Traffic
from netns.test_web import Browser

from smartrouter.config import uci
from smartrouter.core.errors import SmartrouterError
from smartrouter.lab.traffic import Result

pytestmark = [pytest.mark.netns, pytest.mark.timeout(3600)]

PARTS = ("supervisor", "guard", "analyzer", "web")
MINUTE = 60.0  # seconds of learning that a kill may cost
FRESH = {f"fresh-{number}.example": [f"2001:db8:77::{number:x}"] for number in range(1, 3001)}
BACK = 60.0  # seconds until all run again, on a machine that is not ours alone
_MANY_RULES = 20


class Background:
    """Something that is done over and over while the block lasts."""

    def __init__(self) -> None:
        self._over = Event()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self.do()):
            pass

    def do(self) -> float:
        """Once; gives the seconds until the next time."""
        raise NotImplementedError


class Rules(Background):
    """Rules that are made and taken back, by socket and by command: what was acknowledged, and what nobody
    knows, because the answer never came."""

    def __init__(self, found: Home) -> None:
        super().__init__()
        self._home = found
        self._number = 0
        self.acknowledged = 0
        self.there: list[str] = []
        self.gone: set[str] = set()
        self.unsure: set[str] = set()

    def do(self) -> float:
        self._number += 1
        name = f"rule-{self._number}.example"
        if len(self.there) > _MANY_RULES:
            gone = self.there.pop(0)
            self._note(self._asked("remove-rule", gone), gone, self.gone.add)
        self._note(self._by_command(name) if self._number % 8 == 0 else self._asked("allow", name),
                   name, self.there.append)  # fmt: skip
        return 0.1

    def _note(self, was_acknowledged: bool, name: str, note: Callable[[str], None]) -> None:
        self.acknowledged += was_acknowledged
        (note if was_acknowledged else self.unsure.add)(name)

    def _asked(self, do: str, name: str) -> bool:
        try:
            self._home.ask(do, device=self._home.camera.mac, destination=name)
        except SmartrouterError:
            return False
        return True

    def _by_command(self, name: str) -> bool:
        return self._home.product.command("allow", self._home.camera.mac, name).returncode == 0

    def assert_kept(self) -> None:
        """Whatever was acknowledged is in the configuration, and nothing that was taken back."""
        written = _rules(self._home)
        assert max(Counter(written).values(), default=1) == 1
        assert set(self.there) <= set(written), sorted(set(self.there) - set(written))
        assert set(written) <= {*self.there, *self.unsure}, sorted(self.gone & set(written))


class Visits(Background):
    """A device that learns: every second a destination that is new to it."""

    def __init__(self, found: Home) -> None:
        super().__init__()
        self._home = found
        self._names = iter(FRESH)
        self.made: list[tuple[str, float, float]] = []  # name, and from when to when

    def do(self) -> float:
        name, begun = next(self._names), monotonic()
        answer = self._home.tv.resolve(name, "AAAA", timeout=1.0)
        if answer.addresses and self._home.tv.connect(answer.addresses[0], 443, timeout=3.0).ok:
            self.made.append((name, begun, monotonic()))
        return 1.0


class Guarded(NamedTuple):
    """From when to when a guard was there, as far as we can tell."""

    since: float
    until: float

    def saw(self, begun: float, ended: float) -> bool:
        return self.since <= begun and ended <= self.until


def seen_of(visits: Visits, guarded: list[Guarded]) -> int:
    """How many visits a guard saw from beginning to end."""
    return sum(each.saw(begun, ended) for _, begun, ended in visits.made for each in guarded)


def _rules(found: Home) -> list[str]:
    sections = uci.parse(found.product.config.read_text())
    return [str(each.options["destination"]) for each in sections if each.type == "rule"]


def learned(found: Home) -> set[str]:
    """What the TV has learned, as far as it is stored."""
    rows = found.product.rows(
        "SELECT name FROM learned JOIN devices ON devices.id = learned.device WHERE mac = ?", found.tv.mac
    )
    return {row[0] for row in rows}


def assert_sound(found: Home) -> None:
    """The files of the guard and of the web interface are whole, and none was set aside."""
    folder = found.product.database.parent
    for path in (found.product.database, folder / "web.db"):
        if path.exists():
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10.0)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)], path
    assert not list(folder.glob("*.corrupt-*"))


def holdings(found: Home) -> dict[str, Any]:
    """What a process could leave behind: processes, open files, sockets, tables, queues, files."""
    status = found.status()
    pids = {"supervisor": int(status["pid"])} | {part["name"]: int(part["pid"]) for part in status["parts"]}
    unix = found.router.run(["cat", "/proc/net/unix"]).stdout
    queues = found.router.run(["cat", "/proc/net/netfilter/nfnetlink_queue"]).stdout
    folders = (found.product.config.parent, found.product.run_dir, found.product.database.parent)
    files = {str(path) for folder in folders for path in folder.iterdir()}
    return {
        "processes": len(processes_mentioning(str(found.product.config))),
        "descriptors": {name: len(os.listdir(f"/proc/{pid}/fd")) for name, pid in pids.items()},
        "sockets": unix.count(str(found.product.run_dir)),
        "tables": found.router.run(["nft", "list", "tables"]).stdout,
        "queues": len(queues.splitlines()),
        "files": {path for path in files if not re.search(r"-(wal|shm|journal)$", path)},
    }


def assert_nothing_is_left(found: Home, before: dict[str, Any]) -> None:
    """But for what the first alert, and the first session, make."""
    made = {str(found.product.database.with_name(name)) for name in ("alerts.txt", "web.db")}
    same = ("processes", "sockets", "tables", "queues")

    def as_before() -> bool:
        now = holdings(found)
        files = now["files"] <= before["files"] | made
        held = all(count <= before["descriptors"][name] + 4 for name, count in now["descriptors"].items())
        return files and held and all(now[what] == before[what] for what in same)

    assert eventually(as_before, 30.0), {
        what: (before[what], holdings(found)[what]) for what in (*same, "files", "descriptors")
    }


def pid_of(found: Home, name: str) -> int:
    return int(found.status()["pid"]) if name == "supervisor" else part_pid(found, name)


def all_run(found: Home) -> bool:
    """Do all four, and is the web interface there to look at?"""
    with suppress(SmartrouterError, OSError, HTTPException):
        status = found.status()
        up = all(part["state"] == "running" and alive(int(part["pid"])) for part in status["parts"])
        return up and status["guard"]["running"] and Browser(found.phone).get("/login").status in (200, 303)
    return False


def until_all_run(found: Home) -> bool:
    """Do they soon?"""
    end = monotonic() + BACK
    while monotonic() < end:
        if all_run(found):
            return True
        sleep(0.1)
    return False


def kill(found: Home, name: str, chance: Random) -> int:
    """Kill a process, every other time its successor too while it starts; gives how many that were. Every
    other supervisor takes with it who does something for it, such as writing the configuration."""
    pid, killed = pid_of(found, name), 1
    others = _errands(found, pid) if name == "supervisor" and chance.random() < 0.5 else []
    for each in (pid, *others):
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    again = chance.random() < 0.5
    if name != "supervisor":
        assert eventually(lambda: not alive(pid))
        if again and (successor := _successor(found, name, pid)):
            sleep(chance.random() * 0.3)
            with suppress(ProcessLookupError):
                os.kill(successor, signal.SIGKILL)
                killed += 1
        return killed
    product = found.product
    assert product.process is not None
    product.process.wait()
    if again:
        with product.log.open("ab") as log:
            product.process = found.router.popen(product._argv("run"), stdout=log, stderr=log)
        sleep(chance.random())
        product.process.kill()
        product.process.wait()
        killed += 1
    product.start(timeout=BACK)
    return killed


def _errands(found: Home, supervisor: int) -> list[int]:
    """The children of the supervisor that are none of the parts."""
    parts = {int(part["pid"] or 0) for part in found.status()["parts"]}
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return [pid for pid in map(int, children) if pid not in parts]


def _successor(found: Home, name: str, before: int) -> int:
    """The process that takes over, as soon as there is one."""

    def pid() -> int:
        part = next(part for part in found.status()["parts"] if part["name"] == name)
        return int(part["pid"] or 0)

    eventually(lambda: pid() not in (0, before))
    return 0 if pid() == before else pid()


def test_whatever_is_killed_however_often_the_store_is_whole_and_no_decision_is_lost(
    rounds: Callable[[int], int], record_property: Callable[[str, object], None]
) -> None:
    chance, killed, back = Random(9), Counter[str](), dict[str, list[float]]()
    with home(more="config web\n", names={**NAMES, **FRESH}) as found:
        for version in VERSIONS:
            assert found.visit(found.camera, "cloud.maker.example", version).ok
        found.protect(found.camera)
        assert found.visit(found.camera, "stranger.example").result == Result.REFUSED
        assert until_all_run(found)
        assert eventually(lambda: (STRANGER[0], "stranger.example") in found.told(found.camera))
        before, known, guarded, up_since = holdings(found), set[str](), list[Guarded](), monotonic()
        with Traffic(found.camera) as traffic, Rules(found) as rules, Visits(found) as visits:
            while min(killed[name] for name in PARTS) < rounds(2):
                for name in chance.sample(PARTS, len(PARTS)):
                    sleep(chance.random() / 2)
                    known |= learned(found)
                    begun = monotonic()
                    killed[name] += kill(found, name, chance)
                    if name in ("guard", "supervisor"):
                        guarded.append(Guarded(up_since, begun))
                    assert until_all_run(found), found.product.last_words(40)
                    back.setdefault(name, []).append(monotonic() - begun)
                    if name in ("guard", "supervisor"):
                        up_since = monotonic()
                    assert found.camera.connect(STRANGER[0], 443).result == Result.REFUSED
                    assert known <= learned(found), f"forgotten with the {name}: {known - learned(found)}"
                    assert_sound(found)
            guarded.append(Guarded(up_since, inf))
            assert eventually(lambda: seen_of(visits, guarded) > len(killed), BACK)
        assert not traffic.wrong
        guarded[-1] = Guarded(up_since, monotonic() + MINUTE)
        seen = [(name, each.until - ended) for name, begun, ended in visits.made for each in guarded
                if each.saw(begun, ended)]  # fmt: skip
        eventually(lambda: {name for name, _ in seen} <= learned(found))
        lost = {name: age for name, age in seen if name not in learned(found)}
        assert max(lost.values(), default=0.0) < MINUTE, lost
        rules.assert_kept()
        assert rules.acknowledged > sum(killed.values())
        rules.do()  # undisturbed: whoever was killed while he wrote left half a file
        assert_nothing_is_left(found, before)
        figures = {
            "killed": dict(killed),
            "back": {name: f"{median(took):.1f} s, at most {max(took):.1f}" for name, took in back.items()},
            "connections": traffic.attempts, "rules": rules.acknowledged, "unsure": len(rules.unsure),
            "learned": len(seen), "lost": len(lost), "oldest lost": round(max(lost.values(), default=0.0), 1),
        }  # fmt: skip
        record_property("figures", figures)
        print(figures)
        assert found.product.stop() == 0
        assert not found.product.has_table()
        assert not processes_mentioning(str(found.product.config))
        assert not list(Path(found.product.run_dir).glob("*"))
