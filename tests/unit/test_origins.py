# SPDX-License-Identifier: GPL-2.0-or-later
"""By which names the interface may be called, and from whose pages."""

import pytest
from starlette.datastructures import Headers

from smartrouter.web.origins import Origins, own_names

ORIGINS = Origins(
    [*own_names("Gate.example.com"), "router.example.net"], ["192.168.1.1", "fd00::1", "127.0.0.1"]
)


def complaint(*headers: tuple[str, str]) -> str:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return ORIGINS.complaint("http", Headers(raw=raw))


@pytest.mark.parametrize(
    "host",
    ["192.168.1.1", "192.168.1.1:8081", "[fd00::1]:8081", "[FD00:0:0::1]", "127.0.0.1:8081", "localhost:8081",
     "smartrouter.lan", "gate", "GATE.lan:8081", "gate.example.com", "gate.local.", "router.example.net"],
)  # fmt: skip
def test_our_addresses_and_names_are_ours(host: str) -> None:
    assert complaint(("Host", host)) == ""


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "192.168.1.1.evil.example", "192.168.1.2", "[fd00::2]", "192.168.1.1:8081@evil.org",
     "gate.evil.example", "[gate]", "0.0.0.0", "192.168.1.1:8081:80", "::1", "gate.lan/", "gate lan",
     "3232235777", "0x7f000001", "192.168.1.1\xb2"],
)  # fmt: skip
def test_any_other_host_is_not(host: str) -> None:
    assert "Host" in complaint(("Host", host))


def test_two_hosts_or_none_are_no_host() -> None:
    assert complaint()
    assert complaint(("Host", "192.168.1.1"), ("Host", "192.168.1.1"))


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "", "https://192.168.1.1:8081", "http://192.168.1.1", "http://192.168.1.1:80",
     "http://192.168.1.1:8081.evil.example", "file://"],
)  # fmt: skip
def test_a_foreign_page_is_refused(origin: str) -> None:
    assert "Origin" in complaint(("Host", "192.168.1.1:8081"), ("Origin", origin))


def test_our_own_page_is_not() -> None:
    assert complaint(("Host", "192.168.1.1:8081"), ("Origin", "http://192.168.1.1:8081")) == ""
    assert complaint(("Host", "gate.lan"), ("Sec-Fetch-Site", "same-origin")) == ""


def test_a_link_from_elsewhere_is_followed_but_a_foreign_script_gets_nothing() -> None:
    elsewhere = ("Host", "gate.lan"), ("Sec-Fetch-Site", "cross-site")
    assert complaint(*elsewhere, ("Sec-Fetch-Mode", "navigate")) == ""
    assert complaint(*elsewhere, ("Sec-Fetch-Mode", "no-cors"))
