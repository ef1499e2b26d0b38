# SPDX-License-Identifier: GPL-2.0-or-later
"""How much watched devices send and receive, as the kernel has counted it: gathered, and told the judge.

Theory of operation. The kernel says what a connection carried when it ends. One that stays open is looked at
now and then, and what it has carried since the last look counts. Both come together by device, address and
service, and the judge is told once a minute.

* No packet waits for this. It runs in a thread of its own, in small batches, and pauses nine times as long
  as each has taken. What comes faster finds no room in the socket some day: it is lost, and counted as such.
* It must not end the guard either: it gives no heartbeat, and what goes wrong is a `problem` that it states.
* Of a connection that was open before this guard counts what it carries from then on: an earlier guard has
  told of the rest.

Knows neither names nor what is much.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from threading import Event
from typing import Any, TypeAlias

from smartrouter.core.errors import SmartrouterError
from smartrouter.core.events import Carried, Transfer
from smartrouter.journal import Journal
from smartrouter.linux import accounting
from smartrouter.linux.counted import ROOM, Counted, Endings, all_open, open_connections, read
from smartrouter.linux.local_networks import LocalNetworks
from smartrouter.linux.netlink import Netlink

log = Journal("smartrouter.guard")

LOOK = 60.0  # seconds between two looks at what is open, and between two reports;
LONGEST = 300.0  # so many where there is so much that a look takes long,
SHARE = 200  # that is, more than this part of the time
REFRESH = 1.0  # seconds between two looks at whose address is whose,
ROUTES = 10.0  # and at which addresses are local
RETRY = 60.0  # seconds after something went wrong
AT_ONCE = 64  # connections that ended
LAST = 4096  # of them that are still read at the end
REST = 9  # seconds of pause for each second of work, by the processor's time
MAX_OPEN = 4096  # connections whose counts are remembered; of more the whole counts at their end
MAX_SUMS = 2048  # device, address and service; with more the judge is told at once
TOLD = 16  # transfers that the judge is told of without letting go of it
MAX_OLD = 8192  # connections from before this guard, whosever; 1.5 MB,
SETTLED = 5  # until so many looks were taken
STARTING = "it is starting"
_TURN = 0.25  # seconds

_Place: TypeAlias = tuple[str, bytes, int, int, bool]  # MAC, address, protocol, port, inbound
_Figures: TypeAlias = tuple[int, int, int, int]  # bytes out, in; packets out, in


class _Open:
    """What was counted of an open connection, and at which look."""

    __slots__ = ("figures", "look")

    def __init__(self, figures: _Figures, look: int):
        self.figures, self.look = figures, look


class Ledger:
    """The sums, and what is remembered of open connections. Knows no clock and no kernel."""

    def __init__(self, old: Mapping[int, _Figures] | None = None) -> None:
        """`old`: the numbers of connections that were there before, and what they had carried then, from the
        side that began."""
        self.totals: Counter[str] = Counter()  # since the start, for `status`
        self.uncounted = 0  # connections that ended, and that the kernel has not counted
        self.offloaded: Counter[str] = Counter()  # open ones of each MAC that may pass uncounted
        self._old = dict(old or {})
        self._open: dict[int, _Open] = {}
        self._sums: dict[_Place, list[int]] = {}
        self._look = 0

    def __len__(self) -> int:
        return len(self._sums)

    @property
    def open(self) -> int:
        """Connections that are remembered."""
        return len(self._open)

    def looks(self) -> None:
        """A look at all that is open begins."""
        self._look += 1
        self.offloaded = Counter()

    def looked(self) -> None:
        """It is over, and nothing was missing. What was not there twice has ended, and nobody told us."""
        gone = [number for number, each in self._open.items() if each.look < self._look - 1]
        for number in gone:
            del self._open[number]
        if self._look >= SETTLED:  # by now whose connections are to be counted is known
            self._old.clear()

    def is_open(self, mac: str, counted: Counted) -> None:
        """A connection of `mac` is open, and has carried so much so far."""
        if counted.offloaded:
            self.offloaded[mac] += 1
        before = self._open.get(counted.number)
        figures = counted[7:11]
        if figures[0] < 0 or (before is None and len(self._open) >= MAX_OPEN):
            return
        if before is None:
            self._open[counted.number] = _Open(figures, self._look)
            self._first(mac, counted)
            return
        self._add(mac, counted, _since(before.figures, figures), 0)
        before.figures, before.look = figures, self._look

    def has_ended(self, mac: str, counted: Counted) -> None:
        """A connection of `mac` has ended, and carried so much in all."""
        before = self._open.pop(counted.number, None)
        figures = counted[7:11]
        if figures[0] < 0:
            self.uncounted += 1
        elif before is not None:
            self._add(mac, counted, _since(before.figures, figures), 0)
        else:
            self._first(mac, counted)

    def taken(self) -> list[Transfer]:
        """The sums since the last call."""
        sums, self._sums = self._sums, {}
        return [
            Transfer(mac, _text(address), protocol, port, inbound, *figures)
            for (mac, address, protocol, port, inbound), figures in sums.items()
        ]

    def _first(self, mac: str, counted: Counted) -> None:
        """Nothing of this connection was counted yet, by this guard."""
        figures, old = counted[7:11], self._old.pop(counted.number, None)
        if old is None:
            self._add(mac, counted, figures, 1)
            return
        if counted.inbound:
            old = (old[1], old[0], old[3], old[2])
        self._add(mac, counted, _since(old, figures), 0)

    def _add(self, mac: str, counted: Counted, figures: _Figures, flows: int) -> None:
        if not (flows or any(figures)):
            return
        place = mac, counted.address, counted.protocol, counted.port, counted.inbound
        sums = self._sums.get(place)
        if sums is None:
            sums = self._sums[place] = [0, 0, 0, 0, 0]
        for at, figure in enumerate((*figures, flows)):
            sums[at] += figure
            self.totals[_TOTALS[at]] += figure


_TOTALS = ("bytes_out", "bytes_in", "packets_out", "packets_in", "flows")


def _since(before: _Figures, now: _Figures) -> _Figures:
    """What came in between; all of it, if another connection has the number by now."""
    if any(later < earlier for earlier, later in zip(before, now, strict=True)):
        return now
    return (now[0] - before[0], now[1] - before[1], now[2] - before[2], now[3] - before[3])


def _text(address: bytes) -> str:
    return inet_ntop(AF_INET if len(address) == 4 else AF_INET6, address)


class Volume:
    """See the module. `addresses` gives the local addresses of watched devices and their MACs; `tell` takes
    what was carried; `interfaces`: the local ones; `room`: bytes of events that may wait. `serve` must
    follow; `status` may be called meanwhile."""

    def __init__(
        self,
        interfaces: Iterable[str],
        addresses: Callable[[], Mapping[str, str]],
        tell: Callable[[Carried], object],
        room: int = ROOM,
    ):
        self.interfaces = frozenset(interfaces)
        self._addresses = addresses
        self._tell = tell
        self._room = room
        self._ledger = Ledger()
        self._devices: dict[bytes, str] = {}
        self._networks = LocalNetworks(())
        self._next_look = self._next_refresh = self._next_routes = 0.0
        self._lost = self._lost_before = self._heard = 0
        self._problem = STARTING

    def status(self) -> dict[str, Any]:
        """For `smartrouter status --json`: see docs/volume.md."""
        totals = self._ledger.totals
        return {
            "accounting": accounting.is_on(),
            "events": accounting.tells_ends(),
            "problem": self._problem,
            "addresses": len(self._devices),
            "heard": self._heard,
            "lost": self._lost,
            "uncounted": self._ledger.uncounted,
            "open": self._ledger.open,
            "offloaded": dict(self._ledger.offloaded),
            **{name: totals[name] for name in _TOTALS},
        }

    def serve(self, stop: Event) -> None:
        """Count until `stop` is set."""
        while not stop.is_set():
            try:
                with Netlink() as link:
                    endings = Endings(self._room)
                    try:
                        self._serve(stop, link, endings)
                    finally:
                        endings.close()
            except (SmartrouterError, OSError) as error:
                if str(error) != self._problem:
                    log.error("bytes are not counted: %s", error)
                self._problem = str(error)
            except Exception:
                self._problem = "a fault of smartrouter's; the log says more"
                log.exception("counting bytes")
            stop.wait(RETRY)

    def _serve(self, stop: Event, link: Netlink, endings: Endings) -> None:
        totals, uncounted = self._ledger.totals, self._ledger.uncounted
        self._ledger = Ledger(_some(all_open(link)))
        self._ledger.totals, self._ledger.uncounted = totals, uncounted
        self._problem = ""
        self._lost_before = self._lost
        self._next_look = self._next_refresh = self._next_routes = 0.0
        while not stop.is_set():
            endings.wait(_TURN)
            now, began = time.monotonic(), time.thread_time()
            self._refresh(now)
            self._take(endings)
            if now >= self._next_look:
                self._look(link)
                self._report()
                took = time.thread_time() - began
                self._next_look = now + min(LONGEST, max(LOOK, SHARE * took))
            elif len(self._ledger) >= MAX_SUMS:
                self._report()
            stop.wait(REST * (time.thread_time() - began))
        self._refresh(math.inf)
        self._take(endings, LAST)
        self._look(link)
        self._report()

    def _refresh(self, now: float) -> None:
        """Whose address is whose, and which are local: both change by the way."""
        if now < self._next_refresh:
            return
        self._next_refresh = now + REFRESH
        if now >= self._next_routes:
            self._next_routes = now + ROUTES
            self._networks = LocalNetworks(self.interfaces)
        self._devices = {_packed(address): mac for address, mac in self._addresses().items()}

    def _take(self, endings: Endings, most: int = AT_ONCE) -> None:
        devices = self._devices
        heard = endings.heard
        for item in endings.take(most):
            counted = read(item, devices)
            if counted is not None and counted.end not in self._networks:
                self._ledger.has_ended(devices[counted.device], counted)
        self._heard += endings.heard - heard
        self._lost = self._lost_before + endings.lost

    def _look(self, link: Netlink) -> None:
        devices, networks, ledger = self._devices, self._networks, self._ledger
        ledger.looks()
        try:
            for counted in open_connections(link, devices):
                if counted.end not in networks:
                    ledger.is_open(devices[counted.device], counted)
        except InterruptedError:
            return  # some were not listed: nothing says that they have gone
        ledger.looked()

    def _report(self) -> None:
        transfers = self._ledger.taken()
        for at in range(0, len(transfers), TOLD):
            self._tell(Carried(tuple(transfers[at : at + TOLD])))


def _packed(address: str) -> bytes:
    return inet_pton(AF_INET6 if ":" in address else AF_INET, address.partition("%")[0])


def _some(connections: Iterable[tuple[int, _Figures]]) -> dict[int, _Figures]:
    """As many of them as there is room for; all are read."""
    found: dict[int, _Figures] = {}
    try:
        for number, figures in connections:
            if len(found) < MAX_OLD and figures[0] >= 0:
                found[number] = figures
    except InterruptedError:
        pass  # what began meanwhile is new
    return found
