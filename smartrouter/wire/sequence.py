# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP's sequence numbers, which go round (RFC 9293 section 3.4)."""

from smartrouter.wire.packet import Packet

CYCLE = 2**32
_SYN = 0x02  # RFC 9293 section 3.1


def first_byte(packet: Packet) -> int:
    """The number of the first byte that this segment carries; a SYN itself counts as one."""
    return (packet.sequence + bool(packet.flags & _SYN)) % CYCLE


def distance(to: int, origin: int) -> int:
    """How far `to` lies after `origin`, negative if before."""
    return (to - origin + CYCLE // 2) % CYCLE - CYCLE // 2
