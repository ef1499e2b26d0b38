# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said about a queued packet, by whom, and what every reader of a queue keeps to.

A verdict is `accept`, with a mark; the gate, a later chain of the ruleset, does the refusing. So a packet
that nobody could judge meets the gate with the mark that it came with, and `on_failure` decides about it.
Only what is to vanish without a word, because it will come again, is dropped.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from threading import Event
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias

from smartrouter.journal import Journal
from smartrouter.linux.latency import Latency

log = Journal("smartrouter.queue")

# The hook where a packet was queued (linux/netfilter.h: enum nf_inet_hooks).
LOCAL_IN, FORWARD, LOCAL_OUT = 1, 2, 3

TURN = 0.15  # seconds: how long a turn of serving lasts, and how long it waits for a packet. Half a second
#              is promised for both together.
SOON = 0.01  # seconds without a packet, after which what a handler put off is done
DRAIN = 0.1  # seconds: what is still queued at the end is judged, so long
COPY = 3952  # bytes of a packet: the library's buffer holds 4096, and all that may stand beside it takes 144
MAX_LENGTH = 16384  # packets: 0.1 s at the rate that one core judges
RECEIVE_BUFFER = 16 << 20  # bytes of kernel memory for packets on their way: about MAX_LENGTH small ones

_FAULTS_LOGGED = 10


class Marks(NamedTuple):
    """The bits of the packet mark that tell the gate what the guard said."""

    passing: int
    blocking: int


class Silently(Enum):
    """What can be done with a packet besides letting it on."""

    DROPPED = "dropped"  # its sender hears nothing, and will send it again


DROPPED: Final = (
    Silently.DROPPED
)  # by a name that is found at once: looking into an enumeration takes its time
Ruling: TypeAlias = bool | Literal[Silently.DROPPED] | None
Facts: TypeAlias = tuple[str | None, int, int, Mapping[Ruling, Any]]
Waiting: TypeAlias = tuple[bytes, Facts, bytes]
"""A packet without a verdict: its number, as the kernel gave it; the sender's MAC, the hook, the mark, and
what becomes of it by the ruling on it; and the packet itself, see `Handler.judge`."""


class Handler(Protocol):
    """Judges the packets of one queue, in that queue's thread."""

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> Ruling:
        """Let this IP packet go on (True), or have the gate refuse it (False).

        None leaves its mark alone: for what does not come from a device, such as a DNS reply, which
        meets no gate that would take a mark off again. Only in FORWARD is a mark set in any case: one of
        ours, and the other taken off.

        `payload`: up to `COPY` bytes, from the IP header on. `mac`: the sender's, None in LOCAL_OUT.
        `mark`: as the packet came.
        """

    def recall(self, packets: Sequence[Waiting]) -> Sequence[bool | None] | None:
        """The rulings on packets that came together, as far as they are just like others before; None for
        each that `judge` must be asked about, which is next; or None for all of them."""

    def conclude(self) -> None:
        """All packets that came together are judged: do what must be done before any verdict on them goes."""

    def settle(self) -> bool | None:
        """The verdicts on the packets judged since the last call are with the kernel: do what could wait.

        Their number is the reader's affair: one, or as many as came together. True: something was put off;
        the reader shall not wait long before it calls `beat`, which sees to it.
        """

    def failed(self, error: BaseException) -> Ruling:
        """`judge` raised `error`: the verdict on that packet instead, as `judge` would give it."""


class Reader(Protocol):
    """Gives each packet of queue `number` to a handler, and exactly one verdict to the kernel."""

    number: int
    latency: Latency

    @property
    def faults(self) -> int:
        """What a handler's `conclude`, `settle` or `failed` raised."""

    def serve(self, stop: Event, beat: Callable[[], object]) -> None:
        """Judge packets until `stop` is set; returns within half a second of that, then listens no more.

        Calls `beat` at least twice a second, whether no packet comes or too many.
        """

    def close(self) -> None:
        """Listen no more. The kernel drops what is still in the queue."""


class Faults:
    """What a handler raised that must not keep its packets from their verdicts."""

    def __init__(self, number: int, handler: Handler):
        self.count = 0  # what the handler's `conclude`, `settle` or `failed` raised
        self.fatal: BaseException | None = None  # what must end the process, once the packets have verdicts
        self._number = number
        self._handler = handler

    def ruling(self, error: BaseException) -> Ruling:
        """The verdict on a packet at which `judge` raised `error`."""
        if not isinstance(error, Exception):
            self.fatal = error
        try:
            return self._handler.failed(error)
        except BaseException as another:
            self.note(another)
            return None

    def note(self, error: BaseException) -> None:
        """The handler's own repair, or what it does after the verdict, raised `error`."""
        if not isinstance(error, Exception):
            self.fatal = error
            return
        self.count += 1
        if self.count <= _FAULTS_LOGGED:
            log.error(
                "queue %d: a handler's own repair failed (%d)", self._number, self.count, exc_info=error
            )
