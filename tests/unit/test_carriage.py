# SPDX-License-Identifier: GPL-2.0-or-later
"""What connections in a capture carry."""

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from unit.made_traffic import DEVICE, DEVICE_IP, SERVER

from smartrouter.core.events import Transfer
from smartrouter.replay import carriage
from smartrouter.replay.carriage import EVERY, Carriage
from smartrouter.wire.packet import parse_ip


def sent(size: int, port: int = 5000, source: str = DEVICE_IP, destination: str = SERVER) -> bytes:
    ip = IPv6 if ":" in source else IP
    return bytes(ip(src=source, dst=destination) / UDP(sport=port, dport=443) / bytes(size))


def answered(size: int, port: int = 5000) -> bytes:
    return bytes(IP(src=SERVER, dst=DEVICE_IP) / UDP(sport=443, dport=port) / bytes(size))


def carry(found: Carriage, *packets: bytes) -> None:
    for data in packets:
        found.passed(parse_ip(data), data)


def test_both_ways_are_counted_by_the_lengths_that_packets_say() -> None:
    found = Carriage()
    first = sent(100)
    found.opened(DEVICE, parse_ip(first))
    carry(found, first, sent(1000)[:60], answered(500), answered(1))
    assert found.all(0.0).transfers == (Transfer(DEVICE, SERVER, 17, 443, False, 1156, 557, 2, 2, 1),)
    assert found.all(0.0).transfers == ()


def test_of_ipv6_the_header_counts_too() -> None:
    found = Carriage()
    first = sent(100, source="fd00::1", destination="2001:db8::1")
    found.opened(DEVICE, parse_ip(first))
    carry(found, first)
    assert found.all(0.0).transfers[0].bytes_out == 148


def test_what_nobody_was_seen_to_begin_is_not_counted() -> None:
    found = Carriage()
    carry(found, sent(100), answered(100))
    assert found.all(0.0).transfers == ()


def test_it_is_told_once_a_minute() -> None:
    found = Carriage()
    assert found.due(1000.0) is None
    found.opened(DEVICE, parse_ip(sent(1)))
    assert found.due(1000.0 + EVERY - 1) is None
    told = found.due(1000.0 + EVERY)
    assert told is not None
    assert [each.flows for each in told.transfers] == [1]
    assert found.due(1000.0 + EVERY + 1) is None


def test_the_oldest_connection_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carriage, "MAX_FLOWS", 2)
    found = Carriage()
    for port in (1, 2, 3):
        found.opened(DEVICE, parse_ip(sent(1, port)))
        found.opened(DEVICE, parse_ip(sent(1, port)))  # sent again
    carry(found, sent(10, 1), sent(10, 2), sent(10, 3))
    (transfer,) = found.all(0.0).transfers
    assert (transfer.packets_out, transfer.flows) == (2, 3)
