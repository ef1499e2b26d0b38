# SPDX-License-Identifier: GPL-2.0-or-later
"""One direction of a DNS connection over TCP (RFC 7766 section 8): segments in, whole messages out.

Segments may be cut anywhere, repeated, overlap, or come out of order. We are not the receiver: a segment
that we do not keep still reaches it, so what lies beyond our bound means only that we understand no more of
this connection. Bytes that were joined to the front stay, whatever comes again in their place. Knows no
addresses and no clock.
"""

from smartrouter.wire.sequence import CYCLE, distance

BOUND = 65536  # bytes held, and how far ahead a segment may lie: one whole message, RFC 7766 section 8
MAX_SEGMENTS = 64  # held because they came too early
_PREFIX = 2
_LEAST_MESSAGE = 12  # a DNS header


class TcpStream:
    """See the module. `is_dns`: False once something came that is no DNS message; nothing is said then."""

    __slots__ = ("_early", "_front", "_next", "is_dns")

    def __init__(self) -> None:
        self.is_dns = True
        self._next = -1  # the sequence number that continues what we have; -1: nothing came yet
        self._front = b""  # the beginning of a message
        self._early: dict[int, bytes] = {}  # sequence number -> segment

    def feed(self, sequence: int, payload: bytes) -> list[bytes]:
        """Take a segment whose first byte has number `sequence` (a SYN counts as one); gives the messages
        that it completes, without their length prefixes. The first segment fed, be it empty, says where
        the stream begins. Raises nothing."""
        if self._next < 0:
            self._next = sequence
        if not payload or not self.is_dns:
            return []
        behind = distance(self._next, sequence)
        if behind < 0:
            self._keep_early(sequence, payload, -behind)
            return []
        self._take(payload[behind:])
        for early in sorted(self._early, key=lambda number: distance(number, sequence)):
            behind = distance(self._next, early)
            if behind < 0:
                break
            self._take(self._early.pop(early)[behind:])
        messages = self._split()
        if self.held > BOUND:
            self._early.clear()
        return messages

    def _take(self, payload: bytes) -> None:
        self._front += payload
        self._next = (self._next + len(payload)) % CYCLE

    def _keep_early(self, sequence: int, payload: bytes, ahead: int) -> None:
        there = len(self._early.get(sequence, b""))
        fits = len(self._early) < MAX_SEGMENTS and self.held + len(payload) <= BOUND
        if fits and there < len(payload) and len(self._front) + ahead + len(payload) <= BOUND:
            self._early[sequence] = payload

    def _split(self) -> list[bytes]:
        """Take whole messages from the front of what is held."""
        front, at = self._front, 0
        messages = []
        while len(front) - at >= _PREFIX:
            size = front[at] << 8 | front[at + 1]
            if size < _LEAST_MESSAGE:
                self.is_dns = False
                self._early.clear()
                at = len(front)
                break
            after = at + _PREFIX + size
            if after > len(front):
                break
            messages.append(front[at + _PREFIX : after])
            at = after
        self._front = front[at:]
        return messages

    @property
    def held(self) -> int:
        """Bytes that are kept for what is still to come; never more than BOUND."""
        return len(self._front) + sum(map(len, self._early.values()))
