# SPDX-License-Identifier: GPL-2.0-or-later
"""Replies of DNS that are broken, or lie, of every kind we know of, the same each time. Needs `tests` on the
path. Sends nothing.
"""

import random
import struct
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import NamedTuple, TypeAlias

from unit import made_messages as made
from unit.made_messages import (
    AAAA,
    ANY,
    CH,
    CNAME,
    DNAME,
    HTTPS,
    IN,
    MX,
    NONE,
    OPT,
    REPLY,
    SOA,
    SRV,
    SVCB,
    TO_QUESTION,
    TRUNCATED,
    TSIG,
    TXT,
    UPDATE,
    A,
    message,
    name,
    parameters,
    question,
    record,
)  # fmt: skip

from fuzz.mutation import mutations

_STRANGER = b"\xcb\0\x71\x42"  # 203.0.113.66
_NASTY = (
    b"\0", b".", b"\\", b"'\"", b"<script>alert(1)</script>", b"\x1b[2J", b"\xff\xfe", "ÿü☃".encode(),
    b"$(id)", b"%n%s", b"a b", b"\r\n\r\n", b"=cmd|' /C", b"../..", b"}; flush", b"\xe2\x80\xae",
)  # fmt: skip


class Bad(NamedTuple):
    """A reply to the question `ident` for `name`."""

    kind: str
    name: str
    ident: int
    message: bytes


class Asked(NamedTuple):
    """What a reply is made for: a question, with a source of chance."""

    chance: random.Random
    name: str
    ident: int

    def answered(self, *records: bytes, flags: int = REPLY | 0x180, ident: int | None = None) -> bytes:
        """A reply that is right but for its records."""
        return message(
            [question(self.name)], records, flags=flags, ident=self.ident if ident is None else ident
        )

    def told(self, owner: bytes | str = TO_QUESTION, ttl: int = 60) -> bytes:
        """A record with an address."""
        return record(owner, A, _STRANGER, ttl=ttl)

    def counting(self, body: bytes, *counts: int, flags: int = REPLY | 0x180) -> bytes:
        """A message that says so many of questions, answers, authorities and additionals."""
        return struct.pack("!6H", self.ident, flags, *counts) + body


Kind: TypeAlias = Callable[[Asked], bytes]


def _pointer(to: int) -> bytes:
    return struct.pack("!H", 0xC000 | to & 0x3FFF)


# -- names -------------------------------------------------------------------------------------------------


def loops(to: Asked) -> bytes:
    """Pointers to themselves, to each other, and to what comes behind them."""
    here = 12 + len(question(to.name))
    owner = to.chance.choice(
        (_pointer(here), b"\1a" + _pointer(here), _pointer(here + 16), _pointer(here + 1), _pointer(0x3FFF))
    )
    return to.answered(to.told(owner), to.told(_pointer(here)))


def loop_in_question(to: Asked) -> bytes:
    body = to.chance.choice((b"\xc0\x0c", b"\1a\xc0\x0c", b"\xc0\x0e\xc0\x0c", b"\xc0\0")) + b"\0\1\0\1"
    return to.counting(body + to.told(), 1, 1, 0, 0)


def long_chain(to: Asked) -> bytes:
    """A pointer to a pointer to a pointer …"""
    start = 12 + len(question(to.name)) + 11
    links = to.chance.choice((2, 16, 127, 200, 600))
    chain = b"\1x\0" + b"".join(_pointer(start + max(0, 3 + 2 * (number - 1))) for number in range(links))
    owner = _pointer(start + 3 + 2 * (links - 1))
    return to.answered(record("", 65400, chain), to.told(owner))


def long_name(to: Asked) -> bytes:
    labels = to.chance.choice((127, 128, 140, 255))
    return to.answered(
        record(b"\1a" * labels + b"\0", A, _STRANGER), record(b"\x3f" + b"a" * 63 + TO_QUESTION, A, _STRANGER)
    )


def odd_label(to: Asked) -> bytes:
    """Lengths that are none: reserved bits, beyond the end, half a pointer."""
    label = bytes([to.chance.choice((0x40, 0x41, 0x80, 0xBF, 0x3F, 0xC0))]) + to.chance.randbytes(
        to.chance.randrange(9)
    )
    return to.answered(to.told(label + b"\0"))


def nasty_text(to: Asked) -> bytes:
    """Well-formed, with what would do harm where it is shown."""
    label = to.chance.choice(_NASTY)
    owner = bytes([len(label)]) + label + TO_QUESTION
    return to.answered(
        record(TO_QUESTION, CNAME, owner),
        to.told(owner),
        record(TO_QUESTION, TXT, bytes([len(label)]) + label),
    )


# -- counts and lengths ------------------------------------------------------------------------------------


def wrong_counts(to: Asked) -> bytes:
    counts = [to.chance.choice((0, 1, 2, 3, 255, 65535)) for _ in range(4)]
    return to.counting(question(to.name) + to.told() + to.told(), *counts)


def wrong_length(to: Asked) -> bytes:
    """Of a record's data."""
    kind, size = to.chance.choice((A, AAAA, CNAME, SOA, MX, SRV, TXT, OPT)), to.chance.randrange(24)
    claimed = to.chance.choice((0, 1, 3, 5, 15, 17, 255, 65535))
    head = TO_QUESTION + struct.pack("!HHIH", kind, IN, 60, claimed)
    return to.counting(question(to.name) + head + to.chance.randbytes(size), 1, 1, 0, 0)


def huge_data(to: Asked) -> bytes:
    size = to.chance.choice((1000, 1300, 3900))
    return to.answered(record(TO_QUESTION, to.chance.choice((TXT, A, CNAME, 65400, SVCB)), bytes(size)))


def many_records(to: Asked) -> bytes:
    return to.answered(*[to.told()] * to.chance.choice((50, 80, 240)))


def trailing(to: Asked) -> bytes:
    return to.answered(to.told()) + to.chance.randbytes(to.chance.randint(1, 300))


def cut(to: Asked) -> bytes:
    whole = to.answered(record(TO_QUESTION, CNAME, name("a.example")), to.told("a.example"))
    return whole[: to.chance.randrange(len(whole))]


def any_bytes(to: Asked) -> bytes:
    return struct.pack("!H", to.ident) + to.chance.randbytes(
        to.chance.choice((0, 1, 9, 10, 11, 40, 500, 1400))
    )


def any_data(to: Asked) -> bytes:
    """Records of every type, with data that fits none."""
    kinds = [to.chance.choice((to.chance.randrange(300), to.chance.randrange(65536))) for _ in range(4)]
    return to.answered(
        *(record(TO_QUESTION, kind, to.chance.randbytes(to.chance.randrange(40))) for kind in kinds)
    )


def bent(to: Asked) -> bytes:
    """Right ones, changed blindly."""
    right = to.answered(record(TO_QUESTION, CNAME, b"\4edge" + TO_QUESTION), to.told(b"\4edge" + TO_QUESTION))
    return next(mutations([right, to.answered(to.told())], to.chance.randrange(1 << 30)))


# -- what is not to be believed ----------------------------------------------------------------------------


def wrong_class(to: Asked) -> bytes:
    klass = to.chance.choice((0, CH, 4, NONE, ANY, 0x8001, 65535))
    kind = to.chance.choice((A, AAAA, CNAME, HTTPS))
    return message(
        [question(to.name, klass=to.chance.choice((IN, klass)))],
        [record(TO_QUESTION, kind, _STRANGER, klass)],
        flags=REPLY,
        ident=to.ident,
    )


def another_question(to: Asked) -> bytes:
    other = to.chance.choice(
        (question("other.example"), question(to.name, AAAA), question(to.name.upper(), 255), b"")
    )
    asked = [other] if other else []
    if to.chance.random() < 0.3:
        asked.append(question(to.name))
    return message(asked, [record(to.name, A, _STRANGER)], flags=REPLY, ident=to.ident)


def another_reply(to: Asked) -> bytes:
    """Another number; no reply at all; other operations, codes and bits."""
    flags = to.chance.choice(
        (
            0,
            0x0100,
            REPLY | 0x40,
            REPLY | 3,
            REPLY | 2,
            REPLY | TRUNCATED,
            REPLY | 4 << 11,
            REPLY | UPDATE,
            REPLY | 6 << 11,
            0xFFFF,
        )
    )
    return to.answered(to.told(), flags=flags, ident=to.ident ^ to.chance.choice((0, 0, 1, 0xFFFF)))


def strangers(to: Asked) -> bytes:
    """Addresses for names that nobody asked for, in every section."""
    owner = to.chance.choice(("bank.example", "", "cloud.maker.example", "com", "x." + to.name))
    glue = [record(owner, A, _STRANGER)]
    return message([question(to.name)], glue, [record("", 2, name(owner))], glue, flags=REPLY, ident=to.ident)


def addresses_inside(to: Asked) -> bytes:
    """Public names for addresses that are none of the Internet's."""
    inside = to.chance.choice(
        ("127.0.0.1", "192.168.77.1", "10.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "169.254.1.1")
    )
    mapped = bytes(10) + b"\xff\xff" + made.ipv4(inside)
    return to.answered(record(TO_QUESTION, A, made.ipv4(inside)), record(TO_QUESTION, AAAA, mapped))


def endless_aliases(to: Asked) -> bytes:
    """In a circle, in a long row, of a whole domain onto itself."""
    links = to.chance.choice((1, 2, 20, 60))
    row = [f"c{number}.example" for number in range(links)]
    circle = [record(each, CNAME, name(row[(at + 1) % links])) for at, each in enumerate(row)]
    first = record(TO_QUESTION, CNAME, name(row[0]))
    return to.answered(first, *circle, record("example", DNAME, name("b.example")), to.told(row[-1]))


def odd_times(to: Asked) -> bytes:
    return to.answered(to.told(ttl=to.chance.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF))))


# -- what has a format of its own --------------------------------------------------------------------------


def bad_service(to: Asked) -> bytes:
    """SVCB and HTTPS: parameters out of order, twice, cut, of no size; that ask for themselves."""
    hints = to.chance.choice(
        (
            parameters((4, _STRANGER[:3])),
            parameters((4, b"")),
            parameters((6, bytes(15))),
            parameters((4, _STRANGER), (4, _STRANGER)),
            parameters((6, bytes(16)), (4, _STRANGER)),
            parameters((0, b"\0\0")),
            parameters((0, b"\0\4\0\1"), (1, b"\2h2"), (4, _STRANGER)),
            parameters((1, b"\xffh2")),
            parameters((1, b"")),
            parameters((3, b"\1")),
            parameters((65535, b"x")),
            b"\0\4\xff\xff" + _STRANGER,
            b"\0\4",
            to.chance.randbytes(12),
        )
    )
    priority, target = (
        to.chance.choice((0, 1, 65535)),
        to.chance.choice((b"\0", TO_QUESTION, b"\1a\xc0\x0c", name(to.name))),
    )
    kind = to.chance.choice((SVCB, HTTPS))
    return to.answered(record(TO_QUESTION, kind, struct.pack("!H", priority) + target + hints), to.told())


def bad_options(to: Asked) -> bytes:
    """EDNS: twice, with a name, in a wrong place, options that run over, versions that there are not."""
    size, upper = to.chance.choice((0, 512, 65535)), to.chance.choice((0, 1 << 16, 0xFF000000, 0xFFFFFFFF))
    data = to.chance.choice(
        (b"", b"\0\x08\0\x07\0\1\x20\0" + _STRANGER, b"\0\x0a\xff\xff", b"\0\x0a\0", to.chance.randbytes(20))
    )
    options = record(to.chance.choice(("", "a")), OPT, data, size, upper)
    place = to.chance.choice((0, 1, 2, 2))
    found = [[options] * to.chance.choice((1, 2)) if at == place else [] for at in range(3)]
    return message(
        [question(to.name)], [to.told(), *found[0]], found[1], found[2], flags=REPLY, ident=to.ident
    )


def other_business(to: Asked) -> bytes:
    """Signed, an update, a transfer, a session (RFC 8490)."""
    body = to.chance.choice(
        (
            record("key", TSIG, bytes(30), ANY, 0),
            record(TO_QUESTION, SOA, bytes(22)),
            record("", 250, b"", ANY),
        )
    )
    flags = to.chance.choice((REPLY, REPLY | UPDATE, REPLY | 4 << 11, REPLY | 6 << 11))
    kind = to.chance.choice((SOA, 251, 252, 255))
    return message([question(to.name, kind)], [to.told()], [], [body], flags=flags, ident=to.ident)


KINDS: tuple[Kind, ...] = (
    loops, loop_in_question, long_chain, long_name, odd_label, nasty_text, wrong_counts, wrong_length,
    huge_data, many_records, trailing, cut, any_bytes, any_data, bent, wrong_class, another_question,
    another_reply, strangers, addresses_inside, endless_aliases, odd_times, bad_service, bad_options,
    other_business,
)  # fmt: skip


def bad_replies(domain: str, seed: int = 1) -> Iterator[Bad]:
    """Replies without an end, of each kind in turn, each to the question for another name below `domain`; the
    same for the same arguments."""
    chance = random.Random(seed)
    for number, kind in enumerate(cycle(KINDS)):
        asked = Asked(chance, f"n{number}.{domain}", number & 0xFFFF)
        yield Bad(kind.__name__, asked.name, asked.ident, kind(asked))


def in_pieces(messages: Iterator[bytes], seed: int = 1) -> Iterator[list[bytes]]:
    """The same as TCP would bring them, some with lengths that are not theirs: the segments of one each."""
    chance = random.Random(seed)
    for each in messages:
        claimed = chance.choice((len(each),) * 4 + (0, 1, len(each) + 1, max(0, len(each) - 1), 65535))
        data = struct.pack("!H", claimed) + each
        size = chance.choice((1, 2, 3, 17, 100, 1400))
        yield [data[at : at + size] for at in range(0, min(len(data), 40 * size), size)]
