# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading bytes from front to back: numbers, and fields that say their own length.

Whatever ends too early is a BadPacket. For messages that are read now and then, not for each packet.
"""

from smartrouter.core.errors import BadPacket


class Cursor:
    """A place in `data`, which moves behind what is read. `at`: its offset."""

    __slots__ = ("_data", "at")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self.at = at

    @property
    def left(self) -> int:
        """Bytes that were not read."""
        return len(self._data) - self.at

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > self.left:
            raise BadPacket("message ends too early")
        self.at += count
        return self._data[self.at - count : self.at]

    def number(self, size: int) -> int:
        """A number of `size` bytes in network order."""
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """What follows a length of `size` bytes (RFC 8446 section 3.4)."""
        return self.take(self.number(size))

    def varint(self) -> int:
        """A number that says its own size (RFC 9000 section 16)."""
        first = self.number(1)
        rest = (1 << (first >> 6)) - 1
        return (first & 0x3F) << 8 * rest | self.number(rest)
