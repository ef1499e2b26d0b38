# SPDX-License-Identifier: GPL-2.0-or-later
"""Two namespaces, a device's and a router's, and a source of SYNs: what the drained queue needs."""

import contextlib
import os
import socket
import struct
import subprocess
from collections.abc import Iterator

MACS = tuple(f"02:00:00:00:00:{number:02x}" for number in range(50))
_SERVER = "203.0.113.1"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextlib.contextmanager
def namespaces() -> Iterator[tuple[str, str]]:
    """(device, router): the router forwards from its interface `lan` to a sink; gone at the end."""
    device, router = f"sr-{os.getpid()}-bench-device", f"sr-{os.getpid()}-bench-router"
    try:
        for name in (device, router):
            _ip("netns", "add", name)
        _ip("link", "add", "out", "netns", device, "type", "veth", "peer", "name", "lan", "netns", router)
        _ip("link", "add", "wan", "netns", router, "type", "veth", "peer", "name", "sink", "netns", device)
        for name, link in (
            (device, "out"),
            (device, "sink"),
            (router, "lan"),
            (router, "wan"),
            (router, "lo"),
        ):
            _ip("-n", name, "link", "set", link, "up")
        _ip("-n", router, "neigh", "add", _SERVER, "lladdr", "02:00:00:00:01:00", "dev", "wan")
        _ip("-n", router, "address", "add", "192.168.77.1/24", "dev", "lan")
        _ip("-n", router, "route", "add", "default", "dev", "wan")
        _ip("netns", "exec", router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        yield device, router
    finally:
        for name in (device, router):
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip("netns", "delete", name)


def send_syns(interface: str, router_mac: str, first: int, number: int) -> None:
    """Send `number` SYNs into `interface` of this namespace, spread over MACS; all different."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
        link.bind((interface, 0))
        for serial in range(first, first + number):
            link.send(_syn(MACS[serial % len(MACS)], router_mac, serial))


def _syn(mac: str, router_mac: str, serial: int) -> bytes:
    source = socket.inet_aton(f"192.168.77.{10 + serial % len(MACS)}")
    target = socket.inet_aton(_SERVER)
    ports = struct.pack("!HH", 1024 + serial % 60000, 443)
    tcp = ports + struct.pack("!IIBBHHH", serial, 0, 5 << 4, 2, 64240, 0, 0)
    tcp = (
        tcp[:16]
        + struct.pack("!H", _checksum(source + target + struct.pack("!BBH", 0, 6, 20) + tcp))
        + tcp[18:]
    )
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, serial & 0xFFFF, 0, 64, 6, 0, source, target)
    ip = ip[:10] + struct.pack("!H", _checksum(ip)) + ip[12:]
    return (
        bytes.fromhex(router_mac.replace(":", ""))
        + bytes.fromhex(mac.replace(":", ""))
        + b"\x08\x00"
        + ip
        + tcp
    )


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
