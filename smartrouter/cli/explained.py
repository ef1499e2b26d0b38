# SPDX-License-Identifier: GPL-2.0-or-later
"""One alert in full: what happened, why it is told, what it may be, and what to do, on one screen.

The words are those of messages (`notify.wording`). Whatever came from the network may stand in a text, but
never in a command to be typed.
"""

import time

from smartrouter.core.effects import Severity
from smartrouter.core.explanations import EVIDENCE, EXPLANATIONS
from smartrouter.listings.known import Known
from smartrouter.notify.wording import about, commands, decided, tried, who, why
from smartrouter.store.alerts import StoredAlert
from smartrouter.terminal import Cell, Screen, Style, ago, inert, when

SEVERITIES: dict[str, Style] = {
    Severity.NOTICE: Style.FAINT,
    Severity.WARNING: Style.WARNING,
    Severity.CRITICAL: Style.BAD,
}
_SHOWN = 4  # addresses; --json has all


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
    screen.item((), inert(f"{who(found.mac, known.label(found.mac))}{where}"))
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
    facts.append(("seen", f"{seen} ({ago(found.last, time.time())})"))
    return [*facts, ("decided", decided(found))] if found.decided_at is not None else facts


def _blocked(found: StoredAlert) -> str:
    if not found.blocked:
        return ", not blocked"
    if found.blocked == found.occurrences:
        return ", blocked"
    return f", of which {found.blocked} were blocked"
