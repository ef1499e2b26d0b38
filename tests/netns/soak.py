# SPDX-License-Identifier: GPL-2.0-or-later
"""`make soak MINUTES=5`: the product on the lab's router, with devices that never rest and faults at random.

Every few seconds something of `faults` happens, the configuration is read again, or a device comes with a new
MAC. All the while: what is known connects, what is not is refused or reported. At the end: every packet is
accounted for, the store is whole, and memory, descriptors and the store have not grown since the first third.
"""

import os
import signal
import sqlite3
import sys
import time
from argparse import ArgumentParser
from contextlib import closing
from random import Random
from threading import Event, Thread
from typing import NamedTuple

from netns.faults import FAULTS, Fault, Setting, disk_of_its_own
from netns.guard_lab import KNOWN, NAMES, STRANGER, VERSIONS, Home, eventually

from smartrouter.lab.hosts import Host
from smartrouter.lab.network import Network
from smartrouter.lab.traffic import Result

_GROWN = 1.25  # times what it was after the first third: more is a leak
_ROOM = 4 << 20  # bytes of memory that are no leak yet
_UNFIT = {"lan-down", "guard-dead"}  # nothing can be asked of devices while these last


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
                outcome = self._device.connect(KNOWN[version == 6], 443, timeout=8.0)
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


def disturb(home: Home, chance: Random, setting: Setting) -> str:
    """Have something happen; gives what, once it is over."""
    fault: Fault = chance.choice([fault for fault in FAULTS if fault.key not in _UNFIT])
    with fault.making(home):
        time.sleep(chance.random())
    assert eventually(lambda: is_sound(home), 30.0), f"after {fault.key}: {home.product.last_words()}"
    os.kill(int(home.status()["pid"]), signal.SIGHUP)
    if setting.mode == "enforce":
        assert eventually(
            lambda: home.camera.connect(STRANGER[0], 443, timeout=1.0).result == Result.REFUSED, 10.0
        ), f"after {fault.key} a stranger passes"
    return fault.key


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
    if not eventually(lambda: not home.product.json("status")["unaccounted"], 15.0):
        found.append(f"{home.product.json('status')['unaccounted']} packets were seen by nobody")
    if faults := home.status()["guard"]["faults"]:
        found.append(f"{faults} faults of smartrouter's own")
    return found


def soak(minutes: float, seed: int) -> list[str]:
    """Run for so long; gives what is wrong at the end."""
    chance, setting = Random(seed), Setting("enforce", "open")
    end = time.monotonic() + 60 * minutes
    with Network(NAMES) as network:
        home = Home(network, {"max_size": "4M"})
        network.start_router_dnsmasq()
        with disk_of_its_own(home.product.database.parent):
            home.product.start()
            for device in (home.camera, home.tv):
                for version in VERSIONS:
                    assert home.visit(device, "cloud.maker.example", version).ok
                home.protect(device)
            home.visit(home.camera, "stranger.example")
            assert eventually(lambda: (STRANGER[0], "stranger.example") in home.told(home.camera), 10.0)
            before = None
            number = 0
            with Traffic(home.tv) as traffic:
                while time.monotonic() < end:
                    number += 1
                    what = disturb(home, chance, setting)
                    now = sample(home)
                    print(f"{number:4} {what:20} {_told(now)}", flush=True)
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
