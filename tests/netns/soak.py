# SPDX-License-Identifier: GPL-2.0-or-later
"""`make soak MINUTES=5`: the product on the lab's router, with devices that never rest and faults at random.

Every few seconds something of `faults` happens, or a part is killed, and something of `CHURN`; then the
configuration is read again. All the while what is known connects, and somebody looks at the web interface;
after each fault what is not known is refused. At the end: every rule that was acknowledged is there, every
packet is accounted for, the store is whole, and memory, descriptors and the store have not grown since the
first third.
"""

import http.client
import os
import signal
import sqlite3
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from random import Random
from threading import Event, Thread
from typing import NamedTuple

from netns.faults import FAULTS, Fault, Setting, disk_of_its_own, part_pid
from netns.guard_lab import CAMERA, KNOWN, NAMES, STRANGER, VERSIONS, Home, eventually
from netns.test_web import PORT

from smartrouter.lab.hosts import Host
from smartrouter.lab.network import Network
from smartrouter.lab.plan import HOME
from smartrouter.lab.traffic import Result

_GROWN = 1.25  # times what it was after the first third: more is a leak
_ROOM = 4 << 20  # bytes of memory that are no leak yet
_UNFIT = {"lan-down", "guard-dead"}  # nothing can be asked of devices while these last


Churn = Callable[[Home, Random], None]
_PARTS = ("guard", "analyzer", "web")
_MANY_RULES = 20


class Sample(NamedTuple):
    """What the parts take: bytes of memory and open descriptors by part, and bytes of the store's files."""

    memory: dict[str, int]
    descriptors: dict[str, int]
    store: int


class Traffic:
    """A device that connects without a rest. `wrong`: what should not have been."""

    def __init__(self, device: Host) -> None:
        self._device = device
        self._over = Event()
        self.attempts = 0
        self.wrong: list[str] = []
        self._thread = Thread(target=self._run)

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            for version in VERSIONS:
                self.attempts += 1
                outcome = self._device.connect(KNOWN[version == 6], 443)
                if not outcome.ok:
                    self.wrong.append(f"a known destination: {outcome.result} after {outcome.ms:.0f} ms")
            self._device.resolve("other.example", timeout=0.5)
            time.sleep(0.02)


def sample(home: Home) -> Sample:
    """What is taken now."""
    status = home.status()
    pids = {"supervisor": status["pid"]} | {part["name"]: part["pid"] for part in status["parts"]}
    memory = {name: _resident(pid) for name, pid in pids.items()}
    descriptors = {name: len(os.listdir(f"/proc/{pid}/fd")) for name, pid in pids.items()}
    files = home.product.database.parent.glob(f"{home.product.database.name}*")
    return Sample(memory, descriptors, sum(file.stat().st_size for file in files))


def _resident(pid: int) -> int:
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# -- what a household does meanwhile -------------------------------------------------------------------


def _new_mac(home: Home, chance: Random) -> None:
    """A device that makes MACs up."""
    home.pc.ip(f"link set eth0 address 02:00:{chance.randrange(1 << 32).to_bytes(4, 'big').hex(':')}")
    home.pc.resolve("other.example", timeout=0.5)


def _new_rule(home: Home, chance: Random) -> None:
    """One more rule; of many, one is taken back."""
    before, added = _rules(home), _made_up(chance)
    home.ask("allow", device=CAMERA, destination=added, by="cli:root")
    assert _rules(home) == before | {added}
    if len(before) > _MANY_RULES:
        gone = chance.choice(sorted(before))
        home.ask("remove-rule", device=CAMERA, destination=gone)
        assert _rules(home) == before - {gone} | {added}


def _new_names(home: Home, chance: Random) -> None:
    for _ in range(20):
        home.tv.resolve(_made_up(chance), timeout=0.2)


def _pause(home: Home, _: Random) -> None:
    home.ask("pause", seconds=1)
    time.sleep(1.5)


CHURN: Mapping[str, Churn] = {
    "new-mac": _new_mac,
    "rule": _new_rule,
    "new-names": _new_names,
    "pause": _pause,
}


def _made_up(chance: Random) -> str:
    return f"n{chance.randrange(10**6)}.example"


def _rules(home: Home) -> set[str]:
    """The destinations of the camera's rules."""
    return {each["destination"] for each in home.product.json("device", CAMERA)["rules"]}


def _look(host: Host) -> None:
    """Open the web interface. Raises OSError."""

    def get() -> None:
        connection = http.client.HTTPConnection(HOME.router4, PORT, timeout=5)
        with closing(connection):
            connection.request("GET", "/login")
            connection.getresponse().read()

    host.inside(get)


# -- faults --------------------------------------------------------------------------------------------


def disturb(home: Home, chance: Random, setting: Setting) -> str:
    """Have something happen; gives what, once it is over."""
    fault: Fault = chance.choice([fault for fault in FAULTS if fault.key not in _UNFIT])
    churn = chance.choice(sorted(CHURN))
    rules = _rules(home)
    with fault.making(home):
        time.sleep(chance.random())
        with suppress(OSError, http.client.HTTPException):  # it may be what was killed
            _look(home.phone)
    if chance.random() < 0.3:
        _kill(home, chance.choice(_PARTS))
    assert eventually(lambda: is_sound(home), 30.0), f"after {fault.key}: {home.product.last_words()}"
    assert _rules(home) == rules, f"rules are lost after {fault.key}"
    CHURN[churn](home, chance)
    os.kill(int(home.status()["pid"]), signal.SIGHUP)
    if setting.mode == "enforce":
        assert eventually(
            lambda: home.camera.connect(STRANGER[0], 443, timeout=1.0).result == Result.REFUSED
        ), f"after {fault.key} a stranger passes"
    return f"{fault.key}, {churn}"


def _kill(home: Home, name: str) -> None:
    """Kill a part, and wait for the next one."""
    pid = part_pid(home, name)
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: part_pid(home, name) != pid, 30.0), home.product.last_words()


def is_sound(home: Home) -> bool:
    """Do all parts run, and is what they see stored?"""
    status = home.status()
    running = all(part["state"] == "running" for part in status["parts"])
    return running and status["guard"]["running"] and not status["guard"]["store"]["trouble"]


def complaints(home: Home, before: Sample, after: Sample, traffic: Traffic) -> list[str]:
    """What must not be at the end."""
    found = list(traffic.wrong)
    for name, most in before.memory.items():
        if after.memory[name] > max(most * _GROWN, most + _ROOM):
            found.append(f"{name} takes {after.memory[name] >> 20} MiB, and took {most >> 20}")
        if after.descriptors[name] > before.descriptors[name] + 4:
            found.append(
                f"{name} has {after.descriptors[name]} files open, and had {before.descriptors[name]}"
            )
    with closing(sqlite3.connect(f"file:{home.product.database}?mode=ro", uri=True)) as connection:
        sound = connection.execute("PRAGMA integrity_check").fetchall()
    if sound != [("ok",)]:
        found.append(f"the store is damaged: {sound}")
    if not eventually(lambda: not home.product.json("status")["unaccounted"]):
        found.append(f"{home.product.json('status')['unaccounted']} packets were seen by nobody")
    if faults := home.status()["guard"]["faults"]:
        found.append(f"{faults} faults of smartrouter's own")
    return found


def soak(minutes: float, seed: int) -> list[str]:
    """Run for so long; gives what is wrong at the end."""
    chance, setting = Random(seed), Setting("enforce", "open")
    end = time.monotonic() + 60 * minutes
    with Network(NAMES) as network:
        home = Home(network, {"max_size": "4M"}, "config web\n")
        network.start_router_dnsmasq()
        with disk_of_its_own(home.product.database.parent):
            home.product.start()
            for device in (home.camera, home.tv):
                for version in VERSIONS:
                    assert home.visit(device, "cloud.maker.example", version).ok
                home.protect(device)
            home.visit(home.camera, "stranger.example")
            assert eventually(lambda: (STRANGER[0], "stranger.example") in home.told(home.camera))
            before = None
            number = 0
            with Traffic(home.tv) as traffic:
                while time.monotonic() < end:
                    number += 1
                    what = disturb(home, chance, setting)
                    now = sample(home)
                    print(f"{number:4} {what:32} {_told(now)}", flush=True)
                    if before is None and time.monotonic() > end - 40 * minutes:
                        before = now
                    time.sleep(chance.random() * 2)
            found = complaints(home, before or now, sample(home), traffic)
            print(f"{traffic.attempts} connections, {number} faults", flush=True)
            home.product.stop()
            if home.product.has_table():
                found.append("a table is left")
    return found


def _told(now: Sample) -> str:
    memory = ", ".join(f"{name} {size >> 20} MiB" for name, size in now.memory.items())
    return f"{memory}; store {now.store >> 10} KiB"


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    found = soak(arguments.minutes, arguments.seed)
    for complaint in found:
        print(f"WRONG: {complaint}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
