# SPDX-License-Identifier: GPL-2.0-or-later
"""Which neighbours this host's own default routes lead to: the upstream routers.

From the kernel's text files, which are those of the network namespace of the thread that reads them.
"""

import socket
import sys
from pathlib import Path

_ROUTES4, _ROUTES6 = Path("/proc/thread-self/net/route"), Path("/proc/thread-self/net/ipv6_route")
_LARGEST = 1 << 20  # characters that are read: the default route stands near the beginning
_ORDER = -1 if sys.byteorder == "little" else 1
_GATEWAY = 0x2  # RTF_GATEWAY (linux/route.h)


def gateways(routes4: Path = _ROUTES4, routes6: Path = _ROUTES6) -> frozenset[tuple[str, str]]:
    """Interface and address of each; what cannot be read names none."""
    found = set()
    for fields in _lines(routes4):
        match fields:
            case [interface, "00000000", gateway, flags, *_] if _is_gateway(flags):
                # Written as a number in the machine's own byte order.
                found.add((interface, socket.inet_ntop(socket.AF_INET, bytes.fromhex(gateway)[::_ORDER])))
    for fields in _lines(routes6):
        match fields:
            case [destination, "00", _, _, gateway, _, _, _, flags, interface] if _is_gateway(flags):
                if not destination.strip("0"):
                    found.add((interface, socket.inet_ntop(socket.AF_INET6, bytes.fromhex(gateway))))
    return frozenset(found)


def _is_gateway(flags: str) -> bool:
    return bool(int(flags, 16) & _GATEWAY)


def _lines(path: Path) -> list[list[str]]:
    try:
        with path.open() as file:
            return [line.split() for line in file.read(_LARGEST).splitlines()]
    except OSError:
        return []
