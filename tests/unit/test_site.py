# SPDX-License-Identifier: GPL-2.0-or-later
"""Where messages say that the pages are."""

from ipaddress import ip_interface

import pytest

from smartrouter.analyzer.site import site_of
from smartrouter.config import Config, WebConfig, checked, from_text
from smartrouter.core.errors import Unavailable
from smartrouter.linux.local_addresses import Local

LAN = ("br-lan", "br-guest")


def around() -> list[Local]:
    return [
        Local(interface, ip_interface(prefix))
        for interface, prefix in (
            ("lo", "127.0.0.1/8"), ("wan", "203.0.113.5/24"), ("br-lan", "fe80::1/64"),
            ("br-lan", "fd00::1/64"), ("br-guest", "192.168.2.1/24"), ("br-lan", "192.168.1.1/24"),
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "site"),
    [
        ({}, "http://192.168.1.1:8081"),
        ({"tls": "self"}, "https://192.168.1.1:8081"),
        ({"listen": "192.168.1.9:8443", "tls": "1"}, "https://192.168.1.9:8443"),
        ({"listen": "0.0.0.0:9000"}, "http://192.168.1.1:9000"),
        ({"host": "router.lan"}, "http://router.lan:8081"),
        ({"host": "router.lan", "listen": "192.168.1.9:8443"}, "http://router.lan:8443"),
        ({"url": "https://home.example/guard/"}, "https://home.example/guard"),
    ],
)
def test_the_pages_are_where_the_configuration_has_them(options: dict[str, str], site: str) -> None:
    assert site_of(checked(WebConfig, options, "web"), LAN, around) == site


def test_an_address_of_ipv6_is_taken_where_there_is_no_other() -> None:
    assert site_of(WebConfig(), ("br-lan",), lambda: around()[:4]) == "http://[fd00::1]:8081"


def test_where_there_are_no_pages_or_nobody_knows_there_is_no_link() -> None:
    def nobody() -> list[Local]:
        raise Unavailable("no netlink here")

    assert site_of(None, LAN, around) == ""
    assert site_of(WebConfig(), ("eth9",), around) == ""
    assert site_of(WebConfig(), LAN, nobody) == ""


def test_the_analyzer_knows_of_the_pages_but_none_of_their_secrets() -> None:
    config = from_text(
        "config smartrouter 'main'\n\tlist device 'br-lan'\nconfig web\n\toption password_hash 'scrypt$abc'\n"
        "\toption url 'https://home.example'\n"
    )
    shared = Config.from_share(config.to_share("analyzer"))
    assert shared.web is not None
    assert (shared.web.url, shared.web.password_hash) == ("https://home.example", "")
