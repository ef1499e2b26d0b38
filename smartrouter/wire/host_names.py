# SPDX-License-Identifier: GPL-2.0-or-later
"""A host name that a client says in its first message, as the names that DNS told are spelt.

The client says what it likes: this settles only that it can be a host's name, not that it is one.
"""

from re import compile as regex

_HOST = regex(rb"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")  # `_`: no host's by RFC 952, but in use
_MAX_NAME = 253  # RFC 1035 section 2.3.4, as text
_NUMBER = regex(rb"[0-9]+|0x[0-9a-f]*")  # at the end of an IPv4 address, however it is written


def host_name(raw: bytes) -> str:
    """Lower case, without the final dot, A-labels as they are; '' for an address and for what is no host
    name at all."""
    name = raw.lower().removesuffix(b".")
    if len(name) > _MAX_NAME or not _HOST.fullmatch(name) or _NUMBER.fullmatch(name.rpartition(b".")[2]):
        return ""
    return name.decode("ascii")
