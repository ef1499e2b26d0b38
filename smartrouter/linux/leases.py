# SPDX-License-Identifier: GPL-2.0-or-later
"""What dnsmasq's lease file says: which MAC was given which address, and how it calls itself.

Knows nothing of other DHCP servers, nor of what becomes of a lease. The file is dnsmasq's `dhcp.leases`
(its lease.c, lease_update_file): lines of `expiry mac address host client-id`, then after a line `duid …`
the DHCPv6 leases, which name no MAC and are left out.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

# OpenWrt; Debian and the like.
USUAL_PATHS = (Path("/tmp/dhcp.leases"), Path("/var/lib/misc/dnsmasq.leases"))  # noqa: S108 - OpenWrt's place
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}\Z")
_MAX_SIZE = 4 << 20  # bytes: no household has so many leases; a file that grows so is not ours to read


class Lease(NamedTuple):
    """`hostname`: as the device said it, at most 253 characters, '' if it said none. `expiry`: as it stands
    there; it moves on when the lease is renewed. `at`: when the file was written, epoch seconds."""

    mac: str
    address: str
    hostname: str
    expiry: str = ""
    at: float = 0.0


def parse(text: str, at: float = 0.0) -> Iterator[Lease]:
    """The DHCPv4 leases of a lease file that was written `at`; lines not understood are passed over."""
    for line in text.splitlines():
        fields = line.split()
        if fields[:1] == ["duid"]:
            return
        if len(fields) < 4 or not _MAC.match(fields[1].lower()):
            continue
        hostname = "" if fields[3] == "*" else fields[3][:253]
        yield Lease(fields[1].lower(), fields[2], hostname, fields[0], at)


class LeaseFiles:
    """The lease files of this system, read again only when they changed."""

    def __init__(self, paths: Sequence[Path] = USUAL_PATHS):
        self._paths = tuple(paths)
        self._stamps: dict[Path, object] = {}
        self._known: dict[Path, frozenset[Lease]] = {}

    def found(self) -> list[Path]:
        """The files that exist."""
        return [path for path in self._paths if path.is_file()]

    def news(self) -> list[Lease]:
        """The leases that were given or renewed since the last call."""
        news = []
        for path in self._paths:
            stamp, at = _stamp(path)
            if stamp == self._stamps.get(path):
                continue
            self._stamps[path] = stamp
            leases = list(parse(_read(path), at))
            known = self._known.get(path, frozenset())
            self._known[path] = frozenset(lease._replace(at=0.0) for lease in leases)
            news += [lease for lease in leases if lease._replace(at=0.0) not in known]
        return news

    def forget(self) -> None:
        """Give everything again at the next call of `news`."""
        self._stamps.clear()
        self._known.clear()


def _stamp(path: Path) -> tuple[object, float]:
    """What changes with the file, and when it was written last."""
    try:
        stat = path.stat()
    except OSError:
        return None, 0.0
    return (stat.st_ino, stat.st_mtime_ns, stat.st_size), stat.st_mtime


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_SIZE).decode("utf-8", "replace")
    except OSError:
        return ""
