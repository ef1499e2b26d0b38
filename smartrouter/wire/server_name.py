# SPDX-License-Identifier: GPL-2.0-or-later
"""What server a client asks for in the first data of a flow: TLS or HTTP over TCP, or QUIC.

A name so found is the client's own word: a label, not a proof. After a BadPacket a stream is of no more
use. Knows no addresses and no clock; both streams are bounded, whatever they are fed.
"""

from typing import Literal, NamedTuple

from smartrouter.core.errors import BadPacket
from smartrouter.core.events import UDP
from smartrouter.wire.beginning import BOUND, Beginning
from smartrouter.wire.hello import HANDSHAKE, parse_message, parse_records
from smartrouter.wire.http import parse_request
from smartrouter.wire.packet import Packet
from smartrouter.wire.quic import Initial, Keys, Piece, client_keys, open_initial, split
from smartrouter.wire.sequence import distance, first_byte

_MAX_DATAGRAMS = 8  # three of a large hello, lost and sent twice


class ServerName(NamedTuple):
    """`name`: '' if none is said. `encrypted`, `protocols`: see hello.Hello; never of HTTP."""

    name: str
    encrypted: bool
    by: Literal["tls", "quic", "http"]
    protocols: tuple[str, ...] = ()


class ServerNameStream:
    """The client's side of one TCP connection."""

    __slots__ = ("_beginning", "_start")

    def __init__(self) -> None:
        self._beginning = Beginning()
        self._start = -1  # the first byte's sequence number; -1: nothing came yet

    def feed(self, sequence: int, data: bytes) -> ServerName | None:
        """Take a segment whose first byte has number `sequence` (a SYN counts as one); None: more is needed.
        The first segment fed, be it empty, says where the stream begins. Raises BadPacket when it is neither
        TLS nor HTTP, or too much came."""
        if self._start < 0:
            self._start = sequence
        if not data:
            return None
        self._beginning.add(distance(sequence, self._start), data)
        beginning = self._beginning.joined
        if beginning[:1] == bytes((HANDSHAKE,)):
            if hello := parse_records(beginning):
                return ServerName(hello.name, hello.encrypted, "tls", hello.protocols)
        elif (name := parse_request(beginning)) is not None:
            return ServerName(name, False, "http")
        if len(beginning) == BOUND:
            raise BadPacket("TLS hello too long")
        return None


class QuicStream:
    """The client's datagrams of one UDP flow."""

    __slots__ = ("_crypto", "_datagrams", "_keyed", "_keys")

    def __init__(self) -> None:
        self._crypto = Beginning()
        self._datagrams = 0
        self._keys: Keys | None = None
        self._keyed: tuple[int, bytes] = (0, b"")  # version and connection ID that the keys follow from

    def feed(self, datagram: bytes) -> ServerName | None:
        """Take what a UDP packet carries; None: more is needed. Raises BadPacket when it is not a client's
        Initial, or too much came."""
        self._datagrams += 1
        if self._datagrams > _MAX_DATAGRAMS:
            raise BadPacket("QUIC hello in too many datagrams")
        for initial in split(datagram):
            for piece in self._open(initial):
                self._crypto.add(piece.offset, piece.data)
        hello = parse_message(self._crypto.joined)
        return hello and ServerName(hello.name, hello.encrypted, "quic", hello.protocols)

    def _open(self, initial: Initial) -> list[Piece]:
        """The keys stay when the server has answered and the ID changes; a Retry changes both (RFC 9001
        section 5.2), and some clients then say another hello."""
        own = initial.version, initial.destination
        if self._keys is not None:
            try:
                return open_initial(initial, self._keys)
            except BadPacket:
                if own == self._keyed:
                    raise
        keys = client_keys(*own)
        pieces = open_initial(initial, keys)
        self._keys, self._keyed = keys, own
        self._crypto = Beginning()
        return pieces


class FirstData:
    """What the client says first in one flow, packet by packet, whichever of the two streams that is.
    `first`: the packet that opens the flow; it may hold data, which is to be fed like any other's."""

    __slots__ = ("_stream",)

    def __init__(self, first: Packet):
        self._stream: ServerNameStream | QuicStream
        if first.protocol == UDP:
            self._stream = QuicStream()
        else:
            self._stream = ServerNameStream()
            self._stream.feed(first_byte(first), b"")  # where it begins

    def feed(self, packet: Packet, data: bytes) -> ServerName | None:
        """Take a packet of the flow; `data`: the IP packet that `packet` tells of. None: more is needed. Data
        in which nobody can read a name says none. After an answer this is of no more use."""
        payload = data[packet.payload : packet.end]
        try:
            if isinstance(self._stream, QuicStream):
                return self._stream.feed(payload)
            return self._stream.feed(first_byte(packet), payload)
        except BadPacket:
            return _UNREADABLE


_UNREADABLE = ServerName("", False, "tls")
