# SPDX-License-Identifier: GPL-2.0-or-later
"""One alert in full: what happened, why it is told, what it may be, and what to do, on one screen.

The words for kinds, reasons and evidence are `core.explanations`'; here they meet the names, addresses and
ports of one alert. Whatever came from the network may stand in a text, but never in a command to be typed.
"""

import time
from typing import Any, NamedTuple

from smartrouter.cli.known import Known
from smartrouter.core.destinations import protocol_name
from smartrouter.core.effects import Kind, Severity
from smartrouter.core.explanations import EVIDENCE, EXPLANATIONS, is_about_destination, sentence
from smartrouter.store.alerts import AlertState, StoredAlert
from smartrouter.terminal import Cell, Screen, Style, ago, inert, when

EXPLAINED = {
    "means": "what its kind means, in a sentence",
    "why": "why it was raised, with the names, addresses and ports in question",
    "perhaps": "what it may be innocently",
    "advice": "what to do about it",
    "commands": "what to type to decide about it: `command` and `does`; empty if that is done",
}
SEVERITIES: dict[str, Style] = {
    Severity.NOTICE: Style.FAINT,
    Severity.WARNING: Style.WARNING,
    Severity.CRITICAL: Style.BAD,
}
_SHOWN = 4  # addresses; --json has all


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


def about(found: StoredAlert) -> str:
    """What an alert is about, in few words: the destination, and the reverse name where that is all there is
    (it is its owner's word only); the detail where there is no destination."""
    if not found.destination:
        return found.detail
    return f"{found.destination} [{found.reverse}]" if found.reverse and not found.name else found.destination


class Tried(NamedTuple):
    """Where a device went, as `198.51.100.7 tcp/443`, and how many times."""

    text: str
    times: int


def tried(found: StoredAlert) -> list[Tried]:
    """The connections of an alert, the most frequent first; none where it is about what a device is."""
    return [
        Tried(f"{address} {protocol_name(protocol)}{f'/{port}' if port else ''}", count)
        for address, port, protocol, count in found.targets
        if protocol
    ]


def why(found: StoredAlert) -> str:
    """The reason as a sentence, or its bare code if another version gave it, and what it is about."""
    parts = [sentence(found.reason) or f"{found.reason}."]
    reached = tried(found)
    if reached and found.kind != Kind.SCAN:  # of which the detail says more
        name = found.name or found.destination
        called = f"{name}, " if name and name != found.targets[0][0] else ""
        more = f" and {len(reached) - 1} more" if len(reached) > 1 else ""
        parts.append(f"It tried {called}{reached[0].text}{more}.")
    if found.detail:
        parts.append(f"{found.detail[0].upper()}{found.detail[1:].rstrip('.')}.")
    return " ".join(parts)


def commands(found: StoredAlert) -> list[tuple[str, str]]:
    """What to type to decide about an alert, and what that does; nothing where it was decided."""
    if found.state != AlertState.OPEN:
        return []
    number, mac = found.id, found.mac
    ways = []
    if is_about_destination(found.kind, found.reason):
        denied = "that address" if found.kind == Kind.FRONTING else "it"
        ways = [
            (f"smartrouter allow {number}", "allows this destination and service"),
            (f"smartrouter deny {number}", f"blocks {denied} in every mode"),
        ]
    elif found.kind == Kind.IP_SPOOFING:
        ways = [(f"smartrouter mode enforce {mac}", "blocks what is not known")]
    elif found.kind in (Kind.SCAN, Kind.DNS_TUNNEL, Kind.CLONE):
        ways = [(f"smartrouter deny {mac} '*' --for 1d", "blocks its connections a day")]
        if found.kind == Kind.SCAN and found.targets:
            ways.append((f"smartrouter allow {mac} {found.targets[0][0]}", "allows just this address"))
    elif found.kind == Kind.PERSON:
        ways = [
            (f"smartrouter forget {mac} --all", "takes back what it learned"),
            (f"smartrouter learn {mac}", "has it learn again"),
        ]
    return [*ways, (f"smartrouter alert {number} --dismiss", "reports it no more")]


def show(screen: Screen, known: Known, found: StoredAlert) -> None:
    """One screen about an alert."""
    screen.line(
        Cell(f"Alert {found.id}", Style.STRONG),
        f"  {found.kind}, ",
        Cell(found.severity, SEVERITIES.get(found.severity, Style.PLAIN)),
        f", {found.state}",
    )
    service = f" ({found.service})" if found.service else ""
    where = f" → {about(found)}{service}" if found.destination else ""
    screen.item((), inert(f"{known.label(found.mac)} ({found.mac}){where}"))
    screen.line("")
    said = [("why", f"{why(found)} ({found.reason})")]
    explanation = EXPLANATIONS.get(found.kind)
    if explanation:
        said = [("what", explanation.means), *said]
        said += [("perhaps", explanation.perhaps), ("to do", explanation.advice)]
    screen.facts([*said, *_facts(found)])
    ways = commands(found)
    if ways:
        screen.line("")
    width = max((len(command) for command, _ in ways), default=0)
    for command, does in ways:
        screen.item((Cell(f"  {command.ljust(width)}", Style.STRONG), "  "), does)


def _facts(found: StoredAlert) -> list[tuple[str, str]]:
    facts = []
    reached = tried(found)
    if reached and found.destination:
        facts = [("name", found.name or "none that the device was told")]
        if not found.name:
            reverse = "none" if found.reverse == "" else "not looked up yet"
            facts.append(("reverse", found.reverse or reverse))
        facts.append(("evidence", f"{EVIDENCE.get(found.evidence, '')} ({found.evidence})".lstrip()))
    if reached:
        shown = [f"{each.text} ({each.times})" for each in reached[:_SHOWN]]
        more = [f"{len(reached) - _SHOWN} more, see --json"] if len(reached) > _SHOWN else []
        facts.append(("addresses", ", ".join(shown + more)))
    times = f"{found.occurrences} time{'' if found.occurrences == 1 else 's'}"
    seen = f"{times}{_blocked(found) if reached else ''}, first {when(found.first)}"
    if found.occurrences > 1:
        seen += f", last {when(found.last)}"
    return [*facts, ("seen", f"{seen} ({ago(found.last, time.time())})")]


def _blocked(found: StoredAlert) -> str:
    if not found.blocked:
        return ", not blocked"
    if found.blocked == found.occurrences:
        return ", blocked"
    return f", of which {found.blocked} were blocked"
