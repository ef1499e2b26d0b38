# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel knows of the networks around this host: links, addresses, neighbours, bridges' ports.

`whole()` reads it all; `changes()` gives what changed since, in order, as it happens. Two sorts of loss are
told apart from an empty answer: the kernel dropped events (`lost`), or does not answer (Unavailable).
"""

import socket
import time
from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple, TypeAlias

from smartrouter.linux import bridges
from smartrouter.linux.bridges import Located, located
from smartrouter.linux.links import AddressChanged, LinkChanged, Links
from smartrouter.linux.neighbours import Neighbour, NeighbourLost, Neighbours
from smartrouter.linux.rtnetlink import ADDRESSES, LINKS, NEIGHBOURS, Message, Rtnetlink

Change: TypeAlias = LinkChanged | AddressChanged | Neighbour | NeighbourLost | Located

MAX_READ = 4096  # entries of a table that are read at a time: a bridge's has no bound that a flood respects


class Whole(NamedTuple):
    """`links`: what is not as it was at the last look; the tables: all that is in them."""

    links: list[LinkChanged | AddressChanged]
    neighbours: list[Neighbour | NeighbourLost]
    located: list[Located]


class Surroundings:
    """See the module. `links`: those that there are, as of the last call."""

    def __init__(self) -> None:
        self.links = Links()
        self._neighbours = Neighbours(self.links)
        self._rtnetlink = Rtnetlink()

    def fileno(self) -> int:
        """Readable when there are changes."""
        return self._rtnetlink.fileno()

    def close(self) -> None:
        """Let go of the socket."""
        self._rtnetlink.close()

    def whole(self) -> Whole:
        """Everything; changes are heard from then on. Raises Unavailable."""
        self._rtnetlink.listen()
        links = self.links.take_all(self._rtnetlink.dump(LINKS), self._rtnetlink.dump(ADDRESSES))
        entries = chain.from_iterable(
            islice(self._rtnetlink.dump(NEIGHBOURS, family), MAX_READ)
            for family in (socket.AF_INET, socket.AF_INET6)
        )
        heard = list(self._neighbours.take_all(entries, time.time()))
        ports = islice(self._rtnetlink.dump(NEIGHBOURS, bridges.FAMILY), MAX_READ)
        return Whole(links, heard, [place for message in ports if (place := located(message, self.links))])

    def changes(self) -> tuple[list[Change], bool]:
        """What changed since the last call, a bounded number at a time; and whether some of it was lost, so
        that only `whole` can tell. Raises Unavailable."""
        messages, lost = self._rtnetlink.events()
        return list(self._read(messages)), lost

    def _read(self, messages: list[Message]) -> Iterator[Change]:
        now = time.time()
        for message in messages:
            value: Change | None
            if message["event"] not in ("RTM_NEWNEIGH", "RTM_DELNEIGH"):
                value = self.links.take(message)
            elif message["family"] == bridges.FAMILY:
                value = located(message, self.links)
            else:
                value = self._neighbours.take(message, now)
            if value is not None:
                yield value
