# SPDX-License-Identifier: GPL-2.0-or-later
"""The first bytes of a stream, joined from pieces that come in any order, twice, or overlapping.

Two different texts for one place are refused: whoever sends them wants us to read another one than the
receiver. Knows nothing of what the bytes mean, nor what carried them.
"""

from heapq import heappop, heappush

from smartrouter.core.errors import BadPacket

BOUND = 16384  # bytes joined; a hello with post-quantum keys has 1,800, a request with cookies 8,000
MAX_PIECES = 64  # a browser cuts its hello into up to 10 pieces a datagram; and some come again
_MAX_TAKEN = 2 * BOUND  # bytes taken in all, repetitions too


class Beginning:
    """See the module. `joined`: the bytes from offset 0 on, without a gap; at most BOUND."""

    __slots__ = ("_early", "_pieces", "_taken", "joined")

    def __init__(self) -> None:
        self.joined = b""
        self._early: list[tuple[int, bytes]] = []  # a heap of (offset, piece)
        self._pieces = 0
        self._taken = 0

    def add(self, offset: int, data: bytes) -> None:
        """Take the bytes that stand at `offset`. What lies before 0 or beyond BOUND is dropped. Raises
        BadPacket for a contradiction, and when this goes on for too long."""
        before = max(0, -offset)
        piece = data[before : max(before, BOUND - offset)]
        self._pieces += 1
        self._taken += len(piece)
        if self._pieces > MAX_PIECES or self._taken > _MAX_TAKEN:
            raise BadPacket("beginning of a stream in too many pieces")
        heappush(self._early, (offset + before, piece))
        while self._early and self._early[0][0] <= len(self.joined):
            self._join(*heappop(self._early))

    def _join(self, offset: int, piece: bytes) -> None:
        known = self.joined[offset : offset + len(piece)]
        if not piece.startswith(known):
            raise BadPacket("beginning of a stream that contradicts itself")
        self.joined += piece[len(known) :]
