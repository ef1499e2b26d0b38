# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m bench.stages`: where the time of a SYN goes within our own code, stage by stage.

Needs no root and no kernel: each stage runs by itself, over and over, on the home's traffic. Right after a
system call the same code takes up to three times as long (caches and branch predictors are cold by then), so
these are shares, not a sum: `make bench` measures the whole.
"""

import time
from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory

from bench import home
from bench.drain import wired
from bench.home import Mix
from smartrouter.core.effects import Effect, Record
from smartrouter.linux.rulings import FORWARD
from smartrouter.store.exhibits import Attach
from smartrouter.store.writer import Writer
from smartrouter.wire.dns import parse_reply
from smartrouter.wire.packet import glance, parse_ip

_PACKETS, _ROUNDS = 4000, 7
_ETHERNET, _UDP = 14, 28  # bytes before the IP packet, and before a DNS message in it


def main() -> None:
    frames = list(home.syns(_PACKETS, Mix.KNOWN))
    strange = list(home.syns(_PACKETS, Mix.STRANGERS))
    known = [(frame[_ETHERNET:], frame[6:12].hex(":")) for frame in frames]
    news = [(frame[_ETHERNET:], frame[6:12].hex(":")) for frame in strange]
    rows = [
        ("what tells it from others (glance)", _best(lambda: [glance(packet) for packet, _ in known])),
        (
            "the whole header (parse_ip), if it is the first",
            _best(lambda: [parse_ip(packet) for packet, _ in known]),
        ),
        *_handled("a SYN like one before", known),
        *_handled("news, again", news),
        ("its row in the database, in another thread", _stored()),
        *_replies(),
    ]
    for title, microseconds in rows:
        print(f"{title:<58}{microseconds:7.2f} µs")


def _handled(title: str, packets: list[tuple[bytes, str]]) -> list[tuple[str, float]]:
    """The verdict, and what follows it."""
    _, handler = wired("flows", _forget, _NoKernel())
    for packet, mac in packets:
        handler.judge(packet, mac, FORWARD, 0)
        handler.settle()
    verdicts: list[float] = []
    rest: list[float] = []
    for _ in range(_ROUNDS):
        spent = [0.0, 0.0]
        for at in range(0, len(packets), 64):
            began = time.thread_time()
            for packet, mac in packets[at : at + 64]:
                handler.judge(packet, mac, FORWARD, 0)
            between = time.thread_time()
            handler.settle()
            spent[0] += between - began
            spent[1] += time.thread_time() - between
        verdicts.append(spent[0] / len(packets) * 1e6)
        rest.append(spent[1] / len(packets) * 1e6)
        packets = [(packet[:24] + bytes((len(rest),)) + packet[25:], mac) for packet, mac in packets]
    return [
        (f"{title}: until its verdict", min(verdicts)),
        (f"{title}: told, recorded, handed over", min(rest)),
    ]


def _stored() -> float:
    """CPU microseconds of all threads for a row."""
    records: list[Effect | Attach] = []
    _, handler = wired("flows", records.extend, _NoKernel())
    for frame in home.syns(_PACKETS, Mix.KNOWN):
        handler.judge(frame[_ETHERNET:], frame[6:12].hex(":"), FORWARD, 0)
        handler.settle()
    records = [effect for effect in records if isinstance(effect, Record)]
    with TemporaryDirectory() as folder:
        writer = Writer(f"{folder}/stages.db")
        began = time.process_time()
        for _ in range(_ROUNDS):
            writer.put_all(records)
            writer.flush(30.0)
        spent = time.process_time() - began
        writer.close()
    return spent / (_ROUNDS * len(records)) * 1e6


def _replies() -> list[tuple[str, float]]:
    lookups = [
        (asked[_ETHERNET:], asked[6:12].hex(":"), answer[_ETHERNET:])
        for asked, answer in home.lookups(_PACKETS)
    ]
    messages = [answer[_UDP:] for _, _, answer in lookups]
    _, handler = wired("dns", _forget, _NoKernel())
    asked: list[float] = []
    answered: list[float] = []
    for _ in range(_ROUNDS):
        spent = [0.0, 0.0]
        for at in range(0, len(lookups), 64):
            began = time.thread_time()
            for query, mac, _answer in lookups[at : at + 64]:
                handler.judge(query, mac, FORWARD, 0)
            handler.settle()
            between = time.thread_time()
            for _query, mac, answer in lookups[at : at + 64]:
                handler.judge(answer, mac, FORWARD, 0)
            handler.conclude()
            handler.settle()
            spent[0] += between - began
            spent[1] += time.thread_time() - between
        asked.append(spent[0] / len(lookups) * 1e6)
        answered.append(spent[1] / len(lookups) * 1e6)
    return [
        (
            "a DNS reply read (parse_reply), if it is the first such",
            _best(lambda: [parse_reply(message) for message in messages]),
        ),
        ("a DNS query: read, judged, released", min(asked)),
        ("a DNS reply: read, matched, its names stored, released", min(answered)),
    ]


def _best(work: Callable[[], Sequence[object]]) -> float:
    """Microseconds for one, in the best of some rounds."""
    spent = []
    for _ in range(_ROUNDS):
        began = time.thread_time()
        done = work()
        spent.append((time.thread_time() - began) / len(done) * 1e6)
    return min(spent)


def _forget(_: Sequence[Effect | Attach]) -> None:
    """Store nothing."""


class _NoKernel:
    """Stands for the kernel's sets: does nothing, at once."""

    def __getattr__(self, _: str) -> Callable[..., int]:
        return lambda *_, **__: 0


if __name__ == "__main__":
    main()
