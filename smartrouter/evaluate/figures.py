# SPDX-License-Identifier: GPL-2.0-or-later
"""What an evaluation found, device by device and in total, as plain values.

Knows nothing of how the figures come about, or of how they are shown.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from smartrouter.core.novelty import PRIOR, Prior, fit
from smartrouter.evaluate.calibration import Calibration, calibration
from smartrouter.evaluate.detection import Detection
from smartrouter.evaluate.labels import NONE, Labels
from smartrouter.evaluate.ledger import Tally
from smartrouter.evaluate.others import Accepted
from smartrouter.evaluate.units import Walk, forecasts
from smartrouter.replay.figures import DeviceFigures, Result

_NO_TALLY = Tally()
_NO_WALK = Walk(0.0)


@dataclass
class Evaluation:
    """`result`: what the replay found; `tallies`, `walks`, `accepted`: by MAC. `prior`: that of the
    forecasts. `visits_not_kept`: attempts that the share of others' traffic leaves out, for want of room."""

    labels: Labels = NONE
    result: Result = field(default_factory=Result)
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    walks: Mapping[str, Walk] = field(default_factory=dict)
    accepted: Mapping[str, Accepted] = field(default_factory=dict)
    prior: Prior = PRIOR
    visits_not_kept: int = 0

    @property
    def devices(self) -> dict[str, DeviceFigures]:
        """The figures of the replay, of the devices of which there is anything to say."""
        return {
            mac: figures
            for mac, figures in self.result.devices.items()
            if self.tally(mac).attempts or not self.tally(mac).detection.is_empty
        }

    def tally(self, mac: str) -> Tally:
        """One device's attempts."""
        return self.tallies.get(mac, _NO_TALLY)

    def walk(self, mac: str) -> Walk:
        """One device's units."""
        return self.walks.get(mac, _NO_WALK)

    @cached_property
    def calibration(self) -> Calibration:
        """The forecasts of all devices against what came."""
        return calibration([made for walk in self.walks.values() for made in forecasts(walk, self.prior)])

    @cached_property
    def refitted(self) -> Prior:
        """The prior that these devices alone suggest; the one in use where they are too few."""
        return fit([walk.history for walk in self.walks.values()], self.prior)

    @property
    def mean_accepted(self) -> float:
        """The mean, over devices that learned anything, of the share of others' traffic they would accept."""
        shares = [accepted.share for accepted in self.accepted.values()]
        return sum(shares) / len(shares) if shares else 0.0

    def kinds(self, mac: str | None = None) -> Counter[tuple[str, str]]:
        """How many distinct alerts there are of each (kind, severity): of one device, or of all."""
        latest = [entry.latest for entry in self.result.alerts.values()]
        return Counter((str(a.kind), str(a.severity)) for a in latest if mac in (None, a.mac))

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "packets": self.result.packets,
            "devices": {mac: self._device(mac, figures) for mac, figures in self.devices.items()},
            "total": self._total(),
            "novelty": {
                "prior": self.prior._asdict(),
                "refitted": self.refitted._asdict(),
                **self.calibration.to_json(),
            },
            "warnings": self.result.warnings,
        }

    def _device(self, mac: str, figures: DeviceFigures) -> dict[str, Any]:
        tally, walk = self.tally(mac), self.walk(mac)
        accepted = self.accepted.get(mac)
        found: dict[str, Any] = {
            "name": self.labels.name(mac),
            "attempts": tally.attempts,
            "evidence": {str(evidence): count for evidence, count in sorted(tally.evidence.items())},
            "learned_destinations": figures.learned_destinations,
            "tested_connections": figures.tested_connections,
            "alerts": figures.alerts,
            "alerted_connections": figures.alerted_connections,
            "alerted_share": share(figures.alerted_connections, figures.tested_connections),
            "kinds": {f"{kind}/{severity}": n for (kind, severity), n in sorted(self.kinds(mac).items())},
            "accepted_of_others": None if accepted is None else accepted.share,
            "accepted_by_kin": None if accepted is None else share(accepted.kin, accepted.attempts),
            "units": len(walk.units),
            "destinations": len(walk.first_uses),
            "first_uses": [round(at, 3) for at in walk.first_uses],
            "growth": walk.growth,
        }
        if self.labels.tell_attacks:
            found["detection"] = _detection(tally.detection)
        return found

    def _total(self) -> dict[str, Any]:
        devices = self.devices.values()
        evidence = self.evidence
        tested = sum(figures.tested_connections for figures in devices)
        alerted = sum(figures.alerted_connections for figures in devices)
        found: dict[str, Any] = {
            "attempts": sum(evidence.values()),
            "evidence": dict(sorted(evidence.items())),
            "learned_destinations": sum(figures.learned_destinations for figures in devices),
            "tested_connections": tested,
            "alerts": sum(figures.alerts for figures in devices),
            "alerted_connections": alerted,
            "alerted_share": share(alerted, tested),
            "kinds": {f"{kind}/{severity}": n for (kind, severity), n in sorted(self.kinds().items())},
            "accepted_of_others": self.mean_accepted,
        }
        if self.labels.tell_attacks:
            attacks = [tally.detection for tally in self.tallies.values()]
            delays = [attack.delay for attack in attacks if attack.delay is not None]
            found["detection"] = {
                "attempts": sum(attack.attempts for attack in attacks),
                "flagged": sum(attack.flagged for attack in attacks),
                "noticed": sum(attack.noticed for attack in attacks),
                "missed": sum(attack.missed for attack in attacks),
                "first_after": min(delays, default=None),
                "false_alerts": sum(attack.false_alerts for attack in attacks),
            }
        return found

    @property
    def evidence(self) -> Counter[str]:
        """Attempts of all devices, by the evidence for their names."""
        counts: Counter[str] = Counter()
        for mac in self.devices:
            counts.update({str(evidence): n for evidence, n in self.tally(mac).evidence.items()})
        return counts


def _detection(attack: Detection) -> dict[str, Any]:
    return {
        "attempts": attack.attempts,
        "flagged": attack.flagged,
        "noticed": attack.noticed,
        "missed": attack.missed,
        "first_after": attack.delay,
        "kinds": dict(sorted(attack.kinds.items())),
        "false_alerts": attack.false_alerts,
    }


def share(part: int, whole: int) -> float:
    """0 to 1; of nothing: 0."""
    return part / whole if whole else 0.0
