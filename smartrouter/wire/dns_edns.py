# SPDX-License-Identifier: GPL-2.0-or-later
"""Are the options of an EDNS record (RFC 6891 section 6.1.2) well-formed? Knows not what they are for."""

from smartrouter.core.errors import BadPacket
from smartrouter.wire.dns_names import read_plain_name

_CLIENT_SUBNET, _COOKIE, _ERROR, _REPORT_CHANNEL = 8, 10, 15, 18
_TEXTS = range(22, 26)  # about errors and about who filters
_ADDRESS_BITS = {1: 32, 2: 128}  # by address family number


def check_options(message: bytes, position: int, end: int, known: dict[int, str]) -> None:
    """Raise BadPacket (or IndexError) if the options at `position` to `end` break their format."""
    while position < end:
        code = message[position] << 8 | message[position + 1]
        size = message[position + 2] << 8 | message[position + 3]
        position += 4
        after = position + size
        if after > end:
            raise BadPacket("EDNS option overruns its record")
        if code == _CLIENT_SUBNET:
            _check_subnet(message[position:after])
        elif code == _COOKIE:
            if not (size == 8 or 16 <= size <= 40):  # RFC 7873 section 4
                raise BadPacket("EDNS cookie of a wrong size")
        elif code == _ERROR:
            if size < 2:  # RFC 8914 section 2
                raise BadPacket("EDNS error without its number")
            _check_text(message[position + 2 : after].removesuffix(b"\0"))
        elif code == _REPORT_CHANNEL:
            if read_plain_name(message, position, known)[1] != after:
                raise BadPacket("EDNS report channel is not one name")
        elif code in _TEXTS:
            _check_text(message[position:after])
        position = after
    if position != end:
        raise BadPacket("EDNS options overrun their record")


def _check_subnet(option: bytes) -> None:
    """RFC 7871 section 6: family, two prefix lengths, and an address just as long as the first says."""
    bits = _ADDRESS_BITS.get(int.from_bytes(option[:2], "big"), 0)
    if not bits or len(option) < 4 or option[2] > bits or option[3] > bits:
        raise BadPacket("EDNS client subnet of an unknown family, or wider than an address")
    whole, part = divmod(option[2], 8)
    if len(option) != 4 + whole + bool(part) or (part and option[-1] & 0xFF >> part):
        raise BadPacket("EDNS client subnet with a wrong address")


def _check_text(text: bytes) -> None:
    try:
        text.decode()
    except UnicodeDecodeError:
        raise BadPacket("EDNS option whose text is not UTF-8") from None
