# SPDX-License-Identifier: GPL-2.0-or-later
"""From neighbours and leases to devices."""

from collections.abc import Callable
from ipaddress import ip_interface

import pytest

from smartrouter.analyzer.discovery import (
    FRESH_ENOUGH,
    MAX_ADDRESSES,
    MAX_DEVICES,
    SETTLED,
    Found,
    Inventory,
    Network,
    Remembered,
)
from smartrouter.core.classification.portrait import Portrait
from smartrouter.core.classification.signs import Announced, DhcpAsked
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


def remembered(mac: str, hostname: str, iot_since: float | None = None) -> Remembered:
    return Remembered(mac, hostname, 100.0, iot_since)


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
    inventory.restore([remembered(PLUG, "smart-plug")], 900.0)
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
    inventory.restore([remembered(PLUG, "smart-plug"), remembered(HUE, "")], 900.0)
    assert inventory.news() == []
    inventory.heard([neighbour(PLUG)])
    (found,) = inventory.news()
    assert (found.hostname, found.kind.iot) == ("smart-plug", True)
    inventory.restore([remembered(PLUG, "stale-name")], 1000.0)
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


# -- what devices show of themselves ---------------------------------------------------------------------

WINDOWS = DhcpAsked(
    PLUG, 4, 1, "DESKTOP-V1FA0UQ", "MSFT 5.0", params=(1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 121, 249, 252)
)
BUSYBOX = DhcpAsked(PLUG, 4, 1, "wemo", "udhcp 1.22.1", params=(1, 3, 6, 12, 15, 28, 42))


class Shown:
    """An inventory of devices of which portraits exist."""

    def __init__(self) -> None:
        self.portraits: dict[str, Portrait] = {}
        self.inventory = Inventory(NETWORK, maker_of, self.portraits.get)

    def says(self, said: DhcpAsked | Announced, at: float = 1000.0, mac: str = PLUG) -> list[Found]:
        portrait = self.portraits.setdefault(mac, Portrait(mac))
        if isinstance(said, DhcpAsked):
            portrait.asked(said)
        else:
            portrait.announced(said)
        self.inventory.shown([mac], at)
        return self.inventory.news()

    def comes(self, at: float = 1000.0, on: str = "br-lan") -> list[Found]:
        self.inventory.heard([neighbour(PLUG, at=at, on=on)])
        return self.inventory.news()


def test_what_is_shown_before_the_device_is_found_counts_once_it_is() -> None:
    shown = Shown()
    assert shown.says(BUSYBOX) == []
    (found,) = shown.comes()
    assert (found.hostname, found.kind.iot, found.iot_since) == ("wemo", True, 1000.0)


def test_what_is_shown_of_a_device_that_is_there_is_news_if_it_changes_anything() -> None:
    shown = Shown()
    shown.comes()
    (found,) = shown.says(WINDOWS)
    assert (found.hostname, found.kind.iot, found.iot_since) == ("DESKTOP-V1FA0UQ", False, None)
    assert shown.says(WINDOWS) == []


def test_the_name_that_it_announces_is_its_name_for_people() -> None:
    shown = Shown()
    shown.comes()
    (found,) = shown.says(Announced(names=("Kitchen lamp",)))
    assert found.called == "Kitchen lamp"


def test_a_young_device_may_turn_out_to_be_something_else() -> None:
    shown = Shown()
    shown.says(BUSYBOX)
    shown.comes()
    (found,) = shown.says(WINDOWS, 1000.0 + SETTLED - 1)
    assert found.kind.iot is False


def test_what_was_an_iot_device_for_long_is_not_let_go_for_what_it_says_now() -> None:
    shown = Shown()
    shown.says(BUSYBOX)
    shown.comes()
    (found,) = shown.says(WINDOWS, 1000.0 + SETTLED)
    assert (found.kind.iot, found.iot_since, found.hostname) == (True, 1000.0, "wemo")
    assert found.kind.confidence <= 0.5
    assert "was an IoT device" in found.kind.reasons[-1]


def test_nor_what_somebody_else_seems_to_speak_for() -> None:
    shown = Shown()
    shown.says(BUSYBOX)
    shown.comes()
    shown.inventory.doubted(PLUG)
    (found,) = shown.says(WINDOWS, 200_000.0)
    assert found.kind.iot is True


def test_it_remains_one_across_runs() -> None:
    shown = Shown()
    shown.portraits[PLUG] = Portrait(PLUG)
    shown.portraits[PLUG].asked(WINDOWS)
    shown.inventory.restore([remembered(PLUG, "wemo", iot_since=500.0)], 500.0 + SETTLED)
    (found,) = shown.comes(500.0 + SETTLED)
    assert found.kind.iot is True


def test_a_mac_on_two_interfaces_at_once_is_told_of_once() -> None:
    shown = Shown()
    shown.comes()
    assert shown.inventory.spread() == []
    shown.comes(1010.0, on="br-iot")
    assert shown.inventory.spread() == [(PLUG, ("br-iot", "br-lan"))]
    assert shown.inventory.spread() == []


def test_who_is_away_or_only_remembered_is_absent(inventory: Inventory) -> None:
    inventory.restore([remembered(PLUG, "smart-plug")], 900.0)
    inventory.heard([neighbour()])
    assert [found.mac for found in inventory.absent()] == [PLUG]
    inventory.stands(HUE, False, "")
    assert {found.mac for found in inventory.absent()} == {PLUG, HUE}


def test_which_device_it_probably_was_is_news(inventory: Inventory) -> None:
    inventory.heard([neighbour()])
    inventory.news()
    inventory.recognised(HUE, PLUG, ("the same host name",))
    (found,) = inventory.news()
    assert (found.probably, found.probably_reasons) == (PLUG, ("the same host name",))
    inventory.recognised(HUE, PLUG, ("the same host name",))
    assert inventory.news() == []
