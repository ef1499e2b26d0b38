# SPDX-License-Identifier: GPL-2.0-or-later
"""Passwords and their hashes: `scrypt$N$r$p$salt$hash`, salt and hash in hex (RFC 7914).

Costs stand in the hash, so that they can be raised. Slow on purpose: never call these on an event loop.
"""

import hashlib
import hmac
import secrets
import unicodedata

from smartrouter.core.errors import SmartrouterError, Unavailable

SHORTEST, LONGEST = 10, 256  # characters of a password
# OWASP's Password Storage Cheat Sheet has five equal settings; this is the one that takes 8 MiB.
_N, _R, _P = 2**13, 8, 10
_SALT, _LENGTH = 16, 32  # bytes
_MOST_MEMORY = 32 << 20  # bytes that a hash may ask for: whoever writes the configuration may err


class BadPassword(SmartrouterError):
    """This is not to be a password."""


def checked(password: str, again: str) -> str:
    """`password` if it can be one, typed twice. Raises BadPassword."""
    if password != again:
        raise BadPassword("The two are not the same: type it again.")
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadPassword(f"A password has from {SHORTEST} to {LONGEST} characters; some words do well.")
    if len(set(password)) < 4:
        raise BadPassword("That is too easy to guess: use more different characters.")
    return password


def hashed(password: str) -> str:
    """The hash of `password`, with a new salt."""
    salt = secrets.token_bytes(_SALT)
    return f"scrypt${_N}${_R}${_P}${salt.hex()}${_derived(password, salt, _N, _R, _P).hex()}"


def is_right(password: str, kept: str) -> bool:
    """Is `password` the one that `kept` is the hash of? False too for a hash that cannot be read. Raises
    Unavailable where there is no memory to tell."""
    try:
        name, n, r, p, salt, wanted = kept.split("$")
        costs = int(n), int(r), int(p)
        found = _derived(password, bytes.fromhex(salt), *costs)
        return name == "scrypt" and hmac.compare_digest(found, bytes.fromhex(wanted))
    except (ValueError, TypeError, OverflowError):
        return False


def _derived(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    # The same characters, however a keyboard puts them together.
    text = unicodedata.normalize("NFKC", password[:LONGEST]).encode(errors="surrogatepass")
    try:
        return hashlib.scrypt(text, salt=salt, n=n, r=r, p=p, maxmem=_MOST_MEMORY, dklen=_LENGTH)
    except (ValueError, MemoryError):
        # To OpenSSL a lack of memory and senseless costs are one; ours make sense.
        if (n, r, p) != (_N, _R, _P):
            raise ValueError("these costs cannot be met") from None
        raise Unavailable(
            "the router has too little memory at the moment to look at a password: try again soon"
        ) from None
