# SPDX-License-Identifier: GPL-2.0-or-later
"""Name groups and services, in the words a person would use."""

import pytest
from counting import steps

from smartrouter.core.destinations import Match, group_of, is_address, protocol_name, service_of


@pytest.mark.parametrize(
    ("protocol", "port", "service"),
    [
        (6, 80, "web"), (6, 443, "web"), (17, 443, "web"), (17, 80, "udp/80"), (6, 8883, "tcp/8883"),
        (1, 0, "icmp"), (58, 0, "icmp"), (47, 0, "gre"), (132, 5, "sctp/5"), (200, 0, "proto-200"),
    ],
)  # fmt: skip
def test_services(protocol: int, port: int, service: str) -> None:
    assert service_of(protocol, port) == service


def test_protocols_have_their_usual_names() -> None:
    assert [protocol_name(number) for number in (6, 17, 1, 41, 250)] == [
        "tcp", "udp", "icmp", "6in4", "proto-250",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "chain", "domain"),
    [
        ("api.maker.example", "maker.example", "maker.example"),
        ("maker.example", "maker.example", "maker.example"),
        ("a.b.bbc.co.uk", "bbc.co.uk", "bbc.co.uk"),
        ("e1.g.akamaiedge.net", "e1.g.akamaiedge.net", None),
        ("azure-devices.net", "azure-devices.net", "azure-devices.net"),
        ("x.fastly.net.evil.example", "evil.example", "evil.example"),
        ("xfastly.net", "xfastly.net", "xfastly.net"),
        ("hub.azure-devices.net", "hub.azure-devices.net", "azure-devices.net"),
        ("vm.eastus.cloudapp.azure.com", "vm.eastus.cloudapp.azure.com", "azure.com"),
        ("portal.azure.com", "azure.com", "azure.com"),
        ("bucket.storage.googleapis.com", "bucket.storage.googleapis.com", None),
        ("s-usc1c-nss-117.firebaseio.com", "firebaseio.com", "firebaseio.com"),
        ("somebody.firebaseio.com", "somebody.firebaseio.com", "firebaseio.com"),
        ("hub.fastly.net", "hub.fastly.net", "fastly.net"),
        ("d1.cloudfront.net", "d1.cloudfront.net", "d1.cloudfront.net"),
        ("printer", "printer", "printer"),
    ],
)
def test_name_groups(name: str, chain: str, domain: str | None) -> None:
    assert group_of(name, Match.HOST) == name
    assert group_of(name, Match.CHAIN) == chain
    if domain is not None:  # else it is for the list of public suffixes, which grows
        assert group_of(name, Match.DOMAIN) == domain


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("203.0.113.1", True), ("2001:db8::1", True), ("a.example", False), ("1.example", False), ("", False)],
)
def test_addresses_are_told_from_names(name: str, is_one: bool) -> None:
    assert is_address(name) is is_one


def test_the_longest_name_costs_little() -> None:
    assert steps(lambda: group_of(".".join("a" * 126), Match.CHAIN)) < 500
