# SPDX-License-Identifier: GPL-2.0-or-later
"""The handler of what devices say of themselves, copied by the kernel: passed on to whoever finds out what
each device is, but for what was said a moment ago already.

Nothing is read here beyond the ports: it is anybody's word, and there is a part without rights to read it.
"""

import time
from binascii import b2a_base64
from collections import deque
from typing import TypeAlias

from smartrouter.core.errors import BadPacket
from smartrouter.core.events import TCP, UDP
from smartrouter.linux.nflog import Logged
from smartrouter.wire.packet import Packet, parse_ip

Overheard: TypeAlias = tuple[str, str, str]
"""A MAC; what its packet is, a value of `TOLD_BY_PORT`, or `SYN`; base64 of its payload, of a SYN from the
IP header on."""

TOLD_BY_PORT = {67: "dhcp", 547: "dhcp6", 5353: "mdns", 1900: "ssdp", 53: "dns"}
SYN = "syn"
MAX_WAITING = 512  # packets that nobody has fetched yet; the oldest go first
MAX_HEARD = 2048  # that are remembered, so that they are passed on once
# Seconds after which the same is news again: announcements are repeated for hours, DHCP's are rare.
AGAIN = {"dhcp": 0.0, "dhcp6": 0.0, "mdns": 600.0, "ssdp": 600.0, "dns": 60.0, SYN: 60.0}
_IDENT = 2  # bytes at the beginning of a DNS message that differ each time
_HOPS_LEFT = {4: 8, 6: 7}  # offset of that byte, by IP version


class OverheardHandler:
    """See the module. `fetch` what has come."""

    def __init__(self) -> None:
        self._waiting: deque[Overheard] = deque(maxlen=MAX_WAITING)
        self._heard: dict[int, float] = {}  # hash of what was said -> when it is news again

    def __call__(self, records: list[Logged]) -> None:
        """These packets were copied."""
        now = time.monotonic()
        for _, mac, payload in records:
            if mac is None:
                continue
            try:
                packet = parse_ip(payload)
            except BadPacket:
                continue
            what, data, same = _told(packet, payload)
            if what and data and self._is_news(what, hash((mac, what, same)), now):
                self._waiting.append((mac, what, b2a_base64(data, newline=False).decode()))

    def fetch(self, most: int) -> list[Overheard]:
        """What has come since the last call, up to so many."""
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(most, len(waiting)))]

    def _is_news(self, what: str, key: int, now: float) -> bool:
        lasts = AGAIN[what]
        if not lasts:
            return True
        if self._heard.get(key, now) > now:
            return False
        if len(self._heard) >= MAX_HEARD:
            self._heard.clear()
        self._heard[key] = now + lasts
        return True


def _told(packet: Packet, payload: bytes) -> tuple[str, bytes, object]:
    """What the packet is, '' if nothing that is wanted; what is passed on of it; what of it is the same when
    it is said again: of a SYN where it goes, and what tells systems apart at a glance."""
    if packet.protocol == TCP:
        lives = payload[_HOPS_LEFT[packet.version]]
        return SYN, payload, (packet.destination, packet.destination_port, lives, packet.payload)
    if packet.protocol != UDP:
        return "", b"", b""
    what = TOLD_BY_PORT.get(packet.destination_port, "")
    data = payload[packet.payload : packet.end]
    return what, data, data[_IDENT:] if what == "dns" else data
