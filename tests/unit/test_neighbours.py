# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel's messages on neighbours say. How they come is in test_surroundings."""

from typing import Any

import pytest
from unit.made_netlink import (
    BRIDGE,
    FAILED,
    INCOMPLETE,
    NOARP,
    PERMANENT,
    REACHABLE,
    STALE,
    home,
    neigh,
)  # fmt: skip

from smartrouter.linux.links import Links
from smartrouter.linux.neighbours import Neighbour, NeighbourLost, neighbour

HUE, ADDRESS = "00:17:88:00:00:05", "192.168.1.5"


@pytest.fixture
def links() -> Links:
    links = Links()
    links.take_all(home(), [])
    return links


def read(links: Links, *given: Any, **more: Any) -> Neighbour | NeighbourLost | None:
    return neighbour(neigh(*given, **more), links, 1000.0)


@pytest.mark.parametrize("state", [REACHABLE, STALE, 0x08, 0x10, PERMANENT])
def test_who_answers_is_told_with_the_interface(links: Links, state: int) -> None:
    found = read(links, BRIDGE, ADDRESS, HUE.upper(), state)
    assert found == Neighbour(HUE, ADDRESS, "br-lan", 1000.0)


def test_the_latest_sign_of_it_is_its_time(links: Links) -> None:
    found = read(links, BRIDGE, ADDRESS, HUE, confirmed=3000, updated=500)
    assert isinstance(found, Neighbour)
    assert found.at == 995.0


@pytest.mark.parametrize(
    ("event", "state", "failed"),
    [("RTM_NEWNEIGH", FAILED, True), ("RTM_DELNEIGH", FAILED, True), ("RTM_DELNEIGH", STALE, False)],
)
def test_who_answers_no_more_is_told_apart_from_who_is_forgotten(
    links: Links, event: str, state: int, failed: bool
) -> None:
    assert read(links, BRIDGE, ADDRESS, None, state, event) == NeighbourLost(ADDRESS, "br-lan", failed)


@pytest.mark.parametrize(
    ("number", "address", "mac", "state"),
    [
        (BRIDGE, ADDRESS, "01:00:5e:00:00:05", REACHABLE),
        (BRIDGE, ADDRESS, "00:00:00:00:00:00", REACHABLE),
        (BRIDGE, ADDRESS, "10.0.0.9", REACHABLE),
        (BRIDGE, ADDRESS, HUE, INCOMPLETE),
        (BRIDGE, ADDRESS, HUE, NOARP),
        (BRIDGE, ADDRESS, None, REACHABLE),
        (BRIDGE, None, HUE, REACHABLE),
        (77, ADDRESS, HUE, REACHABLE),
    ],
    ids=["group", "null", "tunnel", "not yet", "no ARP", "no MAC", "no address", "no such link"],
)
def test_what_is_no_device_is_left_out(
    links: Links, number: int, address: str | None, mac: str | None, state: int
) -> None:
    assert read(links, number, address, mac, state) is None
