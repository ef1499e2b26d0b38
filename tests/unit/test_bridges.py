# SPDX-License-Identifier: GPL-2.0-or-later
"""Behind which port of a bridge a MAC is, as the kernel's messages say."""

from math import inf
from typing import Any

import pytest
from unit.made_netlink import BRIDGE, PERMANENT, PORT, REACHABLE, WAN, home, neigh

from smartrouter.linux.bridges import FAMILY, Located, located
from smartrouter.linux.links import Links

HUE = "00:17:88:00:00:05"


@pytest.fixture
def links() -> Links:
    links = Links()
    links.take_all(home(), [])
    return links


def read(
    links: Links, number: int, mac: str | None = HUE, state: int = REACHABLE, **more: Any
) -> Located | None:
    return located(neigh(number, None, mac, state, **({"family": FAMILY, "master": BRIDGE} | more)), links)


def test_a_port_is_told_with_its_bridge_and_vlan(links: Links) -> None:
    assert read(links, PORT, HUE.upper(), updated=250) == Located(HUE, "lan1", "br-lan", 0, 2.5)
    found = read(links, PORT, vlan=10)
    assert found
    assert found.vlan == 10


def test_what_a_switch_chip_has_learned_is_behind_its_ports_bridge(links: Links) -> None:
    found = read(links, PORT, master=None, vlan=1, timeless=True)
    assert found == Located(HUE, "lan1", "br-lan", 1, inf)
    assert read(links, WAN, master=None) is None  # no port of any bridge


@pytest.mark.parametrize(
    ("number", "mac", "state", "more"),
    [
        (PORT, HUE, PERMANENT, {}),
        (WAN, "33:33:00:00:00:01", PERMANENT, {"master": None}),
        (PORT, None, REACHABLE, {}),
        (PORT, "01:00:5e:00:00:01", REACHABLE, {}),
        (77, HUE, REACHABLE, {}),
        (PORT, HUE, REACHABLE, {"master": 77}),
        (BRIDGE, HUE, REACHABLE, {}),
        (PORT, HUE, REACHABLE, {"event": "RTM_DELNEIGH"}),
    ],
    ids=[
        "its own",
        "a card's filter",
        "no MAC",
        "group",
        "no such port",
        "no such bridge",
        "the bridge itself",
        "forgotten",
    ],
)
def test_what_says_nothing_of_a_device_is_left_out(
    links: Links, number: int, mac: str | None, state: int, more: dict[str, Any]
) -> None:
    assert read(links, number, mac, state, **more) is None
