# SPDX-License-Identifier: GPL-2.0-or-later
"""The first packets of a QUIC client (RFC 9000, RFC 9001; version 2: RFC 9369) -> the TLS bytes they carry.

An Initial is sealed with keys that follow from what stands open in it: against damage, not against readers.
Whoever is on the way can make a valid one. Knows nothing of a flow, nor what the TLS bytes say.
"""

from re import compile as regex
from typing import NamedTuple

from smartrouter.core.errors import BadPacket
from smartrouter.wire.aes import Aes128
from smartrouter.wire.cursor import Cursor
from smartrouter.wire.hmac_sha256 import digest

_LEAST_DATAGRAM = 1200  # a server discards less, RFC 9000 section 14.1
_MAX_DATAGRAM = 2048  # clients keep within an Ethernet frame before they know better
_MAX_INITIALS = 4  # in one datagram; clients send one, beside packets of other kinds
_MAX_FRAMES = 128  # in one packet; browsers shuffle some 40
_MAX_RANGES = 32  # in one ACK; of a handful of packets
_MAX_ID = 20  # bytes, RFC 9000 section 17.2
_LONG = 0x80  # bit of a header that says its version
_VERSION = 4  # bytes
_SAMPLE = 16

# Frames that an Initial may hold, RFC 9000 section 12.4
_IDLE = regex(rb"[\0\1]*")  # PADDING and PING
_ACK, _ACK_ECN, _CRYPTO, _CLOSE = 2, 3, 6, 0x1C


class _Version(NamedTuple):
    initial: int  # the types of packets, as they stand in the first byte
    retry: int
    salt: bytes
    label: bytes  # of keys


_VERSIONS = {
    1: _Version(0, 3, bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"), b"quic "),
    0x6B3343CF: _Version(1, 0, bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"), b"quicv2 "),
}


class Initial(NamedTuple):
    """A sealed Initial. `destination`: the connection ID it is sent to. `number`: offset in `packet` of
    the packet number."""

    version: int
    destination: bytes
    packet: bytes
    number: int


class Keys(NamedTuple):
    """What a client's Initials are sealed with."""

    text: Aes128
    nonce: bytes
    header: Aes128


class Piece(NamedTuple):
    """Bytes of the TLS handshake, and where they stand in it."""

    offset: int
    data: bytes


def split(datagram: bytes) -> list[Initial]:
    """The Initials of a datagram; packets of other kinds are passed over, as is what follows a packet that
    does not say its length. Raises BadPacket if it does not begin with a packet of a version that we know
    (so for version negotiation, and for any short header), or is of a size that no client sends."""
    if not _LEAST_DATAGRAM <= len(datagram) <= _MAX_DATAGRAM:
        raise BadPacket("datagram too short or too long for the first of a QUIC client")
    found: list[Initial] = []
    cursor = Cursor(datagram)
    while cursor.left > _VERSION and len(found) < _MAX_INITIALS:
        start = cursor.at
        first, number = cursor.number(1), cursor.number(_VERSION)
        version = _VERSIONS.get(number)
        if not first & _LONG or version is None:
            if start:
                break  # a packet of a later stage, or padding (RFC 9000 section 12.2)
            raise BadPacket("not the first packet of a QUIC client, or of an unknown version")
        kind = first >> 4 & 3
        destination, source = cursor.vector(1), cursor.vector(1)
        if len(destination) > _MAX_ID or len(source) > _MAX_ID:
            raise BadPacket("QUIC connection ID too long")
        if kind == version.retry:
            break
        if kind == version.initial:
            cursor.take(cursor.varint())  # the token
        size = cursor.varint()
        offset = cursor.at - start
        cursor.take(size)
        if kind == version.initial:
            found.append(Initial(number, destination, datagram[start : cursor.at], offset))
    return found


def client_keys(version: int, destination: bytes) -> Keys:
    """The keys of a client whose first Initial went to `destination` (RFC 9001 section 5.2)."""
    salt, label = _VERSIONS[version].salt, _VERSIONS[version].label
    secret = _expand(digest(salt, destination), b"client in", 32)
    return Keys(
        Aes128(_expand(secret, label + b"key", 16)),
        _expand(secret, label + b"iv", 12),
        Aes128(_expand(secret, label + b"hp", 16)),
    )


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446 section 7.1, RFC 5869 section 2.3) of at most one hash's length."""
    label = b"tls13 " + label
    info = size.to_bytes(2, "big") + len(label).to_bytes(1, "big") + label + b"\0"
    return digest(secret, info + b"\1")[:size]


def open_initial(initial: Initial, keys: Keys) -> list[Piece]:
    """What an Initial carries of the handshake. Raises BadPacket if it was sealed with other keys, or holds
    what it must not."""
    packet, at = initial.packet, initial.number
    sample = packet[at + 4 : at + 4 + _SAMPLE]  # as if the number had 4 bytes, RFC 9001 section 5.4.2
    if len(sample) < _SAMPLE:
        raise BadPacket("QUIC Initial too short")
    mask = keys.header.encrypt(sample)
    first = packet[0] ^ mask[0] & 0x0F
    end = at + 1 + (first & 3)
    number = bytes(byte ^ hidden for byte, hidden in zip(packet[at:end], mask[1:], strict=False))
    header = bytes((first,)) + packet[1:at] + number
    nonce = int.from_bytes(keys.nonce, "big") ^ int.from_bytes(number, "big")
    return _pieces(keys.text.open(nonce.to_bytes(12, "big"), header, packet[end:]))


def _pieces(payload: bytes) -> list[Piece]:
    found: list[Piece] = []
    cursor = Cursor(payload)
    for _ in range(_MAX_FRAMES):
        if not cursor.left:
            return found
        kind = cursor.number(1)
        if kind <= 1:
            idle = _IDLE.match(payload, cursor.at)
            cursor.at = idle.end() if idle else cursor.at
        elif kind in (_ACK, _ACK_ECN):
            _largest, _delay, ranges, _first = (cursor.varint() for _ in range(4))
            if ranges > _MAX_RANGES:
                raise BadPacket("QUIC Initial that acknowledges more than was sent")
            for _ in range(2 * ranges + (3 if kind == _ACK_ECN else 0)):
                cursor.varint()
        elif kind == _CRYPTO:
            offset = cursor.varint()
            found.append(Piece(offset, cursor.take(cursor.varint())))
        elif kind == _CLOSE:
            _error, _frame = cursor.varint(), cursor.varint()
            cursor.take(cursor.varint())
        else:
            raise BadPacket("QUIC Initial with a frame that it must not hold")
    raise BadPacket("QUIC Initial with too many frames")
