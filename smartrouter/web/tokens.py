# SPDX-License-Identifier: GPL-2.0-or-later
"""Tokens by which programs use the API: what they look like, what of them is kept, and who has one.

A token is `smr_` and 256 random bits; of it the configuration keeps `NAME:SCOPES:HASH`, with scopes between
commas and the SHA-256 of the whole token in hexadecimal. So many random bits can be neither guessed nor found
from their hash: a slow hash, as for passwords, would only make each request slow.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import NamedTuple

from smartrouter.core.errors import BadConfig

PREFIX = "smr_"  # so that a token is known for one where it should not be, as in a log
_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_HASH = re.compile(r"[0-9a-f]{64}")
_ALLOWED = (
    "a token is kept as NAME:SCOPES:HASH, with a name of at most 32 letters, digits and the signs _.- (the "
    "first is a letter or a digit), and some of the scopes read, decide, configure and metrics, with commas "
    "between them"
)


class Scope(StrEnum):
    """What somebody may do. Each is for itself: none includes another."""

    READ = "read"  # see everything but secrets
    DECIDE = "decide"  # about alerts and destinations: allow, deny, dismiss, forget
    CONFIGURE = "configure"  # settings, devices, the mode, a pause
    METRICS = "metrics"  # figures for a monitoring system, no names


MEANINGS = {
    Scope.READ: "see devices, alerts, attempts, rules and settings",
    Scope.DECIDE: "allow and deny, dismiss alerts, have devices forget",
    Scope.CONFIGURE: "change settings, devices and the mode, pause",
    Scope.METRICS: "read figures for monitoring",
}


class Token(NamedTuple):
    """What is kept of a token. `digest`: SHA-256 in hexadecimal."""

    name: str
    scopes: frozenset[str]
    digest: str


def made(name: str, scopes: Collection[str]) -> tuple[str, str]:
    """A new token: what its user gets, once, and what is kept of it. Raises BadConfig."""
    secret = PREFIX + secrets.token_urlsafe(_BYTES)
    kept = f"{name}:{','.join(scope for scope in Scope if scope in scopes)}:{_digest(secret)}"
    if set(scopes) != _read(kept).scopes:
        raise BadConfig(_ALLOWED)
    return secret, kept


def read(kept: Iterable[str]) -> list[Token]:
    """The tokens that the configuration has. Raises BadConfig, which shows none."""
    return [_read(text) for text in kept]


def find(secret: str, known: Iterable[Token]) -> Token | None:
    """The token that `secret` is; None if none. Takes as long for a wrong one, whatever is wrong with it."""
    digest = _digest(secret)
    matching = [token for token in known if hmac.compare_digest(token.digest, digest)]
    return matching[0] if matching else None


def _read(text: str) -> Token:
    name, _, rest = text.partition(":")
    scopes, _, digest = rest.partition(":")
    found = frozenset(scopes.split(","))
    if not (_NAME.fullmatch(name) and _HASH.fullmatch(digest) and found <= set(Scope)):
        raise BadConfig(_ALLOWED)
    return Token(name, found, digest)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
