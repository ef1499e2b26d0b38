# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter alerts` and `smartrouter alert`: what was reported, and one of it in full.

Shows what the store says; decides nothing. The keys under --json are documented in `ALERT`, and stay.
"""

import json
import sys
import time
from argparse import Namespace
from typing import Any

from smartrouter.cli.known import Known
from smartrouter.core.destinations import protocol_name
from smartrouter.core.effects import Kind, Severity
from smartrouter.core.errors import SmartrouterError
from smartrouter.core.policy import REASONS, Reason
from smartrouter.store.alerts import AlertState, StoredAlert, alert, alerts
from smartrouter.terminal import Cell, Column, Elide, Screen, Style, ago, when

ALERT = {
    "id": "its number",
    "mac": "the device",
    "device": "what the device is called",
    "kind": "what it is about: `new-destination`, `foreign-resolver`, `router-service`",
    "destination": "the name group, or the address where no name is known",
    "service": "`web`, `tcp/8883`, `icmp` …",
    "reason": "why the attempts passed or not; `smartrouter alert ID` says it in a sentence",
    "severity": "`notice`, `warning` or `critical`",
    "evidence": "why we believe that the address is the name: `dns`, `stale`, `reverse`, `none`",
    "name": "the exact name, empty where none is known",
    "reverse": "the name that a reverse lookup gave, empty if none, null before the lookup",
    "first": "epoch seconds of the first attempt",
    "last": "epoch seconds of the last attempt",
    "count": "attempts",
    "blocked": "how many of them were blocked",
    "state": "`open`, `allowed`, `denied` or `dismissed`",
    "addresses": "the addresses that were tried, the most frequent first, 32 at most",
    "targets": "the same with `address`, `port`, `protocol` (IANA number) and `count`",
}
_SEVERITIES: dict[str, Style] = {
    Severity.NOTICE: Style.FAINT,
    Severity.WARNING: Style.WARNING,
    Severity.CRITICAL: Style.BAD,
}
_ALL = 10_000  # more than the store keeps


def listing(arguments: Namespace) -> int:
    """`smartrouter alerts [ID]`."""
    if arguments.id is not None:
        return single(arguments)
    known = Known(arguments)
    with known.store() as conn:
        found = alerts(conn, state=None if arguments.all else AlertState.OPEN, limit=_ALL)
    if arguments.json:
        print(json.dumps([alert_json(known, each) for each in found], indent=2))
    else:
        _show_alerts(Screen(sys.stdout), known, found, arguments.all)
    return 0


def single(arguments: Namespace) -> int:
    """`smartrouter alert ID`."""
    known = Known(arguments)
    with known.store() as conn:
        found = alert(conn, arguments.id)
    if found is None:
        raise SmartrouterError(f"there is no alert {arguments.id}; `smartrouter alerts --all` lists them")
    if arguments.json:
        print(json.dumps(alert_json(known, found), indent=2))
    else:
        _show_alert(Screen(sys.stdout), known, found)
    return 0


def alert_json(known: Known, found: StoredAlert) -> dict[str, Any]:
    """An alert under the keys of `ALERT`."""
    values = found._asdict() | {
        "device": known.label(found.mac),
        "count": found.occurrences,
        "addresses": list(dict.fromkeys(address for address, *_ in found.targets)),
        "targets": [
            {"address": address, "port": port, "protocol": protocol, "count": count}
            for address, port, protocol, count in found.targets
        ],
    }
    return {key: values[key] for key in ALERT}


# -- on a terminal -----------------------------------------------------------------------------------------

_ALERTS = (
    Column("ID", right=True),
    Column("LAST"),
    Column("DEVICE", least=12),
    Column("DESTINATION", least=22, elide=Elide.START),
    Column("SERVICE", least=8),
    Column("COUNT", right=True, rank=4),
    Column("VERDICT"),
    Column("KIND", rank=2),
    Column("SEVERITY", rank=3),
    Column("STATE", rank=5),
)


def _show_alerts(screen: Screen, known: Known, found: list[StoredAlert], decided_too: bool) -> None:
    if not found:
        screen.line("No alert." if decided_too else "No alert waits for you.")
        return
    now = time.time()
    rows: list[list[str | Cell]] = [
        [
            str(each.id),
            ago(each.last, now),
            known.label(each.mac),
            _destination(each),
            each.service,
            str(each.occurrences),
            _verdict(each),
            each.kind,
            Cell(each.severity, _SEVERITIES.get(each.severity, Style.PLAIN)),
            each.state,
        ]
        for each in found
    ]
    columns = _ALERTS if decided_too else _ALERTS[:-1]
    screen.table(columns, [row[: len(columns)] for row in rows])


def _show_alert(screen: Screen, known: Known, found: StoredAlert) -> None:
    now = time.time()
    screen.line(
        Cell(f"Alert {found.id}", Style.STRONG), f"  {known.label(found.mac)} → {_destination(found)}"
    )
    targets = [
        f"{address} {protocol_name(protocol)}{f'/{port}' if port else ''} ({count})"
        for address, port, protocol, count in found.targets
    ]
    screen.facts(
        [
            ("device", f"{known.label(found.mac)} ({found.mac})"),
            ("destination", f"{_destination(found)}, {found.service}"),
            ("name", found.name or "none that the device was told"),
            ("reverse name", found.reverse or ("none" if found.reverse == "" else "not looked up yet")),
            ("evidence", found.evidence),
            ("why", _why(found.reason)),
            ("severity", Cell(found.severity, _SEVERITIES.get(found.severity, Style.PLAIN))),
            ("attempts", f"{found.occurrences}, of which {found.blocked} were blocked"),
            ("first", when(found.first)),
            ("last", f"{when(found.last)} ({ago(found.last, now)})"),
            ("state", found.state),
            ("addresses", ", ".join(targets) or "none"),
        ]
    )
    if found.state == AlertState.OPEN and found.kind != Kind.ROUTER_SERVICE:
        screen.line("")
        screen.line(f"`smartrouter allow {found.id}` allows it, `smartrouter deny {found.id}` denies it.")


def _why(reason: str) -> str:
    """The reason in a sentence, and its code; the code alone if another version gave it."""
    try:
        return f"{REASONS[Reason(reason)]} ({reason})"
    except (ValueError, KeyError):
        return reason


def _destination(found: StoredAlert) -> str:
    """The group, and the reverse name where that is all there is: it is its owner's word only."""
    return f"{found.destination} [{found.reverse}]" if found.reverse and not found.name else found.destination


def _verdict(found: StoredAlert) -> Cell:
    if not found.blocked:
        return Cell("passed", Style.WARNING)
    return Cell("blocked" if found.blocked == found.occurrences else "blocked now", Style.BAD)
