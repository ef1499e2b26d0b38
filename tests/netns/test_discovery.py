# SPDX-License-Identifier: GPL-2.0-or-later
"""Discovery on a real network: real ARP, NDP, leases of a real dnsmasq, a real bridge with its ports."""

import json
import os
import socket
from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest
from netns.guard_lab import eventually
from netns.scouting import (
    LAN,
    Watcher,
    are_settled,
    arp_request,
    dhcp6_address,
    dhcp_at_once,
    dhcp_release,
    dhcp_socket,
    mac_bytes,
    made_mac,
)  # fmt: skip

from smartrouter.analyzer import scout
from smartrouter.lab.hosts import Host
from smartrouter.lab.network import Network
from smartrouter.lab.plan import HOME, IOT, WAN_INTERNET
from smartrouter.linux import inotify

pytestmark = pytest.mark.netns

HUE, PLUG = "00:17:88:00:00:01", "50:c7:bf:00:00:02"


@pytest.fixture(autouse=True)
def _nothing_but_events_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks at all the files, or at the kernel's whole tables, because it is time to."""
    monkeypatch.setattr(inotify, "CHECK", inf)
    monkeypatch.setattr(scout, "WHOLE_EVERY", inf)


@pytest.fixture
def watcher(network: Network) -> Iterator[Watcher]:
    watcher = Watcher(network, [network.lease_folder / "dnsmasq.leases"])
    yield watcher
    watcher.close()


def port_of(network: Network, device: Host) -> str:
    """The router's end of a device's wire."""
    (name,) = [line.split("@")[0] for line in network.router.run(["ls", "/sys/class/net"]).stdout.split()
               if line.startswith(f"{device.name[:10]}-")]  # fmt: skip
    return name


def arp(device: Host, mac: str = "", address: str = "192.168.77.50") -> None:
    device.send(arp_request(mac or device.mac, address, HOME.router4))


# -- found -------------------------------------------------------------------------------------------------


def test_a_device_is_found_at_its_first_arp_packet(network: Network, watcher: Watcher) -> None:
    device = network.add_device("hue", mac=HUE)
    watcher.quiet()
    arp(device, address="192.168.77.44")
    watcher.until(lambda: watcher.devices[HUE])
    found = watcher.devices[HUE]
    assert (found.addresses, found.interface, found.present) == (("192.168.77.44",), LAN, True)
    assert found.port == port_of(network, device)
    assert watcher.claims == [(HUE, "192.168.77.44")]


def test_a_device_is_found_at_its_first_ndp_packet(network: Network, watcher: Watcher) -> None:
    device = network.add_device("hue", mac=HUE, ipv6="fd77::44")
    watcher.quiet()
    device.ping("fd77::1")
    watcher.until(lambda: "fd77::44" in watcher.devices[HUE].addresses)
    assert watcher.devices[HUE].present


def test_a_lease_alone_is_enough_with_its_host_name(network: Network, watcher: Watcher) -> None:
    network.start_router_dnsmasq()
    device = network.add_device("plug", mac=PLUG, addresses=False)
    watcher.quiet()
    lease = network.lease(device, hostname="smart-plug")
    watcher.until(lambda: watcher.devices[PLUG].hostname == "smart-plug")
    assert (
        watcher.devices[PLUG].addresses[-1] == lease.address
        or lease.address in watcher.devices[PLUG].addresses
    )
    assert watcher.scout.status()["leases"] == [str(network.lease_folder / "dnsmasq.leases")]


def test_addresses_that_a_device_makes_itself_are_its_own(network: Network, watcher: Watcher) -> None:
    """SLAAC by dnsmasq's advertisements, with the temporary address that privacy extensions add."""
    network.start_router_dnsmasq()
    device = network.add_device("laptop", mac=PLUG, addresses=False)
    device.sysctl({"net/ipv6/conf/eth0/use_tempaddr": 2})
    device.ip("link set eth0 down\nlink set eth0 up")
    network.lease(device)

    def shown() -> list[str]:
        return device.run(["ip", "-6", "-o", "address", "show", "dev", "eth0"]).stdout.splitlines()

    def usable() -> bool:
        return are_settled("\n".join(shown()))

    assert eventually(usable), shown()
    addresses = {line.split()[3].partition("/")[0] for line in shown()}
    temporary = {line.split()[3].partition("/")[0] for line in shown() if " temporary " in line}
    device.ping("fd77::1")
    watcher.until(lambda: temporary <= set(watcher.devices[PLUG].addresses))
    assert set(watcher.devices[PLUG].addresses) <= addresses | {device.ipv4}


@pytest.mark.parametrize("named_by", ["duid", "host name"])
def test_a_dhcpv6_lease_is_its_devices(network: Network, watcher: Watcher, named_by: str) -> None:
    network.start_router_dnsmasq(options=["dhcp-range=fd77::1000,fd77::1fff,64,1h"])
    device = network.add_device("plug", mac=PLUG, addresses=False)
    network.lease(device, hostname="smart-plug")
    watcher.quiet()
    if named_by == "duid":
        address = dhcp6_address(device, b"\0\3\0\1" + mac_bytes(PLUG))
    else:
        address = dhcp6_address(device, b"\0\2\0\0\0\x09anything", hostname="smart-plug")
    assert address.startswith("fd77::1")
    watcher.until(lambda: address in watcher.devices[PLUG].addresses)


def test_odhcpds_leases_are_read_from_its_file_and_over_ubus(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """odhcpd is played: by a file, and by a program `ubus` that answers as it does."""
    lease = {
        "mac": mac_bytes(PLUG).hex(),
        "hostname": "smart-plug",
        "flags": ["bound"],
        "address": "192.168.77.61",
    }
    answer = json.dumps({"device": {LAN: {"leases": [lease]}}})
    program = tmp_path / "ubus"
    program.write_text(f"#!/bin/sh\n[ \"$*\" = 'call dhcp ipv4leases' ] && echo '{answer}'\n")
    program.chmod(0o755)
    watcher = Watcher(network, [network.folder / "odhcpd"])
    watcher.quiet()
    duid = "00030001" + mac_bytes(HUE).hex()
    with monkeypatch.context() as context:
        context.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        (network.folder / "odhcpd").write_text(f"# {LAN} {duid} 1 hue 1795363200 d4f 128 fd77::d4f/128\n")
        watcher.until(lambda: watcher.devices[HUE].hostname == "hue")
        watcher.scout._ubus._next = 0.0  # it was asked at the start, when there was none
        watcher.until(lambda: watcher.devices[PLUG].hostname == "smart-plug")
    assert watcher.scout.status()["leases"] == [str(network.folder / "odhcpd"), "ubus"]
    watcher.close()


def test_what_is_no_device_is_not_found(network: Network, watcher: Watcher) -> None:
    device = network.add_device("hue", mac=HUE)
    network.internet.ping("100.64.77.2")
    for mac in (HOME.mac, "01:00:5e:00:00:05", "00:00:00:00:00:00"):
        arp(device, mac, "192.168.77.66")
    arp(device, PLUG, "192.168.77.67")
    watcher.until(lambda: watcher.devices[PLUG])
    assert not watcher.devices.keys() & {HOME.mac, WAN_INTERNET.mac, "01:00:5e:00:00:05", "00:00:00:00:00:00"}


def test_a_router_upstream_of_us_on_the_same_network_is_no_device(network: Network) -> None:
    gateway = network.add_device("gateway", mac=HUE, ipv4="192.168.77.254")
    network.router.ip("route replace default via 192.168.77.254 dev br-lan")
    watcher = Watcher(network)
    arp(gateway, address="192.168.77.254")
    arp(gateway, PLUG, "192.168.77.67")
    watcher.until(lambda: watcher.devices[PLUG])
    assert HUE not in watcher.devices
    watcher.close()


# -- gone, and back ----------------------------------------------------------------------------------------


def test_a_device_whose_wire_is_cut_has_gone_and_is_back_with_its_first_packet(
    network: Network, watcher: Watcher
) -> None:
    device = network.add_device("hue", mac=HUE)
    arp(device)
    watcher.until(lambda: watcher.devices[HUE].present)
    device.ip("link set eth0 down")
    watcher.until(lambda: not watcher.devices[HUE].present)
    device.ip("link set eth0 up")
    watcher.until(lambda: watcher.devices[HUE].present)


def test_a_device_that_does_not_answer_any_more_has_gone(network: Network, watcher: Watcher) -> None:
    device = network.add_device("hue", mac=HUE)
    arp(device)
    watcher.until(lambda: watcher.devices[HUE].present)
    network.router.ip(f"neigh replace 192.168.77.50 lladdr {HUE} nud probe dev br-lan")  # nobody has it now
    watcher.scout._presence._devices[HUE].answers["192.168.77.50"] -= 60  # … and had it a while ago
    watcher.until(lambda: not watcher.devices[HUE].present)
    arp(device, address="192.168.77.51")
    watcher.until(lambda: watcher.devices[HUE].present)


def test_a_device_that_has_gone_is_not_back_when_the_kernel_begins_to_doubt_it(
    network: Network, watcher: Watcher
) -> None:
    device, _ = network.add_device("hue", mac=HUE), network.add_device("other")
    own = f"net/ipv4/neigh/{LAN}"
    network.router.sysctl({f"{own}/base_reachable_time_ms": 1000, f"{own}/delay_first_probe_time": 1})
    arp(device)
    network.router.ip(f"neigh replace 192.168.77.50 lladdr {HUE} nud reachable dev {LAN}")
    watcher.until(lambda: watcher.devices[HUE].present)
    device.ip("link set eth0 down")
    watcher.until(lambda: not watcher.devices[HUE].present)

    def is_settled() -> bool:
        """It was reachable; now it is stale, or was probed in vain: the kernel's choice."""
        watcher.scout._next_whole = 0.0  # the whole table tells no other story
        state = network.router.run(["ip", "neigh", "show", "192.168.77.50"]).stdout
        return "STALE" in state or "FAILED" in state

    looks = 0
    while not is_settled() and looks < 100:
        watcher.quiet(0.1)
        assert HUE not in {found.mac for found in watcher.scout.there()}
        looks += 1
    assert looks < 100
    watcher.quiet(0.3)
    assert HUE not in {found.mac for found in watcher.scout.there()}


def test_a_lease_that_is_given_up_says_that_its_device_leaves(network: Network, watcher: Watcher) -> None:
    """A device of which nothing is known but its lease."""
    leases = network.start_router_dnsmasq(options=["dhcp-rapid-commit"])
    asker = network.add_device("asker", addresses=False)
    with dhcp_socket(asker) as sock:
        dhcp_at_once(sock, PLUG, "smart-plug")
        watcher.until(lambda: watcher.devices[PLUG].present)
        (address,) = (line.split()[2] for line in leases.read_text().splitlines() if PLUG in line)
        dhcp_release(sock, PLUG, address, HOME.router4)
        watcher.until(lambda: not watcher.devices[PLUG].present)


# -- links -------------------------------------------------------------------------------------------------


def test_a_device_that_moves_to_another_port_is_followed(network: Network, watcher: Watcher) -> None:
    one, other = network.add_device("one"), network.add_device("other")
    arp(one, HUE)
    watcher.until(lambda: watcher.devices[HUE].port == port_of(network, one))
    arp(other, HUE)
    watcher.until(lambda: watcher.devices[HUE].port == port_of(network, other))
    assert watcher.devices[HUE].present


def test_a_port_that_moves_to_another_bridge_takes_its_devices_along(
    network: Network, watcher: Watcher
) -> None:
    network.add_lan(IOT)
    watcher.go([LAN, IOT.bridge], [IOT.bridge])
    device = network.add_device("hue", mac=HUE)
    port = port_of(network, device)
    arp(device)
    watcher.until(lambda: watcher.devices[HUE].interface == LAN)
    network.router.ip(f"link set {port} master {IOT.bridge}")
    device.send(arp_request(HUE, "192.168.78.9", IOT.router4))

    def is_there() -> bool:
        found = watcher.devices[HUE]
        there = (found.interface, found.port, found.present, found.on_iot_network)
        return there == (IOT.bridge, port, True, True)

    watcher.until(is_there)
    watcher.scout._next_whole = 0.0  # in the kernel's whole table both its entries stand, in any order
    watcher.look()
    assert is_there()


def test_a_mac_change_is_another_device(network: Network, watcher: Watcher) -> None:
    device = network.add_device("hue", mac=HUE)
    arp(device)
    watcher.until(lambda: watcher.devices[HUE])
    device.ip(f"link set eth0 address {PLUG}")
    arp(device, PLUG, "192.168.77.51")
    watcher.until(lambda: watcher.devices[PLUG])


def test_a_mac_on_a_second_interface_is_told_with_where_it_is(network: Network, watcher: Watcher) -> None:
    network.add_lan(IOT)
    watcher.go([LAN, IOT.bridge], [IOT.bridge])
    here, there = network.add_device("here", mac=HUE), network.add_device("there", mac=HUE, lan=IOT)
    arp(here)
    watcher.until(lambda: watcher.devices[HUE].interface == LAN)
    hosts = iter(range(9, 60))

    def is_there() -> bool:
        """It may be heard of here once more just afterwards, and both be taken in together."""
        found = watcher.devices[HUE]
        if found.interface != IOT.bridge:
            there.send(arp_request(HUE, f"192.168.78.{next(hosts)}", IOT.router4))
        return found.interface == IOT.bridge and found.on_iot_network

    watcher.until(is_there)


def test_an_interface_that_goes_down_and_comes_up(network: Network, watcher: Watcher) -> None:
    device = network.add_device("hue", mac=HUE)
    arp(device)
    watcher.until(lambda: watcher.devices[HUE].present)
    network.router.ip(f"link set {LAN} down")
    watcher.until(lambda: not watcher.devices[HUE].present)
    network.router.ip(f"link set {LAN} up")
    arp(device)
    watcher.until(lambda: watcher.devices[HUE].present)


def test_an_interface_that_is_deleted_and_made_again(network: Network, watcher: Watcher) -> None:
    device = network.add_device("hue", mac=HUE)
    arp(device)
    watcher.until(lambda: watcher.devices[HUE].present)
    port = port_of(network, device)
    network.router.ip(f"link del {LAN}")
    watcher.until(lambda: not watcher.devices[HUE].present)
    network.router.ip(f"link add {LAN} type bridge\nlink set {port} master {LAN}")
    network.router.ip(
        f"link set {LAN} type bridge forward_delay 0\nlink set {LAN} up\naddr add {HOME.ipv4} dev {LAN}"
    )
    arp(device)
    watcher.until(lambda: watcher.devices[HUE].present)
    assert watcher.devices[HUE].port == port


def test_it_begins_with_the_network_down_and_comes_up_with_it(network: Network) -> None:
    """No interface, no address, no lease file, not even its folder; then one after the other."""
    folder = network.folder / "later"
    watcher = Watcher(network, [folder / "dhcp.leases"], lan=["br-late"])
    assert watcher.devices == {}
    folder.mkdir()
    (folder / "dhcp.leases").write_text(f"0 {PLUG} 192.168.79.20 smart-plug *\n")
    watcher.quiet(0.2)
    network.router.ip("link add br-late type bridge\nlink set br-late up")
    watcher.quiet(0.2)
    network.router.ip("addr add 192.168.79.1/24 dev br-late")
    watcher.until(lambda: watcher.devices[PLUG].hostname == "smart-plug")
    assert watcher.devices[PLUG].interface == "br-late"
    watcher.close()


def test_an_interface_that_is_renamed_is_another(network: Network, watcher: Watcher) -> None:
    device = network.add_device("hue", mac=HUE)
    arp(device)
    watcher.until(lambda: watcher.devices[HUE].present)
    network.router.ip(f"link set {LAN} name br-new")
    watcher.until(lambda: not watcher.devices[HUE].present)
    watcher.go(["br-new"])
    assert watcher.devices[HUE].interface == "br-new"
    arp(device, address="192.168.77.51")
    watcher.until(lambda: watcher.devices[HUE].present)


# -- many --------------------------------------------------------------------------------------------------


def test_two_hundred_devices_that_come_at_once_are_all_found_soon(network: Network, watcher: Watcher) -> None:
    crowd = network.add_device("crowd")
    watcher.quiet()
    wanted = {made_mac(number) for number in range(200)}
    crowd.send(*(arp_request(made_mac(n), f"192.168.77.{n + 20}", HOME.router4) for n in range(200)))
    watcher.until(lambda: wanted <= watcher.devices.keys())
    assert {watcher.devices[mac].port for mac in wanted} == {port_of(network, crowd)}


def test_a_hundred_devices_that_lease_at_once_are_all_found_soon(network: Network, watcher: Watcher) -> None:
    network.start_router_dnsmasq(options=["dhcp-rapid-commit"])
    crowd = network.add_device("crowd", addresses=False)
    watcher.quiet()
    wanted = {made_mac(number) for number in range(100)}
    with dhcp_socket(crowd) as sock:
        for mac in wanted:
            dhcp_at_once(sock, mac, f"thing-{mac[-2:]}")
        watcher.until(lambda: all(watcher.devices[mac].hostname for mac in wanted))


def test_more_events_than_the_kernel_keeps_lose_no_device(network: Network, watcher: Watcher) -> None:
    """While nobody reads, the socket's buffer overflows: then the whole table tells."""
    watcher.scout._around._rtnetlink._events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    watcher.quiet()
    wanted = {made_mac(number) for number in range(200)}
    network.router.ip(
        "\n".join(
            f"neigh replace 192.168.77.{n + 20} lladdr {made_mac(n)} nud reachable dev {LAN}"
            for n in range(200)
        )
    )
    changes, lost = network.router.inside(watcher.scout._around.changes)
    assert (changes, lost) == ([], True)
    network.router.ip(f"neigh replace 192.168.77.19 lladdr {PLUG} nud reachable dev {LAN}")
    watcher.scout._read_soon()
    watcher.until(lambda: {*wanted, PLUG} <= watcher.devices.keys())
