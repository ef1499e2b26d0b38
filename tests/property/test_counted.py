# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections with counts: whatever the kernel can say is read back, whatever it cannot is refused."""

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st
from unit.made_counts import connection, packed

from smartrouter.core.events import Transfer
from smartrouter.guard.volume import Ledger
from smartrouter.linux.counted import Counted, read

MAC = "cc:44:63:ea:63:63"
ports = st.integers(0, 65535)
counts = st.tuples(st.integers(0, 2**40), st.integers(0, 2**62))
addresses4 = st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number)))
addresses6 = st.integers(2**64, 2**128 - 1).map(lambda number: str(IPv6Address(number)))
ends4, ends6 = (st.tuples(each, ports, each, ports) for each in (addresses4, addresses6))
ends = st.one_of(ends4, ends6).filter(lambda found: found[0] != found[2])
Figures = tuple[int, int, int, int]


@given(ends, st.sampled_from([6, 17]), counts, counts, st.integers(0, 2**32 - 1))
def test_what_a_kernel_says_is_read_back(
    found: tuple[str, int, str, int],
    protocol: int,
    sent: tuple[int, int],
    received: tuple[int, int],
    ident: int,
) -> None:
    source, _, destination, port = found
    item = connection(found, protocol=protocol, sent=sent, received=received, ident=ident)
    counted = read(item, {packed(source)})
    assert counted is not None
    assert (counted.device, counted.address) == (packed(source), packed(destination))
    assert (counted.protocol, counted.port, counted.inbound) == (protocol, port, False)
    assert counted[7:11] == (sent[1], received[1], sent[0], received[0])
    assert read(item, ()) is None


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1))
def test_no_bytes_make_it_fail_otherwise_than_it_says(item: bytes, address: int) -> None:
    with suppress(OSError):
        read(item, {address.to_bytes(4, "big")})


@given(ends, st.integers(0, 200), st.binary(min_size=1, max_size=8))
def test_no_damage_does_either(found: tuple[str, int, str, int], at: int, damage: bytes) -> None:
    item = bytearray(connection(found))
    at %= len(item)
    item[at : at + len(damage)] = damage
    with suppress(OSError):
        read(bytes(item), {packed(found[0])})


def counted(figures: Figures) -> Counted:
    return Counted(1, b"\x0a\0\0\1", b"\x0a\0\0\2", b"\x0a\0\0\2", 6, 443, False, *figures, False)


def plus(one: Figures, other: Figures) -> Figures:
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3])


steps = st.tuples(*[st.integers(0, 2**40)] * 4)


@given(st.lists(steps, max_size=10), steps, st.booleans())
def test_however_often_it_is_looked_at_a_connection_counts_once(
    looks: list[Figures], last: Figures, was_there: bool
) -> None:
    ledger = Ledger({1: (0, 0, 0, 0)} if was_there else {})
    sums: list[Transfer] = []
    *before, whole = accumulate((*looks, last), plus)
    for figures in before:
        ledger.looks()
        ledger.is_open(MAC, counted(figures))
        ledger.looked()
        sums += ledger.taken()
    ledger.has_ended(MAC, counted(whole))
    sums += ledger.taken()
    total = (0, 0, 0, 0)
    for each in sums:
        total = plus(total, each[5:9])
    assert total == whole
    assert sum(each.flows for each in sums) == (not was_there)
