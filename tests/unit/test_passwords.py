# SPDX-License-Identifier: GPL-2.0-or-later
"""Passwords: what may be one, and what is kept of it."""

import hashlib

import pytest

from smartrouter.config.options import HASH
from smartrouter.core.errors import Unavailable
from smartrouter.web.passwords import BadPassword, checked, hashed, is_right

GOOD = "correct horse battery"


def test_what_is_kept_is_scrypt_with_its_costs_and_another_salt_each_time() -> None:
    one, other = hashed(GOOD), hashed(GOOD)
    assert one != other
    name, n, r, p, salt, digest = one.split("$")
    assert (name, n, r, p) == ("scrypt", "8192", "8", "10")
    again = hashlib.scrypt(GOOD.encode(), salt=bytes.fromhex(salt), n=8192, r=8, p=10, dklen=32)
    assert again.hex() == digest
    assert HASH.read(one) == one
    assert GOOD not in one


def test_only_the_password_is_right() -> None:
    kept = hashed(GOOD)
    assert is_right(GOOD, kept)
    assert not is_right(GOOD + "!", kept)
    assert not is_right("", kept)


def test_a_password_is_the_same_however_a_keyboard_puts_its_letters_together() -> None:
    assert is_right("schlu\u0308ssel-wort", hashed("schl\u00fcssel-wort"))


@pytest.mark.parametrize(
    "kept",
    ["", "scrypt$", "scrypt$x", "scrypt$1$1$1$zz$zz", "scrypt$16777216$8$1$00$00", "scrypt$8192$8$10$00",
     "bcrypt$8192$8$10$00$00", "scrypt$-8$8$1$00$00", "scrypt$8192$8$10$$"],
)  # fmt: skip
def test_a_hash_that_cannot_be_read_lets_nobody_in(kept: str) -> None:
    assert not is_right(GOOD, kept)
    assert not is_right("", kept)


@pytest.mark.parametrize(
    ("password", "again", "says"),
    [
        (GOOD, GOOD + " ", "not the same"),
        ("short", "short", "from 10 to 256"),
        ("x" * 257, "x" * 257, "from 10 to 256"),
        ("ababababababab", "ababababababab", "easy to guess"),
    ],
    ids=["another the second time", "too short", "too long", "two letters"],
)
def test_what_is_no_password_is_refused(password: str, again: str, says: str) -> None:
    with pytest.raises(BadPassword, match=says):
        checked(password, again)


def test_words_with_spaces_are_a_password() -> None:
    assert checked(GOOD, GOOD) == GOOD


def test_a_lack_of_memory_is_no_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the library both are a ValueError; who has typed the right one is not to be told otherwise."""
    kept = hashed(GOOD)

    def starved(*_: object, **__: object) -> bytes:
        raise ValueError("[digital envelope routines] malloc failure")

    monkeypatch.setattr("hashlib.scrypt", starved)
    with pytest.raises(Unavailable, match="too little memory"):
        is_right(GOOD, kept)
    with pytest.raises(Unavailable, match="too little memory"):
        hashed(GOOD)
    assert not is_right(GOOD, "scrypt$1073741824$8$1$00$00")  # nobody has so much
