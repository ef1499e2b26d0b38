# SPDX-License-Identifier: GPL-2.0-or-later
"""Pairs as elements of the table's sets: which set, what key, and the messages that change them.

Only encodes and decodes; `sets.py` sends. The packet path makes these messages by the thousand, so they
are put together from parts that are made once. Standard library only.
"""

import errno
import functools
import re
import socket
import struct
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple, TypeAlias

from smartrouter.core.effects import Block, Deny, Know, Pair, Unsettle
from smartrouter.core.events import Shortcut
from smartrouter.linux import nftables
from smartrouter.linux.netlink import CREATE, Message

PairChange: TypeAlias = Know | Block | Deny | Unsettle
WITH_PORTS = frozenset({6, 17, 33, 132, 136})  # TCP, UDP, DCCP, SCTP, UDP-Lite

_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_DEVICES = 1024  # MACs of which the key's bytes are kept
_KEY, _EXPIRATION = 1, 5  # NFTA_SET_ELEM_KEY, NFTA_SET_ELEM_EXPIRATION
_TIMEOUT_SIZE = 12  # bytes of the attribute NFTA_SET_ELEM_TIMEOUT: four before a number of eight
_LONGEST = 1 << 32  # seconds: beyond it the kernel's own arithmetic ends
_port = struct.Struct(">Hxx")
_timeout = struct.Struct(">Q")


class PairSet(NamedTuple):
    """One of the twelve sets, and the constant part of messages about an element of it."""

    name: str
    shortcut: Shortcut
    six: bool
    ports: bool
    lasting: bytes  # before the key, where a timeout follows it
    bare: bytes  # before the key, where nothing does
    adding: str  # what a message about it does, for an error's text
    taking: str
    blank: bytes  # a key of zeros


def _pair_set(shortcut: Shortcut, six: bool, ports: bool) -> PairSet:
    name = f"{shortcut}{'' if ports else '_portless'}{6 if six else 4}"
    key = bytes(8 + (16 if six else 4) + 4 + (4 if ports else 0))
    bare = nftables.add_element(name, key, "").body
    lasting = nftables.add_element(name, key, "", 1.0).body
    adding, taking = f"adding a pair to set {name}", f"taking a pair out of set {name}"
    return PairSet(
        name,
        shortcut,
        six,
        ports,
        lasting[: -len(key) - _TIMEOUT_SIZE],
        bare[: -len(key)],
        adding,
        taking,
        key,
    )


_SETS = {each: _pair_set(*each) for each in product(Shortcut, (False, True), (False, True))}
SETS = tuple(_SETS.values())
_BEFORE_TIMEOUT = nftables.add_element("", b"", "", 1.0).body[-_TIMEOUT_SIZE:-8]
_PUTS: dict[type[PairChange], Shortcut] = {
    Know: Shortcut.KNOWN,
    Block: Shortcut.BLOCKED,
    Deny: Shortcut.DENIED,
}
_ADD, _DELETE = nftables.add_element("", b"", "").kind, nftables.delete_element("", b"", "").kind


def mac_key(mac: str) -> bytes:
    """The six bytes of a MAC. Raises ValueError for anything else."""
    if not _MAC.fullmatch(mac):
        raise ValueError(f"not a MAC: {mac!r}")
    return bytes.fromhex(mac.replace(":", ""))


def encode(pair: Pair, shortcut: Shortcut) -> tuple[PairSet, bytes]:
    """The set that holds `pair` for `shortcut`, and its key there. Raises ValueError for what is no pair."""
    mac, address, protocol, port = pair
    six, ports = ":" in address, protocol in WITH_PORTS
    try:
        host = socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, address)
        key = _device(mac) + host + _PROTOCOLS[protocol]
        if ports:
            return _SETS[shortcut, six, True], key + _port.pack(port)
    except (OSError, IndexError, struct.error) as error:
        raise ValueError(f"not a pair: {pair}") from error
    if port or protocol < 0:
        raise ValueError(f"not a pair: {pair}")
    return _SETS[shortcut, six, False], key


def decode(pair_set: PairSet, key: bytes) -> Pair:
    """The pair that has this key in `pair_set`. Raises OSError for what is none."""
    family, end = (socket.AF_INET6, 24) if pair_set.six else (socket.AF_INET, 12)
    if len(key) != len(pair_set.blank):
        raise OSError(errno.EBADMSG, f"a key of {len(key)} bytes in set {pair_set.name}")
    port = int.from_bytes(key[end + 4 : end + 6], "big") if pair_set.ports else 0
    return Pair(key[:6].hex(":"), socket.inet_ntop(family, key[8:end]), key[end], port)


def subject(change: PairChange) -> tuple[Pair, Shortcut]:
    """The one membership that `change` is about."""
    return change.pair, change.was if isinstance(change, Unsettle) else _PUTS[type(change)]


def messages(change: PairChange) -> tuple[Message, ...]:
    """What carries `change` out. Raises ValueError for what is no pair.

    To take out what is not there would refuse a whole transaction, so that it is put in before. And an
    element's time only changes when it is taken out and put in again: older kernels (6.1) keep it otherwise.
    """
    pair_set, key = encode(*subject(change))
    if isinstance(change, Unsettle):
        return _removal(pair_set, key)
    milliseconds = max(1, round(min(change.seconds, _LONGEST) * 1000))
    body = pair_set.lasting + key + _BEFORE_TIMEOUT + _timeout.pack(milliseconds)
    addition = Message(_ADD, CREATE, nftables.FAMILY, body, pair_set.adding)
    if isinstance(change, Know) and change.again:
        return *_removal(pair_set, key), addition
    return (addition,)


def read(pair_set: PairSet, elements: Iterator[dict[int, bytes]]) -> Iterator[Pair]:
    """The pairs that the kernel listed of `pair_set`, but for those whose time is over."""
    for element in elements:
        if any(element.get(_EXPIRATION, b"\1")):
            yield decode(pair_set, element.get(_KEY, b"")[4:])


def _removal(pair_set: PairSet, key: bytes) -> tuple[Message, Message]:
    body = pair_set.bare + key
    return (
        Message(_ADD, CREATE, nftables.FAMILY, body, pair_set.taking),
        Message(_DELETE, 0, nftables.FAMILY, body, pair_set.taking),
    )


@functools.lru_cache(_DEVICES)
def _device(mac: str) -> bytes:
    return mac_key(mac) + bytes(2)


_PROTOCOLS = tuple(bytes((protocol, 0, 0, 0)) for protocol in range(256))
