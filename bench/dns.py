# SPDX-License-Identifier: GPL-2.0-or-later
"""What DNS costs: queries, and replies that are held until their names are stored.

A reply names something only if it answers an outstanding query. So in each turn the queries go first, as a
full queue of their own, and then the answers to just these come from the Internet. Both are measured apart,
for every handler alike.
"""

from pathlib import Path
from typing import NamedTuple

from bench import home
from bench.figures import Budget, Row, Section, ratios, spread
from bench.lab import Lab, Turn
from bench.programs import Program
from smartrouter.linux.queue_rule import DNS_QUEUE
from smartrouter.linux.sets import Sets

_ABOUT = (
    "Queries of 50 devices, then their answers, each drained from a full queue; half of the answers have two "
    "CNAMEs and four addresses, the others one or two addresses. A reply's price: parse, match to its query, "
    "store the names, verdict."
)
_MOST = 10_000  # 200 of a device: it may have 256 queries on their way


class _Handler(NamedTuple):
    """`stored`: with a database, which no verdict waits for; only worth its time in a thorough run."""

    title: str
    reader: str
    budget: float | None = None
    stored: bool = False


_MEMORY = "names stored in memory, which is what a verdict waits for"
_OURS = {
    "dns": _Handler(f"ours: {_MEMORY}", "netfilterqueue", 0.35),
    "dns_netlink": _Handler("ours, netlink reader: names stored in memory", "netlink", 0.5),
    "dns_stored": _Handler("ours, and in the database", "netfilterqueue", stored=True),
    "dns_stored_netlink": _Handler("ours, netlink reader, and in the database", "netlink", stored=True),
}


class _Turns(NamedTuple):
    queries: list[Turn]
    replies: list[Turn]


def measure(lab: Lab) -> Section:
    """The section of the table."""
    count = min(_MOST, lab.effort.packets // 3)
    sent = list(home.lookups(count))
    queries = lab.file_of("queries", (query for query, _ in sent))
    replies = lab.file_of("replies", (reply for _, reply in sent))
    ours = {name: each for name, each in _OURS.items() if lab.effort.thorough or not each.stored}
    turns: dict[str, _Turns] = {}
    for number in lab.rounds():
        argvs = {way: lab.c_handler(way, DNS_QUEUE) for way in ("single", "batch")}
        for name, handler in ours.items():
            database = str(lab.network.folder / f"{name}-{number}.db") if handler.stored else ""
            argvs[name] = lab.handler("dns", handler.reader, DNS_QUEUE, database)
        for name, argv in argvs.items():
            found = turns.setdefault(name, _Turns([], []))
            _turn(lab, argv, (queries, replies), count, found)
    return Section("DNS, drained from a full queue", _ABOUT, _rows(turns))


def _turn(lab: Lab, argv: list[str], files: tuple[Path, Path], count: int, found: _Turns) -> None:
    lab.network.guarded()
    lab.network.router.inside(_admit_all)  # the guard does it itself; others are given the same
    with Program(lab.network.router, argv) as handler:
        lab.send(files[0], count)
        waiting = lab.waiting(DNS_QUEUE, count)
        found.queries.append(Turn(waiting, *handler.ask(waiting)))
        lab.send(files[1], count, from_internet=True)
        waiting = lab.waiting(DNS_QUEUE, count)
        found.replies.append(Turn(waiting, *handler.ask(waiting)))


def _admit_all() -> None:
    sets = Sets()
    for address in home.ADDRESSES:
        sets.admit(address)
    sets.close()


def _rows(turns: dict[str, _Turns]) -> list[Row]:
    replies = {name: [turn.rate for turn in found.replies] for name, found in turns.items()}
    queries = {name: [turn.rate for turn in found.queries] for name, found in turns.items()}
    costs = {name: [turn.cost for turn in found.replies] for name, found in turns.items()}

    def note(name: str) -> str:
        least = min(turn.stored for turn in turns[name].replies)
        stored = f", {least:.0%} of it stored" if least < 1 else ""
        return (
            f"{spread(replies[name]).median / 1000:.0f} k/s, {spread(costs[name]).median:.2f} µs CPU{stored}"
        )

    rows = [Row("dns_c_rate", "C: recv, one verdict", spread(replies["single"]), "replies/s",
                note=note("single"))]  # fmt: skip
    for name, handler in _OURS.items():
        if name not in turns:
            continue
        suffix = "_netlink" if name.endswith("_netlink") else ""
        stem = name.removesuffix(suffix)
        rows += [
            Row(f"{stem}_vs_c{suffix}", handler.title, ratios(replies[name], replies["single"]), "÷ C",
                Budget(handler.budget) if handler.budget else None, note=note(name)),
            Row(f"{stem}_cpu_vs_c{suffix}", f"{handler.title}, by CPU time",
                ratios(costs["single"], costs[name]), "÷ C"),
            Row(f"{stem}_query_vs_c{suffix}", f"{handler.title}: queries",
                ratios(queries[name], queries["single"]), "÷ C"),
        ]  # fmt: skip
    return rows
