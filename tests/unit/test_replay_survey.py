# SPDX-License-Identifier: GPL-2.0-or-later
"""The first pass over a capture: time that never goes back, and when each device began and ended."""

from math import inf

import pytest
from unit.made_traffic import (
    DEVICE,
    OTHER_SERVER,
    PHONE,
    PHONE_IP,
    START,
    Timed,
    datagram,
    query,
    syn,
    syn_ack,
)

from smartrouter.replay.captures import ETHERNET, Captured
from smartrouter.replay.options import Counted, Learn, Options
from smartrouter.replay.survey import Clock, Survey

DAY = 86400.0


def surveyed(packets: list[Timed], counted: Counted = Counted.ALL) -> Survey:
    survey = Survey(Options(counted=counted))
    for at, data in packets:
        survey.take(Captured(at, ETHERNET, data), at)
    return survey


@pytest.mark.parametrize(
    ("walls", "running"),
    [
        ([10.0, 11.0, 12.5], [10.0, 11.0, 12.5]),
        ([10.0, 9.9, 10.2], [10.0, 10.0, 10.2]),
        ([1000.0, 10.0, 20.0], [1000.0, 1000.0, 1010.0]),  # the clock was set back
        ([10.0, 1.6e9, 1.6e9 + 1], [10.0, 1.6e9, 1.6e9 + 1]),  # set forward, from 1970
    ],
)
def test_running_time_never_goes_back(walls: list[float], running: list[float]) -> None:
    clock = Clock()
    assert [clock.at(wall) for wall in walls] == running


def test_learning_lasts_a_share_of_the_time_between_first_and_last_connection() -> None:
    survey = surveyed(
        [
            (START - 50, query("a.example")),  # no connection
            (START, syn(sequence=1)),
            (START + 40, syn(sequence=2)),
            (START + 100, syn(sequence=3)),
            (START + 300, syn(sequence=3)),  # a retransmission
            (START + 400, syn("192.168.1.77", sequence=4)),  # stays inside
        ]
    )
    assert survey.spans[DEVICE].learning_until(Learn(0.25)) == START + 25


def test_only_connections_that_count_delimit_the_time() -> None:
    packets = [
        (START, datagram()),
        (START + 10, syn(port=8883, sequence=1)),
        (START + 20, syn(sequence=2)),
        (START + 60, syn(sequence=3)),
        (START + 80, syn(port=8883, sequence=4)),
        (START + 100, datagram(OTHER_SERVER)),
    ]
    until = {
        counted: surveyed(packets, counted).spans[DEVICE].learning_until(Learn(0.5)) - START
        for counted in Counted
    }
    assert until == {Counted.WEB: 40.0, Counted.TCP: 45.0, Counted.ALL: 50.0}


@pytest.mark.parametrize("first", [query("a.example"), syn(), datagram()])
def test_learning_for_a_time_begins_with_the_first_query_or_connection(first: bytes) -> None:
    survey = surveyed([(START, first), (START + 5, syn(sequence=9))], Counted.WEB)
    assert survey.spans[DEVICE].learning_until(Learn(None, DAY)) == START + DAY


def test_each_mac_has_its_own_time() -> None:
    survey = surveyed([(START, syn()), (START + 9, syn(sender=PHONE, source=PHONE_IP))])
    assert survey.spans[DEVICE].begun == START
    assert survey.spans[PHONE].begun == START + 9


def test_a_device_without_a_connection_that_counts_never_ends_learning() -> None:
    survey = surveyed([(START, datagram())], Counted.WEB)
    assert survey.spans[DEVICE].learning_until(Learn(0.25)) == inf


def test_packets_are_counted_and_mangled_ones_too() -> None:
    survey = surveyed([(START, syn()), (START, syn()[:30]), (START, b""), (START, syn_ack())])
    assert (survey.packets, survey.mangled) == (4, 2)
