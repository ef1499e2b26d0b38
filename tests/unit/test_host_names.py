# SPDX-License-Identifier: GPL-2.0-or-later
"""Host names as clients say them."""

import pytest

from smartrouter.core.names import normalise
from smartrouter.wire.host_names import host_name

LONG = b".".join([b"a" * 63] * 3 + [b"b" * 61])


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"www.example.com", "www.example.com"),
        (b"WWW.Example.COM.", "www.example.com"),
        (b"xn--bcher-kva.example", "xn--bcher-kva.example"),
        (b"_dev-1.example", "_dev-1.example"),
        (b"hub", "hub"),
        (b"4.example", "4.example"),
        (LONG, LONG.decode()),
    ],
)
def test_a_name_is_spelt_as_dns_told_it(raw: bytes, name: str) -> None:
    assert host_name(raw) == name
    assert normalise(name) == name


@pytest.mark.parametrize(
    "raw",
    [
        b"", b".", b"..", b"a..b", b".a", b"a.b..", b"203.0.113.7", b"203.0.113.7.", b"2001:db8::7",
        b"[2001:db8::7]", b"0x7f.1", b"127.0x1", b"3405803783", b"a.0x", b"a b.example", b"a\0.example",
        b"evil.example\0.good.example", b"b\xfccher.example", b"a/b", b"user@example.com", b"a\n",
        b"*.example", b"a" * 64 + b".example", b"c" + LONG, b"a." * 200,
    ],
)  # fmt: skip
def test_what_is_no_host_name_is_none(raw: bytes) -> None:
    assert host_name(raw) == ""
