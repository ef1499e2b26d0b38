# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter alerts` and `smartrouter alert`: what was reported, and one of it in full.

Shows what the store says; decides nothing. The keys under --json are those of `listings.alerts`.
"""

import json
import sys
import time
from argparse import Namespace

from smartrouter.cli.decisions import dismiss
from smartrouter.cli.explained import SEVERITIES, show
from smartrouter.cli.follow import follow
from smartrouter.cli.packets import export, kept, packets_json, show_packets
from smartrouter.listings.alerts import alert_json, explained_json, is_wanted
from smartrouter.listings.known import Known
from smartrouter.notify.wording import about, tried
from smartrouter.store.alerts import AlertState, StoredAlert, alerts
from smartrouter.terminal import Cell, Column, Elide, Screen, Style, ago

_ALL = 10_000  # more than the store keeps


def listing(arguments: Namespace) -> int:
    """`smartrouter alerts [ID]`."""
    if arguments.id is not None:
        return single(arguments)
    if arguments.follow:
        return follow(
            lambda: Known.at(arguments.config),
            lambda each: is_wanted(each, arguments.kind, arguments.severity),
            arguments.json,
        )
    known = Known.at(arguments.config)
    with known.store() as conn:
        found = alerts(conn, state=None if arguments.all else AlertState.OPEN, limit=_ALL)
    found = [each for each in found if is_wanted(each, arguments.kind, arguments.severity)]
    found = found[arguments.skip :][: arguments.limit]
    if arguments.json:
        print(json.dumps([alert_json(known, each) for each in found], indent=2))
    else:
        _show_alerts(Screen(sys.stdout), known, found, arguments)
    return 0


def single(arguments: Namespace) -> int:
    """`smartrouter alert ID`."""
    known = Known.at(arguments.config)
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


def _verdict(found: StoredAlert) -> Cell:
    if not tried(found):
        return Cell("-")
    if not found.blocked:
        return Cell("passed", Style.WARNING)
    return Cell("blocked" if found.blocked == found.occurrences else "partly", Style.BAD)
