# SPDX-License-Identifier: GPL-2.0-or-later
"""AES against the standards' examples and against OpenSSL."""

import random
from collections.abc import Callable

import pytest
from counting import steps
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from smartrouter.core.errors import BadPacket
from smartrouter.wire.aes import Aes128


@pytest.mark.parametrize(
    ("key", "block", "encrypted"),
    [
        # FIPS 197 appendix B and C.1; RFC 9001 appendix A.2 (header protection)
        (
            "2b7e151628aed2a6abf7158809cf4f3c",
            "3243f6a8885a308d313198a2e0370734",
            "3925841d02dc09fbdc118597196a0b32",
        ),
        (
            "000102030405060708090a0b0c0d0e0f",
            "00112233445566778899aabbccddeeff",
            "69c4e0d86a7b0430d8cdb78070b4c55a",
        ),
        ("9f50449e04a0e810283a1e9933adedd2", "d1b1c98dd7689fb8ec11d242b123dc9b", "437b9aec36"),
    ],
)
def test_blocks_are_encrypted_as_the_standard_says(key: str, block: str, encrypted: str) -> None:
    got = Aes128(bytes.fromhex(key)).encrypt(bytes.fromhex(block))
    assert got.hex().startswith(encrypted)


# The first four examples of McGrew and Viega's specification of GCM
KEY, NONCE = "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888"
TEXT = (
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
)
SEALED = (
    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
    "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985"
)


@pytest.mark.parametrize(
    ("key", "nonce", "associated", "text", "sealed"),
    [
        ("00" * 16, "00" * 12, "", "", "58e2fccefa7e3061367f1d57a4e7455a"),
        (
            "00" * 16,
            "00" * 12,
            "",
            "00" * 16,
            "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf",
        ),
        (KEY, NONCE, "", TEXT, SEALED + "4d5c2af327cd64a62cf35abd2ba6fab4"),
        (
            KEY,
            NONCE,
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            TEXT[:120],
            SEALED[:120] + "5bc94fbc3221a5db94fae95ae7121a47",
        ),
    ],
)
def test_sealed_texts_are_opened_as_the_standard_says(
    key: str, nonce: str, associated: str, text: str, sealed: str
) -> None:
    opened = Aes128(bytes.fromhex(key)).open(
        bytes.fromhex(nonce), bytes.fromhex(associated), bytes.fromhex(sealed)
    )
    assert opened.hex() == text


def test_any_text_of_any_length_is_as_openssl_has_it(rounds: Callable[[int], int]) -> None:
    chance = random.Random(5)
    lengths = [*range(50), 1200, 1452, 4063, 4064]
    for length in lengths * rounds(1):
        key, nonce, block = chance.randbytes(16), chance.randbytes(12), chance.randbytes(16)
        associated, text = chance.randbytes(chance.randrange(60)), chance.randbytes(length)
        sealed = AESGCM(key).encrypt(nonce, text, associated)
        ours = Aes128(key)
        assert ours.open(nonce, associated, sealed) == text
        assert ours.encrypt(block) == Cipher(AES(key), ECB()).encryptor().update(block)


def test_no_bit_may_be_another() -> None:
    key, nonce, associated = bytes(16), bytes(12), b"header"
    sealed = AESGCM(key).encrypt(nonce, b"a text of some length", associated)
    ours = Aes128(key)
    for at in range(8 * len(sealed)):
        bent = bytearray(sealed)
        bent[at // 8] ^= 1 << at % 8
        with pytest.raises(BadPacket, match="another key, or damaged"):
            ours.open(nonce, associated, bytes(bent))
    with pytest.raises(BadPacket):
        ours.open(nonce, b"Header", sealed)
    with pytest.raises(BadPacket):
        ours.open(b"\1" + nonce[1:], associated, sealed)


@pytest.mark.parametrize("length", [0, 1, 15, 4064 + 17, 65535])
def test_too_little_and_too_much_are_refused(length: int) -> None:
    with pytest.raises(BadPacket, match="too short or too long"):
        Aes128(bytes(16)).open(bytes(12), b"", bytes(length))


def test_a_packet_costs_little_more_than_a_block() -> None:
    sealed = AESGCM(bytes(16)).encrypt(bytes(12), bytes(1200), b"")
    assert steps(lambda: Aes128(bytes(16)).open(bytes(12), b"", sealed)) < 1200
