# SPDX-License-Identifier: GPL-2.0-or-later
"""Made-up DHCP messages, byte by byte: also such as no library would write."""

import struct

MAC = "02:00:5e:00:53:2a"
_ON_ETHERNET = (1, 6)
DISCOVER = b"\x35\1\1"
END = b"\xff"
SOLICIT, RELAY_FORWARD = 1, 12


def option(code: int, value: bytes) -> bytes:
    """An option of DHCPv4."""
    return bytes([code, len(value)]) + value


def dhcp(
    *options: bytes,
    mac: str = MAC,
    ciaddr: bytes = bytes(4),
    sname: bytes = b"",
    file: bytes = b"",
    begin: bytes = b"\1",
    hardware: tuple[int, int] = _ON_ETHERNET,
    end: bytes = END,
    cookie: bytes = b"\x63\x82\x53\x63",
) -> bytes:
    """A message of these options, a discovery if no option 53 is among them."""
    address = bytes.fromhex(mac.replace(":", ""))
    kind = b"" if any(it[:1] == DISCOVER[:1] for it in options) else DISCOVER
    head = begin + bytes(hardware) + bytes(9) + ciaddr + bytes(12) + address.ljust(16, b"\0")
    return head + sname.ljust(64, b"\0") + file.ljust(128, b"\0") + cookie + kind + b"".join(options) + end


def option6(code: int, value: bytes) -> bytes:
    """An option of DHCPv6."""
    return struct.pack("!HH", code, len(value)) + value


def dhcp6(*options: bytes, kind: int = SOLICIT) -> bytes:
    """A client's message."""
    return bytes([kind]) + b"\1\2\3" + b"".join(options)


def relayed(message: bytes, times: int = 1) -> bytes:
    """The same, forwarded by so many relays."""
    for hops in range(times):
        message = bytes([RELAY_FORWARD, hops]) + bytes(32) + option6(9, message)
    return message
