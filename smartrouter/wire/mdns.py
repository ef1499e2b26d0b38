# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device announces by multicast DNS (RFC 6762, RFC 6763): its name, its services, its model.

Its own are the records of a response; and those in the authority section of a query, by which it asks if
anybody has what it is going to claim (RFC 6762 section 8.2). What a query asks for, and what it lists as
known already, is not its own: things look for other things as people's devices do.

Only what is used is read in full: multicast DNS bends the rules that `dns` is strict about (compression,
classes), and hurts nobody who believes it. Knows nothing of who sent a message.
"""

import struct
from collections.abc import Iterator
from re import compile as regex
from typing import NamedTuple

from smartrouter.core.classification.signs import Announced
from smartrouter.core.errors import BadPacket
from smartrouter.core.names import labels
from smartrouter.wire.dns_names import labels_as_sent, read_name
from smartrouter.wire.texts import text

MAX_MESSAGE = 9000  # bytes, RFC 6762 section 17
MAX_RECORDS = 256
MAX_TEXTS = 64  # of each sort in an announcement
_MAX_PAIRS = 128  # in one TXT record; printers have some 30

_HEADER = struct.Struct("!6H")
_QUESTION = 4  # bytes behind its name
_RECORD = struct.Struct("!HHIH")  # type, class, TTL, length of the data
_RESPONSE, _OPCODE = 0x8000, 0x7800
_IN = 1
_CLASS = 0x7FFF  # the upper bit: what others know of it is to be forgotten, RFC 6762 section 10.2
_A, _PTR, _TXT, _AAAA, _SRV = 1, 12, 16, 28, 33
_ALL_SERVICES = "_services._dns-sd._udp.local"  # RFC 6763 section 9
_TRANSPORTS = {"_tcp", "_udp"}
_SUBTYPE = "_sub"  # RFC 6763 section 7.1
_ROOM = regex("(?i)^[0-9a-f]{12}@")  # AirPlay's speakers: the MAC, then the name

# Keys of TXT records, in lower case (RFC 6763 section 6.4). What a thing is: `md` HomeKit Accessory Protocol
# table 6-7, and Google Cast; `model` Apple's `_device-info`, AirPlay; `ty` Bonjour Printing 1.2 section 9.2;
# `am` AirPlay's speakers; `rpmd` Apple's `_companion-link`.
_MODEL_KEYS = {"md", "model", "ty", "am", "rpmd"}
# What a person calls it: `fn` Google Cast, `n` Amazon's `_amzn-wplay`.
_NAME_KEYS = {"fn", "n", "name"}
# What stays when the MAC changes: `id` Google Cast (a UUID), and HomeKit (drawn anew only when it is reset);
# `deviceid` AirPlay (the MAC that its maker gave it); `pi`, `pk` AirPlay (a UUID, a public key that other
# devices remember it by); `uuid` printers. Not `rpba`, `rpad`, `rphn` of `_companion-link`: random, and
# changed within the hour, so that nobody can follow the device.
_ID_KEYS = {"id", "deviceid", "pi", "pk", "uuid"}
_LEAST_ID = 8  # characters; `id=1` tells nothing apart
_SAYS_NOTHING = regex(r"[\W\d_]*")  # AirPlay's speakers have `md=0,1,2`, which is no model


class _Record(NamedTuple):
    """`owner`: spelt as `read_name` does, at `at` in the message. The data: from `start` to `end`."""

    owner: str
    at: int
    kind: int
    start: int
    end: int


def parse_announcement(message: bytes) -> Announced:
    """Read a multicast DNS message: the payload of a datagram from port 5353. Raises BadPacket, and nothing
    else."""
    try:
        return _Announcement(message).read()
    except (IndexError, struct.error):
        raise BadPacket("multicast DNS message ends too early") from None


class _Announcement:
    """One message as it is being read."""

    __slots__ = ("_hostname", "_ids", "_known", "_message", "_models", "_names", "_services")

    def __init__(self, message: bytes):
        self._message = message
        self._known: dict[int, str] = {}
        self._hostname = ""
        # Each a set that keeps its order.
        self._services: dict[str, None] = {}
        self._models: dict[str, None] = {}
        self._names: dict[str, None] = {}
        self._ids: dict[str, None] = {}

    def read(self) -> Announced:
        for record in self._own_records():
            if record.kind in (_A, _AAAA):
                self._address(record)
            elif record.kind == _PTR:
                self._pointer(record)
            elif record.kind == _SRV:
                self._instance(record.owner, record.at)
            elif record.kind == _TXT:
                self._instance(record.owner, record.at)
                self._description(record)
        texts = (self._services, self._models, self._names, self._ids)
        return Announced(self._hostname, *(tuple(found)[:MAX_TEXTS] for found in texts))

    def _own_records(self) -> Iterator[_Record]:
        """Those that the sender speaks for, and does not take back (a TTL of 0, RFC 6762 section 10.1)."""
        message = self._message
        _, flags, asked, answers, authorities, additionals = _HEADER.unpack_from(message)
        count = answers + authorities + additionals
        if len(message) > MAX_MESSAGE or asked + count > MAX_RECORDS or flags & _OPCODE:
            raise BadPacket("multicast DNS message too long, with too many records, or of another kind")
        position = _HEADER.size
        for _ in range(asked):
            position = read_name(message, position, self._known)[1] + _QUESTION
        own = range(count) if flags & _RESPONSE else range(answers, answers + authorities)
        for number in range(count):
            at = position
            owner, position = read_name(message, position, self._known)
            kind, klass, ttl, length = _RECORD.unpack_from(message, position)
            start = position + _RECORD.size
            position = start + length
            if position > len(message):
                raise BadPacket("multicast DNS record overruns its message")
            if number in own and klass & _CLASS == _IN and ttl:
                yield _Record(owner, at, kind, start, position)
        if position != len(message):
            raise BadPacket("multicast DNS message followed by something else")

    def _address(self, record: _Record) -> None:
        if record.end - record.start != (4 if record.kind == _A else 16):
            raise BadPacket("multicast DNS record with an address of a size that cannot be")
        parts = labels(record.owner)
        if len(parts) == 2 and parts[1] == "local" and not self._hostname:
            self._hostname = self._first_label(record.at)

    def _pointer(self, record: _Record) -> None:
        """A service points to its instances, the list of all services to each of them."""
        target, after = read_name(self._message, record.start, self._known)
        if after != record.end:
            raise BadPacket("multicast DNS name does not fill its record, or overruns it")
        if record.owner == _ALL_SERVICES:
            self._services.update(dict.fromkeys(_service(labels(target))))
            return
        found = _service(labels(record.owner))
        if found:
            self._services.update(dict.fromkeys(found))
            self._instance(target, record.start)

    def _instance(self, name: str, at: int) -> None:
        """`name`, at `at` in the message, is a service of one device, if it is `Its name._service._tcp.local`
        (RFC 6763 section 4.1)."""
        parts = labels(name)
        found = _service(parts[1:])
        if found and not parts[0].startswith("_"):
            self._services.update(dict.fromkeys(found))
            self._name(self._first_label(at))

    def _description(self, record: _Record) -> None:
        """Keys and values (RFC 6763 section 6.3); of a key that comes again, the first counts."""
        at, seen = record.start, set[str]()
        while at < record.end:
            length = self._message[at]
            if at + 1 + length > record.end:
                raise BadPacket("multicast DNS text overruns its record")
            key, _, value = self._message[at + 1 : at + 1 + length].partition(b"=")
            at += 1 + length
            word = key.lower().decode("ascii", "replace")
            if value and word not in seen and len(seen) < _MAX_PAIRS:
                seen.add(word)
                self._described(word, text(value))

    def _described(self, key: str, value: str) -> None:
        if key in _MODEL_KEYS and not _SAYS_NOTHING.fullmatch(value):
            self._models[value] = None
        elif key in _NAME_KEYS:
            self._name(value)
        elif key in _ID_KEYS and len(value) >= _LEAST_ID:
            self._ids[value.lower()] = None

    def _name(self, name: str) -> None:
        name = _ROOM.sub("", name)
        if name:
            self._names[name] = None

    def _first_label(self, at: int) -> str:
        return text(labels_as_sent(self._message, at)[0])


def _service(parts: list[str]) -> tuple[str, ...]:
    """The service that a name of these labels is of, alone in a tuple; () if of none. With a subtype before
    it, it is the same service."""
    if len(parts) == 5 and parts[1] == _SUBTYPE:
        parts = parts[2:]
    if len(parts) != 3 or parts[2] != "local" or parts[1] not in _TRANSPORTS or parts[0][:1] != "_":
        return ()
    return (f"{parts[0]}.{parts[1]}",)
