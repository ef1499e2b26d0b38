# SPDX-License-Identifier: GPL-2.0-or-later
"""How the kernel's queues do: how many packets wait, and how many were lost.

Read by the supervisor, which must notice a guard that holds packets and judges none. Standard library
only; only root can read the file (0440).
"""

from os import PathLike
from typing import NamedTuple

from smartrouter.core.errors import Unavailable

FILE = "/proc/net/netfilter/nfnetlink_queue"


class QueueStats(NamedTuple):
    """One queue, of this process's network namespace (net/netfilter/nfnetlink_queue.c: seq_show).

    `listener`: netlink port id of the socket that listens. `dropped`: the queue was full;
    `user_dropped`: the listener's socket buffer was. `queued`: packets ever put into the queue, modulo
    2^32: the judged ones are `queued - waiting`.
    """

    listener: int
    waiting: int
    dropped: int
    user_dropped: int
    queued: int


def read(path: str | PathLike[str] = FILE) -> dict[int, QueueStats]:
    """The queues that somebody listens to, by number. Raises Unavailable."""
    try:
        with open(path, encoding="ascii") as file:  # not by pathlib, which alone takes 0.6 MB
            text = file.read()
    except FileNotFoundError as error:
        raise Unavailable(f"{path} is missing: load the kernel module nfnetlink_queue.") from error
    except PermissionError as error:
        raise Unavailable(f"{path} is for root only.") from error
    return parse(text)


def parse(text: str) -> dict[int, QueueStats]:
    """The same from the file's text. Raises Unavailable."""
    stats = {}
    for line in text.splitlines():
        try:
            number, listener, waiting, _mode, _range, dropped, user_dropped, queued = map(
                int, line.split()[:8]
            )
        except ValueError as error:
            raise Unavailable(f"{FILE} says what no kernel that we know says there.") from error
        stats[number] = QueueStats(listener, waiting, dropped, user_dropped, queued)
    return stats
