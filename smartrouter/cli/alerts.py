# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter alerts` and `smartrouter alert`: what was reported, and one of it in full.

Shows what the store says; decides nothing. The keys under --json are documented in `ALERT`, and stay.
"""

import json
import sys
import time
from argparse import Namespace
from typing import Any

from smartrouter.cli.decisions import dismiss
from smartrouter.cli.explained import SEVERITIES, explained_json, show
from smartrouter.cli.follow import follow
from smartrouter.cli.known import Known
from smartrouter.cli.packets import export, kept, packets_json, show_packets
from smartrouter.core.effects import Evidence, Kind, Severity
from smartrouter.notify.wording import about, tried
from smartrouter.store.alerts import AlertState, StoredAlert, alerts
from smartrouter.terminal import Cell, Column, Elide, Screen, Style, ago

ALERT = {
    "id": "its number",
    "mac": "the device",
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
_ALL = 10_000  # more than the store keeps
_SEVERITIES = [str(severity) for severity in Severity]  # the quietest first


def listing(arguments: Namespace) -> int:
    """`smartrouter alerts [ID]`."""
    if arguments.id is not None:
        return single(arguments)
    if arguments.follow:
        return follow(
            lambda: Known(arguments),
            lambda each: _is_wanted(each, arguments.kind, arguments.severity),
            arguments.json,
        )
    known = Known(arguments)
    with known.store() as conn:
        found = alerts(conn, state=None if arguments.all else AlertState.OPEN, limit=_ALL)
    found = [each for each in found if _is_wanted(each, arguments.kind, arguments.severity)]
    found = found[arguments.skip :][: arguments.limit]
    if arguments.json:
        print(json.dumps([alert_json(known, each) for each in found], indent=2))
    else:
        _show_alerts(Screen(sys.stdout), known, found, arguments)
    return 0


def single(arguments: Namespace) -> int:
    """`smartrouter alert ID`."""
    known = Known(arguments)
    if arguments.pcap is not None:
        return _exported(known, arguments)
    found = dismiss(known, arguments.id) if arguments.dismiss else known.alert(arguments.id)
    if arguments.json:
        packets = packets_json(kept(known, found))
        print(json.dumps(alert_json(known, found) | explained_json(found) | packets, indent=2))
    elif arguments.dismiss:
        text = f"Alert {found.id} is dismissed: nothing else was changed, and it is reported no more."
        Screen(sys.stdout).line(text)
    else:
        screen = Screen(sys.stdout)
        show(screen, known, found)
        show_packets(screen, found, kept(known, found))
    return 0


def _exported(known: Known, arguments: Namespace) -> int:
    """`smartrouter alert ID --pcap FILE`."""
    found = known.alert(arguments.id)
    exhibits, command = export(known, found, arguments.pcap, force=arguments.force)
    if arguments.json:
        print(json.dumps({"file": arguments.pcap, "packets": len(exhibits), "replay": command}, indent=2))
        return 0
    screen = Screen(sys.stdout)
    screen.line(f"{len(exhibits)} packet{'' if len(exhibits) == 1 else 's'} written to {arguments.pcap}.")
    if command:
        screen.line("Replaying it says the same of it again:")
        screen.line(Cell(f"  {command}", Style.STRONG))
    else:
        screen.line("Replaying it would not say the same: what was said rests on more than these packets.")
    return 0


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


# -- on a terminal -----------------------------------------------------------------------------------------

_ALERTS = (
    Column("ID", right=True),
    Column("LAST", rank=3),
    Column("DEVICE", least=10),
    Column("KIND"),
    Column("DESTINATION", least=24, elide=Elide.START),
    Column("SERVICE", least=8, rank=4),
    Column("COUNT", right=True, rank=2),
    Column("VERDICT"),
    Column("SEVERITY", rank=5),
    Column("EVIDENCE", rank=1),
    Column("STATE", rank=6),
)


def _show_alerts(screen: Screen, known: Known, found: list[StoredAlert], arguments: Namespace) -> None:
    if not found:
        chosen = arguments.all or arguments.kind or arguments.severity
        screen.line("No such alert." if chosen else "No alert waits for you.")
        return
    now = time.time()
    rows: list[list[str | Cell]] = [
        [
            str(each.id),
            ago(each.last, now),
            known.label(each.mac),
            Cell(each.kind, SEVERITIES.get(each.severity, Style.PLAIN)),
            _what(each),
            each.service or "-",
            str(each.occurrences),
            _verdict(each),
            Cell(each.severity, SEVERITIES.get(each.severity, Style.PLAIN)),
            each.evidence if tried(each) else "-",
            each.state,
        ]
        for each in found
    ]
    columns = _ALERTS if arguments.all else _ALERTS[:-1]
    screen.table(columns, [row[: len(columns)] for row in rows])


def _what(found: StoredAlert) -> Cell:
    """What it is about: where there is little room, of a name its end, and of a detail its beginning."""
    text = about(found)
    if found.destination:
        return Cell(text)
    return Cell(text.partition(": ")[2] or text, elide=Elide.END)


def _is_wanted(found: StoredAlert, kinds: list[str] | None, severity: str | None) -> bool:
    """`severity`: so loud at least."""
    if kinds and found.kind not in kinds:
        return False
    if severity is None or found.severity not in _SEVERITIES:
        return True  # another version's may be louder than any of ours
    return _SEVERITIES.index(found.severity) >= _SEVERITIES.index(severity)


def _verdict(found: StoredAlert) -> Cell:
    if not tried(found):
        return Cell("-")
    if not found.blocked:
        return Cell("passed", Style.WARNING)
    return Cell("blocked" if found.blocked == found.occurrences else "partly", Style.BAD)
