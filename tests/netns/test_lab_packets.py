# SPDX-License-Identifier: GPL-2.0-or-later
"""The odd packets are as odd as they claim: conntrack says what they are, and the other side gets them."""

from collections.abc import Callable
from time import monotonic

import pytest
from netns.guard_lab import eventually

from smartrouter.lab import packets
from smartrouter.lab.network import Network
from smartrouter.lab.plan import Way

pytestmark = pytest.mark.netns

SERVER = {4: "203.0.113.7", 6: "2001:db8::7"}

Make = Callable[[Way], bytes | list[bytes]]
# What, made how, for which versions, what conntrack calls it, how many packets leave the router.
PACKETS: list[tuple[str, Make, tuple[int, ...], str, int]] = [
    ("syn", lambda way: packets.syn(way, 443), (4, 6), "new", 1),
    ("syn with IP options", lambda way: packets.syn_with_ip_options(way, 443), (4, 6), "new", 1),
    ("syn behind a routing header", lambda way: packets.syn_behind_routing_header(way, 443), (6,), "new", 1),
    ("bare data", lambda way: packets.bare_data(way, 443), (4, 6), "new", 1),
    ("no flags", lambda way: packets.strange_flags(way, 443, ""), (4, 6), "invalid", 1),
    ("SYN and FIN", lambda way: packets.strange_flags(way, 443, "SF"), (4, 6), "invalid", 1),
    ("Christmas tree", lambda way: packets.strange_flags(way, 443, "FPU"), (4, 6), "invalid", 1),
    ("bad checksum", lambda way: packets.bad_checksum(way, 443), (4, 6), "invalid", 1),
    ("datagram", lambda way: packets.datagram(way, 9), (4, 6), "new", 1),
    ("fragments", lambda way: packets.fragments(way, 9), (4,), "new", 3),
    ("fragments", lambda way: packets.fragments(way, 9), (6,), "new", 2),
    ("tiny fragments", lambda way: packets.tiny_fragments(way, 443), (4,), "new", 1),
    ("echo", packets.echo, (4, 6), "new", 1),
    ("GRE", packets.gre, (4, 6), "new", 1),
    ("IP in IP", packets.ip_in_ip, (4, 6), "new", 1),
    ("echo reply", packets.echo_reply, (4, 6), "invalid", 1),
    ("half a TCP header", lambda way: packets.of_protocol(way, 6, bytes(8)), (4, 6), "invalid", 1),
    ("protocol 253", lambda way: packets.of_protocol(way, 253, b"?"), (4, 6), "new", 1),
    ("atomic fragment", lambda way: packets.atomic_fragment(way, 443), (6,), "new", 1),
    ("SCTP", lambda way: packets.sctp(way, 9), (4, 6), "new", 1),
]
CASES = [
    (name, make, version, state, count)
    for name, make, versions, state, count in PACKETS
    for version in versions
]


def counted(network: Network, state: str) -> int:
    """How many packets of connections in `state` the router has forwarded from its LAN."""
    listing = network.router.run(["nft", "list", "chain", "inet", "lab", "states"]).stdout
    line = next(line for line in listing.splitlines() if f"ct state {state}" in line)
    return int(line.split("packets ")[1].split()[0])


COUNTERS = """
table inet lab {
    chain states {
        type filter hook forward priority -10;
        iifname "br-lan" ct state new counter
        iifname "br-lan" ct state invalid counter
    }
}
"""


@pytest.fixture
def counting(network: Network) -> Network:
    """A lab whose router counts packets from its LAN by their state."""
    network.router.run(["nft", "-f", "-"], input=COUNTERS, check=True)
    return network


def test_odd_packets_cross_an_unguarded_router_and_are_what_they_claim(counting: Network) -> None:
    camera = counting.add_device("camera")
    assert all(camera.ping(server).ok for server in SERVER.values())
    with counting.internet.frames("wan") as wire:
        wire.settimeout(20.0)
        for name, make, version, state, count in CASES:
            before = counted(counting, state)
            made = make(counting.way_out(camera, SERVER[version]))
            camera.send(*([made] if isinstance(made, bytes) else made))
            end = monotonic() + 20.0
            arrived = 0
            while arrived < count and monotonic() < end:
                frame = wire.recv(4096)
                arrived += frame[:6] == bytes.fromhex("027700000001")
            assert arrived == count, f"{name}, IPv{version}"
            more = eventually(lambda: counted(counting, state) > before)  # noqa: B023 - used in this turn
            assert more, f"{name}, IPv{version}"


def test_a_forged_reply_reaches_the_device(network: Network) -> None:
    camera = network.add_device("camera")
    assert camera.ping(SERVER[4]).ok
    forged = packets.dns_reply(network.way_in("192.0.2.53", camera), "camera.example.net", "203.0.113.66")
    with camera.new_socket(2, 2) as sock:
        sock.bind(("", 40053))
        sock.settimeout(20.0)
        network.internet.send(forged, interface="wan")
        assert b"camera\x07example" in sock.recv(512)


def test_a_forged_query_is_answered_like_any_other(network: Network) -> None:
    camera = network.add_device("camera")
    query = packets.dns_query(network.way_out(camera, "192.0.2.53"), "camera.example.net")
    with camera.new_socket(2, 2) as sock:
        sock.bind(("", 40053))
        sock.settimeout(20.0)
        camera.send(query)
        assert sock.recv(512).endswith(bytes([203, 0, 113, 10]))
