# SPDX-License-Identifier: GPL-2.0-or-later
"""HMAC with SHA-256 (RFC 2104, FIPS 180-4), for what a QUIC Initial needs.

Python's `hmac` and `hashlib` would do, but load OpenSSL: 3.5 MiB of the guard's memory, for a few hashes of
a hundred bytes. Python has a SHA-256 of its own, which its `random` uses in the same manner.
"""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import sha256
elif sys.version_info >= (3, 12):
    try:
        from _sha2 import sha256
    except ImportError:  # a Python that was built without its own hashes
        from hashlib import sha256
else:
    try:
        from _sha256 import sha256
    except ImportError:
        from hashlib import sha256

_BLOCK = 64  # bytes
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


def digest(key: bytes, message: bytes) -> bytes:
    """The 32 bytes of the code of `message` under `key`. Only for keys of at most 64 bytes."""
    padded = key.ljust(_BLOCK, b"\0")
    inner = sha256(padded.translate(_INNER) + message).digest()
    return sha256(padded.translate(_OUTER) + inner).digest()
