# SPDX-License-Identifier: GPL-2.0-or-later
"""Samples through channels, on somebody's word: each by a thread of its own, since a service may take its
time. What came of one is found by `done`.
"""

import queue
import threading
import time
from typing import NamedTuple

from smartrouter.config import Config
from smartrouter.core.errors import Unavailable
from smartrouter.notify.channels import named
from smartrouter.notify.trying import try_out

MOST = 4  # at once


class Tried(NamedTuple):
    """`request`: the one that is to be answered; `error`: '' if the channel took the sample."""

    request: int
    error: str


class Trials:
    """Those that are on their way. For one thread."""

    def __init__(self) -> None:
        self._ended: queue.SimpleQueue[Tried] = queue.SimpleQueue()
        self._running = 0

    def begin(self, request: int, config: Config, name: object) -> None:
        """Send a sample through the channel of that name, for the request. Raises Unavailable."""
        channels = named(config.notify)
        channel = channels.get(name) if isinstance(name, str) else None
        if channel is None:
            raise Unavailable(f"there is no channel {name!r:.40}; there is {', '.join(channels) or 'none'}")
        if self._running >= MOST:
            raise Unavailable("too many channels are being tried: wait a moment")
        self._running += 1

        def run() -> None:
            error, _ = try_out(channel, time.time())
            self._ended.put(Tried(request, error))

        threading.Thread(target=run, name="trial", daemon=True).start()

    def done(self) -> list[Tried]:
        """Those that have ended since the last call."""
        ended = []
        while not self._ended.empty():
            ended.append(self._ended.get())
            self._running -= 1
        return ended
