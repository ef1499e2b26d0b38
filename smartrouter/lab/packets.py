# SPDX-License-Identifier: GPL-2.0-or-later
"""Odd packets, as Ethernet frames: what no well-behaved program sends, and every guard must stand.

Each function gives the bytes to put on a wire with `Host.send`; scapy makes them. Where the kernel has a
name for the kind of packet (conntrack's `new` or `invalid`), it is given. Nothing is sent from here.
A `Way` comes from `Network.way_out` or `Network.way_in`.
"""

import logging

from smartrouter.lab.plan import Way

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)  # it complains of interfaces without addresses

from scapy.layers.dns import DNS, DNSQR, DNSRR  # noqa: E402
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment  # noqa: E402
from scapy.layers.inet6 import (  # noqa: E402
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    fragment6,
)
from scapy.layers.l2 import GRE, Ether  # noqa: E402
from scapy.layers.sctp import SCTP, SCTPChunkInit  # noqa: E402
from scapy.packet import Packet, Raw  # noqa: E402


def syn(way: Way, port: int, source_port: int = 40000, sequence: int = 1000) -> bytes:
    """A TCP SYN with the options that Linux sends."""
    options = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 7)]
    segment = TCP(sport=source_port, dport=port, flags="S", seq=sequence, options=options)
    return _frame(way, segment)


def syn_with_data(way: Way, port: int, data: bytes, source_port: int = 40011) -> bytes:
    """A SYN that brings data along, as with TCP Fast Open (RFC 7413)."""
    return _frame(way, TCP(sport=source_port, dport=port, flags="S", seq=1000) / Raw(data))


def syn_with_ip_options(way: Way, port: int, source_port: int = 40001) -> bytes:
    """A SYN behind IPv4 options (a router alert), or IPv6 hop-by-hop and destination options."""
    segment = TCP(sport=source_port, dport=port, flags="S", seq=1)
    if way.version == 4:
        return bytes(
            _ether(way) / IP(src=way.source, dst=way.destination, options=[b"\x94\x04\x00\x00"]) / segment
        )
    return _frame(way, IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / segment)


def syn_behind_routing_header(way: Way, port: int, source_port: int = 40002) -> bytes:
    """IPv6 only: a SYN behind a routing header with nothing left to route (RFC 8200 section 4.4)."""
    return _frame(way, IPv6ExtHdrRouting(segleft=0) / TCP(sport=source_port, dport=port, flags="S", seq=1))


def bare_data(way: Way, port: int, source_port: int = 40003, data: bytes = b"hello") -> bytes:
    """PSH and ACK with data, of a connection that never began: `new` to conntrack, and no SYN."""
    return _frame(way, TCP(sport=source_port, dport=port, flags="PA", seq=5, ack=5) / Raw(data))


def strange_flags(way: Way, port: int, flags: str, source_port: int = 40004) -> bytes:
    """TCP with flags that belong together in no connection ("", "SF", "FPU"): `invalid` to conntrack."""
    return _frame(way, TCP(sport=source_port, dport=port, flags=flags, seq=1))


def bad_checksum(way: Way, port: int, source_port: int = 40005) -> bytes:
    """A SYN whose TCP checksum is wrong: `invalid` to conntrack."""
    return _frame(way, TCP(sport=source_port, dport=port, flags="S", seq=1, chksum=0xBAD0))


def datagram(way: Way, port: int, data: bytes = b"hello", source_port: int = 40006) -> bytes:
    """A UDP datagram."""
    return _frame(way, UDP(sport=source_port, dport=port) / Raw(data))


def fragments(way: Way, port: int, source_port: int = 40007, size: int = 1800) -> list[bytes]:
    """A UDP datagram of `size` bytes in fragments. Conntrack puts them together before any queue."""
    payload = UDP(sport=source_port, dport=port) / Raw(b"f" * size)
    if way.version == 4:
        pieces = fragment(_network(way) / payload, fragsize=800)
    else:
        whole = _network(way) / IPv6ExtHdrFragment() / payload
        pieces = fragment6(whole, 1000)
    return [bytes(_ether(way) / piece) for piece in pieces]


def tiny_fragments(way: Way, port: int, source_port: int = 40008) -> list[bytes]:
    """IPv4 only: a SYN whose ports and flags are in different fragments (RFC 1858)."""
    whole = _network(way) / TCP(sport=source_port, dport=port, flags="S", seq=1)
    return [bytes(_ether(way) / piece) for piece in fragment(whole, fragsize=8)]


def echo(way: Way) -> bytes:
    """An ICMP or ICMPv6 echo request."""
    return _frame(way, ICMP() if way.version == 4 else ICMPv6EchoRequest())


def echo_reply(way: Way) -> bytes:
    """An ICMP or ICMPv6 echo reply that nobody asked for: `invalid` to conntrack."""
    return _frame(way, ICMP(type=0) if way.version == 4 else ICMPv6EchoReply())


def gre(way: Way) -> bytes:
    """A GRE packet with IPv4 inside: `new`, and without ports."""
    return _frame(way, GRE() / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=1))


def ip_in_ip(way: Way) -> bytes:
    """IPv4 in IPv4, or in IPv6: `new`, and without ports."""
    return _frame(way, IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=1))


def sctp(way: Way, port: int, source_port: int = 40009) -> bytes:
    """An SCTP INIT."""
    return _frame(way, SCTP(sport=source_port, dport=port) / SCTPChunkInit(init_tag=1))


def atomic_fragment(way: Way, port: int, source_port: int = 40010) -> bytes:
    """IPv6 only: a whole SYN behind a fragment header (RFC 6946)."""
    return _frame(way, IPv6ExtHdrFragment() / TCP(sport=source_port, dport=port, flags="S", seq=1))


def of_protocol(way: Way, protocol: int, data: bytes) -> bytes:
    """`data` straight in IP, as `protocol` (IANA number): what it should look like is nobody's business."""
    network = _network(way)
    if way.version == 4:
        network.proto = protocol
    else:
        network.nh = protocol
    return bytes(_ether(way) / network / Raw(data))


def dns_query(way: Way, name: str, ident: int = 4711, source_port: int = 40053, kind: str = "A") -> bytes:
    """A DNS query over UDP."""
    message = DNS(id=ident, rd=1, qd=DNSQR(qname=name, qtype=kind))
    return _frame(way, UDP(sport=source_port, dport=53) / message)


def dns_reply(
    way: Way,
    name: str,
    address: str,
    ident: int = 4711,
    port: int = 40053,
    ttl: int = 300,
    source_port: int = 53,
) -> bytes:
    """A DNS reply over UDP: forged, wherever nobody asked `way.source` for `name`."""
    kind = "AAAA" if ":" in address else "A"
    message = DNS(
        id=ident,
        qr=1,
        ra=1,
        qd=DNSQR(qname=name, qtype=kind),
        an=DNSRR(rrname=name, type=kind, rdata=address, ttl=ttl),
    )
    return _frame(way, UDP(sport=source_port, dport=port) / message)


def _ether(way: Way) -> Packet:
    return Ether(src=way.mac, dst=way.next_mac)


def _network(way: Way) -> Packet:
    return (IPv6 if way.version == 6 else IP)(src=way.source, dst=way.destination)


def _frame(way: Way, payload: Packet) -> bytes:
    return bytes(_ether(way) / _network(way) / payload)
