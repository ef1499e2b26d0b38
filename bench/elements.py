# SPDX-License-Identifier: GPL-2.0-or-later
"""What an element of a set costs, acknowledged by the kernel: ours, pyroute2's, and the program nft's."""

import socket
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any, NamedTuple

from bench.figures import Budget, Row, Section, spread
from bench.lab import Lab
from smartrouter.core.effects import Know, Pair
from smartrouter.core.events import TCP
from smartrouter.linux.sets import Sets

_ABOUT = (
    "Known pairs put into the kernel's set of (MAC, address, protocol, port), each with its time, until the "
    "kernel has said that it did; microseconds an element."
)
_BATCH = 100
_MAC = "02:00:00:00:00:07"
_LASTS = 86400.0
_TABLE, _SET = "smartrouter", "known4"


class _Way(NamedTuple):
    """How elements are put in: so many calls with so many each, as many as take about the same time."""

    add: Callable[[list[Pair]], object]
    calls: int
    size: int


def measure(lab: Lab) -> Section:
    """The section of the table."""
    network = lab.network
    network.guarded()
    sets, pyroute2 = network.router.inside(Sets), network.router.inside(_pyroute2)
    rounds: dict[str, list[float]] = {}
    numbers = count()
    try:
        for _ in lab.rounds():
            network.guarded()
            for name, way in _ways(lab, sets, pyroute2).items():
                batches = [[_pair(next(numbers)) for _ in range(way.size)] for _ in range(way.calls)]
                took = network.router.inside(_time, way.add, batches)
                rounds.setdefault(name, []).append(took / way.calls / way.size * 1e6)
    finally:
        sets.close()
        pyroute2.close()
    return Section("Elements of sets", _ABOUT, _rows(rounds))


def _ways(lab: Lab, sets: Sets, pyroute2: Any) -> dict[str, _Way]:
    def ours(pairs: list[Pair], *, again: bool = False) -> None:
        sets.change_pairs([Know(pair, _LASTS, again) for pair in pairs])

    return {
        "set_add": _Way(ours, 500, 1),
        "set_add_batch": _Way(ours, 20, _BATCH),
        "set_renew_batch": _Way(partial(ours, again=True), 20, _BATCH),
        "set_add_pyroute2": _Way(partial(_by_pyroute2, pyroute2), 100, 1),
        "set_add_batch_pyroute2": _Way(partial(_by_pyroute2, pyroute2), 5, _BATCH),
        "set_add_nft": _Way(partial(_by_nft, lab), 5, 1),
    }


def _time(add: Callable[[list[Pair]], object], batches: list[list[Pair]]) -> float:
    """The seconds that it takes to put in all these."""
    start = time.perf_counter()
    for batch in batches:
        add(batch)
    return time.perf_counter() - start


def _rows(rounds: dict[str, list[float]]) -> list[Row]:
    def row(name: str, title: str, budget: Budget | None = None) -> Row:
        return Row(f"{name}_us", title, spread(rounds[name]), "µs", budget, less_is_better=True)

    return [
        row("set_add", "ours, one at a time", Budget(50, at_most=True)),
        row("set_add_batch", f"ours, {_BATCH} in a transaction"),
        row("set_renew_batch", f"ours, {_BATCH} renewed in a transaction"),
        row("set_add_pyroute2", "pyroute2, one at a time"),
        row("set_add_batch_pyroute2", f"pyroute2, {_BATCH} in a transaction"),
        row("set_add_nft", "the program nft, one at a time"),
    ]


def _pair(number: int) -> Pair:
    return Pair(_MAC, f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", TCP, 443)


def _key(pair: Pair) -> bytes:
    """As the kernel has it: each part padded to four bytes."""
    mac = bytes.fromhex(pair.mac.replace(":", "")) + bytes(2)
    protocol = bytes([pair.protocol, 0, 0, 0])
    return mac + socket.inet_aton(pair.address) + protocol + pair.port.to_bytes(2, "big") + bytes(2)


def _pyroute2() -> Any:
    from pyroute2.nftables.main import NFTables

    return NFTables(nfgen_family=1)  # NFPROTO_INET


def _by_pyroute2(nft: Any, pairs: list[Pair]) -> None:
    from pyroute2.nftables.main import NFTSet, NFTSetElem

    elements = [NFTSetElem(value=_key(pair), timeout=int(_LASTS * 1000)) for pair in pairs]
    nft.set_elems("add", set=NFTSet(_TABLE, _SET), elements=elements)


def _by_nft(lab: Lab, pairs: list[Pair]) -> None:
    elements = ", ".join(
        f"{pair.mac} . {pair.address} . tcp . {pair.port} timeout {int(_LASTS)}s" for pair in pairs
    )
    command = f"add element inet {_TABLE} {_SET} {{ {elements} }}\n"
    lab.network.router.run(["nft", "-f", "-"], input=command, check=True)
