# SPDX-License-Identifier: GPL-2.0-or-later
"""Ethernet frames as bytes: SYNs, datagrams, DNS messages; and the file that `send` plays them from.

Pure. An address is dotted IPv4, a MAC `aa:bb:cc:dd:ee:ff`, a name lower case without the final dot.
"""

import socket
import struct
from collections.abc import Iterable, Sequence

_IPV4 = 0x0800
TCP, UDP = 6, 17
# What Linux sends with a SYN: MSS 1460, SACK permitted, a timestamp, window scale 7 (RFC 9293, 7323).
_SYN_OPTIONS = bytes.fromhex("020405b4 0402 080a00000001 00000000 01 030307")
_A, _CNAME, _INTERNET = 1, 5, 1  # RFC 1035 section 3.2
_QUERY, _REPLY = 0x0100, 0x8180  # flags: recursion desired; and a reply, recursion available


def syn(macs: tuple[str, str], source: str, port: int, to: str, to_port: int, sequence: int) -> bytes:
    """The frame of a SYN. `macs`: the sender's, the router's."""
    header = struct.pack("!HHIIBBHHH", port, to_port, sequence, 0, 10 << 4, 0x02, 64240, 0, 0)
    return _frame(macs, source, to, TCP, header + _SYN_OPTIONS, 16)


def datagram(macs: tuple[str, str], source: str, port: int, to: str, to_port: int, data: bytes) -> bytes:
    """The frame of a UDP datagram. `macs`: the sender's, the receiver's."""
    header = struct.pack("!HHHH", port, to_port, 8 + len(data), 0)
    return _frame(macs, source, to, UDP, header + data, 6)


def query(ident: int, name: str) -> bytes:
    """A DNS query for the IPv4 address of `name`."""
    return struct.pack("!HHHHHH", ident, _QUERY, 1, 0, 0, 0) + _question(name)


def reply(ident: int, name: str, aliases: Sequence[str], addresses: Sequence[str], ttl: int = 300) -> bytes:
    """The answer to `query`: `name` leads to the first of `aliases`, each to the next, the last has
    `addresses`."""
    header = struct.pack("!HHHHHH", ident, _REPLY, 1, len(aliases) + len(addresses), 0, 0)
    message = header + _question(name)
    owner = 12  # where in the message the owner's name stands: the question's is behind the header
    for alias in aliases:
        data = _name(alias)
        message += struct.pack("!HHHIH", 0xC000 | owner, _CNAME, _INTERNET, ttl, len(data))
        owner = len(message)
        message += data
    for address in addresses:
        message += struct.pack("!HHHIH4s", 0xC000 | owner, _A, _INTERNET, ttl, 4, socket.inet_aton(address))
    return message


def as_file(frames: Iterable[bytes]) -> bytes:
    """What `send` reads: for each frame its length in two bytes, and the frame."""
    return b"".join(struct.pack("!H", len(frame)) + frame for frame in frames)


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) & ~1]))
    if len(data) % 2:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _frame(macs: tuple[str, str], source: str, to: str, protocol: int, body: bytes, sum_at: int) -> bytes:
    """`body` with its checksum at `sum_at`, in IPv4, in Ethernet."""
    ends = socket.inet_aton(source) + socket.inet_aton(to)
    body_sum = checksum(ends + struct.pack("!HH", protocol, len(body)) + body)
    body = body[:sum_at] + struct.pack("!H", body_sum or 0xFFFF) + body[sum_at + 2 :]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0x4000, 64, protocol, 0) + ends
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    sender, receiver = (bytes.fromhex(mac.replace(":", "")) for mac in macs)
    return receiver + sender + struct.pack("!H", _IPV4) + ip + body


def _question(name: str) -> bytes:
    return _name(name) + struct.pack("!HH", _A, _INTERNET)


def _name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
