# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests with hostile devices look at: no part of the product ends, fails or grows, every packet
is accounted for, and that other devices notice nothing.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from statistics import median
from time import sleep

from netns.guard_lab import Background, Home, eventually
from netns.soak import Sample, sample
from tries import slowness

from smartrouter.lab.hosts import Host

ROOM = {"supervisor": 4 << 20, "guard": 48 << 20, "analyzer": 16 << 20, "web": 4 << 20}
"""Bytes by which each part may grow under attack: what its bounded memories hold, and no more."""
SLOWEST = 250.0  # milliseconds that half of another device's visits may take; they take ten
PATIENCE = 60.0  # seconds until all has been judged, stored and counted


class Visits(Background):
    """A device that asks for `name` and connects there, over and over; it only connects where that is an
    address, and only asks without `connecting`."""

    def __init__(
        self, home: Home, device: Host, name: str = "cloud.maker.example", *, connecting: bool = True
    ) -> None:
        super().__init__()
        self._home, self._device, self._name = home, device, name
        self._connecting = connecting
        self.waits: list[float] = []
        """Milliseconds that each took, from the question on."""
        self.failed: list[str] = []

    def visit(self) -> None:
        """One of them."""
        address, took = self._name, 0.0
        if not _is_address(address):
            answer = self._device.resolve(self._name, timeout=3.0)
            if not answer.addresses:
                self.failed.append(f"{self._name}: {answer.status}")
                return
            address, took = answer.addresses[0], answer.ms
        if self._connecting:
            outcome = self._device.connect(address, 443, timeout=8.0)
            took += outcome.ms
            if not outcome.ok:
                self.failed.append(f"{self._name}: {outcome.result} after {outcome.ms:.0f} ms")
        self.waits.append(took)

    def _run(self) -> None:
        while not self._over.is_set():
            self.visit()
            sleep(0.02)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Within, it does so; afterwards, it was served all the time."""
        with super().going_on():
            yield
        self.assert_served()

    def assert_served(self) -> None:
        """Its visits went well, and half of them were quick. Where others work on the machine, too, one may
        have had to wait for too long."""
        assert len(self.failed) <= len(self.waits) // 10, self.failed[:5]
        assert self.waits
        assert median(self.waits) < SLOWEST * slowness(), sorted(self.waits)


@contextmanager
def unharmed(home: Home) -> Iterator[None]:
    """Whatever happens within: afterwards the same processes run, with no fault of ours and nothing left in
    their hands; the store is whole, and every packet is accounted for."""
    assert eventually(lambda: all(processes(home).values()), PATIENCE), home.product.last_words()
    before, pids = steady(home), processes(home)
    faults = home.status()["guard"]["faults"]
    yield
    assert processes(home) == pids, home.product.last_words()
    assert home.status()["guard"]["faults"] == faults, home.product.last_words()
    assert_drained(home)
    found: list[str] = []

    def settled() -> bool:
        found[:] = growth(before, sample(home))
        return not found

    assert eventually(settled, PATIENCE), found
    assert eventually(lambda: home.product.json("status")["unaccounted"] == 0, PATIENCE), home.status()
    with closing(sqlite3.connect(f"file:{home.product.database}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def steady(home: Home) -> Sample:
    """What the parts take, once they open nothing more: who has just begun is still about to."""
    found: list[Sample] = [sample(home)]

    def is_steady() -> bool:
        sleep(0.5)
        found.append(sample(home))
        return found[-1].descriptors == found[-2].descriptors

    assert eventually(is_steady, PATIENCE), found[-2:]
    return found[-1]


def _is_address(text: str) -> bool:
    return text[-1].isdigit()


def processes(home: Home) -> dict[str, int]:
    """Their numbers, by part."""
    status = home.status()
    return {"supervisor": status["pid"]} | {part["name"]: part["pid"] for part in status["parts"]}


def growth(before: Sample, after: Sample) -> list[str]:
    """Which parts have grown beyond their ROOM, or keep descriptors."""
    found = [
        f"{name} takes {after.memory[name] >> 10} KiB, and took {took >> 10}"
        for name, took in before.memory.items()
        if after.memory[name] > took + ROOM[name]
    ]
    return found + [
        f"{name} has {after.descriptors[name]} descriptors, and had {had}"
        for name, had in before.descriptors.items()
        if after.descriptors[name] > had + 4
    ]


def assert_drained(home: Home) -> None:
    """No packet waits in a queue any more."""
    assert eventually(
        lambda: not any(queue["waiting"] for queue in home.status()["queues"].values()), PATIENCE
    ), home.status()["queues"]


def judged(home: Home) -> int:
    """How many packets the guard has judged."""
    return sum(home.judged().values())
