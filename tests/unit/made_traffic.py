# SPDX-License-Identifier: GPL-2.0-or-later
"""Made-up traffic of a household, and capture files that hold it. Frames are scapy's; the container of a
pcapng file is built here, since scapy's writer knows one interface and no faults."""

import gzip
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from dns.message import make_query, make_response
from dns.rrset import from_text_list
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.utils import RawPcapWriter

DEVICE, PHONE, ROUTER = "3c:2e:ff:29:4d:93", "a4:83:e7:00:00:01", "c8:bf:4c:77:a0:3a"
DEVICE_IP, PHONE_IP, ROUTER_IP = "192.168.1.50", "192.168.1.51", "192.168.1.1"
SERVER, OTHER_SERVER = "203.0.113.7", "198.51.100.9"
DAY = 86400.0
START = 1_700_000_000.0

Timed = tuple[float, bytes]


def asking(name: str, ident: int = 7) -> bytes:
    """A DNS query for a name's IPv4 addresses."""
    return make_query(name, "A", id=ident).to_wire()


def answering(name: str, addresses: Sequence[str], ident: int = 7) -> bytes:
    """The DNS reply to that."""
    response = make_response(make_query(name, "A", id=ident))
    if addresses:
        response.answer.append(from_text_list(f"{name}.", 60, "IN", "A", addresses))
    return response.to_wire()


def _packet(sender: str, receiver: str, source: str, destination: str, rest: object) -> bytes:
    ip = IPv6 if ":" in source else IP
    return bytes(Ether(src=sender, dst=receiver) / ip(src=source, dst=destination) / rest)


def syn(
    destination: str = SERVER,
    port: int = 443,
    *,
    sequence: int = 1000,
    source_port: int = 40000,
    sender: str = DEVICE,
    source: str = DEVICE_IP,
    receiver: str = ROUTER,
) -> bytes:
    """A connection attempt of the device."""
    segment = TCP(sport=source_port, dport=port, flags="S", seq=sequence)
    return _packet(sender, receiver, source, destination, segment)


def syn_ack(source: str = SERVER, port: int = 443, *, source_port: int = 40000) -> bytes:
    """The answer, as the router hands it on."""
    segment = TCP(sport=port, dport=source_port, flags="SA", seq=1, ack=1001)
    return _packet(ROUTER, DEVICE, source, DEVICE_IP, segment)


def datagram(
    destination: str = SERVER,
    port: int = 123,
    *,
    source_port: int = 5000,
    sender: str = DEVICE,
    source: str = DEVICE_IP,
    receiver: str = ROUTER,
    data: bytes = b"hello",
) -> bytes:
    """A UDP datagram of the device."""
    rest = UDP(sport=source_port, dport=port) / data
    return _packet(sender, receiver, source, destination, rest)


def query(
    name: str, *, ident: int = 7, source_port: int = 5353, resolver: str = ROUTER_IP, sender: str = DEVICE,
    source: str = DEVICE_IP,
) -> bytes:  # fmt: skip
    """The device asks for a name's IPv4 address."""
    datagram = UDP(sport=source_port, dport=53) / asking(name, ident)
    return _packet(sender, ROUTER, source, resolver, datagram)


def reply(
    name: str,
    addresses: Sequence[str],
    *,
    ident: int = 7,
    source_port: int = 5353,
    resolver: str = ROUTER_IP,
    receiver: str = DEVICE,
    destination: str = DEVICE_IP,
) -> bytes:
    """The answer, through the router."""
    datagram = UDP(sport=53, dport=source_port) / answering(name, addresses, ident)
    return _packet(ROUTER, receiver, resolver, destination, datagram)


def arp(sender: str, address: str) -> bytes:
    """`sender` announces that it has `address`."""
    request = ARP(op=1, hwsrc=sender, psrc=address, pdst=address)
    return bytes(Ether(src=sender, dst="ff:ff:ff:ff:ff:ff") / request)


def told(name: str, addresses: Sequence[str], at: float, *, ident: int = 7) -> list[Timed]:
    """The device asks for `name` and is told `addresses`."""
    return [(at, query(name, ident=ident)), (at + 0.01, reply(name, addresses, ident=ident))]


def in_order(*parts: Iterable[Timed]) -> list[Timed]:
    """Several stories as one, by time."""
    return sorted((packet for part in parts for packet in part), key=lambda packet: packet[0])


def write_pcap(
    path: Path, packets: Iterable[Timed], *, link: int = 1, nano: bool = False, endian: str = "<"
) -> Path:
    """Write a pcap file with scapy; gzipped if its name ends so."""
    packed = path.suffix == ".gz"
    writer = RawPcapWriter(str(path), linktype=link, nano=nano, endianness=endian, gz=packed)
    writer.write_header(b"")
    fractions = 1e9 if nano else 1e6
    for at, data in packets:
        seconds = int(at)
        writer.write_packet(data, sec=seconds, usec=round((at - seconds) * fractions))
    writer.close()
    return path


def section(endian: str = "<") -> bytes:
    """A pcapng section header block."""
    return block(0x0A0D0D0A, struct.pack(endian + "IHHq", 0x1A2B3C4D, 1, 0, -1), endian)


def interface(link: int = 1, resolution: int | None = None, endian: str = "<") -> bytes:
    """A pcapng interface description block. `resolution`: the if_tsresol option's byte."""
    options = b"" if resolution is None else struct.pack(endian + "HHB3xHH", 9, 1, resolution, 0, 0)
    return block(1, struct.pack(endian + "HHI", link, 0, 1 << 18) + options, endian)


def enhanced(at: float, data: bytes, *, number: int = 0, per_second: float = 1e6, endian: str = "<") -> bytes:
    """A pcapng enhanced packet block."""
    ticks = round(at * per_second)
    head = struct.pack(endian + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
    return block(6, head + data + bytes(-len(data) % 4), endian)


def simple(data: bytes, endian: str = "<") -> bytes:
    """A pcapng simple packet block: without a time."""
    return block(3, struct.pack(endian + "I", len(data)) + data + bytes(-len(data) % 4), endian)


def block(kind: int, body: bytes, endian: str = "<") -> bytes:
    """A pcapng block."""
    size = struct.pack(endian + "I", len(body) + 12)
    return struct.pack(endian + "I", kind) + size + body + size


def write_pcapng(path: Path, packets: Iterable[Timed], *, link: int = 1) -> Path:
    """Write a pcapng file with one interface; gzipped if its name ends so."""
    content = section() + interface(link) + b"".join(enhanced(at, data) for at, data in packets)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path
