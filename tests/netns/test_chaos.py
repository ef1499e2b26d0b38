# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults that come over and over, or from within, and clocks that jump: what must hold through all of it."""

import os
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from statistics import median
from tempfile import gettempdir
from time import monotonic, sleep

import pytest
from netns.faults import part_pid
from netns.guard_lab import (
    KNOWN,
    NAMES,
    PATIENCE,
    STRANGER,
    Background,
    Home,
    alive,
    eventually,
    learned_home,
    opened,
    resent,
)
from tries import slowness

import smartrouter
from smartrouter.config import uci
from smartrouter.lab import packets, traffic
from smartrouter.lab.hosts import Host
from smartrouter.lab.traffic import Result

pytestmark = pytest.mark.netns


def assert_sound(home: Home) -> None:
    """The store is whole."""
    with closing(sqlite3.connect(f"file:{home.product.database}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert not list(home.product.database.parent.glob("*.corrupt-*"))


def ends(pid: int) -> bool:
    """Does this process end soon?"""
    return eventually(lambda: not alive(pid))


def another_guard_runs(home: Home, pid: int) -> bool:
    """Is there soon a guard that is not `pid`?"""
    return eventually(lambda: part_pid(home, "guard") != pid)


class Load(Background):
    """A device that connects all the time, and how that went: results, and how many SYNs were sent again."""

    def __init__(self, device: Host, address: str) -> None:
        super().__init__()
        self._device, self._address = device, address
        self.results: Counter[Result] = Counter()
        self._before = resent(device)

    @property
    def resent(self) -> int:
        return resent(self._device) - self._before

    def _run(self) -> None:
        while not self._over.is_set():
            self.results[self._device.connect(self._address, 443, timeout=PATIENCE).result] += 1


# -- death, over and over ------------------------------------------------------------------------------


def test_a_guard_that_is_killed_over_and_over_costs_a_retransmitted_packet_each_time(
    rounds: Callable[[int], int],
) -> None:
    """And what is known, or under way, nothing at all."""
    with learned_home({"mode": "monitor"}) as home:
        assert home.visit(home.tv, "stranger.example").ok
        assert eventually(lambda: (STRANGER[0], "stranger.example") in home.told(home.tv))
        learned = home.product.rows("SELECT device, name, service FROM learned")

        def passes_in_the_kernel() -> bool:
            before = home.counters()["known"]
            return home.camera.connect(KNOWN[0], 443).ok and home.counters()["known"] > before

        assert eventually(passes_in_the_kernel)
        known, unknown = Load(home.camera, KNOWN[0]), Load(home.tv, STRANGER[0])
        took, costs = [], []
        with opened(home.camera, KNOWN[1]) as old, known.going_on(), unknown.going_on():
            for _ in range(rounds(5)):
                pid = part_pid(home, "guard")
                begun, before = monotonic(), unknown.resent
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pytest.fail(f"the guard has ended by itself: {home.product.last_words(60)}")
                assert ends(pid)
                assert another_guard_runs(home, pid)
                took.append(monotonic() - begun)
                assert traffic.say(old, b"still there", PATIENCE).answer == b"still there"
                costs.append(unknown.resent - before)
        assert set(known.results) == {Result.CONNECTED}, home.product.last_words()
        assert set(unknown.results) == {Result.CONNECTED}
        # Other work on the machine costs time, but not each time.
        assert min(took) < 1.0 * slowness(), took
        assert known.resent == 0
        assert median(costs) <= 1, costs
        assert home.product.rows("SELECT device, name, service FROM learned") == learned
        assert_sound(home)


def test_whatever_is_killed_no_acknowledged_rule_and_nothing_learned_is_lost(
    rounds: Callable[[int], int],
) -> None:
    chance = Random(7)
    with learned_home() as home:
        home.store()
        learned = home.product.rows("SELECT device, name, service FROM learned ORDER BY 1, 2, 3")
        acknowledged = []
        for number in range(rounds(6)):
            victim = ("guard", "analyzer", "supervisor")[number % 3]
            pid = int(home.status()["pid"]) if victim == "supervisor" else part_pid(home, victim)
            name = f"allowed-{number}.example"
            home.ask("allow", device=home.camera.mac, destination=name)
            acknowledged.append(name)
            sleep(chance.random() * 0.05)
            os.kill(pid, signal.SIGKILL)
            assert ends(pid)
            if victim == "supervisor":
                assert home.product.process is not None
                home.product.process.wait()
                home.product.start()
            assert home.camera.connect(KNOWN[0], 443).ok
            assert_sound(home)
        sections = uci.parse(home.product.config.read_text())
        rules = [section for section in sections if section.type == "rule"]
        assert [section.options["destination"] for section in rules] == acknowledged
        part_pid(home, "guard")
        assert home.product.rows("SELECT device, name, service FROM learned ORDER BY 1, 2, 3") == learned


# -- faults of our own ---------------------------------------------------------------------------------

EVERY_TENTH = """
import os
import smartrouter.core.judge as judge
handle, count = judge.Judge.handle, 0
def faulty(self, event, now):
    global count
    if type(event).__name__ == "FlowOpened" and os.path.exists({flag!r}):
        count += 1
        if count % 10 == 0:
            raise RuntimeError("a fault made on purpose")
    return handle(self, event, now)
judge.Judge.handle = faulty
"""
STRANGERS = {f"stranger-{number}.example": [f"203.0.113.{100 + number}"] for number in range(50)}


@pytest.mark.parametrize("on_failure", ["open", "closed"])
@pytest.mark.parametrize("mode", ["monitor", "enforce"])
def test_an_exception_on_every_tenth_packet_costs_that_packet_and_no_more(
    mode: str, on_failure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a packet that was not judged, `on_failure` says what becomes; of every other, the mode."""
    flag = Path(gettempdir(), f"smartrouter-fault-{os.getpid()}")  # where the guard's user can see it
    fault = EVERY_TENTH.format(flag=str(flag))
    shutil.copytree(Path(smartrouter.__file__).parent, tmp_path / "smartrouter")
    with (tmp_path / "smartrouter" / "guard" / "daemon.py").open("a") as daemon:
        daemon.write(fault)
    monkeypatch.chdir(tmp_path)  # which is where `python -m` looks first
    with learned_home({"mode": mode, "on_failure": on_failure}, names={**NAMES, **STRANGERS}) as home:
        pid, before = part_pid(home, "guard"), resent(home.camera)
        flag.touch()
        passed = [home.visit(home.camera, name).ok for name in STRANGERS]
        flag.unlink()
        again = resent(home.camera) - before  # a SYN that was sent again counts, too
        assert eventually(lambda: home.judged().get("our-error", 0) >= 5)
        guard = home.guard()
        faults = guard["judged"]["our-error"]
        assert faults <= 6 + again
        if (mode == "monitor") is (on_failure == "open"):
            assert passed == [mode == "monitor"] * 50
        else:
            assert 5 - again <= passed.count(mode != "monitor") <= faults
        assert guard["faults"] == faults
        assert part_pid(home, "guard") == pid
        assert home.camera.connect(KNOWN[0], 443).ok


# -- the clock -----------------------------------------------------------------------------------------

_FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


@pytest.mark.skipif(not _FAKETIME, reason="libfaketime is not installed (Debian: faketime)")
def test_a_clock_that_starts_in_1970_and_jumps_by_years_changes_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = tmp_path / "clock"

    def set_clock(to: str) -> None:
        clock.with_suffix(".new").write_text(f"@{to}\n")
        clock.with_suffix(".new").rename(clock)
        sleep(1.5)  # the processes look at it once a second

    set_clock("1970-01-01 00:00:10")
    clock.chmod(0o644)
    tmp_path.chmod(0o755)
    for variable, value in {
        "LD_PRELOAD": str(_FAKETIME[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }.items():
        monkeypatch.setenv(variable, value)
    with learned_home() as home:
        pids = [part["pid"] for part in home.status()["parts"]]
        for day in ("1970-01-01", "2026-11-30", "2001-01-01", "2037-12-31"):
            set_clock(to := f"{day} 12:00:00")
            assert home.camera.connect(KNOWN[0], 443).ok, to
            assert home.visit(home.camera, "stranger.example").result == Result.REFUSED, to
            assert home.visit(home.camera, "cloud.maker.example").ok, to
        status = home.whole_status()
        assert [part["pid"] for part in status["parts"]] == pids
        assert status["guard"]["devices"]["protected"] == 2
        assert not status["guard"]["store"]["trouble"]

        def is_counted() -> bool:
            """Between two clocks of one second the kernel answers for a while."""
            [alert] = [
                each for each in home.product.json("alerts") if each["destination"] == "stranger.example"
            ]
            assert alert["first"] <= alert["last"]
            return bool(alert["count"] >= 2)

        assert eventually(is_counted)
        assert_sound(home)


# -- memory and floods ---------------------------------------------------------------------------------


def test_queries_with_forged_sources_take_the_room_of_nobody_else() -> None:
    """The kernel's set of addresses whose replies are held has room for a few of each device."""
    with learned_home() as home:
        way = home.network.way_out(home.tv, "9.9.9.9")
        forged = [way._replace(source=f"192.168.77.{number}") for number in range(100, 250)]
        home.tv.send(*(packets.dns_query(each, "cloud.maker.example") for each in forged))
        assert eventually(lambda: home.judged().get("dns-query", 0) > 50), home.judged()

        def admitted() -> list[str]:
            listed = home.router.run(["nft", "list", "set", "inet", "smartrouter", "dns_clients4"]).stdout
            return [word.strip(",") for word in listed.split() if word.startswith("192.168.77.")]

        assert len(admitted()) <= 16 + 16 + 2
        assert home.visit(home.camera, "cloud.maker.example").ok
        assert home.visit(home.camera, "stranger.example").result == Result.REFUSED


@contextmanager
def memory_limit(pids: list[int], limit: int) -> Iterator[Callable[[], bool]]:
    """These processes together get no more than so many bytes. Yields: did they want more?"""
    group = Path("/sys/fs/cgroup/memory/smartrouter-test")
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup with a memory limit can be made here: {error}")
    try:
        (group / "memory.limit_in_bytes").write_text(str(limit))
        for member in pids:
            (group / "cgroup.procs").write_text(str(member))
        yield lambda: "oom_kill 0" not in (group / "memory.oom_control").read_text()
    finally:
        for left in (group / "cgroup.procs").read_text().split():
            (group.parent / "cgroup.procs").write_text(left)
        group.rmdir()


def test_the_whole_product_lives_within_its_memory_under_a_flood_of_addresses_and_names(
    rounds: Callable[[int], int],
) -> None:
    """The budgets of the supervisor, the guard and the analyzer, and what they share with others here."""
    with learned_home() as home:
        status = home.status()
        pids = [int(status["pid"]), *[int(part["pid"]) for part in status["parts"]]]
        with memory_limit(pids, (12 + 32 + 64 + 24) << 20) as was_exceeded:
            way = home.network.way_out(home.tv, "9.9.9.9")
            for start in range(0, rounds(1000), 200):
                numbers = range(start, start + 200)
                names = [f"n{number}.{'x' * 50}.example" for number in numbers]
                home.tv.send(*(packets.dns_query(way, name, ident) for ident, name in enumerate(names)))
                places = [way._replace(destination=f"198.51.100.{number % 250 + 1}") for number in numbers]
                home.tv.send(
                    *(
                        packets.syn(place, 1024 + number)
                        for number, place in zip(numbers, places, strict=True)
                    )
                )
                assert home.camera.connect(KNOWN[0], 443).ok
            assert not was_exceeded()
            after = home.status()
            assert [int(after["pid"]), *[int(part["pid"]) for part in after["parts"]]] == pids
