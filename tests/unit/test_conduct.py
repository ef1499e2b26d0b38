# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device has lately done: requests for the time, ports of a host, connections without names."""

from math import inf

import pytest

from smartrouter.core.detection.conduct import TIME_REFILL, TIME_REQUESTS, Conduct

HOUR = 3600.0


def test_the_time_may_be_asked_a_few_times_at_once_and_then_now_and_then() -> None:
    conduct = Conduct()
    assert [conduct.may_ask_time(5.0) for _ in range(TIME_REQUESTS + 2)] == [True] * TIME_REQUESTS + [
        False
    ] * 2
    assert not conduct.may_ask_time(5.0 + 0.9 * TIME_REFILL)
    assert conduct.may_ask_time(5.0 + 1.1 * TIME_REFILL)
    assert not conduct.may_ask_time(5.0 + 1.2 * TIME_REFILL)
    later = 5.0 + 1000 * TIME_REFILL
    assert sum(conduct.may_ask_time(later) for _ in range(100)) == TIME_REQUESTS


def test_one_port_of_a_host_after_the_other_is_told_from_the_first_two() -> None:
    conduct = Conduct()
    services = ["web", "tcp/8883", "web", "tcp/8883", "tcp/22", "tcp/23", "web"]
    assert [conduct.tries_ports("203.0.113.1", each) for each in services] == [False] * 4 + [
        True,
        True,
        False,
    ]
    assert not conduct.tries_ports("203.0.113.2", "tcp/24")


def test_hosts_whose_ports_are_remembered_are_bounded() -> None:
    conduct = Conduct()
    for number in range(10_000):
        conduct.tries_ports(f"host{number}", "web")
    assert len(conduct._services) <= 64


@pytest.mark.parametrize(
    ("connections", "addresses", "gap", "answered", "hidden"),
    [
        (25, 4, 180.0, -inf, True),
        (25, 4, 60.0, -inf, False),  # for less than an hour
        (15, 4, 600.0, -inf, False),  # too few
        (25, 2, 180.0, -inf, False),  # always the same servers: they are built in
        (25, 4, 180.0, 100.0 + 10 * 180.0, False),  # it was told a name meanwhile
    ],
)
def test_who_connects_for_an_hour_without_names_has_other_ways_to_find_them(
    connections: int, addresses: int, gap: float, answered: float, hidden: bool
) -> None:
    conduct = Conduct()
    found = []
    for number in range(connections):
        now = 100.0 + number * gap
        last = answered if now >= answered else -inf
        found.append(conduct.connected_without_name(f"host{number % addresses}", last, now))
    assert any(found) is hidden
    assert sum(found) <= 1
