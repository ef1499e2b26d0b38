# SPDX-License-Identifier: GPL-2.0-or-later
"""From neighbours and leases to devices."""

from collections.abc import Callable
from ipaddress import ip_interface

import pytest

from smartrouter.analyzer.discovery import FRESH_ENOUGH, MAX_ADDRESSES, MAX_DEVICES, Found, Inventory, Network
from smartrouter.linux.leases import Lease
from smartrouter.linux.neighbours import Neighbour

NETWORK = Network(
    frozenset({"br-lan", "br-iot"}),
    frozenset({"br-iot"}),
    (
        ("eth0", ip_interface("203.0.113.2/24")),
        ("br-lan", ip_interface("192.168.1.1/24")),
        ("br-lan", ip_interface("fd00::1/64")),
    ),
)
HUE, PLUG = "00:17:88:00:00:01", "50:c7:bf:00:00:02"


def maker_of(mac: str) -> str:
    return "Philips Lighting BV" if mac.startswith("00:17:88") else ""


@pytest.fixture
def inventory() -> Inventory:
    return Inventory(NETWORK, maker_of)


def neighbour(
    mac: str = HUE, address: str = "192.168.1.20", at: float = 1000.0, on: str = "br-lan"
) -> Neighbour:
    return Neighbour(mac, address, on, at)


def test_a_neighbour_on_the_lan_is_a_device_with_its_maker_and_kind(inventory: Inventory) -> None:
    inventory.heard([neighbour()])
    (found,) = inventory.news()
    assert found[:6] == (HUE, ("192.168.1.20",), "", "Philips Lighting BV", "br-lan", False)
    assert found.kind.iot is True
    assert found.at == 1000.0


def test_neighbours_on_the_outside_are_no_devices(inventory: Inventory) -> None:
    inventory.heard([neighbour(on="eth0"), neighbour(on="")])
    assert inventory.news() == []


def test_the_router_itself_is_no_device(inventory: Inventory) -> None:
    inventory.network = NETWORK._replace(own=frozenset({HUE}))
    inventory.heard([neighbour(), neighbour(PLUG)])
    assert [found.mac for found in inventory.news()] == [PLUG]


def test_nor_is_it_by_a_lease_of_its_own(inventory: Inventory) -> None:
    inventory.network = NETWORK._replace(own=frozenset({HUE}))
    inventory.leased([Lease(HUE, "192.168.1.20", "router", "1", 5.0)])
    assert inventory.news() == []


def test_whether_it_is_there_and_behind_which_port_is_news_when_it_changes(inventory: Inventory) -> None:
    inventory.heard([neighbour()])
    (found,) = inventory.news()
    assert (found.present, found.port) == (True, "")
    inventory.stands(HUE, True, "lan3")
    inventory.stands(PLUG, True, "lan3")  # nobody has heard of that one
    assert [(found.mac, found.port) for found in inventory.news()] == [(HUE, "lan3")]
    inventory.stands(HUE, False, "lan3")
    inventory.stands(HUE, False, "lan3")
    assert [found.present for found in inventory.news()] == [False]
    inventory.stands(HUE, False, "lan3")
    assert inventory.news() == []


def test_what_is_only_remembered_is_no_news_for_being_away(inventory: Inventory) -> None:
    inventory.restore([(PLUG, "smart-plug")])
    inventory.stands(PLUG, False, "")
    assert inventory.news() == []


def test_on_an_iot_network_that_is_said(inventory: Inventory) -> None:
    inventory.heard([neighbour(on="br-iot")])
    assert inventory.news()[0].on_iot_network


def test_addresses_of_both_families_come_together_the_latest_first(inventory: Inventory) -> None:
    inventory.heard([neighbour(), neighbour(address="fd00::20"), neighbour(address="192.168.1.20")])
    assert inventory.news()[0].addresses == ("192.168.1.20", "fd00::20")


def test_a_lease_gives_the_host_name_and_with_it_the_kind(inventory: Inventory) -> None:
    inventory.heard([neighbour(PLUG)])
    assert inventory.news()[0].kind.iot is None
    inventory.leased([Lease(PLUG, "192.168.1.20", "smart-plug", "1", 1001.0)])
    (found,) = inventory.news()
    assert (found.hostname, found.kind.iot) == ("smart-plug", True)


def test_a_lease_alone_is_a_device_where_its_address_is_local(inventory: Inventory) -> None:
    inventory.leased(
        [
            Lease(HUE, "192.168.1.30", "hue", "1", 5.0),
            Lease(PLUG, "203.0.113.30", "elsewhere", "1", 5.0),
            Lease(PLUG, "no address", "broken", "1", 5.0),
        ]
    )
    (found,) = inventory.news()
    assert (found.mac, found.interface, found.at) == (HUE, "br-lan", 5.0)


def test_a_lease_without_a_name_keeps_the_name_that_is_known(inventory: Inventory) -> None:
    inventory.leased([Lease(HUE, "192.168.1.30", "hue", "1", 5.0)])
    inventory.leased([Lease(HUE, "192.168.1.30", "", "2", 6.0)])
    assert inventory.news()[0].hostname == "hue"


@pytest.mark.parametrize(
    ("change", "is_news"),
    [
        (lambda i: i.heard([neighbour(at=1001.0)]), False),
        (lambda i: i.heard([neighbour(at=1000.0 + FRESH_ENOUGH + 1)]), True),
        (lambda i: i.heard([neighbour(address="fd00::1")]), True),
        (lambda i: i.heard([neighbour(on="br-iot")]), True),
        (lambda i: i.leased([Lease(HUE, "192.168.1.20", "hue", "1", 1000.0)]), True),
        (lambda i: i.heard([neighbour(at=10.0)]), False),
    ],
    ids=["just seen again", "seen later", "new address", "other network", "host name", "older entry"],
)
def test_only_what_changed_is_news(
    inventory: Inventory, change: Callable[[Inventory], None], is_news: bool
) -> None:
    inventory.heard([neighbour()])
    assert len(inventory.news()) == 1
    assert inventory.news() == []
    change(inventory)
    assert bool(inventory.news()) is is_news


def test_a_device_is_as_old_as_the_latest_word_on_it(inventory: Inventory) -> None:
    inventory.heard([neighbour(at=2000.0), neighbour(address="fd00::2", at=1000.0)])
    assert inventory.news()[0].at == 2000.0


def test_a_restored_host_name_counts_until_the_device_says_another(inventory: Inventory) -> None:
    inventory.restore([(PLUG, "smart-plug"), (HUE, "")])
    assert inventory.news() == []
    inventory.heard([neighbour(PLUG)])
    (found,) = inventory.news()
    assert (found.hostname, found.kind.iot) == ("smart-plug", True)
    inventory.restore([(PLUG, "stale-name")])
    assert inventory.everything()[0].hostname == "smart-plug"


def test_what_a_hostile_network_can_make_grow_has_an_end(inventory: Inventory) -> None:
    addresses = [neighbour(address=f"fd00::{number:x}") for number in range(1, 3 * MAX_ADDRESSES)]
    inventory.heard(addresses)
    assert len(inventory.news()[0].addresses) == MAX_ADDRESSES
    macs = [f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}" for number in range(MAX_DEVICES + 100)]
    inventory.heard(neighbour(mac) for mac in macs)
    devices: list[Found] = inventory.everything()
    assert len(devices) == MAX_DEVICES
    assert {device.mac for device in devices} == set(macs[100:])
    assert len(inventory.news()) == MAX_DEVICES
