# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets through the router that the kernel settles by itself: known pairs, and established connections.

Datagrams of 40 devices, sent by one core as fast as it can; what arrives at the other end of the router is
counted. That core does all the work, the sender's and the router's, so that what the rules cost shows.
"""

import sys
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path

from bench import frames, home
from bench.figures import Budget, Row, Section, ratios, spread
from bench.lab import Lab
from bench.programs import Program
from smartrouter.core.effects import Know, Pair
from smartrouter.core.errors import Unavailable
from smartrouter.core.events import UDP
from smartrouter.linux.queue_rule import LOG_GROUP
from smartrouter.linux.sets import Sets

_ABOUT = (
    "Datagrams of 1,000 connections over 40 devices. `known`: nobody answers, so each is looked up and let "
    "through, and the first of each connection is recorded by NFLOG, whose reader runs; `established`: "
    "somebody has answered."
)
_CONNECTIONS = 1000
_PORT, _SIZE = 8801, 100  # bytes of data
_LASTS = 86400.0
_A_CHANGE = 5000  # elements in a transaction
_BUDGETS = {"known_10k": 0.95}
_KNOWN_SHARE = 0.9  # the wire itself may lose some: the sender is quicker than the router


def measure(lab: Lab) -> Section:
    """The section of the table."""
    out = lab.file_of("datagrams", _datagrams(answers=False))
    back = lab.file_of("answers", _datagrams(answers=True))
    rates: dict[str, list[float]] = {}
    for _ in lab.rounds():
        for name, prepare in _cases(lab, back).items():
            prepare()
            with Program(lab.network.router, [sys.executable, "-m", "bench.listen", str(LOG_GROUP)]):
                rates.setdefault(name, []).append(_turn(lab, name, out))
    return Section("Packets that nobody is asked about", _ABOUT, _rows(rates))


def _cases(lab: Lab, back: Path) -> dict[str, Callable[[], None]]:
    network = lab.network

    def known(elements: int) -> None:
        network.guarded()
        network.router.inside(_fill, elements)

    def established() -> None:
        known(_CONNECTIONS)
        lab.send(network.folder / "datagrams", _CONNECTIONS)
        lab.send(back, _CONNECTIONS, from_internet=True)

    explaining = {"tracking": network.tracking} if lab.effort.thorough else {}
    return {
        "bare": network.bare,
        **explaining,
        "known_10k": lambda: known(10_000),
        "known_100k": lambda: known(100_000),
        "established": established,
    }


def _turn(lab: Lab, name: str, out: Path) -> float:
    """Packets a second that arrived. Raises Unavailable if they took another way than they are said to."""
    ruled = name not in ("bare", "tracking")
    before = lab.network.counters() if ruled else {}
    arrived = lab.network.arrived().packets
    seconds = lab.send(out, lab.effort.forwarded)
    arrived = lab.network.arrived().packets - arrived
    if ruled:
        after = lab.network.counters()
        grown = {which: after[which] - before[which] for which in ("queued_flows", "known", "known_again")}
        asked, known = grown["queued_flows"], grown["known"] + grown["known_again"]
        is_right = known == 0 if name == "established" else known > _KNOWN_SHARE * lab.effort.forwarded
        if asked or not is_right:
            raise Unavailable(f"{name}: {known} packets counted as known, {asked} went to a queue")
    return arrived / seconds


def _datagrams(*, answers: bool) -> Iterator[bytes]:
    for pair, number in zip(_pairs(), range(_CONNECTIONS), strict=False):
        device = home.MACS.index(pair.mac)
        there, here = (pair.address, pair.port), (home.ADDRESSES[device], 30000 + number)
        if answers:
            yield frames.datagram((home.RESOLVER_MAC, home.WAN_MAC), *there, *here, bytes(_SIZE))
        else:
            yield frames.datagram((pair.mac, home.LAN_MAC), *here, *there, bytes(_SIZE))


def _pairs() -> Iterator[Pair]:
    """One after the other, of 40 devices in turn, without end."""
    devices = home.MACS[: home.DEVICES - home.LEARNERS]
    for number in count():
        place = number // len(devices)
        address = f"100.{64 + (place >> 16)}.{place >> 8 & 255}.{place & 255}"
        yield Pair(devices[number % len(devices)], address, UDP, _PORT)


def _fill(elements: int) -> None:
    sets = Sets()
    pairs = islice(_pairs(), elements)
    try:
        while batch := [Know(pair, _LASTS) for pair in islice(pairs, _A_CHANGE)]:
            if refused := sets.change_pairs(batch):
                raise Unavailable(f"{refused} of {elements} known pairs found no room in the kernel's set")
    finally:
        sets.close()


def _rows(rates: dict[str, list[float]]) -> list[Row]:
    def row(name: str, title: str, other: str, budget: float | None = None) -> Row:
        against = {"bare": "÷ no ruleset", "tracking": "÷ a router that tracks"}[other]
        return Row(f"{name}_vs_{other}", title, ratios(rates[name], rates[other]), against,
                   Budget(budget) if budget else None, note=_note(rates, name))  # fmt: skip

    ours = {
        "known_10k": "known pairs, 10,000 elements",
        "known_100k": "known pairs, 100,000 elements",
        "established": "established connections",
    }
    rows = [Row("forward_bare", "no ruleset", spread(rates["bare"]), "/s")]
    rows += [row(name, title, "bare", _BUDGETS.get(name)) for name, title in ours.items()]
    if "tracking" in rates:
        rows.append(row("tracking", "a router that tracks connections, without ours", "bare"))
        rows += [row(name, title, "tracking") for name, title in ours.items()]
    return rows


def _note(rates: dict[str, list[float]], name: str) -> str:
    here, bare = spread(rates[name]).median, spread(rates["bare"]).median
    return f"{here / 1000:.0f} k/s; {1e6 / here - 1e6 / bare:+.2f} µs a packet"
