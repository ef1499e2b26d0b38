# SPDX-License-Identifier: GPL-2.0-or-later
"""The lease files of this system's DHCP servers, dnsmasq's and odhcpd's, read when they change.

What stands in them is for `dnsmasq` and `odhcpd` to know, what becomes of a lease for nobody here.
"""

from collections.abc import Sequence
from pathlib import Path

from smartrouter.config import uci
from smartrouter.core.errors import BadConfig
from smartrouter.linux import dnsmasq, odhcpd
from smartrouter.linux.inotify import Watch
from smartrouter.linux.lease import Lease

__all__ = ["USUAL_PATHS", "Lease", "LeaseFiles", "lease_paths"]

# dnsmasq's on OpenWrt, on Debian and the like; odhcpd's on OpenWrt, of old and since 2025; what our own
# script in OpenWrt's hotplug.d writes.
USUAL_PATHS = tuple(
    Path(path)
    for path in (
        "/tmp/dhcp.leases",  # noqa: S108 - OpenWrt's place
        "/var/lib/misc/dnsmasq.leases",
        "/tmp/hosts/odhcpd",  # noqa: S108
        "/tmp/odhcpd.leases",  # noqa: S108
        "/var/run/smartrouter.leases",
    )
)
_CONFIG = Path("/etc/config/dhcp")
_MAX_SIZE = 4 << 20  # bytes: no household has so many leases; a file that grows so is not ours to read


def lease_paths(config: Path = _CONFIG) -> tuple[Path, ...]:
    """The usual ones, and those that OpenWrt's configuration of both servers names (`leasefile`), which may
    be closed to all but root."""
    try:
        sections = uci.parse(config.read_text("utf-8", "replace"), str(config))
    except (OSError, BadConfig):
        return USUAL_PATHS
    named = [s.options.get("leasefile") for s in sections if s.type in ("dnsmasq", "odhcpd")]
    paths = [Path(name) for name in named if isinstance(name, str) and name.startswith("/")]
    return tuple(dict.fromkeys([*USUAL_PATHS, *paths]))


class LeaseFiles:
    """Of these paths, which need not exist (yet). `problem`: why they are looked at only now and then, ''
    if a change is noticed at once."""

    def __init__(self, paths: Sequence[Path] = USUAL_PATHS):
        self._paths = tuple(paths)
        self._watch = Watch(self._paths)

    @property
    def problem(self) -> str:
        return self._watch.problem

    def fileno(self) -> int:
        """Readable when a file changed; -1 where the kernel cannot tell."""
        return self._watch.fileno()

    def next_deadline(self) -> float:
        """When to call `changed`, if nothing happens before (CLOCK_MONOTONIC seconds)."""
        return self._watch.next_deadline()

    def found(self) -> list[Path]:
        """The files that exist."""
        return [path for path in self._paths if path.is_file()]

    def changed(self, now: float) -> dict[Path, list[Lease] | None]:
        """All leases of each file that may have changed since the last call, None where it is missing; at
        first, of all."""
        changed = self._watch.changed(now)
        return {path: _read(path) for path in self._paths if path in changed}

    def close(self) -> None:
        """Let go of the watch."""
        self._watch.close()


def _read(path: Path) -> list[Lease] | None:
    try:
        with path.open("rb") as file:
            at = path.stat().st_mtime
            data = file.read(_MAX_SIZE)
    except OSError:
        return None
    # What stands behind the last end of a line is not whole: it is being written just now.
    text = data[: data.rfind(b"\n") + 1].decode("utf-8", "replace")
    return [*odhcpd.parse(text, at), *dnsmasq.parse(text, at)]
