# SPDX-License-Identifier: GPL-2.0-or-later
"""What one device has lately done, as far as detection goes by it: bounded, forgotten at a restart.

Knows no clock: `now` is seconds of a clock that never jumps.
"""

from collections import OrderedDict
from math import inf

from smartrouter.core.detection.persons import PersonWatch
from smartrouter.core.detection.scans import INSIDE, FanOut
from smartrouter.core.detection.tunnels import Tunnels
from smartrouter.core.effects import Alert

_USUAL_SERVICES, _MAX_HOSTS = 2, 64  # of one named host; such hosts
TIME_REQUESTS, TIME_REFILL = 16, 60.0  # that may be made at once, and seconds until one more may
_NAMELESS, _NAMELESS_TO, _NAMELESS_FOR = 20, 3, 3600.0  # connections, addresses, seconds without an answer


class Conduct:
    """See the module. `outside`, `inside`, `router`: scans of the Internet, the local network, the router."""

    __slots__ = (
        "_nameless", "_nameless_addresses", "_nameless_since", "_services", "_time_at", "_times", "inside",
        "outside", "person", "router", "tunnels",
    )  # fmt: skip

    def __init__(self) -> None:
        self.outside: FanOut[Alert] = FanOut()
        self.inside: FanOut[Alert] = FanOut(INSIDE)
        self.router: FanOut[Alert] = FanOut()
        self.person = PersonWatch()
        self.tunnels = Tunnels()
        self._times, self._time_at = float(TIME_REQUESTS), -inf
        self._nameless, self._nameless_since = 0, inf
        self._nameless_addresses: set[str] = set()
        self._services: OrderedDict[str, set[str]] = OrderedDict()  # tried of a named host, by its address

    def may_ask_time(self, now: float) -> bool:
        """May it ask an unknown server for the time once more?"""
        if self._time_at > -inf:
            self._times = min(float(TIME_REQUESTS), self._times + (now - self._time_at) / TIME_REFILL)
        self._time_at = now
        if self._times < 1.0:
            return False
        self._times -= 1.0
        return True

    def tries_ports(self, address: str, service: str) -> bool:
        """It tries `service` of a named host. Is that one more than the few that one needs of a host?"""
        services = self._services.setdefault(address, set())
        self._services.move_to_end(address)
        if len(self._services) > _MAX_HOSTS:
            self._services.popitem(last=False)
        if len(services) < _USUAL_SERVICES:
            services.add(service)
        return service not in services

    def connected_without_name(self, address: str, answered: float, now: float) -> bool:
        """It connects to a web server without a name; `answered`: when a DNS answer last came to it. True,
        once in a while, if it must have other ways to find its servers."""
        if answered > self._nameless_since or self._nameless_since == inf:
            self._nameless, self._nameless_since = 0, max(now, answered)
            self._nameless_addresses = set()
        self._nameless += 1
        if len(self._nameless_addresses) < _NAMELESS_TO:
            self._nameless_addresses.add(address)
        if (
            self._nameless < _NAMELESS
            or now - self._nameless_since < _NAMELESS_FOR
            or len(self._nameless_addresses) < _NAMELESS_TO
        ):
            return False
        self._nameless_since = inf
        return True
