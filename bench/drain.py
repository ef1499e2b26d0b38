# SPDX-License-Identifier: GPL-2.0-or-later
"""A handler of ours in a process of its own: `python -m bench.drain WHAT READER QUEUE [DATABASE]`.

Says `ready` when it listens. For each number on standard input it judges so many packets, and answers with
the CPU seconds (all threads; user and system) and the seconds from that line to the last verdict, or, with a
database, until all is stored; and with the share of it that the store had room for. Between two numbers it
takes no packet out of the queue.

WHAT: `flows`, `first` or `dns`, the guard's own handlers around the guard's own judge; or one of the others,
which know the library NetfilterQueue alone: `accept`; `least`, which also looks up who talks to whom; and
`scapy`, which looks into the packet with that.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bench import home
from smartrouter.core.effects import Effect
from smartrouter.core.events import DeviceSeen
from smartrouter.core.judge import Judge
from smartrouter.core.policy import Settings
from smartrouter.core.public.resolvers import PUBLIC_RESOLVERS
from smartrouter.guard import collector
from smartrouter.guard.bench import Bench, now
from smartrouter.guard.handlers.dns import DnsHandler
from smartrouter.guard.handlers.flows import FlowHandler
from smartrouter.guard.inspection import Inspections
from smartrouter.linux.queue import FORWARD, Handler, Marks, open_queue
from smartrouter.linux.sets import Sets
from smartrouter.store.exhibits import Attach
from smartrouter.store.writer import Writer
from smartrouter.wire.packet import first_fields

MARKS = Marks(0x40000000, 0x80000000)
_FLUSH_PATIENCE = 60.0
_LOOK = 0.002  # seconds between two looks at whether all is judged


def wired(
    what: str, store: Callable[[Sequence[Effect | Attach]], object], sets: Any = None
) -> tuple[Bench, Handler]:
    """The guard's bench, with the judge as an earlier guard left the home of `home`, and one of its handlers.
    What the kernel is to settle by itself goes to its sets, by a thread of its own, as in the guard. `what`:
    `dns`, `flows` of devices that have used each of their places a moment ago, or, `first`, not since the
    guard began. `sets`: instead of the kernel's."""
    judge = Judge(Settings(devices=home.settings(), resolvers=PUBLIC_RESOLVERS))
    moment = now()
    for each in home.residents():
        names, aliases = each.names(moment.wall), each.aliases(moment.wall)
        judge.restore(each.mac, each.progress, each.learned, names, moment, aliases)
        judge.handle(DeviceSeen(each.mac, True, False, "", each.maker), moment)
    bench = Bench(judge, sets or Sets(), store, fail_open=True)
    handler = DnsHandler(bench, MARKS) if what == "dns" else FlowHandler(bench, MARKS, Inspections(bench))
    if what == "flows":
        _use_everything(bench, handler)
    if what == "dns":
        _look_everything_up(bench, handler)
    threading.Thread(target=bench.pairs.serve, args=(threading.Event(), _nothing), daemon=True).start()
    collector.settle()
    return bench, handler


def _use_everything(bench: Bench, handler: Handler) -> None:
    """Each device goes everywhere once; but the kernel is to ask about each packet that is measured."""
    put = bench.pairs.put
    bench.pairs.put = lambda _: None  # type: ignore[method-assign,assignment]
    for frame in home.everywhere():
        for _ in range(2):
            handler.judge(frame[14:], frame[6:12].hex(":"), FORWARD, 0)
            handler.settle()
    bench.pairs.put = put  # type: ignore[method-assign]
    bench.judge.counts.clear()


def _look_everything_up(bench: Bench, handler: Handler) -> None:
    """Each device asks for each of its names once."""
    for asked, answered in home.lookups(home.DEVICES * home.DESTINATIONS):
        handler.judge(asked[14:], asked[6:12].hex(":"), FORWARD, 0)
        handler.judge(answered[14:], None, FORWARD, 0)
        handler.conclude()
        handler.settle()
    bench.judge.counts.clear()


class Paced:
    """Serves a queue in a thread of its own, so many packets at a time."""

    def __init__(self, bench: Bench, handler: Handler, reader: str, number: int):
        self._bench = bench
        self._wanted = 0
        self._last = 0.0  # when the last verdict was with the kernel
        self._go, self._done = threading.Semaphore(0), threading.Semaphore(0)
        settle = handler.settle
        self._flush: Callable[[], object] = getattr(handler, "flush", _nothing)

        def settled() -> bool | None:
            self._last = time.monotonic()
            return settle()

        handler.settle = settled  # type: ignore[method-assign]
        self._queue = open_queue(reader, number, handler, MARKS)
        thread = threading.Thread(target=self._queue.serve, args=(threading.Event(), self._beat), daemon=True)
        thread.start()
        self._done.acquire()

    def judge(self, packets: int) -> float:
        """Judge so many more; gives when the last verdict was with the kernel. `rest` must follow."""
        self._wanted += packets
        self._go.release()
        while sum(self._bench.judge.counts.values()) < self._wanted:
            time.sleep(_LOOK)
        self._flush()  # its thread waits for a packet that does not come, until its turn ends
        if self._bench.errors or self._bench.refusals or self._queue.faults:
            sys.exit("the handler made faults; what it measured is worth nothing")
        return self._last

    def rest(self) -> None:
        """Take no more packets; returns when none is taken."""
        self._done.acquire()

    def _beat(self) -> None:
        """Between two turns of serving, stop here unless there is something to do."""
        self._flush()
        if sum(self._bench.judge.counts.values()) >= self._wanted:
            self._done.release()
            self._go.acquire()


def guard(what: str, reader: str, number: int, database: str) -> None:
    """Ours."""
    writer = Writer(database) if database else None
    bench, handler = wired(what, writer.put_all if writer else _nothing)
    if writer:
        _flush(writer)  # what went before
    paced = Paced(bench, handler, reader, number)
    for packets in _orders():
        cpu, wall = time.process_time(), time.monotonic()
        end = paced.judge(packets)
        if writer:
            _flush(writer)
            end = time.monotonic()
        cpu = time.process_time() - cpu
        paced.rest()
        print(f"{cpu:.9f} {end - wall:.9f} {_share(writer):.4f}", flush=True)


def _flush(writer: Writer) -> None:
    if not writer.flush(_FLUSH_PATIENCE):
        sys.exit(f"the store is stuck: {writer.counters()}")


def _share(writer: Writer | None) -> float:
    """How much of what was put into the store it had room for."""
    if writer is None:
        return 1.0
    counters = writer.counters()
    put, dropped = sum(counters["put"].values()), sum(counters["dropped"].values())
    return put / max(1, put + dropped)


def others(what: str, number: int) -> None:
    """What a few lines around the library cost."""
    from netfilterqueue import COPY_PACKET, NetfilterQueue

    left = 0

    def accept(packet: Any) -> None:
        nonlocal left
        packet.accept()
        left -= 1
        if not left:
            raise StopIteration

    known: set[tuple[bytes, object, int]] = set()
    look_up = accept
    if what == "least":

        def look_up(packet: Any) -> None:
            _, _, _, _, addresses, _, port, _, _ = first_fields(packet.get_payload())
            known.add((packet.get_hw(), addresses, port))
            accept(packet)

    elif what == "scapy":
        from scapy.layers.inet import IP, TCP

        def look_up(packet: Any) -> None:
            found = IP(packet.get_payload())
            known.add((packet.get_hw(), found.dst, found[TCP].dport))
            accept(packet)

    queue = NetfilterQueue()
    queue.bind(number, look_up, 16384, COPY_PACKET, 4016, 8 << 20)
    for packets in _orders():
        left = packets
        cpu, wall = time.process_time(), time.monotonic()
        try:
            queue.run()
        except StopIteration:
            pass
        print(f"{time.process_time() - cpu:.9f} {time.monotonic() - wall:.9f}", flush=True)


def _orders() -> Iterator[int]:
    print("ready", flush=True)
    return map(int, sys.stdin)


def _nothing(*_: object) -> None:
    """What is done where nothing is to be done."""


def main() -> None:
    what, reader, number, *database = sys.argv[1:]
    if what in ("flows", "first", "dns"):
        guard(what, reader, int(number), *database or ("",))
    else:
        others(what, int(number))


if __name__ == "__main__":
    main()
