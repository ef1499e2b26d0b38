# SPDX-License-Identifier: GPL-2.0-or-later
"""Who answers for an address is news at first sight and at each change, in order, and in bounded number."""

import pytest

from smartrouter.analyzer import claims as module
from smartrouter.analyzer.claims import MAX_NEWS, TOLD_AT_ONCE, Claims
from smartrouter.linux.neighbours import Neighbour

HUE, PLUG = "00:17:88:00:00:01", "50:c7:bf:00:00:02"


def neighbour(mac: str = HUE, address: str = "192.168.1.20") -> Neighbour:
    return Neighbour(mac, address, "br-lan", 1000.0)


def test_first_sight_is_news_and_seeing_it_again_is_none() -> None:
    claims = Claims()
    claims.heard([neighbour(), neighbour()])
    assert claims.news() == [(HUE, "192.168.1.20")]
    claims.heard([neighbour()])
    assert claims.news() == []


def test_each_change_is_news_also_the_way_back() -> None:
    claims = Claims()
    claims.heard([neighbour(), neighbour(PLUG), neighbour(), neighbour(PLUG, "192.168.1.21")])
    assert claims.news() == [
        (HUE, "192.168.1.20"), (PLUG, "192.168.1.20"), (HUE, "192.168.1.20"), (PLUG, "192.168.1.21"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("address", "counts"),
    [
        ("192.168.1.20", True),
        ("169.254.1.2", True),
        ("2001:db8::5", True),
        ("fd00::5", True),
        ("fe80::217:88ff:fe00:1", False),
    ],
)
def test_addresses_of_one_link_only_do_not_count(address: str, counts: bool) -> None:
    claims = Claims()
    claims.heard([neighbour(address=address)])
    assert bool(claims.news()) is counts


def test_a_message_is_bounded_and_the_rest_comes_with_the_next() -> None:
    claims = Claims()
    claims.heard(neighbour(address=f"10.0.{n >> 8}.{n & 255}") for n in range(TOLD_AT_ONCE + 9))
    assert [len(claims.news()) for _ in range(3)] == [TOLD_AT_ONCE, 9, 0]


def test_what_a_hostile_network_can_make_grow_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ADDRESSES", 3)
    claims = Claims()
    claims.heard([neighbour(), neighbour(address="10.9.9.9")])
    for n in range(2 * MAX_NEWS):
        claims.heard([neighbour(PLUG, f"10.0.{n >> 8}.{n & 255}"), neighbour()])
    told: list[module.Claim] = []
    while news := claims.news():
        told += news
    assert len(told) == MAX_NEWS
    claims.heard([neighbour(), neighbour(address="10.9.9.9")])
    assert claims.news() == [(HUE, "10.9.9.9")]  # long forgotten, unlike the one that is there all the time
