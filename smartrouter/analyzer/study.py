# SPDX-License-Identifier: GPL-2.0-or-later
"""Of which devices more is to be seen than what they say to everybody: how their connections begin, and which
names they ask for.

Of those that seem to be IoT devices, for as long as they are there: so another system under their MAC is
noticed. Of those of which nobody can tell, for a day. Of people's devices, and of those that the user wants
left alone, nothing. Knows no clock: `now` is in seconds.
"""

from collections.abc import Iterable

from smartrouter.analyzer.discovery import Found
from smartrouter.config import DeviceConfig
from smartrouter.core.policy import Watching

LONG_ENOUGH = 86400.0  # seconds: who is still a riddle then, remains one
MAX_STUDIED = 512


class Study:
    """See the module."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}  # unknown ones
        self._told: list[str] | None = None

    def wanted(self, there: Iterable[Found], said: Iterable[DeviceConfig], now: float) -> list[str] | None:
        """The MACs to be studied now, in order; None if these are the same as at the last call. `said`: what
        the user says of devices."""
        watches = {device.mac: device.watch for device in said}
        studied = [found.mac for found in there if self._is_wanted(found, watches.get(found.mac), now)]
        studied = sorted(studied[-MAX_STUDIED:])
        if studied == self._told:
            return None
        self._told = studied
        return studied

    def _is_wanted(self, found: Found, watch: Watching | None, now: float) -> bool:
        if watch is Watching.NEVER:
            return False
        if found.kind.iot or watch is Watching.ALWAYS:
            return True
        if found.kind.iot is False:
            return False
        if len(self._since) > 2 * MAX_STUDIED:
            self._since.clear()
        return now - self._since.setdefault(found.mac, now) < LONG_ENOUGH
