# SPDX-License-Identifier: GPL-2.0-or-later
"""A guard without a kernel: handlers, bench and judge, and packets as the kernel would queue them."""

import struct
from collections.abc import Callable, Iterable, Sequence
from itertools import count, islice
from typing import Any

from unit.made_messages import REPLY, TO_QUESTION, A, ipv4, message, question, record

from smartrouter.core.effects import Effect
from smartrouter.core.events import TCP, UDP, LearningFinished
from smartrouter.core.judge import Judge
from smartrouter.core.policy import DeviceSettings, LearningPlan, Mode, Settings, Watching
from smartrouter.guard.bench import Bench
from smartrouter.guard.handlers.dns import DnsHandler
from smartrouter.guard.handlers.flows import FlowHandler
from smartrouter.guard.handlers.log import LogHandler
from smartrouter.linux.pairs import PairChange
from smartrouter.linux.queue import FORWARD, LOCAL_IN, LOCAL_OUT, Marks
from smartrouter.linux.rulings import Facts
from smartrouter.store.exhibits import Attach

MARKS = Marks(0x40, 0x80)
ROUTER = "192.168.0.1"
TOGETHER = 64  # packets that a reader hands over at once
_IP = struct.Struct("!BxHxxxxBBxx4s4s")
_SYN = struct.Struct("!HHIIBB6x")
_UDP = struct.Struct("!HHHxx")
_RECURSIVE = 0x0100


class Sets:
    """Sets of the kernel that have room for everything; they count what they are told."""

    def __init__(self) -> None:
        self.changes = 0

    def change_pairs(self, changes: Sequence[PairChange]) -> int:
        self.changes += len(changes)
        return 0

    def __getattr__(self, name: str) -> Callable[..., int]:
        return self._change

    def _change(self, *_: object, **__: object) -> int:
        self.changes += 1
        return 1


class Guard:
    """See the module. `macs`: its devices, which learn until `protect`; `store`: takes what is stored;
    `settings`: others than the usual ones."""

    def __init__(
        self,
        *macs: str,
        store: Callable[[Sequence[Effect | Attach]], object],
        mode: Mode = Mode.MONITOR,
        **settings: Any,
    ):
        devices = {mac: DeviceSettings(mac, watch=Watching.ALWAYS) for mac in macs}
        plan = LearningPlan(auto=False, period=86400.0)
        self.judge = Judge(Settings(devices=devices, learning=plan, mode=mode, **settings))
        self.sets = Sets()
        sets: Any = self.sets
        self.bench = Bench(self.judge, sets, store, fail_open=True)
        self.flows = FlowHandler(self.bench, MARKS)
        self.dns = DnsHandler(self.bench, MARKS)
        self.log = LogHandler(self.bench)
        self.macs = macs
        self._numbers = count(1)
        self._places = count()

    def source(self, mac: str) -> str:
        """The address of a device."""
        return f"192.168.0.{10 + self.macs.index(mac)}"

    def places(self, number: int) -> list[str]:
        """So many addresses that were never given before."""
        return [
            f"203.{1 + at // 62500}.{at // 250 % 250}.{1 + at % 250}" for at in islice(self._places, number)
        ]

    def attempts(self, mac: str, addresses: Iterable[str], port: int = 443) -> list[bytes]:
        """A first packet to each of these, told from every other one by its source port and number."""
        source = self.source(mac)
        return [syn(source, address, port, next(self._numbers)) for address in addresses]

    def connect(self, mac: str, packets: Iterable[bytes]) -> list[bool]:
        """Have the packets judged, as many together as a reader would; gives which may go on."""
        judged: list[bool] = []
        of_mac: Facts = mac, FORWARD, 0, {}
        left = iter(packets)
        while batch := [(b"", of_mac, packet) for packet in islice(left, TOGETHER)]:
            for (_, _, packet), ruling in zip(batch, self.flows.recall(batch), strict=True):
                said = self.flows.judge(packet, mac, FORWARD, 0) if ruling is None else ruling
                judged.append(said is True)
            self.flows.conclude()
            self.flows.settle()
        self.flows.flush()
        self.bench.pairs.flush()
        return judged

    def questions(self, mac: str, name: str, address: str, number: int) -> list[tuple[bytes, bytes]]:
        """So many queries, and what each is answered."""
        source = self.source(mac)
        asked, told = question(name), record(TO_QUESTION, A, ipv4(address), ttl=300)
        made = []
        for ident in range(number):
            query = message([asked], flags=_RECURSIVE, ident=ident)
            reply = message([asked], [told], flags=REPLY, ident=ident)
            port = 40000 + ident
            made.append((udp(source, ROUTER, port, 53, query), udp(ROUTER, source, 53, port, reply)))
        return made

    def resolve(self, mac: str, questions: Iterable[tuple[bytes, bytes]]) -> None:
        """Ask these, and be answered."""
        dns = self.dns
        for query, reply in questions:
            dns.judge(query, mac, LOCAL_IN, MARKS.passing)
            dns.conclude()
            dns.settle()
            dns.judge(reply, None, LOCAL_OUT, 0)
            dns.conclude()
            dns.settle()

    def tell(self, mac: str, name: str, address: str) -> None:
        """The device asks for `name` and is told `address`."""
        self.resolve(mac, self.questions(mac, name, address, 1))

    def protect(self) -> None:
        """End the learning of all devices."""
        for mac in self.macs:
            self.bench.carry_out(self.bench.handle(LearningFinished(mac)))


def syn(source: str, address: str, port: int, number: int) -> bytes:
    """The first packet of a TCP connection."""
    header = _IP.pack(0x45, 40, 64, TCP, ipv4(source), ipv4(address))
    return header + _SYN.pack(1024 + number % 60000, port, number, 0, 0x50, 0x02)


def udp(source: str, address: str, source_port: int, port: int, data: bytes = b"") -> bytes:
    """A datagram."""
    header = _IP.pack(0x45, 28 + len(data), 64, UDP, ipv4(source), ipv4(address))
    return header + _UDP.pack(source_port, port, 8 + len(data)) + data
