# SPDX-License-Identifier: GPL-2.0-or-later
"""A device that means harm, to the outside or to its neighbours, and devices that nobody announced."""

import fcntl
import os
import signal
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from time import monotonic, sleep

import pytest
from netns.guard_lab import CAMERA, KNOWN, STRANGER, VERSIONS, Home, eventually, home
from tries import within
from unit.made_work import crowded_segments, laborious_queries

from smartrouter.lab import packets
from smartrouter.lab.hosts import Host
from smartrouter.lab.plan import IOT, Way
from smartrouter.lab.traffic import Result

pytestmark = pytest.mark.netns

IOT_NETWORK = f"config smartrouter 'main'\n\tlist iot_network '{IOT.bridge}'\n"
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h


def members(found: Home, name: str) -> str:
    return found.router.run(["nft", "list", "set", "inet", "smartrouter", name]).stdout


# -- devices that nobody announced -----------------------------------------------------------------------


def test_an_odd_packet_of_a_device_that_came_later_is_no_way_out() -> None:
    """Nobody configured the printer: its own packet is the first that the guard hears of it."""
    with home(more=IOT_NETWORK) as found:
        printer = found.printer
        assert printer.connect(KNOWN[0], 443).ok
        found.protect(printer)
        assert printer.connect(STRANGER[0], 443).result is Result.REFUSED
        with found.wire() as wire:
            for version in VERSIONS:
                way = found.network.way_out(printer, STRANGER[version == 6])
                printer.send(packets.strange_flags(way, 443, "SF"), packets.bad_checksum(way, 443))
            assert eventually(lambda: found.counters()["invalid_dropped"] == 4)
            assert not any(wire.to(address) for address in STRANGER)


def test_a_new_device_on_the_lan_is_watched_where_the_policy_says_so() -> None:
    with home({"new_devices": "learn"}) as found:
        plug = found.network.add_device("plug", mac="ac:de:48:00:6a:77")
        assert plug.connect(KNOWN[0], 443).ok  # now the neighbour table knows it
        assert eventually(lambda: plug.mac in members(found, "watched"))
        assert found.visit(plug, "cloud.maker.example").ok
        assert found.attempt(plug, KNOWN[0])["reason"] == "learning"


@contextmanager
def tunnel(found: Home, name: str) -> Iterator[int]:
    """An interface of the router without MACs; gives the descriptor that takes IP packets for it."""

    def make() -> int:
        fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
        return fd

    fd = found.router.inside(make)
    try:
        found.router.ip(f"addr add 192.168.79.1/24 dev {name}\nlink set {name} up")
        yield fd
    finally:
        os.close(fd)


def test_an_interface_without_macs_may_be_watched_and_breaks_nothing() -> None:
    more = "config smartrouter 'main'\n\tlist iot_network 'tun-iot'\n"
    with home(more=more) as found, tunnel(found, "tun-iot") as descriptor:
        assert eventually(lambda: "tun-iot" in members(found, "iot"))
        way = Way(CAMERA, CAMERA, "192.168.79.5", STRANGER[0])
        os.write(descriptor, packets.syn(way, 443)[14:])  # without its Ethernet header
        assert eventually(lambda: found.judged().get("learning"))
        assert found.guard()["faults"] == 0
        found.router.run(["nft", "delete", "table", "inet", "smartrouter"], check=True)
        assert eventually(found.product.has_table), found.product.last_words()
        pid = found.guard_pid()
        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: found.product.is_guarding() and found.guard_pid() != pid)


# -- one device against another --------------------------------------------------------------------------


@contextmanager
def flood(device: Host, frames: list[bytes], a_second: int) -> Iterator[None]:
    """`device` sends `frames` over and over."""
    stop = threading.Event()

    def send() -> None:
        with device.frames() as sock:
            begun, sent = monotonic(), 0
            while not stop.is_set():
                for _ in range(max(0, int((monotonic() - begun) * a_second) - sent)):
                    sock.send(frames[sent % len(frames)])
                    sent += 1
                sleep(0.005)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("made", [crowded_segments, laborious_queries])
def test_queries_that_are_much_work_delay_nobody_elses(made: Callable[[Way], list[bytes]]) -> None:
    """Just below the limit of a device. How much work they are is counted in unit/test_packet_cost.py."""
    with home() as found:
        frames = made(found.network.way_out(found.camera, "192.168.77.1"))
        waits: list[float] = []

        def usual_wait() -> float:
            waits.clear()
            for _ in range(50):
                waits.append(found.tv.resolve("cloud.maker.example").ms)
                sleep(0.02)
            return median(waits) / 1000

        with flood(found.camera, frames, 480):
            sleep(0.5)
            assert within(0.1, usual_wait), waits


def test_a_device_that_makes_macs_up_keeps_the_guard_from_nobody_else() -> None:
    with home(more=IOT_NETWORK) as found:
        assert found.visit(found.tv, "cloud.maker.example").ok
        found.protect(found.tv)
        pid = found.guard_pid()
        frame = packets.syn(found.network.way_out(found.printer, STRANGER[0]), 443)
        made_up = [frame[:6] + b"\x02\x55" + struct.pack("!I", n) + frame[12:] for n in range(20_000)]
        with flood(found.printer, made_up, 3000):
            sleep(2.0)
            visits = [found.visit(found.tv, "cloud.maker.example") for _ in range(20)]
        assert all(visit.ok for visit in visits), visits
        assert found.guard_pid() == pid, found.product.last_words()
        assert not any(queue["dropped"] for queue in found.whole_status()["queues"].values())
