# SPDX-License-Identifier: GPL-2.0-or-later
"""What the judge said of every attempt, written down while a replay goes on.

Decides nothing: it is told each event with what it yielded, and counts. Bounded: what is told apart has a
most; what comes beyond is counted, not kept.
"""

from collections import Counter
from dataclasses import dataclass, field

from smartrouter.core.effects import Attempt, Effect, Evidence, Keep, Label, Raise, Record, Withdraw
from smartrouter.core.events import TCP, UDP, Event, FlowOpened, Moment, Scope
from smartrouter.core.learning import State
from smartrouter.evaluate.detection import Detection
from smartrouter.evaluate.labels import Labels

MAX_VISITS = 16_384  # (device, name or address, service): every device is asked about all of them


@dataclass(slots=True)
class Tally:
    """One device's attempts, TCP and UDP, to the outside. `begun`, `ended`: when the first and the last one
    was; `protected`: running time at which learning ended, None if it did not."""

    attempts: int = 0
    evidence: Counter[Evidence] = field(default_factory=Counter)
    begun: Moment | None = None
    ended: Moment | None = None
    protected: float | None = None
    detection: Detection = field(default_factory=Detection)


@dataclass(slots=True)
class Visit:
    """Attempts of one device at one name, or at an address without one, by one service."""

    mac: str
    name: str
    address: str
    service: str
    count: int = 0


class Ledger:
    """See the module; `observe` is what a replay calls."""

    def __init__(self, labels: Labels):
        self._labels = labels
        self._visits: dict[tuple[str, str, str], Visit] = {}
        self._unnamed: Counter[tuple[str, str]] = Counter()  # attempts by (device, address), until labelled
        self.tallies: dict[str, Tally] = {}
        self.visits_not_kept = 0

    @property
    def visits(self) -> list[Visit]:
        """Who went where."""
        return list(self._visits.values())

    def observe(self, event: Event, effects: list[Effect], now: Moment) -> None:
        """`event` was told to the judge, and yielded `effects`."""
        labels = self._labels
        for effect in effects:
            match effect:
                case Record(attempt) if isinstance(event, FlowOpened):
                    if event.scope is Scope.OUTSIDE and attempt.protocol in (TCP, UDP):
                        self._attempted(attempt, now)
                    if labels.tell_attacks:
                        self._tally(attempt.mac).detection.attempted(attempt, labels)
                case Raise(alert) if labels.tell_attacks:
                    self._tally(alert.mac).detection.alerted(alert, labels, now.wall)
                case Withdraw(mac):
                    self._tally(mac).detection.withdrawn(effect.key)
                case Label(mac, address):
                    self._named_by_hello(mac, address)
                case Keep(mac, progress) if progress.state is State.PROTECTED:
                    tally = self._tally(mac)
                    if tally.protected is None:
                        tally.protected = now.running
                case _:
                    pass

    def _tally(self, mac: str) -> Tally:
        return self.tallies.setdefault(mac, Tally())

    def _attempted(self, attempt: Attempt, now: Moment) -> None:
        tally = self._tally(attempt.mac)
        tally.attempts += 1
        tally.evidence[attempt.evidence] += 1
        tally.begun = tally.begun or now
        tally.ended = now
        key = (attempt.mac, attempt.name or attempt.address, attempt.service)
        visit = self._visits.get(key)
        if visit is None:
            if len(self._visits) >= MAX_VISITS:
                self.visits_not_kept += 1
                return
            visit = Visit(attempt.mac, attempt.name, attempt.address, attempt.service)
            self._visits[key] = visit
        visit.count += 1
        if attempt.evidence is Evidence.NONE:
            self._unnamed[attempt.mac, attempt.address] += 1

    def _named_by_hello(self, mac: str, address: str) -> None:
        """The hello comes after the attempts that it names."""
        count = self._unnamed.pop((mac, address), 0)
        evidence = self._tally(mac).evidence
        evidence[Evidence.NONE] -= count
        evidence[Evidence.HELLO] += count
