# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses as text."""

import socket

import pytest

from smartrouter.wire.inet import ipv4, ipv6


@pytest.mark.parametrize("text", ["0.0.0.0", "203.0.113.1", "255.255.255.255"])
def test_ipv4(text: str) -> None:
    assert ipv4(socket.inet_pton(socket.AF_INET, text)) == text


@pytest.mark.parametrize("text", ["::", "2001:db8::1", "::ffff:192.168.1.1", "fe80::1:0:0:1"])
def test_ipv6(text: str) -> None:
    assert ipv6(socket.inet_pton(socket.AF_INET6, text)) == text
