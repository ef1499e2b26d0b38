# SPDX-License-Identifier: GPL-2.0-or-later
"""An engine of our own, for tests (the same inputs each time) and where atheris is not to be had: it changes
seeds blindly, as it does not see which code an input reaches.
"""

import random
from collections.abc import Iterator, Sequence

_TELLING = (
    0,
    1,
    0x7F,
    0x80,
    0xC0,
    0xFF,
)  # bytes at which lengths, signs and pointers turn into something else
_MOST_CHANGES = 6
_LONGEST_COPY = 64


def mutations(seeds: Sequence[bytes], seed: int = 1) -> Iterator[bytes]:
    """Inputs without an end, each made of one of `seeds` or of two; the same for the same `seed`."""
    chance = random.Random(seed)
    while True:
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, _MOST_CHANGES)):
            _change(data, chance, seeds)
        yield bytes(data)


def _change(data: bytearray, chance: random.Random, seeds: Sequence[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    match chance.randrange(10):
        case 0 | 1 if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        case 2 if at < len(data):
            data[at] = chance.choice(_TELLING)
        case 3 if at < len(data):
            data[at] = (data[at] + chance.choice((-2, -1, 1, 2))) % 256
        case 4:
            del data[at : at + chance.randint(1, 8)]
        case 5:
            del data[at:]
        case 6:
            data[at:at] = chance.randbytes(chance.randint(1, 8))
        case 7:
            start = chance.randrange(len(data) + 1)
            data[at:at] = data[start : start + chance.randint(1, _LONGEST_COPY)]
        case 8:
            other = chance.choice(seeds)
            data[at:] = other[chance.randrange(len(other) + 1) :]
        case _:
            size = chance.choice((2, 4))
            number = chance.choice((0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, len(data), 0xC00C))
            data[at : at + size] = (number % (1 << 8 * size)).to_bytes(size, chance.choice(("big", "little")))
