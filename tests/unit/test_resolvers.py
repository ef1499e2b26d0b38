# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of public resolvers that ships."""

import socket
from ipaddress import ip_address

from smartrouter.core.public.resolvers import PUBLIC_RESOLVERS


def test_every_address_has_the_form_that_packets_give() -> None:
    for address in PUBLIC_RESOLVERS:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        assert socket.inet_ntop(family, socket.inet_pton(family, address)) == address


def test_every_address_is_one_of_the_internet() -> None:
    assert [address for address in PUBLIC_RESOLVERS if not ip_address(address).is_global] == []


def test_what_real_devices_ask_is_among_them() -> None:
    assert {
        "8.8.8.8",
        "8.8.4.4",
        "1.1.1.1",
        "9.9.9.9",
        "208.67.222.222",
        "2001:4860:4860::8888",
    } <= PUBLIC_RESOLVERS
