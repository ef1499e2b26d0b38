# SPDX-License-Identifier: GPL-2.0-or-later
"""Odd packets and bad replies, made on purpose (`fuzz`), through the queues of the real guard: it judges all
that the kernel hands over, no part of it ends or grows, and others are served meanwhile.

ROUNDS=9 sends all that the generators promise: 49,000 packets and 13,000 messages, with either reader.
"""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from random import Random
from typing import NamedTuple, TypeAlias

import dns.message
import pytest
from netns.guard_lab import PATIENCE, Asked, Home, Resolver, eventually, learned_home, query
from netns.hostile_lab import Visits, assert_drained, judged, unharmed

from fuzz.bad_dns import Bad, bad_replies
from fuzz.odd_packets import odd_packets
from fuzz.packet_maker import UDP, Ends, Maker
from smartrouter.lab.hosts import Host
from smartrouter.lab.plan import HOME

pytestmark = pytest.mark.netns

PACKETS, MESSAGES = 5_500, 1_500
MACS = [f"02:00:00:00:6b:{number:02x}" for number in range(24)]  # all on one wire, announced by the user
TARGET = ("198.51.100.77", "2001:db8:77::77")
RESOLVER = "192.0.2.200"  # trusted, and in the test's hands
DOMAIN = "hostile.example"  # of which the router's dnsmasq asks that resolver
BURST = 1_000  # frames that are sent before anybody looks whether they were judged
ASKERS = 8  # devices, so that each may ask all it has to ask at once
TOGETHER = 16  # questions of each that are open at once


@pytest.fixture(scope="module", params=["netfilterqueue", "netlink"])
def house(request: pytest.FixtureRequest) -> Iterator[Home]:
    announced = [f"config device\n\toption mac '{mac}'\n\toption watch 'always'\n" for mac in MACS]
    more = f"config smartrouter 'main'\n\tlist resolver '{RESOLVER}'\n" + "".join(announced)
    resolving = [f"server=/{DOMAIN}/{RESOLVER}", "dns-forward-max=10000", "cache-size=0"]
    with learned_home({"reader": request.param}, more, resolving=resolving) as found:
        yield found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", ["monitor", "enforce"])
def test_odd_packets_end_nothing_and_keep_nobody_waiting(
    house: Home, mode: str, rounds: Callable[[int], int]
) -> None:
    """Half of them in either mode, from a wire with as many devices as it takes to fit into their limits."""
    house.mode(mode)
    way = house.network.way_out(house.camera, TARGET[0])
    ends = Ends((house.camera.ipv4, TARGET[0]), (house.camera.ipv6, TARGET[1]))
    odd = list(islice(odd_packets(ends, seed=len(mode)), rounds(PACKETS) // 2))
    frames = [frame(way.next_mac, MACS[number % len(MACS)], each.packet) for number, each in enumerate(odd)]
    before, visits = judged(house), Visits(house, house.tv)
    with unharmed(house), visits.going_on():
        for start in range(0, len(frames), BURST):
            house.camera.send(*frames[start : start + BURST])
            assert_drained(house)
    assert judged(house) - before > len(frames) // 4, "much of it reaches the guard"
    lost = [(queue["dropped"], queue["user_dropped"]) for queue in house.status()["queues"].values()]
    assert not any(map(any, lost)), lost


def frame(to: str, source: str, packet: bytes) -> bytes:
    """On Ethernet, as what it says it is; no longer than the wire takes."""
    kind = "86dd" if packet[:1] and packet[0] >> 4 == 6 else "0800"
    return (bytes.fromhex(f"{to}{source}".replace(":", "") + kind) + packet)[:1514]


# -- replies -----------------------------------------------------------------------------------------------


class Asker(NamedTuple):
    """A device, and a socket on which it asks."""

    device: Host
    socket: socket.socket


@pytest.fixture(scope="module")
def devices(house: Home) -> list[Host]:
    """As many as it takes for each to ask all it has to within its first burst."""
    return [house.network.add_device(f"asker{number}", mac=MACS[number]) for number in range(ASKERS)]


@pytest.fixture
def askers(devices: list[Host]) -> Iterator[list[Asker]]:
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(device.new_socket(socket.AF_INET, socket.SOCK_DGRAM)) for device in devices
        ]
        for sock in sockets:
            sock.bind(("", 0))
            sock.settimeout(PATIENCE)
        yield list(map(Asker, devices, sockets))


def outside(house: Home, resolver: Resolver, asker: Asker, replies: list[Bad]) -> None:
    """Asked directly, a resolver of the Internet answers. What it says arrives, whatever it is."""
    for reply, asked in exchange(resolver, asker, RESOLVER, replies):
        resolver.say(asked, reply.message)
        assert asker.socket.recv(65535) == reply.message


def through_dnsmasq(house: Home, resolver: Resolver, asker: Asker, replies: list[Bad]) -> None:
    """The router's dnsmasq is told so, and makes of it what it does."""
    for reply, asked in exchange(resolver, asker, HOME.router4, replies):
        ident = int.from_bytes(reply.message[:2], "big") ^ reply.ident ^ asked.ident
        resolver.say(asked, ident.to_bytes(2, "big") + reply.message[2:])


def as_dnsmasq(house: Home, resolver: Resolver, asker: Asker, replies: list[Bad]) -> None:
    """The router itself says so, from its port 53, while dnsmasq still waits."""
    make = Maker(Random(1), Ends((HOME.router4, asker.device.ipv4), (HOME.router6, asker.device.ipv6)))
    port = asker.socket.getsockname()[1]
    with house.router.new_socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as router:
        for reply, _ in exchange(resolver, asker, HOME.router4, replies):
            message = reply.message[:1400]
            segment = struct.pack("!HHHH", 53, port, 8 + len(message), 0) + message
            router.sendto(make.four(UDP, make.summed(4, UDP, segment)), (asker.device.ipv4, 0))
            assert asker.socket.recv(65535) == message


def exchange(resolver: Resolver, asker: Asker, server: str, replies: list[Bad]) -> list[tuple[Bad, Asked]]:
    """Ask for all of them; gives each with the query that reached the resolver. dnsmasq may ask again."""
    for reply in replies:
        asker.socket.sendto(query(reply.name, ident=reply.ident), (server, 53))
    asked: dict[str, Asked] = {}
    while not all(reply.name in asked for reply in replies):
        taken = resolver.take()
        asked[name_in(taken.data)] = taken
    return [(reply, asked[reply.name]) for reply in replies]


def name_in(query: bytes) -> str:
    """What it asks for."""
    return dns.message.from_wire(query).question[0].name.to_text(omit_final_dot=True)


Way: TypeAlias = Callable[[Home, Resolver, Asker, list[Bad]], None]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("way", [outside, through_dnsmasq, as_dnsmasq])
def test_bad_replies_end_nothing_name_nothing_else_and_keep_nobody_waiting(
    house: Home, askers: list[Asker], way: Way, rounds: Callable[[int], int]
) -> None:
    house.mode("enforce")
    domain, number = f"{way.__name__.replace('_', '-')}.{DOMAIN}", rounds(MESSAGES) // 3
    replies, visits = list(islice(bad_replies(domain), number)), Visits(house, house.tv)
    with unharmed(house), Resolver(house.internet, RESOLVER) as resolver, visits.going_on():
        for start in range(0, number, TOGETHER):
            asker = askers[start // TOGETHER % ASKERS]
            way(house, resolver, asker, replies[start : start + TOGETHER])
    asked = {reply.name for reply in replies}

    def told() -> set[str]:
        names = house.product.rows("SELECT DISTINCT name FROM names WHERE name LIKE ?", f"%{domain}")
        return {name for (name,) in names}

    assert eventually(lambda: len(told()) > number // 50), "some only look odd"
    assert told() <= asked
