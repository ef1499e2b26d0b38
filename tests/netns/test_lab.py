# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab itself: what stands on it can only be trusted if it does what it says, and leaves nothing."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from time import monotonic, sleep

import pytest

from smartrouter.lab.hosts import PREFIX, leftovers, remove, remove_leftovers
from smartrouter.lab.network import Network
from smartrouter.lab.plan import IOT
from smartrouter.lab.traffic import Result

pytestmark = pytest.mark.netns

SERVER = {4: "203.0.113.7", 6: "2001:db8::7"}


def left_of(pid: int) -> list[Path]:
    """What is left of the labs of process `pid`."""
    return leftovers(f"{PREFIX}{pid}-")


def mentioned_in_process_list(text: str) -> list[str]:
    """The command lines that hold `text`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_text().replace("\0", " ")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


def test_a_lab_is_removed_entirely() -> None:
    before = left_of(os.getpid())
    with Network() as network:
        network.add_device("camera")
        network.start_router_dnsmasq()
        folder = network.folder
        assert len(left_of(os.getpid())) > len(before)
        assert mentioned_in_process_list(str(folder))
    assert left_of(os.getpid()) == before
    assert not mentioned_in_process_list(str(folder))


def test_a_lab_is_removed_when_its_user_fails() -> None:
    before = left_of(os.getpid())
    with pytest.raises(ValueError, match="has a host 'router' already"), Network() as network:
        network.add_device("router")
    assert left_of(os.getpid()) == before


def test_what_a_program_started_in_the_lab_leaves_behind_ends_with_it(network: Network) -> None:
    camera = network.add_device("camera")
    camera.run(["sh", "-c", "sleep 4321 >/dev/null 2>&1 &"])
    assert mentioned_in_process_list("sleep 4321")
    network.close()
    assert not mentioned_in_process_list("sleep 4321")


def test_two_labs_at_once_do_not_meet(build_network: Callable[..., Network]) -> None:
    one, other = build_network(), build_network()
    here = one.add_device("camera", mac="02:00:00:00:00:01")
    other.add_device("camera", mac="02:00:00:00:00:01")
    assert here.connect(SERVER[4], 443).ok
    assert one.servers.arrived(SERVER[4], 443)
    assert not other.servers.arrived(SERVER[4])


@pytest.mark.parametrize("version", [4, 6])
def test_devices_reach_the_internet_and_servers_echo(network: Network, version: int) -> None:
    camera = network.add_device("camera")
    server = SERVER[version]
    connected = camera.connect(server, 443, say=b"hello")
    assert (connected.result, connected.answer) == (Result.CONNECTED, b"hello")
    answered = camera.udp(server, 5683, b"hello")
    assert (answered.result, answered.answer) == (Result.ANSWERED, b"hello")
    assert camera.ping(server).result == Result.ANSWERED
    arrivals = network.servers.arrived(server)
    assert [(a.protocol, a.source, a.port) for a in arrivals] == [
        ("tcp", camera.ipv4 if version == 4 else camera.ipv6, 443),
        ("udp", camera.ipv4 if version == 4 else camera.ipv6, 5683),
    ]


REFUSALS = [
    ("reject with tcp reset", Result.REFUSED, 20.0),
    ("reject with icmpx admin-prohibited", Result.PROHIBITED, 20.0),
    ("drop", Result.TIMED_OUT, 0.4),
]


@pytest.mark.parametrize(("statement", "result", "timeout"), REFUSALS)
def test_what_a_device_sees_of_a_refusal(
    network: Network, statement: str, result: Result, timeout: float
) -> None:
    camera = network.add_device("camera")
    rule = f"add rule inet lab forward tcp dport 443 {statement}"
    assert network.router.run(["nft", rule]).returncode == 0
    for server in SERVER.values():
        assert camera.connect(server, 443, timeout).result == result
        assert not network.servers.arrived(server)


def test_a_port_that_nobody_serves_is_refused(network: Network) -> None:
    camera = network.add_device("camera")
    assert camera.connect(SERVER[4], 4444).result == Result.REFUSED
    assert camera.udp(SERVER[6], 4444).result == Result.REFUSED


def test_a_device_gets_its_lease_from_a_real_dhcp_server(network: Network) -> None:
    leases = network.start_router_dnsmasq()
    tv = network.add_device("tv", mac="02:00:00:00:00:07", addresses=False)
    lease = network.lease(tv, hostname="Living-room-TV")
    assert (lease.router, lease.resolver, lease.prefix) == ("192.168.77.1", "192.168.77.1", 24)
    assert leases.read_text().splitlines()[0].split()[1:4] == [
        "02:00:00:00:00:07",
        tv.ipv4,
        "Living-room-TV",
    ]
    assert tv.resolve("living-room-tv.lan").addresses == (tv.ipv4,)
    assert tv.ipv6.startswith("fd77::")
    assert tv.connect(SERVER[4], 80).ok
    assert tv.connect(SERVER[6], 80).ok


@pytest.mark.parametrize("server", ["", "192.0.2.53", "8.8.8.8", "9.9.9.9", "2606:4700:4700::1111"])
@pytest.mark.parametrize("tcp", [False, True])
def test_names_resolve_through_the_router_and_at_public_resolvers(
    network: Network, server: str, tcp: bool
) -> None:
    network.start_router_dnsmasq()
    camera = network.add_device("camera")
    answer = camera.resolve("tv.example.com", server=server, tcp=tcp)
    assert answer.status == "NOERROR"
    assert answer.names == ("tv.example.com", "tv.cdn.example.net", "edge7.example.org")
    assert answer.addresses == ("192.0.2.77", "192.0.2.78")
    assert camera.resolve("tv.example.com", "AAAA", server=server, tcp=tcp).addresses == ("2001:db8:c::77",)
    assert camera.resolve("nobody.example.com", server=server, tcp=tcp).status == "NXDOMAIN"


def test_addresses_resolve_back_to_names(network: Network) -> None:
    camera = network.add_device("camera")
    answer = camera.resolve("20.100.51.198.in-addr.arpa", "PTR", server="192.0.2.53")
    assert answer.names[-1] == "plug.example.org"


def test_a_frame_arrives_as_it_was_sent(network: Network) -> None:
    camera, plug = network.add_device("camera"), network.add_device("plug")
    frame = (
        bytes.fromhex((plug.mac + camera.mac).replace(":", "")) + b"\x88\xb5" + b"as it is".ljust(46, b".")
    )
    with plug.frames() as wire:
        wire.settimeout(20.0)
        camera.send(frame)
        while (received := wire.recv(2048)) != frame:
            assert received  # neighbour discovery may come first; the timeout ends the search


def test_a_second_lan_is_routed(network: Network) -> None:
    network.add_lan(IOT)
    phone, lamp = network.add_device("phone"), network.add_device("lamp", lan=IOT)
    assert lamp.ipv4.startswith("192.168.78.")
    assert phone.ping(lamp.ipv4).ok
    assert phone.ping(lamp.ipv6).ok
    assert lamp.connect(SERVER[6], 443).ok


def test_a_masquerading_router_hides_its_lan(build_network: Callable[..., Network]) -> None:
    network = build_network(masquerade=True)
    camera = network.add_device("camera")
    assert camera.connect(SERVER[4], 443, say=b"hello").answer == b"hello"
    assert camera.connect(SERVER[6], 443, say=b"hello").answer == b"hello"
    sources = {arrival.source for server in SERVER.values() for arrival in network.servers.arrived(server)}
    assert sources == {"100.64.77.2", "fd64::2"}


LAB_IN_A_PROCESS = """
import sys, time
from smartrouter.lab.network import Network
with Network() as network:
    network.start_router_dnsmasq()
    network.add_device("camera").popen(["sleep", "4322"])
    print(network.folder, flush=True)
    time.sleep(300)
"""


def lab_in_a_process() -> tuple[subprocess.Popen[str], str]:
    """A process that holds a lab, and the lab's folder."""
    process = subprocess.Popen([sys.executable, "-c", LAB_IN_A_PROCESS], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    with process.stdout:
        folder = process.stdout.readline().strip()
    assert folder
    assert len(left_of(process.pid)) > 3
    return process, folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_namespace_and_no_process(number: signal.Signals) -> None:
    process, folder = lab_in_a_process()
    process.send_signal(number)
    process.wait(timeout=60)
    assert process.returncode != 0
    assert left_of(process.pid) == []
    assert mentioned_in_process_list(folder) == []
    assert mentioned_in_process_list("sleep 4322") == []


def test_a_signal_while_the_lab_is_being_built_leaves_nothing(rounds: Callable[[int], int]) -> None:
    for _ in range(rounds(4)):
        process = subprocess.Popen(
            [sys.executable, "-c", LAB_IN_A_PROCESS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = monotonic() + 60
        while not left_of(process.pid) and monotonic() < end:
            sleep(0.001)
        assert process.poll() is None
        sleep(random.uniform(0, 0.15))
        for _ in range(3):  # people press Ctrl-C more than once
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) != 0
        assert left_of(process.pid) == []


def test_what_a_killed_lab_left_goes_when_the_next_one_starts() -> None:
    process, folder = lab_in_a_process()
    process.kill()
    process.wait(timeout=20)
    assert len(left_of(process.pid)) > 3
    remove_leftovers()
    assert left_of(process.pid) == []
    assert mentioned_in_process_list(folder) == []


def test_a_namespace_that_was_interrupted_while_it_was_made_can_be_removed() -> None:
    half_made = Path(f"/run/netns/{PREFIX}{os.getpid()}-0-half")
    Path("/run/netns").mkdir(exist_ok=True)
    half_made.touch()
    remove(half_made)
    assert not half_made.exists()


def test_an_attempt_costs_no_process(network: Network) -> None:
    camera = network.add_device("camera")
    before = getrusage(RUSAGE_CHILDREN)  # of all that ended: each touches its own pages
    assert all(camera.connect(SERVER[4], 443).ok for _ in range(200))
    assert getrusage(RUSAGE_CHILDREN).ru_minflt == before.ru_minflt
    assert len(network.servers.arrived(SERVER[4], 443)) == 200
