# SPDX-License-Identifier: GPL-2.0-or-later
"""The first data of connections, as packets: when it is judged, and what each packet gets until then."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from unit.made_hellos import first_flight, from_openssl, quic_client

from smartrouter.core.effects import (
    Cut,
    Effect,
    Flow,
    Inspect,
    Label,
    LookUp,
    Release,
    Verdict,
)
from smartrouter.core.errors import Unavailable
from smartrouter.core.events import Event, FlowOpened, HelloHeard, Moment
from smartrouter.core.policy import Reason
from smartrouter.core.precedents import Repeat
from smartrouter.guard.bench import Bench
from smartrouter.guard.handlers.flows import FlowHandler
from smartrouter.guard.inspection import MAX_INSPECTIONS, PATIENCE
from smartrouter.linux.queue import FORWARD, Marks, Ruling, Silently
from smartrouter.store.exhibits import Attach

MARKS = Marks(0x40, 0x80)
BOTH = 0xC0
MAC = "02:00:00:00:00:01"
CLIENT, ADDRESS = "192.168.1.2", "203.0.113.9"
TCP_FLOW = Flow(CLIENT, 40000, ADDRESS, 443, 6)
UDP_FLOW = TCP_FLOW._replace(protocol=17)
HELLO = from_openssl("cloud.example.com")
WAITS = Verdict(True, Reason.AWAITING_HELLO)
NOT_YET = Verdict(False, Reason.AWAITING_HELLO)
KNOWN, UNKNOWN = Verdict(True, Reason.KNOWN_HELLO), Verdict(False, Reason.UNKNOWN_HELLO)


class Script:
    """A judge that says what the test wants of each kind of event, and keeps what it was told."""

    def __init__(self) -> None:
        self.counts: Counter[Reason] = Counter()
        self.told: list[Event] = []
        self.opened: Callable[[Flow], list[Effect]] = lambda flow: [Inspect(flow, True), WAITS]
        self.heard: Callable[[Flow], list[Effect]] = lambda flow: [KNOWN, Release(flow)]

    def still(self, changes: list[Any]) -> list[Any]:
        return changes

    def era(self, running: float) -> object:
        return None

    def repeat(self, event: FlowOpened) -> Repeat | None:
        return None  # each packet is to be handled

    def hears(self, mac: str, now: Moment) -> bool:
        return True

    def repeated(self, *_: object, **__: object) -> Any:
        raise AssertionError("nothing is to be repeated")

    def answered(self, *_: object) -> Any:
        raise AssertionError("nothing is answered")

    def handle(self, event: Event, now: Moment) -> list[Effect]:
        self.told.append(event)
        if isinstance(event, FlowOpened):
            flow = Flow(
                event.source, event.source_port, event.destination, event.destination_port, event.protocol
            )
            effects = self.opened(flow)
        else:
            assert isinstance(event, HelloHeard)
            effects = self.heard(Flow(*event[1:6]))
        self.counts.update(effect.reason for effect in effects if isinstance(effect, Verdict))
        return effects

    @property
    def hellos(self) -> list[HelloHeard]:
        return [event for event in self.told if isinstance(event, HelloHeard)]


class Kernel:
    """Notes what the sets are told."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.full = False

    def inspect(self, flow: Flow, *, held: bool) -> None:
        if self.full:
            raise Unavailable("the set is full")
        self.done.append(("inspect", flow, held))

    def release(self, flow: Flow) -> None:
        self.done.append(("release", flow))

    def cut(self, flow: Flow) -> None:
        self.done.append(("cut", flow))


class Desk:
    """A handler on a scripted judge's bench; `packets` counts what it was given."""

    def __init__(self) -> None:
        self.judge, self.kernel = Script(), Kernel()
        self.stored: list[Effect | Attach] = []
        self.looked_up: list[str] = []
        sets: Any = self.kernel
        self.bench = Bench(
            self.judge, sets, self.stored.extend, fail_open=True, look_up=self.looked_up.append
        )
        self.handler = FlowHandler(self.bench, MARKS)
        self.packets = 0

    def give(self, packet: bytes, mark: int = 0) -> Ruling:
        self.packets += 1
        ruling = self.handler.judge(packet, MAC, FORWARD, mark)
        self.handler.settle()
        assert sum(self.judge.counts.values()) == self.packets  # each is counted once
        return ruling


@pytest.fixture
def desk() -> Desk:
    return Desk()


def segment(flags: str, sequence: int, data: bytes = b"", port: int = 40000, version: int = 4) -> bytes:
    layer = IP(src=CLIENT, dst=ADDRESS) if version == 4 else IPv6(src="fd00::2", dst="2001:db8::9")
    return bytes(layer / TCP(sport=port, dport=443, flags=flags, seq=sequence, ack=1) / data)


def datagram(data: bytes, port: int = 40000) -> bytes:
    return bytes(IP(src=CLIENT, dst=ADDRESS) / UDP(sport=port, dport=443) / data)


SYN = segment("S", 999)


# -- TCP -----------------------------------------------------------------------------------------------


def test_a_connection_is_inspected_from_before_its_syn_goes_on(desk: Desk) -> None:
    desk.judge.opened = lambda flow: [Inspect(flow, True), WAITS, Label(MAC, ADDRESS, "x")]
    ruling = desk.handler.judge(SYN, MAC, FORWARD, 0)
    assert desk.kernel.done == [("inspect", TCP_FLOW, True)]
    assert ruling is True
    assert desk.stored == []
    desk.handler.settle()
    assert desk.stored == [Label(MAC, ADDRESS, "x")]
    assert desk.kernel.done == [("inspect", TCP_FLOW, True)]


@pytest.mark.parametrize("version", [4, 6])
def test_its_first_data_is_judged_and_only_that(desk: Desk, version: int) -> None:
    assert desk.give(segment("S", 999, version=version)) is True
    assert desk.give(segment("A", 1000, version=version), BOTH) is True
    assert desk.judge.hellos == []
    assert desk.give(segment("PA", 1000, HELLO, version=version), BOTH) is True
    (heard,) = desk.judge.hellos
    assert (heard.mac, heard.port, heard.name, heard.encrypted) == (MAC, 443, "cloud.example.com", False)
    flow = Flow(*heard[1:6])
    assert desk.kernel.done == [("inspect", flow, True), ("release", flow)]
    # What was in the queue by then gets the same verdict.
    assert desk.give(segment("PA", 1000 + len(HELLO), b"more", version=version), BOTH) is True
    assert len(desk.judge.hellos) == 1
    assert desk.judge.counts == {Reason.AWAITING_HELLO: 2, Reason.KNOWN_HELLO: 2}


def test_what_is_not_known_is_cut_before_the_verdict(desk: Desk) -> None:
    desk.judge.heard = lambda flow: [Cut(flow), UNKNOWN]
    desk.give(SYN)
    assert desk.handler.judge(segment("PA", 1000, HELLO), MAC, FORWARD, BOTH) is False
    assert desk.kernel.done[-1] == ("cut", TCP_FLOW)
    desk.handler.settle()
    assert desk.kernel.done[1:] == [("cut", TCP_FLOW)]
    desk.packets = 2
    assert desk.give(segment("PA", 1000, HELLO), BOTH) is False


@pytest.mark.parametrize("held", [True, False])
def test_a_piece_of_a_hello_is_withheld_only_where_nothing_may_go_on(desk: Desk, held: bool) -> None:
    desk.judge.opened = lambda flow: [Inspect(flow, held), WAITS]
    first, rest = segment("A", 1000, HELLO[:100]), segment("PA", 1100, HELLO[100:])
    desk.give(SYN)
    assert desk.give(first, BOTH) is (Silently.DROPPED if held else True)
    assert desk.bench.withheld == held
    assert desk.give(rest, BOTH) is True
    assert desk.judge.hellos[0].name == "cloud.example.com"
    assert desk.give(first, BOTH) is True  # as TCP sends it again


def test_the_pieces_may_come_in_any_order_and_twice(desk: Desk) -> None:
    desk.give(SYN)
    pieces = [segment("A", 1000 + at, HELLO[at : at + 60]) for at in range(0, len(HELLO), 60)]
    for piece in [*reversed(pieces[1:]), pieces[1]]:
        assert desk.give(piece, BOTH) is Silently.DROPPED
    assert desk.give(pieces[0], BOTH) is True
    assert desk.judge.hellos[0].name == "cloud.example.com"


def test_data_without_a_hello_is_a_name_that_cannot_be_read(desk: Desk) -> None:
    desk.judge.heard = lambda flow: [Cut(flow), UNKNOWN]
    desk.give(SYN)
    assert desk.give(segment("PA", 1000, b"\x00SSH-2.0"), BOTH) is False
    assert [heard.name for heard in desk.judge.hellos] == [""]


def test_what_is_heard_and_cannot_be_judged_yet_is_withheld_and_told_again(desk: Desk) -> None:
    hello = segment("PA", 1000, HELLO)
    desk.judge.heard = lambda flow: [NOT_YET, LookUp("cloud.example.com")]
    desk.give(SYN)
    for _ in range(2):
        assert desk.give(hello, BOTH) is Silently.DROPPED
    assert desk.give(segment("A", 1000), BOTH) is True  # no data, nothing to withhold
    assert desk.looked_up == ["cloud.example.com"] * 2
    desk.judge.heard = lambda flow: [KNOWN, Release(flow)]
    assert desk.give(hello, BOTH) is True
    assert [heard.name for heard in desk.judge.hellos] == ["cloud.example.com"] * 3


def test_a_syn_that_brings_data_is_judged_by_it_at_once(desk: Desk) -> None:
    desk.judge.heard = lambda flow: [Cut(flow), UNKNOWN]
    assert desk.give(segment("S", 999, HELLO)) is False
    assert desk.judge.counts[Reason.UNKNOWN_HELLO] == 1
    assert desk.judge.counts[Reason.AWAITING_HELLO] == 0
    assert desk.kernel.done == [("inspect", TCP_FLOW, True), ("cut", TCP_FLOW)]
    assert desk.give(segment("S", 5999, HELLO[:50], port=41000)) is Silently.DROPPED


def test_a_new_connection_from_the_same_port_begins_anew(desk: Desk) -> None:
    desk.give(SYN)
    assert desk.give(segment("A", 1000, HELLO[:80]), BOTH) is Silently.DROPPED
    desk.judge.opened = lambda flow: [WAITS]  # the judge knows that it waits for this one
    assert desk.give(segment("S", 70999), BOTH) is True
    assert desk.give(segment("PA", 71000, HELLO), BOTH) is True
    assert desk.judge.hellos[0].name == "cloud.example.com"


def test_a_forged_source_is_told_and_first_data_is_none(desk: Desk) -> None:
    desk.judge.opened = lambda flow: [WAITS]
    desk.give(SYN, BOTH)
    desk.give(SYN)
    desk.give(SYN, MARKS.passing)
    assert [event.spoofed for event in desk.judge.told if isinstance(event, FlowOpened)] == [
        True, False, False
    ]  # fmt: skip
    desk.judge.opened = lambda flow: [Inspect(flow, True), WAITS]
    desk.give(SYN)
    desk.give(SYN, BOTH)
    desk.give(segment("PA", 1, b"x", port=41000), BOTH)  # of a connection that is not inspected
    assert [event.spoofed for event in desk.judge.told[3:] if isinstance(event, FlowOpened)] == [
        False, False, True
    ]  # fmt: skip


def test_where_the_kernel_has_no_room_what_must_be_held_does_not_begin(desk: Desk) -> None:
    desk.kernel.full = True
    assert desk.give(SYN) is False
    desk.judge.opened = lambda flow: [Inspect(flow, False), WAITS]
    assert desk.give(segment("S", 1, port=41000)) is True


def test_a_client_that_says_nothing_is_cut_in_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("smartrouter.guard.handlers.flows.time.monotonic", lambda: clock[0])
    desk.give(SYN)
    desk.judge.opened = lambda flow: [Inspect(flow, False), WAITS]
    desk.give(segment("S", 1, port=41000))
    clock[0] += PATIENCE - 0.5
    desk.give(segment("S", 1, port=42000))
    assert len(desk.kernel.done) == 3
    clock[0] += 1.0
    desk.give(segment("S", 1, port=43000))
    ended = desk.kernel.done[4:]
    assert ended == [("cut", TCP_FLOW), ("release", TCP_FLOW._replace(client_port=41000))]


def test_a_flood_of_beginnings_takes_no_more_room_than_the_kernels_set(desk: Desk) -> None:
    for port in range(1, MAX_INSPECTIONS + 3):
        desk.give(segment("S", 1, port=port))
    assert [done for done in desk.kernel.done if done[0] == "cut"] == [
        ("cut", TCP_FLOW._replace(client_port=port)) for port in (1, 2)
    ]


def test_one_that_was_judged_is_not_cut_when_its_time_is_over(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("smartrouter.guard.handlers.flows.time.monotonic", lambda: clock[0])
    desk.give(SYN)
    desk.give(segment("PA", 1000, HELLO), BOTH)
    clock[0] += 2 * PATIENCE
    desk.judge.opened = lambda flow: [WAITS]
    desk.give(segment("S", 1, port=41000))
    assert desk.kernel.done == [("inspect", TCP_FLOW, True), ("release", TCP_FLOW)]


# -- QUIC and HTTP -------------------------------------------------------------------------------------


def test_a_quic_hello_is_judged_with_its_first_datagram_and_needs_no_set(desk: Desk) -> None:
    (first, *_) = first_flight(quic_client("video.example.net"))
    desk.judge.heard = lambda flow: [Cut(flow), UNKNOWN]
    assert desk.give(datagram(first)) is False
    assert desk.judge.hellos == [HelloHeard(MAC, CLIENT, 40000, ADDRESS, 443, 17, "video.example.net", False)]
    assert desk.judge.counts == {Reason.AWAITING_HELLO: 0, Reason.UNKNOWN_HELLO: 1}
    assert desk.kernel.done == []
    assert desk.give(datagram(first)) is False  # sent again
    assert len(desk.judge.hellos) == 1


@pytest.mark.parametrize("held", [True, False])
def test_a_quic_hello_in_two_datagrams_is_joined(desk: Desk, held: bool) -> None:
    desk.judge.opened = lambda flow: [Inspect(flow, held), WAITS]
    client = quic_client("video.example.net", *(f"h3-{number:0200}" for number in range(6)))
    first, second, *_ = first_flight(client)
    assert desk.give(datagram(first)) is (Silently.DROPPED if held else True)
    assert desk.give(datagram(second)) is True
    assert [heard.name for heard in desk.judge.hellos] == ["video.example.net"]
    assert desk.bench.withheld == held


def test_an_empty_datagram_opens_no_way(desk: Desk) -> None:
    desk.judge.heard = lambda flow: [Cut(flow), UNKNOWN]
    assert desk.give(datagram(b"")) is False
    assert [heard.name for heard in desk.judge.hellos] == [""]


def test_other_datagrams_are_told_as_ever_while_some_are_inspected(desk: Desk) -> None:
    desk.give(SYN)
    desk.judge.opened = lambda flow: [WAITS]
    assert desk.give(datagram(b"x", port=41000)) is True
    assert isinstance(desk.judge.told[-1], FlowOpened)


def test_the_host_of_an_http_request_is_heard(desk: Desk) -> None:
    desk.give(SYN)
    assert desk.give(segment("PA", 1000, b"GET / HTTP/1.1\r\nHost: plain.example\r\n\r\n"), BOTH) is True
    assert desk.judge.hellos[0].name == "plain.example"
