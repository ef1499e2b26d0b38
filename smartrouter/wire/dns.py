# SPDX-License-Identifier: GPL-2.0-or-later
"""DNS messages (RFC 1035 section 4) -> what a judge needs of them.

Strict: a message of which any part breaks its own format, in whatever section, is refused as a whole; what
is well-formed here is what is so for dnspython. Refused on top is more than any reply that names hosts holds
(work must stay bounded), and what is signed with TSIG (nobody here has the key). Knows nothing of
packets, of who asked, or of what may be believed.
"""

import struct

from smartrouter.core.errors import BadPacket
from smartrouter.core.events import Alias, Query, Question, Reply, Told
from smartrouter.core.names import is_below
from smartrouter.wire.dns_edns import check_options
from smartrouter.wire.dns_names import read_name, read_plain_name
from smartrouter.wire.dns_records import check_record
from smartrouter.wire.dns_svcb import read_service
from smartrouter.wire.inet import ipv4, ipv6

MAX_MESSAGE = 32768  # bytes; half of what TCP could carry
MAX_RECORDS = 1024  # questions included
MAX_ADDRESSES = 1024  # of which a record may hold many
_MAX_HOPS = 16
_NO_LABELS = b"\x41\x41"  # of a type that there is not (RFC 6891 section 5), so no name leads there

_HEADER = struct.Struct("!6H")  # id, flags, and the counts of the four sections
_RECORD = struct.Struct("!HHIH")  # type, class, TTL, length of the data
_POINTED_RECORD = struct.Struct("!HHHIH")  # the same, and a pointer before it
_QUESTION = struct.Struct("!HH")
_TRUNCATED, _OPCODE, _RCODE = 0x0200, 0x7800, 0x000F
_UPDATE = 5 << 11
_A, _CNAME, _SOA, _AAAA, _DNAME, _OPT, _SVCB, _HTTPS, _TSIG = 1, 5, 6, 28, 39, 41, 64, 65, 250
_NAMING = {_DNAME, _SVCB, _HTTPS}
_ADDITIONAL_ONLY = {_OPT, _TSIG}
_IN, _NONE, _ANY = 1, 254, 255  # classes
_ANSWER, _AUTHORITY, _ADDITIONAL = 1, 2, 3
_tuple = tuple.__new__  # makes a NamedTuple in half the time; for those made by the handful
_MAX_TTL = 0x7FFFFFFF  # greater ones count as 0, RFC 2181 section 8


def parse_reply(message: bytes) -> Reply:
    """Read a DNS message with QR set. Raises BadPacket, and nothing else, whatever `message` holds."""
    try:
        if not message[2] & 0x80:
            raise BadPacket("DNS query where a reply is expected")
        return _Reader(message).read()
    except (IndexError, struct.error):
        raise BadPacket("DNS message ends too early") from None


def parse_any(rest: bytes) -> Reply | None:
    """Read a reply from behind its identifier on, which is the one thing in which equal answers to several
    queries differ; what the result has for one means nothing. None if it is no reply, or if a name leads to
    the identifier, so that it must be read with that."""
    try:
        return parse_reply(_NO_LABELS + rest)
    except BadPacket:
        return None


def parse_any_query(rest: bytes) -> Question | None:
    """Read a query likewise: what it asks."""
    try:
        return parse_query(_NO_LABELS + rest).question
    except BadPacket:
        return None


def parse_query(message: bytes) -> Query:
    """Read a DNS message with QR clear and one question. Raises BadPacket, and nothing else."""
    try:
        if message[2] & 0x80:
            raise BadPacket("DNS reply where a query is expected")
        read = _Reader(message).read()
    except (IndexError, struct.error):
        raise BadPacket("DNS message ends too early") from None
    if len(read.questions) != 1:
        raise BadPacket(f"DNS query with {len(read.questions)} questions")
    return Query(read.ident, read.questions[0])


class _Reader:
    """One message as it is being read, from front to back."""

    __slots__ = ("_addresses", "_aliases", "_known", "_message", "_position", "_rcode", "_renamed")

    def __init__(self, message: bytes):
        self._message = message
        self._position = _HEADER.size
        self._known: dict[int, str] = {}  # see `read_name`
        self._rcode = 0
        self._aliases: list[Alias] = []
        self._addresses: list[Told] = []
        self._renamed: list[Alias] = []  # what DNAME records say of all names below `owner`

    def read(self) -> Reply:
        ident, flags, asked, answers, authorities, additionals = _HEADER.unpack_from(self._message)
        if len(self._message) > MAX_MESSAGE or asked + answers + authorities + additionals > MAX_RECORDS:
            raise BadPacket("DNS message too long, or with too many records")
        questions = (
            (self._read_question(),) if asked == 1 else tuple([self._read_question() for _ in range(asked)])
        )
        self._rcode = flags & _RCODE
        zone = _zone(questions) if flags & _OPCODE == _UPDATE else None
        if answers and zone is None:
            self._read_answers(answers)
        elif answers:
            self._check_section(_ANSWER, answers, zone)
        if authorities:
            self._check_section(_AUTHORITY, authorities, zone)
        if additionals:
            self._check_section(_ADDITIONAL, additionals, zone)
        if self._position != len(self._message):
            raise BadPacket("DNS message followed by something else")
        if self._renamed and len(questions) == 1:
            self._synthesise(questions[0].name)
        return _tuple(
            Reply,
            (
                ident, (flags & _OPCODE) >> 11, self._rcode, flags & _TRUNCATED != 0, questions,
                tuple(self._aliases), tuple(self._addresses),
            ),
        )  # fmt: skip

    def _read_question(self) -> Question:
        name, position = read_name(self._message, self._position, self._known)
        kind, klass = _QUESTION.unpack_from(self._message, position)
        self._position = position + _QUESTION.size
        return _tuple(Question, (name, kind, klass))

    def _read_answers(self, count: int) -> None:
        message, known, position = self._message, self._known, self._position
        aliases, addresses, size = self._aliases, self._addresses, len(message)
        for _ in range(count):
            owner = None
            if message[position] >= 0xC0:  # usually its owner is a pointer to a name that was read already
                pointer, kind, klass, ttl, length = _POINTED_RECORD.unpack_from(message, position)
                owner = known.get(pointer & 0x3FFF)
            if owner is None:
                owner, position = read_name(message, position, known)
                kind, klass, ttl, length = _RECORD.unpack_from(message, position)
                position += _RECORD.size
            else:
                position += _POINTED_RECORD.size
            end = position + length
            if end > size:
                raise BadPacket("DNS record overruns its message")
            if ttl > _MAX_TTL:
                ttl = 0
            if kind == _A and klass == _IN and length == 4:
                addresses.append(_tuple(Told, (owner, ipv4(message[position:end]), ttl)))
            elif kind == _AAAA and klass == _IN and length == 16:
                addresses.append(_tuple(Told, (owner, ipv6(message[position:end]), ttl)))
            elif kind == _CNAME and klass == _IN:
                target, after = read_name(message, position, known)
                if after != end:
                    raise BadPacket("DNS name does not fill its record, or overruns it")
                aliases.append(_tuple(Alias, (owner, target, ttl)))
            elif kind in _NAMING and klass == _IN:
                self._read_naming(kind, owner, ttl, position, end)
            elif kind in _ADDITIONAL_ONLY:
                raise BadPacket("DNS record that may only stand in the additional section")
            else:
                check_record(message, kind, klass, position, end, known)
            position = end
        self._position = position

    def _read_naming(self, kind: int, owner: str, ttl: int, position: int, end: int) -> None:
        """A record that gives its owner another name, or addresses in passing."""
        message, known = self._message, self._known
        after = end
        if kind == _DNAME:
            target, after = read_plain_name(message, position, known)
            self._renamed.append(Alias(owner, target, ttl))
        else:
            service = read_service(message, position, end, known)
            if service.alias and service.target:
                self._aliases.append(Alias(owner, service.target, ttl))
            if len(self._addresses) + len(service.ipv4) // 4 + len(service.ipv6) // 16 > MAX_ADDRESSES:
                raise BadPacket("DNS message with too many addresses")
            self._addresses += [Told(owner, address, ttl) for address in service.hints()]
        if after != end:
            raise BadPacket("DNS name does not fill its record, or overruns it")

    def _check_section(self, section: int, count: int, zone: int | None) -> None:
        """Read records that tell us nothing, but must be well-formed."""
        message, known, position = self._message, self._known, self._position
        has_options = False
        for _ in range(count):
            owner, position = read_name(message, position, known)
            kind, klass, ttl, length = _RECORD.unpack_from(message, position)
            position += _RECORD.size
            end = position + length
            if end > len(message):
                raise BadPacket("DNS record overruns its message")
            if kind == _OPT:
                if section != _ADDITIONAL or owner or has_options:
                    raise BadPacket("DNS options in a wrong place, or twice")
                has_options = True
                self._rcode |= ttl >> 20 & 0xFF0  # its upper bits, RFC 6891 section 6.1.3
            elif kind == _TSIG:
                raise BadPacket("DNS message signed with a key that nobody here has")
            if zone is not None and kind != _OPT:
                klass = _class_of_data(klass, zone, section)
            if kind == _OPT:
                check_options(message, position, end, known)
            elif klass is not None:
                check_record(message, kind, klass, position, end, known)
            elif length:
                raise BadPacket("DNS update with data where there must be none")
            position = end
        self._position = position

    def _synthesise(self, name: str) -> None:
        """Follow the chain from `name`: `owner DNAME target` makes every x.owner an alias of x.target
        (RFC 6672 section 2.2). Servers say that with a CNAME too, but old ones may not."""
        targets = {alias.owner: alias.target for alias in self._aliases}
        for _ in range(_MAX_HOPS):
            target = targets.get(name)
            if target is None:
                above = next((it for it in self._renamed if is_below(name, it.owner)), None)
                if above is None:
                    return
                target = name.removesuffix(above.owner) + above.target
                self._aliases.append(Alias(name, target, above.ttl))
            name = target


def _zone(questions: tuple[Question, ...]) -> int:
    """The class of the zone that a dynamic update is about, which stands where others ask (RFC 2136
    section 2.3); -1 without one."""
    if not questions:
        return -1
    _, kind, klass = questions[0]
    if len(questions) > 1 or kind != _SOA or klass in (_NONE, _ANY):
        raise BadPacket("DNS update that is not about one zone")
    return klass


def _class_of_data(klass: int, zone: int, section: int) -> int | None:
    """The class of a record's data in an update (RFC 2136 sections 2.4, 2.5); None: it has no data."""
    if zone < 0:
        raise BadPacket("DNS update of no zone")
    if klass == _ANY or (klass == _NONE and section == _ANSWER):
        return None
    return zone if klass == _NONE else klass
