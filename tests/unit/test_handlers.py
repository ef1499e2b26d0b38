# SPDX-License-Identifier: GPL-2.0-or-later
"""What a queued packet is to the judge: the event that it becomes."""

from collections import Counter
from collections.abc import Collection
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest
from dns.message import make_query, make_response
from dns.rrset import from_text
from scapy.layers.inet import IP, TCP, UDP

from smartrouter.core.effects import AdmitReplies, Effect, Keep, Name, Record, Verdict
from smartrouter.core.events import DnsAsked, Event, FlowOpened, Moment, PacketUnreadable, Scope, Shortcut
from smartrouter.core.learning import Progress
from smartrouter.core.naming import Answer
from smartrouter.core.policy import Reason
from smartrouter.core.precedents import Repeat
from smartrouter.guard.bench import Bench
from smartrouter.guard.handlers.common import NO_MAC
from smartrouter.guard.handlers.dns import DnsHandler
from smartrouter.guard.handlers.flows import TOGETHER, FlowHandler
from smartrouter.guard.handlers.log import LogHandler
from smartrouter.linux.queue import FORWARD, LOCAL_IN, LOCAL_OUT, Marks
from smartrouter.store.exhibits import Attach

MARKS = Marks(0x40, 0x80)
MAC = "02:00:00:00:00:01"
NTP = bytes((0x23,)) + bytes(47)  # version 4, client
HEADER = IP(src="192.168.1.2", dst="203.0.113.9")
YES, NO = Verdict(True, Reason.LEARNED), Verdict(False, Reason.UNKNOWN_NAME)


class Script:
    """A judge that answers every event alike."""

    def __init__(self, *answer: Effect) -> None:
        self.counts: Counter[Reason] = Counter()
        self.told: list[Any] = []
        self.answer = list(answer)

    def still(self, changes: list[Any]) -> list[Any]:
        return changes

    def repeat(self, event: FlowOpened) -> Repeat | None:
        return None  # each packet is to be handled

    def era(self, running: float) -> object:
        return None

    def hears(self, mac: str, now: Moment) -> bool:
        return True

    def repeated(self, *_: object, **__: object) -> Any:
        raise AssertionError("nothing is to be repeated")

    def answered(self, answers: Collection[Answer], now: Moment) -> list[tuple[int, list[Effect]]]:
        raise AssertionError("nothing is answered")

    def handle(self, event: Event, now: Moment) -> list[Effect]:
        self.told.append(event)
        self.counts.update(effect.reason for effect in self.answer if isinstance(effect, Verdict))
        return list(self.answer)


class NoSets:
    """No set may be touched, but that of DNS clients."""

    def __init__(self) -> None:
        self.admitted: list[str] = []

    def admit(self, address: str) -> None:
        self.admitted.append(address)


NO_SETS: Any = NoSets()


def bench(script: Script, sets: Any = NO_SETS) -> Bench:
    return Bench(script, sets, lambda effects: None, fail_open=False)


@pytest.mark.parametrize(
    ("hook", "mark", "scope", "spoofed"),
    [
        (FORWARD, 0x0, Scope.OUTSIDE, False),
        (FORWARD, 0x10001, Scope.OUTSIDE, False),
        (FORWARD, 0x40, Scope.LAN, False),
        (FORWARD, 0xC0, Scope.OUTSIDE, True),
        (LOCAL_IN, 0x40, Scope.ROUTER, False),
    ],
)
def test_the_marks_say_where_a_packet_goes_and_whether_its_source_is_forged(
    hook: int, mark: int, scope: Scope, spoofed: bool
) -> None:
    script = Script(YES)
    handler = FlowHandler(bench(script), MARKS)
    ruling = handler.judge(bytes(HEADER / TCP(dport=443, flags="S")), MAC, hook, mark)
    assert ruling is (None if hook == LOCAL_IN else True)
    (event,) = script.told
    assert (event.scope, event.spoofed, event.opens, event.asks_time) == (scope, spoofed, True, False)


@pytest.mark.parametrize(
    ("packet", "opens", "asks_time"),
    [
        (HEADER / TCP(flags="S", dport=123) / NTP, True, False),
        (HEADER / TCP(flags="A", dport=443), False, False),
        (HEADER / UDP(dport=123) / NTP, True, True),
        (HEADER / UDP(dport=123) / (b"\xe3" + NTP[1:]), True, True),  # leap second unknown
        (HEADER / UDP(dport=123) / (NTP + b"x"), True, False),
        (HEADER / UDP(dport=123) / NTP[:47], True, False),
        (HEADER / UDP(dport=123) / (b"\x24" + NTP[1:]), True, False),  # a server's answer
        (HEADER / UDP(dport=123), True, False),
        (HEADER / UDP(dport=124) / NTP, True, False),
    ],
)
def test_a_first_packet_opens_a_connection_and_may_ask_for_the_time(
    packet: Any, opens: bool, asks_time: bool
) -> None:
    script = Script(NO)
    assert FlowHandler(bench(script), MARKS).judge(bytes(packet), None, FORWARD, 0) is False
    (event,) = script.told
    assert isinstance(event, FlowOpened)
    assert (event.mac, event.opens, event.asks_time) == (NO_MAC, opens, asks_time)


def test_what_cannot_be_read_is_told_as_such() -> None:
    script = Script(NO)
    assert FlowHandler(bench(script), MARKS).judge(b"\x45", MAC, FORWARD, 0) is False
    assert script.told == [PacketUnreadable(MAC, Scope.OUTSIDE)]


def test_what_can_wait_is_done_after_the_verdict() -> None:
    stored: list[Effect | Attach] = []
    script = Script(YES, Record(None), Keep(MAC, Progress()))  # type: ignore[arg-type]
    handler = FlowHandler(Bench(script, NO_SETS, stored.extend, fail_open=True), MARKS)
    handler.judge(bytes(HEADER / TCP()), MAC, FORWARD, 0)
    assert stored == []
    handler.settle()
    assert stored == script.answer[1:]


class Repeating(Script):
    """A judge to whom all packets are like the first."""

    def __init__(self, answer: Verdict) -> None:
        super().__init__(answer)
        self.repeated_count = 0
        self._accept = answer.accept

    def repeat(self, event: FlowOpened) -> Any:
        device = SimpleNamespace(serial=1)
        return SimpleNamespace(device=device, serial=1, until=inf, is_nameless=False, accept=self._accept)

    def repeated(self, *told: Any, **_: object) -> list[Effect]:
        self.repeated_count += len(told[0])
        return [Record(None)] * len(told[0])  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", [YES, NO], ids=["accepted", "refused"])
def test_further_packets_of_a_sort_get_its_verdict_and_are_told_of_together(answer: Verdict) -> None:
    stored: list[Effect | Attach] = []
    script = Repeating(answer)
    handler = FlowHandler(Bench(script, NO_SETS, stored.extend, fail_open=True), MARKS)
    assert handler.judge(bytes(HEADER / TCP()), MAC, FORWARD, 0) is answer.accept
    handler.settle()
    for number in range(1, 2 * TOGETHER + 2):
        assert handler.judge(bytes(HEADER / TCP()), MAC, FORWARD, 0) is answer.accept
        handler.settle()
        assert len(stored) == number // TOGETHER * TOGETHER
    handler.flush()
    assert len(stored) == script.repeated_count == 2 * TOGETHER + 1
    assert len(script.told) == 1


def test_what_the_kernel_settled_is_told_as_such_and_counted() -> None:
    script = Script()
    desk = bench(script)
    take_down = LogHandler(desk)
    packet = bytes(HEADER / TCP(dport=443, flags="S", seq=7))
    take_down(
        [("known", MAC, packet), ("blocked", None, packet), ("denied", MAC, packet), ("other", MAC, packet)]
    )
    assert [(event.mac, event.settled) for event in script.told] == [
        (MAC, Shortcut.KNOWN),
        (NO_MAC, Shortcut.BLOCKED),
        (MAC, Shortcut.DENIED),
    ]
    assert {(event.destination, event.destination_port, event.sequence) for event in script.told} == {
        ("203.0.113.9", 443, 7)
    }
    assert all(event.scope is Scope.OUTSIDE and event.opens for event in script.told)
    assert desk.recorded == dict.fromkeys(Shortcut, 1)


def test_what_was_logged_and_cannot_be_read_ends_nothing() -> None:
    script = Script()
    desk = bench(script)
    LogHandler(desk)([("known", MAC, b"\x45"), ("known", MAC, bytes(HEADER / TCP()))])
    assert (len(script.told), desk.recorded[Shortcut.KNOWN]) == (1, 2)


@pytest.mark.parametrize(("mark", "scope"), [(0x0, Scope.OUTSIDE), (0x40, Scope.LAN), (0xC0, Scope.OUTSIDE)])
def test_a_query_of_a_resolver_in_the_lan_goes_to_the_outside(mark: int, scope: Scope) -> None:
    """It comes with both marks; what stays in the LAN with one of them."""
    sets = NoSets()
    script = Script(AdmitReplies("192.168.1.2"), Verdict(True, Reason.DNS_QUERY))
    handler = DnsHandler(bench(script, sets), MARKS)
    query = HEADER / UDP(dport=53) / make_query("a.example", "A").to_wire()
    assert handler.judge(bytes(query), MAC, FORWARD, mark) is True
    (event,) = script.told
    assert isinstance(event, DnsAsked)
    assert event.scope is scope
    assert event.query is not None
    assert sets.admitted == ["192.168.1.2"]
    handler.settle()
    assert sets.admitted == ["192.168.1.2"]  # once, before the verdict
    assert script.counts == {Reason.DNS_QUERY: 1}


ANSWER = make_response(make_query("a.example", "A", id=7))
ANSWER.answer = [from_text("a.example.", 60, "IN", "A", "203.0.113.9")]


class Hearing(Script):
    """A judge that hears of replies; for whom a client with the port `TOO_MUCH` is too much."""

    TOO_MUCH = 4002

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[list[tuple[int, int]]] = []  # port and identifier, of those that came together

    def answered(self, answers: Collection[Answer], now: Moment) -> list[tuple[int, list[Effect]]]:
        if self.TOO_MUCH in [asked[1] for asked, _ in answers]:
            raise ValueError("a bug")
        self.heard.append([(asked[1], asked[4]) for asked, _ in answers])
        self.counts[Reason.DNS_REPLY] += len(answers)
        assert {lesson.addresses for _, lesson in answers} == {("203.0.113.9",)}
        return [
            (place, [Name(MAC, "203.0.113.9", str(asked[1]), 60, 1.0)])
            for place, (asked, _) in enumerate(answers)
        ]


def reply(port: int, ident: int = 7) -> bytes:
    wire = ident.to_bytes(2, "big") + ANSWER.to_wire()[2:]
    return bytes(IP(src="192.168.1.1", dst="192.168.1.2") / UDP(sport=53, dport=port) / wire)


def test_replies_that_come_together_are_told_together_before_the_verdicts_and_stored_after_them() -> None:
    stored: list[Effect | Attach] = []
    script = Hearing()
    handler = DnsHandler(Bench(script, NO_SETS, stored.extend, fail_open=True), MARKS)
    for port, ident in ((4000, 1), (4001, 2)):
        assert handler.judge(reply(port, ident), None, LOCAL_OUT, 0) is None
    assert not script.heard
    handler.conclude()
    assert (script.heard, stored) == ([[(4000, 1), (4001, 2)]], [])
    handler.settle()
    assert [each.name for each in stored if isinstance(each, Name)] == ["4000", "4001"]
    handler.conclude()
    assert len(script.heard) == 1


def test_a_reply_that_is_too_much_costs_no_other_its_names() -> None:
    script = Hearing()
    handler = DnsHandler(bench(script), MARKS)
    for port in (4000, script.TOO_MUCH, 4001):
        handler.judge(reply(port), None, LOCAL_OUT, 0)
    handler.conclude()
    assert script.heard == [[(4000, 7)], [(4001, 7)]]
    assert script.counts == {Reason.DNS_REPLY: 2, Reason.OUR_ERROR: 1}


def test_a_query_is_judged_after_the_replies_that_came_before_it() -> None:
    script = Hearing()
    script.answer = [Verdict(True, Reason.DNS_QUERY)]
    handler = DnsHandler(bench(script), MARKS)
    handler.judge(reply(4000), None, LOCAL_OUT, 0)
    query = HEADER / UDP(dport=53) / make_query("a.example", "A").to_wire()
    handler.judge(bytes(query), MAC, FORWARD, 0)
    assert (len(script.heard), len(script.told)) == (1, 1)


@pytest.mark.parametrize(
    "packet",
    [
        reply(4000)[:-1],  # a copy that was cut
        reply(4000) + b"x",
        reply(4000).replace(b"\x45\0", b"\x46\0", 1),
        reply(4000)[:6] + b"\x20" + reply(4000)[7:],  # a fragment
        reply(4000).replace(b"\x01a", b"\xc0\0", 1),  # a name that leads to the identifier
    ],
)
def test_what_is_no_plain_reply_is_read_by_itself(packet: bytes) -> None:
    script = Hearing()
    script.answer = [Verdict(True, Reason.DNS_REPLY)]
    DnsHandler(bench(script), MARKS).judge(packet, None, LOCAL_OUT, 0)
    assert not script.heard
    assert script.counts == {Reason.DNS_REPLY: 1}
