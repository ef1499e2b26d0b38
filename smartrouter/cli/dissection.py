# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands in a packet, layer by layer, in words of ours: scapy takes it apart.

Every byte may be an attacker's. What is said here is inert text, whatever the packet holds; one that nobody
can take apart is said to be so.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from scapy.config import conf
from scapy.layers.dns import DNS, dnsclasses, dnstypes
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import NoPayload, Packet, Raw

from smartrouter.core.errors import BadPacket
from smartrouter.terminal import inert
from smartrouter.wire.packet import parse_ip
from smartrouter.wire.server_name import FirstData

MAX_RECORDS = 16  # of a DNS message that are shown
MAX_TEXT = 200  # characters of one line
_PREVIEW = 48  # bytes of data that nobody can read
_RCODES = {0: "no error", 1: "format error", 2: "server failure", 3: "no such name", 4: "not implemented",
           5: "refused"}  # fmt: skip


class Layer(NamedTuple):
    """`name`: as `IPv4`, `TCP`, `DNS`; `text`: inert."""

    name: str
    text: str


def dissect(packet: bytes) -> list[Layer]:
    """The layers of `packet`, which begins with its IP header. Raises nothing."""
    conf.debug_dissector = False
    try:
        layers = list(_layers(packet))
    except Exception as error:  # scapy raises whatever its fields do
        layers = [("data", f"{len(packet)} bytes that cannot be taken apart ({type(error).__name__})")]
    return [Layer(name, _short(inert(text))) for name, text in layers]


def _layers(packet: bytes) -> Iterator[tuple[str, str]]:
    layer: Any = (IPv6 if packet[:1] >= b"\x60" else IP)(packet)
    while not isinstance(layer, NoPayload):
        if isinstance(layer, Raw):
            yield from _data(packet, bytes(layer.load))
        elif isinstance(layer, DNS):
            yield from _dns(layer)
            return
        elif type(layer) in _SAYS:
            name, says = _SAYS[type(layer)]
            yield name, says(layer)
        else:
            yield layer.name, layer.mysummary() if hasattr(layer, "mysummary") else ""
        layer = layer.payload


_SAYS: dict[type[Packet], tuple[str, Callable[[Any], str]]] = {
    IP: ("IPv4", lambda ip: f"{ip.src} → {ip.dst}, {ip.len} bytes, TTL {ip.ttl}"),
    IPv6: ("IPv6", lambda ip: f"{ip.src} → {ip.dst}, {ip.plen + 40} bytes, hop limit {ip.hlim}"),
    TCP: (
        "TCP",
        lambda tcp: f"{tcp.sport} → {tcp.dport}, flags {tcp.flags}, sequence {tcp.seq}, window {tcp.window}",
    ),
    UDP: ("UDP", lambda udp: f"{udp.sport} → {udp.dport}, {udp.len} bytes"),
    ICMP: ("ICMP", lambda icmp: f"type {icmp.type}, code {icmp.code}"),
}


def _dns(message: Any) -> Iterator[tuple[str, str]]:
    what = f"answer, {_RCODES.get(message.rcode, f'error {message.rcode}')}" if message.qr else "question"
    asked = ", ".join(
        f"{_name(each.qname)} {dnstypes.get(each.qtype, each.qtype)}"
        + ("" if each.qclass == 1 else f" {dnsclasses.get(each.qclass, each.qclass)}")
        for each in _records(message.qd)
    )
    yield "DNS", f"{what}, id {message.id}: {asked or 'nothing asked'}"
    for each in _records(message.an):
        data = getattr(each, "rdata", "")
        text = _name(data) if isinstance(data, bytes) else str(data)
        kind = dnstypes.get(each.type, each.type)
        yield "", f"{_name(each.rrname)} {kind} {text} (for {getattr(each, 'ttl', 0)} s)"


def _records(field: Any) -> list[Any]:
    """scapy 2.6 has a list there, earlier ones a chain."""
    if field is None:
        return []
    if isinstance(field, list):
        return field[:MAX_RECORDS]
    found: list[Any] = []
    while not isinstance(field, NoPayload) and len(found) < MAX_RECORDS:
        found.append(field)
        field = field.payload
    return found


def _name(name: object) -> str:
    text = name.decode("latin-1") if isinstance(name, bytes) else str(name)
    return text.removesuffix(".") or "."


def _data(packet: bytes, data: bytes) -> Iterator[tuple[str, str]]:
    """What a connection carries: the server's name, if it is a hello, else how it begins."""
    try:
        read = parse_ip(packet)
        said = FirstData(read).feed(read, packet)
    except BadPacket:
        said = None
    if said is not None and (said.name or said.encrypted):
        hidden = ", perhaps not the true one: a name is encrypted in it" if said.encrypted else ""
        yield said.by.upper(), f"hello to {said.name or 'a server that it does not name'}{hidden}"
        return
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data[:_PREVIEW])
    yield "data", f"{len(data)} bytes: {text}{'…' if len(data) > _PREVIEW else ''}"


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
