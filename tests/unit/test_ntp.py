# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests for the time, against scapy's, and what only looks like one."""

import pytest
from scapy.layers.ntp import NTPHeader

from smartrouter.wire.ntp import asks_time

SENT = 3_900_000_000  # seconds since 1900


def header(**fields: int) -> bytes:
    return bytes(NTPHeader(ref=SENT, orig=0, recv=0, sent=SENT, **fields))


REQUEST = header(version=4, mode=3)


@pytest.mark.parametrize("version", range(1, 5))
def test_a_clients_request_of_any_version_is_one(version: int) -> None:
    assert asks_time(header(version=version, mode=3))


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"\x1b", REQUEST[:-1], REQUEST + b"\0", REQUEST + bytes(20),
        *[header(version=4, mode=mode) for mode in (0, 1, 2, 4, 5)],
        bytes([0x17]) + bytes(47), bytes([0x16]) + bytes(47),  # modes 7 (monlist) and 6
        bytes(48),
    ],
)  # fmt: skip
def test_nothing_else_is(payload: bytes) -> None:
    assert not asks_time(payload)
