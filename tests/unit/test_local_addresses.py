# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own word on this host's addresses and its neighbours'."""

import os
from collections.abc import Iterator

import pytest

from smartrouter.lab.hosts import Host, obstacle
from smartrouter.linux.local_addresses import addresses, mac_of


def test_the_loopback_is_among_them() -> None:
    found = {(local.interface, str(local.prefix)) for local in addresses()}
    assert ("lo", "127.0.0.1/8") in found


@pytest.mark.parametrize(
    ("address", "interface"), [("127.0.0.1", "lo"), ("10.255.0.1", "nowhere"), ("x", "lo")]
)
def test_whom_nobody_knows_has_no_mac(address: str, interface: str) -> None:
    assert mac_of(address, interface) == ""


@pytest.fixture
def host() -> Iterator[Host]:
    if why := obstacle():
        pytest.skip(why)
    host = Host("addresses", f"sr-{os.getpid()}-addresses")
    try:
        yield host
    finally:
        host.close()


@pytest.mark.netns
def test_addresses_and_neighbours_of_both_families(host: Host) -> None:
    host.ip("""
        link add br0 type bridge
        addr add 192.168.5.1/24 dev br0
        addr add fd05::1/64 dev br0 nodad
        link set br0 up
        neigh add 192.168.5.9 lladdr 02:00:00:00:00:09 dev br0
        neigh add fd05::9 lladdr 02:00:00:00:00:0a dev br0""")
    found = {(local.interface, str(local.prefix)): local.link_local for local in host.inside(addresses)}
    assert found[("br0", "192.168.5.1/24")] is False
    assert found[("br0", "fd05::1/64")] is False
    assert any(link_local for (_, prefix), link_local in found.items() if prefix.startswith("fe80"))
    assert host.inside(mac_of, "192.168.5.9", "br0") == "02:00:00:00:00:09"
    assert host.inside(mac_of, "fd05::9", "br0") == "02:00:00:00:00:0a"
    assert host.inside(mac_of, "192.168.5.8", "br0") == ""
    host.ip("addr del 192.168.5.1/24 dev br0")
    assert "192.168.5.1/24" not in {str(local.prefix) for local in host.inside(addresses)}
