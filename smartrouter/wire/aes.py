# SPDX-License-Identifier: GPL-2.0-or-later
"""AES-128 and its Galois/Counter Mode (FIPS 197, NIST SP 800-38D), as far as opening a QUIC Initial needs.

Only for keys that everybody knows: the time taken depends on them. Works on all blocks at once, which is
what makes it fast enough in Python: the state is sixteen *planes*, one for each byte of a block, and a plane
holds that byte of every block. A table of bytes is then one `translate`, an addition in the field one XOR
of long integers, a shift of rows a new order of the planes. Planes stand in row order: byte 4c + r of a
block is plane 4r + c.
"""

from smartrouter.core.errors import BadPacket

TAG = 16  # bytes
_BLOCK = 16
_MAX_BLOCKS = 256  # the counter is kept in one byte: two blocks of our own, 254 of the message
_ROUNDS = 10
_ORDER = [4 * column + row for row in range(4) for column in range(4)]
_TURNED = [(0, 4), (5, 8), (4, 5), (10, 12), (8, 10), (15, 16), (12, 15)]  # runs of planes after ShiftRows


def _double(byte: int) -> int:
    return byte << 1 ^ (0x11B if byte & 0x80 else 0)


def _substitution() -> bytes:
    """The S-box (FIPS 197 section 5.1.1): the inverse in the field, then an affine map."""
    box = bytearray(256)
    powers, byte = [], 1
    for _ in range(255):  # 3 generates all that has an inverse
        powers.append(byte)
        byte ^= _double(byte)
    for exponent, byte in enumerate(powers):
        inverse = powers[-exponent % 255] * 0x101  # twice in a row: a rotation is a shift
        box[byte] = (inverse ^ inverse >> 4 ^ inverse >> 5 ^ inverse >> 6 ^ inverse >> 7) & 0xFF ^ 0x63
    box[0] = 0x63
    return bytes(box)


_SUBSTITUTION = _substitution()


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


class Aes128:
    """One key of 16 bytes."""

    __slots__ = ("_round_keys",)

    def __init__(self, key: bytes) -> None:
        words = [key[at : at + 4] for at in range(0, _BLOCK, 4)]
        constant = 1
        while len(words) < 4 * (_ROUNDS + 1):  # FIPS 197 section 5.2
            word = words[-1]
            if len(words) % 4 == 0:
                word = (word[1:] + word[:1]).translate(_SUBSTITUTION)
                word = bytes((word[0] ^ constant,)) + word[1:]
                constant = _double(constant)
            words.append((_number(words[-4]) ^ _number(word)).to_bytes(4, "little"))
        self._round_keys = [b"".join(words[at : at + 4]) for at in range(0, len(words), 4)]

    def encrypt(self, block: bytes) -> bytes:
        """One block by itself."""
        return self._encrypt([block[at : at + 1] for at in range(_BLOCK)])

    def open(self, nonce: bytes, associated: bytes, sealed: bytes) -> bytes:
        """What `sealed` holds: a text and its tag, which also covers `associated`. `nonce`: 12 bytes.
        Raises BadPacket when the tag is another's, or the text longer than 4,064 bytes."""
        text, tag = sealed[:-TAG], sealed[-TAG:]
        count = 2 + -(-len(text) // _BLOCK)
        if len(tag) < TAG or count > _MAX_BLOCKS:
            raise BadPacket("sealed text too short or too long")
        # Block 0 is all zeros, for the hash's key; block 1 masks the tag; the others mask the text.
        planes = [b"\0" + byte * (count - 1) for byte in (nonce[at : at + 1] for at in range(12))]
        stream = self._encrypt([*planes, *[bytes(count)] * 3, bytes(range(count))])
        sizes = (8 * len(associated)).to_bytes(8, "big") + (8 * len(text)).to_bytes(8, "big")
        hashed = _hash(stream[:_BLOCK], _whole_blocks(associated) + _whole_blocks(text) + sizes)
        if _exclusive_or(hashed, stream[_BLOCK : 2 * _BLOCK]) != tag:
            raise BadPacket("sealed with another key, or damaged")
        return _exclusive_or(text, stream[2 * _BLOCK :][: len(text)])

    def _encrypt(self, columns: list[bytes]) -> bytes:
        """Blocks, encrypted one by one. `columns`: their first bytes, their second bytes, and so on."""
        count = len(columns[0])
        size, row = _BLOCK * count, 4 * count
        each = b"".join([bytes((byte,)) * count for byte in _ORDER])
        keys = [_number(each.translate(key.ljust(256))) for key in self._round_keys]
        ones = _number(b"\1" * size)
        low_bits = ones * 0x7F
        turned = [slice(start * count, end * count) for start, end in _TURNED]
        one_row, two_rows = (1 << 8 * row) - 1, (1 << 16 * row) - 1
        state = _number(b"".join([columns[byte] for byte in _ORDER])) ^ keys[0]
        for number, key in enumerate(keys[1:], 1):
            # SubBytes, then ShiftRows: row r begins with its plane r.
            planes = state.to_bytes(size, "little").translate(_SUBSTITUTION)
            state = _number(b"".join([planes[part] for part in turned]))
            if number == _ROUNDS:
                break  # the last goes without MixColumns
            # MixColumns: 2a + 3b + c + d = 2(a + b) + b + (c + d), where b, c, d are the rows below a.
            below = state >> 8 * row | (state & one_row) << 24 * row
            pair = state ^ below
            doubled = (pair & low_bits) << 1 ^ (pair >> 7 & ones) * 0x1B
            state = doubled ^ below ^ (pair >> 16 * row | (pair & two_rows) << 16 * row) ^ key
        final = (state ^ keys[-1]).to_bytes(size, "little")
        blocks = bytearray(size)
        for plane, byte in enumerate(_ORDER):
            blocks[byte::_BLOCK] = final[plane * count : (plane + 1) * count]
        return bytes(blocks)


# Polynomials over two elements, for GHASH: a byte for each coefficient, x^0 first. So an ordinary
# multiplication of two such integers adds up at most 128 ones in a byte and nothing is carried into the
# next; what is odd there is one in the product.
_COEFFICIENTS = 128
_DIGITS = bytes(digit == ord("1") for digit in range(256))
_ODD = _number(b"\1" * (2 * _COEFFICIENTS))
_FIELD = (1 << 8 * _COEFFICIENTS) - 1


def _spread(data: bytes) -> bytes:
    """A byte for each bit, the highest bit of each byte first, as GCM counts them."""
    return format(int.from_bytes(b"\1" + data, "big"), "b")[1:].encode().translate(_DIGITS)


def _hash(key: bytes, data: bytes) -> bytes:
    """GHASH (NIST SP 800-38D section 6.4): the sum of all blocks times falling powers of the key."""
    factor, bits = _number(_spread(key)), _spread(data)
    total = 0
    for at in range(0, len(bits), _COEFFICIENTS):
        product = (total ^ _number(bits[at : at + _COEFFICIENTS])) * factor & _ODD
        # x^128 = x^7 + x^2 + x + 1. The upper half's own last seven come round twice.
        upper = product >> 8 * _COEFFICIENTS
        upper ^= upper >> 8 * 127 ^ upper >> 8 * 126 ^ upper >> 8 * 121
        total = (product ^ upper ^ upper << 8 ^ upper << 16 ^ upper << 56) & _FIELD
    text = total.to_bytes(_COEFFICIENTS, "little").translate(bytes((ord("0"), ord("1"))) + bytes(254))
    return int(text, 2).to_bytes(_BLOCK, "big")


def _whole_blocks(data: bytes) -> bytes:
    return data + bytes(-len(data) % _BLOCK)


def _exclusive_or(one: bytes, other: bytes) -> bytes:
    return (_number(one) ^ _number(other)).to_bytes(len(one), "little")
