# SPDX-License-Identifier: GPL-2.0-or-later
"""The first message of a TLS client (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2) -> the name it says.

TLS 1.0 to 1.3; SSL 2's hello is refused, as every server does by now (RFC 6176). Knows nothing of TCP or
QUIC: takes the bytes from the first on, as many as came, and says when it needs more.
"""

from typing import NamedTuple

from smartrouter.core.errors import BadPacket
from smartrouter.wire.beginning import BOUND
from smartrouter.wire.cursor import Cursor
from smartrouter.wire.host_names import host_name

HANDSHAKE = 0x16  # the record type that a hello comes in, RFC 8446 section 5.1
_CLIENT_HELLO = 1
_RECORD_HEADER, _MESSAGE_HEADER = 5, 4
_MAX_RECORD = 16384  # RFC 8446 section 5.1
_MAX_RECORDS = 16  # of one hello; clients use one, some a second to get past bad middleboxes
_MAX_EXTENSIONS = 64  # browsers send about 18; some 70 are registered
_MAX_PROTOCOLS = 32

# https://www.iana.org/assignments/tls-extensiontype-values
_SERVER_NAME, _ALPN, _ECH = 0, 16, 0xFE0D
_ESNI = 0xFFCE  # what came before it: draft-ietf-tls-esni-06
_HOST_NAME = 0  # RFC 6066 section 3


class Hello(NamedTuple):
    """`name`: the server's, '' if none is said. `encrypted`: the client sent an encrypted hello, or what
    looks like one: some send noise in its place to everybody (GREASE, RFC 9849 section 6.2), and nobody but
    the server can tell. `name` may then be a mere façade, and counts for nothing.
    `protocols`: what is to be spoken inside (ALPN, RFC 7301), the client's favourite first."""

    name: str
    encrypted: bool
    protocols: tuple[str, ...]


def parse_records(beginning: bytes) -> Hello | None:
    """Read a hello from the first bytes of a TCP stream; None: more is needed. Raises BadPacket."""
    message = b""
    at = 0
    for _ in range(_MAX_RECORDS):
        header = beginning[at : at + _RECORD_HEADER]
        if (header and header[0] != HANDSHAKE) or header[1:2] not in (b"", b"\3"):
            raise BadPacket("not the record of a TLS hello")
        if len(header) < _RECORD_HEADER:
            return parse_message(message)
        size = int.from_bytes(header[3:], "big")
        if not 0 < size <= _MAX_RECORD:
            raise BadPacket("TLS record of a size that cannot be")
        at += _RECORD_HEADER
        message += beginning[at : at + size]
        at += size
        if (hello := parse_message(message)) is not None:
            return hello
    raise BadPacket("TLS hello in too many records")


def parse_message(beginning: bytes) -> Hello | None:
    """Read a hello from the first bytes of the handshake, without records, as QUIC carries it; None: more
    is needed. Raises BadPacket."""
    if beginning and beginning[0] != _CLIENT_HELLO:
        raise BadPacket("not the hello of a TLS client")
    if len(beginning) < _MESSAGE_HEADER:
        return None
    end = _MESSAGE_HEADER + int.from_bytes(beginning[1:_MESSAGE_HEADER], "big")
    if end > BOUND:
        raise BadPacket("TLS hello too long")
    if len(beginning) < end:
        return None
    return _parse_body(Cursor(beginning[:end], _MESSAGE_HEADER))


def _parse_body(body: Cursor) -> Hello:
    version, _random, session = body.number(2), body.take(32), body.vector(1)
    ciphers, compressions = body.vector(2), body.vector(1)
    if version >> 8 != 3 or len(session) > 32 or not ciphers or len(ciphers) % 2 or not compressions:
        raise BadPacket("TLS hello with a field that cannot be")
    if not body.left:  # TLS 1.0 and 1.1 knew no extensions
        return Hello("", False, ())
    found = _extensions(Cursor(body.vector(2)))
    if body.left:
        raise BadPacket("TLS hello with something behind it")
    return Hello(
        _server_name(found[_SERVER_NAME]) if _SERVER_NAME in found else "",
        _ECH in found or _ESNI in found,
        _protocols(found[_ALPN]) if _ALPN in found else (),
    )


def _extensions(cursor: Cursor) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while cursor.left:
        kind = cursor.number(2)
        if kind in found or len(found) == _MAX_EXTENSIONS:
            raise BadPacket("TLS hello with an extension twice, or too many")
        found[kind] = cursor.vector(2)
    return found


def _server_name(data: bytes) -> str:
    """RFC 6066 section 3: a list, of which only host names were ever defined, and one of them at most."""
    extension = Cursor(data)
    names = Cursor(extension.vector(2))
    if extension.left:
        raise BadPacket("TLS server name with something behind it")
    if not names.left:
        return ""
    kind, name = names.number(1), names.vector(2)
    if names.left:
        raise BadPacket("TLS hello with more than one server name")
    return host_name(name) if kind == _HOST_NAME else ""


def _protocols(data: bytes) -> tuple[str, ...]:
    extension = Cursor(data)
    listed = Cursor(extension.vector(2))
    found: list[str] = []
    while listed.left:
        name = listed.vector(1)
        if not name or len(found) == _MAX_PROTOCOLS:
            raise BadPacket("TLS hello with an empty protocol name, or too many")
        found.append(name.decode("ascii", "backslashreplace"))
    if extension.left:
        raise BadPacket("TLS protocol names with something behind them")
    return tuple(found)
