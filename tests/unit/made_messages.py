# SPDX-License-Identifier: GPL-2.0-or-later
"""Made-up DNS messages, byte by byte: also such as no library would write; and those in the captures."""

import struct
from collections.abc import Sequence
from pathlib import Path

from scapy.utils import RawPcapReader

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, SRV = 1, 2, 5, 6, 12, 15, 16, 28, 33
DNAME, OPT, SVCB, HTTPS, TSIG, ANY_TYPE = 39, 41, 64, 65, 250, 255
IN, CH, NONE, ANY = 1, 3, 254, 255
REPLY, TRUNCATED = 0x8000, 0x0200
UPDATE = 5 << 11
_UDP = 17
TO_QUESTION = b"\xc0\x0c"  # a pointer to the first question's name


def name(text: str) -> bytes:
    """A name of plain labels, uncompressed; '' is the root."""
    labels = [label.encode("latin-1") for label in text.split(".")] if text else []
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def question(text: str = "dev.example", kind: int = A, klass: int = IN) -> bytes:
    return name(text) + struct.pack("!HH", kind, klass)


def record(owner: bytes | str, kind: int, data: bytes, klass: int = IN, ttl: int = 60) -> bytes:
    wire = owner if isinstance(owner, bytes) else name(owner)
    return wire + struct.pack("!HHIH", kind, klass, ttl, len(data)) + data


def message(
    questions: Sequence[bytes] = (),
    answers: Sequence[bytes] = (),
    authorities: Sequence[bytes] = (),
    additionals: Sequence[bytes] = (),
    flags: int = REPLY,
    ident: int = 7,
) -> bytes:
    counts = (len(questions), len(answers), len(authorities), len(additionals))
    return struct.pack("!6H", ident, flags, *counts) + b"".join(
        [*questions, *answers, *authorities, *additionals]
    )


def ipv4(text: str) -> bytes:
    return bytes(map(int, text.split(".")))


def parameters(*values: tuple[int, bytes]) -> bytes:
    """Of an SVCB or HTTPS record: key and value each."""
    return b"".join(struct.pack("!HH", key, len(value)) + value for key, value in values)


def winding(names: int, room: int = 14000) -> bytes:
    """Long names, each at the end of a long chain of pointers, which take `room` bytes or a little more."""
    blob = bytearray()
    starts: list[int] = []
    base = len(message([question()])) + len(record("", 65400, b""))
    while len(blob) < room:
        last = base + len(blob)
        blob += b"\1a" * 120 + b"\0"
        for _ in range(14):
            blob += struct.pack("!H", 0xC000 | last)
            last = base + len(blob) - 2
        starts.append(last)
    owners = [b"\1b" + struct.pack("!H", 0xC000 | starts[i % len(starts)]) for i in range(names)]
    return message(
        [question()], [record("", 65400, bytes(blob)), *[record(owner, A, bytes(4)) for owner in owners]]
    )


def dns_messages(shared: Path) -> set[bytes]:
    """What the captures hold of UDP from or to the ports of DNS and of multicast DNS, over IPv4."""
    messages = set()
    for capture in sorted(shared.glob("traces/*/*.pcap.gz")):
        for frame, _ in RawPcapReader(str(capture)):
            if frame[12:14] != b"\x08\x00" or frame[23] != _UDP:
                continue
            start = 14 + (frame[14] & 0x0F) * 4
            source, destination, length = struct.unpack_from("!HHH", frame, start)
            if {source, destination} & {53, 5353}:
                messages.add(bytes(frame[start + 8 : start + length]))
    return messages


# One well-formed example of each type that has a format, as zone files write it.
RECORDS_AS_TEXT = {
    "A": "203.0.113.1",
    "AAAA": "2001:db8::1",
    "AFSDB": "1 a.",
    "AMTRELAY": "10 1 3 a.",
    "APL": "1:192.168.32.0/21 !1:192.168.38.0/28 2:ff00::/8",
    "AVC": '"a"',
    "BRID": "AQMF",
    "CAA": '0 issue "ca.example"',
    "CDNSKEY": "512 255 1 AQMF",
    "CDS": "1 1 2 " + "ab" * 32,
    "CERT": "1 1 1 AQMF",
    "CNAME": "a.example.",
    "CSYNC": "1 3 A NS",
    "DHCID": "AAIB",
    "DLV": "1 1 1 " + "ab" * 20,
    "DNAME": "t.",
    "DNSKEY": "512 255 1 AQMF",
    "DS": "1 1 4 " + "ab" * 48,
    "EUI48": "00-00-5e-00-53-2a",
    "EUI64": "00-00-5e-ef-10-00-00-2a",
    "GPOS": "-22.6882 116.8652 250.0",
    "HHIT": "AQMF",
    "HINFO": "a b",
    "HIP": "2 200100107B1A74DF365639CC39F1D578 AwEAAbdxyhNu r.s. t.",
    "HTTPS": "1 foo. alpn=h2 no-default-alpn port=443 ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1",
    "IPSECKEY": "10 3 2 gateway. AQNR",
    "ISDN": '"a" "b"',
    "KEY": "512 255 1 AQMF",
    "KX": "1 a.",
    "L32": "1 10.1.2.0",
    "L64": "1 2001:0DB8:1140:1000",
    "LOC": "60 9 0.000 N 24 39 0.000 E 10.00m 20m 2000m 20m",
    "LP": "1 a.",
    "MX": "10 mx.",
    "NAPTR": '1 2 "a" "b" "c" d.',
    "NID": "1 0014:4fff:ff20:ee64",
    "NINFO": '"a"',
    "NS": "ns1.example.",
    "NSAP": "0x47",
    "NSAP-PTR": "foo.",
    "NSEC": "a. A MX TYPE1234",
    "NSEC3": "1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS",
    "NSEC3PARAM": "1 1 12 aabb",
    "OPENPGPKEY": "AQMF",
    "PTR": "x.",
    "PX": "1 a. b.",
    "RESINFO": '"a"',
    "RP": "a. b.",
    "RRSIG": "A 1 3 3600 20200101000000 20300101000000 2143 foo. MxFcby9k",
    "RT": "1 a.",
    "SIG": "NSEC 1 3 3600 20200101000000 20300101000000 2143 foo. MxFcby9k",
    "SMIMEA": "3 1 2 " + "ab" * 64,
    "SOA": "ns. root. 1 2 3 4 5",
    "SPF": '"x"',
    "SRV": "1 2 3 a.",
    "SSHFP": "1 1 " + "ab" * 20,
    "SVCB": '2 . mandatory=alpn,port alpn="h2,h3" port=53 key667=abc',
    "TLSA": "3 1 1 " + "ab" * 32,
    "TXT": '"abc" "def"',
    "URI": '1 2 "http://a"',
    "WALLET": '"a" "b"',
    "WKS": "10.0.0.1 6 25",
    "X25": "123",
    "ZONEMD": "1 1 1 " + "ab" * 48,
}
