# SPDX-License-Identifier: GPL-2.0-or-later
"""Is the data of a DNS record well-formed?

A message with one malformed record is refused as a whole, wherever the record stands: who bends one part of
a message is not to be believed on another. What is well-formed here is what is so for dnspython.

A type's row is a sequence of steps. A step takes the data and a position, and gives the position behind what
it read, never one before it; behind the last step the position must be the end. A step raises BadPacket, or
IndexError where the message ends too early. Types without a row may hold anything. OPT has its own module.
Knows nothing of what records are for.
"""

from collections.abc import Callable, Mapping
from re import compile as regex
from typing import NamedTuple, TypeAlias

from smartrouter.core.errors import BadPacket
from smartrouter.wire.dns_names import read_name, read_plain_name
from smartrouter.wire.dns_svcb import read_service


class Data(NamedTuple):
    """The data of one record: up to `end` of `message`. `known`: see `read_name`."""

    message: bytes
    end: int
    known: dict[int, str]


Step: TypeAlias = Callable[[Data, int], int]

IN, CH = 1, 3


def check_record(
    message: bytes, kind: int, klass: int, position: int, end: int, known: dict[int, str]
) -> None:
    """Raise BadPacket (or IndexError) if the data at `position` to `end` is not what a record of type
    `kind` and class `klass` may hold. For the types see _ANY_CLASS and _INTERNET."""
    steps = _ANY_CLASS.get(kind)
    if steps is None:
        if klass == IN:
            steps = _INTERNET.get(kind, _ANYTHING)
        else:
            steps = _CHAOS_ADDRESS if klass == CH and kind == 1 else _ANYTHING
    data = Data(message, end, known)
    for step in steps:
        position = step(data, position)
    if position != end:
        raise BadPacket(f"DNS record of type {kind} does not fill its length, or overruns it")


def _fixed(size: int) -> Step:
    return lambda _, position: position + size


def _name(data: Data, position: int) -> int:
    return read_name(data.message, position, data.known)[1]


def _plain_name(data: Data, position: int) -> int:
    return read_plain_name(data.message, position, data.known)[1]


def _plain_names(data: Data, position: int) -> int:
    while position < data.end:
        position = read_plain_name(data.message, position, data.known)[1]
    return position


def _rest(data: Data, position: int) -> int:
    return max(position, data.end)


def _something(data: Data, position: int) -> int:
    return data.end if position < data.end else position + 1


def _string(data: Data, position: int) -> int:
    return position + 1 + data.message[position]


def _full_string(data: Data, position: int) -> int:
    if data.message[position] == 0:
        raise BadPacket("DNS record with an empty string where something must be said")
    return position + 1 + data.message[position]


def _long_string(data: Data, position: int) -> int:
    return position + 2 + (data.message[position] << 8 | data.message[position + 1])


def _maybe_string(data: Data, position: int) -> int:
    return position + 1 + data.message[position] if position < data.end else position


def _strings(data: Data, position: int) -> int:
    """One string or more."""
    while True:
        position += 1 + data.message[position]
        if position >= data.end:
            return position


def _bitmap(data: Data, position: int) -> int:
    """Types present (RFC 4034 section 4.1.2): windows in order, each of 1 to 32 bytes, the last not 0."""
    last = -1
    while position < data.end:
        window, size = data.message[position], data.message[position + 1]
        position += 2 + size
        if window <= last or not 1 <= size <= 32 or data.message[position - 1] == 0:
            raise BadPacket("DNS record with a bad bitmap of types")
        last = window
    return position


def _sized_by_kind(sizes: Mapping[int, int]) -> Step:
    """A digest whose size depends on its kind, which is the byte before it; -1: no such kind."""

    def step(data: Data, position: int) -> int:
        size = sizes.get(data.message[position - 1], data.end - position)
        if data.end - position != size or size < 0:
            raise BadPacket("DNS record with a digest of the wrong size")
        return data.end

    return step


def _zone_digest(data: Data, position: int) -> int:
    """RFC 8976 section 2.2: scheme 0 is reserved, a digest has at least 12 bytes."""
    if data.message[position - 2] == 0 or data.end - position < 12:
        raise BadPacket("DNS ZONEMD record with scheme 0 or too short a digest")
    return position


def _tag(data: Data, position: int) -> int:
    """RFC 8659 section 4.1: letters and digits."""
    after = position + 1 + data.message[position]
    if not data.message[position + 1 : after].isalnum():
        raise BadPacket("DNS CAA record with a bad tag")
    return after


def _services(data: Data, position: int) -> int:
    if data.end - position > 8192:  # one bit a port
        raise BadPacket("DNS WKS record with too long a bitmap")
    return max(position, data.end)


def _gateway(data: Data, position: int, kind: int) -> int:
    """RFC 4025 section 2.5, RFC 8777 section 4.2.3: nothing, IPv4, IPv6, or a name."""
    if kind == 3:
        return read_plain_name(data.message, position, data.known)[1]
    if kind > 3:
        raise BadPacket("DNS record with a gateway of unknown kind")
    return position + (0, 4, 16)[kind]


def _ipsec_gateway(data: Data, position: int) -> int:
    return _gateway(data, position + 3, data.message[position + 1])


def _amt_relay(data: Data, position: int) -> int:
    return _gateway(data, position + 2, data.message[position + 1] & 0x7F)


def _host_identity(data: Data, position: int) -> int:
    """RFC 8005 section 5: lengths of identity and key, then both."""
    key = data.message[position + 2] << 8 | data.message[position + 3]
    return position + 4 + data.message[position] + key


_NUMBER = regex(rb"[-+]?(\d+\.?\d*|\.\d+)")


def _position_in_words(data: Data, position: int) -> int:
    """RFC 1712: latitude, longitude, altitude as decimal numbers."""
    for most in (90.0, 180.0, float("inf")):
        after = position + 1 + data.message[position]
        number = data.message[position + 1 : after]
        if not _NUMBER.fullmatch(number) or abs(float(number)) > most:
            raise BadPacket("DNS GPOS record with a bad number")
        position = after
    return position


def _location(data: Data, position: int) -> int:
    """RFC 1876: version 0, three precisions, then thousandths of arc seconds around 2**31."""
    if data.end - position != 16 or data.message[position] != 0:
        raise BadPacket("DNS LOC record of another version or length")
    for precision in data.message[position + 1 : position + 4]:
        base, exponent = precision >> 4, precision & 0x0F
        if base > 9 or exponent > 9 or (base == 0 and exponent):
            raise BadPacket("DNS LOC record with a bad precision")
    for at, most in ((position + 4, 90), (position + 8, 180)):
        angle = int.from_bytes(data.message[at : at + 4], "big") - 2**31
        if abs(angle) > most * 3_600_000:
            raise BadPacket("DNS LOC record beyond the poles or the date line")
    return data.end


def _prefixes(data: Data, position: int) -> int:
    """RFC 3123 section 4: family, prefix length, address length, address without trailing zeros."""
    while position < data.end:
        family = data.message[position] << 8 | data.message[position + 1]
        prefix, size = data.message[position + 2], data.message[position + 3] & 0x7F
        position += 4 + size
        longest = {1: 4, 2: 16}.get(family, 127)
        if size > longest or (family in (1, 2) and prefix > 8 * longest):
            raise BadPacket("DNS APL record with a prefix that is too long")
        if size and data.message[position - 1] == 0:
            raise BadPacket("DNS APL record with trailing zeros")
    return position


def _service(data: Data, position: int) -> int:
    read_service(data.message, position, data.end, data.known)
    return data.end


_ANYTHING = (_rest,)
_CHAOS_ADDRESS = (_plain_name, _fixed(2))
_TEXT = (_strings,)
_KEY = (_fixed(4), _rest)
_DIGESTS = {1: 20, 2: 32, 3: 32, 4: 48}  # IANA, "DNSSEC Delegation Signer (DS) Digest Algorithms"
_DS = (_fixed(4), _sized_by_kind({0: -1, **_DIGESTS}))
_CDS = (_fixed(4), _sized_by_kind({0: 1, **_DIGESTS}))  # 0 deletes, RFC 8078 section 4
_TLSA = (_fixed(3), _sized_by_kind({1: 32, 2: 64}))

_ANY_CLASS: dict[int, tuple[Step, ...]] = {
    2: (_name,),  # NS
    5: (_name,),  # CNAME
    6: (_name, _name, _fixed(20)),  # SOA
    12: (_name,),  # PTR
    13: (_string, _string),  # HINFO
    15: (_fixed(2), _name),  # MX
    16: _TEXT,  # TXT
    17: (_name, _name),  # RP
    18: (_fixed(2), _name),  # AFSDB
    19: (_string,),  # X25
    20: (_string, _maybe_string),  # ISDN
    21: (_fixed(2), _name),  # RT
    24: (_fixed(18), _name, _rest),  # SIG
    25: _KEY,  # KEY
    27: (_position_in_words,),  # GPOS
    29: (_location,),  # LOC
    37: (_fixed(5), _rest),  # CERT
    39: (_plain_name,),  # DNAME
    43: _DS,  # DS
    44: (_fixed(2), _sized_by_kind({1: 20, 2: 32})),  # SSHFP
    46: (_fixed(18), _plain_name, _rest),  # RRSIG
    47: (_plain_name, _bitmap),  # NSEC
    48: _KEY,  # DNSKEY
    50: (_fixed(4), _string, _full_string, _bitmap),  # NSEC3
    51: (_fixed(4), _string),  # NSEC3PARAM
    52: _TLSA,  # TLSA
    53: _TLSA,  # SMIMEA
    55: (_host_identity, _plain_names),  # HIP
    56: _TEXT,  # NINFO
    59: _CDS,  # CDS
    60: _KEY,  # CDNSKEY
    62: (_fixed(6), _bitmap),  # CSYNC
    63: (_fixed(6), _zone_digest, _sized_by_kind({0: -1, 1: 48, 2: 64})),  # ZONEMD
    66: (_fixed(5), _plain_name),  # DSYNC
    99: _TEXT,  # SPF
    104: (_fixed(10),),  # NID
    105: (_fixed(6),),  # L32
    106: (_fixed(10),),  # L64
    107: (_fixed(2), _plain_name),  # LP
    108: (_fixed(6),),  # EUI48
    109: (_fixed(8),),  # EUI64
    249: (_plain_name, _fixed(12), _long_string, _long_string),  # TKEY
    256: (_fixed(4), _something),  # URI
    257: (_fixed(1), _tag, _rest),  # CAA
    258: _TEXT,  # AVC
    260: (_amt_relay,),  # AMTRELAY
    261: _TEXT,  # RESINFO
    262: _TEXT,  # WALLET
    32769: _DS,  # DLV
}

_INTERNET: dict[int, tuple[Step, ...]] = {
    1: (_fixed(4),),  # A
    11: (_fixed(5), _services),  # WKS
    23: (_plain_name,),  # NSAP-PTR
    26: (_fixed(2), _name, _name),  # PX
    28: (_fixed(16),),  # AAAA
    33: (_fixed(6), _name),  # SRV
    35: (_fixed(4), _string, _string, _string, _name),  # NAPTR
    36: (_fixed(2), _plain_name),  # KX
    42: (_prefixes,),  # APL
    45: (_ipsec_gateway, _rest),  # IPSECKEY
    64: (_service,),  # SVCB
    65: (_service,),  # HTTPS
}
