# SPDX-License-Identifier: GPL-2.0-or-later
"""From a device's first packet to the kernel's set of watched ones, with the whole product on the router."""

from collections.abc import Callable, Iterator
from time import monotonic, sleep
from typing import Any

import pytest
from netns.scouting import arp_request, dhcp_at_once, dhcp_socket

from smartrouter.lab.network import Network
from smartrouter.lab.plan import HOME
from smartrouter.lab.product import Product

pytestmark = pytest.mark.netns

WATCHED = ["nft", "list", "set", "inet", "smartrouter", "watched"]


def lamp(number: int) -> str:
    """A MAC of a maker of lamps."""
    return f"00:17:88:00:{number >> 8:02x}:{number & 255:02x}"


@pytest.fixture
def product(network: Network) -> Iterator[Product]:
    network.start_router_dnsmasq(options=["dhcp-rapid-commit"])
    product = Product(network, {"mode": "monitor"})
    product.start()
    yield product
    assert product.stop() == 0


def watched(product: Product) -> str:
    return product.network.router.run(WATCHED).stdout


def within(seconds: float, what: Callable[[], Any]) -> float:
    begun = monotonic()
    while not what():
        assert monotonic() < begun + seconds, f"not within {seconds} s"
        sleep(0.01)
    return monotonic() - begun


def analyzer(product: Product) -> dict[str, Any]:
    parts: list[dict[str, Any]] = product.json("status")["parts"]
    return next(part for part in parts if part["name"] == "analyzer")


def test_a_thing_is_watched_soon_after_its_first_packet_or_its_lease(
    network: Network, product: Product
) -> None:
    device = network.add_device("crowd")
    device.send(arp_request(lamp(1), "192.168.77.44", HOME.router4))
    within(2.0, lambda: lamp(1) in watched(product))
    with dhcp_socket(device) as sock:
        dhcp_at_once(sock, lamp(2), "lamp")
    within(2.0, lambda: lamp(2) in watched(product))


def test_two_hundred_things_that_come_at_once_are_all_watched_soon(
    network: Network, product: Product
) -> None:
    device = network.add_device("crowd")
    device.send(*(arp_request(lamp(n), f"192.168.77.{n + 20}", HOME.router4) for n in range(200)))
    with dhcp_socket(device) as sock:
        for number in range(200, 260):
            dhcp_at_once(sock, lamp(number), f"lamp-{number}")
    within(5.0, lambda: watched(product).count("00:17:88:") == 260)
    assert analyzer(product)["rss_kib"] <= 64 * 1024
    assert analyzer(product)["restarts"] == 0


def test_it_goes_on_after_the_lan_was_taken_away_and_brought_back(network: Network, product: Product) -> None:
    before = {part["name"]: part["pid"] for part in product.json("status")["parts"]}
    device = network.add_device("crowd")
    ports = network.router.run(["ls", "/sys/class/net"]).stdout.split()
    port = next(name for name in ports if name.startswith("crowd"))
    network.router.ip(f"link del {HOME.bridge}")
    network.router.ip(
        f"link add {HOME.bridge} address {HOME.mac} type bridge\n"
        f"link set {HOME.bridge} type bridge forward_delay 0\n"
        f"link set {port} master {HOME.bridge}\n"
        f"link set {HOME.bridge} up\n"
        f"addr add {HOME.ipv4} dev {HOME.bridge}"
    )
    device.send(arp_request(lamp(1), "192.168.77.44", HOME.router4))
    within(2.0, lambda: lamp(1) in watched(product))
    assert {part["name"]: part["pid"] for part in product.json("status")["parts"]} == before
