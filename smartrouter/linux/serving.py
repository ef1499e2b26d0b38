# SPDX-License-Identifier: GPL-2.0-or-later
"""What both readers of a queue have in common: turns, and what follows once packets are judged."""

import socket
from collections.abc import Callable, Sequence
from itertools import repeat
from threading import Event
from time import monotonic

from smartrouter.linux.answers import send
from smartrouter.linux.latency import Latency
from smartrouter.linux.nfnetlink_packets import limit_waiting
from smartrouter.linux.rulings import DRAIN, SOON, TURN, Faults, Handler, Waiting

TOGETHER = 64  # packets: with more, the first waits longer for its verdict, and little is saved
CLOSE = 20e-6  # seconds: where a packet is there so soon after others, more of them may be


class Serving:
    """A `rulings.Reader`, but for how it takes packets: `_link`, `_serve_until` and `close` are a reader's
    own."""

    _link: socket.socket  # where packets come from; verdicts go to

    def __init__(self, number: int, handler: Handler):
        self.number = number
        self.latency = Latency()
        self._handler = handler
        self._faults = Faults(number, handler)
        self._hurries = False

    @property
    def faults(self) -> int:
        """See `rulings.Reader`."""
        return self._faults.count

    def serve(self, stop: Event, beat: Callable[[], object]) -> None:
        """See `rulings.Reader`."""
        try:
            while not stop.is_set():
                beat()
                if self._hurries:
                    self._hurry(False)
                self._serve_until(monotonic() + TURN, wait=True)
            self._serve_until(monotonic() + DRAIN, wait=False)
        finally:
            self.close()

    def close(self) -> None:
        """See `rulings.Reader`."""
        raise NotImplementedError

    def _serve_until(self, end: float, *, wait: bool) -> None:
        """Judge what comes, until `end`, or until nothing comes; `wait` for that, or not."""
        raise NotImplementedError

    def _hurry(self, hurries: bool) -> None:
        """Wait only shortly for a packet, or as long as ever."""
        self._hurries = hurries
        limit_waiting(self._link, SOON if hurries else TURN)

    def _judge_all(self, packets: Sequence[Waiting]) -> None:
        """These packets, which came together: judged, then their verdicts, then the rest."""
        began = monotonic()
        recalled = None
        try:
            recalled = self._handler.recall(packets)
        except BaseException as error:
            self._faults.note(error)
        judge = self._handler.judge
        said = last = b""  # the verdicts; the number of the packet before
        fate = None  # how that fares
        for (number, facts, packet), ruling in zip(packets, recalled or repeat(None), strict=False):
            if ruling is None:
                mac, hook, mark, fates = facts
                try:
                    new = fates[judge(packet, mac, hook, mark)]
                except BaseException as error:
                    new = fates[self._faults.ruling(error)]
            else:
                new = facts[3][ruling]
            if new is not fate:
                if fate is not None:
                    said += fate.before + last + fate.behind
                fate = new
            last = number
        if fate is not None:
            self._finish(began, len(packets), said + fate.before + last + fate.behind)

    def _finish(self, began: float, count: int, said: bytes) -> None:
        """So many packets were judged since `began`: the verdicts, which are `said`, then the rest. Only what
        must end the process (an exception that is no Exception) leaves this method, and only after the
        verdicts."""
        try:
            self._handler.conclude()
        except BaseException as error:
            self._faults.note(error)
        send(self._link, said)
        self.latency.add(monotonic() - began, count)
        try:
            if self._handler.settle() and not self._hurries:
                self._hurry(True)
        except BaseException as error:
            self._faults.note(error)
        if self._faults.fatal is not None:
            raise self._faults.fatal
