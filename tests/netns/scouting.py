# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests of discovery share: a real scout on the lab's router, and clients that speak raw DHCP and ARP.

The scout lives in the router's namespace, where a thread of the lab's calls it; times are those from the
event to what `look` gives, that thread's hop included.
"""

import select
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

from smartrouter.analyzer.claims import Claim
from smartrouter.analyzer.discovery import Found
from smartrouter.analyzer.gallery import Gallery
from smartrouter.analyzer.scout import Scout
from smartrouter.lab import dhcp
from smartrouter.lab.hosts import Host
from smartrouter.lab.network import Network
from smartrouter.linux.leases import LeaseFiles
from smartrouter.makers import Makers

LAN = "br-lan"
_AGAIN = 0.5  # seconds after which a condition is asked about again, though nothing happened


class Watcher:
    """Looks whenever the scout's descriptors or deadlines ask for it, as the analyzer does."""

    def __init__(
        self,
        network: Network,
        leases: Sequence[Path] = (),
        lan: Sequence[str] = (LAN,),
        iot: Sequence[str] = (),
    ):
        self.router = network.router
        self.scout: Scout = self.router.inside(
            lambda: Scout(Makers(Path("/nonexistent")), LeaseFiles(leases), Gallery())
        )
        self.devices: dict[str, Found] = {}
        self.claims: list[Claim] = []
        self._poll = select.poll()
        for number in self.scout.filenos():
            self._poll.register(number, select.POLLIN)
        self.go(lan, iot)

    def go(self, lan: Sequence[str] = (LAN,), iot: Sequence[str] = ()) -> None:
        self.scout.go(lan, iot)
        self.look()

    def look(self) -> None:
        found = self.router.inside(self.scout.look)
        self.devices |= {device.mac: device for device in found}
        self.claims += self.scout.claims()

    def until(self, what: Callable[[], Any], patience: float = 20.0) -> float:
        """Seconds until `what` is true of `devices`."""
        begun = monotonic()
        while True:
            with suppress(KeyError):
                if what():
                    return monotonic() - begun
            left = begun + patience - monotonic()
            assert left > 0, f"not within {patience} s; known are {[*self.devices.values()][-5:]}"
            due = self.scout.next_deadline()
            if self._poll.poll(max(0.0, min(left, due - monotonic(), _AGAIN)) * 1000) or monotonic() >= due:
                self.look()

    def quiet(self, seconds: float = 0.3) -> None:
        """Take in what is still to come, and forget it."""
        end = monotonic() + seconds
        while (left := end - monotonic()) > 0:
            self._poll.poll(left * 1000)
            self.look()
        self.devices.clear()

    def close(self) -> None:
        self.scout.close()


def mac_bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def arp_request(mac: str, address: str, wanted: str) -> bytes:
    """RFC 826: `address` at `mac` looks for `wanted`."""
    head = bytes(6 * [255]) + mac_bytes(mac) + bytes.fromhex("0806 0001 0800 0604 0001")
    return head + mac_bytes(mac) + socket.inet_aton(address) + bytes(6) + socket.inet_aton(wanted)


def made_mac(number: int) -> str:
    return f"02:de:00:00:{number >> 8:02x}:{number & 255:02x}"


def dhcp_socket(device: Host) -> socket.socket:
    sock = device.new_socket(*dhcp.SOCKET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.bind(("", 68))
    sock.settimeout(20.0)
    return sock


def dhcp_at_once(sock: socket.socket, mac: str, hostname: str) -> None:
    """Ask for a lease in two messages (RFC 4039, rapid commit); the answer is not waited for."""
    options = {12: hostname.encode(), 80: b""}
    message = dhcp.message(mac_number(mac), mac, 1, options)
    sock.sendto(message[:-1] + b"\x50\x00\xff", ("255.255.255.255", 67))  # 80 has no value


def dhcp_release(sock: socket.socket, mac: str, address: str, server: str) -> None:
    """RFC 2131 section 4.4.6: with the address in `ciaddr`."""
    message = bytearray(dhcp.message(mac_number(mac), mac, 7, {54: socket.inet_aton(server)}))
    message[12:16] = socket.inet_aton(address)
    sock.sendto(bytes(message), ("255.255.255.255", 67))


def mac_number(mac: str) -> int:
    return int.from_bytes(mac_bytes(mac)[2:])


def dhcp6_address(device: Host, duid: bytes, hostname: str = "") -> str:
    """An address by DHCPv6 in two messages (RFC 8415 section 21.14, rapid commit); '' if none is given."""
    name = bytes([0, len(hostname)]) + hostname.encode() + b"\0" if hostname else b""
    options = [(1, duid), (14, b""), (3, struct.pack("!III", 1, 0, 0)), (8, b"\0\0")]
    options += [(39, name)] if name else []
    message = b"\x01\x00\x12\x34" + b"".join(struct.pack("!HH", k, len(v)) + v for k, v in options)
    with device.new_socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.settimeout(20.0)
        sock.bind(("::", 546))
        index = device.inside(socket.if_nametoindex, "eth0")
        sock.sendto(message, ("ff02::1:2", 547, 0, index))
        return _given(sock.recv(2048)[4:])


def _given(options: bytes) -> str:
    while len(options) >= 4:
        kind, length = struct.unpack_from("!HH", options)
        value, options = options[4 : 4 + length], options[4 + length :]
        if kind == 5:  # IA Address
            return socket.inet_ntop(socket.AF_INET6, value[:16])
        if kind == 3 and (found := _given(value[12:])):  # IA_NA
            return found
    return ""


def are_settled(addresses: str) -> bool:
    """Is there a privacy address among these, as `ip` shows them, and has none still to be tried out? One
    that has sends nothing."""
    return " temporary " in addresses and " tentative " not in addresses
