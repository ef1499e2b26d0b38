# SPDX-License-Identifier: GPL-2.0-or-later
"""Domain names on the wire (RFC 1035 sections 3.1 and 4.1.4) -> text.

The text is lower case, RFC 1035 presentation form, without the final dot ('' is the root). Knows nothing of
records. A hostile message can make each of its names long, and the way to it winding; so one name takes at
most 255 bytes and 16 pointers, and a message may hold only so many names that were not read before.
"""

from functools import lru_cache

from smartrouter.core.errors import BadPacket

MAX_NAMES = 256  # names in one message that were not read before; real replies hold a few dozen
_MAX_POINTERS = 16  # in one name; servers write one
_MAX_NAME = 255  # bytes with the root label, RFC 1035 section 2.3.4
_POINTER, _MAX_LABEL = 0xC0, 0x3F

# What presentation form escapes: its own special characters with a backslash, all that is not printable
# ASCII with three decimal digits (RFC 1035 section 5.1; RFC 4343 section 2.1).
_SPECIAL = rb'"().;\@$'
_PLAIN = bytes(sorted(set(range(0x21, 0x7F)) - set(_SPECIAL)))


def read_name(message: bytes, position: int, known: dict[int, str]) -> tuple[str, int]:
    """The name at `position`, and the offset behind it.

    `known` is the message's own, empty at first: offset -> name, for those offsets that a pointer may lead
    to. Names are to be read from front to back. Raises BadPacket, or IndexError where the message ends
    too early.
    """
    if (first := message[position]) >= _POINTER:  # how most owners are written
        name = known.get((first & 0x3F) << 8 | message[position + 1])
        if name is not None:
            return name, position + 2
    at = position
    while 0 < (length := message[at]) <= _MAX_LABEL:
        at += length + 1
    if length:
        return _read_winding_name(message, position, at, known)
    if at - position >= _MAX_NAME or len(known) >= MAX_NAMES:
        raise BadPacket("DNS name too long, or one of too many")
    name = known[position] = _spell(message[position:at])
    return name, at + 1


def _read_winding_name(message: bytes, position: int, at: int, known: dict[int, str]) -> tuple[str, int]:
    """A name whose labels from `position` on end in a pointer, at `at`."""
    after = at + 2
    # What is only a pointer is no place for another to lead to; where it leads is.
    key = position if at > position else (message[at] & 0x3F) << 8 | message[at + 1]
    raw = b""
    start, limit, pointers = position, len(message), 0
    while length := message[at]:
        target = (length & 0x3F) << 8 | message[at + 1]
        # A pointer leads backwards, and what it leads to ends before the part of the name that it ends.
        if length < _POINTER or target >= start or at + 2 > limit or pointers == _MAX_POINTERS:
            raise BadPacket("DNS name with a bad label or pointer, or too many of them")
        pointers += 1
        raw += message[start:at]
        start, limit, at = target, start, target
        while 0 < (length := message[at]) <= _MAX_LABEL:
            at += length + 1
    raw += message[start:at]
    if at >= limit or len(raw) >= _MAX_NAME or len(known) >= MAX_NAMES:
        raise BadPacket("DNS name without end, too long, or one of too many")
    # A name with all the pointers that are allowed is no target, but it counts.
    no_target = pointers == _MAX_POINTERS and key == position
    name = known[~key if no_target else key] = _spell(raw)
    return name, after


def read_plain_name(message: bytes, position: int, known: dict[int, str]) -> tuple[str, int]:
    """The same, where compression is forbidden (RFC 3597 section 4)."""
    at = position
    while 0 < (length := message[at]) <= _MAX_LABEL:
        at += length + 1
    if length or at - position >= _MAX_NAME or len(known) >= MAX_NAMES:
        raise BadPacket("DNS name compressed where it must not be, too long, or one of too many")
    name = known[position] = _spell(message[position:at])
    return name, at + 1


def labels_as_sent(message: bytes, position: int) -> list[bytes]:
    """The labels of the name at `position`, which must have been read there: upper case and all."""
    found = []
    while length := message[position]:
        if length >= _POINTER:
            position = (length & 0x3F) << 8 | message[position + 1]
            continue
        found.append(message[position + 1 : position + 1 + length])
        position += 1 + length
    return found


@lru_cache(maxsize=1024)
def _spell(labels: bytes) -> str:
    """Text of wire labels (each with its length before it, no root label), in lower case."""
    parts = []
    at = 0
    while at < len(labels):
        end = at + 1 + labels[at]
        parts.append(labels[at + 1 : end])
        at = end
    name = b".".join(parts)
    if name.translate(None, _PLAIN) == b"." * (len(parts) - 1):
        return name.decode("ascii").lower()
    return ".".join(["".join([_ESCAPED[byte] for byte in part]) for part in parts])


def _escaped(byte: int) -> str:
    if byte in _PLAIN:
        return chr(byte).lower()
    return "\\" + chr(byte) if byte in _SPECIAL else f"\\{byte:03d}"


_ESCAPED = [_escaped(byte) for byte in range(256)]
