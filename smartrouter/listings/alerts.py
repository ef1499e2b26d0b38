# SPDX-License-Identifier: GPL-2.0-or-later
"""Alerts as they are shown, by the keys that `ALERT` and `EXPLAINED` document, and which stay."""

from collections.abc import Collection
from typing import Any

from smartrouter.core.effects import Evidence, Kind, Severity
from smartrouter.core.explanations import EXPLANATIONS
from smartrouter.listings.known import Known
from smartrouter.notify.wording import commands, why
from smartrouter.store.alerts import StoredAlert

ALERT = {
    "id": "its number",
    "mac": "the device; empty where it is about the router itself",
    "device": "what the device is called",
    "kind": f"what it is about: {', '.join(f'`{kind}`' for kind in Kind)}; see [alerts.md](alerts.md)",
    "destination": "the name group, or the address where no name is known; empty if there is not just one",
    "service": "`web`, `tcp/8883`, `icmp` …; empty where there is none",
    "reason": "why the attempts passed or not; `smartrouter alert ID` says it in a sentence",
    "severity": "`notice`, `warning` or `critical`",
    "detail": "what else there is to say, such as how wide a scan is; empty if nothing",
    "evidence": "why we believe that the address is the name: " + ", ".join(f"`{each}`" for each in Evidence),
    "name": "the exact name, empty where none is known",
    "reverse": "the name that a reverse lookup gave, empty if none, null before the lookup",
    "first": "epoch seconds of the first attempt",
    "last": "epoch seconds of the last attempt",
    "count": "attempts",
    "blocked": "how many of them were blocked",
    "state": "`open`, `allowed`, `denied`, `dismissed`, or `merged` into a greater alert, as that of a scan",
    "decided_by": "who gave it its state: `cli:root`, `slack:U024BE7LH` …; empty if nobody did",
    "decided_at": "epoch seconds of that, or null",
    "addresses": "the addresses that were tried, the most frequent first, 32 at most",
    "targets": "the same with `address`, `port`, `protocol` (IANA number) and `count`",
}
_TARGET = ("address", "port", "protocol", "count")
EXPLAINED = {
    "means": "what its kind means, in a sentence",
    "why": "why it was raised, with the names, addresses and ports in question",
    "perhaps": "what it may be innocently",
    "advice": "what to do about it",
    "commands": "what to type to decide about it: `command` and `does`; empty if that is done",
}
_SEVERITIES = [str(severity) for severity in Severity]  # the quietest first


def alert_json(known: Known, found: StoredAlert) -> dict[str, Any]:
    """An alert under the keys of `ALERT`."""
    targets = [target for target in found.targets if target[0]]
    values = found._asdict() | {
        "device": known.label(found.mac),
        "count": found.occurrences,
        "addresses": list(dict.fromkeys(address for address, *_ in targets)),
        "targets": [dict(zip(_TARGET, target, strict=True)) for target in targets],
    }
    return {key: values[key] for key in ALERT}


def explained_json(found: StoredAlert) -> dict[str, Any]:
    """What is said of an alert, under the keys of `EXPLAINED`."""
    explanation = EXPLANATIONS.get(found.kind)
    return {
        "means": explanation.means if explanation else "",
        "why": why(found),
        "perhaps": explanation.perhaps if explanation else "",
        "advice": explanation.advice if explanation else "",
        "commands": [{"command": command, "does": does} for command, does in commands(found)],
    }


def is_wanted(found: StoredAlert, kinds: Collection[str] | None, severity: str | None) -> bool:
    """Is it of one of these kinds, and as loud as `severity` at least? None: whatever it is."""
    if kinds and found.kind not in kinds:
        return False
    if severity is None or found.severity not in _SEVERITIES:
        return True  # another version's may be louder than any of ours
    return _SEVERITIES.index(found.severity) >= _SEVERITIES.index(severity)
