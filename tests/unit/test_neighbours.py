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

from smartrouter.linux import neighbours as module
from smartrouter.linux.links import Links
from smartrouter.linux.neighbours import Neighbour, NeighbourLost, Neighbours

HUE, OTHER, ADDRESS = "00:17:88:00:00:05", "50:c7:bf:00:00:06", "192.168.1.5"


@pytest.fixture
def neighbours() -> Neighbours:
    links = Links()
    links.take_all(home(), [])
    return Neighbours(links)


def read(neighbours: Neighbours, *given: Any, **more: Any) -> Neighbour | NeighbourLost | None:
    return neighbours.take(neigh(*given, **more), 1000.0)


def heard_at(neighbours: Neighbours, *given: Any, **more: Any) -> float:
    found = read(neighbours, BRIDGE, ADDRESS, *given, **more)
    assert isinstance(found, Neighbour)
    return found.at


@pytest.mark.parametrize("state", [REACHABLE, STALE, 0x08, 0x10, PERMANENT])
def test_who_answers_is_told_with_the_interface(neighbours: Neighbours, state: int) -> None:
    found = read(neighbours, BRIDGE, ADDRESS, HUE.upper(), state)
    assert found == Neighbour(HUE, ADDRESS, "br-lan", 1000.0)


@pytest.mark.parametrize("state", [REACHABLE, 0x08, 0x10, PERMANENT])
def test_it_was_heard_when_it_last_confirmed_that_it_is_there(neighbours: Neighbours, state: int) -> None:
    """The kernel changes an entry also because it was *not* heard."""
    assert heard_at(neighbours, HUE, state, confirmed=3000, updated=0) == 970.0


def test_who_was_unknown_is_heard_when_its_entry_becomes_stale(neighbours: Neighbours) -> None:
    assert heard_at(neighbours, HUE, STALE, confirmed=6000, updated=0) == 1000.0


def test_who_was_known_is_not_heard_when_its_entry_becomes_stale(neighbours: Neighbours) -> None:
    assert heard_at(neighbours, HUE, REACHABLE) == 1000.0
    assert heard_at(neighbours, HUE, STALE, confirmed=3000, updated=0) == 970.0
    assert heard_at(neighbours, OTHER, STALE, confirmed=6000, updated=0) == 1000.0
    read(neighbours, BRIDGE, ADDRESS, None, FAILED)
    assert heard_at(neighbours, OTHER, STALE, confirmed=6000, updated=0) == 1000.0
    read(neighbours, BRIDGE, ADDRESS, None, INCOMPLETE)
    assert heard_at(neighbours, OTHER, STALE, confirmed=6000, updated=0) == 1000.0


def test_what_a_table_does_not_mention_any_more_is_unknown(neighbours: Neighbours) -> None:
    heard_at(neighbours, HUE, REACHABLE)
    other = neigh(BRIDGE, "192.168.1.6", OTHER)
    assert [value.address for value in neighbours.take_all([other], 1000.0)] == ["192.168.1.6"]
    assert heard_at(neighbours, HUE, STALE, confirmed=6000, updated=0) == 1000.0


def test_what_is_remembered_of_a_flood_has_an_end(
    neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST", 3)
    for number in range(10):
        read(neighbours, BRIDGE, f"192.168.1.{number}", HUE)
    assert len(neighbours._known) == 3


@pytest.mark.parametrize(
    ("event", "state", "failed"),
    [("RTM_NEWNEIGH", FAILED, True), ("RTM_DELNEIGH", FAILED, True), ("RTM_DELNEIGH", STALE, False)],
)
def test_who_answers_no_more_is_told_apart_from_who_is_forgotten(
    neighbours: Neighbours, event: str, state: int, failed: bool
) -> None:
    assert read(neighbours, BRIDGE, ADDRESS, None, state, event) == NeighbourLost(ADDRESS, "br-lan", failed)


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
    neighbours: Neighbours, number: int, address: str | None, mac: str | None, state: int
) -> None:
    assert read(neighbours, number, address, mac, state) is None
