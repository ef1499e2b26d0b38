# SPDX-License-Identifier: GPL-2.0-or-later
"""The known services of encrypted DNS, and what only looks like one."""

import socket
from ipaddress import ip_address

import pytest

from smartrouter.core.events import TCP, UDP
from smartrouter.core.public.encrypted_dns import (
    DISCOVERY,
    DOH_ADDRESSES,
    SERVICES,
    is_canary,
    is_discovery,
    is_doh_address,
    is_doh_name,
    is_dot,
)
from smartrouter.core.public.resolvers import PUBLIC_RESOLVERS


def test_many_services_are_known() -> None:
    assert len(SERVICES) >= 80


@pytest.mark.parametrize(
    "name",
    [
        "dns.google",
        "dns64.dns.google",
        "cloudflare-dns.com",
        "mozilla.cloudflare-dns.com",
        "chrome.cloudflare-dns.com",
        "abcdef.cloudflare-gateway.com",
        "one.one.one.one",
        "dns.quad9.net",
        "dns.nextdns.io",
        "abc123.dns.nextdns.io",
        "doh.opendns.com",
        "d-1234abcd.d.adguard-dns.com",
        "dns.adguard.com",
        "freedns.controld.com",
        "p2.freedns.controld.com",
        "doh.cleanbrowsing.org",
        "doh.dns.apple.com",
        "doh.xfinity.com",
        "dns.alidns.com",
        "doh.pub",
        "base.dns.mullvad.net",
        "common.dot.dns.yandex.net",
    ],
)
def test_a_known_service_is_recognised(name: str) -> None:
    assert is_doh_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "google",
        "www.google.com",
        "dns.google.evil.example",
        "evildns.google",
        "xdns.google",
        "nextdns.io",
        "my.nextdns.io",
        "evil\\.dns.nextdns.io",
        "notcloudflare-dns.com",
        "cloudflare-dns.com.example",
        "www.quad9.net",
        "opendns.com",
        "doh.example.com",
        "dns.example.com",
        "www.mullvad.net",
        "use-application-dns.net",
        DISCOVERY,
    ],
)
def test_what_looks_like_a_service_is_none(name: str) -> None:
    assert not is_doh_name(name)


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("8.8.8.8", True),
        ("1.1.1.1", True),
        ("9.9.9.9", True),
        ("104.16.248.249", True),
        ("76.76.2.11", True),
        ("45.90.28.123", True),
        ("2606:4700:4700::1111", True),
        ("2620:fe::fe", True),
        ("2a07:a8c1::12:3456", True),
        ("8.8.8.9", False),
        ("145.90.28.1", False),
        ("192.168.1.1", False),
        ("203.0.113.53", False),
        ("2606:4700::1", False),
        ("", False),
    ],
)
def test_addresses(address: str, known: bool) -> None:
    assert is_doh_address(address) is known


def test_every_public_resolver_is_an_address_of_encrypted_dns() -> None:
    assert PUBLIC_RESOLVERS < DOH_ADDRESSES


def test_every_address_has_the_form_that_packets_give_and_is_of_the_internet() -> None:
    for address in DOH_ADDRESSES:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        assert socket.inet_ntop(family, socket.inet_pton(family, address)) == address
        assert ip_address(address).is_global


@pytest.mark.parametrize(
    ("protocol", "port", "dot"),
    [(TCP, 853, True), (UDP, 853, True), (TCP, 443, False), (TCP, 53, False), (132, 853, False)],
)
def test_the_port_kept_for_dns_over_tls_and_quic(protocol: int, port: int, dot: bool) -> None:
    assert is_dot(protocol, port) is dot


def test_the_canary_is_that_very_name() -> None:
    assert is_canary("use-application-dns.net")
    assert not is_canary("www.use-application-dns.net")
    assert not is_canary("use-application-dns.com")


def test_asking_the_resolver_for_its_own_service_is_told_apart() -> None:
    assert is_discovery("_dns.resolver.arpa")
    assert not is_discovery("dns.resolver.example")
    assert not is_discovery("resolver.arpa.example")
