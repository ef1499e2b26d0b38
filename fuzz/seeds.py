# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the corpus that fuzzing begins with: `python -m fuzz.seeds`, with `tests` on the path.

Made of what the tests make: small, well-formed more often than not, the same each time. A file is named by
its content, so that what an engine adds lies beside them.
"""

import hashlib
import random
import struct
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from property.test_wire import DATA, PACKETS, made_message
from scapy.layers.inet import GRE, ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_RA, IPv6, IPv6ExtHdrRouting
from scapy.layers.l2 import CookedLinux, CookedLinuxV2, Dot1Q, Ether
from scapy.layers.ntp import NTPHeader
from scapy.layers.sctp import SCTP, SCTPChunkInit
from scapy.packet import Packet, Raw
from unit import made_hellos as hellos
from unit import made_messages as messages
from unit import test_batched_queue as queue
from unit import test_conntrack as conntrack
from unit import test_nflog as nflog
from unit.made_dhcp import RELAY_FORWARD, dhcp, dhcp6, option, option6, relayed
from unit.made_traffic import START, enhanced, interface, section, simple, syn, write_pcap
from unit.test_http import GET
from unit.test_mdns import server, service, texts
from unit.test_odhcpd import FILE
from unit.test_rtnetlink import encoded
from unit.test_ssdp import ANSWER, RENDERER, UUID, notice
from unit.test_syn import LINUX

from fuzz.bad_dns import KINDS, bad_replies
from fuzz.odd_packets import RARE, WRONG, odd_packets
from fuzz.packet_maker import Ends
from smartrouter.core.effects import Pair
from smartrouter.core.events import Shortcut
from smartrouter.linux import pairs
from smartrouter.linux.netlink import attribute, nested
from smartrouter.linux.nfnetlink_packets import message

CORPUS = Path(__file__).with_name("corpus")
SOURCE, TARGET, QUERY = "192.168.0.10", "203.0.113.10", 0x0100
CONFIG = """\
config smartrouter 'main'
	option mode 'enforce'
	list network 'lan'
	list resolver '9.9.9.9'
config device
	option mac '3c:2e:ff:29:4d:93'
	option name 'Bob'\\''s TV'
config rule
	option device '*'
	option destination '*.netflix.com'
	option service 'web'
	option action 'deny'
	option until '2026-12-24T18:00:00Z'
config notify 'hook'
	option type 'webhook'
	option url 'https://hooks.example/x'
	option quiet_from '22:00'
	option quiet_to '07:00'
config web
	option listen 'lan'
"""
ODD_UCI = "package x\nconfig a b; option c \"d\\\"e\" # f\n\tlist g 'h\ni'\\\n'j'\nc k\no l m\n"
DNSMASQ = """\
1795363200 00:17:88:00:00:05 192.168.1.5 hue 01:00:17:88:00:00:05
1795363200 3c:2e:ff:29:4d:93 192.168.1.9 * *
duid 00:01:00:01:2b:5c:4d:3e:3c:2e:ff:29:4d:93
1795363200 708153733 fd00::5 hue 00:03:00:01:00:17:88:00:00:05
"""
UBUS = """{"device": {"br-lan": {"leases": [
 {"mac": "001788000005", "address": "192.168.1.5", "flags": ["bound"]},
 {"duid": "00030001001788000005", "hostname": "hue", "ipv6-addr": [{"address": "fd00::5"}]}]}}}"""
QUEUES = (
    "    0  11893     0 2  4016     0     0    48712  1\n    1  11894    12 2  4016     3     4        7  1\n"
)
REQUESTS = [
    b'{"do": "status"}',
    b'{"do": "allow", "device": "*", "destination": "*.one.example", "service": "web", "until": 1795363200}',
    b'{"do": "deny", "device": "3C-2E-FF-29-4D-93", "destination": "203.0.113.0/24", "by": "cli:root"}',
    b'{"do": "mode", "mode": "enforce", "device": "3c2eff294d93"}',
    b'{"do": "mute", "device": "3c:2e:ff:29:4d:93", "seconds": 3600}\n{"do": "pause", "seconds": 1e9}',
    b'{"do": "same", "device": "3c:2e:ff:29:4d:93", "other": "02:00:00:00:00:01"}',
    b'{"do": "learn", "device": "3c:2e:ff:29:4d:93", "finish": true}\n{"do": ["x"]}\n\xff',
]
LINES = [
    b'{"id": 7, "do": "configure", "with": {"a": [1, 2.5, null]}}',
    b'{"id": 7, "ok": {}}\n{"tell": "seen", "devices": []}\n{"beat": 1}\n',
    b'{"a": "\\ud800"}\n[1]\n{"x": NaN}\n' + b"[" * 200,
]


def ip_packets() -> Iterator[bytes]:
    """What a device may send, odd things among it."""
    four, six = IP(src=SOURCE, dst=TARGET), IPv6(src="2001:db8::9", dst="2001:db8::7")
    odd: list[Packet] = [
        four / GRE() / IP() / TCP(),
        four / IP(dst="198.51.100.1") / ICMP(),
        four / Raw(b"x" * 20),
        IP(src=SOURCE, dst=TARGET, proto=41) / six / TCP(dport=443),
        four / SCTP(dport=443) / SCTPChunkInit(),
        six / IPv6ExtHdrRouting(addresses=["2001:db8::1"]) / UDP(dport=53),
        six / ICMPv6ND_RA(),
        four / TCP(dport=443, flags="SFUP", options=LINUX),
        four / TCP(dport=443, flags="S", options=LINUX),
    ]
    yield from PACKETS
    yield from map(bytes, odd)


def replies_of_every_kind() -> Iterator[bytes]:
    """Each record that has a format of its own, a few to a message; options of EDNS."""
    asked = messages.question("api.cloud.example")
    records = [
        messages.record(messages.TO_QUESTION, kind, data) for kind, data in DATA if kind != messages.OPT
    ]
    for at in range(0, len(records), 8):
        yield messages.message([asked], records[at : at + 8])
    options = next(data for kind, data in DATA if kind == messages.OPT and data)
    yield messages.message([asked], additionals=[messages.record("", messages.OPT, options)])


def of_each_kind() -> tuple[list[bytes], list[bytes]]:
    """A packet of each kind of `odd_packets`, and a message of each of `bad_dns`."""
    ends = Ends((SOURCE, TARGET), ("2001:db8::9", "2001:db8::7"))
    packets = {odd.kind: odd.packet for odd in islice(odd_packets(ends), 2 * (len(RARE) + len(WRONG)))}
    messages = {bad.kind: bad.message for bad in islice(bad_replies("hostile.example"), len(KINDS))}
    return list(packets.values()), list(messages.values())


def in_segments(data: bytes, size: int) -> bytes:
    """As the targets of streams cut them."""
    parts = [(at, data[at : at + size]) for at in range(0, len(data), size)]
    return b"".join(struct.pack("!HB", at, len(part)) + part for at, part in parts)


def carried(data: bytes, port: int, source: str = SOURCE) -> bytes:
    """In a datagram over IPv4."""
    return bytes(IP(src=source, dst=TARGET) / UDP(sport=40000, dport=port) / Raw(data))


def seeds() -> dict[str, list[bytes]]:
    """Of each target."""
    chance = random.Random(9)
    odd, bad = of_each_kind()
    asked = messages.question("api.cloud.example")
    query = messages.message([asked], flags=QUERY)
    replies = [made_message(chance) for _ in range(12)]
    announcement = messages.message(
        [],
        [
            service("Lamp", "_hap._tcp"),
            server("Lamp._hap._tcp"),
            messages.record("Lamp._hap._tcp.local", 16, texts("md=Lamp", "id=1")),
        ],
    )
    tls = hellos.records(hellos.message(hellos.server_name(b"www.example.com"), hellos.protocols(b"h2")))
    discover = dhcp(option(12, b"lamp"), option(60, b"udhcp 1.3"), option(55, b"\1\3\6"))
    solicit = dhcp6(option6(1, b"\0\3\0\1\x02\0\x5e\0\x53\x2a"), option6(39, b"\0\4lamp\0"))
    told = [*ip_packets(), carried(query, 53), carried(replies[0], 53), carried(announcement, 5353)]
    told += [carried(discover, 67), carried(notice(f"NT: {RENDERER}"), 1900), carried(hellos.RFC_9001, 443)]
    frames = [bytes(Ether() / Dot1Q(vlan=7) / IP()), syn()]
    element = pairs.encode(Pair("02:00:00:00:00:01", TARGET, 6, 443), Shortcut.KNOWN)[1]
    return {
        "packet": [*ip_packets(), *frames, *odd],
        "cooked": [bytes(kind(src=b"123456") / IP()) for kind in (CookedLinux, CookedLinuxV2)],
        "dns": [query, *replies, *replies_of_every_kind(), messages.winding(2, 600), *bad],
        "dns_tcp": [in_segments(len(query).to_bytes(2, "big") + query, size) for size in (255, 9)],
        "hello": [tls, tls[5:], hellos.records(hellos.message(hellos.extension(hellos.ECH, b"x")), 20)],
        "server_name": [in_segments(tls, 60), in_segments(GET + b"Host: a.example\r\n\r\n", 30), *told[-2:]],
        "quic": [hellos.RFC_9001, hellos.RFC_9369],
        "http": [GET + b"Host: a.example\r\n\r\n", b"CONNECT a.example:443 HTTP/1.1\n\n"],
        "dhcp": [discover, solicit, relayed(solicit, 2), bytes([RELAY_FORWARD])],
        "mdns": [announcement, *replies[:3]],
        "ssdp": [notice(f"NT: {RENDERER}", f"USN: uuid:{UUID}"), notice(f"ST: {RENDERER}", start=ANSWER)],
        "syn": [each for each in ip_packets() if b"\x02\x04\x05\xb4" in each],
        "ntp": [bytes(NTPHeader(version=4, mode=3))],
        "netlink": [
            message(0xA0C, 0, attribute(3, nested(1, attribute(1, nested(1, attribute(1, element)))))),
            message(0x100, 0, conntrack.listed(conntrack.FLOWS[0])),
        ],
        "queued": [queue.packet(1), queue.packet(2, mac=b"") + queue.packet(3, mark=0)],
        "logged": [nflog.record(1), nflog.record(2) + nflog.record(3, prefix="blocked", mac=b"")],
        "rtnetlink": [
            encoded(NDA_DST="192.0.2.5", NDA_LLADDR="00:17:88:00:00:05"),
            encoded(29, family=10, NDA_DST="2001:db8::5", state=0x20) + encoded(family=7, NDA_VLAN=10),
            link_message(),
        ],
        "conntrack": [conntrack.PRINTED, *map(conntrack.listed, conntrack.FLOWS)],
        "queue_stats": [QUEUES.encode()],
        "uci": [CONFIG.encode(), ODD_UCI.encode()],
        "config": [CONFIG.encode(), ODD_UCI.encode()],
        "channel": LINES,
        "control": REQUESTS,
        "leases": [DNSMASQ.encode(), FILE.encode(), UBUS.encode()],
        "captures": [pcap(), section() + interface() + enhanced(START, syn()) + simple(syn())],
        "overheard": told,
        "dissection": told,
        "guard": [bytes([hook]) + packet for packet in told for hook in (0, 1)] + [b"\2" + told[-5]],
        "judge": [bytes(chance.choices(range(256), k=size)) for size in (60, 120, 240, 240)],
    }


def link_message() -> bytes:
    """A bridge's port, as the kernel tells of it."""
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

    link = ifinfmsg()
    link["header"]["type"] = 16
    link["index"], link["flags"] = 4, 0x11043
    link["attrs"] = [("IFLA_IFNAME", "lan1"), ("IFLA_ADDRESS", "02:00:00:00:00:04"), ("IFLA_MASTER", 3)]
    link.encode()
    return bytes(link.data)


def pcap() -> bytes:
    """A capture of one connection."""
    with tempfile.TemporaryDirectory() as folder:
        return write_pcap(
            Path(folder) / "x.pcap", [(START, syn()), (START + 1, syn(sequence=2))]
        ).read_bytes()


def write() -> int:
    """Write what is missing; gives the number of files."""
    written = 0
    for name, inputs in seeds().items():
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        for data in inputs:
            (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
            written += 1
    return written


if __name__ == "__main__":
    print(f"{write()} files in {CORPUS}")
    sys.exit()
