# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices on a VLAN of the bridge, where the kernel has VLANs; in the virtual machine it has. No test here
depends on time."""

from collections.abc import Iterator

import pytest
from netns.scouting import LAN, Watcher

from smartrouter.core.errors import Unavailable
from smartrouter.lab.hosts import Host
from smartrouter.lab.network import Network
from smartrouter.linux.bridges import Located

pytestmark = pytest.mark.netns

HUE = "00:17:88:00:00:01"
VLAN = f"{LAN}.10"
PATIENCE = 60.0  # seconds: the virtual machine is slow


@pytest.fixture
def device(network: Network) -> Host:
    """On VLAN 10 of the bridge, by tagged frames."""
    device = network.add_device("hue", mac=HUE, addresses=False)
    try:
        network.router.ip(f"link add link {LAN} name {VLAN} type vlan id 10")
    except Unavailable:
        pytest.skip("this kernel has no VLANs")
    network.router.ip(f"addr add 192.168.90.1/24 dev {VLAN}\nlink set {VLAN} up")
    device.ip("link add link eth0 name eth0.10 type vlan id 10\naddr add 192.168.90.5/24 dev eth0.10")
    device.ip("link set eth0.10 up")
    return device


@pytest.fixture
def watcher(network: Network, device: Host) -> Iterator[Watcher]:
    watcher = Watcher(network, lan=[VLAN], iot=[VLAN])
    yield watcher
    watcher.close()


@pytest.mark.parametrize("filtering", [False, True])
def test_a_device_on_a_vlan_is_found_with_its_port(
    network: Network, device: Host, watcher: Watcher, filtering: bool
) -> None:
    names = network.router.run(["ls", "/sys/class/net"]).stdout.split()
    port = next(name for name in names if name.startswith("hue-"))
    if filtering:
        try:
            network.router.ip(f"link set {LAN} type bridge vlan_filtering 1")
        except Unavailable:
            pytest.skip("this kernel's bridges do not filter VLANs")
        for vlan in (["dev", port, "vid", "10"], ["dev", LAN, "vid", "10", "self"]):
            network.router.run(["bridge", "vlan", "add", *vlan], check=True)
    assert device.ping("192.168.90.1", timeout=PATIENCE).ok

    def is_there() -> bool:
        found = watcher.devices[HUE]
        there = (found.port, found.interface, found.on_iot_network, found.present)
        return there == (port, VLAN, True, True)

    watcher.until(is_there, PATIENCE)
    links = watcher.scout._around.links
    assert links.bridge_below(VLAN) == LAN
    vlan_link = links.named(VLAN)
    assert vlan_link
    assert (vlan_link.kind, vlan_link.vlan) == ("vlan", 10)
    located: list[Located] = network.router.inside(watcher.scout._around.whole).located
    # Untagged frames of the same device, before there was a filter, are another entry.
    assert (10 if filtering else 0) in {place.vlan for place in located if place.mac == HUE}
