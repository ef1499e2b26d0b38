# SPDX-License-Identifier: GPL-2.0-or-later
"""What every measurement needs: the namespaces, the built programs, how much effort to make; and the turn
that several share, in which a handler drains a full queue."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import frames
from bench.network import Network
from bench.programs import Program, numbers
from smartrouter.core.errors import Unavailable
from smartrouter.linux.queue_rule import FLOWS_QUEUE

_LEAST_SHARE = 0.98  # of what was sent, that must wait in the queue: what is drained must be a full one


class Effort(NamedTuple):
    """How long to measure. `rounds`: of taking turns, fewer (but two) where they take longer than `patience`
    seconds together; `packets`: in a full queue, `forwarded`: through the
    router in a turn; `seconds`: of a steady load; `connecting`: seconds of a turn of connections. `thorough`:
    with the rows that only explain others."""

    rounds: int
    patience: float
    packets: int
    forwarded: int
    seconds: float
    connecting: float
    thorough: bool


QUICK = Effort(
    rounds=3, patience=11.0, packets=12_000, forwarded=60_000, seconds=4.0, connecting=0.2, thorough=False
)
FULL = Effort(
    rounds=7, patience=600.0, packets=15_000, forwarded=200_000, seconds=60.0, connecting=1.0, thorough=True
)


class Turn(NamedTuple):
    """A handler's turn: packets judged, CPU seconds and seconds that it took; of what it put into a store,
    the share that there was room for."""

    packets: int
    cpu: float
    wall: float
    stored: float = 1.0

    @property
    def rate(self) -> float:
        """Packets a second."""
        return self.packets / self.wall

    @property
    def cost(self) -> float:
        """Microseconds of CPU a packet."""
        return self.cpu / self.packets * 1e6


class Lab(NamedTuple):
    """See the module."""

    network: Network
    programs: dict[str, str]
    effort: Effort

    def rounds(self) -> Iterator[int]:
        """The rounds of a measurement."""
        began = time.monotonic()
        for number in range(self.effort.rounds):
            took = time.monotonic() - began
            if number >= 2 and took * (number + 1) / number > self.effort.patience:
                return
            yield number

    def c_handler(self, way: str, queue: int = FLOWS_QUEUE) -> list[str]:
        """The command of the C reference: `single` or `batch`."""
        return [self.programs["handler"], str(queue), way]

    def handler(self, what: str, reader: str, queue: int = FLOWS_QUEUE, database: str = "") -> list[str]:
        """The command of a handler of `drain`."""
        return [sys.executable, "-m", "bench.drain", what, reader, str(queue), *filter(None, [database])]

    def file_of(self, name: str, sent: Iterable[bytes]) -> Path:
        """A file of frames for `send`."""
        path = self.network.folder / name
        path.write_bytes(frames.as_file(sent))
        return path

    def send(self, path: Path, count: int, rate: float = 0, *, from_internet: bool = False) -> float:
        """Put `count` frames of a file on the devices' wire, or on the Internet's; gives the seconds."""
        host, wire = (self.network.internet, "wan") if from_internet else (self.network.device, "out")
        patience = 60.0 + (count / rate if rate else 0)
        _, seconds = numbers(host, self.sender(path, count, rate, wire), patience)
        return seconds

    def sender(self, path: Path, count: int, rate: float = 0, wire: str = "out") -> list[str]:
        """The command that does so."""
        return [self.programs["send"], wire, str(path), str(count), str(rate)]

    def drain(self, argv: Sequence[str], syns: Path, packets: int) -> Turn:
        """Start a handler, fill its queue, have it drained."""
        self.network.guarded()
        with Program(self.network.router, argv) as handler:
            self.send(syns, packets)
            waiting = self.waiting(FLOWS_QUEUE, packets)
            return Turn(waiting, *handler.ask(waiting))

    def waiting(self, queue: int, sent: int) -> int:
        """How many packets wait in a queue, which must be nearly all of those that were sent."""
        stats = self.network.queue(queue)
        if stats.waiting < _LEAST_SHARE * sent:
            raise Unavailable(f"of {sent} packets, {stats.waiting} wait in queue {queue}: {stats}")
        return stats.waiting
