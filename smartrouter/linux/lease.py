# SPDX-License-Identifier: GPL-2.0-or-later
"""A DHCP lease as a value, and what a DHCPv6 client's DUID says of its MAC."""

from typing import NamedTuple

LONGEST_NAME = 253  # characters, RFC 1035


class Lease(NamedTuple):
    """`mac`: '' in a DHCPv6 lease whose DUID names none. `hostname`: as the device said it, at most 253
    characters, '' if it said none. `expiry`: as it stands there; it moves on when the lease is renewed.
    `at`: when that was written, epoch seconds."""

    mac: str
    address: str
    hostname: str
    expiry: str = ""
    at: float = 0.0


def mac_of_duid(duid: str) -> str:
    """The MAC in a DUID (hexadecimal digits) of the kinds that hold one: DUID-LLT and DUID-LL, RFC 8415
    sections 11.2 and 11.4, of an Ethernet card; '' in others. It is one of the device's cards, which need
    not be the one that asked."""
    if duid.startswith("00010001") and len(duid) == 28:
        return mac_of_digits(duid[16:])
    if duid.startswith("00030001") and len(duid) == 20:
        return mac_of_digits(duid[8:])
    return ""


def mac_of_digits(digits: str) -> str:
    """Twelve hexadecimal digits with colons between the bytes; '' if it is no device's MAC."""
    try:
        octets = bytes.fromhex(digits)
    except ValueError:
        return ""
    return octets.hex(":") if len(octets) == 6 and any(octets) and not octets[0] & 1 else ""
