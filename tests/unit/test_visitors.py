# SPDX-License-Identifier: GPL-2.0-or-later
"""Who knocks, by the address that the socket names."""

from ipaddress import ip_interface

import pytest

from smartrouter.linux.local_addresses import Local
from smartrouter.web.visitors import Neighbourhood

MAC = "02:00:00:00:00:01"
LOCAL = [
    Local(name, ip_interface(prefix))
    for name, prefix in (
        ("lo", "127.0.0.1/8"), ("lo", "::1/128"), ("br-lan", "192.168.1.1/24"), ("br-lan", "fd00::1/64"),
        ("br-lan", "fe80::1/64"), ("br-iot", "192.168.9.1/24"), ("wan", "203.0.113.2/24"),
        ("wan", "fe80::2/64"),
    )
]  # fmt: skip


def neighbourhood(*allow_from: str) -> Neighbourhood:
    return Neighbourhood(("br-lan", "br-iot"), allow_from, ("br-iot",), lambda: LOCAL, lambda _a, _i: MAC)


@pytest.mark.parametrize(
    ("client", "interface"),
    [
        ("192.168.1.50", "br-lan"), ("::ffff:192.168.1.50", "br-lan"), ("fd00::50", "br-lan"),
        ("fe80::50%br-lan", "br-lan"), ("192.168.9.50", "br-iot"),
        ("203.0.113.9", ""), ("fe80::50%wan", ""), ("fe80::50", ""), ("2001:db8::1", ""), ("nonsense", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_an_address_of_the_lan_is_on_its_interface(client: str, interface: str) -> None:
    visitor = neighbourhood().visitor(client)
    assert visitor.interface == interface
    assert visitor.source == (MAC if interface else visitor.address)
    assert neighbourhood().lets_in(client) is (interface == "br-lan")


@pytest.mark.parametrize("client", ["127.0.0.1", "::1", "192.168.1.1", "203.0.113.2", "fe80::1%br-lan"])
def test_the_router_itself_is_let_in(client: str) -> None:
    assert neighbourhood().visitor(client).is_us
    assert neighbourhood().lets_in(client)


def test_a_network_beyond_the_lan_is_let_in_where_it_is_named() -> None:
    assert not neighbourhood().lets_in("10.8.0.5")
    assert neighbourhood("10.8.0.0/24").lets_in("10.8.0.5")
    assert not neighbourhood("10.8.0.0/24").lets_in("10.8.1.5")
    assert not neighbourhood("10.8.0.0/24").visitor("10.8.0.5").interface, "but it is not the LAN"
