# SPDX-License-Identifier: GPL-2.0-or-later
"""What programs use the API with: `sr_…`, kept in the configuration as `name:scopes:hash`.

A token is random, so a plain hash keeps it as safe as a slow one would.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import NamedTuple

_PREFIX = "sr_"
_LENGTH = 32  # bytes


class Token(NamedTuple):
    """One token as it is kept."""

    name: str
    scopes: frozenset[str]
    digest: str


def made(name: str, scopes: Iterable[str]) -> tuple[str, str]:
    """A new token: what its user gets, and what is kept of it."""
    secret = _PREFIX + secrets.token_urlsafe(_LENGTH)
    return secret, f"{name}:{','.join(sorted(scopes))}:{_digest(secret)}"


def read(kept: Iterable[str]) -> list[Token]:
    """The tokens that the configuration has."""
    parts = (text.split(":") for text in kept)
    return [Token(name, frozenset(scopes.split(",")), digest) for name, scopes, digest in parts]


def find(secret: str, known: Iterable[Token]) -> Token | None:
    """The token that `secret` is; None if none. Takes as long either way."""
    digest = _digest(secret)
    matching = [token for token in known if hmac.compare_digest(token.digest, digest)]
    return matching[0] if matching else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
