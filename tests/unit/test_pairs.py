# SPDX-License-Identifier: GPL-2.0-or-later
"""Pairs as set elements: what is encoded is decoded, and messages of parts are what is made at length."""

import pytest

from smartrouter.core.effects import Know, Pair
from smartrouter.core.events import Shortcut
from smartrouter.linux import nftables, pairs
from smartrouter.linux.netlink import attribute, attributes, string

MAC = "02:00:00:ab:cd:ef"
PAIRS = [
    Pair(MAC, "192.0.2.1", 6, 443),
    Pair(MAC, "192.0.2.1", 136, 65535),
    Pair(MAC, "192.0.2.1", 1, 0),
    Pair(MAC, "2001:db8::1", 17, 0),
    Pair(MAC, "2001:db8::1", 58, 0),
    Pair(MAC, "::", 255, 0),
]


@pytest.mark.parametrize("shortcut", Shortcut)
@pytest.mark.parametrize("pair", PAIRS)
def test_what_is_encoded_is_decoded(pair: Pair, shortcut: Shortcut) -> None:
    pair_set, key = pairs.encode(pair, shortcut)
    assert pair_set.name.startswith(shortcut)
    assert pair_set.name.endswith("6" if ":" in pair.address else "4")
    assert ("portless" in pair_set.name) == (pair.protocol in (1, 58, 255))
    assert pairs.decode(pair_set, key) == pair


@pytest.mark.parametrize("pair", PAIRS)
def test_messages_of_parts_are_those_made_at_length(pair: Pair) -> None:
    pair_set, key = pairs.encode(pair, Shortcut.KNOWN)
    put, take, renewed = pairs.messages(Know(pair, 3600.0, again=True))
    assert put.body == nftables.add_element(pair_set.name, key, "").body
    assert take.body == nftables.delete_element(pair_set.name, key, "").body
    assert renewed.body == nftables.add_element(pair_set.name, key, "", 3600.0).body
    assert {message.kind for message in (put, renewed)} == {nftables.add_element("", key, "").kind}
    assert take.kind == nftables.delete_element("", key, "").kind


@pytest.mark.parametrize(
    ("seconds", "milliseconds"), [(0.0, 1), (-5.0, 1), (1.5, 1500), (1e30, 2**32 * 1000)]
)
def test_an_element_has_an_end_whatever_is_asked_for(seconds: float, milliseconds: int) -> None:
    """None at all would mean that it stays for ever."""
    (message,) = pairs.messages(Know(PAIRS[0], seconds))
    element = attributes(attributes(attributes(message.body)[3])[1])
    assert int.from_bytes(element[4], "big") == milliseconds


def test_there_are_twelve_sets() -> None:
    assert len({pair_set.name for pair_set in pairs.SETS}) == 12
    named = [string(attributes(pair_set.bare)[2]) for pair_set in pairs.SETS]
    assert named == [pair_set.name for pair_set in pairs.SETS]


def test_an_element_whose_time_is_over_is_not_read() -> None:
    pair_set, key = pairs.encode(PAIRS[0], Shortcut.KNOWN)
    listed = {1: attribute(1, key)}
    over, under = listed | {5: bytes(8)}, listed | {5: (1).to_bytes(8, "big")}
    assert list(pairs.read(pair_set, iter([over, under, listed]))) == [PAIRS[0], PAIRS[0]]


@pytest.mark.parametrize("cut", [0, 1, 40])
def test_an_element_without_a_whole_key_is_refused(cut: int) -> None:
    pair_set, key = pairs.encode(PAIRS[0], Shortcut.KNOWN)
    elements = [{1: attribute(1, key[:cut])}, {}] if cut else [{}]
    with pytest.raises(OSError, match="a key of"):
        list(pairs.read(pair_set, iter(elements)))
