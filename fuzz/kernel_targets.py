# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel says: its messages are not hostile, but a kernel that is not ours may say more, or less,
than we know of. See `targets`.
"""

from contextlib import suppress
from typing import Any

from smartrouter.core.errors import Unavailable
from smartrouter.linux import batched_queue, nflog, pairs
from smartrouter.linux.answers import FatesOf
from smartrouter.linux.bridges import located
from smartrouter.linux.conntrack import _flow
from smartrouter.linux.links import Links
from smartrouter.linux.neighbours import Neighbours
from smartrouter.linux.netlink import _each_message, attributes, each_attribute, string
from smartrouter.linux.nfnetlink_packets import Messages
from smartrouter.linux.queue_stats import parse
from smartrouter.linux.rtnetlink import Rtnetlink
from smartrouter.linux.rulings import Marks

_NFNETLINK, _LIST_ELEMENTS = 4, 3  # bytes of nfgenmsg; NFTA_SET_ELEM_LIST_ELEMENTS


def netlink(data: bytes) -> None:
    """Messages, their attributes, and what a listing of a set of pairs says."""
    with suppress(OSError):
        for _, _, _, body in _each_message(data):
            string(body)
            for kind, value in each_attribute(body[_NFNETLINK:]):
                if kind == _LIST_ELEMENTS:
                    elements = (attributes(element) for _, element in each_attribute(value))
                    for pair_set in pairs.SETS:
                        list(pairs.read(pair_set, elements))


def queued(data: bytes) -> None:
    """Packets of a queue."""
    facts: Any = batched_queue._facts(FatesOf(1, Marks(1, 2)))
    messages = Messages(
        batched_queue._PACKET,
        batched_queue._PAYLOAD,
        batched_queue._HEADER,
        batched_queue._PASSING,
        facts,
    )
    _drain(messages, data)


def logged(data: bytes) -> None:
    """Packets of a log group."""
    messages = Messages(
        nflog._PACKET, nflog._PAYLOAD, nflog._SEQ, frozenset({nflog._TIMESTAMP}), nflog._kind_and_mac
    )
    _drain(messages, data)


_APART = 8  # bytes between two datagrams


def _drain(messages: Messages[Any], data: bytes) -> None:
    """Read the datagram, once more, as its layouts are known, and several times together: the same comes of
    it."""
    once = list(messages.each((data,)))
    assert all(len(number) == 4 for number, _, _ in once)
    assert sum(len(packet) for _, _, packet in once) <= len(data)
    assert list(messages.each((data,))) == once
    several = memoryview((data + bytes(_APART)) * 3)
    assert messages.alike(several, len(data), len(data) + _APART) == once * 3


_routes: list[Rtnetlink] = []


def rtnetlink(data: bytes) -> None:
    """Links, addresses, neighbours, bridges."""
    if not _routes:
        _routes.append(Rtnetlink())
    links = Links()
    neighbours = Neighbours(links)
    with suppress(OSError):
        for _, message in _routes[0]._read(data):
            if message is None:
                break
            links.take(message)
            if message["event"].endswith("NEIGH"):
                neighbours.take(message, 0.0)
                located(message, links)


def conntrack(data: bytes) -> None:
    """A listed connection."""
    with suppress(OSError):
        _flow(data)


def queue_stats(data: bytes) -> None:
    """/proc/net/netfilter/nfnetlink_queue."""
    with suppress(Unavailable):
        parse(data.decode("latin-1"))
