# SPDX-License-Identifier: GPL-2.0-or-later
"""One handler that drains a full queue: `python -m bench.drain HANDLER QUEUE PACKETS`.

Says `ready` when it listens, waits for a byte on standard input, judges so many packets, and prints the
CPU seconds that this process spent on them (all threads; user and system).
"""

import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Callable

from netfilterqueue import NetfilterQueue

from bench.network import MACS
from smartrouter.core.effects import Effect
from smartrouter.core.judge import Judge
from smartrouter.core.policy import DeviceSettings, Settings, Watching
from smartrouter.guard.bench import Bench
from smartrouter.guard.handlers import FlowHandler
from smartrouter.linux.queue import Marks, Queue
from smartrouter.linux.sets import Sets
from smartrouter.store.writer import Writer

MARKS = Marks(0x40000000, 0x80000000)


def accept_all(number: int, packets: int) -> float:
    """The library's own price: a callback that accepts."""
    judged = 0

    def judge(packet: object) -> None:
        nonlocal judged
        packet.accept()  # type: ignore[attr-defined]
        judged += 1
        if judged == packets:
            raise StopIteration

    queue = NetfilterQueue()
    queue.bind(number, judge, 16384, 2, 4016, 8 << 20)
    before = _go()
    with contextlib.suppress(StopIteration):
        queue.run()
    return time.process_time() - before


def guard(number: int, packets: int, put: Callable[[Effect], None], drained: Callable[[], object]) -> float:
    """The guard's handler: parse, judge, record, learn."""
    settings = Settings(devices={mac: DeviceSettings(mac, watch=Watching.ALWAYS) for mac in MACS})
    stop = threading.Event()
    handler = FlowHandler(Bench(Judge(settings), Sets(), put, fail_open=True), MARKS)

    class Counting:
        """The handler, until it has seen enough."""

        left = packets

        def settle(self) -> None:
            handler.settle()
            self.left -= 1
            if self.left == 0:
                stop.set()

    counting = Counting()
    counting.judge = handler.judge  # type: ignore[attr-defined]
    counting.failed = handler.failed  # type: ignore[attr-defined]
    queue = Queue(number, counting, MARKS)  # type: ignore[arg-type]
    before = _go()
    queue.serve(stop, lambda: None)
    drained()
    return time.process_time() - before


def _go() -> float:
    print("ready", flush=True)
    sys.stdin.read(1)
    return time.process_time()


def main() -> None:
    handler, number, packets = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if handler == "library":
        spent = accept_all(number, packets)
    elif handler == "memory":
        spent = guard(number, packets, lambda _: None, lambda: None)
    else:
        with tempfile.TemporaryDirectory() as folder:
            writer = Writer(f"{folder}/bench.db")
            spent = guard(number, packets, writer.put, lambda: writer.flush(60.0))
            writer.close()
    print(f"{spent:.6f}")


if __name__ == "__main__":
    main()
