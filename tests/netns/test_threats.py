# SPDX-License-Identifier: GPL-2.0-or-later
"""Threats of docs/threats.md that are about whole classes of packets, and about who somebody is."""

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain, combinations, islice, product
from time import sleep

import pytest
from netns.guard_lab import (
    CAMERA,
    KNOWN,
    PATIENCE,
    STRANGER,
    TV,
    VERSIONS,
    Home,
    eventually,
    home,
    learned_home,
)
from scapy.layers.inet import TCP
from scapy.layers.inet6 import (
    ICMPv6ND_RA,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.layers.l2 import Ether

from fuzz import corpus
from fuzz.mutation import mutations
from smartrouter.lab import packets, traffic
from smartrouter.lab.hosts import Host
from smartrouter.lab.plan import HOME, IOT, Way
from smartrouter.lab.traffic import Result

pytestmark = pytest.mark.netns

TARGET = ("198.51.100.77", "2001:db8:77::77")
BURST = 100  # frames that a device sends before it waits for them to be judged: less than its limit
FLAGS = "FSRPAUEC"


@pytest.fixture(scope="module")
def house() -> Iterator[Home]:
    """Camera and TV are protected, in enforce mode."""
    with learned_home() as running:
        yield running


def way(found: Home, version: int, source: str = "") -> Way:
    return found.network.way_out(found.camera, TARGET[version == 6], source=source)


def leaked(found: Home, device: Host, frames: list[bytes]) -> list[bytes]:
    """What of these frames reaches the wire to the Internet, once all of them were judged."""
    with found.wire() as wire:
        for at in range(0, len(frames), BURST):
            device.send(*frames[at : at + BURST])
            found.barrier(found.camera)
        sleep(0.2)
        return [frame for address in TARGET for frame in wire.to(address)]


def of_every_protocol(found: Home, version: int) -> list[bytes]:
    """Tunnels among them: IP in IP (4), 6in4 (41), GRE (47), ESP (50), L2TP (115), SCTP (132)."""
    data = b"\x45\0\0\x1c" + bytes(8) + b"\x0a\0\0\1\x0a\0\0\2" + bytes(20)
    return [packets.of_protocol(way(found, version), number, data) for number in range(256)]


@pytest.mark.parametrize("version", VERSIONS)
def test_no_protocol_number_is_a_way_out(house: Home, version: int) -> None:
    assert leaked(house, house.camera, of_every_protocol(house, version)) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_known_address_is_no_way_out_for_a_tunnel(house: Home, version: int) -> None:
    """Known is the service, too: what the camera knows as `web` it reaches by nothing else."""
    known = KNOWN[version == 6]
    road = way(house, version)._replace(destination=known)
    data = b"\x45\0\0\x1c" + bytes(8) + b"\x0a\0\0\1\x0a\0\0\2" + bytes(20)
    frames = [
        packets.gre(road),
        packets.sctp(road, 443),
        packets.datagram(road, 5683),
        packets.syn(road, 22),
        *(packets.of_protocol(road, number, data) for number in (4, 41, 47, 50, 115, 132)),
    ]
    with house.wire() as wire:
        house.camera.send(*frames)
        house.barrier(house.camera)
        sleep(0.2)
        assert wire.to(known) == []
        house.camera.send(packets.syn(road, 443, source_port=44200))
        assert eventually(lambda: wire.to(known)), "by what it knows it does"


def test_a_privacy_address_neither_frees_a_device_nor_keeps_it_from_what_it_knows(house: Home) -> None:
    """RFC 8981: a device makes itself new addresses as it likes; its MAC is what counts."""
    camera = house.camera
    for number in range(3):
        address = f"{house.camera.ipv6.rpartition('::')[0]}::4d2:{number + 1}"
        camera.ip(f"addr add {address}/64 dev eth0 nodad preferred_lft 0")  # used where it is asked for
        try:
            for target, result in ((KNOWN[1], Result.CONNECTED), (STRANGER[1], Result.REFUSED)):
                with camera.new_socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
                    sock.bind((address, 0))
                    assert traffic.connect(sock, target, 443, PATIENCE).result == result
            for target, verdict in ((KNOWN[1], "accepted"), (STRANGER[1], "blocked")):
                stored = partial(verdicts, house, target, address)
                assert eventually(stored), "recorded as the camera's"
                assert stored() == {verdict}
        finally:
            camera.ip(f"addr del {address}/64 dev eth0")


def verdicts(found: Home, target: str, source: str) -> set[str]:
    """What became of the camera's attempts to get from `source` to `target`, as far as they are stored."""
    return {each["verdict"] for each in found.attempts(found.camera, target) if each["source"] == source}


@pytest.mark.parametrize("version", VERSIONS)
def test_no_combination_of_tcp_flags_is_a_way_out(house: Home, version: int) -> None:
    every = chain.from_iterable(combinations(FLAGS, size) for size in range(len(FLAGS) + 1))
    frames = [
        packets.strange_flags(way(house, version), 443, "".join(flags), source_port=42000 + number)
        for number, flags in enumerate(every)
    ]
    assert len(frames) == 256
    assert leaked(house, house.camera, frames) == []


def behind_every_chain(found: Home) -> list[bytes]:
    """A SYN behind each order of up to three extension headers."""
    headers = [
        IPv6ExtHdrHopByHop(options=[PadN(optdata=b"")]),
        IPv6ExtHdrDestOpt(options=[PadN(optdata=b"")]),
        IPv6ExtHdrRouting(addresses=[]),
        IPv6ExtHdrFragment(),
    ]
    road = way(found, 6)
    frames = []
    for number, some in enumerate(chain.from_iterable(product(headers, repeat=size) for size in (1, 2, 3))):
        packet = Ether(src=road.mac, dst=road.next_mac) / IPv6(src=road.source, dst=road.destination)
        for header in some:
            packet = packet / header.copy()
        frames.append(bytes(packet / TCP(sport=43000 + number, dport=443, flags="S", seq=1)))
    return frames


def test_no_chain_of_extension_headers_is_a_way_out(house: Home) -> None:
    frames = behind_every_chain(house)
    assert len(frames) == 84
    assert leaked(house, house.camera, frames) == []


def test_all_that_gets_out_where_nothing_is_blocked(house: Home) -> None:
    """So it is no fault of these packets that they do not otherwise."""
    house.mode("monitor")
    try:
        every = [(of_every_protocol(house, version), 240) for version in VERSIONS]
        for frames, most in (*every, (behind_every_chain(house), 50)):
            assert eventually(lambda: len(leaked(house, house.camera, frames)) > most)  # noqa: B023 - used in this turn
    finally:
        house.mode("enforce")


@pytest.mark.parametrize("version", VERSIONS)
def test_datagrams_that_nobody_answers_carry_nothing_out_however_many(house: Home, version: int) -> None:
    before = house.settled()[1]
    frames = [packets.datagram(way(house, version), 7777, data=b"secret %d" % n) for n in range(300)]
    assert leaked(house, house.camera, frames) == []
    after = house.settled()[1]
    stopped = sum(after[each] - before[each] for each in ("blocked", "blocked_again", "over_limit_dropped"))
    assert stopped >= len(frames)


@pytest.mark.parametrize("version", VERSIONS)
def test_another_devices_mac_and_address_reach_what_that_device_may_and_no_more(
    house: Home, version: int
) -> None:
    """The camera sends as the TV: nobody on the same wire can tell. What it gains is the TV's list."""
    tv = (house.tv.ipv4, house.tv.ipv6)[version == 6]
    forged = way(house, version, source=tv)._replace(mac=TV)
    frames = [packets.syn(forged, 443, source_port=44000 + n) for n in range(5)]
    assert leaked(house, house.camera, frames) == []
    with house.wire() as wire:
        known = forged._replace(destination=KNOWN[version == 6])
        house.camera.send(packets.syn(known, 443, source_port=44100))
        assert eventually(lambda: wire.to(KNOWN[version == 6]))
    assert house.tv.connect(KNOWN[version == 6], 443).ok, "the TV's own traffic goes on"


def test_an_address_of_another_network_helps_under_no_mac(house: Home) -> None:
    """The kernel knows where a source lives (`fib`): what lives elsewhere comes from nobody here."""
    frames = []
    for version, sources in (
        (4, ("8.8.8.8", "192.168.78.14", "10.9.8.7")),
        (6, ("2001:db8:99::1", "fd78::e")),
    ):
        for source in sources:
            for mac in (CAMERA, TV):
                road = way(house, version, source=source)._replace(mac=mac)
                frames += [packets.syn(road, 443), packets.datagram(road, 5683), packets.bare_data(road, 443)]
    assert leaked(house, house.camera, frames) == []


def test_a_made_up_mac_on_a_network_of_things_is_no_way_out_where_new_ones_are_isolated() -> None:
    more = f"config smartrouter 'main'\n\tlist iot_network '{IOT.bridge}'\n\toption new_devices 'isolate'\n"
    with home(more=more) as found:
        road = found.network.way_out(found.printer, TARGET[0])
        frames = [
            packets.syn(road._replace(mac=f"06:00:00:00:00:{number:02x}"), 443) for number in range(1, 20)
        ]
        with found.wire() as wire:
            found.printer.send(*frames)
            assert eventually(lambda: found.judged().get("isolated", 0) >= 1)
            assert found.printer.connect(STRANGER[0], 443).result is Result.REFUSED
            # That somebody takes it for a person's, as it makes its MAC up, changes nothing.
            assert eventually(lambda: is_taken_for_a_persons(found, found.printer))
            sleep(0.2)
            assert found.printer.connect(STRANGER[0], 444).result is Result.REFUSED
            assert not wire.to(TARGET[0])


def is_taken_for_a_persons(found: Home, device: Host) -> bool:
    with suppress(RuntimeError):  # it is not known yet
        return found.product.json("device", device.mac)["iot"] is False
    return False


def test_thousands_of_mangled_packets_end_nothing_and_keep_nobody_waiting(
    house: Home, rounds: Callable[[int], int]
) -> None:
    """What the fuzzer begins with, bent, from the camera's wire: all that the kernel hands over is judged,
    and another device's connections go on meanwhile."""
    pid, before = house.guard_pid(), house.status()["guard"]
    road = [way(house, version) for version in VERSIONS]
    seeds = corpus.of("packet") + corpus.of("dns") + corpus.of("quic")
    kinds: dict[int, bytes] = {4: b"\x08\x00", 6: b"\x86\xdd"}
    frames = []
    for number, data in enumerate(islice(mutations(seeds, seed=9), rounds(4000))):
        to = road[number % 2]
        start = bytes.fromhex((to.next_mac + to.mac).replace(":", "")) + kinds[to.version]
        if number % 3:
            frames.append((start + data)[:1500])  # whatever it says of its addresses
        else:
            port = (53, 1024 + number)[number // 3 % 2]  # each to a port of its own is asked about
            frames.append(packets.datagram(to, port, data=data[:1400], source_port=45000 + number % 9000))
    waits = []
    with house.wire() as wire:
        for at in range(0, len(frames), BURST):
            house.camera.send(*frames[at : at + BURST])
            if at % (4 * BURST) == 0:
                waits.append(house.tv.connect(KNOWN[0], 443))
        house.barrier(house.camera)
        assert not any(wire.to(address) for address in TARGET)
    assert all(outcome.ok for outcome in waits)
    house.settled()
    after = house.status()["guard"]
    assert house.guard_pid() == pid
    assert (after["faults"], after["judged"].get("our-error", 0)) == (0, 0)
    assert sum(after["judged"].values()) - sum(before["judged"].values()) > 500


def test_a_device_that_poses_as_a_router_changes_nothing_here_and_its_prefix_gets_nobody_out(
    house: Home,
) -> None:
    """Rogue router advertisements: the router believes none, and no address of that prefix may send. What
    devices on one bridge tell each other it does not see (SECURITY.md)."""
    router, prefix = house.router, "2001:db8:bad::"

    def routes() -> list[str]:
        shown = router.run(["ip", "-6", "route", "show"]).stdout + router.run(["ip", "-6", "addr"]).stdout
        return [line.split(" expires")[0] for line in shown.splitlines() if "valid_lft" not in line]

    before, pid = routes(), house.guard_pid()
    announcement = (
        Ether(src=CAMERA, dst="33:33:00:00:00:01")
        / IPv6(src="fe80::bad", dst="ff02::1", hlim=255)
        / ICMPv6ND_RA(routerlifetime=9000, prf=1)
        / ICMPv6NDOptPrefixInfo(prefix=prefix, prefixlen=64)
        / ICMPv6NDOptSrcLLAddr(lladdr=CAMERA)
    )
    house.camera.send(*[bytes(announcement)] * 20)
    sleep(0.3)
    assert routes() == before
    road = way(house, 6, source=f"{prefix}9")
    assert leaked(house, house.camera, [packets.syn(road, 443), packets.datagram(road, 5683)]) == []
    assert house.guard_pid() == pid
    assert house.visit(house.camera, "cloud.maker.example", 6).ok
    assert HOME.router6 in "".join(before)
