# SPDX-License-Identifier: GPL-2.0-or-later
"""What judging a SYN costs: handlers drain the same full queue, in turns."""

from pathlib import Path
from typing import NamedTuple

from bench import home
from bench.figures import Budget, Row, Section, ratios, spread
from bench.home import Mix
from bench.lab import Lab, Turn
from smartrouter.core.errors import Unavailable

_ABOUT = (
    "SYNs of 50 devices to 1,600 destinations, most of them known by name, 3 % without any, 5 % news; each "
    "handler in turn drains them from a full queue. Of ours the devices have used each place before, as in a "
    "guard that has run for a minute. Rates ÷ that of C: recv, one verdict."
)
_SCAPY_SHARE = 4  # a quarter of the packets: it takes so much longer
_NETFILTERQUEUE, _NETLINK = "netfilterqueue", "netlink"


class _Handler(NamedTuple):
    """`what`, `reader`: see `drain`; for C, its way. `mix`: what it is given. `stored`: with a database.
    `explains`: only worth its time in a thorough run."""

    title: str
    what: str
    reader: str = _NETFILTERQUEUE
    budget: float | None = None
    mix: Mix = Mix.HOME
    stored: bool = False
    explains: bool = False


_C = "single"
_HANDLERS = {
    _C: _Handler("C: recv, one verdict", "c"),
    "batch": _Handler("C: recvmmsg, the verdicts in one send", "c"),
    "accept": _Handler("NetfilterQueue alone: accept", "accept", explains=True),
    "least": _Handler(
        "the least that could judge: NetfilterQueue, addresses, MAC, one look-up, accept", "least"
    ),
    "syn_memory": _Handler("ours: parse, judge, record in memory", "flows", budget=0.55),
    "syn_stored": _Handler("ours, every attempt stored", "flows", budget=0.45, stored=True),
    "syn_first": _Handler(
        "ours, in memory: a guard that has just begun, each pair for the first time", "first", explains=True
    ),
    "syn_strangers": _Handler(
        "ours, in memory: news only, the worst case", "flows", mix=Mix.STRANGERS, explains=True
    ),
    "syn_memory_netlink": _Handler("ours, netlink reader: in memory", "flows", _NETLINK, 0.75),
    "syn_stored_netlink": _Handler(
        "ours, netlink reader: every attempt stored", "flows", _NETLINK, 0.65, stored=True
    ),
    "scapy": _Handler("NetfilterQueue with scapy's IP() in the callback", "scapy"),
}


def measure(lab: Lab) -> Section:
    """The section of the table."""
    packets = lab.effort.packets
    files = {mix: lab.file_of(mix.name, home.syns(packets, mix)) for mix in (Mix.HOME, Mix.STRANGERS)}
    handlers = {
        name: handler for name, handler in _HANDLERS.items() if lab.effort.thorough or not handler.explains
    }
    turns: dict[str, list[Turn]] = {name: [] for name in handlers}
    for number in lab.rounds():
        for name, handler in handlers.items():
            turns[name].append(_turn(lab, name, handler, files[handler.mix], number))
    return Section("A SYN, drained from a full queue", _ABOUT, _rows(turns))


def _turn(lab: Lab, name: str, handler: _Handler, syns: Path, number: int) -> Turn:
    packets = lab.effort.packets // (_SCAPY_SHARE if handler.what == "scapy" else 1)
    if handler.what == "c":
        return lab.drain(lab.c_handler(name), syns, packets)
    database = str(lab.network.folder / f"{name}-{number}.db") if handler.stored else ""
    turn = lab.drain(lab.handler(handler.what, handler.reader, database=database), syns, packets)
    if turn.stored < 1:
        raise Unavailable(f"{handler.title}: only {turn.stored:.1%} of the attempts found room in the store")
    return turn


def _rows(turns: dict[str, list[Turn]]) -> list[Row]:
    rates = {name: [turn.rate for turn in found] for name, found in turns.items()}
    costs = {name: [turn.cost for turn in found] for name, found in turns.items()}

    def note(name: str) -> str:
        return f"{spread(rates[name]).median / 1000:.0f} k/s, {spread(costs[name]).median:.2f} µs CPU"

    rows = [Row("c_rate", _HANDLERS[_C].title, spread(rates[_C]), "SYN/s", note=note(_C))]
    for name in rates:
        if name in (_C, "scapy"):
            continue
        title, budget = _HANDLERS[name].title, _HANDLERS[name].budget
        suffix = "_netlink" if name.endswith("_netlink") else ""
        stem = name.removesuffix(suffix)
        rows += [
            Row(f"{stem}_vs_c{suffix}", title, ratios(rates[name], rates[_C]), "÷ C",
                Budget(budget) if budget else None, note=note(name)),
            Row(f"{stem}_cpu_vs_c{suffix}", f"{title}, by CPU time", ratios(costs[_C], costs[name]), "÷ C"),
        ]  # fmt: skip
    than_scapy = ratios(rates["syn_memory"], rates["scapy"])
    title = "ours, in memory ÷ NetfilterQueue with scapy's IP() in the callback"
    return [*rows, Row("times_scapy", title, than_scapy, "×", note=f"scapy: {note('scapy')}")]
