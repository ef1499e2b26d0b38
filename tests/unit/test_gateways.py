# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is a router and who a device, in networks of many kinds."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartrouter.replay.gateways import MAX_MACS, Gateways, Place, is_station, place_of

ROUTER, SECOND, DEVICE, PHONE = (
    "c8:00:00:00:00:01",
    "c8:00:00:00:00:02",
    "3c:00:00:00:00:03",
    "a4:00:00:00:00:04",
)
LAN, PHONE_LAN, ROUTER_LAN = "192.168.1.50", "192.168.1.51", "192.168.1.1"
SERVER, SERVERS = "203.0.113.7", [f"198.51.{i}.9" for i in range(100)]
BROADCAST = "ff:ff:ff:ff:ff:ff"


def goes_out(seen: Gateways, mac: str, source: str = LAN, server: str = SERVER, router: str = ROUTER) -> None:
    seen.passed(mac, router, source, server)


def comes_back(
    seen: Gateways, mac: str, source: str = LAN, server: str = SERVER, router: str = ROUTER
) -> None:
    seen.passed(router, mac, server, source)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.168.1.1", Place.INSIDE),
        ("10.255.0.1", Place.INSIDE),
        ("172.16.0.1", Place.INSIDE),
        ("172.31.255.254", Place.INSIDE),
        ("172.32.0.1", Place.OUTSIDE),
        ("169.254.3.4", Place.INSIDE),
        ("100.64.0.1", Place.OUTSIDE),
        ("203.0.113.7", Place.OUTSIDE),
        ("8.8.8.8", Place.OUTSIDE),
        ("224.0.0.251", Place.NOBODY),
        ("239.255.255.250", Place.NOBODY),
        ("255.255.255.255", Place.NOBODY),
        ("0.0.0.0", Place.NOBODY),
        ("127.0.0.1", Place.NOBODY),
        ("fd12::1", Place.INSIDE),
        ("fe80::1", Place.INSIDE),
        ("2001:db8::1", Place.OUTSIDE),
        ("ff02::fb", Place.NOBODY),
        ("::", Place.NOBODY),
        ("::1", Place.NOBODY),
        ("::ffff:192.168.1.1", Place.INSIDE),
        ("::ffff:8.8.8.8", Place.OUTSIDE),
    ],
)
def test_an_address_is_outside_inside_or_nobodys(address: str, place: Place) -> None:
    assert place_of(address) is place


_LAN_NETWORKS = [
    ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
]


@settings(deadline=None)
@given(st.ip_addresses())
def test_places_agree_with_the_standard_librarys_networks(address: object) -> None:
    ip = ip_address(str(address))
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    if ip.is_multicast or ip.is_loopback or ip.is_unspecified or str(ip) == "255.255.255.255":
        expected = Place.NOBODY
    else:
        expected = Place.INSIDE if any(ip in network for network in _LAN_NETWORKS) else Place.OUTSIDE
    assert place_of(str(address)) is expected


@pytest.mark.parametrize(
    ("mac", "expected"),
    [
        (DEVICE, True),
        (BROADCAST, False),
        ("01:00:5e:00:00:fb", False),
        ("00:00:00:00:00:00", False),
        ("", False),
    ],
)
def test_only_the_mac_of_one_card_is_a_station(mac: str, expected: bool) -> None:
    assert is_station(mac) is expected


def test_the_router_is_who_brings_packets_from_outside_and_takes_those_that_go_there() -> None:
    seen = Gateways()
    for mac, address in ((DEVICE, LAN), (PHONE, PHONE_LAN)):
        goes_out(seen, mac, address)
        comes_back(seen, mac, address)
        seen.passed(mac, ROUTER, address, ROUTER_LAN)
        seen.passed(ROUTER, mac, ROUTER_LAN, address)
    assert seen.routers() == {ROUTER}
    assert seen.devices() == [DEVICE, PHONE]
    assert seen.addresses_of([ROUTER]) == {ROUTER_LAN}


@pytest.mark.parametrize("goes", [True, False])
def test_a_capture_of_one_direction_shows_the_router_too(goes: bool) -> None:
    seen = Gateways()
    (goes_out if goes else comes_back)(seen, DEVICE)
    seen.passed(DEVICE, PHONE, LAN, PHONE_LAN)
    assert seen.routers() == {ROUTER}
    assert seen.devices() == [DEVICE]


def test_a_network_may_have_several_routers() -> None:
    seen = Gateways()
    for router in (ROUTER, SECOND):
        goes_out(seen, DEVICE, router=router)
        comes_back(seen, DEVICE, router=router)
    assert seen.routers() == {ROUTER, SECOND}


def test_a_router_address_that_only_takes_is_a_router() -> None:
    """A virtual router's MAC (VRRP): the answers come from the card behind it."""
    virtual = "00:00:5e:00:01:01"
    seen = Gateways()
    goes_out(seen, DEVICE, router=virtual)
    comes_back(seen, DEVICE, router=SECOND)
    seen.passed(virtual, "01:00:5e:00:00:12", ROUTER_LAN, "224.0.0.18")
    assert seen.routers() == {virtual, SECOND}


def test_a_router_that_sends_packets_on_over_the_same_wire_is_a_router() -> None:
    seen = Gateways()
    goes_out(seen, DEVICE, router=SECOND)
    seen.passed(SECOND, ROUTER, LAN, SERVER)
    seen.passed(ROUTER, SECOND, SERVER, LAN)
    seen.passed(SECOND, DEVICE, SERVER, LAN)
    assert seen.routers() == {ROUTER, SECOND}
    assert seen.devices() == [DEVICE]


def test_a_device_cannot_hide_by_forging_an_outside_source() -> None:
    seen = Gateways()
    goes_out(seen, DEVICE)
    comes_back(seen, DEVICE)
    seen.passed(DEVICE, PHONE, "8.8.8.8", PHONE_LAN)
    seen.passed(DEVICE, ROUTER, "198.51.100.1", SERVER)
    goes_out(seen, PHONE, PHONE_LAN)
    assert seen.devices() == [DEVICE, PHONE]


def test_a_device_that_a_phone_once_took_for_its_router_stays_a_device() -> None:
    """While it is set up, a device is an access point without the Internet behind it."""
    seen = Gateways()
    seen.passed(PHONE, DEVICE, "192.168.4.2", SERVER)
    goes_out(seen, DEVICE)
    comes_back(seen, DEVICE)
    assert seen.devices() == [PHONE, DEVICE]


def test_a_silent_access_point_that_asked_for_an_address_is_a_device() -> None:
    seen = Gateways()
    seen.passed(PHONE, DEVICE, "192.168.4.2", SERVER)
    seen.spoke_dhcp(DEVICE, as_server=True)
    seen.spoke_dhcp(DEVICE, as_server=False)
    goes_out(seen, PHONE, PHONE_LAN)
    comes_back(seen, PHONE, PHONE_LAN)
    assert seen.devices() == [PHONE, DEVICE]


def test_another_network_that_was_captured_too_holds_no_devices() -> None:
    """The router's other side: its card there, and the provider's, speak from outside addresses only."""
    provider, wan = "d0:00:00:00:00:05", "c8:00:00:00:00:06"
    seen = Gateways()
    goes_out(seen, DEVICE)
    seen.passed(wan, provider, "198.51.100.77", SERVER)
    seen.passed(provider, wan, SERVER, "198.51.100.77")
    comes_back(seen, DEVICE)
    assert seen.devices() == [DEVICE]


def test_all_cards_of_a_router_that_captured_are_routers() -> None:
    wan = "c8:00:00:00:00:06"
    seen = Gateways()
    seen.passed(DEVICE, "", LAN, SERVER)
    seen.passed(wan, "", "192.168.178.2", SERVER, capturing=True)
    seen.passed(ROUTER, "", SERVER, LAN, capturing=True)
    assert seen.devices() == [DEVICE]


def test_a_device_that_captured_its_own_traffic_is_a_device() -> None:
    seen = Gateways()
    seen.passed(DEVICE, "", LAN, SERVER, capturing=True)
    seen.passed(ROUTER, "", SERVER, LAN)
    assert seen.devices() == [DEVICE]


@pytest.mark.parametrize(
    ("device", "phone", "servers"),
    [
        ("2001:db8:1:1::50", "2001:db8:1:1::51", [f"2001:db8:{i + 100:x}::9" for i in range(5)]),
        ("198.18.0.50", "198.18.0.51", SERVERS[:5]),
    ],
    ids=["IPv6", "IPv4"],
)
def test_where_every_address_is_public_the_router_has_the_most_networks_behind_it(
    device: str, phone: str, servers: list[str]
) -> None:
    seen = Gateways()
    for server in servers:
        for mac, address in ((DEVICE, device), (PHONE, phone)):
            goes_out(seen, mac, address, server)
            comes_back(seen, mac, address, server)
    assert seen.routers() == {ROUTER}
    assert seen.devices() == [DEVICE, PHONE]


def test_with_one_server_only_the_router_is_who_was_handed_the_first_packet() -> None:
    seen = Gateways()
    goes_out(seen, DEVICE, "2001:db8:1:1::50", "2001:db8:2::9")
    comes_back(seen, DEVICE, "2001:db8:1:1::50", "2001:db8:2::9")
    assert seen.devices() == [DEVICE]


def test_public_ipv6_addresses_make_no_router_of_a_device_behind_ipv4_nat() -> None:
    seen = Gateways()
    for number in range(20):
        own, server = f"2001:db8:1:{number}::50", "2001:db8:ffff::9"
        goes_out(seen, DEVICE, own, server)
        comes_back(seen, DEVICE, own, server)
        seen.passed(ROUTER, DEVICE, "fd00::1", own)  # its resolver answers
        seen.passed(DEVICE, ROUTER, own, "fd00::1")
    goes_out(seen, DEVICE)
    comes_back(seen, DEVICE)
    assert seen.routers() == {ROUTER}
    assert seen.devices() == [DEVICE]


@pytest.mark.parametrize("claims", [True, False])
def test_an_outside_address_that_a_device_claims_is_its_own(claims: bool) -> None:
    seen = Gateways()
    seen.claimed(DEVICE, LAN)
    if claims:
        seen.claimed(DEVICE, "198.18.0.50")
    seen.passed(DEVICE, PHONE, "198.18.0.50", PHONE_LAN)
    seen.passed(PHONE, DEVICE, PHONE_LAN, "198.18.0.50")
    goes_out(seen, PHONE, PHONE_LAN)
    comes_back(seen, PHONE, PHONE_LAN)
    assert (DEVICE in seen.devices()) is claims
    assert ROUTER in seen.routers()


def test_where_nothing_leaves_the_lan_the_router_is_who_hands_out_addresses() -> None:
    seen = Gateways()
    seen.spoke_dhcp(DEVICE, as_server=False)
    seen.spoke_dhcp(ROUTER, as_server=True)
    assert seen.routers() == {ROUTER}
    assert seen.devices() == [DEVICE]


def test_an_access_point_that_later_asks_for_an_address_is_a_device() -> None:
    seen = Gateways()
    seen.spoke_dhcp(DEVICE, as_server=True)
    seen.spoke_dhcp(DEVICE, as_server=False)
    assert seen.routers() == frozenset()
    assert seen.devices() == [DEVICE]


def test_whoever_was_only_spoken_to_is_no_device() -> None:
    seen = Gateways()
    goes_out(seen, DEVICE, router=PHONE)
    goes_out(seen, DEVICE)
    comes_back(seen, DEVICE)
    seen.passed(DEVICE, BROADCAST, LAN, "255.255.255.255")
    assert seen.devices() == [DEVICE]


def test_nothing_heard_is_nobody_there() -> None:
    assert Gateways().routers() == frozenset()
    assert Gateways().devices() == []


def test_a_flood_of_macs_and_addresses_fills_no_memory() -> None:
    seen = Gateways()
    comes_back(seen, DEVICE)
    for number in range(MAX_MACS + 500):
        mac = f"02:00:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        seen.passed(mac, ROUTER, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", SERVER)
    assert seen.is_full
    assert len(seen.devices()) < MAX_MACS
    assert seen.routers() == {ROUTER}


def _set_up(seen: Gateways) -> None:
    """While it is set up, the device is an access point that answers a phone in the place of a server."""
    seen.passed(PHONE, DEVICE, "192.168.4.2", SERVER)
    seen.passed(DEVICE, PHONE, SERVER, "192.168.4.2")


def test_an_access_point_that_answers_for_the_internet_and_later_uses_it_is_a_device() -> None:
    seen = Gateways()
    _set_up(seen)
    goes_out(seen, DEVICE)
    comes_back(seen, DEVICE)
    assert seen.devices() == [PHONE, DEVICE]


def test_an_access_point_that_answers_for_the_internet_and_asked_for_an_address_is_a_device() -> None:
    seen = Gateways()
    _set_up(seen)
    seen.spoke_dhcp(DEVICE, as_server=False)
    goes_out(seen, PHONE, PHONE_LAN)
    comes_back(seen, PHONE, PHONE_LAN)
    assert seen.devices() == [PHONE, DEVICE]


def test_a_device_that_was_once_taken_for_a_router_and_only_asks_for_names_is_a_device() -> None:
    seen = Gateways()
    seen.passed(PHONE, DEVICE, "192.168.4.2", SERVER)
    seen.passed(DEVICE, ROUTER, LAN, ROUTER_LAN)
    seen.asked(DEVICE, LAN)
    goes_out(seen, PHONE, PHONE_LAN)
    comes_back(seen, PHONE, PHONE_LAN)
    assert seen.devices() == [PHONE, DEVICE]


def test_a_router_that_asks_for_names_is_a_router() -> None:
    seen = Gateways()
    goes_out(seen, DEVICE)
    comes_back(seen, DEVICE)
    seen.asked(ROUTER, ROUTER_LAN)
    assert seen.devices() == [DEVICE]


def test_a_hub_that_routes_for_others_is_a_device_too() -> None:
    seen = Gateways()
    goes_out(seen, DEVICE, "192.168.7.2", router=SECOND)
    comes_back(seen, DEVICE, "192.168.7.2", router=SECOND)
    goes_out(seen, SECOND, LAN)
    comes_back(seen, SECOND, LAN)
    assert seen.routers() == {ROUTER, SECOND}
    assert seen.devices() == [DEVICE, SECOND]


def test_a_device_with_a_public_address_beside_private_ones_is_a_device() -> None:
    seen = Gateways()
    goes_out(seen, DEVICE)
    comes_back(seen, DEVICE)
    goes_out(seen, PHONE, "198.51.100.77")
    comes_back(seen, PHONE, "198.51.100.77")
    assert seen.devices() == [DEVICE, PHONE]


def test_a_device_whose_answer_was_captured_first_is_a_device() -> None:
    seen = Gateways()
    comes_back(seen, DEVICE, "2001:db8:1:1::50", "2001:db8:2::9")
    goes_out(seen, DEVICE, "2001:db8:1:1::50", "2001:db8:2::9")
    seen.asked(DEVICE, "2001:db8:1:1::50")
    assert seen.devices() == [DEVICE]


def test_a_device_with_a_public_address_may_ask_a_private_resolver() -> None:
    resolver, own = "10.0.0.53", "198.51.100.77"
    seen = Gateways()
    goes_out(seen, DEVICE, own, resolver)
    seen.asked(DEVICE, own)
    comes_back(seen, DEVICE, own, resolver)
    for server in SERVERS[:5]:
        goes_out(seen, DEVICE, own, server)
        comes_back(seen, DEVICE, own, server)
    assert seen.routers() == {ROUTER}
    assert DEVICE in seen.devices()
