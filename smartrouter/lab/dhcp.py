# SPDX-License-Identifier: GPL-2.0-or-later
"""A tiny DHCP client, for simulated devices that get their address as real ones do (RFC 2131, RFC 2132).

Works on a UDP socket that belongs to the device; putting the address on an interface is the caller's.
"""

import secrets
import socket
import struct
from collections.abc import Sequence
from time import monotonic
from typing import NamedTuple

SOCKET = (socket.AF_INET, socket.SOCK_DGRAM)
_DISCOVER, _OFFER, _REQUEST, _ACK = 1, 2, 3, 5
_COOKIE = b"\x63\x82\x53\x63"
_HEADER = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")  # RFC 2131 section 2, without options
_BROADCAST = 0x8000  # "answer by broadcast: I have no address yet"
WANTED = (1, 3, 6, 12, 15, 28, 42)  # the list that a third of real devices send
_TRY_AFTER = 1.0  # seconds without an answer until the question is repeated


class Lease(NamedTuple):
    """What the server granted. `seconds`: for how long."""

    address: str
    prefix: int
    router: str
    resolver: str
    server: str
    seconds: int


class Offer(NamedTuple):
    """One message of a server: its kind (option 53), the address it offers, its options by number."""

    kind: int
    address: str
    options: dict[int, bytes]


def obtain(
    sock: socket.socket,
    interface: str,
    mac: str,
    hostname: str,
    vendor: str,
    wanted: Sequence[int] = WANTED,
    timeout: float = 20.0,
) -> Lease:
    """Discover, request and get a lease on `interface`. Raises TimeoutError. `vendor`: option 60; `wanted`:
    option 55."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.bind(("", 68))
    ident = secrets.randbits(32)
    about_me = {12: hostname.encode(), 55: bytes(wanted), 60: vendor.encode()}
    end = monotonic() + timeout
    offer = _ask(sock, ident, mac, _DISCOVER, about_me, _OFFER, end)
    this_one = {50: socket.inet_aton(offer.address), 54: offer.options[54]}
    granted = _ask(sock, ident, mac, _REQUEST, this_one | about_me, _ACK, end)
    return _lease(granted)


def message(ident: int, mac: str, kind: int, options: dict[int, bytes]) -> bytes:
    """A client's DHCP message."""
    none = bytes(4)
    hardware = bytes.fromhex(mac.replace(":", ""))
    header = _HEADER.pack(1, 1, 6, 0, ident, 0, _BROADCAST, none, none, none, none, hardware, b"", b"")
    body = b"".join(
        bytes([number, len(value)]) + value
        for number, value in ({53: bytes([kind])} | options).items()
        if value
    )
    return header + _COOKIE + body + b"\xff"


def read(reply: bytes, ident: int) -> Offer | None:
    """A server's message, or None where it is not an answer to `ident`."""
    if len(reply) < _HEADER.size + 4 or reply[0] != 2 or struct.unpack_from("!I", reply, 4)[0] != ident:
        return None
    options: dict[int, bytes] = {}
    at = _HEADER.size + 4
    while at + 1 < len(reply) and reply[at] != 255:
        if reply[at] == 0:
            at += 1
            continue
        length = reply[at + 1]
        options[reply[at]] = reply[at + 2 : at + 2 + length]
        at += 2 + length
    return Offer(options.get(53, b"\0")[0], socket.inet_ntoa(reply[16:20]), options)


def _ask(
    sock: socket.socket, ident: int, mac: str, kind: int, options: dict[int, bytes], wanted: int, end: float
) -> Offer:
    while monotonic() < end:
        sock.sendto(message(ident, mac, kind, options), ("255.255.255.255", 67))
        repeat = monotonic() + _TRY_AFTER
        while (left := repeat - monotonic()) > 0:
            sock.settimeout(left)
            try:
                offer = read(sock.recv(2048), ident)
            except TimeoutError:
                break
            if offer and offer.kind == wanted:
                return offer
    raise TimeoutError(f"no DHCP server answered {mac}")


def _lease(granted: Offer) -> Lease:
    options = granted.options

    def address(number: int) -> str:
        value = options.get(number, b"")
        return socket.inet_ntoa(value[:4]) if len(value) >= 4 else ""

    return Lease(
        address=granted.address,
        prefix=int.from_bytes(options[1]).bit_count(),
        router=address(3),
        resolver=address(6),
        server=address(54),
        seconds=int.from_bytes(options.get(51, b"")),
    )
