# SPDX-License-Identifier: GPL-2.0-or-later
"""The data of SVCB and HTTPS records (RFC 9460): another name, or addresses that save a question.

Knows nothing of the message around them.
"""

from typing import NamedTuple

from smartrouter.core.errors import BadPacket
from smartrouter.wire.dns_names import read_plain_name
from smartrouter.wire.inet import ipv4 as to_ipv4
from smartrouter.wire.inet import ipv6 as to_ipv6

# https://www.iana.org/assignments/dns-svcb, "Service Parameter Keys (SvcParamKeys)"
_ALPN, _IPV4, _IPV6, _DOC_PATH = 1, 4, 6, 10


class Service(NamedTuple):
    """`alias`: the record only says that its owner is another name for `target` (AliasMode), where ''
    means that there is no such service. `ipv4`, `ipv6`: the address hints, packed one behind the other."""

    alias: bool
    target: str
    ipv4: bytes
    ipv6: bytes

    def hints(self) -> list[str]:
        """The addresses as text."""
        four, six = self.ipv4, self.ipv6
        return [to_ipv4(four[at : at + 4]) for at in range(0, len(four), 4)] + [
            to_ipv6(six[at : at + 16]) for at in range(0, len(six), 16)
        ]


def read_service(message: bytes, position: int, end: int, known: dict[int, str]) -> Service:
    """Read the data at `position` to `end`. Raises BadPacket, or IndexError where the message ends."""
    alias = message[position] == message[position + 1] == 0
    target, position = read_plain_name(message, position + 2, known)
    values: dict[int, bytes] = {}
    last = -1
    while position < end:
        key = message[position] << 8 | message[position + 1]
        after = position + 4 + (message[position + 2] << 8 | message[position + 3])
        if key <= last or after > end:
            raise BadPacket("DNS service parameters out of order, or too long")
        values[key] = message[position + 4 : after]
        last, position = key, after
    if position != end or (alias and values):
        raise BadPacket("DNS service record that overruns its length, or an alias with parameters")
    for key, value in values.items():
        if key <= _DOC_PATH and not _is_well_formed(key, value, values):
            raise BadPacket(f"DNS service parameter {key} is malformed")
    return Service(alias, target, values.get(_IPV4, b""), values.get(_IPV6, b""))


def _is_well_formed(key: int, value: bytes, values: dict[int, bytes]) -> bool:
    """May `key` have this `value` beside the other `values`? Keys that are not listed may have any."""
    size = len(value)
    match key:
        case 0:  # mandatory
            return _is_mandatory_list(value, values)
        case 1:  # alpn
            return size > 0 and _are_strings(value)
        case 2:  # no-default-alpn
            return size == 0 and _ALPN in values
        case 3:  # port
            return size == 2
        case 4:  # ipv4hint
            return size > 0 and size % 4 == 0
        case 5:  # ech
            return size >= 6 and int.from_bytes(value[:2], "big") == size - 2
        case 6:  # ipv6hint
            return size > 0 and size % 16 == 0
        case 8:  # ohttp
            return size == 0
        case 10:  # docpath
            return _are_strings(value)
    return True


def _is_mandatory_list(value: bytes, values: dict[int, bytes]) -> bool:
    """Keys in strictly increasing order, each of them present, and not the list's own."""
    if not value or len(value) % 2:
        return False
    last = 0  # the list's own key, so that what follows is greater
    for at in range(0, len(value), 2):
        key = value[at] << 8 | value[at + 1]
        if key <= last or key not in values:
            return False
        last = key
    return True


def _are_strings(value: bytes) -> bool:
    """Non-empty strings that fill `value`, each with its length before it."""
    at = 0
    while at < len(value):
        if value[at] == 0:
            return False
        at += 1 + value[at]
    return at == len(value)
