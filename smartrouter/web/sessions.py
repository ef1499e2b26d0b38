# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is logged in. A session lives here; the browser has only its random name, and what is kept of it on
disk (`ledger`) is the hash of that. Times are seconds since the epoch.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

IDLE = 12 * 3600.0  # seconds without a request after which a session ends,
ABSOLUTE = 7 * 86400.0  # … and after which it ends in any case
MOST = 64  # sessions; the one that was not used for longest goes
_TOUCH = 60.0  # seconds between two notes of a session's use
_SECRET = 32  # bytes
_FLASHES = 4


class Flash(NamedTuple):
    """A message for the next page. `kind`: good, bad or plain. `undo`: what takes back what was done (a path
    to post to, and its fields), None if nothing does."""

    text: str
    kind: str = "good"
    undo: tuple[str, dict[str, str]] | None = None


@dataclass(slots=True)
class Session:
    """One browser's."""

    key: str  # hash of its name
    csrf: bytes
    created: float
    seen: float
    source: str  # address that logged in
    agent: str
    flashes: list[Flash] = field(default_factory=list)

    def tell(self, flash: Flash) -> None:
        """Have the next page say that."""
        self.flashes = [*self.flashes, flash][-_FLASHES:]

    def told(self) -> list[Flash]:
        """What is to be said now, once."""
        flashes, self.flashes = self.flashes, []
        return flashes


class User(NamedTuple):
    """Who makes a request. `name`: as in `by` (`web:admin`); `session`: None for a token."""

    name: str
    scopes: frozenset[str]
    session: Session | None


class Sessions:
    """All of them, by key."""

    def __init__(self, kept: Iterable[Session] = ()):
        self._sessions = {session.key: session for session in kept}

    def open(self, source: str, agent: str, now: float) -> tuple[str, Session]:
        """A new session, and its name for the cookie."""
        name = secrets.token_urlsafe(_SECRET)
        session = Session(key_of(name), secrets.token_bytes(_SECRET), now, now, source, agent[:200])
        self._sessions[session.key] = session
        while len(self._sessions) > MOST:
            del self._sessions[min(self._sessions.values(), key=lambda one: one.seen).key]
        return name, session

    def find(self, name: str, now: float) -> Session | None:
        """The session that a cookie names, if it has not ended; None if there is none."""
        session = self._sessions.get(key_of(name)) if len(name) <= 100 else None
        if session is None:
            return None
        if not is_alive(session, now):
            self.close(session.key)
            return None
        if abs(now - session.seen) >= _TOUCH:
            session.seen = now
        return session

    def has(self, key: str) -> bool:
        """Has nobody ended this one?"""
        return key in self._sessions

    def close(self, key: str) -> Session | None:
        """End one; gives it, if there was one."""
        return self._sessions.pop(key, None)

    def close_all(self, but: str = "") -> None:
        """Log everybody out, but for the session with that key."""
        self._sessions = {key: one for key, one in self._sessions.items() if key == but}

    def all(self, now: float) -> list[Session]:
        """Those that live, the one used last first."""
        alive = [session for session in self._sessions.values() if is_alive(session, now)]
        return sorted(alive, key=lambda session: -session.seen)


def is_alive(session: Session, now: float) -> bool:
    """A clock that went back by more than a session's whole life ends it, too."""
    return abs(now - session.seen) < IDLE and abs(now - session.created) < ABSOLUTE


def key_of(name: str) -> str:
    """What a session is kept as. A name is random: a plain hash does."""
    return hashlib.sha256(name.encode(errors="replace")).hexdigest()


def masked(secret: bytes) -> str:
    """`secret` as another text each time, so that a page's compressed size tells nothing of it (BREACH)."""
    mask = secrets.token_bytes(len(secret))
    return (mask + _xor(mask, secret)).hex()


def is_masked(given: str, secret: bytes) -> bool:
    """Is `given` what `masked(secret)` once gave?"""
    try:
        both = bytes.fromhex(given)
    except ValueError:
        return False
    half = len(secret)
    return half > 0 and len(both) == 2 * half and hmac.compare_digest(_xor(both[:half], both[half:]), secret)


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
