# SPDX-License-Identifier: GPL-2.0-or-later
"""New attempts against retransmissions and packets of flows that go on."""

from collections.abc import Callable
from functools import partial

import pytest
from counting import steps

from smartrouter.core.events import TCP, UDP
from smartrouter.core.flows import SILENCE, Flows

ICMP = 1
FLOW = ("3c:2e:ff:29:4d:93", "192.168.1.50", 40000, "203.0.113.7", 443)


def test_a_retransmitted_syn_is_no_new_attempt_however_late_it_comes() -> None:
    flows = Flows()
    assert flows.is_new(*FLOW, TCP, 1000, 0.0)
    assert not flows.is_new(*FLOW, TCP, 1000, 1.0)
    assert not flows.is_new(*FLOW, TCP, 1000, 3.0)
    assert not flows.is_new(*FLOW, TCP, 1000, 86400.0)


def test_a_syn_with_another_sequence_number_is_a_new_attempt() -> None:
    flows = Flows()
    assert flows.is_new(*FLOW, TCP, 1000, 0.0)
    assert flows.is_new(*FLOW, TCP, 1001, 0.0)


@pytest.mark.parametrize(
    "other",
    [
        ("3c:2e:ff:29:4d:94", *FLOW[1:]),
        (FLOW[0], "192.168.1.51", *FLOW[2:]),
        (*FLOW[:2], 40001, *FLOW[3:]),
        (*FLOW[:3], "203.0.113.8", 443),
        (*FLOW[:4], 80),
    ],
)
def test_whatever_differs_in_the_five_tuple_makes_another_flow(other: tuple[str, str, int, str, int]) -> None:
    flows = Flows()
    assert flows.is_new(*FLOW, UDP, 0, 0.0)
    assert flows.is_new(*other, UDP, 0, 0.0)
    assert flows.is_new(*FLOW, ICMP, 0, 0.0)


@pytest.mark.parametrize(
    ("silence", "is_new"), [(0.0, False), (SILENCE - 0.001, False), (SILENCE, True), (SILENCE + 1, True)]
)
@pytest.mark.parametrize("protocol", [UDP, ICMP])
def test_a_flow_without_sequence_numbers_is_new_again_after_silence(
    protocol: int, silence: float, is_new: bool
) -> None:
    flows = Flows()
    assert flows.is_new(*FLOW, protocol, 0, 50.0)
    assert flows.is_new(*FLOW, protocol, 0, 50.0 + silence) is is_new


def test_silence_counts_from_the_last_packet_not_from_the_first() -> None:
    flows = Flows()
    assert flows.is_new(*FLOW, UDP, 0, 0.0)
    for step in range(1, 10):
        assert not flows.is_new(*FLOW, UDP, 0, step * (SILENCE - 1))


def test_a_clock_that_goes_back_a_little_makes_nothing_new() -> None:
    flows = Flows()
    assert flows.is_new(*FLOW, UDP, 0, 100.0)
    assert not flows.is_new(*FLOW, UDP, 0, 99.9)


def test_memory_is_bounded_and_the_latest_flows_are_remembered(rounds: Callable[[int], int]) -> None:
    flows = Flows(capacity=100)
    total = rounds(5000)
    for sequence in range(total):
        assert flows.is_new(*FLOW, TCP, sequence, 0.0)
        assert len(flows) <= 200
    for sequence in range(total - 100, total):
        assert not flows.is_new(*FLOW, TCP, sequence, 1.0), sequence


def test_a_flow_in_use_outlives_a_flood_of_others() -> None:
    flows = Flows(capacity=100)
    flows.is_new(*FLOW, UDP, 0, 0.0)
    for sequence in range(2000):
        flows.is_new(*FLOW, TCP, sequence, 0.0)
        if sequence % 50 == 0:
            assert not flows.is_new(*FLOW, UDP, 0, 0.0)


def test_the_question_is_cheap_enough_for_the_packet_path() -> None:
    flows = Flows()
    assert max(steps(partial(flows.is_new, *FLOW, TCP, number, 0.0)) for number in range(100)) < 15
