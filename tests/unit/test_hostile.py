# SPDX-License-Identifier: GPL-2.0-or-later
"""Odd packets and bad replies, made on purpose (`fuzz`), through every parser and through the guard: nothing
is raised, nothing stays behind, and none takes longer than anything may.
"""

import gc
import heapq
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from random import Random

import pytest
from tries import slowness
from unit.made_guard import ROUTER, Guard, udp
from unit.made_messages import message, question

from fuzz.bad_dns import KINDS, bad_replies, in_pieces
from fuzz.odd_packets import RARE, WRONG, odd_packets
from fuzz.packet_maker import TCP, Ends, Maker
from fuzz.targets import once
from smartrouter.core.effects import Name
from smartrouter.core.policy import Mode
from smartrouter.linux.queue import FORWARD, LOCAL_IN, LOCAL_OUT

MAC, SOURCE = "02:00:5e:00:53:2a", "192.168.0.10"
ENDS = Ends((SOURCE, "203.0.113.66"), ("fd00::a", "2001:db8:66::66"))
PACKETS, VIOLATIONS, MESSAGES = 49_000, 5_300, 13_000
SLOW = 0.010  # seconds of this thread's processor time
WORST = 20  # of the inputs are looked at again: the collector of garbage may have come by
GROWN = 1.02  # times the blocks of memory after the first half: more is a leak
OUTSIDE = "9.9.9.9"


class Stopwatch:
    """Runs something on each input; knows which took longest."""

    def __init__(self, run: Callable[[bytes], object]) -> None:
        self._run = run
        self._worst: list[tuple[float, bytes]] = []

    def over(self, inputs: Iterable[bytes]) -> None:
        for data in inputs:
            took = self._took(data)
            if len(self._worst) < WORST:
                heapq.heappush(self._worst, (took, data))
            elif took > self._worst[0][0]:
                heapq.heapreplace(self._worst, (took, data))

    def _took(self, data: bytes) -> float:
        begun = time.thread_time()
        try:
            self._run(data)
        except Exception as error:
            error.add_note(data.hex())
            raise
        return time.thread_time() - begun

    def longest(self) -> float:
        """Of the worst ones the longest, each by the best of three more runs if it was too long."""
        return max(
            took if took < SLOW else min(took, *(self._took(data) for _ in range(3)))
            for took, data in self._worst
        )


def assert_soon_over_and_nothing_stays(run: Callable[[bytes], object], inputs: Sequence[bytes]) -> None:
    watch, half = Stopwatch(run), len(inputs) // 2
    watch.over(inputs[:half])
    gc.collect()
    before = sys.getallocatedblocks()
    watch.over(inputs[half:])
    gc.collect()
    assert sys.getallocatedblocks() < GROWN * before
    assert watch.longest() < SLOW * slowness()


def made(count: int, seed: int = 1) -> list[bytes]:
    return [odd.packet for odd in islice(odd_packets(ENDS, seed), count)]


def guard(mode: Mode, store: Callable[[Sequence[object]], object] = len) -> Guard:
    """With a device that knows a name, and is protected; it judges by hellos, which is the most to read."""
    found = Guard(MAC, store=store, mode=mode, judge_by_hello=True)
    found.tell(MAC, "api.cloud.example", "203.0.113.10")
    found.connect(MAC, found.attempts(MAC, ["203.0.113.10"]))
    found.protect()
    return found


# -- what the packets are ----------------------------------------------------------------------------------


def test_packets_are_of_every_kind_many_violate_protocols_and_they_are_the_same_each_time() -> None:
    found = list(islice(odd_packets(ENDS), PACKETS))
    kinds = Counter(odd.kind for odd in found)
    assert kinds.keys() == {kind.__name__ for kind in (*RARE, *WRONG)}
    assert sum(odd.wrong for odd in found) > VIOLATIONS
    assert len({odd.packet for odd in found}) > 0.95 * PACKETS
    assert list(islice(odd_packets(ENDS), 500)) == found[:500]
    assert list(islice(odd_packets(ENDS, seed=2), 500)) != found[:500]


def test_messages_are_of_every_kind_and_the_same_each_time() -> None:
    found = list(islice(bad_replies("hostile.example"), MESSAGES))
    assert {bad.kind for bad in found} == {kind.__name__ for kind in KINDS}
    assert len({bad.message for bad in found}) > 0.95 * MESSAGES
    assert list(islice(bad_replies("hostile.example"), 500)) == found[:500]


# -- what becomes of them ----------------------------------------------------------------------------------


def test_no_odd_packet_is_too_much_for_any_parser(rounds: Callable[[int], int]) -> None:
    def run(packet: bytes) -> None:
        for target in ("packet", "syn", "server_name", "overheard"):
            once(target, packet)

    assert_soon_over_and_nothing_stays(run, made(rounds(PACKETS // 4)))


@pytest.mark.parametrize("mode", [Mode.MONITOR, Mode.ENFORCE])
def test_no_odd_packet_is_too_much_for_the_guard(mode: Mode, rounds: Callable[[int], int]) -> None:
    """Each comes through the router, and to it; as a query if it goes to port 53."""
    judging = guard(mode)

    def run(packet: bytes) -> None:
        for hook in (FORWARD, LOCAL_IN):
            judging.flows.judge(packet, MAC, hook, 0)
            judging.dns.judge(packet, MAC, hook, 0)
        judging.dns.judge(packet, None, LOCAL_OUT, 0)
        judging.flows.settle()
        judging.dns.conclude()
        judging.dns.settle()
        judging.flows.flush()

    assert_soon_over_and_nothing_stays(run, made(rounds(PACKETS // 4)))


def test_no_bad_message_is_too_much_for_any_parser(rounds: Callable[[int], int]) -> None:
    def run(data: bytes) -> None:
        for target in ("dns", "mdns"):
            once(target, data)

    assert_soon_over_and_nothing_stays(
        run, [bad.message for bad in islice(bad_replies("hostile.example"), rounds(MESSAGES))]
    )


def test_no_bad_reply_is_too_much_for_the_guard_and_none_names_what_was_not_asked_for(
    rounds: Callable[[int], int],
) -> None:
    """The router's, and a public resolver's, each to the question that it is made for."""
    bad = list(islice(bad_replies("hostile.example"), rounds(MESSAGES)))
    asked = {"api.cloud.example", *(each.name for each in bad)}
    wrong: list[Name] = []
    told = Counter[bool]()

    def store(effects: Sequence[object]) -> None:
        for name in [effect for effect in effects if isinstance(effect, Name)]:
            told[True] += 1
            if name.name not in asked or name.address.startswith(("127.", "192.168.", "10.", "::")):
                wrong.append(name)

    judging = guard(Mode.ENFORCE, store)

    def run(exchange: bytes) -> None:
        name, _, reply = exchange.partition(b"\0")
        ident = int.from_bytes(reply[:2], "big")
        query = message([question(name.decode())], flags=0x0100, ident=ident)
        for resolver, hooks in ((ROUTER, (LOCAL_IN, LOCAL_OUT)), (OUTSIDE, (FORWARD, FORWARD))):
            judging.dns.judge(udp(SOURCE, resolver, 40000, 53, query), MAC, hooks[0], 0)
            judging.dns.conclude()
            judging.dns.settle()
            judging.dns.judge(udp(resolver, SOURCE, 53, 40000, reply), None, hooks[1], 0)
            judging.dns.conclude()
            judging.dns.settle()

    exchanges = [each.name.encode() + b"\0" + each.message for each in bad]
    assert_soon_over_and_nothing_stays(run, exchanges)
    assert not wrong
    assert told[True] > len(bad) // len(KINDS), "some are believed, as they only look odd"


def test_no_bad_reply_over_tcp_is_too_much_for_the_guard(rounds: Callable[[int], int]) -> None:
    """In segments, some of them with lengths that are not theirs, each on a connection of its own."""
    judging = guard(Mode.ENFORCE)
    replies = (bad.message for bad in bad_replies("hostile.example", seed=2))

    def segments() -> Iterator[bytes]:
        for number, pieces in enumerate(in_pieces(replies)):
            at = 1
            for piece in pieces:
                yield tcp_reply(40000 + number % 5000, at, piece)
                at += len(piece)

    def run(packet: bytes) -> None:
        judging.dns.judge(packet, None, FORWARD, 0)
        judging.dns.conclude()
        judging.dns.settle()

    assert_soon_over_and_nothing_stays(run, list(islice(segments(), rounds(MESSAGES))))


def tcp_reply(port: int, sequence: int, data: bytes) -> bytes:
    """A segment from a resolver's port 53."""
    make = Maker(Random(1), Ends((OUTSIDE, SOURCE), ENDS.six))
    segment = struct.pack("!HHIIBBHHH", 53, port, sequence, 1, 0x50, 0x18, 64240, 0, 0)
    return make.four(TCP, segment + data)
