# SPDX-License-Identifier: GPL-2.0-or-later
"""Links and addresses, as rtnetlink's messages tell of them."""

import os
from ipaddress import ip_interface

import pytest
from unit.made_netlink import BRIDGE, LO, PORT, PORT2, VLAN, WAN, address, home, link, vlan

from smartrouter.linux.links import AddressChanged, Link, LinkChanged, Links

ADDRESS = ip_interface("192.168.1.1/24")


@pytest.fixture
def links() -> Links:
    links = Links()
    links.take_all(home(), [address(BRIDGE, "192.168.1.1", 24), address(BRIDGE, "fd00::1", 64)])
    return links


def test_each_link_is_read_with_what_it_is_and_what_it_stands_on(links: Links) -> None:
    assert links.named("lan1") == Link(PORT, "lan1", "02:00:00:00:00:04", "veth", BRIDGE, 0, 0, True)
    assert links.named("br-lan.10") == Link(
        VLAN, "br-lan.10", "02:00:00:00:00:06", "vlan", 0, 10, BRIDGE, True
    )
    assert links.named("eth0") == Link(WAN, "eth0", "02:00:00:00:00:02", "ethernet", up=True)
    assert links.named("lo") == Link(LO, "lo", "", "ethernet", up=True)
    assert len(links.all()) == 6


def test_the_parent_of_a_link_in_another_namespace_is_none_of_ours(links: Links) -> None:
    links.take(link(9, "mv0", kind="macvlan", parent=BRIDGE, elsewhere=0))
    links.take(link(10, "mv1", kind="macvlan", parent=BRIDGE))
    assert [found.parent for name in ("mv0", "mv1") if (found := links.named(name))] == [0, BRIDGE]


@pytest.mark.parametrize(
    ("name", "bridge"),
    [("br-lan", "br-lan"), ("br-lan.10", "br-lan"), ("eth0", ""), ("lan1", ""), ("none", "")],
)
def test_the_bridge_below_an_interface_is_found(links: Links, name: str, bridge: str) -> None:
    assert links.bridge_below(name) == bridge


def test_links_that_stand_on_each_other_in_a_circle_are_no_endless_loop(links: Links) -> None:
    links.take(vlan(VLAN, PORT2, 10))
    links.take(link(PORT2, kind="vlan", parent=VLAN))
    assert links.bridge_below("br-lan.10") == ""


def test_what_changes_is_told_and_what_does_not_is_not(links: Links) -> None:
    before = links.named("lan1")
    assert before
    assert links.take(link(PORT, master=BRIDGE, kind="veth", parent=9)) is None
    down = links.take(link(PORT, master=BRIDGE, kind="veth", parent=9, flags=1))
    assert down == LinkChanged(before, before._replace(up=False))
    renamed = links.take(link(PORT, "lan9", master=BRIDGE, kind="veth", parent=9))
    assert isinstance(renamed, LinkChanged)
    assert renamed.after == before._replace(name="lan9", mac=before.mac)
    assert links.name(PORT) == "lan9"


def test_a_link_that_goes_takes_its_addresses_along(links: Links) -> None:
    change = links.take(link(BRIDGE, event="RTM_DELLINK"))
    assert isinstance(change, LinkChanged)
    assert change.after is None
    assert links.prefixes() == []
    assert links.name(BRIDGE) == ""
    assert links.take(link(BRIDGE, event="RTM_DELLINK")) is None


def test_a_number_that_is_used_again_is_another_link(links: Links) -> None:
    links.take(link(PORT, event="RTM_DELLINK"))
    links.take(link(PORT, "usb0"))
    assert links.name(PORT) == "usb0"


def test_what_the_bridge_says_of_its_ports_is_neither_a_link_nor_the_end_of_one(links: Links) -> None:
    assert links.take(link(PORT, "strange", family=7)) is None
    assert links.take(link(PORT, event="RTM_DELLINK", family=7)) is None
    assert links.name(PORT) == "lan1"


def test_addresses_come_and_go(links: Links) -> None:
    assert links.prefixes() == [("br-lan", ADDRESS), ("br-lan", ip_interface("fd00::1/64"))]
    assert links.take(address(BRIDGE, "192.168.1.1", 24)) is None  # its lifetime, at most
    gone = links.take(address(BRIDGE, "192.168.1.1", 24, "RTM_DELADDR"))
    assert gone == AddressChanged("br-lan", ADDRESS, False)
    came = links.take(address(BRIDGE, "192.168.1.1", 24))
    assert came == AddressChanged("br-lan", ADDRESS, True)
    assert links.take(address(77, "10.0.0.1", 8)) is None  # of a link that nobody told us of


def test_of_a_tunnel_it_is_our_own_end_that_counts(links: Links) -> None:
    links.take(address(WAN, "10.0.0.2", 32, local="10.0.0.1"))
    assert ("eth0", ip_interface("10.0.0.1/32")) in links.prefixes()


def test_what_is_not_mentioned_any_more_is_gone(links: Links) -> None:
    everything = [message for message in home() if message["index"] != PORT2]
    changes = links.take_all(everything, [address(BRIDGE, "192.168.1.1", 24)])
    assert [c.before.name for c in changes if isinstance(c, LinkChanged) and c.before] == ["lan2"]
    assert AddressChanged("br-lan", ip_interface("fd00::1/64"), False) in changes
    assert links.take_all(everything, [address(BRIDGE, "192.168.1.1", 24)]) == []


def test_the_hosts_own_macs_are_known(links: Links) -> None:
    assert links.own_macs() == {f"02:00:00:00:00:{number:02x}" for number in range(2, 7)}


def test_a_name_or_an_address_that_is_none_breaks_nothing(links: Links) -> None:
    """The kernel takes names that are no UTF-8; pyroute2 gives these as bytes."""
    named = link(WAN)
    named["attrs"] = [("IFLA_IFNAME", b"wan\xff"), *named["attrs"][1:]]
    links.take(named)
    assert links.name(WAN) == os.fsdecode(b"wan\xff")
    assert links.take(address(BRIDGE, "b'?'", 24)) is None
