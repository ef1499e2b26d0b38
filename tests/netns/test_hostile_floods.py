# SPDX-License-Identifier: GPL-2.0-or-later
"""Floods of what devices make up, MACs, addresses and names, and of packets as fast as they come: memory has
bounds, and other devices are served as before. ROUNDS=10 makes up a hundred thousand of each.
"""

import random
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest
from netns.guard_lab import STRANGER, Home, Resolver, eventually, learned_home
from netns.hostile_lab import Visits, assert_drained, judged, unharmed
from unit.made_dhcp import dhcp
from unit.made_messages import ipv4, message, question

from bench import frames, programs
from fuzz.packet_maker import TCP, UDP, Ends, Maker
from smartrouter.core.errors import Unavailable
from smartrouter.lab.hosts import Host
from smartrouter.lab.plan import IOT

pytestmark = [pytest.mark.netns, pytest.mark.timeout(600)]

MADE_UP = 10_000  # ROUNDS=10: a hundred thousand
MACS = [f"02:00:00:00:6b:{number:02x}" for number in range(24)]  # all on one wire, announced by the user
RESOLVER = "192.0.2.200"  # trusted, and in the test's hands
NOWHERE = "198.51.100.77"  # where nobody answers
RATE = 10_000  # frames a second of what is made up
BURST = 2_000  # frames that all go to the guard, before anybody looks whether they were judged
FASTEST = 50_000  # SYNs a second that one device sends, if the machine can
LIMIT, AT_ONCE = 500, 2000  # of one device that the kernel lets to the guard: a second, and at once
BROADCAST = "ff:ff:ff:ff:ff:ff"
_ARP = struct.Struct("!HHBBH6s4s6s4s")


@pytest.fixture(scope="session")
def sender(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program that puts frames on a wire."""
    try:
        return programs.build(tmp_path_factory.mktemp("programs"))["send"]
    except Unavailable as why:
        pytest.skip(str(why))


Pour = Callable[[Host, list[bytes], int, int], float]


@pytest.fixture
def pour(sender: str, tmp_path: Path) -> Pour:
    """`pour(host, frames, count, rate)`: put so many on its wire, over and over; gives how many a second."""

    def send(host: Host, sent: list[bytes], count: int, rate: int) -> float:
        path = tmp_path / "frames"
        path.write_bytes(frames.as_file(sent))
        number, seconds = programs.numbers(host, [sender, "eth0", path, str(count), str(rate)], 300.0)
        return number / seconds

    return send


@pytest.fixture(scope="module")
def house() -> Iterator[Home]:
    announced = [f"config device\n\toption mac '{mac}'\n\toption watch 'always'\n" for mac in MACS]
    main = f"config smartrouter 'main'\n\tlist resolver '{RESOLVER}'\n\tlist iot_network '{IOT.bridge}'\n"
    with learned_home({"max_size": "16M"}, main + "".join(announced)) as found:
        yield found


# -- what is made up ---------------------------------------------------------------------------------------


def framed(to: str, source: bytes, packet: bytes, kind: int = 0x0800) -> bytes:
    return bytes.fromhex(to.replace(":", "")) + source + struct.pack("!H", kind) + packet


def made_up_devices(count: int, chance: random.Random) -> Iterator[bytes]:
    """Of each two frames: what a new device would say, and what it should not."""
    for _ in range(count):
        mac = b"\x02" + chance.randbytes(5)
        own = f"192.168.78.{chance.randrange(20, 250)}"
        target = ".".join(map(str, (chance.randrange(1, 224), *chance.randbytes(3))))
        make = Maker(chance, Ends((own, target), ("fd78::9", "2001:db8::9")))
        query = message([question(f"{chance.randbytes(8).hex()}.example")], flags=0x0100)
        yield chance.choice((announced_by_arp, announced_by_dhcp, announced_by_mdns))(make, mac, own)
        if chance.random() < 0.5:
            yield framed(IOT.mac, mac, make.over(4, TCP, make.tcp()))
        else:
            forged = make.four(UDP, make.udp(query, 53), source=chance.choice((own, target)))
            yield framed(IOT.mac, mac, forged)


def announced_by_arp(make: Maker, mac: bytes, own: str) -> bytes:
    request = _ARP.pack(1, 0x0800, 6, 4, 1, mac, ipv4(own), bytes(6), ipv4(IOT.router4))
    return framed(BROADCAST, mac, request, 0x0806)


def announced_by_dhcp(make: Maker, mac: bytes, own: str) -> bytes:
    said = struct.pack("!HHHH", 68, 67, 8 + len(dhcp()), 0) + dhcp(mac=mac.hex(":"))
    packet = make.four(UDP, said, source="0.0.0.0", destination="255.255.255.255")
    return framed(BROADCAST, mac, packet)


def announced_by_mdns(make: Maker, mac: bytes, own: str) -> bytes:
    said = message([question(f"{make.chance.randbytes(8).hex()}.local")], flags=0)
    packet = make.four(UDP, make.udp(said, 5353), destination="224.0.0.251")
    return framed("01:00:5e:00:00:fb", mac, packet)


def stored(home: Home) -> int:
    """Bytes that the store takes."""
    return sum(file.stat().st_size for file in home.product.database.parent.glob("*.db*"))


@contextmanager
def answering(home: Home, chance: random.Random) -> Iterator[None]:
    """The resolver says of each name that it has another address."""
    over = Event()

    def answer(resolver: Resolver) -> None:
        while not over.is_set():
            try:
                data, peer = resolver.socket.recvfrom(2048)
            except TimeoutError:
                continue
            told = b"\xc0\x0c\0\1\0\1\0\0\x0e\x10\0\4\xc1" + chance.randbytes(3)
            resolver.socket.sendto(data[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + data[12:] + told, peer)

    with Resolver(home.internet, RESOLVER) as resolver:
        resolver.socket.settimeout(0.1)
        thread = Thread(target=answer, args=(resolver,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def queries(home: Home, count: int, chance: random.Random) -> list[bytes]:
    """Of random names, by as many devices as are announced."""
    ends = Ends((home.camera.ipv4, RESOLVER), (home.camera.ipv6, "2001:db8::9"))
    make, to = Maker(chance, ends), home.network.way_out(home.camera, RESOLVER).next_mac
    asked = (
        message([question(f"{chance.randbytes(10).hex()}.{chance.randbytes(3).hex()}.example")], flags=0x0100)
        for _ in range(count)
    )
    return [
        framed(to, mac_of(number), make.over(4, UDP, make.udp(query, 53)))
        for number, query in enumerate(asked)
    ]


def syns(home: Home, count: int, chance: random.Random, macs: int = len(MACS)) -> list[bytes]:
    """To random addresses and ports, by so many of the announced devices."""
    to = home.network.way_out(home.camera, NOWHERE).next_mac
    made = []
    for number in range(count):
        target = "198.{}.{}.{}".format(chance.choice((18, 19)), *chance.randbytes(2))
        make = Maker(chance, Ends((home.camera.ipv4, target), (home.camera.ipv6, "2001:db8::9")))
        syn = make.over(4, TCP, make.tcp(port=chance.randrange(1, 65536)))
        made.append(framed(to, mac_of(number % macs), syn))
    return made


def mac_of(number: int) -> bytes:
    return bytes.fromhex(MACS[number % len(MACS)].replace(":", ""))


def test_random_names_and_addresses_fill_nothing_and_are_in_nobodys_way(
    house: Home, rounds: Callable[[int], int]
) -> None:
    chance, count = random.Random(2), rounds(MADE_UP)
    asked, opened = queries(house, count, chance), syns(house, count, chance)
    before, visits = judged(house), Visits(house, house.tv)
    with unharmed(house), answering(house, chance), visits.going_on():
        for flood in (asked, opened):
            for start in range(0, count, BURST):
                house.camera.send(*flood[start : start + BURST])
                assert_drained(house)
    assert judged(house) - before > count, "much of it reaches the guard"
    assert stored(house) < (16 << 20) * 1.25


# -- as fast as they come ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "rest"), [("monitor", "over_limit_passed"), ("enforce", "over_limit_dropped")]
)
def test_of_a_flood_of_syns_the_kernel_lets_through_what_one_device_may(
    house: Home, pour: Pour, mode: str, rest: str, rounds: Callable[[int], int]
) -> None:
    house.mode(mode)
    flood, before = syns(house, 20_000, random.Random(3), macs=1), house.counters()
    sent, visits = rounds(20_000), Visits(house, house.tv)
    with unharmed(house), visits.going_on():
        begun = monotonic()
        pour(house.camera, flood, sent, FASTEST)
        took = monotonic() - begun
    after = house.counters()
    let_through = after["queued_flows"] - before["queued_flows"] - 2 * len(visits.waits)
    assert let_through <= AT_ONCE + LIMIT * (took + 1.0)
    assert after[rest] - before[rest] > sent // 2


def test_with_the_queue_of_connections_full_names_are_answered(
    house: Home, pour: Pour, rounds: Callable[[int], int]
) -> None:
    """All the announced devices at once, each as much as the kernel lets it."""
    flood = syns(house, 20_000, random.Random(4))
    asking = Visits(house, house.tv, connecting=False)
    with unharmed(house), asking.going_on():
        pour(house.camera, flood, rounds(20_000), FASTEST)


def test_with_the_queue_of_names_full_connections_are_judged(
    house: Home, pour: Pour, rounds: Callable[[int], int]
) -> None:
    house.mode("monitor")
    flood = queries(house, 20_000, random.Random(5))
    connecting = Visits(house, house.tv, STRANGER[0])  # which it has not learned: each is judged
    with unharmed(house), connecting.going_on():
        pour(house.camera, flood, rounds(20_000), FASTEST)


# -- the last one: its devices stay -------------------------------------------------------------------------


def test_made_up_macs_and_addresses_fill_nothing_and_are_in_nobodys_way(
    house: Home, pour: Pour, rounds: Callable[[int], int]
) -> None:
    chance, visits = random.Random(1), Visits(house, house.tv)
    flood = list(made_up_devices(rounds(MADE_UP), chance))
    with unharmed(house), visits.going_on():
        pour(house.printer, flood, len(flood), RATE)
    devices = house.status()["guard"]["devices"]
    assert devices["watched"] <= 2048, devices
    assert house.product.rows("SELECT count(*) FROM devices")[0][0] <= 4096
    assert stored(house) < (16 << 20) * 1.25
    house.visit(house.tv, "stranger.example")
    assert eventually(lambda: "stranger.example" in {name for _, name in house.told(house.tv)})
