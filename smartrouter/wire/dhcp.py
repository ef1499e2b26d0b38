# SPDX-License-Identifier: GPL-2.0-or-later
"""What DHCP clients say (RFC 2131, RFC 9915) -> what a device shows of itself.

Reads clients' messages only: what servers say tells of no device. A message that breaks its own format is
refused as a whole. Knows nothing of leases, or of who is to be believed.
"""

from collections.abc import Iterator, Mapping

from smartrouter.core.classification.signs import DhcpAsked
from smartrouter.core.errors import BadPacket
from smartrouter.wire.cursor import Cursor
from smartrouter.wire.dns_names import labels_as_sent, read_plain_name
from smartrouter.wire.inet import ipv4, ipv6
from smartrouter.wire.texts import MAX_TEXT, text

MAX_MESSAGE = 4096  # bytes; clients send 300 to 600
_MAX_PARAMS = 255
_MAX_ID = 130  # bytes: a DUID, RFC 9915 section 11.1, is the longest that is in use
_MAX_RELAYS = 4  # one around another; RFC 9915 section 7.6 allows 8, homes have none

_REQUEST = 1  # of BOOTP: from a client
_ETHERNET, _IEEE_802 = 1, 6  # IANA, "Hardware Types"
_HARDWARE, _CIADDR, _CHADDR, _SNAME, _FILE, _COOKIE, _OPTIONS = 1, 12, 28, 44, 108, 236, 240  # offsets
_MAGIC = b"\x63\x82\x53\x63"
_CLIENTS_KINDS = {1, 3, 4, 7, 8}  # discover, request, decline, release, inform
_FILE_HOLDS_OPTIONS, _SNAME_HOLDS_OPTIONS = 1, 2  # RFC 2132 section 9.3

# https://www.iana.org/assignments/bootp-dhcp-parameters
_PAD, _END = 0, 255
_HOST_NAME, _WANTED_ADDRESS, _OVERLOAD, _KIND, _PARAMS = 12, 50, 52, 53, 55
_VENDOR_CLASS, _CLIENT_ID, _USER_CLASS, _FQDN = 60, 61, 77, 81
_FQDN_IS_ON_THE_WIRE = 0x04  # RFC 4702 section 2.1: flag E, else ASCII

# https://www.iana.org/assignments/dhcpv6-parameters
_CLIENTS_KINDS_6 = {1, 3, 4, 5, 6, 8, 9, 11}  # solicit to rebind, release, decline, information-request
_RELAYED = 12
_DUID, _ADDRESSES, _TEMPORARY, _ADDRESS, _ASKED, _RELAY_MESSAGE = 1, 3, 4, 5, 6, 9
_USER_CLASS_6, _VENDOR_CLASS_6, _FQDN_6 = 15, 16, 39
_DUID_LLT, _DUID_LL = 1, 3


def parse_dhcp(payload: bytes) -> DhcpAsked:
    """Read a DHCPv4 message from a client: the payload of a datagram to port 67. Raises BadPacket, and
    nothing else."""
    if not _OPTIONS < len(payload) <= MAX_MESSAGE or payload[_COOKIE:_OPTIONS] != _MAGIC:
        raise BadPacket("not a DHCP message")
    hardware, size = payload[_HARDWARE], payload[_HARDWARE + 1]
    if payload[0] != _REQUEST or size > _SNAME - _CHADDR:
        raise BadPacket("DHCP message that no client sends")
    options = _joined(payload)
    kind = _sized(options, _KIND, 1)[:1]
    if not kind or kind[0] not in _CLIENTS_KINDS:
        raise BadPacket("DHCP message of a kind that no client sends")
    address = _sized(options, _WANTED_ADDRESS, 4) or payload[_CIADDR : _CIADDR + 4]
    return DhcpAsked(
        mac=_mac(hardware, payload[_CHADDR : _CHADDR + size]),
        version=4,
        kind=kind[0],
        hostname=text(options.get(_HOST_NAME, b"")) or _name_in(options.get(_FQDN, b"")),
        vendor_class=text(options.get(_VENDOR_CLASS, b"")),
        user_class=_user_class(options.get(_USER_CLASS, b"")),
        params=tuple(options.get(_PARAMS, b"")[:_MAX_PARAMS]),
        client_id=options.get(_CLIENT_ID, b"")[:_MAX_ID].hex(),
        address=ipv4(address) if any(address) else "",
    )


def _joined(payload: bytes) -> Mapping[int, bytes]:
    """The options, each whole: one that comes again goes on with what it said (RFC 3396), in the options
    themselves, then in `file`, then in `sname`, if these hold options."""
    found: dict[int, list[bytes]] = {}
    _collect(payload[_OPTIONS:], found)
    overload = b"".join(found.get(_OVERLOAD, ()))
    if overload and (len(overload) != 1 or not 1 <= overload[0] <= 3):
        raise BadPacket("DHCP message that overloads what cannot be")
    if overload and overload[0] & _FILE_HOLDS_OPTIONS:
        _collect(payload[_FILE:_COOKIE], found)
    if overload and overload[0] & _SNAME_HOLDS_OPTIONS:
        _collect(payload[_SNAME:_FILE], found)
    return {code: b"".join(parts) for code, parts in found.items()}


def _collect(field: bytes, found: dict[int, list[bytes]]) -> None:
    """Add the options in `field` up to the end that they say; what is behind it is filling."""
    options = Cursor(field)
    while (code := options.number(1)) != _END:
        if code != _PAD:
            found.setdefault(code, []).append(options.vector(1))


def _sized(options: Mapping[int, bytes], code: int, size: int) -> bytes:
    """An option of a fixed size, b'' if it is not there."""
    value = options.get(code, b"")
    if code in options and len(value) != size:
        raise BadPacket(f"DHCP option {code} of a size that cannot be")
    return value


def _mac(hardware: int, address: bytes) -> str:
    is_mac = hardware in (_ETHERNET, _IEEE_802) and len(address) == 6 and any(address)
    return address.hex(":") if is_mac else ""


def _name_in(option: bytes) -> str:
    """The name in option 81 (RFC 4702): flags, two bytes that nobody uses, the name."""
    if not option:
        return ""
    fields = Cursor(option)
    flags, _, name = fields.number(1), fields.take(2), fields.take(fields.left)
    return _wire_name(name) if flags & _FQDN_IS_ON_THE_WIRE else text(name)


def _wire_name(wire: bytes) -> str:
    """A name as DNS writes it, without the root where it is only the beginning of one (RFC 4702 section
    2.3.1, RFC 4704 section 4.2)."""
    if not wire:
        return ""
    ended = wire + b"\0"
    try:
        _, after = read_plain_name(ended, 0, {})
    except IndexError:
        raise BadPacket("DHCP message with a name that ends too early") from None
    if after < len(wire):
        raise BadPacket("DHCP message with something behind a name")
    return text(b".".join(labels_as_sent(ended, 0)))


def _user_class(option: bytes) -> str:
    """RFC 3004: texts, each with its length before it. Most clients say a plain text instead."""
    try:
        classes = list(_vectors(option, 1))
    except BadPacket:
        return text(option)
    return _together(classes) if all(classes) else text(option)


def _vectors(data: bytes, size: int) -> Iterator[bytes]:
    """Fields that fill `data`, each with a length of `size` bytes before it."""
    fields = Cursor(data)
    while fields.left:
        yield fields.vector(size)


def _together(texts: list[bytes]) -> str:
    return " ".join(filter(None, map(text, texts)))[:MAX_TEXT]


def parse_dhcp6(payload: bytes) -> DhcpAsked:
    """Read a DHCPv6 message from a client, or of one through relays: the payload of a datagram to port 547.
    Raises BadPacket, and nothing else."""
    if len(payload) > MAX_MESSAGE:
        raise BadPacket("DHCPv6 message too long")
    for _ in range(_MAX_RELAYS + 1):
        message = Cursor(payload)
        kind = message.number(1)
        if kind != _RELAYED:
            return _parse_client6(kind, message)
        message.take(1 + 16 + 16)  # how many relays, and two addresses
        inner = _options6(message).get(_RELAY_MESSAGE)
        if not inner:
            raise BadPacket("DHCPv6 relay that forwards nothing")
        payload = inner[0]
    raise BadPacket("DHCPv6 message through too many relays")


def _parse_client6(kind: int, message: Cursor) -> DhcpAsked:
    if kind not in _CLIENTS_KINDS_6:
        raise BadPacket("DHCPv6 message of a kind that no client sends")
    message.take(3)  # the transaction
    options = _options6(message)
    duid = options.get(_DUID, [b""])[0]
    return DhcpAsked(
        mac=_mac_in(duid),
        version=6,
        kind=kind,
        hostname=_name_in6(options.get(_FQDN_6, [b""])[0]),
        vendor_class=_vendor_class6(options.get(_VENDOR_CLASS_6, [])),
        user_class=_together(
            [part for option in options.get(_USER_CLASS_6, []) for part in _vectors(option, 2)]
        ),
        params=_params6(options.get(_ASKED, [b""])[0]),
        client_id=duid[:_MAX_ID].hex(),
        address=_address6(options),
    )


def _options6(fields: Cursor) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = {}
    while fields.left:
        code = fields.number(2)
        found.setdefault(code, []).append(fields.vector(2))
    return found


def _mac_in(duid: bytes) -> str:
    """The MAC that a DUID was made of (RFC 9915 sections 11.2, 11.4). It stays with the device, so it may be
    that of another of its cards."""
    kind, hardware = duid[:2], int.from_bytes(duid[2:4], "big")
    if kind == _DUID_LLT.to_bytes(2, "big"):
        return _mac(hardware, duid[8:])  # the time stands between
    return _mac(hardware, duid[4:]) if kind == _DUID_LL.to_bytes(2, "big") else ""


def _name_in6(option: bytes) -> str:
    """RFC 4704 section 4: flags, the name."""
    return _wire_name(option[1:])


def _vendor_class6(options: list[bytes]) -> str:
    """RFC 9915 section 21.16: the number of an enterprise, then texts; the texts say what DHCPv4's do."""
    texts: list[bytes] = []
    for option in options:
        fields = Cursor(option)
        fields.take(4)
        texts += _vectors(fields.take(fields.left), 2)
    return _together(texts)


def _params6(option: bytes) -> tuple[int, ...]:
    if len(option) % 2:
        raise BadPacket("DHCPv6 message that asks for half an option")
    codes = Cursor(option)
    return tuple(codes.number(2) for _ in range(min(len(option) // 2, _MAX_PARAMS)))


def _address6(options: Mapping[int, list[bytes]]) -> str:
    """The first address that it has or asks for; an association's identity (RFC 9915 sections 21.4, 21.5)
    stands before the addresses in it."""
    for kind, before in ((_ADDRESSES, 12), (_TEMPORARY, 4)):
        for association in options.get(kind, ()):
            fields = Cursor(association)
            fields.take(before)
            for option in _options6(fields).get(_ADDRESS, ()):
                address = Cursor(option).take(16)
                if any(address):
                    return ipv6(address)
    return ""
